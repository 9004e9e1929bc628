//! How much may wait: of one user, of one sender, in one inbox.

use super::*;

fn failed(sequence: u64, code: Code) -> Answer {
    Answer::Failed { device: PHONE, sequence: Sequence(sequence), code }
}

#[test]
fn a_full_inbox_rejects_and_the_number_is_used_up() {
    let mut at = Box::with(Settings { inbox_messages_max: 4, ..SETTINGS });
    let senders: Vec<_> = (0..5).map(|n| at.connect(UserId(100 + n), PHONE, 0)).collect();
    let b = at.connect(B, PHONE, 0);
    at.close(b);
    // All in one batch: none of them could be refused before the journal.
    for sender in &senders {
        at.send(*sender, B, 1);
    }
    at.settle();
    for sender in &senders[..4] {
        assert_eq!(at.answers(*sender), [accepted(1)]);
    }
    let last = senders[4];
    assert_eq!(at.answers(last), [failed(1, Code::InboxFull)]);
    let told = at.said_to(last);
    assert_eq!(told, [format!("failed 1: {}", Code::InboxFull.number())], "and durable");
    at.send(last, B, 1);
    at.send(last, B, 2);
    at.settle();
    let refused = Answer::Refused {
        sequence: Sequence(2),
        code: Code::InboxFull,
        retry_after_ms: QUOTA_RETRY_AFTER_MS,
    };
    assert_eq!(at.answers(last), [refused, failed(1, Code::InboxFull)], "what is known is refused");
    let b = at.connect(B, PHONE, 0);
    at.ack(b, 4);
    at.settle();
    at.send(last, B, 2);
    at.settle();
    assert_eq!(at.answers(last), [accepted(2)]);
}

#[test]
fn one_sender_has_a_quarter_of_an_inbox() {
    let mut at = Box::with(Settings { inbox_messages_max: 8, ..SETTINGS });
    let (a, b) = (at.connect(A, PHONE, 0), at.connect(B, PHONE, 0));
    at.close(b);
    (1..=3).for_each(|sequence| at.send(a, B, sequence));
    at.settle();
    assert_eq!(at.answers(a), [accepted(1), accepted(2), failed(3, Code::SenderQuota)]);
}

#[test]
fn a_senders_messages_are_counted_over_all_inboxes_of_a_partition_until_acknowledged() {
    let mut at = Box::with(Settings { sender_messages_max: 2, ..SETTINGS });
    let a = at.connect(A, PHONE, 0);
    let home = at.table.partition_of(B);
    let neighbours: Vec<_> =
        (500..).map(UserId).filter(|user| at.table.partition_of(*user) == home).take(3).collect();
    let sessions: Vec<_> = neighbours.iter().map(|user| at.connect(*user, PHONE, 0)).collect();
    for user in &neighbours {
        at.send(a, *user, 1);
        at.settle();
        at.forget_all();
    }
    let answers = at.answers(a);
    assert_eq!(answers, [accepted(1), accepted(1), failed(1, Code::SenderQuota)]);
    at.ack(sessions[0], 1);
    at.settle();
    at.send(a, neighbours[2], 2);
    at.settle();
    assert_eq!(at.answers(a), [accepted(2)]);
}

#[test]
fn receipts_are_nobodys_quota() {
    let mut at = Box::with(Settings { inbox_messages_max: 4, ..SETTINGS });
    let (a, b) = (at.connect(A, PHONE, 0), at.connect(B, PHONE, 0));
    let c = at.connect(UserId(3), PHONE, 0);
    at.close(a);
    for (from, count) in [(b, 1), (c, 1)] {
        (1..=count).for_each(|sequence| at.send(from, A, sequence));
    }
    let a = at.connect(A, PHONE, 0);
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.settle();
    let user = at.user(A);
    assert_eq!((user.messages, user.live), (2, 3));
}
