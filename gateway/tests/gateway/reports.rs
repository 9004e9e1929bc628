//! Reports of users: left where somebody tells the operator, and answered with what comes of it.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use answerback_gateway::{AskedReport, Hooks};
use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_proto::kind::{Declined, Done, Report};

use crate::client::Client;
use crate::journal::MemoryJournal;
use crate::running::{Running, config};

const ALICE: u128 = 1;
const BOB: u128 = 2;
const CAROL: u128 = 3;
const NOBODY: u128 = 77;
const PATIENCE: Duration = Duration::from_secs(30);

fn start(cores: u16, room: usize) -> (Running, Receiver<AskedReport>) {
    let (told, asked) = sync_channel(room);
    let hooks = Hooks::default().with_reports(told);
    let running = Running::with_hooks(cores, config(), MemoryJournal::default(), hooks);
    drop(Client::login(running.address, BOB));
    (running, asked)
}

fn report(tag: u32, user: u128, excerpt: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag, target: user };
    let report = Report { device: 1, sequence: 5, reason: 2, excerpt_length: 0 };
    report.append(&mut bytes, address, excerpt).unwrap();
    bytes
}

fn declined(client: &mut Client) -> (u32, Code, u32) {
    let (header, Declined { code, retry_after_ms }) = client.expect::<Declined>();
    (header.tag, Code::from_number(code).unwrap(), retry_after_ms)
}

#[test]
fn done_comes_once_the_operator_has_it() {
    for cores in [1, 4] {
        let (running, asked) = start(cores, 8);
        let mut alice = Client::login(running.address, ALICE);
        alice.write(&report(7, BOB, b"look"));
        let told = asked.recv_timeout(PATIENCE).unwrap();
        assert_eq!((told.reporter, told.device), (UserId(ALICE), DeviceId(1)));
        let reported = told.reported.clone();
        assert_eq!(reported.user, UserId(BOB));
        assert_eq!(reported.message, Some((DeviceId(1), Sequence(5))));
        assert_eq!((reported.reason, reported.excerpt.as_ref()), (2, b"look".as_slice()));
        assert!(!format!("{told:?}").contains("look"));
        // Nothing waits for it but its reporter.
        alice.ping(1);
        told.done(42);
        let (header, done) = alice.expect::<Done>();
        assert_eq!((header.tag, header.target, done.at_ms), (7, BOB, 42));

        alice.write(&report(8, BOB, b""));
        drop(asked.recv_timeout(PATIENCE).unwrap());
        let (tag, code, retry_after_ms) = declined(&mut alice);
        assert_eq!((tag, code), (8, Code::Busy));
        assert!(retry_after_ms > 0);
        running.stop();
    }
}

#[test]
fn what_is_no_report_is_declined() {
    for cores in [1, 4] {
        let (running, asked) = start(cores, 8);
        let mut alice = Client::login(running.address, ALICE);
        alice.write(&report(1, NOBODY, b""));
        assert_eq!(declined(&mut alice), (1, Code::UnknownUser, 0));
        alice.write(&report(2, ALICE, b""));
        assert_eq!(declined(&mut alice), (2, Code::NotYourself, 0));
        let mut long = report(3, BOB, &[b'x'; 4096]);
        long.push(b'x');
        long[0..4].copy_from_slice(&(32 + 28 + 4097_u32).to_le_bytes());
        long[6..8].copy_from_slice(&(28 + 4097_u16).to_le_bytes());
        long[32 + 26..32 + 28].copy_from_slice(&4097_u16.to_le_bytes());
        alice.write(&long);
        assert_eq!(alice.expect_error().0, Code::FrameMalformed);
        assert!(asked.try_recv().is_err());
        let none = Running::start(cores);
        drop(Client::login(none.address, BOB));
        let mut alice = Client::login(none.address, ALICE);
        alice.write(&report(4, BOB, b""));
        assert_eq!(declined(&mut alice), (4, Code::ReportsUnavailable, 0));
    }
}

#[test]
fn nobody_has_the_operator_to_himself() {
    for cores in [1, 4] {
        let (running, asked) = start(cores, 1);
        let mut alice = Client::login(running.address, ALICE);
        let mut carol = Client::login(running.address, CAROL);
        alice.write(&report(1, BOB, b""));
        alice.write(&report(2, BOB, b""));
        let (tag, code, _) = declined(&mut alice);
        assert_eq!((tag, code), (2, Code::Busy), "one is under way");
        carol.write(&report(3, BOB, b""));
        assert_eq!(declined(&mut carol).1, Code::Busy, "there is no room");
        asked.recv_timeout(PATIENCE).unwrap().done(1);
        alice.expect::<Done>();
        carol.write(&report(4, BOB, b""));
        asked.recv_timeout(PATIENCE).unwrap().done(2);
        assert_eq!(carol.expect::<Done>().0.tag, 4);
    }
}

#[test]
fn a_reporter_who_has_gone_is_answered_to_nobody() {
    let (running, asked) = start(4, 8);
    let mut alice = Client::login(running.address, ALICE);
    alice.write(&report(1, BOB, b""));
    let told = asked.recv_timeout(PATIENCE).unwrap();
    drop(alice);
    told.done(1);
    let mut carol = Client::login(running.address, CAROL);
    carol.write(&report(2, BOB, b""));
    asked.recv_timeout(PATIENCE).unwrap().done(2);
    assert_eq!(carol.expect::<Done>().0.tag, 2);
    running.stop();
}
