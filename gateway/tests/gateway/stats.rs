//! What an operator sees of a box that runs.

use answerback_gateway::GatewayConfig;
use answerback_proto::code::Code;
use answerback_proto::id::{Position, UserId};
use answerback_proto::kind::{Accepted, Delivered, Refused};
use answerback_proto::record::Settings;

use crate::client::{Client, hello};
use crate::journal::MemoryJournal;
use crate::running::{Running, config};

const ALICE: u128 = 1;
const BOB: u128 = 2;
const NOBODY: u128 = 3;

#[test]
fn a_box_counts_what_it_did() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut bob = Client::login(running.address, BOB);
        let mut alice = Client::login(running.address, ALICE);
        alice.send(1, BOB, 1, b"one");
        alice.expect::<Accepted>();
        bob.expect_message();
        bob.ack(1);
        alice.expect::<Delivered>();
        alice.send(2, NOBODY, 1, b"to nobody");
        alice.expect::<Refused>();

        let stats = running.control.stats().unwrap();
        assert_eq!((stats.connections, stats.sessions), (2, 2));
        assert_eq!((stats.connections_total, stats.logins_total), (2, 2));
        assert_eq!((stats.messages.accepted, stats.messages.delivered), (1, 1));
        assert_eq!(stats.messages.failed, 0);
        assert_eq!(stats.refused_total, [(Code::UnknownUser.name(), 1)].into());
        assert!(stats.pushed_total >= 1 && stats.received_bytes_total > 0);
        assert!(stats.sent_bytes_total > 0);
        let commits: u64 = stats.storage.commits_by_duration.iter().sum();
        assert!(commits >= 3 && stats.storage.records >= 4, "{stats:?}");
        assert!(stats.quarantined.is_empty() && !stats.is_draining);
        running.stop();
    }
}

#[test]
fn a_box_that_ended_answers_at_once() {
    let running = Running::start(1);
    let control = running.control.clone();
    running.stop();
    assert!(control.stats().is_err() && control.sessions(UserId(ALICE)).is_err());
}

#[test]
fn sessions_are_told_with_what_they_have_under_way() {
    let running = Running::start(2);
    let mut bob = Client::login(running.address, BOB);
    let mut alice = Client::login(running.address, ALICE);
    alice.send(1, BOB, 1, b"one");
    bob.expect_message();
    let [session] = running.control.sessions(UserId(BOB)).unwrap()[..] else {
        panic!("one session")
    };
    assert_eq!((session.report.offered, session.report.in_flight), (Position(1), 1));
    assert!(!session.is_probed);
    assert!(running.control.sessions(UserId(NOBODY)).unwrap().is_empty());
}

#[test]
fn a_box_goes_by_other_settings_when_it_is_told() {
    let running = Running::with(2, config(), MemoryJournal::default());
    let _first = Client::login(running.address, ALICE);
    let settings = Settings { devices_max: 1, ..config().settings };
    let reloaded = GatewayConfig { connections_max: 2, settings, ..config() };
    assert_eq!(config().needs_restart(&reloaded), [""; 0]);
    running.control.reload(reloaded).unwrap();
    // Whatever is asked behind it finds it done.
    running.control.stats().unwrap();
    let _second = Client::login(running.address, BOB);
    assert!(Client::try_login(running.address, NOBODY).is_none(), "a third has no seat");
    let shorter = GatewayConfig { listen: ([127, 0, 0, 1], 1).into(), ..config() };
    assert_eq!(config().needs_restart(&shorter), ["listen"]);
}

#[test]
fn settings_of_apply_are_journaled_when_they_are_reloaded() {
    let running = Running::start(1);
    drop(Client::login(running.address, ALICE));
    let settings = Settings { devices_max: 1, ..config().settings };
    running.control.reload(GatewayConfig { settings, ..config() }).unwrap();
    let mut second = Client::connect(running.address);
    second.say_hello(ALICE, hello(2));
    assert_eq!(second.expect_error().0, Code::TooManyDevices);
}
