//! What a box takes of a peer under TLS: the limits see what is under the cover, and the cover too.

use std::io::{ErrorKind, Write};
use std::sync::Arc;

use answerback_gateway::GatewayConfig;
use answerback_proto::code::Code;
use answerback_proto::kind::{CaughtUp, Ping, Welcome};
use rustls::ClientConfig;

use crate::client::{Client, frame, hello, hello_frame, send_frame};
use crate::running::{Running, config};
use crate::tls::{login, start};
use crate::token::token;

const ALICE: u128 = 1;
const BOB: u128 = 2;

/// Also one whose socket has moved to another core meanwhile, with what it keeps.
#[test]
fn a_record_that_does_not_end_is_told_so() {
    let (running, clients) = start(4, GatewayConfig { frame_deadline_ms: 400, ..config() });
    let mut other = login(&running, &clients, 100);
    let slow = (0..8).map(|user| {
        let mut slow = Client::connect_covered(running.address, &clients);
        let said = slow.records(&hello_frame(user + 1, hello(1), &token(user + 1, 1)));
        let begun = slow.records(&frame(99, 0, &Ping { echo: 1 }, &[]));
        slow.socket.write_all(&[&said[..], &begun[..10]].concat()).unwrap();
        slow
    });
    for mut slow in slow.collect::<Vec<_>>() {
        slow.expect::<Welcome>();
        slow.expect::<CaughtUp>();
        assert_eq!(slow.expect_error(), (Code::FrameTooSlow, 0, 0));
        other.ping(1);
    }
    let stats = running.control.stats().unwrap();
    assert_eq!(stats.closed_total, [(Code::FrameTooSlow.name(), 8)].into());
}

#[test]
fn a_frame_in_whole_records_that_does_not_end_is_told_so() {
    let (running, clients) = start(1, GatewayConfig { frame_deadline_ms: 400, ..config() });
    let mut slow = login(&running, &clients, ALICE);
    let mut other = login(&running, &clients, BOB);
    slow.socket.set_nonblocking(true).unwrap();
    for byte in send_frame(1, BOB, 1, &[7; 60_000]).chunks(1) {
        if slow.socket.peek(&mut [0]).is_ok() {
            break;
        }
        slow.write(byte);
        other.ping(1);
    }
    slow.socket.set_nonblocking(false).unwrap();
    assert_eq!(slow.expect_error(), (Code::FrameTooSlow, 0, 0));
    other.ping(2);
}

#[test]
fn who_takes_nothing_is_closed() {
    let (running, clients) = start(2, GatewayConfig { write_stall_ms: 400, ..config() });
    let mut greedy = login(&running, &clients, ALICE);
    let mut other = login(&running, &clients, BOB);
    greedy.socket.set_nonblocking(true).unwrap();
    let pings = frame(99, 0, &Ping { echo: 1 }, &[]).repeat(1000);
    let mut records = Vec::new();
    let ended = loop {
        if records.is_empty() {
            records = greedy.records(&pings);
        }
        match greedy.socket.write(&records) {
            Ok(length) => drop(records.drain(..length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => other.ping(1),
            Err(error) => break error.kind(),
        }
    };
    assert!(matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended:?}");
    other.ping(2);
    let stats = running.control.stats().unwrap();
    assert_eq!((stats.stalled_total, stats.connections), (1, 1));
}

/// A header, and a handshake behind it.
fn proxied(running: &Running, clients: &Arc<ClientConfig>, header: &[u8]) -> Client {
    let mut client = Client::connect(running.address);
    for piece in header.chunks(7) {
        client.write(piece);
        running.control.stats().unwrap();
    }
    client.cover(clients);
    client
}

#[test]
fn a_proxy_says_whom_it_connects_before_the_handshake() {
    let proxy_from = vec!["127.0.0.1/32".parse().unwrap()];
    let limited = GatewayConfig { proxy_from, connections_per_prefix: 2, ..config() };
    let (running, clients) = start(4, limited);
    let header = |last| {
        let addresses = [192, 0, 2, last, 10, 0, 0, 1, 200, 1, 0, 5];
        [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", &addresses[..]].concat()
    };
    let held: Vec<_> = (1..=8_u8)
        .map(|user| {
            let mut client = proxied(&running, &clients, &header(user % 4));
            client.say_hello(user.into(), hello(1));
            client.expect::<Welcome>();
            client
        })
        .collect();
    let mut third = Client::connect(running.address);
    third.try_write(&header(1));
    third.expect_end();
    // What begins with a handshake is no header.
    let mut direct = Client::connect(running.address);
    direct.try_write(&[22, 3, 1, 0, 5, 1, 0, 0, 1, 7]);
    direct.expect_end();
    let stats = running.control.stats().unwrap();
    assert_eq!((stats.shed_total["prefix"], stats.shed_total["proxy_header"]), (1, 1));
    assert_eq!(stats.handshakes.done_total, held.len() as u64);
}
