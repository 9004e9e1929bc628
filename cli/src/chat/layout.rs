//! A conversation as rows: days, what is unread, and the messages.

use answerback_proto::id::UserId;
use jiff::civil::Date;
use ratatui::layout::Alignment;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::bubble;
use super::message::{Message, MessageId};
use super::moment::Calendar;
use super::palette::Palette;

/// A row, and where it belongs: rows move when messages come, messages do not.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) line: Line<'static>,
}

/// A row of a message, counted from its first; what stands above it is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) message: MessageId,
    pub(super) row: isize,
}

/// What rows are made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub(super) columns: usize,
    pub(super) calendar: &'a Calendar,
    pub(super) palette: Palette,
    /// A group: whoever speaks is named.
    pub(super) names_senders: bool,
}

/// All rows of a conversation; the line of unread messages stands before `unread_from`.
pub(super) fn rows(
    messages: &[Message],
    unread_from: Option<MessageId>,
    look: Look<'_>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut before = Before::default();
    let shown = || messages.iter().filter(|message| message.is_shown());
    for (index, message) in shown().enumerate() {
        let mut rules = Vec::new();
        if let Some(day) = before.new_day(message, look.calendar) {
            rules.push(rule(&look.calendar.day_in_words(day), look.palette.faint(), look.columns));
        }
        if unread_from == Some(message.id) {
            let count = shown().skip(index).filter(|message| !message.is_own()).count();
            rules.push(rule(&format!("{count} unread"), look.palette.good(), look.columns));
        }
        let bubble = bubble::rows(message, look.columns, look.calendar, look.palette);
        let is_other = before.speaker() != Some(message.id.sender);
        let is_named = look.names_senders && !message.is_own() && (is_other || !rules.is_empty());
        let mut lines = before.apart(message, rules, bubble.len());
        if is_named {
            let name = format!(" user {}", message.id.sender);
            lines.push(Line::styled(name, look.palette.good()));
        }
        let above = -isize::try_from(lines.len()).unwrap_or_default();
        lines.extend(bubble);
        let place = |row| Place { message: message.id, row };
        let placed = (above..).zip(lines);
        rows.extend(placed.map(|(row, line)| Row { place: place(row), line }));
    }
    rows
}

/// What stood above a message.
#[derive(Default)]
struct Before {
    day: Option<Date>,
    bubble: Option<Bubble>,
}

#[derive(Clone, Copy)]
struct Bubble {
    speaker: UserId,
    rows: usize,
}

impl Before {
    fn speaker(&self) -> Option<UserId> {
        self.bubble.map(|bubble| bubble.speaker)
    }

    /// The day of a message that is the first of its day.
    fn new_day(&mut self, message: &Message, calendar: &Calendar) -> Option<Date> {
        let day = calendar.day(message.at_ms?);
        (self.day.replace(day) != Some(day)).then_some(day)
    }

    /// Rules with room around them; room where another one speaks, or where it would not be
    /// seen which row begins a message.
    fn apart(
        &mut self,
        message: &Message,
        mut rules: Vec<Line<'static>>,
        rows: usize,
    ) -> Vec<Line<'static>> {
        let speaker = message.id.sender;
        let above = self.bubble.replace(Bubble { speaker, rows });
        if !rules.is_empty() {
            rules.push(Line::default());
        }
        let is_apart = |above: Bubble| above.speaker != speaker || above.rows.max(rows) > 1;
        if above.is_some_and(|above| !rules.is_empty() || is_apart(above)) {
            rules.insert(0, Line::default());
        }
        rules
    }
}

/// Words between two dashes, in the middle.
fn rule(words: &str, style: Style, columns: usize) -> Line<'static> {
    let dashes = "─".repeat(columns.saturating_sub(words.len() + 4).min(24) / 2);
    Line::from(Span::styled(format!("{dashes} {words} {dashes}"), style))
        .alignment(Alignment::Center)
}
