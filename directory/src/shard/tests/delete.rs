//! Chats that one or both users delete.

use answerback_proto::kind::{DeleteChat, DeviceMark, Kind};

use super::*;

/// A with a phone and a laptop that is away, and B.
fn trio() -> (Box, Origin, Origin) {
    let mut at = Box::new();
    let phone = at.connect(A, PHONE, 0);
    let laptop = at.connect(A, LAPTOP, 0);
    let b = at.connect(B, PHONE, 0);
    at.close(laptop);
    (at, Origin { copies: true, ..phone }, b)
}

impl Box {
    fn ask_to_delete(&mut self, of: Origin, peer: UserId, cursor: u64, marks: &[(DeviceId, u64)]) {
        let delete = DeleteChat { peer: peer.0, cursor, marks_count: marks.len() as u16 };
        let mark = |&(device, up_to)| DeviceMark { device, up_to: Sequence(up_to) };
        let mut envelope = envelope(&delete);
        envelope.extend(DeviceMarks::pack(marks.iter().map(mark)));
        self.home(of.user).handle_own(Kind::DeleteChat, of, &envelope);
    }

    fn delete(&mut self, of: Origin, peer: UserId, cursor: u64, marks: &[(DeviceId, u64)]) {
        self.ask_to_delete(of, peer, cursor, marks);
        self.settle();
        let at_ms = self.now_ms;
        assert_eq!(self.answers(of).pop(), Some(Answer::Done { at_ms }));
    }

    /// B's messages of these numbers, acknowledged by A's phone.
    fn deliver(&mut self, b: Origin, phone: Origin, sequences: std::ops::RangeInclusive<u64>) {
        for sequence in sequences {
            self.send(b, A, sequence);
        }
        self.settle();
        let last = self.user(A).inbox.last_position();
        self.ack(phone, last.0);
        self.settle();
        self.answers(b);
        self.said_to(b);
        self.said_to(phone);
    }

    fn laptop(&mut self) -> Origin {
        let laptop = self.connect(A, LAPTOP, 0);
        Origin { copies: true, ..laptop }
    }
}

#[test]
fn what_both_have_deleted_leaves_the_devices_that_lag() {
    let (mut at, phone, b) = trio();
    at.deliver(b, phone, 1..=2);
    at.delete(phone, B, 2, &[]);
    assert_eq!(at.user(A).live, 3, "one alone deletes nothing of them; the laptop is told");
    at.delete(b, A, 0, &[(PHONE, 2)]);
    assert_eq!(at.user(A).live, 1);
    let laptop = at.laptop();
    assert_eq!(at.said_to(laptop), ["deleted up to 2, []"]);
    assert!(at.said_to(phone).is_empty(), "it knows");
}

#[test]
fn in_either_order_and_through_a_restart() {
    for forgets in [false, true] {
        let (mut at, phone, b) = trio();
        at.deliver(b, phone, 1..=3);
        at.delete(b, A, 0, &[(PHONE, 2)]);
        if forgets {
            at.forget_all();
            at.restart();
        }
        let phone = at.connect(A, PHONE, 3);
        assert_eq!(at.user(A).live, 3);
        at.delete(phone, B, 3, &[]);
        assert_eq!(at.user(A).live, 2, "the third, and the word for the laptop");
        at.checkpoint();
        at.restart();
        let laptop = at.laptop();
        assert_eq!(at.said_to(laptop), ["2:3", "deleted up to 3, []"]);
    }
}

/// TRACES 7.
#[test]
fn what_was_sent_between_the_two_deletions_is_delivered() {
    let (mut at, phone, b) = trio();
    at.deliver(b, phone, 1..=1);
    at.delete(phone, B, 1, &[]);
    at.close(phone);
    at.send(b, A, 2);
    at.settle();
    at.delete(b, A, 0, &[(PHONE, 2)]);
    let phone = at.connect(A, PHONE, 1);
    assert_eq!(at.said_to(phone), ["2:2"]);
    at.ack(phone, 3);
    at.settle();
    assert!(at.said_to(b).contains(&"delivered 10:2".to_owned()));
    at.delete(phone, B, 3, &[]);
    assert_eq!(at.user(A).live, 2, "now it is covered: two words for the laptop are left");
}

#[test]
fn what_is_not_acknowledged_is_not_deleted() {
    let (mut at, phone, b) = trio();
    at.send(b, A, 1);
    at.settle();
    at.ask_to_delete(phone, B, 1, &[]);
    at.settle();
    at.delete(b, A, 0, &[(PHONE, 1)]);
    assert_eq!((at.user(A).messages, at.user(A).chats[&B].deleted_up_to), (1, Position(0)));
}

#[test]
fn what_was_acknowledged_just_before_counts() {
    let (mut at, phone, b) = trio();
    at.send(b, A, 1);
    at.settle();
    at.ack(phone, 1);
    at.delete(phone, B, 1, &[]);
    assert_eq!(at.user(A).chats[&B].deleted_up_to, Position(1));
}

#[test]
fn marks_only_rise() {
    let (mut at, phone, b) = trio();
    at.deliver(b, phone, 1..=3);
    at.delete(phone, B, 3, &[]);
    at.delete(phone, B, 1, &[]);
    at.delete(b, A, 0, &[(PHONE, 3)]);
    at.delete(b, A, 0, &[(PHONE, 1)]);
    let chat = &at.user(A).chats[&B];
    let sender = chat.sender(PHONE).unwrap();
    assert_eq!((chat.deleted_up_to, sender.erased_up_to), (Position(3), Sequence(3)));
    assert_eq!(at.user(A).live, 2, "the words for the laptop");
}

#[test]
fn a_mark_ends_at_what_is_decided_and_parked_numbers_are_beyond() {
    let (mut at, phone, b) = trio();
    at.send(b, A, 2);
    at.deliver(b, phone, 1..=1);
    at.send(b, A, 4);
    at.settle();
    let many = [(PHONE, u64::MAX), (LAPTOP, 9), (DeviceId(77), 1)];
    at.delete(b, A, 0, &many);
    assert_eq!(at.user(A).chats[&B].sender(PHONE).unwrap().erased_up_to, Sequence(2));
    assert!(at.user(A).chats[&B].sender(LAPTOP).is_none(), "no row for any id");
    at.deliver(b, phone, 3..=3);
    at.delete(phone, B, 4, &[]);
    let laptop = at.laptop();
    assert_eq!(at.said_to(laptop), ["2:3", "2:4", "deleted up to 4, []"]);
}

#[test]
fn the_deleters_copies_leave_and_the_other_devices_hear_it_behind_them() {
    let (mut at, phone, b) = trio();
    (1..=2).for_each(|sequence| at.send(phone, B, sequence));
    at.settle();
    assert_eq!(at.user(A).live, 2, "two copies");
    at.answers(phone);
    at.delete(phone, B, 0, &[(PHONE, 1)]);
    let laptop = at.laptop();
    assert_eq!(at.said_to(laptop), ["copy of 1:2", "deleted up to 0, [10:1]"]);
    assert_eq!(at.said_to(b), ["1:1", "1:2"], "the peer hears nothing, and has both");
}

#[test]
fn a_user_with_one_device_is_told_nothing() {
    let (mut at, a, b) = pair();
    at.send(b, A, 1);
    at.settle();
    at.ack(a, 1);
    at.delete(a, B, 1, &[]);
    assert_eq!(at.user(A).live, 0);
}

#[test]
fn bad_deletions_are_declined_or_change_nothing() {
    let (mut at, phone, b) = trio();
    at.deliver(b, phone, 1..=1);
    let declined = |code| [Answer::Declined { code, retry_after_ms: 0 }];
    at.ask_to_delete(phone, B, 2, &[]);
    at.settle();
    assert_eq!(at.answers(phone), declined(Code::CursorBeyondSent));
    at.delete(phone, UserId(99), 1, &[(PHONE, 5)]);
    at.delete(phone, A, 1, &[(PHONE, 5)]);
    let chats = |at: &mut Box| at.user(A).chats.values().filter(|chat| chat.is_changed()).count();
    at.checkpoint();
    let rows = at.disk.rows.keys().filter(|(table, _)| *table == Table::Chat);
    let ends = rows.map(|(_, key)| (key[17], key[33])).collect::<BTreeSet<_>>();
    assert_eq!(ends, [(1, 2), (2, 1)].into(), "only the chat with B has rows");
    assert_eq!(chats(&mut at), 0);
    assert_eq!(at.user(A).live, 1);
    for (marks, is_good) in [(10, true), (11, false)] {
        let marks: Vec<_> = (0..marks).map(|device| (DeviceId(100 + device), 1)).collect();
        at.ask_to_delete(phone, B, 0, &marks);
        at.settle();
        assert_eq!(at.closed(phone).is_none(), is_good);
    }
    assert_eq!(at.closed(phone), Some(Code::FrameMalformed));
}

#[test]
fn a_user_who_is_no_more_and_a_revoked_device_delete_nothing() {
    let (mut at, phone, b) = trio();
    at.deliver(b, phone, 1..=1);
    at.ask_to_delete(phone, B, 1, &[]);
    at.home(A).handle_purge_user(A, 1);
    at.ask_to_delete(phone, B, 1, &[]);
    at.settle();
    let said = at.answers(phone);
    assert!(matches!(said[0], Answer::Done { .. }), "{said:?}");
    assert_eq!(said[1], Answer::Declined { code: Code::UnknownUser, retry_after_ms: 0 });
}

/// The chat with oneself: both ends are the same, and so is the deletion.
#[test]
fn what_one_wrote_to_oneself_goes_at_once() {
    let (mut at, phone, _) = trio();
    at.send(Origin { copies: false, ..phone }, A, 1);
    at.settle();
    at.ack(phone, 1);
    at.settle();
    at.answers(phone);
    let receipts = at.user(A).live - 1;
    at.delete(phone, A, 1, &[(PHONE, 1)]);
    assert_eq!(at.user(A).live, receipts + 1, "the word for the laptop has its place");
}

#[test]
fn reads_recalls_and_repeats_of_what_is_deleted_are_harmless() {
    let (mut at, phone, b) = trio();
    at.deliver(b, phone, 1..=2);
    at.delete(phone, B, 2, &[]);
    at.delete(b, A, 0, &[(PHONE, 2)]);
    at.read(phone, B, 2);
    at.settle();
    assert_eq!(at.answers(phone), [Answer::ReadNoted { up_to: Sequence(2) }]);
    at.send(b, A, 2);
    at.recall(b, A, 3, 1);
    at.settle();
    assert_eq!(at.answers(b), [accepted(2), accepted(3)]);
    assert!(!at.said_to(b).iter().any(|said| said.starts_with("failed")));
    assert_eq!(at.said_to(phone), ["recalled"], "it opens the chat again");
}

#[test]
fn a_life_of_less_than_five_seconds_is_refused() {
    let (mut at, a, b) = pair();
    at.send_for(a, B, 1, 4);
    at.settle();
    let code = Code::LifeTooShort;
    let refused = Answer::Refused { sequence: Sequence(1), code, retry_after_ms: 0 };
    assert_eq!(at.answers(a), [refused]);
    at.close(b);
    at.send_for(a, B, 1, 5);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1)]);
    at.checkpoint();
    at.wait(7_000);
    assert_eq!(at.said_to(a), [format!("failed 1: {}", Code::Expired.number())]);
}
