//! Two sessions and a model of a server, under cut connections and refusals.
//!
//! The model keeps per chat the decided sequence and, in every other world, what came early;
//! per user an inbox. A seeded generator cuts connections after any byte and refuses sends; in the end both users must have
//! each other's messages once and in order.

use std::collections::{BTreeMap, BTreeSet};

use answerback_proto::code::Code;
use answerback_proto::kind::{Accepted, CaughtUp, OutOfOrder, Refused};

use super::super::{EntryBody, Event};
use super::*;

/// xorshift: enough to vary a test.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[derive(Default)]
struct Inbox {
    entries: BTreeMap<u64, (UserId, Send, Vec<u8>)>,
    last: u64,
    cursor: u64,
    sent: u64,
}

/// A server of two users with a device each.
#[derive(Default)]
struct Model {
    decided: BTreeMap<UserId, u64>,
    parks: bool,
    parked: BTreeMap<(UserId, u64), (Send, Vec<u8>)>,
    inboxes: BTreeMap<UserId, Inbox>,
}

impl Model {
    fn take(&mut self, user: UserId, written: Written, refuse: bool, out: &mut Vec<u8>) {
        match written {
            Written::Hello { tag, hello, .. } => {
                let inbox = self.inboxes.entry(user).or_default();
                let start = inbox.cursor.min(hello.cursor);
                inbox.sent = start;
                out.extend(welcome(tag, GENERATION, start));
                out.extend(frame(0, user, &CaughtUp { position: inbox.last }, &[]));
            }
            Written::Send { tag, peer, send, payload } => {
                let decided = self.decided.get(&user).copied().unwrap_or_default();
                let sequence = send.sequence;
                if sequence > decided + 1 {
                    let answer = OutOfOrder { sequence, expected: decided + 1 };
                    out.extend(frame(tag, peer, &answer, &[]));
                    if self.parks {
                        self.parked.insert((user, sequence), (send, payload));
                    }
                } else if refuse && sequence > decided {
                    let code = Code::Busy.number();
                    let answer = Refused { sequence, retry_after_ms: 1, code };
                    out.extend(frame(tag, peer, &answer, &[]));
                } else {
                    if sequence == decided + 1 {
                        self.decide(user, peer, send, payload);
                    }
                    let answer = Accepted { sequence, accepted_at_ms: sequence };
                    out.extend(frame(tag, peer, &answer, &[]));
                }
            }
            Written::Ack(up_to) => {
                let inbox = self.inboxes.entry(user).or_default();
                assert!(up_to <= inbox.sent);
                inbox.cursor = inbox.cursor.max(up_to);
                inbox.entries = inbox.entries.split_off(&(inbox.cursor + 1));
            }
            Written::Resync(cursor) => self.inboxes.entry(user).or_default().sent = cursor,
            other => panic!("{other:?}"),
        }
    }

    /// Decides a message, and all that was parked right behind it.
    fn decide(&mut self, user: UserId, peer: UserId, send: Send, payload: Vec<u8>) {
        let inbox = self.inboxes.entry(peer).or_default();
        let mut next = Some((send, payload));
        while let Some((send, payload)) = next {
            let sequence = send.sequence;
            inbox.last += 1;
            inbox.entries.insert(inbox.last, (user, send, payload));
            self.decided.insert(user, sequence);
            next = self.parked.remove(&(user, sequence + 1));
        }
    }

    fn push(&mut self, user: UserId, out: &mut Vec<u8>) {
        let inbox = self.inboxes.entry(user).or_default();
        for (&position, (sender, send, payload)) in inbox.entries.range(inbox.sent + 1..) {
            let deliver = Deliver {
                position,
                after: inbox.sent,
                device: sender.0 * 11,
                sequence: send.sequence,
                accepted_at_ms: send.sequence,
                content_type: send.content_type,
            };
            out.extend(frame(0, *sender, &deliver, payload));
            inbox.sent = position;
        }
    }
}

/// A user's session, its connection, and what its app has stored.
struct End {
    user: UserId,
    session: ClientSession,
    to_server: FrameBuffer,
    connections: u64,
    accepted: BTreeSet<u64>,
    stored: Vec<u64>,
}

impl End {
    fn new(user: UserId) -> Self {
        Self {
            user,
            session: ClientSession::new(device(user, DeviceId(user.0 * 11))),
            to_server: FrameBuffer::default(),
            connections: 0,
            accepted: BTreeSet::new(),
            stored: Vec::new(),
        }
    }

    fn connect(&mut self) {
        self.connections += 1;
        self.to_server = FrameBuffer::default();
        self.session.handle_connected(self.connections, "token");
    }

    /// One round trip; the connection may be cut in either direction.
    fn step(&mut self, now_ms: u64, model: &mut Model, random: &mut Random, faults: bool) {
        self.session.handle_timeout(now_ms);
        let mut out = Vec::new();
        self.session.poll_transmit(&mut out);
        let is_cut = faults && random.below(6) == 0;
        let keep = |length: usize, random: &mut Random| match is_cut {
            true => random.below(length as u64 + 1) as usize,
            false => length,
        };
        let arrived = keep(out.len(), random);
        let mut answers = Vec::new();
        for written in read_frames(&mut self.to_server, &out[..arrived]) {
            let refuse = faults && random.below(5) == 0;
            model.take(self.user, written, refuse, &mut answers);
        }
        if self.session.is_open() || !answers.is_empty() {
            model.push(self.user, &mut answers);
        }
        let arrived = keep(answers.len(), random);
        for chunk in answers[..arrived].chunks(1 + random.below(60) as usize) {
            self.session.handle_received(now_ms, chunk).unwrap();
            self.handle_events(is_cut);
        }
        if is_cut {
            self.connect();
        }
    }

    /// Stores what came; on a connection about to be cut, the app may die before it does.
    fn handle_events(&mut self, is_dying: bool) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Accepted { sequence, .. } => drop(self.accepted.insert(sequence.0)),
                Event::Entry(_) if is_dying && self.stored.len().is_multiple_of(2) => {}
                Event::Entry(entry) => {
                    let EntryBody::Message { sequence, .. } = entry.body else { panic!() };
                    if self.stored.last().is_none_or(|&last| sequence.0 > last) {
                        self.stored.push(sequence.0);
                    }
                    self.session.handle_stored(entry.position);
                }
                Event::Missing { .. } | Event::Refused { .. } => panic!("{event:?}"),
                _ => {}
            }
        }
    }
}

fn exchange(seed: u64, count: u64) {
    let mut random = Random(seed);
    let mut model = Model { parks: seed.is_multiple_of(2), ..Model::default() };
    let mut ends = [End::new(ALICE), End::new(BOB)];
    ends.iter_mut().for_each(End::connect);
    for now_ms in 0.. {
        let sequence = now_ms / 2 + 1;
        for (at, peer) in [(0, BOB), (1, ALICE)] {
            if now_ms % 2 == 0 && sequence <= count {
                ends[at].session.send(Outgoing { peer, ..message(sequence) });
            }
            ends[at].step(now_ms, &mut model, &mut random, sequence <= count + 20);
        }
        let all: Vec<u64> = (1..=count).collect();
        if ends.iter().all(|end| end.stored == all && end.accepted.iter().copied().eq(all.clone()))
        {
            break;
        }
        assert!(now_ms < 10 * count + 1_000, "seed {seed}: not all arrived");
    }
    assert!(ends.iter().all(|end| end.session.undecided() == 0));
}

#[test]
fn all_arrives_once_and_in_order_whatever_is_cut_and_refused() {
    for seed in 1..=40 {
        exchange(seed * 0x9e37_79b9, 150);
    }
}
