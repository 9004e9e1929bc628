//! Early numbers, recalls, reads.

use super::*;

fn out_of_order(sequence: u64, expected: u64) -> Answer {
    Answer::OutOfOrder { sequence: Sequence(sequence), expected: Sequence(expected) }
}

#[test]
fn what_came_early_is_decided_when_its_turn_comes() {
    let (mut at, a, b) = pair();
    at.send(a, B, 3);
    at.send(a, B, 2);
    at.settle();
    assert_eq!(at.answers(a), [out_of_order(3, 1), out_of_order(2, 1)]);
    assert_eq!(at.entries(b), []);
    at.send(a, B, 1);
    at.settle();
    assert_eq!(at.said_to(b), ["1:1", "1:2", "1:3"]);
    at.send(a, B, 2);
    at.send(a, B, 3);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1), accepted(2), accepted(3)], "repeats");
    assert_eq!(at.entries(b), []);
}

#[test]
fn what_is_parked_survives_a_restart_and_the_disk() {
    let (mut at, a, _) = pair();
    at.send(a, B, 2);
    at.settle();
    at.forget_all();
    at.restart();
    let b = at.connect(B, PHONE, 0);
    at.send(a, B, 1);
    at.settle();
    assert_eq!(at.said_to(b), ["1:1", "1:2"]);
    at.forget_all();
    assert_eq!(at.disk.rows.keys().filter(|(table, _)| *table == Table::Parked).count(), 0);
}

#[test]
fn a_skip_goes_over_what_is_parked() {
    let (mut at, a, b) = pair();
    at.send(a, B, 2);
    at.send(a, B, 4);
    at.settle();
    at.home(B).handle_skip(a, B, &envelope(&Skip { from: 1, to: 3 }));
    at.settle();
    assert_eq!(at.said_to(b), ["1:4"]);
    at.send(a, B, 2);
    at.settle();
    let failed = Answer::Failed { device: PHONE, sequence: Sequence(2), code: Code::Skipped };
    assert_eq!(at.answers(a).last(), Some(&failed));
}

#[test]
fn a_recalled_message_leaves_and_its_sender_is_told() {
    let (mut at, a, b) = pair();
    at.close(b);
    at.send(a, B, 1);
    at.send(a, B, 2);
    at.settle();
    at.recall(a, B, 3, 1);
    at.settle();
    let b = at.connect(B, PHONE, 0);
    assert_eq!(at.said_to(b), ["1:2", "recalled"]);
    let told = at.said_to(a);
    assert_eq!(told, [format!("failed 1: {}", Code::Recalled.number())]);
    let user = at.user(B);
    assert_eq!((user.live, user.above, user.messages), (2, 2, 2));
}

#[test]
fn a_recall_finds_what_is_on_the_disk_alone() {
    let (mut at, a, b) = pair();
    at.close(b);
    for sequence in 1..=3 {
        at.send(a, B, sequence);
    }
    at.settle();
    at.forget_all();
    at.recall(a, B, 4, 2);
    at.settle();
    at.forget_all();
    let b = at.connect(B, PHONE, 0);
    assert_eq!(at.said_to(b), ["1:1", "1:3", "recalled"]);
}

#[test]
fn what_was_delivered_is_not_taken_back() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.settle();
    at.said.clear();
    at.recall(a, B, 2, 1);
    at.settle();
    assert_eq!(at.said_to(b), ["recalled"]);
    assert!(!at.said_to(a).iter().any(|what| what.starts_with("failed")));
}

#[test]
fn a_recall_that_is_parked_takes_back_when_its_turn_comes() {
    let (mut at, a, b) = pair();
    at.close(b);
    at.send(a, B, 1);
    at.settle();
    at.recall(a, B, 3, 1);
    at.settle();
    at.forget_all();
    at.send(a, B, 2);
    at.settle();
    let b = at.connect(B, PHONE, 0);
    assert_eq!(at.said_to(b), ["1:2", "recalled"]);
}

#[test]
fn what_was_read_is_told_and_only_what_was_delivered() {
    let (mut at, a, b) = pair();
    let laptop = at.connect(B, LAPTOP, 0);
    for sequence in 1..=3 {
        at.send(a, B, sequence);
    }
    at.settle();
    at.ack(b, 2);
    at.settle();
    at.said.clear();
    at.read(b, A, 3);
    at.settle();
    assert_eq!(at.answers(b), [Answer::ReadNoted { up_to: Sequence(2) }]);
    let told = at.said_to(a);
    assert!(told.contains(&"read 10:2".to_owned()), "{told:?}");
    assert_eq!(at.said_to(laptop), ["elsewhere 10:2"]);
    assert_eq!(at.said_to(b), [""; 0], "who has read it knows");
    at.read(b, A, 1);
    at.settle();
    assert_eq!(at.answers(b), [Answer::ReadNoted { up_to: Sequence(2) }]);
    assert_eq!(at.said_to(a), [""; 0]);
}

#[test]
fn receipts_fold_each_with_its_own_kind() {
    let (mut at, a, b) = pair();
    for sequence in 1..=4 {
        at.send(a, B, sequence);
        at.settle();
        at.ack(b, sequence);
        at.settle();
        at.read(b, A, sequence);
        at.settle();
        at.forget_all();
    }
    assert_eq!(at.user(A).live, 2);
    at.said.clear();
    at.close(a);
    let again = at.connect(A, PHONE, 0);
    assert_eq!(at.said_to(again), ["delivered 10:4", "read 10:4"]);
}

#[test]
fn what_is_acknowledged_and_read_in_one_breath_is_read() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.read(b, A, 1);
    at.settle();
    assert_eq!(at.answers(b), [Answer::ReadNoted { up_to: Sequence(1) }]);
    let told = at.said_to(a);
    assert!(told.contains(&"read 10:1".to_owned()), "{told:?}");
}

#[test]
fn a_read_of_nothing_is_answered() {
    let (mut at, a, _) = pair();
    at.read(a, UserId(77), 5);
    at.settle();
    assert_eq!(at.answers(a), [Answer::ReadNoted { up_to: Sequence(0) }]);
}

/// Whether what comes early is kept depends on how much of its sender waits here, and not on
/// whether that is in memory.
#[test]
fn an_early_number_counts_its_sender_out_of_memory_too() {
    let (mut at, a, _) = pair();
    at.settings.sender_messages_max = 1;
    at.restart();
    at.connect(B, PHONE, 0);
    let a = Origin { session: at.connect(A, PHONE, 0).session, ..a };
    at.send(a, B, 1);
    at.settle();
    at.forget_all();
    at.send(a, B, 3);
    at.settle();
    assert!(at.user(B).gaps().is_empty(), "nothing more of this sender may be kept");
}
