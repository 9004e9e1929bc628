//! Draws the model; changes nothing.

use ratatui::Frame;
use ratatui::layout::{Alignment, Position, Rect};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::Paragraph;

use super::bubble::{tick, tick_style};
use super::command;
use super::connection::Connection;
use super::message::{ChatLine, Message};
use super::model::{Model, Purpose};
use super::text::{cut, one_line, width};

/// What the keys do, the most important first: the last ones go where there is no room.
const CHAT_KEYS: &[(&str, &str)] = &[
    ("Enter", "send"),
    ("Ctrl-C", "quit"),
    ("Ctrl-N", "new chat"),
    ("Tab", "next chat"),
    ("PgUp", "older"),
    ("/recall", "take back"),
    ("Alt-Enter", "new line"),
    ("Esc", "list"),
    ("Ctrl-X", "delete chat"),
];
const FAILED_KEYS: &[(&str, &str)] = &[
    ("Ctrl-R", "send failed again"),
    ("Enter", "send"),
    ("Ctrl-C", "quit"),
    ("Ctrl-N", "new chat"),
    ("Tab", "next chat"),
    ("Esc", "list"),
];
const LIST_KEYS: &[(&str, &str)] =
    &[("↑ ↓", "choose"), ("Enter", "open"), ("Ctrl-N", "new chat"), ("Ctrl-C", "quit")];
const PEER_KEYS: &[(&str, &str)] = &[("Enter", "open the chat"), ("Esc", "go back")];

/// Draws everything.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let geometry = model.geometry();
    draw_list(model, frame, geometry.list);
    draw_divider(model, frame, geometry.divider);
    draw_header(model, frame, geometry.header);
    if model.open().is_some() {
        draw_conversation(model, frame, geometry.conversation);
    } else {
        draw_welcome(model, frame, geometry.conversation);
    }
    draw_rule(model, frame, geometry.rule);
    draw_input(model, frame, geometry.input);
    draw_status(model, frame, geometry.status);
    draw_keys(model, frame, geometry.keys);
}

fn draw_list(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width);
    let title = Line::from(vec![" Answerback".bold(), " · chats".into()]);
    let mut lines = vec![title, Line::default()];
    let chats = model.chats();
    if chats.is_empty() {
        lines.push(Line::styled(" none yet: Ctrl-N or /to 3", model.palette.faint()));
    }
    let marked = model.marked();
    let at = chats.iter().position(|chat| Some(chat.peer) == marked).unwrap_or_default();
    // Three rows a chat; the marked one stays in sight.
    let room = usize::from(area.height).saturating_sub(lines.len()) / 3;
    let first = (at + 1).saturating_sub(room.max(1));
    for chat in chats.iter().skip(first).take(room.max(1)) {
        lines.extend(list_entry(model, chat, Some(chat.peer) == marked, columns));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// Who and when, what and how many unread, and room below.
fn list_entry(
    model: &Model,
    chat: &ChatLine,
    is_marked: bool,
    columns: usize,
) -> [Line<'static>; 3] {
    let palette = model.palette;
    let back = if is_marked { palette.chosen() } else { Style::new() };
    let at_ms = chat.last.as_ref().and_then(|last| last.at_ms);
    let when = at_ms.map(|at_ms| model.calendar.short(at_ms)).unwrap_or_default();
    let name = vec![Span::from(cut(&model.title(chat.peer), columns / 2)).bold()];
    let upper = between(name, vec![Span::styled(when, palette.faint())], columns, back);
    let count = match chat.unread_count {
        0 => Vec::new(),
        count => vec![Span::styled(format!(" {count} "), palette.badge())],
    };
    let room = columns.saturating_sub(spans_width(&count) + 4);
    let last = chat.last.as_ref().map(|last| preview(model, last, room)).unwrap_or_default();
    let mut entry = [upper, between(last, count, columns, back), Line::default()];
    if is_marked {
        let marks = entry.iter_mut().take(2).filter_map(|line| line.spans.first_mut());
        marks.for_each(|first| *first = Span::styled("▌", palette.good()));
    }
    entry
}

/// The last message in a line.
fn preview(model: &Model, message: &Message, columns: usize) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    if let Some(progress) = message.progress() {
        let sign = tick(progress).trim_end_matches(" read");
        spans.push(Span::styled(format!("{sign} "), tick_style(progress, model.palette)));
    }
    let room = columns.saturating_sub(spans_width(&spans));
    let words = cut(&one_line(&message.content.words()), room);
    let style = if message.is_unread() { Style::new() } else { model.palette.faint() };
    spans.push(Span::styled(words, style));
    spans
}

/// Something left and something right, in a line with a back.
fn between(
    left: Vec<Span<'static>>,
    right: Vec<Span<'static>>,
    columns: usize,
    back: Style,
) -> Line<'static> {
    let gap = columns.saturating_sub(spans_width(&left) + spans_width(&right) + 2);
    let mut spans = vec![Span::raw(" ")];
    spans.extend(left);
    spans.push(Span::raw(" ".repeat(gap)));
    spans.extend(right);
    spans.push(Span::raw(" "));
    Line::from(spans).style(back)
}

fn draw_divider(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let lines = std::iter::repeat_n(Line::from("│"), usize::from(area.height));
    frame.render_widget(Text::from_iter(lines).style(model.palette.faint()), area);
}

fn draw_header(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let Some(open) = model.open() else { return };
    let others: u64 = model
        .chats()
        .iter()
        .filter(|chat| chat.peer != open.peer)
        .map(|chat| chat.unread_count)
        .sum();
    let below = match model.unread_below() {
        0 => Vec::new(),
        count => vec![Span::styled(format!("{count} new below ↓"), model.palette.good())],
    };
    let elsewhere = match others {
        0 => Vec::new(),
        count => vec![Span::styled(format!("{count} unread in other chats"), model.palette.good())],
    };
    let title = cut(&model.title(open.peer), usize::from(area.width) / 2);
    let mut name = vec![Span::from(title).bold()];
    let size = model.group(open.peer).map(|group| format!("  {}", group.size()));
    name.extend(size.map(|size| Span::styled(size, model.palette.faint())));
    let treatment = model.treatment();
    name.extend(treatment.map(|how| Span::styled(format!("  {how}"), model.palette.waiting())));
    name.extend(
        model.doing().map(|doing| Span::styled(format!("  {doing}"), model.palette.good())),
    );
    let right = if below.is_empty() { elsewhere } else { below };
    let columns = usize::from(area.width);
    let rule = Line::styled("─".repeat(columns), model.palette.faint());
    let head = between(name, right, columns, Style::new());
    frame.render_widget(Paragraph::new(vec![head, rule]), area);
}

fn draw_conversation(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let rows = model.rows();
    if rows.is_empty() {
        let words = "Nothing yet. Write something and press Enter:";
        let more = "it is kept until the other side has it.";
        let lines = vec![Line::from(words), Line::from(more)];
        let text = Text::from(lines).style(model.palette.faint()).alignment(Alignment::Center);
        frame.render_widget(text, lowered(area, 2));
        return;
    }
    let count = rows.len();
    let lines: Vec<_> = rows.into_iter().map(|row| row.line).collect();
    frame.render_widget(Paragraph::new(lines), lowered(area, count));
}

/// The last rows of an area: what is short stands at the bottom.
fn lowered(area: Rect, rows: usize) -> Rect {
    let height = u16::try_from(rows).unwrap_or(u16::MAX).min(area.height);
    Rect { y: area.bottom() - height, height, ..area }
}

fn draw_welcome(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let faint = model.palette.faint();
    let mut lines = vec![
        Line::from("Answerback".bold()),
        Line::styled("It keeps trying until", faint),
        Line::styled("the other side has answered back.", faint),
        Line::default(),
    ];
    let keys = LIST_KEYS.iter().chain(command::ALL.iter());
    lines.extend(keys.map(|(key, does)| {
        Line::from(vec![Span::from(format!("{key:>9}  ")).bold(), format!("{does:<28}").into()])
    }));
    let top = area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(u16::MAX)) / 2;
    let area = Rect { y: area.y + top, height: area.height - top, ..area };
    frame.render_widget(Paragraph::new(lines).alignment(Alignment::Center), area);
}

fn draw_rule(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let rule = "─".repeat(usize::from(area.width));
    frame.render_widget(Line::styled(rule, model.palette.faint()), area);
}

fn draw_input(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let prompt = model.purpose.prompt();
    let prompt_width = u16::try_from(width(prompt)).unwrap_or_default();
    frame.render_widget(Line::from(Span::styled(prompt, model.palette.good()).bold()), area);
    let area = Rect {
        x: area.x + prompt_width.min(area.width),
        width: area.width.saturating_sub(prompt_width),
        ..area
    };
    let shown = model.input.shown(usize::from(area.width));
    let first = (shown.cursor_row + 1).saturating_sub(usize::from(area.height));
    let rows = shown.rows.into_iter().skip(first).take(usize::from(area.height));
    frame.render_widget(Paragraph::new(rows.map(Line::from).collect::<Vec<_>>()), area);
    let column = u16::try_from(shown.cursor_column).unwrap_or(u16::MAX);
    let row = u16::try_from(shown.cursor_row.saturating_sub(first)).unwrap_or(u16::MAX);
    let last_column = area.right().saturating_sub(1);
    frame.set_cursor_position(Position::new(
        area.x.saturating_add(column).min(last_column),
        area.y.saturating_add(row),
    ));
}

fn draw_status(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let palette = model.palette;
    let (sign, style) = match model.connection {
        Connection::Online => ("●", palette.good()),
        Connection::Connecting => ("◌", palette.waiting()),
        Connection::Offline { .. } | Connection::Stopped { .. } => ("○", palette.bad()),
    };
    let words = model.connection.words(model.calendar.now_ms());
    let left = vec![Span::styled(format!("{sign} {words}"), style)];
    let who = format!("user {} · device {}", model.user, short_id(model.device.0));
    let columns = usize::from(area.width);
    let room = columns.saturating_sub(spans_width(&left) + 4);
    let right = vec![Span::raw(if width(&who) <= room { who } else { String::new() })];
    frame.render_widget(between(left, right, columns, palette.bar()), area);
}

/// The end of an id, as much as tells one's own devices apart.
fn short_id(id: u128) -> String {
    let digits = id.to_string();
    match digits.len().checked_sub(6) {
        Some(start) if start > 0 => format!("…{}", digits.get(start..).unwrap_or_default()),
        _ => digits,
    }
}

fn draw_keys(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width);
    let remark = model.remark();
    if !remark.is_empty() {
        let rows = remark.iter().map(|row| Line::from(format!(" {row}")));
        let style = model.palette.waiting();
        frame.render_widget(Paragraph::new(rows.collect::<Vec<_>>()).style(style), area);
        return;
    }
    let has_failed =
        model.open().is_some_and(|open| open.messages().iter().any(Message::is_failed));
    let keys = match (model.purpose, model.open()) {
        (Purpose::Peer, _) => PEER_KEYS,
        (Purpose::Writing, Some(_)) if has_failed => FAILED_KEYS,
        (Purpose::Writing, Some(_)) => CHAT_KEYS,
        (Purpose::Writing, None) => LIST_KEYS,
    };
    let mut spans: Vec<Span<'_>> = vec![Span::raw(" ")];
    for (key, does) in keys {
        let more = [
            Span::from(*key).add_modifier(Modifier::BOLD),
            Span::styled(format!(" {does}   "), model.palette.faint()),
        ];
        if spans_width(&spans) + spans_width(&more) > columns + 3 {
            break;
        }
        spans.extend(more);
    }
    frame.render_widget(Line::from(spans), area);
}

fn spans_width(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|span| width(&span.content)).sum()
}

#[cfg(test)]
mod tests;
