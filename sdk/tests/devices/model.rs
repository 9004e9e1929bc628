//! A server of some users with several devices each, without loss and without limits: what
//! it has decided it keeps for ever. It may change its generation, as after a restore: then
//! everything comes again, under other positions.

use std::collections::BTreeMap;

use answerback_proto::access::decode;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::{DeviceId, Generation, UserId};
use answerback_proto::kind::{
    Accepted, Ack, Copied, Deliver, Delivered, End, Envelope, Hello, Kind, OutOfOrder, Read,
    ReadBy, ReadElsewhere, ReadNoted, Recall, Resync, Send, Welcome,
};

/// An entry, and the device that it is not offered to.
#[derive(Clone, Debug)]
struct Entry {
    peer: UserId,
    body: Body,
    hidden_from: Option<DeviceId>,
}

#[derive(Clone, Debug)]
enum Body {
    Message(Text),
    Copied(Text),
    Delivered { device: DeviceId, up_to: u64 },
    ReadBy { device: DeviceId, up_to: u64 },
    ReadElsewhere { device: DeviceId, up_to: u64 },
}

#[derive(Clone, Debug)]
struct Text {
    device: DeviceId,
    sequence: u64,
    accepted_at_ms: u64,
    payload: Vec<u8>,
}

#[derive(Debug, Default)]
struct Inbox {
    entries: BTreeMap<u64, Entry>,
    last: u64,
    cursors: BTreeMap<DeviceId, u64>,
    /// The last position sent in the session of each device.
    sent: BTreeMap<DeviceId, u64>,
    /// How far the user has read each peer's device.
    read: BTreeMap<(UserId, DeviceId), u64>,
}

/// A chat as one device of one user numbers it: the user, the device, the other user.
type Lane = (UserId, DeviceId, UserId);

/// The server.
#[derive(Debug)]
pub(crate) struct Model {
    generation: Generation,
    inboxes: BTreeMap<UserId, Inbox>,
    /// When each number was accepted, from 1 on.
    accepted: BTreeMap<Lane, Vec<u64>>,
    delivered: BTreeMap<Lane, u64>,
    now_ms: u64,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            generation: Generation(1),
            inboxes: BTreeMap::new(),
            accepted: BTreeMap::new(),
            delivered: BTreeMap::new(),
            now_ms: 1_000,
        }
    }

    /// All entries get other positions, and nobody has acknowledged any.
    pub(crate) fn change_generation(&mut self) {
        self.generation = Generation(self.generation.0 + 1);
        for inbox in self.inboxes.values_mut() {
            let entries = std::mem::take(&mut inbox.entries).into_values();
            inbox.entries = (0..).map(|index| 2 + index * 3).zip(entries).collect();
            inbox.last = inbox.entries.keys().last().copied().unwrap_or_default();
            inbox.cursors.values_mut().for_each(|cursor| *cursor = 0);
        }
    }

    /// Takes a frame of a device's; answers into `out`.
    pub(crate) fn take(
        &mut self,
        (user, device): (UserId, DeviceId),
        frame: &Frame<'_>,
        out: &mut Vec<u8>,
    ) {
        let (tag, peer) = (frame.header.tag, UserId(frame.header.target));
        let lane = (user, device, peer);
        match frame.header.kind().unwrap() {
            Kind::Hello => self.greet(user, device, tag, frame.envelope, out),
            Kind::Send => {
                let send: Send = decode(frame.envelope).unwrap();
                self.post(lane, tag, send.sequence, frame.payload, out);
            }
            Kind::Recall => {
                let recall: Recall = decode(frame.envelope).unwrap();
                self.post(lane, tag, recall.sequence, frame.payload, out);
            }
            Kind::Read => {
                let read: Read = decode(frame.envelope).unwrap();
                let up_to = self.read(user, device, &read);
                write(out, tag, user, &ReadNoted { up_to }, &[]);
            }
            Kind::Ack => self.acknowledge(user, device, decode::<Ack>(frame.envelope).unwrap()),
            Kind::Resync => {
                let Resync { cursor } = decode(frame.envelope).unwrap();
                self.inbox(user).sent.insert(device, cursor);
            }
            other => panic!("a client said {}", other.name()),
        }
    }

    fn greet(
        &mut self,
        user: UserId,
        device: DeviceId,
        tag: u32,
        envelope: &[u8],
        out: &mut Vec<u8>,
    ) {
        let (hello, _) = Hello::read(envelope).unwrap();
        let generation = self.generation;
        let inbox = self.inbox(user);
        let cursor = inbox.cursors.entry(device).or_default();
        if hello.generation == generation.0 {
            *cursor = hello.cursor.min(*cursor);
        }
        let cursor = *cursor;
        inbox.sent.insert(device, cursor);
        let welcome = Welcome {
            version: 1,
            kinds_count: 0,
            ticket_length: 0,
            lapsed: 0,
            server_time_ms: 0,
            session: 1,
            generation: generation.0,
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
        let address = Address { flags: 0, tag, target: user.0 };
        welcome.append(out, address, &kinds, &[]).unwrap();
    }

    fn post(&mut self, lane: Lane, tag: u32, sequence: u64, payload: &[u8], out: &mut Vec<u8>) {
        let (user, device, peer) = lane;
        let times = self.accepted.entry(lane).or_default();
        let expected = times.len() as u64 + 1;
        if sequence > expected {
            write(out, tag, peer, &OutOfOrder { sequence, expected }, &[]);
            return;
        }
        if sequence == expected {
            self.now_ms += 1;
            times.push(self.now_ms);
        }
        let accepted_at_ms = times[sequence as usize - 1];
        write(out, tag, peer, &Accepted { sequence, accepted_at_ms }, &[]);
        if sequence == expected {
            let text = Text { device, sequence, accepted_at_ms, payload: payload.to_vec() };
            self.enqueue(peer, user, Body::Message(text.clone()), None);
            self.enqueue(user, peer, Body::Copied(text), Some(device));
        }
    }

    fn read(&mut self, user: UserId, reader: DeviceId, read: &Read) -> u64 {
        let (peer, device) = (UserId(read.peer), DeviceId(read.device));
        let delivered = self.delivered.get(&(peer, device, user)).copied().unwrap_or_default();
        let up_to = read.up_to.min(delivered);
        let noted = self.inbox(user).read.entry((peer, device)).or_default();
        if up_to > *noted {
            *noted = up_to;
            self.enqueue(peer, user, Body::ReadBy { device, up_to }, None);
            self.enqueue(user, peer, Body::ReadElsewhere { device, up_to }, Some(reader));
        }
        up_to
    }

    fn acknowledge(&mut self, user: UserId, device: DeviceId, Ack { up_to }: Ack) {
        let inbox = self.inbox(user);
        assert!(up_to <= inbox.sent[&device], "{user}.{device} acknowledged what was not sent");
        let before = inbox.cursors.insert(device, up_to).unwrap_or_default();
        let stored = inbox.entries.range(before + 1..up_to.max(before) + 1);
        let delivered: Vec<_> = stored
            .filter_map(|(_, entry)| match &entry.body {
                Body::Message(text) => Some((entry.peer, text.device, text.sequence)),
                _ => None,
            })
            .collect();
        for (peer, device, sequence) in delivered {
            let up_to = self.delivered.entry((peer, device, user)).or_default();
            if sequence > *up_to {
                *up_to = sequence;
                self.enqueue(peer, user, Body::Delivered { device, up_to: sequence }, None);
            }
        }
    }

    fn enqueue(&mut self, user: UserId, peer: UserId, body: Body, hidden_from: Option<DeviceId>) {
        let inbox = self.inbox(user);
        inbox.last += 1;
        inbox.entries.insert(inbox.last, Entry { peer, body, hidden_from });
    }

    /// Offers a device what it was not sent.
    pub(crate) fn push(&mut self, (user, device): (UserId, DeviceId), out: &mut Vec<u8>) {
        let Inbox { entries, sent, .. } = self.inbox(user);
        let Some(after) = sent.get_mut(&device) else { return };
        for (&position, entry) in entries.range(*after + 1..) {
            if entry.hidden_from != Some(device) {
                entry.append_to(out, position, *after);
                *after = position;
            }
        }
    }

    fn inbox(&mut self, user: UserId) -> &mut Inbox {
        self.inboxes.entry(user).or_default()
    }
}

impl Entry {
    fn append_to(&self, out: &mut Vec<u8>, position: u64, after: u64) {
        let read_at_ms = 5;
        match &self.body {
            Body::Message(Text { device, sequence, accepted_at_ms, payload }) => {
                let (device, sequence, accepted_at_ms) = (device.0, *sequence, *accepted_at_ms);
                let content_type = 1;
                let deliver =
                    Deliver { position, after, device, sequence, accepted_at_ms, content_type };
                write(out, 0, self.peer, &deliver, payload);
            }
            Body::Copied(Text { device, sequence, accepted_at_ms, payload }) => {
                let (device, sequence, accepted_at_ms) = (device.0, *sequence, *accepted_at_ms);
                let content_type = 1;
                let copied =
                    Copied { position, after, device, sequence, accepted_at_ms, content_type };
                write(out, 0, self.peer, &copied, payload);
            }
            &Body::Delivered { device: DeviceId(device), up_to } => {
                let delivered = Delivered {
                    position,
                    after,
                    device,
                    up_to,
                    delivered_at_ms: 5,
                    except_count: 0,
                };
                write(out, 0, self.peer, &delivered, &[]);
            }
            &Body::ReadBy { device: DeviceId(device), up_to } => {
                let read_by = ReadBy { position, after, device, up_to, read_at_ms };
                write(out, 0, self.peer, &read_by, &[]);
            }
            &Body::ReadElsewhere { device: DeviceId(device), up_to } => {
                let elsewhere = ReadElsewhere { position, after, device, up_to, read_at_ms };
                write(out, 0, self.peer, &elsewhere, &[]);
            }
        }
    }
}

fn write<E: Envelope>(out: &mut Vec<u8>, tag: u32, target: UserId, envelope: &E, payload: &[u8]) {
    append_frame(out, Address { flags: 0, tag, target: target.0 }, envelope, &[], payload);
}
