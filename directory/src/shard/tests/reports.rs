//! What a shard tells an operator of itself.

use super::*;
use crate::limits::{ACK_TIMEOUT_MS, PROBE_TIMEOUT_MS};

fn report(at: &mut Box, user: UserId) -> ShardReport {
    let now_ms = at.monotonic_ms;
    at.home(user).report(now_ms)
}

fn totals(at: &mut Box, user: UserId) -> (u64, u64, u64) {
    let Totals { accepted, delivered, failed, .. } = report(at, user).totals;
    (accepted, delivered, failed)
}

#[test]
fn messages_are_counted_by_what_became_of_them() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.send_for(a, B, 2, 5);
    at.settle();
    assert_eq!(totals(&mut at, B), (2, 0, 0));
    at.ack(b, 1);
    at.settle();
    assert_eq!(totals(&mut at, B), (2, 1, 0));
    at.checkpoint();
    at.wait(60_000);
    assert_eq!(totals(&mut at, B), (2, 1, 1));
    at.restart();
    assert_eq!(totals(&mut at, B), (0, 0, 0), "a replay is no news");
}

#[test]
fn devices_are_counted_that_lapse() {
    let mut at = Box::with(Settings { device_lag_max: 1, ..SETTINGS });
    let (a, b) = (at.connect(A, PHONE, 0), at.connect(B, PHONE, 0));
    at.connect(B, LAPTOP, 0);
    for sequence in 1..=2 {
        at.send(a, B, sequence);
        at.settle();
        at.ack(b, sequence);
        at.settle();
        assert_eq!(report(&mut at, B).totals.lapsed, 0);
    }
    at.checkpoint();
    at.wait(2_000);
    assert_eq!(report(&mut at, B).totals.lapsed, 1);
    at.wait(2_000);
    assert_eq!(report(&mut at, B).totals.lapsed, 1, "once");
}

#[test]
fn how_long_a_session_took_nothing_lasts_over_attempts() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    let round_ms = ACK_TIMEOUT_MS + PROBE_TIMEOUT_MS;
    at.wait(ACK_TIMEOUT_MS);
    at.home(B).handle_alive(B, b.session);
    at.wait(PROBE_TIMEOUT_MS);
    assert!(report(&mut at, B).unacknowledged_ms >= round_ms);
    at.ack(b, 1);
    at.settle();
    assert!(report(&mut at, B).unacknowledged_ms < ACK_TIMEOUT_MS);
}

#[test]
fn a_session_says_what_it_has_under_way() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.send(a, B, 2);
    at.settle();
    at.ack(b, 1);
    at.settle();
    let now_ms = at.monotonic_ms;
    let [session] = at.home(B).sessions_of(B, now_ms)[..] else { panic!("one session") };
    assert_eq!((session.device, session.session), (PHONE, b.session));
    assert_eq!((session.acknowledged, session.offered), (Position(1), Position(2)));
    assert_eq!(session.in_flight, 1);
    assert!(at.home(B).sessions_of(UserId(3), now_ms).is_empty());
}
