//! What a device is pushed, and what its acknowledgements do.

use super::*;
use crate::limits::{ACK_TIMEOUT_MS, PROBE_TIMEOUT_MS};

#[test]
fn credit_bounds_what_is_under_way() {
    let mut at = Box::new();
    let a = at.connect(A, PHONE, 0);
    let b = at.connect_with(B, PHONE, 0, 2);
    for sequence in 1..=5 {
        at.send(a, B, sequence);
    }
    at.settle();
    assert_eq!(at.entries(b), [message(1, 0, 1), message(2, 1, 2)]);
    at.ack(b, 1);
    at.settle();
    assert_eq!(at.entries(b), [message(3, 2, 3)]);
}

#[test]
fn an_ack_beyond_what_was_sent_closes_the_session_alone() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 2);
    at.settle();
    assert_eq!((at.closed(b), at.closed(a)), (Some(Code::AckBeyondSent), None));
    let user = at.user(B);
    assert_eq!((user.devices[0].cursor, user.live), (Position(0), 1));
}

#[test]
fn what_was_not_acknowledged_is_offered_again_from_the_lower_cursor() {
    let (mut at, a, b) = pair();
    for sequence in 1..=3 {
        at.send(a, B, sequence);
    }
    at.settle();
    at.ack(b, 1);
    at.settle();
    let again = at.connect(B, PHONE, 2);
    assert_eq!(at.closed(b), Some(Code::SessionReplaced));
    assert_eq!(at.opened(again).cursor, Position(1));
    assert_eq!(at.entries(again), [message(2, 1, 2), message(3, 2, 3)]);
}

#[test]
fn a_resync_offers_what_lies_behind_it() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.send(a, B, 2);
    at.settle();
    at.entries(b);
    at.home(B).handle_resync(b, &envelope(&Resync { cursor: 1 }));
    at.settle();
    assert_eq!(at.entries(b), [message(2, 1, 2)]);
}

#[test]
fn caught_up_is_said_once_behind_what_waited() {
    let (mut at, a, b) = pair();
    at.home(B).handle_closed(B, b.session);
    at.send(a, B, 1);
    at.settle();
    at.said.clear();
    let b = at.connect(B, PHONE, 0);
    at.send(a, B, 2);
    at.settle();
    let to_b: Vec<_> = at
        .said
        .iter()
        .filter_map(|effect| match effect {
            Effect::Entry { to, entry } if *to == b.session => Some(entry.position.0),
            Effect::CaughtUp { to, .. } if *to == b.session => Some(0),
            _ => None,
        })
        .collect();
    assert_eq!(to_b, [1, 0, 2]);
}

#[test]
fn an_entry_leaves_when_every_device_has_it_and_counts_as_delivered_with_the_first() {
    let (mut at, a, b) = pair();
    let laptop = at.connect(B, LAPTOP, 0);
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.settle();
    assert!(at.entries(a).iter().any(|(_, _, what)| what == "delivered 10:1"));
    assert_eq!(at.user(B).live, 1);
    at.ack(laptop, 1);
    at.settle();
    assert_eq!(at.user(B).live, 0);
    assert_eq!(at.entries(a), [], "the second device causes no receipt");
}

#[test]
fn a_new_device_starts_behind_what_any_device_had() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.send(a, B, 2);
    at.settle();
    at.ack(b, 1);
    at.settle();
    let laptop = at.connect(B, LAPTOP, 0);
    assert_eq!(at.entries(laptop), [message(2, 1, 2)]);
}

#[test]
fn a_counter_that_went_back_is_a_copied_device() {
    let (mut at, _, b) = pair();
    let copy = Origin { session: SessionRef { slot: 77, ..b.session }, ..b };
    at.home(B).handle_opening(Opening {
        origin: copy,
        grant: Grant::default(),
        connection_counter: 5,
        generation: Generation(1),
        cursor: Position(0),
        credit_frames: 1,
        credit_bytes: 1,
        takes_presence: true,
        takes_typing: true,
    });
    at.settle();
    assert_eq!((at.closed(copy), at.closed(b)), (Some(Code::DeviceRolledBack), None));
}

#[test]
fn a_connection_that_went_before_its_login_committed_leaves_no_session() {
    let (mut at, a, b) = pair();
    at.home(B).handle_closed(B, b.session);
    let late = Origin { session: SessionRef { slot: 78, ..b.session }, ..b };
    at.home(B).handle_opening(Opening {
        origin: late,
        grant: Grant::default(),
        connection_counter: 5000,
        generation: Generation(1),
        cursor: Position(0),
        credit_frames: 1,
        credit_bytes: 1,
        takes_presence: true,
        takes_typing: true,
    });
    at.journal();
    at.home(B).handle_closed(B, late.session);
    at.send(a, B, 1);
    at.settle();
    assert_eq!(at.entries(late), []);
}

#[test]
fn an_acknowledgement_survives_the_end_of_its_connection() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.home(B).handle_closed(B, b.session);
    at.settle();
    assert_eq!(at.user(B).live, 0);
}

/// What is offered again may be acknowledged before it is: the device had it already.
#[test]
fn an_acknowledgement_that_meets_a_new_attempt_counts() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.wait(ACK_TIMEOUT_MS);
    at.home(B).handle_alive(B, b.session);
    at.now_ms += PROBE_TIMEOUT_MS;
    at.monotonic_ms += PROBE_TIMEOUT_MS;
    at.time_passes();
    at.ack(b, 1);
    at.settle();
    assert_eq!(at.closed(b), None);
    assert_eq!(at.user(B).live, 0);
}

#[test]
fn what_left_while_it_was_under_way_makes_room() {
    let (mut at, a, b) = pair();
    let laptop = at.connect(B, LAPTOP, 0);
    (1..=3).for_each(|sequence| at.send(a, B, sequence));
    at.settle();
    at.ack(b, 3);
    at.settle();
    at.close(b);
    // The phone has forgotten most of that, and has room for one entry.
    let b = at.connect_with(B, PHONE, 1, 1);
    at.settle();
    assert_eq!(at.said_to(b), ["1:2"]);
    at.ack(laptop, 3);
    at.settle();
    at.send(a, B, 4);
    at.settle();
    assert_eq!(at.said_to(b), ["1:4"]);
}
