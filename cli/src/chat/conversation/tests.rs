//! What is in sight when messages come and one scrolls.

use answerback_proto::id::{DeviceId, Sequence};
use jiff::tz::TimeZone;

use super::super::message::{Content, Counts, Fate, Progress};
use super::super::moment::Calendar;
use super::super::palette::Palette;
use super::*;

const PEER: UserId = UserId(2);
const HEIGHT: usize = 5;

struct Scene {
    conversation: Conversation,
    calendar: Calendar,
    messages: Vec<Message>,
}

impl Scene {
    /// A chat that is opened with so many read messages, and so many that are not.
    fn open(read_count: u64, unread_count: u64) -> Self {
        let calendar = Calendar::new(TimeZone::UTC, 0);
        let conversation = Conversation::new(PEER, unread_count);
        let mut scene = Self { conversation, calendar, messages: Vec::new() };
        (0..read_count).for_each(|_| scene.push(true));
        (0..unread_count).for_each(|_| scene.push(false));
        scene.update(true);
        scene
    }

    fn push(&mut self, is_read: bool) {
        let number = self.messages.len() as u64 + 1;
        let id = MessageId {
            peer: PEER,
            sender: PEER,
            device: DeviceId(21),
            sequence: Sequence(number),
        };
        let content = Content::Text(format!("message {number}"));
        let fate = Fate::Received { is_read };
        self.messages.push(Message {
            id,
            at_ms: Some(number),
            content,
            fate,
            missed: Vec::new(),
            counts: Counts::default(),
        });
    }

    fn update(&mut self, is_watched: bool) {
        let Self { conversation, calendar, messages } = self;
        conversation.handle_messages(messages.clone(), is_watched, look(calendar), HEIGHT);
    }

    fn scroll(&mut self, rows: isize) {
        self.conversation.scroll(rows, look(&self.calendar), HEIGHT);
    }

    /// The rows in sight, short: "5" for message 5.
    fn sight(&self) -> Vec<String> {
        let rows = self.conversation.rows_in_sight(look(&self.calendar), HEIGHT);
        let text = |row: &Row| row.line.to_string();
        let short = |text: String| text.replace("message ", "").replace("00:00", "");
        let bare = |text: String| text.trim_matches([' ', '─']).to_owned();
        rows.iter().map(text).map(short).map(bare).collect()
    }

    fn read(&self) -> Option<u64> {
        let reached = self.conversation.read_in_sight(look(&self.calendar), HEIGHT);
        reached.first().map(|id| id.sequence.0)
    }
}

fn look(calendar: &Calendar) -> Look<'_> {
    Look { columns: 40, calendar, palette: Palette::Plain, names_senders: false }
}

#[test]
fn the_end_is_in_sight_and_stays_there() {
    let mut scene = Scene::open(9, 0);
    assert_eq!(scene.sight(), ["5", "6", "7", "8", "9"]);
    scene.push(false);
    scene.update(true);
    assert_eq!(scene.sight(), ["6", "7", "8", "9", "10"], "no line of unread before one's eyes");
    assert_eq!(scene.read(), Some(10));
}

#[test]
fn what_is_looked_at_stays_in_sight_when_a_message_comes() {
    let mut scene = Scene::open(9, 0);
    scene.scroll(-2);
    assert_eq!(scene.sight(), ["3", "4", "5", "6", "7"]);
    scene.push(false);
    scene.update(true);
    assert_eq!(scene.sight(), ["3", "4", "5", "6", "7"]);
    assert_eq!(scene.read(), None, "the new one is out of sight");
    assert_eq!(scene.conversation.unread_below(look(&scene.calendar), HEIGHT), 1);
    scene.conversation.show_end();
    assert_eq!(scene.sight(), ["9", "", "1 unread", "", "10"]);
    assert_eq!(scene.read(), Some(10));
}

#[test]
fn an_opened_chat_begins_with_what_is_unread() {
    let mut scene = Scene::open(3, 7);
    assert_eq!(scene.sight(), ["", "7 unread", "", "4", "5"]);
    assert_eq!(scene.read(), Some(5), "only what is in sight is read");
    scene.scroll(2);
    assert_eq!(scene.read(), Some(7));
    scene.scroll(100);
    assert_eq!(scene.sight(), ["6", "7", "8", "9", "10"]);
}

#[test]
fn few_unread_messages_do_not_move_the_sight() {
    let scene = Scene::open(3, 1);
    assert_eq!(scene.sight(), ["3", "", "1 unread", "", "4"]);
}

#[test]
fn who_comes_back_sees_what_came_meanwhile() {
    let mut scene = Scene::open(3, 0);
    scene.push(false);
    scene.update(false);
    assert_eq!(scene.sight(), ["3", "", "1 unread", "", "4"]);
    scene.conversation.forget_unread_line();
    assert_eq!(scene.sight(), ["", "1", "2", "3", "4"], "after an answer it is gone");
}

#[test]
fn scrolling_ends_at_both_ends() {
    let mut scene = Scene::open(9, 0);
    scene.scroll(-100);
    assert_eq!(
        scene.sight(),
        ["Thursday, 1 January", "", "1", "2", "3"]
            .map(|row| { if row == "Thursday, 1 January" { "Today" } else { row } })
    );
    scene.scroll(100);
    assert_eq!(scene.sight(), ["5", "6", "7", "8", "9"]);
}

#[test]
fn older_messages_are_asked_for_at_the_top_and_do_not_move_the_sight() {
    let mut scene = Scene::open(u64::from(PAGE), 0);
    scene.scroll(-1000);
    assert_eq!(scene.conversation.asked_count(), 2 * PAGE);
    let before = scene.sight();
    let older = MessageId { peer: PEER, sender: PEER, device: DeviceId(20), sequence: Sequence(1) };
    let content = Content::Text("older".to_owned());
    let fate = Fate::Sent(Progress::Read);
    scene.messages.insert(
        0,
        Message {
            id: older,
            at_ms: Some(0),
            content,
            fate,
            missed: Vec::new(),
            counts: Counts::default(),
        },
    );
    scene.update(true);
    assert_eq!(scene.sight()[2..], before[2..], "message 1 is where it was");
    scene.scroll(-1000);
    assert_eq!(scene.conversation.asked_count(), 2 * PAGE, "there were no more");
}
