//! A model with chats in it, for tests: 1 is the user, it is Tuesday, 2 March 2027, 18:10.

use answerback_proto::id::{DeviceId, Sequence, UserId};
use jiff::tz::TimeZone;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;

use super::connection::Connection;
use super::message::{ChatLine, Content, Counts, Fate, Message, MessageId, Progress};
use super::model::{Action, Model};
use super::moment::Calendar;
use super::palette::Palette;

pub(super) const USER: UserId = UserId(1);
pub(super) const PEER: UserId = UserId(2);
pub(super) const DEVICE: DeviceId = DeviceId(11);
pub(super) const PEER_DEVICE: DeviceId = DeviceId(21);
pub(super) const NOW_MS: u64 = 1_804_011_000_000;
pub(super) const MINUTE_MS: u64 = 60_000;

/// A terminal of this size, online, with nothing in it.
pub(super) fn model(width: u16, height: u16) -> Model {
    let calendar = Calendar::new(TimeZone::UTC, NOW_MS);
    let mut model = Model::new(USER, DEVICE, Palette::Plain, calendar, Size::new(width, height));
    model.handle_connection(Connection::Online);
    model
}

/// What the user sent as this number, so many minutes ago.
pub(super) fn own(sequence: u64, minutes_ago: u64, text: &str, progress: Progress) -> Message {
    let at_ms = (progress != Progress::Pending).then_some(NOW_MS - minutes_ago * MINUTE_MS);
    let id = MessageId { peer: PEER, sender: USER, device: DEVICE, sequence: Sequence(sequence) };
    let (content, fate) = (Content::Text(text.to_owned()), Fate::Sent(progress));
    Message { id, at_ms, content, fate, missed: Vec::new(), counts: Counts::default() }
}

/// What the peer sent.
pub(super) fn received(sequence: u64, minutes_ago: u64, text: &str, is_read: bool) -> Message {
    let sequence = Sequence(sequence);
    let id = MessageId { peer: PEER, sender: PEER, device: PEER_DEVICE, sequence };
    let at_ms = Some(NOW_MS - minutes_ago * MINUTE_MS);
    let (content, fate) = (Content::Text(text.to_owned()), Fate::Received { is_read });
    Message { id, at_ms, content, fate, missed: Vec::new(), counts: Counts::default() }
}

pub(super) fn failed(sequence: u64, minutes_ago: u64, text: &str) -> Message {
    let reason = "nobody knows this user".to_owned();
    own(sequence, minutes_ago, text, Progress::Failed { reason })
}

pub(super) fn chat(peer: u128, unread_count: u64, last: Message) -> ChatLine {
    ChatLine { peer: UserId(peer), unread_count, last: Some(last) }
}

pub(super) fn press(model: &mut Model, code: KeyCode) -> Vec<Action> {
    model.handle_key(KeyEvent::new(code, KeyModifiers::NONE))
}

pub(super) fn control(model: &mut Model, letter: char) -> Vec<Action> {
    model.handle_key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL))
}

/// Types a text, of which the other end learns at most that something is written.
pub(super) fn write(model: &mut Model, text: &str) {
    for letter in text.chars() {
        let actions = press(model, KeyCode::Char(letter));
        let is_typing = |action: &Action| matches!(action, Action::Typing { .. });
        assert!(actions.iter().all(is_typing), "{actions:?}");
    }
}

/// Types a line.
pub(super) fn enter(model: &mut Model, line: &str) -> Vec<Action> {
    write(model, line);
    press(model, KeyCode::Enter)
}
