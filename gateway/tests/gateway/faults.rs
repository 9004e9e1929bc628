//! Whatever one client does wrong, it is told, and nobody else is.

use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::header::{HEADER_BYTES, Header, IGNORABLE};
use answerback_proto::kind::{
    Ack, CaughtUp, Deliver, Error, Kind, Ping, Pong, Resync, Send, Skip, Welcome,
};
use serde_json::Value;

use crate::client::{Client, frame, hello, hello_frame, send_frame};
use crate::running::Running;

const USER: u128 = 21;
const BYSTANDER: u128 = 22;
const NOBODY: u128 = 99;

fn header_only(header: Header) -> Vec<u8> {
    header.to_bytes().to_vec()
}

fn a_header() -> Header {
    Header {
        length: HEADER_BYTES as u32,
        kind_number: Kind::Ping.number(),
        envelope_length: 0,
        flags: 0,
        tag: 7,
        target: 0,
    }
}

fn ping_of_length(length: usize) -> Vec<u8> {
    let mut bytes = frame(7, 0, &Ping { echo: 0 }, &[]);
    bytes.resize(HEADER_BYTES + length, 0);
    let header =
        Header { length: bytes.len() as u32, envelope_length: length as u16, ..a_header() };
    bytes.splice(..HEADER_BYTES, header.to_bytes());
    bytes
}

/// A name, bytes of an open session, and the code, kind and tag that it is told.
type Fault = (&'static str, Vec<u8>, (Code, Kind, u32));

/// What an open session may do wrong.
fn matrix() -> Vec<Fault> {
    let send = Send { sequence: 1, seen_ms: 0, life_s: 0, content_type: 0 };
    let deliver = Deliver {
        position: 1,
        after: 0,
        device: 1,
        sequence: 1,
        accepted_at_ms: 0,
        content_type: 0,
    };
    vec![
        (
            "a second hello",
            hello_frame(USER, hello(1), b""),
            (Code::KindNotAllowed, Kind::Hello, 1),
        ),
        ("a server's kind", frame(0, 0, &deliver, &[]), (Code::KindNotAllowed, Kind::Deliver, 0)),
        (
            "a request without a tag",
            send_frame(0, NOBODY, 1, b""),
            (Code::TagMismatch, Kind::Send, 0),
        ),
        (
            "an ack with a tag",
            frame(7, USER, &Ack { up_to: 0 }, &[]),
            (Code::TagMismatch, Kind::Ack, 0),
        ),
        (
            "another's ack",
            frame(0, BYSTANDER, &Ack { up_to: 0 }, &[]),
            (Code::NotYours, Kind::Ack, 0),
        ),
        (
            "another's resync",
            frame(0, BYSTANDER, &Resync { cursor: 0 }, &[]),
            (Code::NotYours, Kind::Resync, 0),
        ),
        (
            "an ack beyond what was sent",
            frame(0, USER, &Ack { up_to: 1 }, &[]),
            (Code::AckBeyondSent, Kind::Ack, 0),
        ),
        ("a short envelope", ping_of_length(7), (Code::FrameMalformed, Kind::Ping, 7)),
        ("a long envelope", ping_of_length(9), (Code::FrameMalformed, Kind::Ping, 7)),
        (
            "a payload where none belongs",
            frame(7, 0, &Ping { echo: 0 }, b"payload"),
            (Code::FrameMalformed, Kind::Ping, 7),
        ),
        (
            "a sequence of 0",
            frame(7, BYSTANDER, &Send { sequence: 0, ..send.clone() }, &[]),
            (Code::FrameMalformed, Kind::Send, 7),
        ),
        (
            "a life without end",
            frame(7, BYSTANDER, &Send { life_s: u32::MAX, ..send }, &[]),
            (Code::FrameMalformed, Kind::Send, 7),
        ),
        (
            "a range that is empty",
            frame(7, BYSTANDER, &Skip { from: 2, to: 1 }, &[]),
            (Code::RangeInvalid, Kind::Skip, 7),
        ),
        (
            "a range that is too long",
            frame(7, BYSTANDER, &Skip { from: 1, to: 65 }, &[]),
            (Code::RangeInvalid, Kind::Skip, 7),
        ),
    ]
}

#[test]
fn each_fault_has_its_code_and_costs_nobody_else_anything() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut bystander = Client::login(running.address, BYSTANDER);
        for (counter, (name, bytes, expected)) in (1..).zip(matrix()) {
            let mut client = Client::connect(running.address);
            let hello = answerback_proto::kind::Hello { connection_counter: counter, ..hello(1) };
            client.say_hello(USER, hello);
            client.expect::<Welcome>();
            client.expect::<CaughtUp>();
            client.write(&bytes);
            let (code, kind, tag) = client.expect_error();
            assert_eq!((code, kind, tag), (expected.0, expected.1.number(), expected.2), "{name}");
            bystander.ping(counter);
        }
    }
}

#[test]
fn behind_a_fault_of_its_header_nothing_is_heard() {
    let running = Running::start(1);
    let mut client = Client::login(running.address, USER);
    let _bystander = Client::login(running.address, BYSTANDER);
    let mut bytes = frame(0, BYSTANDER, &Ack { up_to: 0 }, &[]);
    bytes.extend_from_slice(&frame(8, 0, &Ping { echo: 0 }, &[]));
    bytes.extend_from_slice(&send_frame(9, BYSTANDER, 1, b"too late"));
    client.write(&bytes);
    assert_eq!(client.expect_error(), (Code::NotYours, Kind::Ack.number(), 0));
}

/// The one that the shard finds and the one that the gateway finds.
#[test]
fn of_two_faults_at_once_one_is_told() {
    let running = Running::start(1);
    let _bystander = Client::login(running.address, BYSTANDER);
    for user in 5000..5020 {
        let mut client = Client::login(running.address, user);
        let mut bytes = send_frame(9, BYSTANDER, 0, b"no such number");
        bytes.extend_from_slice(&frame(0, BYSTANDER, &Ack { up_to: 0 }, &[]));
        client.write(&bytes);
        let (code, _, _) = client.expect_error();
        assert!(matches!(code, Code::NotYours | Code::FrameMalformed), "{code:?}");
    }
}

#[test]
fn headers_that_cannot_be_are_refused() {
    let running = Running::start(1);
    let mut bystander = Client::login(running.address, BYSTANDER);
    for (user, (header, expected)) in (1000..).zip([
        (Header { length: u32::MAX, ..a_header() }, (Code::FrameTooLarge, 0, 0)),
        (Header { length: 65_537, ..a_header() }, (Code::FrameTooLarge, 0, 0)),
        (Header { length: 0, ..a_header() }, (Code::FrameMalformed, 0, 0)),
        (Header { length: 31, ..a_header() }, (Code::FrameMalformed, 0, 0)),
        (Header { envelope_length: 1, ..a_header() }, (Code::FrameMalformed, 0, 0)),
        (Header { flags: 4, ..a_header() }, (Code::FrameMalformed, 0, 0)),
        (Header { kind_number: 0x7777, ..a_header() }, (Code::UnknownKind, 0x7777, 7)),
    ]) {
        let mut client = Client::login(running.address, user);
        client.write(&header_only(header));
        assert_eq!(client.expect_error(), expected, "{header:?}");
        bystander.ping(1);
    }
}

#[test]
fn an_unknown_kind_may_be_passed_over_and_pongs_need_no_answer() {
    let running = Running::start(1);
    let mut client = Client::login(running.address, USER);
    client.write(&header_only(Header { kind_number: 0x7777, flags: IGNORABLE, ..a_header() }));
    client.write(&frame(0, 0, &Pong { echo: 3 }, &[]));
    client.ping(4);
}

/// The vectors of the protocol: what any client's frame of an open session may be refused
/// for. Those of a `Hello` or a `Resume` are faults of place here, and a target is not theirs to check.
#[test]
fn the_golden_bad_frames_are_refused_with_their_codes() {
    let running = Running::start(2);
    let vectors = include_str!("../../../proto/vectors/bad.jsonl");
    let mut tried = 0;
    for (user, line) in (2000..).zip(vectors.lines()) {
        let vector: Value = serde_json::from_str(line).unwrap();
        let bytes = bytes_of(vector["bytes"].as_str().unwrap());
        let is_ours = vector["from"] == "client" && vector["limit"] == 65_536;
        let opens = matches!(kind_of(&bytes), Some(Kind::Hello | Kind::Resume));
        if !is_ours || vector["code"].is_null() || opens {
            continue;
        }
        let mut client = Client::login(running.address, user);
        client.write(&for_user(bytes, user));
        let (code, _, _) = client.expect_error();
        assert_eq!(Some(code.name()), vector["code"].as_str(), "{}", vector["name"]);
        tried += 1;
    }
    assert!(tried > 30, "{tried}");
}

/// A frame whose target is the user, where the kind wants that.
fn for_user(mut bytes: Vec<u8>, user: u128) -> Vec<u8> {
    let is_own = |kind: Kind| {
        let is_own = Kind::CreateGroup == kind || kind.is_about_own();
        is_own || matches!(kind, Kind::Ack | Kind::Resync | Kind::Read | Kind::Renew)
    };
    if kind_of(&bytes).is_some_and(is_own) && bytes.len() >= HEADER_BYTES {
        bytes.splice(16..32, user.to_le_bytes());
    }
    bytes
}

/// The kind of a frame, where there are enough bytes for one.
pub(crate) fn kind_of(bytes: &[u8]) -> Option<Kind> {
    let (_, behind) = bytes.split_at_checked(4)?;
    Kind::from_number(u16::from_le_bytes(*behind.first_chunk()?))
}

/// The bytes of a vector.
pub(crate) fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> = hexadecimal.bytes().collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// A client that is told about a fault while it still sends gets to read it.
#[test]
fn the_last_word_survives_what_is_still_being_sent() {
    let running = Running::start(1);
    for user in 3000..3020 {
        let mut client = Client::login(running.address, user);
        let mut bytes = Vec::new();
        let address = Address { flags: 0, tag: 0, target: NOBODY };
        append_frame(&mut bytes, address, &Ack { up_to: 0 }, &[], &[]);
        bytes.resize(bytes.len() + 1_000_000, 0);
        // The box may shut its end before all of it is taken.
        let _ = std::io::Write::write_all(&mut client.socket, &bytes);
        let (_, error) = client.expect::<Error>();
        assert_eq!(error.code, Code::NotYours.number());
        client.expect_orderly_end();
    }
}

/// Its last bytes and its end are often read one right after the other.
#[test]
fn who_says_no_more_is_told_all_the_same() {
    let running = Running::start(2);
    for user in 6000..6050 {
        for mut client in [Client::connect(running.address), Client::login(running.address, user)] {
            client.write(b"GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n");
            client.finish();
            assert_eq!(client.expect_error(), (Code::FrameTooLarge, 0, 0));
        }
    }
}

#[test]
fn who_is_gone_or_half_gone_is_forgotten() {
    let running = Running::start(2);
    let mut half = Client::login(running.address, USER);
    half.finish();
    half.expect_end();
    for user in 4000..4050 {
        drop(Client::login(running.address, user));
    }
    // Last bytes and end at once: there is one event for both.
    for _ in 0..200 {
        let mut brief = Client::connect(running.address);
        brief.write(&[1, 2, 3]);
        brief.finish();
        brief.expect_end();
    }
    let mut bystander = Client::login(running.address, BYSTANDER);
    bystander.ping(1);
}
