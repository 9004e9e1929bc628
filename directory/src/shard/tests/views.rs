//! What an operator sees of a user and of a message, from the rows alone.

use super::view::{DeviceStanding, EntryView, Fate, Holder, MessageName, Notice, Trace};
use super::*;
use crate::limits::{ACK_TIMEOUT_MS, PROBE_TIMEOUT_MS};

fn name(sequence: u64) -> MessageName {
    MessageName { sender: A, device: PHONE, recipient: B, sequence: Sequence(sequence) }
}

/// Where a message of A's phone to B is, once tables have all that is journaled.
fn trace(at: &mut Box, sequence: u64) -> Trace {
    at.settle();
    at.checkpoint();
    view::trace(&at.disk, at.table, &name(sequence)).unwrap()
}

fn fate(at: &mut Box, sequence: u64) -> Fate {
    trace(at, sequence).fate
}

fn has_it(device: DeviceId, has_it: bool) -> Holder {
    Holder { device, standing: DeviceStanding::Active, has_it, attempts: None }
}

#[test]
fn a_message_is_followed_from_its_inbox_to_its_reader() {
    let (mut at, a, b) = pair();
    let laptop = at.connect(B, LAPTOP, 0);
    at.close(laptop);
    at.send_for(a, B, 1, 60);
    let waiting = |is_delivered, phone_has_it| Fate::Waiting {
        accepted_at_ms: NOW_MS,
        expires_at_ms: NOW_MS + 60_000,
        position: Position(1),
        is_delivered,
        holders: vec![has_it(PHONE, phone_has_it), has_it(LAPTOP, false)],
    };
    assert_eq!(fate(&mut at, 1), waiting(false, false));
    at.ack(b, 1);
    assert_eq!(fate(&mut at, 1), waiting(true, true));
    let laptop = at.connect(B, LAPTOP, 0);
    at.ack(laptop, 1);
    let delivered = |is_read| Fate::Delivered { accepted_at_ms: Some(NOW_MS), is_read };
    assert_eq!(fate(&mut at, 1), delivered(false));
    at.read(b, A, 1);
    assert_eq!(fate(&mut at, 1), delivered(true));
}

#[test]
fn attempts_are_told_of_the_device_that_did_not_take_it() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.wait(ACK_TIMEOUT_MS);
    at.home(B).handle_alive(B, b.session);
    at.wait(PROBE_TIMEOUT_MS);
    let Fate::Waiting { holders, .. } = fate(&mut at, 1) else { panic!("it waits") };
    let attempts = holders[0].attempts.unwrap();
    assert_eq!((attempts.count, attempts.position), (1, Position(1)));
    assert!(attempts.first_ms > NOW_MS);
    let seen = view::user(&at.disk, at.table, B).unwrap().unwrap();
    assert_eq!(seen.devices[0].attempts, Some(attempts));
}

#[test]
fn what_is_not_here_is_told_from_what_waits_for_others() {
    let (mut at, a, _) = pair();
    assert_eq!(fate(&mut at, 1), Fate::Unseen { expected: Sequence(1) });
    at.send(a, B, 1);
    at.send(a, B, 3);
    let parked = Fate::Parked { since_ms: NOW_MS, missing: Sequence(2) };
    assert_eq!(fate(&mut at, 3), parked);
    assert_eq!(fate(&mut at, 2), Fate::Unseen { expected: Sequence(2) });
    assert_eq!(fate(&mut at, 900), Fate::Unseen { expected: Sequence(2) });
    let unknown = MessageName { recipient: UserId(77), ..name(1) };
    let trace = view::trace(&at.disk, at.table, &unknown).unwrap();
    assert_eq!(trace.fate, Fate::UnknownRecipient);
}

#[test]
fn a_failure_is_told_while_its_notice_is_under_way() {
    let (mut at, a, b) = pair();
    at.close(b);
    at.close(a);
    let a = at.connect(A, PHONE, 0);
    at.send_for(a, B, 1, 5);
    at.settle();
    at.checkpoint();
    at.wait(7_000);
    let ended = Fate::Ended { accepted_at_ms: Some(NOW_MS) };
    let told = trace(&mut at, 1);
    assert_eq!(told.fate, ended);
    let notice = Notice { code: Some(Code::Expired), position: Some(Position(1)) };
    assert_eq!(told.notice, Some(notice));
    let seen = view::user(&at.disk, at.table, A).unwrap().unwrap();
    let failure = seen.last_failure.unwrap();
    assert_eq!(failure.about, Some((PHONE, Sequence(1))));
    assert_eq!((failure.code, failure.kind), (Some(Code::Expired), "failed"));

    at.ack(a, 1);
    let acknowledged = trace(&mut at, 1);
    assert_eq!((acknowledged.fate, acknowledged.notice), (ended, None));
}

#[test]
fn a_notice_on_its_way_is_found_at_the_recipients_home() {
    let (mut at, a, b) = pair();
    at.close(b);
    at.send_for(a, B, 1, 5);
    at.settle();
    at.checkpoint();
    at.now_ms += 7_000;
    at.monotonic_ms += 7_000;
    at.time_passes();
    for _ in 0..3 {
        at.step();
    }
    at.checkpoint();
    let told = view::trace(&at.disk, at.table, &name(1)).unwrap();
    assert_eq!(told.notice, Some(Notice { code: Some(Code::Expired), position: None }));
}

#[test]
fn a_recalled_and_a_skipped_number_are_told() {
    let (mut at, a, b) = pair();
    at.close(b);
    at.send(a, B, 1);
    at.recall(a, B, 2, 1);
    at.home(B).handle_skip(a, B, &envelope(&Skip { from: 3, to: 3 }));
    let recalled = trace(&mut at, 1);
    assert_eq!(recalled.fate, Fate::Ended { accepted_at_ms: Some(NOW_MS) });
    assert_eq!(recalled.notice.unwrap().code, Some(Code::Recalled));
    assert_eq!(fate(&mut at, 3), Fate::Skipped);
}

#[test]
fn a_rejection_says_why() {
    let settings = Settings { inbox_messages_max: 4, ..SETTINGS };
    let mut at = Box::with(settings);
    let a = at.connect(A, PHONE, 0);
    let b = at.connect(B, PHONE, 0);
    at.close(b);
    // A quarter is one message; what was journaled before it was applied meets the rule there.
    at.send(a, B, 1);
    at.send(a, B, 2);
    assert_eq!(fate(&mut at, 2), Fate::Rejected { code: Code::SenderQuota });
}

#[test]
fn a_user_is_seen_with_devices_inbox_and_limits() {
    let (mut at, a, b) = pair();
    let laptop = at.connect(B, LAPTOP, 0);
    at.close(laptop);
    for sequence in 1..=3 {
        at.send(a, B, sequence);
    }
    at.settle();
    at.ack(b, 2);
    at.settle();
    at.checkpoint();
    let seen = view::user(&at.disk, at.table, B).unwrap().unwrap();
    assert_eq!((seen.entries, seen.entry_bytes, seen.undelivered), (3, 9, 1));
    assert_eq!((seen.floor, seen.last_position, seen.chats), (Position(2), Position(3), 1));
    let owed: Vec<_> = seen.devices.iter().map(|device| (device.device, device.owed)).collect();
    assert_eq!(owed, [(PHONE, 1), (LAPTOP, 3)]);
    let oldest = seen.oldest.unwrap();
    let EntryView { position, kind, peer, put_at_ms, bytes, .. } = oldest;
    assert_eq!((position, kind, peer, put_at_ms, bytes), (Position(1), "message", A, NOW_MS, 3));
    assert_eq!(seen.limits.messages_max, u64::from(SETTINGS.inbox_messages_max));
    assert_eq!(seen.limits.messages_of_a_sender_max, 16_384);
    assert_eq!(view::user(&at.disk, at.table, UserId(77)).unwrap(), None);
}
