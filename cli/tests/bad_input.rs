//! Whatever is thrown at a running box: it says what is wrong, serves everybody else, and
//! keeps nothing of it. What each fault is told stands in the gateway's tests; here are the
//! ones that need the whole box: its descriptors, its disk, its next start.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use answerback_proto::access::{access, access_exact};
use answerback_proto::code::{Class, Code};
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::kind::{
    Accepted, End, Envelope, Error, Hello, Kind, OutOfOrder, Send, Welcome,
};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Place, Server, json_lines};

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);
const DEVICE: u32 = 7;

/// A connection that says whatever a test wants.
struct Raw {
    socket: TcpStream,
    frames: FrameBuffer,
    received: Vec<u8>,
}

/// Header tag, kind and envelope.
type Told = (u32, Option<Kind>, Vec<u8>);

impl Raw {
    fn connect(server: &Server) -> Self {
        let socket = TcpStream::connect(&server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { socket, frames: FrameBuffer::default(), received: Vec::new() }
    }

    /// A session of a user's device, its `counter`th.
    fn log_in(place: &Place, server: &Server, user: u32, counter: u64) -> Self {
        let hello = Hello {
            version_min: 1,
            version_max: 1,
            kinds_count: 0,
            token_length: 0,
            device: u128::from(DEVICE),
            app_build: 1,
            mode: 0,
            credit_frames: 256,
            credit_bytes: 1 << 20,
            connection_counter: counter,
            generation: 0,
            cursor: 0,
        };
        let kinds: Vec<Kind> =
            Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Server)).collect();
        let (mut bytes, token) = (Vec::new(), place.token(user, DEVICE));
        let address = Address { flags: 0, tag: 1, target: u128::from(user) };
        hello.append(&mut bytes, address, &kinds, token.as_bytes()).unwrap();
        let mut raw = Self::connect(server);
        raw.socket.write_all(&bytes).unwrap();
        let envelope = raw.answer(1, Kind::Welcome);
        assert_eq!(access::<Welcome>(&envelope).unwrap().0.version, 1);
        raw
    }

    fn send(&mut self, to: u32, sequence: u64, payload: &[u8]) {
        self.socket.write_all(&send_frame(to, sequence, payload)).unwrap();
    }

    /// The answer to a tag, which must be of this kind.
    fn answer(&mut self, tag: u32, kind: Kind) -> Vec<u8> {
        loop {
            let (its_tag, its_kind, envelope) = self.next().unwrap();
            if its_tag == tag {
                assert_eq!(its_kind, Some(kind));
                return envelope;
            }
        }
    }

    /// The next frame; none at the end.
    fn next(&mut self) -> Option<Told> {
        loop {
            let mut rest = self.received.as_slice();
            let frame = self.frames.next_frame(&mut rest, FRAME_BYTES_HARD_MAX).unwrap();
            let told =
                frame.map(|frame| (frame.header.tag, frame.header.kind(), frame.envelope.to_vec()));
            self.received = rest.to_vec();
            if told.is_some() {
                return told;
            }
            let mut buffer = [0; 4096];
            match self.socket.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => self.received.extend_from_slice(buffer.get(..length).unwrap()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                    return None;
                }
            }
        }
    }

    /// Says it and no more; the error that comes before the end, where one does.
    fn say_last(mut self, bytes: &[u8]) -> Option<Code> {
        // The box may be through with it before all of it is taken.
        let _ = self.socket.write_all(bytes);
        let _ = self.socket.shutdown(Shutdown::Write);
        let mut code = None;
        while let Some((_, kind, envelope)) = self.next() {
            assert_eq!(code, None, "nothing comes behind an error");
            if kind == Some(Kind::Error) {
                code = Code::from_number(read::<Error>(&envelope).code);
            }
        }
        code
    }
}

fn read<E: Envelope>(envelope: &[u8]) -> E {
    E::from_archived(access_exact::<E>(envelope).unwrap())
}

/// A whole `Send`, its sequence its tag.
fn send_frame(to: u32, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let send = Send { sequence, seen_ms: 0, life_s: 0, content_type: 1 };
    let tag = u32::try_from(sequence).unwrap() + 100;
    let mut bytes = Vec::new();
    append_frame(
        &mut bytes,
        Address { flags: 0, tag, target: u128::from(to) },
        &send,
        &[],
        payload,
    );
    bytes
}

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
