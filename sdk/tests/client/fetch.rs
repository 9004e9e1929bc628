//! A push came: take what waits, and leave.

use answerback_proto::code::Code;
use answerback_proto::kind::{Ack, CaughtUp, Error as ErrorFrame, Kind, Ping, Pong};
use answerback_sdk::{ErrorClass, Fetched, fetch_once};

use super::server::{Peer, Server};
use super::*;

/// Delivers and says that this was all, then answers the ping behind the acknowledgement.
fn hand_out(peer: &mut Peer, positions: std::ops::RangeInclusive<u64>) {
    let last = *positions.end();
    positions.for_each(|position| peer.deliver(position));
    peer.write(0, ALICE, &CaughtUp { position: last });
    while peer.read::<Ack>().1.up_to < last {}
    let (tag, Ping { echo }) = peer.read::<Ping>();
    peer.write(tag, UserId(0), &Pong { echo });
    assert_eq!(peer.read_to_end(), []);
}

#[test]
fn all_that_waits_is_stored_and_acknowledged_and_nothing_is_sent() {
    let server = Server::run(vec![Box::new(|peer| {
        let hello = peer.welcome(0);
        assert_eq!((hello.mode, hello.credit_frames), (2, 64));
        hand_out(peer, 1..=300);
    })]);
    let place = Place::new();
    let client = place.open(&nowhere());
    let pending = client.send(BOB, 1, b"later".to_vec()).unwrap();
    client.close();
    let fetched = fetch_once(place.options(&server.address), Box::new(Token), LONG_MS).unwrap();
    assert_eq!(fetched, Fetched { stored_count: 300, is_complete: true });
    server.finish();
    let client = place.open(&nowhere());
    assert_eq!(client.to_hand_over(1_000).unwrap().len(), 300);
    assert_eq!(of(&client, pending).state, MessageState::Pending, "the app sends it");
}

#[test]
fn a_connection_that_ends_in_between_is_made_again() {
    let server = Server::run(vec![
        Box::new(|peer| {
            peer.welcome(0);
            peer.deliver(1);
            while peer.read::<Ack>().1.up_to < 1 {}
        }),
        Box::new(|peer| {
            peer.welcome(1);
            hand_out(peer, 2..=3);
        }),
    ]);
    let place = Place::new();
    let fetched = fetch_once(place.options(&server.address), Box::new(Token), LONG_MS).unwrap();
    assert_eq!(fetched, Fetched { stored_count: 3, is_complete: true });
    server.finish();
}

#[test]
fn what_does_not_come_in_time_is_left_for_the_next_one() {
    let server = Server::run(vec![Box::new(|peer| {
        peer.welcome(0);
        peer.deliver(1);
        assert!(peer.read_to_end().contains(&Kind::Ack));
    })]);
    let place = Place::new();
    let fetched = fetch_once(place.options(&server.address), Box::new(Token), 2_000).unwrap();
    assert_eq!(fetched, Fetched { stored_count: 1, is_complete: false });
    server.finish();
    let nothing = fetch_once(place.options(&nowhere()), Box::new(Token), 100).unwrap();
    assert_eq!(nothing, Fetched { stored_count: 0, is_complete: false });
}

#[test]
fn what_no_attempt_can_mend_is_an_error() {
    let server = Server::run(vec![Box::new(|peer| {
        let (tag, ..) = peer.hello();
        let code = Code::DeviceRevoked.number();
        peer.write(tag, UserId(0), &ErrorFrame { code, kind: 1, retry_after_ms: 0 });
    })]);
    let place = Place::new();
    let error = fetch_once(place.options(&server.address), Box::new(Token), LONG_MS).unwrap_err();
    assert_eq!((error.class, error.is_end_of_device()), (ErrorClass::Gone, true));
    let client = place.open(&nowhere());
    let error = fetch_once(place.options(&nowhere()), Box::new(Token), LONG_MS).unwrap_err();
    assert_eq!(error.class, ErrorClass::Storage, "the app is there");
    client.close();
}

/// A push extension that grows beyond its 24 MB is killed: the peak of a process of its own,
/// while 20 000 messages of 1 KB wait.
#[test]
fn a_process_that_fetches_stays_within_24_mb() {
    const WAITING: u64 = 20_000;
    let server = Server::run(vec![Box::new(|peer| {
        let credit = u64::from(peer.welcome(0).credit_frames);
        let (mut acked, mut sent) = (0, 0);
        while sent < WAITING {
            let end = (acked + credit).min(WAITING);
            (sent + 1..=end).for_each(|position| peer.deliver_payload(position, &[7; 1024]));
            sent = end;
            acked = peer.read::<Ack>().1.up_to;
        }
        peer.write(0, ALICE, &CaughtUp { position: WAITING });
        let (tag, Ping { echo }) = peer.read::<Ping>();
        peer.write(tag, UserId(0), &Pong { echo });
    })]);
    let place = Place::new();
    let mut fetching = std::process::Command::new(example("fetch_once"));
    fetching.args([&server.address, "1", "11"]).arg(place.path()).arg("token");
    let output = fetching.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("stored 20000, complete: true"), "{text}");
    let peak = text.lines().find_map(|line| line.strip_prefix("peak memory: "));
    let peak_kib: u64 = peak.and_then(|peak| peak.strip_suffix(" KiB")).unwrap().parse().unwrap();
    assert!((1..24 * 1024).contains(&peak_kib), "{peak_kib} KiB");
    server.finish();
}

/// What `cargo test` has built beside the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{}: cargo build -p answerback-sdk --examples", path.display());
    path
}
