//! What time brings, and what a clock that jumps does not.

use super::*;
use crate::limits::{ACK_TIMEOUT_MS, PROBE_TIMEOUT_MS};

const HOUR_MS: u64 = 3_600_000;

fn failed(sequence: u64, code: Code) -> String {
    format!("failed {sequence}: {}", code.number())
}

fn is_probed(at: &Box, of: Origin) -> bool {
    at.said.iter().any(|effect| matches!(effect, Effect::Probe { to } if *to == of.session))
}

#[test]
fn a_message_ends_with_its_life_and_the_sender_is_told() {
    for is_forgotten in [false, true] {
        let (mut at, a, b) = pair();
        at.close(b);
        at.send_for(a, B, 1, 5);
        at.send_for(a, B, 2, 500);
        at.settle();
        at.checkpoint();
        if is_forgotten {
            at.forget_all();
        }
        at.wait(4_000);
        assert_eq!(at.said_to(a), [""; 0]);
        at.wait(3_000);
        assert_eq!(at.said_to(a), [failed(1, Code::Expired)]);
        let b = at.connect(B, PHONE, 0);
        assert_eq!(at.said_to(b), ["1:2"]);
        let user = at.user(B);
        assert_eq!((user.live, user.messages), (1, 1));
    }
}

#[test]
fn what_was_delivered_does_not_expire() {
    let (mut at, a, b) = pair();
    let laptop = at.connect(B, LAPTOP, 0);
    at.close(laptop);
    at.send_for(a, B, 1, 5);
    at.settle();
    at.ack(b, 1);
    at.settle();
    at.checkpoint();
    at.wait(60_000);
    assert!(!at.said_to(a).contains(&failed(1, Code::Expired)));
    let laptop = at.connect(B, LAPTOP, 0);
    assert_eq!(at.said_to(laptop), ["1:1"]);
}

#[test]
fn a_gap_closes_after_an_hour() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.send(a, B, 4);
    at.settle();
    at.forget_all();
    at.said.clear();
    at.wait(HOUR_MS / 2);
    assert_eq!(at.said_to(b), [""; 0]);
    at.wait(HOUR_MS);
    assert_eq!(at.said_to(b), ["1:4"]);
    assert_eq!(at.said_to(a), [failed(2, Code::GapClosed), failed(3, Code::GapClosed)]);
    at.send(a, B, 2);
    at.settle();
    let answer = Answer::Failed { device: PHONE, sequence: Sequence(2), code: Code::GapClosed };
    assert_eq!(at.answers(a), [answer]);
}

#[test]
fn a_clock_that_jumps_expires_nothing_until_it_is_confirmed() {
    let (mut at, a, b) = pair();
    at.close(b);
    at.send_for(a, B, 1, 3600);
    at.settle();
    at.checkpoint();
    at.now_ms += 48 * HOUR_MS;
    at.connect(UserId(3), PHONE, 0);
    for user in [A, B] {
        at.connect(user, DeviceId(99), 0);
    }
    assert!(at.said.iter().any(|effect| matches!(effect, Effect::Alarm(_))));
    at.wait(10_000);
    assert_eq!(at.user(B).live, 1);
    at.checkpoint();
    at.restart();
    assert!(at.said.contains(&Effect::Alarm(Alarm::ClockUnconfirmed)));
    let a = at.connect(A, PHONE, 0);
    for shard in &mut at.shards {
        shard.handle_confirm_clock(1);
    }
    at.settle();
    at.wait(10_000);
    assert_eq!(at.user(B).live, 0);
    assert!(at.said_to(a).contains(&failed(1, Code::Expired)));
}

#[test]
fn an_idle_partition_keeps_its_clock() {
    let mut at = Box::new();
    at.connect(A, PHONE, 0);
    for _ in 0..60 {
        at.wait(HOUR_MS);
    }
    assert!(!at.said.iter().any(|effect| matches!(effect, Effect::Alarm(_))));
    let now_ms = at.now_ms;
    assert_eq!(at.home(A).state.clock_ms, now_ms);
}

#[test]
fn a_session_that_takes_nothing_is_probed_and_closed_if_it_does_not_answer() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.wait(ACK_TIMEOUT_MS);
    assert!(is_probed(&at, b));
    assert_eq!(at.closed(b), None);
    at.wait(PROBE_TIMEOUT_MS);
    assert_eq!(at.closed(b), Some(Code::ProbeUnanswered));
}

#[test]
fn a_session_that_answers_is_offered_the_same_again() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.said.clear();
    at.wait(ACK_TIMEOUT_MS);
    at.home(B).handle_alive(B, b.session);
    at.wait(PROBE_TIMEOUT_MS);
    assert_eq!(at.entries(b), [message(1, 0, 1)]);
    assert_eq!(at.closed(b), None);
    assert_eq!(at.user(B).devices[0].attempts.as_ref().map(|attempts| attempts.count), Some(1));
    at.ack(b, 1);
    at.settle();
    assert_eq!(at.user(B).devices[0].attempts, None);
}

#[test]
fn a_message_that_a_living_device_never_takes_is_undeliverable_in_the_end() {
    let mut at = Box::with(Settings { retry_limit: 3, retry_span_s: 60, ..SETTINGS });
    let (a, b) = (at.connect(A, PHONE, 0), at.connect(B, PHONE, 0));
    at.send(a, B, 1);
    at.send(a, B, 2);
    at.settle();
    at.forget_all();
    for _ in 0..40 {
        at.wait(ACK_TIMEOUT_MS / 2);
        if is_probed(&at, b) {
            at.home(B).handle_alive(B, b.session);
        }
    }
    let told = at.said_to(a);
    assert!(told.contains(&failed(1, Code::Undeliverable)), "{told:?}");
    assert_eq!(at.closed(b), None);
    assert_eq!(at.said_to(b).last(), Some(&"1:2".to_owned()), "what lies behind goes on");
}
