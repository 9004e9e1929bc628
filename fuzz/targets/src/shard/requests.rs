//! What devices and operators ask of a box.

use answerback_directory::shard::{Grant, Opening, Origin, SessionRef};
use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_proto::kind::{
    Ack, DeleteChat, DeviceMark, Envelope, Kind, MUTED, Read, Recall, Resync, Send, SetChat, Skip,
};

use super::operation::{Operation, USERS, Who};
use super::watch::{Asked, Command, Place};
use super::world::World;
use crate::number::Number;

/// A user whom nobody has added.
const NOBODY: UserId = UserId(99);

impl World {
    pub(super) fn request(&mut self, operation: Operation) {
        match operation {
            Operation::Connect { who, counter, generation, cursor, credit } => {
                self.connect(place(who), counter, generation, cursor, credit);
            }
            Operation::Close { who } => self.close(place(who)),
            Operation::Send { who, to, sequence, life, seen, bytes } => {
                self.send(place(who), user(to), sequence, (life, seen, bytes));
            }
            Operation::Recall { who, to, sequence, recalled } => {
                self.recall(place(who), user(to), sequence, recalled);
            }
            Operation::Skip { who, to, from, count } => {
                self.skip(place(who), user(to), from, count);
            }
            Operation::Read { who, peer, up_to } => self.read(place(who), place(peer), up_to),
            Operation::Ack { who, up_to } => self.acknowledge(place(who), up_to),
            Operation::Resync { who, cursor } => self.resync(place(who), cursor),
            Operation::Delete { who, peer, cursor, up_to } => {
                self.delete(place(who), user(peer), cursor, up_to);
            }
            Operation::Treat { who, peer, changes } => {
                self.treat(place(who), user(peer), changes);
            }
            Operation::Group(operation) => self.ask_of_group(operation),
            Operation::Own(operation) => self.say_of_oneself(operation),
            Operation::Malformed { who, kind, envelope } => {
                self.malformed(place(who), kind, &envelope);
            }
            Operation::Alive { who } => self.alive(place(who)),
            Operation::AddUser { user } => self.add_user(UserId(u128::from(user) + 1)),
            Operation::Revoke { who } => self.revoke(place(who)),
            Operation::RevokeUser { user } => self.revoke_user(UserId(u128::from(user) + 1)),
            Operation::PurgeUser { user } => self.purge_user(UserId(u128::from(user) + 1)),
            Operation::ConfirmClock { partition } => self.confirm_clock(partition),
            _ => {}
        }
    }

    fn connect(
        &mut self,
        place: Place,
        counter: Number,
        generation: Number,
        cursor: Number,
        credit: u8,
    ) {
        let session = SessionRef { core: 0, slot: self.number(), generation: 1 };
        let tag = self.number();
        let current = self.generation;
        let device = self.devices.entry(place).or_default();
        let connection_counter = counter.of(device.counter.saturating_add(1));
        device.counter = device.counter.max(connection_counter);
        let opening = Opening {
            origin: Origin { session, tag, user: place.0, device: place.1, copies: false },
            grant: Grant::default(),
            connection_counter,
            generation: Generation(generation.of(current.0)),
            cursor: Position(cursor.of(device.cursor.0)),
            credit_frames: 1 + u32::from(credit >> 4) * 20,
            credit_bytes: 1 + u32::from(credit & 15) * 200,
            takes_presence: credit & 2 == 0,
            takes_typing: credit & 1 == 0,
        };
        let is_current = opening.generation == current;
        self.watch.connect(
            session,
            place,
            tag,
            Asked::Hello { cursor: opening.cursor, is_current },
        );
        if let Some(home) = self.home(place.0) {
            home.handle_opening(opening);
        }
    }

    fn close(&mut self, place: Place) {
        if let Some(session) = self.watch.last(place) {
            self.watch.close(session);
            if let Some(home) = self.home(place.0) {
                home.handle_closed(place.0, session);
            }
        }
    }

    fn send(
        &mut self,
        place: Place,
        to: UserId,
        sequence: Number,
        (life, seen, bytes): (u8, Number, u8),
    ) {
        let sequence = Sequence(sequence.of(self.watch.next(place, to).0));
        let send = Send {
            sequence: sequence.0,
            seen_ms: seen.of(self.wall_ms),
            life_s: u32::from(life) * 60,
            content_type: u16::from(bytes),
        };
        let Some(origin) = self.ask(place, Asked::Message { to, sequence }) else { return };
        self.note_writing(place.0, to);
        self.watch.sent(place, to, sequence);
        let payload = vec![bytes; usize::from(bytes) * if bytes > 250 { 40 } else { 1 }];
        if let Some(home) = self.home(to) {
            home.handle_send(origin, to, &envelope(&send), &payload);
        }
    }

    fn recall(&mut self, place: Place, to: UserId, sequence: Number, recalled: Number) {
        let sequence = Sequence(sequence.of(self.watch.next(place, to).0));
        let recall = Recall {
            sequence: sequence.0,
            recalled: recalled.of(sequence.0.saturating_sub(1)),
            seen_ms: 0,
            life_s: 0,
            content_type: 0,
        };
        let Some(origin) = self.ask(place, Asked::Message { to, sequence }) else { return };
        self.note_writing(place.0, to);
        self.watch.sent(place, to, sequence);
        if let Some(home) = self.home(to) {
            home.handle_recall(origin, to, &envelope(&recall), b"recalled");
        }
    }

    /// As a session's core does before a message leaves.
    fn note_writing(&mut self, user: UserId, peer: UserId) {
        if let Some(home) = self.home(user) {
            assert!(home.note_writing(user, peer), "there is room");
        }
    }

    fn skip(&mut self, place: Place, to: UserId, from: Number, count: u8) {
        let from = Sequence(from.of(self.watch.next(place, to).0));
        let last = Sequence(from.0.saturating_add(u64::from(count & 127)));
        let Some(origin) = self.ask(place, Asked::Skip { to, from, last }) else { return };
        if let Some(home) = self.home(to) {
            home.handle_skip(origin, to, &envelope(&Skip { from: from.0, to: last.0 }));
        }
    }

    fn read(&mut self, place: Place, (peer, device): Place, up_to: Number) {
        let up_to = Sequence(up_to.of(self.watch.next((peer, device), place.0).0));
        let read = Read { peer: peer.0, device: device.0, up_to: up_to.0 };
        let Some(origin) = self.ask(place, Asked::Read { up_to }) else { return };
        if let Some(home) = self.home(place.0) {
            home.handle_read(origin, &envelope(&read));
        }
    }

    pub(super) fn acknowledge(&mut self, place: Place, up_to: Number) {
        let Some(origin) = self.origin(place, 0) else { return };
        let Some(known) = self.watch.sessions.get_mut(&origin.session) else { return };
        let up_to = Position(up_to.of(known.received.0));
        let is_sent = up_to <= known.received;
        if is_sent {
            known.acknowledged = known.acknowledged.max(up_to);
            let device = self.devices.entry(place).or_default();
            device.cursor = device.cursor.max(up_to);
        }
        if let Some(home) = self.home(place.0) {
            home.handle_ack(origin, &envelope(&Ack { up_to: up_to.0 }));
        }
        self.check_taken(origin, is_sent);
    }

    fn resync(&mut self, place: Place, cursor: Number) {
        let Some(origin) = self.origin(place, 0) else { return };
        let Some(known) = self.watch.sessions.get(&origin.session) else { return };
        let cursor = Position(cursor.of(known.received.0));
        let is_sent = cursor <= known.received;
        if is_sent {
            self.watch.go_back(origin.session, cursor);
        }
        if let Some(home) = self.home(place.0) {
            home.handle_resync(origin, &envelope(&Resync { cursor: cursor.0 }));
        }
        self.check_taken(origin, is_sent);
    }

    fn delete(&mut self, place: Place, peer: UserId, cursor: Number, up_to: Number) {
        let Some(origin) = self.ask(place, Asked::Own) else { return };
        let Some(known) = self.watch.sessions.get(&origin.session) else { return };
        let cursor = cursor.of(known.acknowledged.0);
        let up_to = Sequence(up_to.of(self.watch.next(place, peer).0).max(1));
        let mark = DeviceMark { device: place.1, up_to };
        let delete = envelope(&DeleteChat { peer: peer.0, cursor, marks_count: 1 });
        self.own(Kind::DeleteChat, origin, &[&delete[..], &mark.to_bytes()].concat());
    }

    fn treat(&mut self, place: Place, peer: UserId, changes: u8) {
        let Some(origin) = self.ask(place, Asked::Own) else { return };
        let (changes, flags) = (u16::from(changes & 7).max(1), u16::from(changes >> 3 & 3));
        let flags = flags & changes;
        let muted_until_ms = if changes & MUTED == 0 { 0 } else { self.wall_ms + 60_000 };
        let set = SetChat { peer: peer.0, changes, flags, muted_until_ms };
        self.own(Kind::SetChat, origin, &envelope(&set));
    }

    pub(super) fn own(&mut self, kind: Kind, origin: Origin, envelope: &[u8]) {
        if let Some(home) = self.home(origin.user) {
            home.handle_own(kind, origin, envelope);
        }
    }

    /// What a session was not sent, it may not acknowledge: then it ends.
    fn check_taken(&mut self, origin: Origin, is_sent: bool) {
        self.poll();
        let is_there = self.watch.sessions.contains_key(&origin.session);
        assert_eq!(is_there, is_sent, "acknowledged what was sent, and is open");
    }

    fn malformed(&mut self, place: Place, kind: u8, envelope: &[u8]) {
        let is_request = kind & 7 < 4;
        let Some(origin) = (if is_request {
            self.ask(place, Asked::Read { up_to: Sequence(0) })
        } else {
            self.origin(place, 0)
        }) else {
            return;
        };
        let envelope = envelope.get(..usize::from(kind >> 4)).unwrap_or_default();
        let Some(home) = self.home(place.0) else { return };
        match kind & 7 {
            0 => home.handle_send(origin, place.0, envelope, b"payload"),
            1 => home.handle_recall(origin, place.0, envelope, b"payload"),
            2 => home.handle_skip(origin, place.0, envelope),
            3 => home.handle_read(origin, envelope),
            4 if envelope.len() != Ack::BYTES => home.handle_ack(origin, envelope),
            _ => home.handle_resync(origin, &[]),
        }
        self.poll();
        assert!(!self.watch.sessions.contains_key(&origin.session), "it was malformed");
    }

    fn alive(&mut self, place: Place) {
        let Some(origin) = self.origin(place, 0) else { return };
        let known = self.watch.sessions.get_mut(&origin.session);
        if known.is_some_and(|known| std::mem::take(&mut known.is_probed))
            && let Some(home) = self.home(place.0)
        {
            home.handle_alive(place.0, origin.session);
        }
    }

    fn add_user(&mut self, user: UserId) {
        let ticket = self.command(Command::Other);
        if let Some(home) = self.home(user) {
            home.handle_add_user(user, ticket);
        }
    }

    fn revoke(&mut self, place: Place) {
        let ticket = self.command(Command::Revoke(place));
        if let Some(home) = self.home(place.0) {
            home.handle_revoke(place.0, place.1, ticket);
        }
    }

    fn revoke_user(&mut self, user: UserId) {
        let ticket = self.command(Command::Other);
        if let Some(home) = self.home(user) {
            home.handle_revoke_user(user, ticket);
        }
    }

    fn purge_user(&mut self, user: UserId) {
        let ticket = self.command(Command::Other);
        if let Some(home) = self.home(user) {
            home.handle_purge_user(user, ticket);
        }
    }

    fn confirm_clock(&mut self, partition: u8) {
        let ticket = self.command(Command::Other);
        if let Some(shard) = self.shards.get_mut(usize::from(partition)) {
            shard.handle_confirm_clock(ticket);
        }
    }

    /// The open session of a device; what is no request has the tag 0.
    fn origin(&self, (user, device): Place, tag: u32) -> Option<Origin> {
        let session = self.watch.open((user, device))?;
        let copies = self.watch.sessions.get(&session)?.copies;
        Some(Origin { session, tag, user, device, copies })
    }

    pub(super) fn ask(&mut self, place: Place, asked: Asked) -> Option<Origin> {
        let tag = self.number();
        let origin = self.origin(place, tag)?;
        self.watch.ask(origin.session, origin.tag, asked);
        Some(origin)
    }

    fn command(&mut self, command: Command) -> u64 {
        let ticket = u64::from(self.number());
        self.watch.command(ticket, command);
        ticket
    }

    fn number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }
}

pub(super) fn place(who: Who) -> Place {
    (UserId(who.user.into()), DeviceId(10 + u128::from(who.device)))
}

pub(super) fn user(number: u8) -> UserId {
    if number == 0 { NOBODY } else { UserId(number.into()) }
}

/// Users by bits, rising: also one whom nobody has added.
pub(super) fn listed(bits: u8) -> Vec<UserId> {
    let all = (1..=USERS).map(|user| UserId(user.into())).chain([NOBODY]).zip(0_u32..);
    all.filter(|(_, bit)| bits >> bit & 1 == 1).map(|(user, _)| user).collect()
}

pub(super) fn envelope<E: Envelope>(values: &E) -> Vec<u8> {
    let mut bytes = Vec::new();
    values.append_to(&mut bytes);
    bytes
}
