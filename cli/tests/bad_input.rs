//! Whatever is thrown at a running box: it says what is wrong, serves everybody else, and
//! keeps nothing of it. What each fault is told stands in the gateway's tests; here are the
//! ones that need the whole box: its descriptors, its disk, its next start.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::thread;

use answerback_proto::code::{Class, Code};
use answerback_proto::kind::{Accepted, Kind, OutOfOrder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::raw::{Raw, read, send_frame};
use common::{Place, Server, json_lines};

fn sockets(server: &Server) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// The box closes when it gets to it: looks again until it has, or much too often.
fn is_sometime(condition: impl Fn() -> bool) -> bool {
    (0..10_000).any(|_| {
        thread::yield_now();
        condition()
    })
}

fn receive(place: &Place, server: &Server, user: u32, count: u32) -> Vec<serde_json::Value> {
    let mut command = place.client("recv", &server.address, user);
    command.args(["--timeout", "60", "--count", &count.to_string()]);
    json_lines(&command.output().unwrap())
}

#[test]
fn garbage_costs_nobody_anything_and_leaves_nothing() {
    for cores in [1, 2] {
        let place = Place::new();
        let mut server = Server::serve(&place, cores);
        let sockets_before = sockets(&server);
        place.log_in_once(&server, 1);
        let mut random = fastrand::Rng::with_seed(19);
        for counter in 1..=100 {
            let garbage: Vec<u8> = (0..random.usize(..5000)).map(|_| random.u8(..)).collect();
            for raw in [Raw::connect(&server), Raw::log_in(&place, &server, 3, counter)] {
                let code = raw.say_last(&garbage);
                let is_told = code.map(|code| code.class()) == Some(Class::FixRequest);
                assert!(is_told || garbage.len() < 32, "{code:?} of {} bytes", garbage.len());
            }
        }
        assert!(is_sometime(|| sockets(&server) == sockets_before), "all are closed");
        let output = place.client("send", &server.address, 3).args(["--to", "1", "fine"]).output();
        assert!(output.unwrap().status.success());
        assert_eq!(receive(&place, &server, 1, 1)[0]["text"], "fine");
        assert!(server.stop().success());
    }
}

#[test]
fn other_protocols_are_told_and_closed() {
    let place = Place::new();
    let server = Server::serve(&place, 1);
    let hellos: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"*1\r\n$4\r\nPING\r\n",
    ];
    for hello in hellos {
        // A header is read when it is whole.
        let mut bytes = hello.to_vec();
        bytes.resize(bytes.len().max(32), 0);
        assert_eq!(Raw::connect(&server).say_last(&bytes), Some(Code::FrameTooLarge), "{hello:?}");
    }
}

#[test]
fn a_frame_in_a_payload_is_nothing_but_bytes() {
    let place = Place::new();
    let server = Server::serve(&place, 2);
    place.log_in_once(&server, 2);
    place.log_in_once(&server, 3);
    let mut sender = Raw::log_in(&place, &server, 1, 1);
    let mut nested = send_frame(3, 1, b"unpacked");
    for _ in 0..50 {
        nested = send_frame(3, 1, &nested);
    }
    sender.send(2, 1, &nested);
    sender.answer(101, Kind::Accepted);
    sender.send(3, 1, b"the only one");
    sender.answer(101, Kind::Accepted);
    let line = &receive(&place, &server, 2, 1)[0];
    let payload = STANDARD.decode(line["payload_base64"].as_str().unwrap()).unwrap();
    assert_eq!(payload, nested, "as it was sent");
    assert_eq!(receive(&place, &server, 3, 1)[0]["text"], "the only one");
}

#[test]
fn a_number_sent_again_is_a_repeat_and_one_left_out_is_asked_for() {
    let place = Place::new();
    let mut server = Server::serve(&place, 1);
    place.log_in_once(&server, 2);
    let mut accepted = Vec::new();
    for counter in 1..=3 {
        let mut sender = Raw::log_in(&place, &server, 1, counter);
        sender.send(2, 1, format!("try {counter}").as_bytes());
        accepted.push(read::<Accepted>(&sender.answer(101, Kind::Accepted)).accepted_at_ms);
        sender.send(2, 3, b"too early");
        let ahead: OutOfOrder = read(&sender.answer(103, Kind::OutOfOrder));
        assert_eq!((ahead.sequence, ahead.expected), (3, 2));
        server.kill();
        server = Server::serve(&place, 1);
    }
    assert!(accepted.iter().all(|at_ms| *at_ms == accepted[0]), "one decision: {accepted:?}");
    let mut sender = Raw::log_in(&place, &server, 1, 4);
    sender.send(2, 2, b"second");
    sender.answer(102, Kind::Accepted);
    let lines = receive(&place, &server, 2, 2);
    let texts: Vec<&str> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["try 1", "second"]);
    let positions: Vec<u64> = lines.iter().map(|line| line["position"].as_u64().unwrap()).collect();
    assert_eq!(positions[1], positions[0] + 1, "the repeats had no entry: {positions:?}");
}
