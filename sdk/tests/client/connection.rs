//! Connections that come, go, and die without a word.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;

use answerback_proto::code::Code;
use answerback_proto::id::Generation;
use answerback_proto::kind::{Ack, Error as ErrorFrame, GoAway, Kind, Send};
use answerback_sdk::storage::Storage;
use answerback_sdk::{ErrorClass, Mode, Security};

use super::server::{Peer, Server};
use super::*;

/// Refuses the session with a code.
fn refuse(peer: &mut Peer, code: Code) {
    let (tag, ..) = peer.hello();
    let error = ErrorFrame { code: code.number(), kind: 1, retry_after_ms: 0 };
    peer.write(tag, UserId(0), &error);
}

fn stopped(client: &Client) -> answerback_sdk::Error {
    let is_stopped = |state: &_| matches!(state, ConnectionState::Stopped { .. });
    match wait_for_connection(client, is_stopped) {
        ConnectionState::Stopped { error } => error,
        other => panic!("{other:?}"),
    }
}

fn wait_until_opened(client: &Client, count: u64) {
    wait_until(client, |client| client.statistics().unwrap().opened_count == count);
}

#[test]
fn nobody_listens_and_the_app_is_told() {
    let place = Place::new();
    let client = place.open(&nowhere());
    let state =
        wait_for_connection(&client, |state| matches!(state, ConnectionState::Offline { .. }));
    let ConnectionState::Offline { reason, .. } = state else { panic!() };
    assert!(reason.contains("cannot connect to 127.0.0.1"), "{reason}");
    client.close();
}

#[test]
fn a_server_that_goes_away_is_left_and_met_again_after_its_delay() {
    let server = Server::run(vec![
        Box::new(|peer| {
            peer.welcome(0);
            peer.write(0, UserId(0), &GoAway { code: Code::Draining.number(), delay_ms: 40 });
            assert_eq!(peer.read_to_end(), [], "the client closes");
        }),
        Box::new(|peer| {
            assert_eq!(peer.welcome(0).connection_counter, 2);
            peer.read_to_end();
        }),
    ]);
    let place = Place::new();
    let client = place.open(&server.address);
    wait_until_opened(&client, 2);
    client.close();
    server.finish();
}

/// The server lives and says nothing: a heartbeat of a second and the 10 s of its answer.
#[test]
fn a_half_open_server_is_noticed_by_the_heartbeat() {
    let server = Server::run(vec![
        Box::new(|peer| {
            peer.welcome_with(|welcome| {
                (welcome.heartbeat_min_s, welcome.heartbeat_max_s) = (1, 1);
            });
            assert_eq!(peer.read_to_end(), [Kind::Ping]);
        }),
        Box::new(|peer| {
            peer.welcome(0);
            peer.read_to_end();
        }),
    ]);
    let place = Place::new();
    let client = place.open(&server.address);
    wait_until_opened(&client, 2);
    client.close();
    server.finish();
}

#[test]
fn another_network_is_another_connection() {
    let server = Server::run(vec![
        Box::new(|peer| {
            peer.welcome(0);
            assert_eq!(peer.read_to_end(), []);
        }),
        Box::new(|peer| {
            peer.welcome(0);
            peer.read_to_end();
        }),
    ]);
    let place = Place::new();
    let client = place.open(&server.address);
    wait_until_opened(&client, 1);
    client.network_changed();
    wait_until_opened(&client, 2);
    client.close();
    server.finish();
}

#[test]
fn a_background_is_told_at_the_next_hello_and_a_foreground_at_once() {
    let server = Server::run(vec![
        Box::new(|peer| assert_eq!(peer.welcome(0).mode, 1)),
        Box::new(|peer| {
            assert_eq!(peer.welcome(0).mode, 1);
            peer.read_to_end();
        }),
        Box::new(|peer| {
            let hello = peer.welcome(0);
            assert_eq!((hello.mode, hello.app_build), (0, 77));
            peer.read_to_end();
        }),
    ]);
    let place = Place::new();
    let options = Options { app_build: 77, ..place.options(&server.address) };
    let options = Options { mode: Mode::Background, ..options };
    let client = Client::open(options, Box::new(Token)).unwrap();
    wait_until_opened(&client, 2);
    client.foreground();
    wait_until_opened(&client, 3);
    client.close();
    server.finish();
}

/// Tokens by number.
struct Counted(AtomicU32);

impl TokenSource for Counted {
    fn token(&self) -> Result<String, String> {
        match self.0.fetch_add(1, Ordering::Relaxed) + 1 {
            1 => Err("the account service is away".to_owned()),
            2 => panic!("the app's own mistake"),
            count => Ok(format!("token {count}")),
        }
    }
}

#[test]
fn a_token_is_asked_for_before_each_connection() {
    let server = Server::run(vec![
        Box::new(|peer| {
            let (tag, _, token) = peer.hello();
            assert_eq!(token, "token 3", "the first two could not be had");
            let code = Code::TokenExpired.number();
            peer.write(tag, UserId(0), &ErrorFrame { code, kind: 1, retry_after_ms: 0 });
        }),
        Box::new(|peer| {
            let (_, _, token) = peer.hello();
            assert_eq!(token, "token 4");
        }),
        Box::new(|peer| {
            peer.welcome(0);
            peer.read_to_end();
        }),
    ]);
    let place = Place::new();
    let tokens = Box::new(Counted(AtomicU32::new(0)));
    let client = Client::open(place.options(&server.address), tokens).unwrap();
    wait_until_opened(&client, 1);
    client.close();
    server.finish();
}

#[test]
fn tokens_that_are_refused_again_and_again_stop_it() {
    let refuse_it = |peer: &mut Peer| refuse(peer, Code::TokenInvalid);
    let server = Server::run(vec![Box::new(refuse_it), Box::new(refuse_it), Box::new(refuse_it)]);
    let place = Place::new();
    let client = place.open(&server.address);
    let error = stopped(&client);
    assert_eq!((error.class, error.code), (ErrorClass::Reauthenticate, Some(4001)));
    assert!(error.message.contains("TokenInvalid"), "{error}");
    server.finish();
    client.close();
}

#[test]
fn a_device_that_was_rolled_back_or_revoked_is_told_to_become_a_new_one() {
    for code in [Code::DeviceRolledBack, Code::DeviceRevoked] {
        let server = Server::run(vec![Box::new(move |peer| refuse(peer, code))]);
        let place = Place::new();
        let client = place.open(&server.address);
        let error = stopped(&client);
        assert_eq!(error.class, ErrorClass::Gone);
        assert!(error.is_end_of_device() && error.message.contains("new device"), "{error}");
        // What is there can still be read, and even written.
        client.send(BOB, 1, Vec::new()).unwrap();
        client.close();
        server.finish();
    }
    let server = Server::run(vec![Box::new(|peer| refuse(peer, Code::SessionReplaced))]);
    let place = Place::new();
    let client = place.open(&server.address);
    assert!(!stopped(&client).is_end_of_device());
    client.close();
    server.finish();
}

/// Whatever became of its connection, a counter that was used is never used again.
#[test]
fn each_hello_has_a_greater_counter_that_was_stored_before() {
    let place = Place::new();
    for counter in 1..=2 {
        let server = Server::run(vec![Box::new(move |peer| {
            assert_eq!(peer.hello().1.connection_counter, counter);
        })]);
        let client = place.open(&server.address);
        server.finish();
        drop(client);
    }
}

#[test]
fn a_restored_server_is_followed_into_its_new_generation_and_doubles_nothing() {
    let server = Server::run(vec![
        Box::new(|peer| {
            peer.welcome(0);
            peer.deliver(1);
            peer.deliver(2);
            while peer.read::<Ack>().1.up_to < 2 {}
        }),
        Box::new(|peer| {
            let hello = peer.welcome_with(|welcome| welcome.generation = 2);
            assert_eq!((hello.generation, hello.cursor), (1, 2));
            peer.deliver(1);
            peer.deliver(2);
            peer.deliver(3);
            while peer.read::<Ack>().1.up_to < 3 {}
        }),
        Box::new(|peer| {
            let hello = peer.welcome_with(|welcome| (welcome.generation, welcome.cursor) = (2, 3));
            assert_eq!((hello.generation, hello.cursor), (2, 3));
            peer.read_to_end();
        }),
    ]);
    let place = Place::new();
    let client = place.open(&server.address);
    wait_until_opened(&client, 3);
    let sequences = client.to_hand_over(10).unwrap().into_iter().map(|one| one.message.id.sequence);
    assert!(sequences.eq([1, 2, 3].map(Sequence)));
    client.close();
    server.finish();
    let storage = Storage::open(&place.path(), ALICE, PHONE).unwrap();
    assert_eq!(storage.device_state().unwrap().generation, Generation(2));
}

#[test]
fn what_the_server_has_lost_goes_again_and_is_counted() {
    let out_of_order = |peer: &mut Peer, expected| {
        let (tag, send) = peer.read::<Send>();
        let sequence = send.sequence;
        let answer = answerback_proto::kind::OutOfOrder { sequence, expected };
        peer.write(tag, BOB, &answer);
    };
    let server = Server::run(vec![
        Box::new(|peer| {
            peer.welcome(0);
            let (tag, send) = peer.read::<Send>();
            peer.accept(tag, send.sequence);
        }),
        Box::new(move |peer| {
            peer.welcome(0);
            out_of_order(peer, 1);
            for sequence in 1..=2 {
                let (tag, send) = peer.read::<Send>();
                assert_eq!(send.sequence, sequence);
                peer.accept(tag, sequence);
            }
            peer.read_to_end();
        }),
    ]);
    let place = Place::new();
    let client = place.open(&server.address);
    let first = client.send(BOB, 1, b"one".to_vec()).unwrap();
    wait_for_state(&client, first, MessageState::Accepted);
    let second = client.send(BOB, 1, b"two".to_vec()).unwrap();
    wait_for_state(&client, second, MessageState::Accepted);
    wait_until(&client, |client| client.pending_count().unwrap() == 0);
    assert_eq!(client.statistics().unwrap().lost_count, 1);
    client.close();
    server.finish();
}

/// An address that does not answer is being dialled: a close waits for nothing.
#[test]
fn a_client_is_closed_while_it_dials_or_waits() {
    let place = Place::new();
    for address in ["192.0.2.1:7400", &nowhere()] {
        let options = Options { security: Security::Plaintext, ..place.options(address) };
        let client = Client::open(options, Box::new(Token)).unwrap();
        let (done, is_done) = channel();
        std::thread::spawn(move || {
            client.close();
            done.send(client.next_event(LONG_MS)).unwrap();
        });
        let event = is_done.recv_timeout(std::time::Duration::from_secs(9)).unwrap();
        assert_eq!(event, None);
        // The file is free at once.
        place.open(&nowhere()).close();
    }
}

#[test]
fn a_file_in_use_is_told_at_the_opening() {
    let place = Place::new();
    let client = place.open(&nowhere());
    let second = Client::open(place.options(&nowhere()), Box::new(Token)).unwrap_err();
    assert_eq!(second.class, ErrorClass::Storage);
    assert!(second.message.contains("in use"), "{second}");
    client.close();
}

#[test]
fn options_that_make_no_sense_are_told() {
    let place = Place::new();
    let good = place.options("127.0.0.1:1");
    for bad in [
        Options { address: "127.0.0.1".to_owned(), ..good.clone() },
        Options { address: "192.0.2.1:7400".to_owned(), ..good.clone() },
        Options { address: "[2001:db8::1]:7400".to_owned(), ..good.clone() },
        Options { user: UserId(0), ..good.clone() },
        Options { mode: Mode::Fetch, ..good.clone() },
    ] {
        let error = Client::open(bad, Box::new(Token)).unwrap_err();
        assert_eq!(error.class, ErrorClass::Usage, "{error}");
    }
    let client = Client::open(good, Box::new(Token)).unwrap();
    assert_eq!(client.send(UserId(0), 1, Vec::new()).unwrap_err().class, ErrorClass::Usage);
    let too_long = client.send(BOB, 1, vec![0; 1 << 20]).unwrap_err();
    assert_eq!(too_long.class, ErrorClass::Usage);
}
