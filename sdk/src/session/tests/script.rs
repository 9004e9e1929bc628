//! One rule a test: what the server says, what the session makes of it.

use answerback_proto::code::Code;
use answerback_proto::header::IGNORABLE;
use answerback_proto::kind::{Accepted, Delivered, Error, Failed, GoAway, OutOfOrder, Probe};
use answerback_proto::kind::{Refused, Skipped};

use super::super::{EntryBody, SessionError};
use super::*;

/// (tag, sequence) of each `Send` that the session writes now.
pub(super) fn sends(session: &mut ClientSession) -> Vec<(u32, u64)> {
    let of_send = |written| match written {
        Written::Send { tag, send, .. } => Some((tag, send.sequence)),
        _ => None,
    };
    written(session).into_iter().filter_map(of_send).collect()
}

pub(super) fn sequences(sent: &[(u32, u64)]) -> Vec<u64> {
    sent.iter().map(|&(_, sequence)| sequence).collect()
}

pub(super) fn accept(session: &mut ClientSession, (tag, sequence): (u32, u64)) {
    let accepted = Accepted { sequence, accepted_at_ms: 9 };
    session.handle_received(0, &frame(tag, BOB, &accepted, &[])).unwrap();
}

pub(super) fn refuse(
    session: &mut ClientSession,
    (tag, sequence): (u32, u64),
    code: Code,
    after_ms: u32,
) {
    let refused = Refused { sequence, retry_after_ms: after_ms, code: code.number() };
    session.handle_received(0, &frame(tag, BOB, &refused, &[])).unwrap();
}

pub(super) fn out_of_order(
    session: &mut ClientSession,
    (tag, sequence): (u32, u64),
    expected: u64,
) {
    let answer = OutOfOrder { sequence, expected };
    session.handle_received(0, &frame(tag, BOB, &answer, &[])).unwrap();
}

#[test]
fn hello_says_what_the_device_remembers() {
    let state =
        DeviceState { generation: Generation(3), cursor: Position(8), ..device(ALICE, PHONE) };
    let mut session = ClientSession::new(state);
    session.handle_connected(5, "a token");
    let frames = written(&mut session);
    let [Written::Hello { user, hello, token, .. }] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!((*user, hello.device, token.as_str()), (ALICE, PHONE.0, "a token"));
    assert_eq!((hello.connection_counter, hello.generation, hello.cursor), (5, 3, 8));
    assert!(hello.kinds_count > 0);
}

#[test]
fn a_token_that_no_server_would_read_closes_the_session() {
    let mut session = ClientSession::new(device(ALICE, PHONE));
    session.handle_connected(1, &"x".repeat(3_000));
    let code = Code::TokenInvalid.number();
    assert_eq!(events(&mut session), [Event::Closed { code, retry_after_ms: 0 }]);
    assert_eq!(written(&mut session), []);
}

#[test]
fn nothing_is_sent_before_welcome() {
    let mut session = ClientSession::new(device(ALICE, PHONE));
    session.send(message(1));
    session.handle_connected(1, "token");
    assert_eq!(written(&mut session).len(), 1);
    assert_eq!(written(&mut session), []);
}

#[test]
fn at_most_a_window_is_under_way() {
    let mut session = opened(0);
    (1..=100).for_each(|sequence| session.send(message(sequence)));
    let sent = sends(&mut session);
    assert_eq!(sequences(&sent), (1..=64).collect::<Vec<_>>());
    accept(&mut session, sent[0]);
    assert_eq!(sequences(&sends(&mut session)), [65]);
    accept(&mut session, sent[2]);
    assert_eq!(sends(&mut session), [], "the window is as wide as its lowest number");
}

#[test]
fn a_new_connection_sends_all_that_is_undecided_in_order() {
    let mut session = opened(0);
    (1..=3).for_each(|sequence| session.send(message(sequence)));
    let sent = sends(&mut session);
    accept(&mut session, sent[1]);
    session.handle_disconnected();
    open(&mut session, 0);
    assert_eq!(sequences(&sends(&mut session)), [1, 3]);
}

#[test]
fn an_answer_of_an_earlier_connection_answers_nothing() {
    let mut session = opened(0);
    session.send(message(1));
    let (tag, sequence) = sends(&mut session)[0];
    session.handle_disconnected();
    open(&mut session, 0);
    let accepted = frame(tag, BOB, &Accepted { sequence, accepted_at_ms: 9 }, &[]);
    let answer = session.handle_received(0, &accepted);
    assert_eq!(answer, Err(SessionError::AnswerMismatch(tag)));
}

#[test]
fn out_of_order_goes_back_once_however_often_it_is_said() {
    let mut session = opened(0);
    (1..=4).for_each(|sequence| session.send(message(sequence)));
    let sent = sends(&mut session);
    refuse(&mut session, sent[0], Code::Busy, 500);
    for &late in &sent[1..] {
        out_of_order(&mut session, late, 1);
    }
    assert_eq!(sends(&mut session), [], "the refusal named a time");
    assert_eq!(session.poll_timeout(), Some(500));
    session.handle_timeout(499);
    assert_eq!(sends(&mut session), []);
    session.handle_timeout(500);
    assert_eq!(sequences(&sends(&mut session)), [1, 2, 3, 4]);
    assert_eq!(events(&mut session), [], "the app need not know");
}

#[test]
fn out_of_order_sends_again_from_the_expected_number() {
    let mut session = opened(0);
    (1..=4).for_each(|sequence| session.send(message(sequence)));
    let sent = sends(&mut session);
    out_of_order(&mut session, sent[3], 2);
    let again = sends(&mut session);
    assert_eq!(sequences(&again), [2, 3, 4]);
    out_of_order(&mut session, sent[2], 2);
    assert_eq!(sends(&mut session), [], "an answer to an earlier copy");
    out_of_order(&mut session, again[2], 3);
    assert_eq!(sequences(&sends(&mut session)), [3, 4]);
}

#[test]
fn what_is_refused_for_good_is_told_and_its_number_given_up() {
    let mut session = opened(0);
    (1..=2).for_each(|sequence| session.send(message(sequence)));
    let sent = sends(&mut session);
    refuse(&mut session, sent[0], Code::UnknownUser, 0);
    let code = Code::UnknownUser.number();
    let refused = Event::Refused { peer: BOB, sequence: Sequence(1), code };
    assert_eq!(events(&mut session), [refused]);
    let frames = written(&mut session);
    let [Written::Skip { tag, skip, .. }, Written::Send { send, .. }] = &frames[..] else {
        panic!("{frames:?}")
    };
    assert_eq!((skip.from, skip.to, send.sequence), (1, 1, 2));
    let skipped = Skipped { from: 1, to: 1, accepted: 0 };
    session.handle_received(0, &frame(*tag, BOB, &skipped, &[])).unwrap();
    assert_eq!(session.undecided(), 1);
}

#[test]
fn a_message_beyond_the_frame_limit_is_refused_here() {
    let mut session = opened(0);
    session.send(Outgoing { payload: vec![0; 4_096], ..message(1) });
    session.send(message(2));
    let frames = written(&mut session);
    assert!(matches!(frames[..], [Written::Skip { .. }, Written::Send { .. }]), "{frames:?}");
    let code = Code::FrameTooLarge.number();
    let refused = Event::Refused { peer: BOB, sequence: Sequence(1), code };
    assert_eq!(events(&mut session), [refused]);
}

#[test]
fn numbers_that_the_server_lost_are_sent_again_or_given_up() {
    let mut session = opened(0);
    session.send(message(9));
    let sent = sends(&mut session);
    out_of_order(&mut session, sent[0], 6);
    let missing = Event::Missing { peer: BOB, from: Sequence(6), to: Sequence(8) };
    assert_eq!(events(&mut session), [missing]);
    assert_eq!(sends(&mut session), [], "9 waits for the answer");
    session.skip(BOB, Sequence(6));
    session.skip(BOB, Sequence(7));
    session.send(message(8));
    let frames = written(&mut session);
    let [Written::Skip { skip, .. }, Written::Send { send: first, .. }, Written::Send { send, .. }] =
        &frames[..]
    else {
        panic!("{frames:?}")
    };
    assert_eq!((skip.from, skip.to, first.sequence, send.sequence), (6, 7, 8, 9));
}

#[test]
fn at_most_a_window_of_numbers_is_missing_at_once() {
    let mut session = opened(0);
    session.send(message(1 << 40));
    let sent = sends(&mut session);
    out_of_order(&mut session, sent[0], 1);
    let missing = Event::Missing { peer: BOB, from: Sequence(1), to: Sequence(64) };
    assert_eq!(events(&mut session), [missing]);
}

#[test]
fn a_failed_answer_is_final() {
    let mut session = opened(0);
    session.send(message(1));
    let (tag, sequence) = sends(&mut session)[0];
    let failed = Failed { position: 0, after: 0, device: PHONE.0, sequence, code: 3011 };
    session.handle_received(0, &frame(tag, BOB, &failed, &[])).unwrap();
    let event = Event::Failed { peer: BOB, sequence: Sequence(1), code: 3011 };
    assert_eq!(events(&mut session), [event]);
    assert_eq!(session.undecided(), 0);
    session.send(message(2));
    let (tag, sequence) = sends(&mut session)[0];
    let failed = Failed { position: 5, after: 0, device: PHONE.0, sequence, code: 3011 };
    let answer = session.handle_received(0, &frame(tag, BOB, &failed, &[]));
    assert_eq!(answer, Err(SessionError::OutOfPlace(Kind::Failed)), "an answer is no entry");
}

#[test]
fn a_failed_entry_is_final_for_the_device_that_had_sent_it() {
    let mut session = opened(0);
    session.send(message(1));
    session.send(message(2));
    sends(&mut session);
    let failed = |position, device, sequence| {
        frame(0, BOB, &Failed { position, after: 0, device, sequence, code: 3011 }, &[])
    };
    session.handle_received(0, &failed(1, PHONE.0, 1)).unwrap();
    session.handle_received(0, &failed(2, PHONE.0 + 1, 2)).unwrap();
    assert!(matches!(events(&mut session)[..], [Event::Entry(_), Event::Entry(_)]));
    assert_eq!(session.undecided(), 1, "the other one is another device's");
}

#[test]
fn entries_are_acknowledged_once_a_burst_and_only_when_stored() {
    let mut session = opened(0);
    let burst: Vec<u8> = (1..=5).flat_map(|position| deliver(position - 1, position)).collect();
    session.handle_received(0, &burst).unwrap();
    assert_eq!(events(&mut session).len(), 5);
    assert_eq!(written(&mut session), []);
    session.handle_stored(Position(4));
    session.handle_stored(Position(99));
    assert_eq!(written(&mut session), [Written::Ack(5)], "never beyond what came");
    assert_eq!(written(&mut session), []);
}

#[test]
fn a_gap_asks_once_and_takes_nothing_behind_it() {
    let mut session = opened(4);
    let burst: Vec<u8> = (7..=9).flat_map(|position| deliver(position - 1, position)).collect();
    session.handle_received(0, &burst).unwrap();
    assert_eq!(events(&mut session), []);
    assert_eq!(written(&mut session), [Written::Resync(4)]);
    session.handle_received(0, &deliver(9, 10)).unwrap();
    assert_eq!(written(&mut session), [], "it was under way before the server could know");
    session.handle_received(0, &deliver(4, 6)).unwrap();
    assert_eq!(events(&mut session).len(), 1, "5 expired meanwhile: no gap");
    session.handle_received(0, &deliver(7, 8)).unwrap();
    assert_eq!(written(&mut session), [Written::Resync(6)], "a new gap asks anew");
}

#[test]
fn a_repeat_is_not_taken_and_acknowledged_again() {
    let mut session = opened(0);
    session.handle_received(0, &deliver(0, 1)).unwrap();
    session.handle_received(0, &deliver(0, 1)).unwrap();
    assert_eq!(events(&mut session).len(), 1);
    assert_eq!(written(&mut session), [], "it is not stored yet");
    session.handle_stored(Position(1));
    assert_eq!(written(&mut session), [Written::Ack(1)]);
    session.handle_received(0, &deliver(0, 1)).unwrap();
    assert_eq!(written(&mut session), [Written::Ack(1)]);
}

#[test]
fn what_was_received_and_not_stored_is_asked_for_again() {
    let mut session = opened(0);
    session.handle_received(0, &[deliver(0, 1), deliver(1, 2)].concat()).unwrap();
    session.handle_stored(Position(1));
    session.handle_disconnected();
    session.handle_connected(2, "token");
    let frames = written(&mut session);
    let [Written::Hello { hello, .. }] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!((hello.generation, hello.cursor), (GENERATION, 1));
}

#[test]
fn the_home_decides_where_a_session_starts() {
    let state =
        DeviceState { generation: Generation(1), cursor: Position(50), ..device(ALICE, PHONE) };
    let mut session = ClientSession::new(state);
    session.handle_connected(1, "token");
    let Written::Hello { tag, .. } = written(&mut session)[0] else { panic!("no Hello") };
    session.handle_received(0, &welcome(tag, 2, 10)).unwrap();
    let all = events(&mut session);
    let [Event::Opened { generation, cursor, .. }] = all[..] else { panic!("{all:?}") };
    assert_eq!((generation, cursor), (Generation(2), Position(10)));
    session.handle_received(0, &deliver(10, 11)).unwrap();
    assert_eq!(events(&mut session).len(), 1, "11 is new in this generation");
}

#[test]
fn a_first_word_moves_nothing() {
    let mut session = opened(0);
    let delivered = Delivered {
        position: 0,
        after: 0,
        device: PHONE.0,
        up_to: 3,
        delivered_at_ms: 7,
        except_count: 0,
    };
    session.handle_received(0, &frame(0, BOB, &delivered, &[])).unwrap();
    assert!(matches!(events(&mut session)[..], [Event::Shown(_)]));
    assert_eq!(written(&mut session), []);
}

#[test]
fn excepted_ranges_rise_below_up_to() {
    let delivered = |ranges: &[(u64, u64)]| {
        let envelope = Delivered {
            position: 1,
            after: 0,
            device: PHONE.0,
            up_to: 10,
            delivered_at_ms: 7,
            except_count: ranges.len() as u16,
        };
        let tail: Vec<u8> =
            ranges.iter().flat_map(|(a, b)| [a.to_le_bytes(), b.to_le_bytes()].concat()).collect();
        let mut bytes = Vec::new();
        let address = Address { target: BOB.0, ..Address::default() };
        append_frame(&mut bytes, address, &envelope, &tail, &[]);
        bytes
    };
    let mut session = opened(0);
    session.handle_received(0, &delivered(&[(2, 3), (5, 9)])).unwrap();
    let all = events(&mut session);
    let [Event::Entry(entry)] = &all[..] else { panic!("{all:?}") };
    let EntryBody::Delivered { except, .. } = &entry.body else { panic!("{entry:?}") };
    assert_eq!(except[..], [(Sequence(2), Sequence(3)), (Sequence(5), Sequence(9))]);
    for bad in [&[(0, 1)][..], &[(3, 2)], &[(2, 10)], &[(2, 3), (3, 4)]] {
        let answer = opened(0).handle_received(0, &delivered(bad));
        assert_eq!(answer, Err(SessionError::BadFrame(Code::FrameMalformed)), "{bad:?}");
    }
}

#[test]
fn probes_are_answered_and_a_silent_server_is_noticed() {
    let mut session = opened(0);
    session.handle_received(0, &frame(0, UserId(0), &Probe { echo: 6 }, &[])).unwrap();
    assert_eq!(written(&mut session), [Written::Pong { tag: 0, echo: 6 }]);
    assert_eq!(session.poll_timeout(), Some(10_000));
    session.handle_timeout(9_999);
    assert_eq!(written(&mut session), []);
    session.handle_timeout(10_000);
    let frames = written(&mut session);
    let [Written::Ping { tag, echo }] = frames[..] else { panic!("{frames:?}") };
    session.handle_received(10_001, &frame(tag, UserId(0), &Pong { echo }, &[])).unwrap();
    session.handle_timeout(25_001);
    assert!(matches!(written(&mut session)[..], [Written::Ping { .. }]), "it tries a longer one");
    session.handle_timeout(35_000);
    assert_eq!(events(&mut session), []);
    session.handle_timeout(35_001);
    assert_eq!(events(&mut session), [Event::Silent]);
}

#[test]
fn errors_close_and_go_away_stops_new_sends() {
    let mut session = opened(0);
    let go_away = GoAway { code: Code::Draining.number(), delay_ms: 5 };
    session.handle_received(0, &frame(0, UserId(0), &go_away, &[])).unwrap();
    session.send(message(1));
    session.handle_received(0, &deliver(0, 1)).unwrap();
    session.handle_stored(Position(1));
    assert_eq!(written(&mut session), [Written::Ack(1)]);
    let error = Error { code: Code::SessionReplaced.number(), kind: 0, retry_after_ms: 0 };
    session.handle_received(0, &frame(0, UserId(0), &error, &[])).unwrap();
    let all = events(&mut session);
    assert!(matches!(all[..], [Event::GoAway { .. }, Event::Entry(_), Event::Closed { .. }]));
    assert!(!session.is_open());
}

#[test]
fn bad_frames_are_errors() {
    let unknown = |flags: u16| {
        let mut bytes = frame(0, UserId(0), &Probe { echo: 1 }, &[]);
        bytes[4..6].copy_from_slice(&0x7777_u16.to_le_bytes());
        bytes[8..10].copy_from_slice(&flags.to_le_bytes());
        bytes
    };
    assert_eq!(opened(0).handle_received(0, &unknown(IGNORABLE)), Ok(()));
    let cases = [
        (unknown(0), SessionError::BadFrame(Code::UnknownKind)),
        (welcome(1, 1, 0), SessionError::Unexpected(Kind::Welcome)),
        (frame(0, BOB, &Ack { up_to: 1 }, &[]), SessionError::BadFrame(Code::KindNotAllowed)),
        (frame(0, BOB, &Probe { echo: 1 }, b"x"), SessionError::BadFrame(Code::FrameMalformed)),
        (deliver(2, 2), SessionError::BadFrame(Code::FrameMalformed)),
        (vec![0xff; 40], SessionError::BadFrame(Code::FrameTooLarge)),
        (vec![0; 40], SessionError::BadFrame(Code::FrameMalformed)),
    ];
    for (bytes, error) in cases {
        let mut session = opened(0);
        assert_eq!(session.handle_received(0, &bytes), Err(error));
        assert!(!session.is_open());
        open(&mut session, 0);
    }
}

/// Every single-byte change of a good stream is taken or refused, and never panics.
#[test]
fn changed_bytes_never_panic() {
    let stream = [deliver(0, 1), deliver(1, 2), frame(0, BOB, &Probe { echo: 3 }, &[])].concat();
    for at in 0..stream.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut changed = stream.clone();
            changed[at] = value;
            let mut session = opened(0);
            for chunk in changed.chunks(17) {
                if session.handle_received(0, chunk).is_err() {
                    break;
                }
            }
            written(&mut session);
        }
    }
}
