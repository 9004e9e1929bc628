//! What a sender is told, and when.

use super::*;

#[test]
fn nothing_is_answered_or_pushed_before_its_commit() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.said.clear();
    at.send(a, B, 2);
    assert_eq!(at.home(B).poll_effect(0), None);
    at.settle();
    assert_eq!(at.answers(a), [accepted(2)]);
    assert_eq!(at.entries(b), [message(2, 1, 2)]);
}

#[test]
fn a_receipt_is_shown_at_once_and_comes_again_as_an_entry() {
    let (mut at, a, b) = pair();
    for sequence in 1..=3 {
        at.send(a, B, sequence);
    }
    at.settle();
    at.ack(b, 2);
    at.settle();
    at.ack(b, 3);
    at.settle();
    let receipts = at.entries(a);
    let shown = (0, 0, "delivered 10:2".to_owned());
    assert_eq!(receipts[0], shown);
    let last = receipts.last().unwrap();
    assert_eq!((last.0 > 0, last.2.as_str()), (true, "delivered 10:3"));
    assert_eq!(at.user(A).live, 1, "folded");
    at.ack(a, last.0);
    at.settle();
    assert_eq!(at.user(A).live, 0);
}

#[test]
fn a_repeat_is_answered_as_before_and_delivered_once() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.send(a, B, 1);
    at.settle();
    at.send(a, B, 1);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1), accepted(1), accepted(1)]);
    assert_eq!(at.entries(b), [message(1, 0, 1)]);
}

#[test]
fn a_missing_number_is_asked_for_however_far_ahead_the_other_is() {
    let (mut at, a, b) = pair();
    at.send(a, B, 2);
    at.send(a, B, 65);
    at.settle();
    let (sequence, expected) = (Sequence(2), Sequence(1));
    let far = Answer::OutOfOrder { sequence: Sequence(65), expected };
    assert_eq!(at.answers(a), [Answer::OutOfOrder { sequence, expected }, far]);
    assert_eq!(at.entries(b), []);
}

#[test]
fn a_skipped_number_is_decided_and_its_late_copy_fails() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.home(B).handle_skip(a, B, &envelope(&Skip { from: 1, to: 3 }));
    at.send(a, B, 2);
    at.send(a, B, 4);
    at.settle();
    let skipped = Answer::Skipped { from: Sequence(1), to: Sequence(3), accepted: 0b001 };
    let failed = Answer::Failed { device: PHONE, sequence: Sequence(2), code: Code::Skipped };
    assert_eq!(at.answers(a), [accepted(1), skipped, failed, accepted(4)]);
    assert_eq!(at.entries(b), [message(1, 0, 1), message(2, 1, 4)]);
}

#[test]
fn a_skip_beyond_the_next_number_is_out_of_order() {
    let (mut at, a, _) = pair();
    at.home(B).handle_skip(a, B, &envelope(&Skip { from: 3, to: 4 }));
    at.settle();
    let (sequence, expected) = (Sequence(3), Sequence(1));
    assert_eq!(at.answers(a), [Answer::OutOfOrder { sequence, expected }]);
}

#[test]
fn nobody_is_refused_before_the_journal() {
    let (mut at, a, _) = pair();
    at.send(a, UserId(99), 1);
    at.settle();
    let (sequence, code) = (Sequence(1), Code::UnknownUser);
    assert_eq!(at.answers(a), [Answer::Refused { sequence, code, retry_after_ms: 0 }]);
}

/// Else the time of the refusal would tell whether somebody else tried that id lately.
#[test]
fn nobody_is_refused_sooner_whom_somebody_else_tried() {
    let (mut at, a, b) = pair();
    let nobody = UserId(99);
    at.send(a, nobody, 1);
    at.settle();
    assert_eq!(at.answers(a).len(), 1, "and memory knows of nobody");
    at.send(b, nobody, 1);
    at.recall(b, nobody, 2, 1);
    at.home(nobody).handle_skip(b, nobody, &envelope(&Skip { from: 3, to: 3 }));
    while let Some(effect) = at.home(nobody).poll_effect(0) {
        let Effect::Load(load) = effect else { panic!("{effect:?} before the commit") };
        let loaded = load.read(&at.disk).unwrap();
        at.home(nobody).handle_loaded(loaded).unwrap();
    }
    at.settle();
    let refused = |sequence| Answer::Refused {
        sequence: Sequence(sequence),
        code: Code::UnknownUser,
        retry_after_ms: 0,
    };
    assert_eq!(at.answers(b), [refused(1), refused(2), refused(3)]);
}

#[test]
fn an_answer_never_sorts_above_its_question() {
    let (mut at, a, b) = pair();
    let seen_ms = NOW_MS + 5_000;
    let send = Send { sequence: 1, seen_ms, life_s: 0, content_type: 1 };
    at.home(A).handle_send(b, A, &envelope(&send), b"answer");
    let far = Send { sequence: 1, seen_ms: NOW_MS * 2, life_s: 0, content_type: 1 };
    at.home(B).handle_send(a, B, &envelope(&far), b"liar");
    at.settle();
    let (sequence, after_ms) = (Sequence(1), seen_ms + 1);
    assert_eq!(at.answers(b), [Answer::Accepted { sequence, accepted_at_ms: after_ms }]);
    let capped_ms = NOW_MS + 10_000;
    assert_eq!(at.answers(a), [Answer::Accepted { sequence, accepted_at_ms: capped_ms }]);
}

#[test]
fn a_malformed_envelope_closes_its_session() {
    let (mut at, a, _) = pair();
    at.home(B).handle_send(a, B, &[1, 2, 3], b"");
    at.settle();
    assert_eq!(at.closed(a), Some(Code::FrameMalformed));
}
