//! Users who are ended: all their devices revoked, or all of them purged.

use super::super::user::Existence;
use super::*;
use crate::limits::{PURGE_PARTS_MAX, PURGED_POSITIONS_MAX};

fn outcome(at: &mut Box) -> Option<Administered> {
    at.settle();
    let at_last = at.said.iter().rposition(|effect| matches!(effect, Effect::Administered { .. }));
    match at.said.remove(at_last?) {
        Effect::Administered { outcome, .. } => Some(outcome),
        _ => None,
    }
}

fn purge(at: &mut Box, user: UserId) -> Option<Administered> {
    at.home(user).handle_purge_user(user, 7);
    outcome(at)
}

fn revoke_all(at: &mut Box, user: UserId) -> Option<Administered> {
    at.home(user).handle_revoke_user(user, 7);
    outcome(at)
}

fn add(at: &mut Box, user: UserId) -> Option<Administered> {
    at.home(user).handle_add_user(user, 7);
    outcome(at)
}

fn purged(sequence: u64) -> String {
    format!("failed {sequence}: {}", Code::UserPurged.number())
}

/// The codes of the answers to a session, 0 for those that have none.
fn codes(at: &mut Box, of: Origin) -> Vec<(u64, u16)> {
    let code = |answer| match answer {
        Answer::Refused { sequence, code, .. } | Answer::Failed { sequence, code, .. } => {
            (sequence.0, code.number())
        }
        Answer::Accepted { sequence, .. } | Answer::OutOfOrder { sequence, .. } => (sequence.0, 0),
        other => panic!("{other:?}"),
    };
    at.answers(of).into_iter().map(code).collect()
}

fn inbox_rows(at: &Box, user: UserId) -> usize {
    let prefix = rows::key(at.table.partition_of(user), &[&user.0.to_be_bytes()]);
    let is_his = |key: &&(Table, Vec<u8>)| key.0 == Table::Inbox && key.1.starts_with(&prefix);
    at.disk.rows.keys().filter(is_his).count()
}

#[test]
fn all_devices_of_a_user_are_revoked_and_the_user_goes_on() {
    let (mut at, a, b) = pair();
    let laptop = at.connect(B, LAPTOP, 0);
    at.send(a, B, 1);
    at.send(a, B, 2);
    at.settle();
    at.ack(b, 1);
    at.settle();
    at.forget_all();
    assert_eq!(revoke_all(&mut at, B), Some(Administered::Done));
    assert_eq!([at.closed(b), at.closed(laptop)], [Some(Code::DeviceRevoked); 2]);
    assert_eq!(at.user(B).live, 1, "what no device has waits for another");
    assert_eq!(revoke_all(&mut at, B), Some(Administered::WasSo));
    assert_eq!(revoke_all(&mut at, UserId(77)), Some(Administered::Unknown));
    at.forget_all();
    at.restart();
    let again = at.connect(B, PHONE, 0);
    assert_eq!(at.closed(again), Some(Code::DeviceRevoked));
    let tablet = at.connect(B, DeviceId(12), 0);
    assert_eq!(at.said_to(tablet), ["1:2"]);
}

#[test]
fn what_nobody_had_of_a_purged_user_is_told_and_the_rest_leaves() {
    for is_forgotten in [false, true] {
        let (mut at, a, b) = pair();
        let laptop = at.connect(B, LAPTOP, 0);
        at.close(laptop);
        at.send(b, A, 1);
        at.send(a, B, 1);
        at.settle();
        at.ack(b, 1);
        at.settle();
        at.close(b);
        at.send(a, B, 2);
        at.ack(a, 1);
        at.settle();
        at.send(a, B, 3);
        at.settle();
        if is_forgotten {
            at.forget_all();
        }
        at.said_to(a);
        assert_eq!(purge(&mut at, B), Some(Administered::Done));
        assert_eq!(at.said_to(a), [purged(2), purged(3)], "forgotten: {is_forgotten}");
        let user = at.user(B);
        assert_eq!((user.existence, user.live, user.floor), (Existence::Purged, 0, Position(4)));
        let waiting = user.chats.get(&A).unwrap().waiting;
        assert_eq!(waiting, 0);
        at.checkpoint();
        assert_eq!(inbox_rows(&at, B), 0);
        assert_eq!(at.disk.rows.keys().filter(|key| key.0 == Table::Sender).count(), 0);
        assert_eq!(purge(&mut at, B), Some(Administered::Unknown));
    }
}

#[test]
fn sessions_of_a_purged_user_end_and_its_devices_do_not_come_back() {
    let (mut at, _, b) = pair();
    purge(&mut at, B);
    assert_eq!(at.closed(b), Some(Code::DeviceRevoked));
    at.forget_all();
    at.restart();
    let again = at.connect(B, PHONE, 0);
    assert_eq!(at.closed(again), Some(Code::DeviceRevoked));
    assert_eq!(purge(&mut at, UserId(77)), Some(Administered::Unknown));
}

#[test]
fn repeats_are_answered_as_decided_and_new_numbers_refused() {
    for is_forgotten in [false, true] {
        let (mut at, a, b) = pair();
        at.close(b);
        at.send(a, B, 1);
        at.settle();
        purge(&mut at, B);
        if is_forgotten {
            at.forget_all();
        }
        at.answers(a);
        at.send(a, B, 1);
        at.send(a, B, 2);
        at.send(a, B, 9);
        at.settle();
        let unknown = Code::UnknownUser.number();
        assert_eq!(codes(&mut at, a), [(1, 0), (2, unknown), (9, unknown)]);
        at.home(B).handle_skip(a, B, &envelope(&Skip { from: 1, to: 1 }));
        at.home(B).handle_skip(a, B, &envelope(&Skip { from: 1, to: 2 }));
        at.settle();
        let (from, code) = (Sequence(1), Code::UnknownUser);
        let refused = Answer::Refused { sequence: from, code, retry_after_ms: 0 };
        assert_eq!(at.answers(a), [Answer::Skipped { from, to: from, accepted: 1 }, refused]);
    }
}

#[test]
fn whoever_comes_back_starts_behind_what_was_there() {
    for is_added in [false, true] {
        let (mut at, a, b) = pair();
        at.send(a, B, 1);
        at.settle();
        at.ack(b, 1);
        at.settle();
        at.close(b);
        at.send(a, B, 2);
        at.settle();
        purge(&mut at, B);
        at.forget_all();
        at.restart();
        if is_added {
            assert_eq!(add(&mut at, B), Some(Administered::Done));
        }
        let tablet = at.connect(B, DeviceId(12), 0);
        assert_eq!(at.said_to(tablet), [""; 0]);
        let a = at.connect(A, PHONE, 0);
        at.send(a, B, 3);
        at.settle();
        assert_eq!(at.entries(tablet), [message(3, 2, 3)], "a number's place is never another's");
    }
}

#[test]
fn what_came_early_ends_with_the_numbers_that_were_missing() {
    let (mut at, a, b) = pair();
    at.close(b);
    at.send(a, B, 1);
    at.send(a, B, 3);
    at.send(a, B, 5);
    at.settle();
    at.forget_all();
    purge(&mut at, B);
    let mut told = at.said_to(a);
    told.sort_unstable();
    assert_eq!(told, (1..=5).map(purged).collect::<Vec<_>>());
    at.checkpoint();
    assert_eq!(at.disk.rows.keys().filter(|key| key.0 == Table::Parked).count(), 0);
    at.answers(a);
    at.send(a, B, 2);
    at.settle();
    assert_eq!(codes(&mut at, a), [(2, Code::UserPurged.number())]);
}

#[test]
fn receipts_for_a_purged_user_do_not_make_it_exist() {
    let (mut at, a, b) = pair();
    at.send(b, A, 1);
    at.settle();
    purge(&mut at, B);
    at.ack(a, 1);
    at.settle();
    at.read(a, B, 1);
    at.settle();
    let user = at.user(B);
    assert_eq!((user.existence, user.live), (Existence::Purged, 0));
}

/// As many messages wait for B, who is away and not in memory; then the purge is commanded.
fn begin_long_purge(count: u64) -> (Box, Origin) {
    let (mut at, a, b) = pair();
    at.close(b);
    for sequence in 1..=count {
        at.send(a, B, sequence);
        if sequence % 1024 == 0 {
            at.settle();
        }
    }
    at.settle();
    at.forget_all();
    at.said.clear();
    at.home(B).handle_purge_user(B, 7);
    (at, a)
}

#[test]
fn a_long_purge_goes_in_steps_and_goes_on_after_a_restart() {
    let count = 6 * PURGED_POSITIONS_MAX;
    for is_checkpointed in [false, true] {
        let (mut at, _) = begin_long_purge(count);
        (0..3).for_each(|_| assert!(at.step()));
        let user = at.user(B);
        let (left, gone) = (u64::from(user.live), user.purged_up_to().0);
        assert_eq!((user.existence, left + gone), (Existence::Purging, count));
        assert!(left > 0 && gone > 0 && gone % PURGED_POSITIONS_MAX == 0, "{gone}");
        if is_checkpointed {
            at.checkpoint();
        }
        at.restart();
        at.checkpoint();
        let a = at.connect(A, PHONE, 0);
        at.wait(1_000);
        let expected: Vec<_> = (1..=count).map(purged).collect();
        assert!(at.said_to(a) == expected, "checkpointed: {is_checkpointed}");
        assert_eq!(at.user(B).existence, Existence::Purged);
    }
}

#[test]
fn until_it_is_done_nobody_comes_in_and_nothing_is_added() {
    let (mut at, a) = begin_long_purge(3 * PURGED_POSITIONS_MAX);
    at.home(B).handle_add_user(B, 8);
    at.home(B).handle_purge_user(B, 9);
    at.send(a, B, 1000);
    let tablet = at.connect(B, DeviceId(12), 0);
    let outcomes = at.said.iter().filter_map(|effect| match effect {
        Effect::Administered { ticket, outcome } => Some((*ticket, *outcome)),
        _ => None,
    });
    let expected = [(7, Administered::Done), (8, Administered::Busy), (9, Administered::WasSo)];
    assert_eq!(outcomes.collect::<Vec<_>>(), expected);
    assert_eq!(at.closed(tablet), Some(Code::Busy));
    assert_eq!(codes(&mut at, a), [(1000, Code::UnknownUser.number())]);
    let tablet = at.connect(B, DeviceId(12), 0);
    assert_eq!(at.opened(tablet).pending_count, 0);
}

#[test]
fn a_purge_goes_on_while_the_clock_is_in_doubt() {
    let (mut at, _) = begin_long_purge(3 * PURGED_POSITIONS_MAX);
    at.now_ms += 40 * 24 * 3_600_000;
    (0..2).for_each(|_| assert!(at.step()));
    assert!(at.home(B).state.is_clock_doubted);
    at.checkpoint();
    at.restart();
    at.wait(1_000);
    assert_eq!(at.user(B).existence, Existence::Purged);
}

/// Each failure takes memory until its sender's home has it.
#[test]
fn a_purge_rests_while_too_many_senders_wait_to_be_told() {
    let (mut at, _) = begin_long_purge(0);
    let home = at.home(B);
    home.purges.handle_applied(B, true);
    let about = parts::About { user: A, peer: B, device: PHONE };
    let failed = parts::PartBody::Failed { about, sequence: 1, code: 1 };
    let queue = home.state.outgoing.entry(PartitionId(9)).or_default();
    (0..PURGE_PARTS_MAX).for_each(|_| queue.push(failed.clone()));
    let before = home.open.count();
    home.go_on_with_purges();
    assert_eq!(home.open.count(), before);
    home.state.outgoing.entry(PartitionId(9)).or_default().confirm(PartNumber(1));
    home.go_on_with_purges();
    home.go_on_with_purges();
    assert_eq!(home.open.count(), before + 1, "one step at a time");
}
