//! The beginning of a connection.

use answerback_gateway::GatewayConfig;
use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::kind::{CaughtUp, Hello, Kind, Ping, Pong, Welcome};
use serde_json::json;

use crate::client::{Client, frame, hello, hello_frame, server_kinds};
use crate::running::{Running, config};
use crate::token::{token, token_with};

const USER: u128 = 11;

/// What a box says to these bytes at the beginning of a connection.
fn refused(running: &Running, bytes: &[u8]) -> (Code, u16, u32) {
    let mut client = Client::connect(running.address);
    client.write(bytes);
    client.expect_error()
}

/// What it says to a `Hello` of our user's.
fn refused_hello(running: &Running, hello: Hello, token: &[u8]) -> Code {
    let (code, kind, tag) = refused(running, &hello_frame(USER, hello, token));
    assert_eq!((kind, tag), (Kind::Hello.number(), 1));
    code
}

#[test]
fn a_good_hello_is_welcomed() {
    let config = GatewayConfig { heartbeat_min_s: 7, frame_bytes_max: 5000, ..config() };
    let running = Running::with(1, config, Default::default());
    let mut client = Client::connect(running.address);
    client.say_hello(USER, hello(1));
    let (header, welcome) = client.expect::<Welcome>();
    assert_eq!((header.tag, header.target), (1, USER));
    assert_eq!((welcome.version, welcome.generation), (1, 1));
    assert_eq!((welcome.frame_bytes_max, welcome.heartbeat_min_s), (5000, 7));
    assert_eq!((welcome.cursor, welcome.pending_count), (0, 0));
    let (header, caught_up) = client.expect::<CaughtUp>();
    assert_eq!((header.tag, header.target, caught_up.position), (0, USER, 0));
    client.ping(5);
}

#[test]
fn a_hello_may_come_in_pieces() {
    let running = Running::start(2);
    let bytes = hello_frame(USER, hello(1), &token(USER, 1));
    let mut client = Client::connect(running.address);
    bytes.chunks(7).for_each(|piece| client.write(piece));
    client.expect::<Welcome>();
}

/// Its other half may come on another core.
#[test]
fn half_a_frame_moves_with_its_socket() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        for user in USER..USER + 16 {
            let ping = frame(3, 0, &Ping { echo: 4 }, &[]);
            let (half, rest) = ping.split_at(20);
            let mut client = Client::connect(running.address);
            client.write(&[hello_frame(user, hello(1), &token(user, 1)).as_slice(), half].concat());
            client.expect::<Welcome>();
            client.expect::<CaughtUp>();
            client.write(rest);
            assert_eq!(client.expect::<Pong>().1.echo, 4);
        }
    }
}

#[test]
fn a_wrong_token_is_refused_with_its_reason() {
    let running = Running::start(2);
    let good = token(USER, 1);
    let (cut, _) = good.split_at(good.len() - 3);
    for (token, code) in [
        (Vec::new(), Code::TokenInvalid),
        (cut.to_vec(), Code::TokenInvalid),
        (token(USER + 1, 1), Code::TokenInvalid),
        (token(USER, 2), Code::TokenInvalid),
        (token_with(USER, 1, "aud", json!("others")), Code::TokenInvalid),
        (token_with(USER, 1, "exp", json!(1_700_000_000)), Code::TokenExpired),
        (token_with(USER, 1, "nbf", json!(32_000_000_000_u64)), Code::TokenExpired),
    ] {
        assert_eq!(refused_hello(&running, hello(1), &token), code);
    }
    let mut client = Client::login(running.address, USER);
    client.ping(1);
}

#[test]
fn another_version_is_refused() {
    let running = Running::start(1);
    let good = token(USER, 1);
    let later = Hello { version_min: 2, version_max: 3, ..hello(1) };
    assert_eq!(refused_hello(&running, later, &good), Code::VersionUnsupported);
    let mut without_receipts = Vec::new();
    let mut kinds = server_kinds();
    kinds.retain(|kind| *kind != Kind::Delivered);
    let address = Address { flags: 0, tag: 1, target: USER };
    hello(1).append(&mut without_receipts, address, &kinds, &good).unwrap();
    let refused = refused(&running, &without_receipts);
    assert_eq!(refused, (Code::VersionUnsupported, Kind::Hello.number(), 1));
}

/// It only answers a `Renew`.
#[test]
fn who_never_renews_need_not_know_the_answer() {
    let running = Running::start(1);
    let mut bytes = Vec::new();
    let mut kinds = server_kinds();
    kinds.retain(|kind| *kind != Kind::Renewed);
    let address = Address { flags: 0, tag: 1, target: USER };
    hello(1).append(&mut bytes, address, &kinds, &token(USER, 1)).unwrap();
    let mut client = Client::connect(running.address);
    client.write(&bytes);
    client.expect::<Welcome>();
}

#[test]
fn a_connection_that_begins_otherwise_is_refused() {
    let running = Running::start(1);
    let ping = frame(3, 0, &Ping { echo: 1 }, &[]);
    assert_eq!(refused(&running, &ping), (Code::HelloExpected, Kind::Ping.number(), 3));
    let long = frame(3, 0, &Ping { echo: 1 }, &[0; 5000]);
    assert_eq!(refused(&running, &long), (Code::FrameTooLarge, 0, 0));
    assert_eq!(refused(&running, &[0; 32]), (Code::FrameMalformed, 0, 0));
    assert_eq!(
        refused(&running, b"GET / HTTP/1.1\r\nHost: answerback\r\n\r\n").0,
        Code::FrameTooLarge
    );
}

#[test]
fn nothing_may_be_sent_before_the_welcome() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        running.journal.hold();
        for user in USER..USER + 8 {
            let mut bytes = hello_frame(user, hello(1), &token(user, 1));
            bytes.extend_from_slice(&frame(3, 0, &Ping { echo: 1 }, &[]));
            let refused = refused(&running, &bytes);
            assert_eq!(refused, (Code::KindNotAllowed, Kind::Ping.number(), 3));
        }
    }
}

/// The frame may also come on the core that the socket has moved to.
#[test]
fn a_moved_socket_is_still_opening() {
    let running = Running::start(4);
    running.journal.hold();
    for user in USER..USER + 16 {
        let mut client = Client::connect(running.address);
        client.say_hello(user, hello(1));
        if running.core_of(user) == running.core_of(USER) {
            running.journal.wait_for_begun(1);
        }
        client.write(&frame(3, 0, &Ping { echo: 1 }, &[]));
        assert_eq!(client.expect_error(), (Code::KindNotAllowed, Kind::Ping.number(), 3));
    }
}

#[test]
fn who_says_nothing_is_told_and_closed() {
    let config = GatewayConfig { hello_deadline_ms: 20, ..config() };
    let running = Running::with(1, config, Default::default());
    let mut silent = Client::connect(running.address);
    let mut slow = Client::connect(running.address);
    slow.write(&[1, 2, 3]);
    assert_eq!(silent.expect_error(), (Code::HelloExpected, 0, 0));
    assert_eq!(slow.expect_error(), (Code::HelloExpected, 0, 0));
}

/// Half as long again as the longest interval of pings, in whole seconds.
#[test]
fn who_stays_silent_is_closed() {
    let config = GatewayConfig { heartbeat_min_s: 1, heartbeat_max_s: 1, ..config() };
    let running = Running::with(1, config, Default::default());
    let mut silent = Client::login(running.address, USER);
    silent.expect_end();
}

#[test]
fn a_newer_connection_of_a_device_replaces_the_older() {
    let running = Running::start(2);
    let mut older = Client::login(running.address, USER);
    let mut newer = Client::connect(running.address);
    newer.say_hello(USER, Hello { connection_counter: 2, ..hello(1) });
    newer.expect::<Welcome>();
    assert_eq!(older.expect_error().0, Code::SessionReplaced);
    newer.expect::<CaughtUp>();
    newer.ping(1);
}

#[test]
fn a_device_that_was_rolled_back_is_told() {
    let running = Running::start(2);
    let mut first = Client::connect(running.address);
    first.say_hello(USER, Hello { connection_counter: 5, ..hello(1) });
    first.expect::<Welcome>();
    let mut clone = Client::connect(running.address);
    clone.say_hello(USER, Hello { connection_counter: 5, ..hello(1) });
    let expected = (Code::DeviceRolledBack, Kind::Hello.number(), 1);
    assert_eq!(clone.expect_error(), expected);
}

#[test]
fn beyond_its_number_connections_are_closed_unheard() {
    let config = GatewayConfig { connections_max: 2, ..config() };
    let running = Running::with(1, config, Default::default());
    let mut first = Client::login(running.address, USER);
    let second = Client::login(running.address, USER + 1);
    Client::connect(running.address).expect_end();
    drop(second);
    first.ping(1);
}

/// Where a connection lives is decided by its user's id, so a limit of each core would be
/// none, and would refuse where there is room.
#[test]
fn the_number_of_connections_holds_over_all_cores() {
    let config = GatewayConfig { connections_max: 4, ..config() };
    let running = Running::with(2, config, Default::default());
    let mut welcomed = Vec::new();
    let mut users = (1..).filter(|&user| running.core_of(user) == 1);
    for user in users.by_ref().take(20) {
        welcomed.extend(Client::try_login(running.address, user));
    }
    assert_eq!(welcomed.len(), 4);
    drop(welcomed);
    // Whoever goes makes room, once the box has seen it.
    let late = (0..4).map(|_| users.find_map(|user| Client::try_login(running.address, user)));
    assert_eq!(late.collect::<Vec<_>>().iter().flatten().count(), 4);
}
