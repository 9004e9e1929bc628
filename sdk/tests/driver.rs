//! The driver against a server that answers by script, over a loopback socket.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use answerback_proto::access::decode;
use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::header::Header;
use answerback_proto::id::{DeviceId, Position, Sequence, UserId};
use answerback_proto::kind::{
    Accepted, Copied, Deliver, End, Envelope, Error, Failed, Hello, Kind, Read as ReadFrame,
    ReadNoted, Recall, Send, Welcome,
};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;
use answerback_sdk::driver::{Client, ClientError};
use answerback_sdk::session::Event;
use answerback_sdk::storage::{Draft, Fate, SentState, Storage};

const ALICE: UserId = UserId(1);
const BOB: UserId = UserId(2);
const LONG: Duration = Duration::from_secs(20);

fn write<E: Envelope>(stream: &mut TcpStream, tag: u32, target: UserId, envelope: &E) {
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag, target: target.0 };
    append_frame(&mut bytes, address, envelope, &[], b"");
    stream.write_all(&bytes).unwrap();
}

/// Passes over frames until one of `kind`: its header.
fn read_until(stream: &mut TcpStream, kind: Kind) -> Header {
    read_frame_until(stream, kind).0
}

/// Passes over frames until one of its kind: its tag and what it says.
fn read_envelope<E: Envelope>(stream: &mut TcpStream) -> (u32, E) {
    let (header, envelope) = read_frame_until(stream, E::KIND);
    (header.tag, decode(&envelope).unwrap())
}

fn read_frame_until(stream: &mut TcpStream, kind: Kind) -> (Header, Vec<u8>) {
    let mut frames = FrameBuffer::default();
    let mut byte = [0; 1];
    loop {
        stream.read_exact(&mut byte).unwrap();
        let mut received = &byte[..];
        let frame = frames.next_frame(&mut received, FRAME_BYTES_HARD_MAX).unwrap();
        if let Some(frame) = frame.filter(|frame| frame.header.kind() == Some(kind)) {
            return (frame.header, frame.envelope.to_vec());
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
    let kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Client)).collect();
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag: hello.tag, target: ALICE.0 };
    welcome.append(&mut bytes, address, &kinds, b"").unwrap();
    stream.write_all(&bytes).unwrap();
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

fn accept(stream: &mut TcpStream, tag: u32, sequence: u64) {
    write(stream, tag, BOB, &Accepted { sequence, accepted_at_ms: 8 + sequence });
}

fn deliver(stream: &mut TcpStream, position: u64) {
    let deliver = Deliver {
        position,
        after: position - 1,
        device: 22,
        sequence: position,
        accepted_at_ms: 1,
        content_type: 1,
    };
    write(stream, 0, BOB, &deliver);
}

/// Receives until something of this form happened.
fn receive_until(client: &mut Client, is_it: impl Fn(&Event) -> bool) {
    while !client.receive(LONG).unwrap().iter().any(&is_it) {}
}

#[test]
fn an_entry_is_stored_before_it_is_acknowledged() {
    let (address, server) = serve(vec![|stream| {
        welcome(stream, 4);
        deliver(stream, 5);
        read_until(stream, Kind::Ack);
    }]);
    let directory = tempfile::tempdir().unwrap();
    let mut client = Client::connect(&address, "token", storage(&directory)).unwrap();
    receive_until(&mut client, |event| matches!(event, Event::Entry(_)));
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
            accept(stream, send.tag, 1);
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
fn a_read_is_said_until_it_is_noted_also_after_a_restart() {
    let (address, server) = serve(vec![
        |stream| {
            welcome(stream, 0);
            deliver(stream, 1);
            read_until(stream, Kind::Ack);
            read_until(stream, Kind::Read);
        },
        |stream| {
            welcome(stream, 1);
            let (tag, read) = read_envelope::<ReadFrame>(stream);
            assert_eq!(read, ReadFrame { peer: BOB.0, device: 22, up_to: 1 });
            write(stream, tag, ALICE, &ReadNoted { up_to: 1 });
            read_until(stream, Kind::Send);
        },
    ]);
    let directory = tempfile::tempdir().unwrap();
    let mut client = Client::connect(&address, "token", storage(&directory)).unwrap();
    receive_until(&mut client, |event| matches!(event, Event::Entry(_)));
    client.read(BOB, DeviceId(22), Sequence(1)).unwrap();
    drop(client);
    let mut client = Client::connect(&address, "token", storage(&directory)).unwrap();
    receive_until(&mut client, |event| matches!(event, Event::ReadNoted { .. }));
    assert_eq!(client.storage().device_state().unwrap().unnoted_reads, []);
    client.send([Draft::new(BOB, 1, "the end")]).unwrap();
    server.join().unwrap();
}

#[test]
fn a_message_with_a_life_is_taken_back() {
    let (address, server) = serve(vec![|stream| {
        welcome(stream, 0);
        let (tag, send) = read_envelope::<Send>(stream);
        assert_eq!((send.sequence, send.life_s), (1, 60));
        accept(stream, tag, 1);
        let (tag, recall) = read_envelope::<Recall>(stream);
        assert_eq!((recall.sequence, recall.recalled), (2, 1));
        accept(stream, tag, 2);
        let code = Code::Recalled.number();
        let failed = Failed { position: 1, after: 0, device: 11, sequence: 1, code };
        write(stream, 0, BOB, &failed);
        read_until(stream, Kind::Ack);
    }]);
    let directory = tempfile::tempdir().unwrap();
    let mut client = Client::connect(&address, "token", storage(&directory)).unwrap();
    let sent = client.send([Draft::new(BOB, 1, "soon").with_life_s(60)]).unwrap();
    let recall = client.recall(BOB, sent[0], 2, "forget it").unwrap();
    receive_until(&mut client, |event| matches!(event, Event::Entry(_)));
    let state = |client: &mut Client, sequence| {
        client.storage().sent(BOB, sequence).unwrap().unwrap().state
    };
    assert_eq!(state(&mut client, sent[0]), SentState::Recalled);
    assert_eq!(state(&mut client, recall), SentState::Accepted);
    assert!(matches!(client.recall(BOB, Sequence(9), 2, ""), Err(ClientError::Storage(_))));
    server.join().unwrap();
}

#[test]
fn what_another_device_has_sent_is_in_the_chat() {
    let (address, server) = serve(vec![|stream| {
        welcome(stream, 0);
        let copied = Copied {
            position: 1,
            after: 0,
            device: 12,
            sequence: 7,
            accepted_at_ms: 5,
            content_type: 1,
        };
        write(stream, 0, BOB, &copied);
        read_until(stream, Kind::Ack);
    }]);
    let directory = tempfile::tempdir().unwrap();
    let mut client = Client::connect(&address, "token", storage(&directory)).unwrap();
    receive_until(&mut client, |event| matches!(event, Event::Entry(_)));
    let chat = client.storage().chat(BOB, 10).unwrap();
    let shown: Vec<_> = chat.iter().map(|one| (one.sender, one.device, one.fate)).collect();
    assert_eq!(shown, [(ALICE, DeviceId(12), Fate::Sent(SentState::Accepted))]);
    assert_eq!(client.storage().to_hand_over(10).unwrap(), [], "nobody sent it to this user");
    server.join().unwrap();
}

/// A counter that was used once is never used again, whatever became of its connection.
#[test]
fn each_hello_has_a_greater_counter_that_was_stored_before() {
    let (address, server) = serve(vec![
        |stream| {
            read_until(stream, Kind::Hello);
        },
        |stream| {
            let (header, envelope) = read_frame_until(stream, Kind::Hello);
            let (hello, _) = Hello::read(&envelope).unwrap();
            assert_eq!(hello.connection_counter, 2);
            let code = Code::DeviceRevoked.number();
            write(stream, header.tag, UserId(0), &Error { code, kind: 1, retry_after_ms: 0 });
        },
    ]);
    let directory = tempfile::tempdir().unwrap();
    let cut = Client::connect(&address, "token", storage(&directory)).unwrap_err();
    assert!(matches!(cut, ClientError::Disconnected(_)), "{cut:?}");
    let revoked = Client::connect(&address, "token", storage(&directory)).unwrap_err();
    assert!(matches!(revoked, ClientError::Closed(6003)), "{revoked:?}");
    assert!(revoked.to_string().contains("DeviceRevoked"));
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
