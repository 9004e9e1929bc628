//! What a session makes of each code that a message or a connection can end with.

use answerback_proto::code::Code;
use answerback_proto::kind::{Error, Failed};

use super::super::EntryBody;
use super::script::{refuse, sends, sequences};
use super::*;

const REASONS: [Code; 10] = [
    Code::UnknownUser,
    Code::ContactsOnly,
    Code::InboxFull,
    Code::SenderQuota,
    Code::Expired,
    Code::Undeliverable,
    Code::Recalled,
    Code::GapClosed,
    Code::Repaired,
    Code::UserPurged,
];

/// Also where the class says `retry_after`: the number is used up.
#[test]
fn each_reason_of_a_failed_answer_is_final() {
    for reason in REASONS {
        let mut session = opened(0);
        session.send(message(1));
        let (tag, sequence) = sends(&mut session)[0];
        let code = reason.number();
        let failed = Failed { position: 0, after: 0, device: PHONE.0, sequence, code };
        session.handle_received(0, &frame(tag, BOB, &failed, &[])).unwrap();
        let event = Event::Failed { peer: BOB, sequence: Sequence(1), code };
        assert_eq!(events(&mut session), [event], "{}", reason.name());
        assert_eq!((session.undecided(), session.poll_timeout()), (0, Some(10_000)));
        assert_eq!(written(&mut session), []);
    }
}

#[test]
fn each_reason_of_a_failed_entry_ends_what_waits() {
    for reason in REASONS {
        let mut session = opened(0);
        (1..=2).for_each(|sequence| session.send(message(sequence)));
        sends(&mut session);
        let code = reason.number();
        let failed = Failed { position: 1, after: 0, device: PHONE.0, sequence: 1, code };
        session.handle_received(0, &frame(0, BOB, &failed, &[])).unwrap();
        let all = events(&mut session);
        let [Event::Entry(entry)] = &all[..] else { panic!("{all:?}") };
        let body = EntryBody::Failed { device: PHONE, sequence: Sequence(1), code };
        assert_eq!((entry.peer, &entry.body), (BOB, &body));
        session.handle_disconnected();
        open(&mut session, 0);
        assert_eq!(sequences(&sends(&mut session)), [2], "{}", reason.name());
    }
}

#[test]
fn what_is_refused_for_a_time_goes_again_under_its_number() {
    let codes = [
        Code::InboxFull,
        Code::SenderQuota,
        Code::DiskReserve,
        Code::MemoryReserve,
        Code::RateLimited,
        Code::Busy,
    ];
    for code in codes {
        let mut session = opened(0);
        (1..=2).for_each(|sequence| session.send(message(sequence)));
        let sent = sends(&mut session);
        refuse(&mut session, sent[0], code, 700);
        assert_eq!(sends(&mut session), [], "{}", code.name());
        assert_eq!(session.poll_timeout(), Some(700));
        session.handle_timeout(700);
        assert_eq!(sequences(&sends(&mut session)), [1, 2], "{}", code.name());
        assert_eq!(events(&mut session), []);
    }
}

#[test]
fn an_error_of_the_connection_closes_it_and_loses_nothing() {
    let codes =
        [Code::ProbeUnanswered, Code::FrameTooSlow, Code::DeviceRevoked, Code::SessionReplaced];
    for code in codes {
        let mut session = opened(0);
        session.send(message(1));
        session.read(BOB, DeviceId(22), Sequence(1));
        written(&mut session);
        let code = code.number();
        let error = Error { code, kind: 0, retry_after_ms: 0 };
        session.handle_received(0, &frame(0, UserId(0), &error, &[])).unwrap();
        assert_eq!(events(&mut session), [Event::Closed { code, retry_after_ms: 0 }]);
        assert!(!session.is_open());
        open(&mut session, 0);
        let again = written(&mut session);
        assert!(matches!(again[..], [Written::Read { .. }, Written::Send { .. }]), "{again:?}");
    }
}

#[test]
fn a_device_that_may_not_log_in_is_told_so() {
    for code in [Code::TooManyDevices, Code::DeviceRevoked, Code::DeviceRolledBack] {
        let mut session = ClientSession::new(device(ALICE, PHONE));
        session.handle_connected(1, "token");
        let Written::Hello { tag, .. } = written(&mut session)[0] else { panic!("no Hello") };
        let code = code.number();
        let error = Error { code, kind: Kind::Hello.number(), retry_after_ms: 0 };
        session.handle_received(0, &frame(tag, UserId(0), &error, &[])).unwrap();
        assert_eq!(events(&mut session), [Event::Closed { code, retry_after_ms: 0 }]);
        assert!(!session.is_open());
    }
}

/// A server that will not have a read says so with an error, as to any other mistake.
#[test]
fn an_error_that_answers_a_read_closes_the_connection() {
    let mut session = opened(0);
    session.read(BOB, DeviceId(22), Sequence(1));
    let frames = written(&mut session);
    let [Written::Read { tag, .. }] = frames[..] else { panic!("{frames:?}") };
    let code = Code::NotYours.number();
    let error = Error { code, kind: Kind::Read.number(), retry_after_ms: 0 };
    session.handle_received(0, &frame(tag, UserId(0), &error, &[])).unwrap();
    assert_eq!(events(&mut session), [Event::Closed { code, retry_after_ms: 0 }]);
}
