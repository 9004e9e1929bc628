//! Who is woken: for whom a message waits that no session took in time, once.

use answerback_proto::kind::{Kind, MUTED, SetChat};

use super::*;

/// So long that the rounds of parts, a quarter of a second each, do not matter.
const AFTER_MS: u64 = 60_000;
const AGAIN_MS: u64 = 10 * AFTER_MS;
const ROUNDS_MS: u64 = AFTER_MS / 4;
const POLICY: WakePolicy = WakePolicy { after_ms: AFTER_MS, again_s: AGAIN_MS / 1000 };

/// Two users, of whom the second is offline and would be woken.
fn away() -> (Box, Origin) {
    let (mut at, a, b) = pair();
    at.close(b);
    watch(&mut at);
    (at, a)
}

fn watch(at: &mut Box) {
    at.shards.iter_mut().for_each(|shard| shard.handle_wake_policy(Some(POLICY)));
}

/// Who was woken since the last call, and for how many messages.
fn woken(at: &mut Box) -> Vec<(UserId, u32)> {
    let woken = at.said.iter().filter_map(|effect| match effect {
        Effect::Wake(Wake { user, messages }) => Some((*user, *messages)),
        _ => None,
    });
    let woken = woken.collect();
    at.said.retain(|effect| !matches!(effect, Effect::Wake(_)));
    woken
}

fn deliver(at: &mut Box, from: Origin, sequence: u64) {
    at.send(from, B, sequence);
    at.settle();
}

#[test]
fn who_is_away_is_woken_once_in_time() {
    let (mut at, a) = away();
    deliver(&mut at, a, 1);
    at.wait(AFTER_MS - ROUNDS_MS);
    assert_eq!(woken(&mut at), [], "a session could still come");
    at.wait(ROUNDS_MS);
    assert_eq!(woken(&mut at), [(B, 1)]);
    at.wait(10 * AGAIN_MS);
    assert_eq!(woken(&mut at), [], "nothing new came");
}

#[test]
fn a_flood_makes_one_wake() {
    let (mut at, a) = away();
    for sequence in 1..=50 {
        deliver(&mut at, a, sequence);
        at.wait(AGAIN_MS / 100);
    }
    let first = woken(&mut at);
    assert!(matches!(first[..], [(B, 1..50)]), "{first:?}");
    at.wait(AGAIN_MS);
    assert_eq!(woken(&mut at), [(B, 50)], "once more, for what came after the first");
    at.wait(10 * AGAIN_MS);
    assert_eq!(woken(&mut at), []);
    deliver(&mut at, a, 51);
    at.wait(AFTER_MS);
    assert_eq!(woken(&mut at), [(B, 51)], "a while passed");
}

#[test]
fn who_took_it_in_time_is_not_woken() {
    let (mut at, a, b) = pair();
    watch(&mut at);
    for sequence in 1..=20 {
        deliver(&mut at, a, sequence);
        at.wait(AFTER_MS / 3);
        let last = at.entries(b).last().unwrap().0;
        at.ack(b, last);
        at.settle();
    }
    at.wait(10 * AGAIN_MS);
    assert_eq!(woken(&mut at), []);
}

#[test]
fn a_session_that_takes_nothing_is_none() {
    let (mut at, a, _) = pair();
    watch(&mut at);
    deliver(&mut at, a, 1);
    at.wait(AFTER_MS);
    assert_eq!(woken(&mut at), [(B, 1)]);
}

#[test]
fn who_took_some_is_woken_for_the_rest_and_soon_after_the_next() {
    let (mut at, a, b) = pair();
    watch(&mut at);
    deliver(&mut at, a, 1);
    at.wait(AFTER_MS / 2);
    deliver(&mut at, a, 2);
    at.ack(b, 1);
    at.settle();
    at.close(b);
    at.wait(AFTER_MS - ROUNDS_MS);
    assert_eq!(woken(&mut at), [], "the second came later");
    at.wait(AFTER_MS);
    assert_eq!(woken(&mut at), [(B, 1)]);
    let b = at.connect(B, PHONE, 1);
    at.ack(b, 2);
    at.settle();
    at.close(b);
    deliver(&mut at, a, 3);
    at.wait(AFTER_MS);
    assert_eq!(woken(&mut at), [(B, 1)], "who took something is not left alone");
}

#[test]
fn what_ends_before_wakes_nobody() {
    let (mut at, a) = away();
    at.send_for(a, B, 1, 5);
    at.settle();
    at.wait(6_000);
    deliver(&mut at, a, 2);
    at.recall(a, B, 3, 2);
    at.settle();
    let b = at.connect(B, PHONE, 0);
    let last = at.entries(b).last().unwrap().0;
    at.ack(b, last);
    at.settle();
    at.wait(10 * AGAIN_MS);
    assert_eq!(woken(&mut at), []);
}

#[test]
fn who_is_not_in_memory_is_read_first() {
    let (mut at, a) = away();
    deliver(&mut at, a, 1);
    at.forget_all();
    at.loads.clear();
    at.wait(AFTER_MS);
    assert!(at.loads.contains(&Wanted::Head(B)), "{:?}", at.loads);
    assert_eq!(woken(&mut at), [(B, 1)]);

    let b = at.connect(B, PHONE, 0);
    at.ack(b, 1);
    at.settle();
    deliver(&mut at, a, 2);
    at.ack(b, 2);
    at.settle();
    at.close(b);
    at.forget_all();
    at.wait(AFTER_MS + AGAIN_MS);
    assert_eq!(woken(&mut at), [], "it was taken, and the user is at rest since");
}

#[test]
fn who_is_purged_is_not_woken() {
    let (mut at, a) = away();
    deliver(&mut at, a, 1);
    at.home(B).handle_purge_user(B, 1);
    at.settle();
    at.wait(AFTER_MS);
    assert_eq!(woken(&mut at), []);
}

#[test]
fn after_a_restart_the_next_message_wakes() {
    let (mut at, a) = away();
    deliver(&mut at, a, 1);
    at.restart();
    watch(&mut at);
    at.wait(10 * AGAIN_MS);
    assert_eq!(woken(&mut at), []);
    let a = at.connect(A, PHONE, 0);
    deliver(&mut at, a, 2);
    at.wait(AFTER_MS);
    assert_eq!(woken(&mut at), [(B, 2)]);
}

#[test]
fn a_box_that_stops_in_order_wakes_whom_it_looks_for() {
    let (mut at, a) = away();
    let c = at.connect(UserId(3), PHONE, 0);
    deliver(&mut at, a, 1);
    at.send(a, c.user, 1);
    at.settle();
    at.shards.iter_mut().for_each(Shard::handle_stopping);
    at.settle();
    assert_eq!(woken(&mut at), [(B, 1)], "and nobody who has a session");
    at.wait(AFTER_MS);
    assert_eq!(woken(&mut at), [(c.user, 1)], "nobody is woken twice");
}

#[test]
fn without_a_policy_nobody_is_looked_for() {
    let (mut at, a) = away();
    deliver(&mut at, a, 1);
    at.shards.iter_mut().for_each(|shard| shard.handle_wake_policy(None));
    let reports = |at: &Box| at.shards.iter().map(|shard| shard.report(0).wakes).sum::<u64>();
    assert_eq!(reports(&at), 0);
    deliver(&mut at, a, 2);
    at.wait(AFTER_MS);
    assert_eq!((woken(&mut at), reports(&at)), (vec![], 0));
}

#[test]
fn nobody_is_woken_for_a_muted_chat() {
    let (mut at, a, b) = pair();
    watch(&mut at);
    let now_ms = at.now_ms;
    let muted_until_ms = now_ms + 3 * AFTER_MS;
    let mute = SetChat { peer: A.0, changes: MUTED, flags: 0, muted_until_ms };
    at.home(B).handle_own(Kind::SetChat, b, &envelope(&mute));
    at.settle();
    at.close(b);
    deliver(&mut at, a, 1);
    at.wait(2 * AFTER_MS);
    assert_eq!(woken(&mut at), []);
    at.wait(2 * AFTER_MS);
    assert_eq!(woken(&mut at), [], "what came while it was muted stays quiet");
    deliver(&mut at, a, 2);
    at.wait(AFTER_MS);
    assert_eq!(woken(&mut at), [(B, 2)], "it is not muted any more");
}
