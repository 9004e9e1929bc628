//! The driver against a server that answers by script, over a loopback socket.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::header::Header;
use answerback_proto::id::{DeviceId, Position, UserId};
use answerback_proto::kind::{Accepted, Deliver, Envelope, Error, Kind, Welcome};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;
use answerback_sdk::driver::{Client, ClientError};
use answerback_sdk::session::Event;
use answerback_sdk::storage::{SentState, Storage};

const ALICE: UserId = UserId(1);
const BOB: UserId = UserId(2);
const LONG: Duration = Duration::from_secs(20);

fn write<E: Envelope>(stream: &mut TcpStream, tag: u32, target: UserId, envelope: &E) {
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag, target: target.0 };
    append_frame(&mut bytes, address, envelope, &[], b"");
    stream.write_all(&bytes).unwrap();
}

/// The headers that come, until one of `kind`; it is the last.
fn read_until(stream: &mut TcpStream, kind: Kind) -> Header {
    let mut frames = FrameBuffer::default();
    let mut byte = [0; 1];
    loop {
        stream.read_exact(&mut byte).unwrap();
        let mut received = &byte[..];
        let frame = frames.next_frame(&mut received, FRAME_BYTES_HARD_MAX).unwrap();
        if let Some(header) = frame.map(|frame| frame.header).filter(|h| h.kind() == Some(kind)) {
            return header;
        }
    }
}

fn welcome(stream: &mut TcpStream, cursor: u64) {
    let hello = read_until(stream, Kind::Hello);
    let welcome = Welcome {
        version: 1,
        kinds_count: 0,
        ticket_length: 0,
        lapsed: 0,
        server_time_ms: 0,
        session: 1,
        generation: 1,
        cursor,
        pending_count: 0,
        pending_bytes: 0,
        frame_bytes_max: 65_536,
        undecided_max: 64,
        heartbeat_min_s: 30,
        heartbeat_max_s: 300,
    };
    write(stream, hello.tag, ALICE, &welcome);
}

/// A server that runs `script` on each connection in turn.
fn serve(scripts: Vec<fn(&mut TcpStream)>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        for script in scripts {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            script(&mut stream);
        }
    });
    (address, server)
}

fn storage(directory: &tempfile::TempDir) -> Storage {
    Storage::open(&directory.path().join("alice"), ALICE, DeviceId(11)).unwrap()
}

#[test]
fn an_entry_is_stored_before_it_is_acknowledged() {
    let (address, server) = serve(vec![|stream| {
        welcome(stream, 4);
        let deliver = Deliver {
            position: 5,
            after: 4,
            device: 22,
            sequence: 1,
            accepted_at_ms: 1,
            content_type: 1,
        };
        write(stream, 0, BOB, &deliver);
        read_until(stream, Kind::Ack);
    }]);
    let directory = tempfile::tempdir().unwrap();
    let mut client = Client::connect(&address, "token", storage(&directory)).unwrap();
    let mut events = Vec::new();
    while !events.iter().any(|event| matches!(event, Event::Entry(_))) {
        events.extend(client.receive(LONG).unwrap());
    }
    assert_eq!(client.storage().device_state().unwrap().cursor, Position(5));
    assert_eq!(client.storage().to_hand_over(10).unwrap().len(), 1);
    server.join().unwrap();
}

#[test]
fn what_was_undecided_is_sent_again_on_the_next_connection() {
    let (address, server) = serve(vec![
        |stream| {
            welcome(stream, 0);
            read_until(stream, Kind::Send);
        },
        |stream| {
            welcome(stream, 0);
            let send = read_until(stream, Kind::Send);
            write(stream, send.tag, BOB, &Accepted { sequence: 1, accepted_at_ms: 9 });
            read_until(stream, Kind::Send);
        },
    ]);
    let directory = tempfile::tempdir().unwrap();
    let mut client = Client::connect(&address, "token", storage(&directory)).unwrap();
    let sequences = client.send([(BOB, 1, b"hello".to_vec())]).unwrap();
    let ended = loop {
        match client.receive(LONG) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(ended, ClientError::Disconnected(_)), "{ended:?}");
    client.reconnect().unwrap();
    while client.undecided() > 0 {
        client.receive(LONG).unwrap();
    }
    let sent = client.storage().sent(BOB, sequences[0]).unwrap().unwrap();
    assert_eq!(sent.state, SentState::Accepted);
    client.send([(BOB, 1, Vec::new())]).unwrap();
    server.join().unwrap();
}

#[test]
fn a_refused_login_says_why() {
    let (address, server) = serve(vec![|stream| {
        let hello = read_until(stream, Kind::Hello);
        let code = Code::TokenExpired.number();
        write(stream, hello.tag, UserId(0), &Error { code, kind: 1, retry_after_ms: 0 });
    }]);
    let directory = tempfile::tempdir().unwrap();
    let error = Client::connect(&address, "token", storage(&directory)).unwrap_err();
    assert!(matches!(error, ClientError::Closed(4002)), "{error:?}");
    assert!(error.to_string().contains("TokenExpired"));
    server.join().unwrap();
}

#[test]
fn nobody_listens() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    let error = Client::connect(&address, "token", storage(&directory)).unwrap_err();
    assert!(matches!(error, ClientError::Connect { .. }), "{error:?}");
}
