//! One message as rows of a terminal: the peer's on the left, the user's own on the right.
//!
//! ```text
//!  dinner at eight?  18:05                      the time in the last row, where it has room
//!                         yes, gladly  18:06 ✓✓ read
//! ```

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::message::{Content, Message, Progress};
use super::moment::Calendar;
use super::palette::Palette;
use super::text::{width, wrap};

/// Longer lines are hard to read.
const COLUMNS_MAX: usize = 72;
/// Shorter ones break where they need not, in a narrow terminal.
const COLUMNS_MIN: usize = 44;
/// What a narrow terminal keeps free, so that left and right differ.
const MARGIN: usize = 6;
/// Between words and time.
const GAP: usize = 2;

/// The rows of a message in `columns`.
pub(super) fn rows(
    message: &Message,
    columns: usize,
    calendar: &Calendar,
    palette: Palette,
) -> Vec<Line<'static>> {
    let narrow = columns.saturating_sub(MARGIN).min(COLUMNS_MIN);
    let inner = (columns * 4 / 5).clamp(narrow, COLUMNS_MAX).saturating_sub(2).max(2);
    let back = palette.bubble(message);
    let mut rows = words(message, inner, back, palette);
    add_marks(&mut rows, marks(message, calendar, palette), inner, back);
    for (user, reason) in &message.missed {
        let lines = wrap(&format!("✗ not to user {user}: {reason}"), inner).into_iter();
        let style = back.patch(palette.bad());
        rows.extend(lines.map(|line| Line::from(Span::styled(line, style))));
    }
    let broadest = rows.iter().map(Line::width).max().unwrap_or_default();
    let margin = columns.saturating_sub(broadest + 2);
    let frame = |mut row: Line<'static>| {
        let padding = broadest - row.width();
        row.spans.insert(0, Span::styled(" ", back));
        row.spans.push(Span::styled(" ".repeat(padding + 1), back));
        if message.is_own() {
            row.spans.insert(0, Span::raw(" ".repeat(margin)));
        }
        row
    };
    rows.into_iter().map(frame).collect()
}

/// The sign of how far a message has come.
pub(super) fn tick(progress: &Progress) -> &'static str {
    match progress {
        Progress::Pending => "…",
        Progress::Accepted => "✓",
        Progress::Delivered => "✓✓",
        Progress::Read => "✓✓ read",
        Progress::Failed { .. } => "✗",
    }
}

/// Its colour.
pub(super) fn tick_style(progress: &Progress, palette: Palette) -> Style {
    match progress {
        Progress::Pending => palette.waiting(),
        Progress::Accepted | Progress::Delivered => palette.time(),
        Progress::Read => palette.read(),
        Progress::Failed { .. } => palette.bad(),
    }
}

fn words(message: &Message, columns: usize, back: Style, palette: Palette) -> Vec<Line<'static>> {
    let style = match message.content {
        Content::Text(_) => back,
        Content::TakenBack | Content::Recall | Content::Other { .. } => {
            back.patch(palette.time()).add_modifier(Modifier::ITALIC)
        }
    };
    let lines = wrap(&message.content.words(), columns).into_iter();
    lines.map(|line| Line::from(Span::styled(line, style))).collect()
}

/// The time, and what became of the message.
fn marks(message: &Message, calendar: &Calendar, palette: Palette) -> Vec<(String, Style)> {
    let mut marks = Vec::new();
    if let Some(at_ms) = message.at_ms {
        marks.push((calendar.time(at_ms), palette.time()));
    }
    let counts = message.counts;
    if let Some(progress) = message.progress() {
        let mark = match progress {
            Progress::Failed { reason } => format!("✗ failed: {reason}"),
            Progress::Accepted if counts.delivered > 0 => {
                format!("{} {} of {}", tick(progress), counts.delivered, counts.members)
            }
            Progress::Delivered if counts.read > 0 => {
                format!("{} read by {} of {}", tick(progress), counts.read, counts.members)
            }
            _ => tick(progress).to_owned(),
        };
        marks.push((mark, tick_style(progress, palette)));
    }
    marks
}

fn add_marks(
    rows: &mut Vec<Line<'static>>,
    marks: Vec<(String, Style)>,
    columns: usize,
    back: Style,
) {
    let marks_width = marks.iter().map(|(mark, _)| width(mark) + 1).sum::<usize>().max(1) - 1;
    let broadest = rows.iter().map(Line::width).max().unwrap_or_default();
    let last_width = rows.last().map_or(0, Line::width);
    if last_width + GAP + marks_width <= columns {
        let start = broadest.max(last_width + GAP + marks_width) - marks_width;
        if let Some(last) = rows.last_mut() {
            last.push_span(Span::styled(" ".repeat(start - last_width), back));
            push_marks(last, marks, back);
        }
    } else if marks_width <= columns {
        let start = broadest.max(marks_width) - marks_width;
        let mut row = Line::from(Span::styled(" ".repeat(start), back));
        push_marks(&mut row, marks, back);
        rows.push(row);
    } else {
        for (mark, style) in marks {
            let lines = wrap(&mark, columns).into_iter();
            rows.extend(lines.map(|line| Line::from(Span::styled(line, back.patch(style)))));
        }
    }
}

fn push_marks(row: &mut Line<'static>, marks: Vec<(String, Style)>, back: Style) {
    for (index, (mark, style)) in marks.into_iter().enumerate() {
        if index > 0 {
            row.push_span(Span::styled(" ", back));
        }
        row.push_span(Span::styled(mark, back.patch(style)));
    }
}

#[cfg(test)]
mod tests {
    use answerback_proto::id::{DeviceId, Sequence, UserId};
    use jiff::tz::TimeZone;

    use super::super::message::{Counts, Fate, MessageId};
    use super::*;

    fn shown(text: &str, fate: Fate, columns: usize) -> Vec<String> {
        shown_with(text, fate, Counts::default(), columns)
    }

    fn shown_with(text: &str, fate: Fate, counts: Counts, columns: usize) -> Vec<String> {
        let id = MessageId {
            peer: UserId(2),
            sender: UserId(1),
            device: DeviceId(11),
            sequence: Sequence(1),
        };
        let at_ms = (fate != Fate::Sent(Progress::Pending)).then_some(300_000);
        let content = Content::Text(text.to_owned());
        let message = Message { id, at_ms, content, fate, missed: Vec::new(), counts };
        let calendar = Calendar::new(TimeZone::UTC, 0);
        let rows = rows(&message, columns, &calendar, Palette::Plain);
        rows.iter().map(|row| row.to_string().trim_end().to_owned()).collect()
    }

    #[test]
    fn the_peers_stand_left_and_ones_own_right() {
        let received = Fate::Received { is_read: true };
        assert_eq!(shown("hello", received, 40), [" hello  00:05"]);
        let own = shown("hello", Fate::Sent(Progress::Accepted), 40);
        assert_eq!(own, [format!("{}hello  00:05 ✓", " ".repeat(25))]);
    }

    #[test]
    fn each_step_of_a_message_has_its_sign() {
        let mark = |progress| {
            let rows = shown("hello", Fate::Sent(progress), 60);
            rows[0].trim().strip_prefix("hello  ").unwrap().to_owned()
        };
        assert_eq!(mark(Progress::Pending), "…");
        assert_eq!(mark(Progress::Accepted), "00:05 ✓");
        assert_eq!(mark(Progress::Delivered), "00:05 ✓✓");
        assert_eq!(mark(Progress::Read), "00:05 ✓✓ read");
        let failed = Progress::Failed { reason: "no such user".to_owned() };
        assert_eq!(mark(failed), "00:05 ✗ failed: no such user");
    }

    #[test]
    fn in_a_group_it_is_counted_who_has_it() {
        let mark = |progress, delivered, read| {
            let counts = Counts { members: 3, delivered, read };
            let rows = shown_with("hello", Fate::Sent(progress), counts, 60);
            rows[0].trim().strip_prefix("hello  00:05 ").unwrap().to_owned()
        };
        assert_eq!(mark(Progress::Accepted, 0, 0), "✓");
        assert_eq!(mark(Progress::Accepted, 2, 1), "✓ 2 of 3");
        assert_eq!(mark(Progress::Delivered, 3, 0), "✓✓");
        assert_eq!(mark(Progress::Delivered, 3, 2), "✓✓ read by 2 of 3");
        assert_eq!(mark(Progress::Read, 3, 3), "✓✓ read");
    }

    #[test]
    fn the_time_has_a_row_of_its_own_where_the_last_has_no_room() {
        let received = Fate::Received { is_read: true };
        assert_eq!(
            shown("exactly eighteen..", received.clone(), 25),
            [" exactly eighteen..", "              00:05"]
        );
        assert_eq!(
            shown("words in two rows of a bubble", received, 25),
            [" words in two rows", " of a bubble  00:05"]
        );
    }

    #[test]
    fn no_row_is_broader_than_the_terminal() {
        let reason = "a reason of several words that needs rows of its own".to_owned();
        for columns in 6..60 {
            let fate = Fate::Sent(Progress::Failed { reason: reason.clone() });
            for row in shown("some words, and_a_longer_one", fate, columns) {
                assert!(width(&row) <= columns, "{row:?} in {columns}");
            }
        }
    }
}
