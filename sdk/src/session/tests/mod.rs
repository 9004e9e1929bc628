//! A session against a scripted server, and two sessions against a model of one.

mod anything;
mod asks;
mod codes;
mod deletions;
mod exchange;
mod groups;
mod presence;
mod reads;
mod recall;
mod reports;
mod script;
mod tickets;
mod typing;

use answerback_proto::access::decode;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_proto::kind::{
    Ack, DeleteChat, Deliver, DeviceMark, End, Envelope, Hello, Kind, Ping, Pong, Read, Recall,
    Renew, Resume, Resync, Send, SetVisibility, Skip, Typing, Watch, Welcome,
};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;

use super::{ClientSession, DeviceState, Event, Outgoing};

const ALICE: UserId = UserId(1);
const BOB: UserId = UserId(2);
const PHONE: DeviceId = DeviceId(11);
const GENERATION: u64 = 1;

/// What a client wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Written {
    Hello { tag: u32, user: UserId, hello: Hello, token: String },
    Resume { tag: u32, user: UserId, resume: Resume, sealed: Vec<u8> },
    Renew { tag: u32, token: Vec<u8> },
    Send { tag: u32, peer: UserId, send: Send, payload: Vec<u8> },
    Recall { tag: u32, peer: UserId, recall: Recall, payload: Vec<u8> },
    Skip { tag: u32, peer: UserId, skip: Skip },
    Read { tag: u32, read: Read },
    Own { tag: u32, kind: Kind, envelope: Vec<u8> },
    DeleteChat { tag: u32, delete: DeleteChat, marks: Vec<DeviceMark> },
    Ack(u64),
    Resync(u64),
    Ping { tag: u32, echo: u64 },
    Pong { tag: u32, echo: u64 },
    Typing { peer: UserId, state: u16, is_user_action: bool },
    Watch { tag: u32, once: u16, users: Vec<u128>, is_user_action: bool },
    SetVisibility { tag: u32, visibility: u16, is_user_action: bool },
}

/// Cuts written bytes into frames.
fn read_frames(buffer: &mut FrameBuffer, mut bytes: &[u8]) -> Vec<Written> {
    let mut all = Vec::new();
    loop {
        let mut rest = bytes;
        let Some(frame) = buffer.next_frame(&mut rest, FRAME_BYTES_HARD_MAX).unwrap() else {
            return all;
        };
        let used = bytes.len() - rest.len();
        let (tag, target) = (frame.header.tag, UserId(frame.header.target));
        all.push(match frame.header.kind().unwrap() {
            Kind::Hello => {
                let (hello, tail) = Hello::read(frame.envelope).unwrap();
                let token = String::from_utf8(tail.secret().to_vec()).unwrap();
                Written::Hello { tag, user: target, hello, token }
            }
            Kind::Resume => {
                let (resume, tail) = Resume::read(frame.envelope).unwrap();
                Written::Resume { tag, user: target, resume, sealed: tail.secret().to_vec() }
            }
            Kind::Renew => {
                Written::Renew { tag, token: Renew::read(frame.envelope).unwrap().1.to_vec() }
            }
            Kind::Send => Written::Send {
                tag,
                peer: target,
                send: decode(frame.envelope).unwrap(),
                payload: frame.payload.to_vec(),
            },
            Kind::Recall => Written::Recall {
                tag,
                peer: target,
                recall: decode(frame.envelope).unwrap(),
                payload: frame.payload.to_vec(),
            },
            Kind::Read => Written::Read { tag, read: decode(frame.envelope).unwrap() },
            Kind::DeleteChat => {
                let (delete, marks) = DeleteChat::read(frame.envelope).unwrap();
                Written::DeleteChat { tag, delete, marks: marks.iter().collect() }
            }
            Kind::Skip => {
                Written::Skip { tag, peer: target, skip: decode(frame.envelope).unwrap() }
            }
            Kind::Watch => {
                let (watch, users) = Watch::read(frame.envelope).unwrap();
                assert_eq!(target, ALICE);
                let users = users.iter().map(|user| user.0).collect();
                let is_user_action = frame.header.is_user_action();
                Written::Watch { tag, once: watch.once, users, is_user_action }
            }
            Kind::SetVisibility => Written::SetVisibility {
                tag,
                visibility: decode::<SetVisibility>(frame.envelope).unwrap().visibility,
                is_user_action: frame.header.is_user_action(),
            },
            kind if kind.is_about_own() => {
                assert_eq!(target, ALICE);
                Written::Own { tag, kind, envelope: frame.envelope.to_vec() }
            }
            kind @ Kind::Report => Written::Own { tag, kind, envelope: frame.envelope.to_vec() },
            Kind::Ack => Written::Ack(decode::<Ack>(frame.envelope).unwrap().up_to),
            Kind::Resync => Written::Resync(decode::<Resync>(frame.envelope).unwrap().cursor),
            Kind::Ping => Written::Ping { tag, echo: decode::<Ping>(frame.envelope).unwrap().echo },
            Kind::Pong => Written::Pong { tag, echo: decode::<Pong>(frame.envelope).unwrap().echo },
            Kind::Typing => Written::Typing {
                peer: target,
                state: decode::<Typing>(frame.envelope).unwrap().state,
                is_user_action: frame.header.is_user_action(),
            },
            other => panic!("a client does not send {}", other.name()),
        });
        bytes = &bytes[used..];
    }
}

/// All that a session wants to write.
fn written(session: &mut ClientSession) -> Vec<Written> {
    let mut bytes = Vec::new();
    while session.poll_transmit(&mut bytes) {}
    read_frames(&mut FrameBuffer::default(), &bytes)
}

fn events(session: &mut ClientSession) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

fn frame<E: Envelope>(tag: u32, target: UserId, envelope: &E, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_frame(&mut bytes, Address { flags: 0, tag, target: target.0 }, envelope, &[], payload);
    bytes
}

fn welcome(tag: u32, generation: u64, cursor: u64) -> Vec<u8> {
    let kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Client)).collect();
    welcome_with_kinds(tag, generation, cursor, &kinds)
}

fn welcome_with_kinds(tag: u32, generation: u64, cursor: u64, kinds: &[Kind]) -> Vec<u8> {
    welcome_frame(tag, generation, cursor, kinds, &[])
}

fn welcome_frame(tag: u32, generation: u64, cursor: u64, kinds: &[Kind], ticket: &[u8]) -> Vec<u8> {
    let welcome = Welcome {
        version: 1,
        kinds_count: 0,
        ticket_length: 0,
        lapsed: 0,
        server_time_ms: 1_000,
        session: 1,
        generation,
        cursor,
        pending_count: 0,
        pending_bytes: 0,
        frame_bytes_max: 4_096,
        undecided_max: 64,
        heartbeat_min_s: 10,
        heartbeat_max_s: 30,
    };
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag, target: ALICE.0 };
    welcome.append(&mut bytes, address, kinds, ticket).unwrap();
    bytes
}

fn deliver(after: u64, position: u64) -> Vec<u8> {
    let deliver = Deliver {
        position,
        after,
        device: 22,
        sequence: position,
        accepted_at_ms: 5,
        content_type: 7,
    };
    frame(0, BOB, &deliver, b"hello")
}

fn device(user: UserId, device: DeviceId) -> DeviceState {
    DeviceState {
        user,
        device,
        generation: Generation(0),
        cursor: Position(0),
        undecided: Vec::new(),
        unnoted_reads: Vec::new(),
        ticket: None,
    }
}

fn message(sequence: u64) -> Outgoing {
    Outgoing {
        peer: BOB,
        sequence: Sequence(sequence),
        content_type: 1,
        seen_ms: 0,
        life_s: 0,
        payload: format!("message {sequence}").into_bytes(),
        recalled: None,
        to_group: false,
    }
}

/// A session of Alice that is open with a server that takes only these kinds.
fn opened_with_kinds(kinds: &[Kind]) -> ClientSession {
    let mut session = ClientSession::new(device(ALICE, PHONE));
    session.handle_connected(1, "token");
    let Written::Hello { tag, .. } = written(&mut session)[0] else { panic!("no Hello") };
    session.handle_received(0, &welcome_with_kinds(tag, GENERATION, 0, kinds)).unwrap();
    events(&mut session);
    session
}

/// A session of Alice that is open, its cursor at `cursor`.
fn opened(cursor: u64) -> ClientSession {
    let mut session = ClientSession::new(device(ALICE, PHONE));
    open(&mut session, cursor);
    session
}

fn open(session: &mut ClientSession, cursor: u64) {
    session.handle_connected(1, "token");
    let Written::Hello { tag, .. } = written(session)[0] else { panic!("no Hello") };
    session.handle_received(0, &welcome(tag, GENERATION, cursor)).unwrap();
    assert!(matches!(events(session).last(), Some(Event::Opened { .. })));
}
