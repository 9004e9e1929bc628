//! Reports of users: passed on where there is such a user, and never journaled.

use answerback_proto::kind::Report;

use super::*;
use crate::limits::{BUSY_RETRY_AFTER_MS, REPORTS_READING_MAX};

const NOBODY: UserId = UserId(77);

fn report(device: u128, sequence: u64, excerpt: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let report = Report { device, sequence, reason: 2, excerpt_length: 0 };
    report.append(&mut frame, Address::default(), excerpt).unwrap();
    frame.split_off(HEADER_BYTES)
}

fn declined(code: Code, retry_after_ms: u32) -> Answer {
    Answer::Declined { code, retry_after_ms }
}

/// What is to be told since the last call, and by whom.
fn told(at: &mut Box) -> Vec<(Origin, Reported)> {
    let told = at.said.iter().filter_map(|effect| match effect {
        Effect::Report { origin, reported } => Some((*origin, reported.clone())),
        _ => None,
    });
    let told = told.collect();
    at.said.retain(|effect| !matches!(effect, Effect::Report { .. }));
    told
}

#[test]
fn a_user_who_exists_or_did_is_reported() {
    let (mut at, a, _) = pair();
    let journaled = at.disk.journal.len();
    at.home(B).handle_report(a, B, &report(PHONE.0, 5, b"look"));
    at.settle();
    let message = Some((PHONE, Sequence(5)));
    let excerpt = bytes::Bytes::from_static(b"look");
    assert_eq!(told(&mut at), [(a, Reported { user: B, message, reason: 2, excerpt })]);
    assert_eq!(at.answers(a), [], "who is told has yet to answer");
    assert_eq!(at.disk.journal.len(), journaled, "nothing of it is journaled");

    at.home(B).handle_purge_user(B, 1);
    at.settle();
    at.home(B).handle_report(a, B, &report(0, 0, b""));
    at.settle();
    assert_eq!(told(&mut at)[0].1.message, None);
}

#[test]
fn who_is_nobody_or_oneself_is_not_reported() {
    let (mut at, a, _) = pair();
    at.home(NOBODY).handle_report(a, NOBODY, &report(0, 0, b""));
    at.settle();
    assert_eq!(at.answers(a), [declined(Code::UnknownUser, 0)]);
    at.home(NOBODY).handle_report(a, NOBODY, &report(0, 0, b""));
    at.settle();
    assert_eq!(at.answers(a), [declined(Code::UnknownUser, 0)], "known to be nobody");
    at.home(A).handle_report(a, A, &report(0, 0, b""));
    at.settle();
    assert_eq!(at.answers(a), [declined(Code::NotYourself, 0)]);
    assert_eq!(told(&mut at), []);
}

#[test]
fn what_cannot_be_read_ends_the_connection() {
    let (mut at, a, _) = pair();
    let mut long = report(0, 0, b"four");
    long.pop();
    at.home(B).handle_report(a, B, &long);
    at.settle();
    assert_eq!(at.closed(a), Some(Code::FrameMalformed));
    assert_eq!(told(&mut at), []);
}

#[test]
fn a_user_at_rest_is_read_first_and_the_wait_is_bounded() {
    let (mut at, a, b) = pair();
    at.close(b);
    at.forget_all();
    for _ in 0..=REPORTS_READING_MAX {
        at.home(B).handle_report(a, B, &report(0, 0, b""));
    }
    at.settle();
    assert!(at.loads.contains(&Wanted::Head(B)));
    assert_eq!(told(&mut at).len(), REPORTS_READING_MAX);
    assert_eq!(at.answers(a), [declined(Code::Busy, BUSY_RETRY_AFTER_MS)]);
}
