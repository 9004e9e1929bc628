//! What a session says of messages that were read, and what it is told.

use answerback_proto::code::Code;
use answerback_proto::kind::{CaughtUp, Copied, ReadBy, ReadElsewhere, ReadNoted, Refused};

use super::super::{EntryBody, ReadMark, SessionError};
use super::*;

const TABLET: DeviceId = DeviceId(12);
const BOBS: DeviceId = DeviceId(22);
const BOBS_OTHER: DeviceId = DeviceId(23);

/// (tag, device, number) of each `Read` that the session writes now.
fn reads(session: &mut ClientSession) -> Vec<(u32, DeviceId, u64)> {
    let of_read = |written| match written {
        Written::Read { tag, read } => {
            assert_eq!(UserId(read.peer), BOB);
            Some((tag, DeviceId(read.device), read.up_to))
        }
        _ => None,
    };
    written(session).into_iter().filter_map(of_read).collect()
}

fn note(session: &mut ClientSession, tag: u32, up_to: u64) -> Result<(), SessionError> {
    session.handle_received(0, &frame(tag, ALICE, &ReadNoted { up_to }, &[]))
}

fn refuse(
    session: &mut ClientSession,
    tag: u32,
    sequence: u64,
    code: Code,
) -> Result<(), SessionError> {
    let refused = Refused { sequence, retry_after_ms: 700, code: code.number() };
    session.handle_received(0, &frame(tag, ALICE, &refused, &[]))
}

fn noted(up_to: u64) -> Event {
    Event::ReadNoted { peer: BOB, device: BOBS, up_to: Sequence(up_to) }
}

fn read_elsewhere(position: u64, up_to: u64) -> Vec<u8> {
    let entry = ReadElsewhere { position, after: 0, device: BOBS.0, up_to, read_at_ms: 7 };
    frame(0, BOB, &entry, &[])
}

#[test]
fn the_newest_read_of_each_device_is_said_once() {
    let mut session = opened(0);
    for (device, up_to) in [(BOBS, 3), (BOBS, 5), (BOBS_OTHER, 2), (BOBS, 4)] {
        session.read(BOB, device, Sequence(up_to));
    }
    let said: Vec<_> =
        reads(&mut session).into_iter().map(|(_, device, up_to)| (device, up_to)).collect();
    assert_eq!(said, [(BOBS, 5), (BOBS_OTHER, 2)]);
    assert_eq!(reads(&mut session), []);
}

#[test]
fn a_newer_read_waits_for_the_answer_to_the_one_under_way() {
    let mut session = opened(0);
    session.read(BOB, BOBS, Sequence(3));
    let (tag, _, _) = reads(&mut session)[0];
    session.read(BOB, BOBS, Sequence(6));
    session.read(BOB, BOBS, Sequence(7));
    assert_eq!(reads(&mut session), []);
    note(&mut session, tag, 3).unwrap();
    assert_eq!(events(&mut session), [noted(3)]);
    let said = reads(&mut session);
    let [(tag, BOBS, 7)] = said[..] else { panic!("{said:?}") };
    note(&mut session, tag, 7).unwrap();
    assert_eq!(events(&mut session), [noted(7)]);
    session.handle_disconnected();
    open(&mut session, 0);
    assert_eq!(reads(&mut session), [], "the server knows");
}

#[test]
fn what_is_noted_in_part_is_said_again_when_the_session_has_caught_up() {
    let mut session = opened(0);
    session.read(BOB, BOBS, Sequence(3));
    let (tag, _, _) = reads(&mut session)[0];
    note(&mut session, tag, 1).unwrap();
    assert_eq!(events(&mut session), []);
    assert_eq!(reads(&mut session), [], "the rest is not there yet");
    let caught_up = frame(0, ALICE, &CaughtUp { position: 0 }, &[]);
    session.handle_received(0, &caught_up).unwrap();
    let (tag, device, up_to) = reads(&mut session)[0];
    assert_eq!((device, up_to), (BOBS, 3));
    note(&mut session, tag, 2).unwrap();
    assert_eq!(events(&mut session), [Event::CaughtUp, noted(3)], "no more will come");
    assert_eq!(reads(&mut session), []);
}

#[test]
fn a_read_under_way_while_the_session_catches_up_is_said_once_more() {
    let mut session = opened(0);
    session.read(BOB, BOBS, Sequence(3));
    let (tag, _, _) = reads(&mut session)[0];
    let caught_up = frame(0, ALICE, &CaughtUp { position: 0 }, &[]);
    session.handle_received(0, &caught_up).unwrap();
    assert_eq!(reads(&mut session), [], "it is under way");
    note(&mut session, tag, 1).unwrap();
    let (tag, device, up_to) = reads(&mut session)[0];
    assert_eq!((device, up_to), (BOBS, 3));
    note(&mut session, tag, 3).unwrap();
    assert_eq!(events(&mut session), [Event::CaughtUp, noted(3)]);
}

#[test]
fn what_is_not_noted_is_said_again_on_each_connection() {
    let mark = ReadMark { peer: BOB, device: BOBS, up_to: Sequence(4) };
    let state = DeviceState { unnoted_reads: vec![mark], ..device(ALICE, PHONE) };
    let mut session = ClientSession::new(state);
    for _ in 0..2 {
        open(&mut session, 0);
        let said = reads(&mut session);
        assert!(matches!(said[..], [(_, BOBS, 4)]), "{said:?}");
        session.handle_disconnected();
    }
}

#[test]
fn what_the_server_notes_of_a_read_is_all_there_is() {
    let mut session = opened(0);
    let caught_up = frame(0, ALICE, &CaughtUp { position: 0 }, &[]);
    session.handle_received(0, &caught_up).unwrap();
    assert_eq!(events(&mut session), [Event::CaughtUp]);
    session.read(BOB, BOBS, Sequence(9));
    let (tag, _, _) = reads(&mut session)[0];
    note(&mut session, tag, 2).unwrap();
    assert_eq!(events(&mut session), [noted(9)], "the rest was never delivered");
    assert_eq!(reads(&mut session), []);
}

#[test]
fn a_read_follows_the_acknowledgement_of_what_was_read() {
    let mut session = opened(0);
    session.handle_received(0, &deliver(0, 1)).unwrap();
    session.read(BOB, BOBS, Sequence(1));
    session.handle_stored(Position(1));
    let frames = written(&mut session);
    assert!(matches!(frames[..], [Written::Ack(1), Written::Read { .. }]), "{frames:?}");
}

#[test]
fn nothing_is_said_of_nobody_or_nothing() {
    let mut session = opened(0);
    session.read(UserId(0), BOBS, Sequence(1));
    session.read(BOB, DeviceId(0), Sequence(1));
    session.read(BOB, BOBS, Sequence(0));
    assert_eq!(written(&mut session), []);
}

#[test]
fn a_server_that_takes_no_reads_is_not_told() {
    let mut session = opened_with_kinds(&[Kind::Send, Kind::Ack]);
    session.read(BOB, BOBS, Sequence(1));
    assert_eq!(written(&mut session), []);
    session.handle_disconnected();
    open(&mut session, 0);
    assert_eq!(reads(&mut session).len(), 1, "another one is");
}

#[test]
fn at_most_64_reads_are_under_way() {
    let mut session = opened(0);
    (1..=70).for_each(|device| session.read(BOB, DeviceId(device), Sequence(1)));
    let said = reads(&mut session);
    assert_eq!(said.len(), 64);
    said[..3].iter().for_each(|(tag, _, _)| note(&mut session, *tag, 1).unwrap());
    assert_eq!(reads(&mut session).len(), 3);
}

#[test]
fn what_was_read_elsewhere_need_not_be_said() {
    let mut session = opened(0);
    session.read(BOB, BOBS, Sequence(4));
    session.handle_received(0, &read_elsewhere(1, 3)).unwrap();
    session.handle_disconnected();
    open(&mut session, 0);
    assert_eq!(reads(&mut session).len(), 1, "3 is less than 4");
    session.handle_received(0, &read_elsewhere(1, 4)).unwrap();
    session.handle_disconnected();
    open(&mut session, 0);
    assert_eq!(reads(&mut session), []);
}

#[test]
fn an_answer_to_a_read_answers_nothing_else() {
    let mut session = opened(0);
    session.send(message(1));
    let frames = written(&mut session);
    let [Written::Send { tag, .. }] = frames[..] else { panic!("{frames:?}") };
    assert_eq!(note(&mut session, tag, 1), Err(SessionError::AnswerMismatch(tag)));
}

#[test]
fn a_read_that_is_refused_for_a_time_is_said_again_then() {
    for code in [Code::RateLimited, Code::Busy, Code::Draining] {
        let mut session = opened(0);
        session.read(BOB, BOBS, Sequence(3));
        let (tag, _, _) = reads(&mut session)[0];
        refuse(&mut session, tag, 3, code).unwrap();
        session.read(BOB, BOBS_OTHER, Sequence(2));
        assert_eq!(reads(&mut session), [], "{}: the others would be refused too", code.name());
        assert_eq!(session.poll_timeout(), Some(700));
        session.handle_timeout(699);
        assert_eq!(reads(&mut session), []);
        session.handle_timeout(700);
        let said: Vec<_> =
            reads(&mut session).into_iter().map(|(_, of, up_to)| (of, up_to)).collect();
        assert_eq!(said, [(BOBS, 3), (BOBS_OTHER, 2)]);
        assert_eq!(events(&mut session), []);
    }
}

#[test]
fn a_refused_read_goes_again_at_once_on_a_new_connection() {
    let mut session = opened(0);
    session.read(BOB, BOBS, Sequence(3));
    let (tag, _, _) = reads(&mut session)[0];
    refuse(&mut session, tag, 3, Code::Draining).unwrap();
    session.handle_disconnected();
    open(&mut session, 0);
    assert_eq!(reads(&mut session).len(), 1);
}

#[test]
fn a_read_that_is_refused_for_good_is_said_no_more() {
    let mut session = opened(0);
    session.read(BOB, BOBS, Sequence(3));
    let (tag, _, _) = reads(&mut session)[0];
    refuse(&mut session, tag, 3, Code::UnknownUser).unwrap();
    assert_eq!(events(&mut session), [noted(3)]);
    session.handle_disconnected();
    open(&mut session, 0);
    assert_eq!(reads(&mut session), []);
}

#[test]
fn a_refusal_of_something_else_is_no_answer_to_a_read() {
    let mut session = opened(0);
    session.read(BOB, BOBS, Sequence(3));
    let (tag, _, _) = reads(&mut session)[0];
    let refused = refuse(&mut session, tag, 4, Code::RateLimited);
    assert_eq!(refused, Err(SessionError::AnswerMismatch(tag)));
    open(&mut session, 0);
    let (tag, _, _) = reads(&mut session)[0];
    let code = Code::RateLimited.number();
    let of_a_chat = Refused { sequence: 3, retry_after_ms: 700, code };
    let refused = session.handle_received(0, &frame(tag, BOB, &of_a_chat, &[]));
    assert_eq!(refused, Err(SessionError::AnswerMismatch(tag)));
}

#[test]
fn reads_and_copies_are_entries() {
    let mut session = opened(0);
    let read_by = ReadBy { position: 2, after: 1, device: PHONE.0, up_to: 6, read_at_ms: 8 };
    let copied = Copied {
        position: 3,
        after: 2,
        device: TABLET.0,
        sequence: 4,
        accepted_at_ms: 9,
        content_type: 1,
    };
    let burst = [
        read_elsewhere(1, 5),
        frame(0, BOB, &read_by, &[]),
        frame(0, BOB, &copied, b"from the tablet"),
    ];
    session.handle_received(0, &burst.concat()).unwrap();
    let bodies: Vec<_> = events(&mut session)
        .into_iter()
        .map(|event| {
            let Event::Entry(entry) = event else { panic!("{event:?}") };
            assert_eq!(entry.peer, BOB);
            entry.body
        })
        .collect();
    let expected = [
        EntryBody::ReadElsewhere { device: BOBS, up_to: Sequence(5), read_at_ms: 7 },
        EntryBody::ReadBy { device: PHONE, up_to: Sequence(6), read_at_ms: 8 },
        EntryBody::Copied {
            device: TABLET,
            sequence: Sequence(4),
            accepted_at_ms: 9,
            content_type: 1,
            payload: b"from the tablet".to_vec(),
        },
    ];
    assert_eq!(bodies, expected);
    session.handle_stored(Position(3));
    assert_eq!(written(&mut session), [Written::Ack(3)]);
}

#[test]
fn a_first_word_of_a_read_moves_nothing() {
    let mut session = opened(0);
    let read_by = ReadBy { position: 0, after: 0, device: PHONE.0, up_to: 6, read_at_ms: 8 };
    session.handle_received(0, &frame(0, BOB, &read_by, &[])).unwrap();
    assert!(matches!(events(&mut session)[..], [Event::Shown(_)]));
    assert_eq!(written(&mut session), []);
}
