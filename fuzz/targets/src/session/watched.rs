//! A session, and what may be said of it whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_proto::kind::Kind;
use answerback_sdk::session::{ClientSession, DeviceState, Event, Mode, Outgoing};

use super::frames::{self, Context};
use super::operation::{Operation, Welcomed, Words};
use super::server::{Allowed, Server};
use crate::number::Number;

const USER: UserId = UserId(1);
const DEVICE: DeviceId = DeviceId(1);
/// Rounds in which an honest server has answered everything.
const ROUNDS_MAX: usize = 20_000;
/// What an honest server says to `Hello`.
const HONEST: Welcomed = Welcomed {
    generation: Number::Near(0),
    cursor: Number::Near(0),
    undecided_max: 64,
    choice: 7,
    heartbeats_s: (200, 100),
};

#[derive(Debug)]
pub(super) struct Watched {
    session: ClientSession,
    server: Server,
    allowed: Allowed,
    /// What the next `Welcome` of this connection allows.
    welcomed: Allowed,
    now_ms: u64,
    connections: u64,
    /// As the app has stored it.
    generation: Generation,
    stored: Position,
    /// The last entry that came, on this connection.
    taken: Position,
    /// Messages that the app has heard nothing final of.
    undecided: BTreeSet<(UserId, Sequence)>,
    /// The greatest number that the app has used.
    last: BTreeMap<UserId, Sequence>,
}

impl Watched {
    pub(super) fn new() -> Self {
        let state = DeviceState {
            user: USER,
            device: DEVICE,
            generation: Generation(1),
            cursor: Position(0),
            undecided: Vec::new(),
            unnoted_reads: Vec::new(),
            ticket: None,
        };
        let mut watched = Self {
            session: ClientSession::new(state),
            server: Server::default(),
            allowed: Allowed::Hello,
            welcomed: Allowed::Hello,
            now_ms: 1,
            connections: 0,
            generation: Generation(1),
            stored: Position(0),
            taken: Position(0),
            undecided: BTreeSet::new(),
            last: BTreeMap::new(),
        };
        watched.connect(HONEST);
        watched
    }

    pub(super) fn take(&mut self, operation: Operation<'_>) {
        match operation {
            Operation::Say(words) => self.say(words),
            Operation::Bytes { bytes, chunk } => {
                // A whole frame among them may decide anything.
                self.undecided.clear();
                let is_good = bytes.chunks(usize::from(chunk) + 1).all(|part| self.receive(part));
                if !is_good {
                    self.connect(HONEST);
                }
            }
            Operation::Send { peer, sequence, recalled, bytes } => {
                self.send(peer_of(peer), sequence, recalled, bytes);
            }
            Operation::Skip { peer, sequence } => self.skip(peer_of(peer), sequence),
            Operation::Read { peer, device, up_to } => {
                let (peer, device) = (peer_of(peer), DeviceId(device.into()));
                self.session.read(peer, device, Sequence(up_to.of(1)));
            }
            Operation::Store => self.store(),
            Operation::Pass { hundredths } => {
                self.now_ms += 10 * u64::from(hundredths);
                self.session.handle_timeout(self.now_ms);
                self.hear();
            }
            Operation::Transmit => self.transmit(),
            Operation::Connect { welcome } => self.connect(welcome),
            Operation::Disconnect => self.disconnect(),
            Operation::Use(choice) => self.use_it(choice),
        }
        let held = self.session.undecided();
        assert!(held >= self.undecided.len(), "holds {held} of {:?}", self.undecided);
    }

    /// Everything that the app has queued is decided, once the server is honest.
    pub(super) fn end(mut self) {
        self.connect(HONEST);
        for _ in 0..ROUNDS_MAX {
            self.transmit();
            let Some((kind, _)) = self.server.asked.first() else { break };
            let kind = match kind {
                Kind::Skip => Kind::Skipped,
                Kind::Read => Kind::ReadNoted,
                Kind::Ping => Kind::Pong,
                _ => Kind::Accepted,
            };
            let (first, second) = (Number::Near(0), Number::Near(0));
            self.say(Words { kind, which: 0, code: 0, first, second, device: 0 });
        }
        assert!(self.session.is_open(), "an honest server was not understood");
        assert!(self.session.is_answered(), "a request without an answer");
        assert_eq!((self.session.undecided(), self.undecided.len()), (0, 0), "without a decision");
    }

    fn connect(&mut self, welcomed: Welcomed) {
        self.disconnect();
        self.connections += 1;
        self.session.handle_connected(self.connections, "token");
        self.transmit();
        self.welcomed = Allowed::Everything {
            frame_bytes_max: if welcomed.choice & 4 == 0 { 4096 } else { 65_536 },
            takes_reads: welcomed.choice & 1 != 0,
            takes_recalls: welcomed.choice & 2 != 0,
        };
        if welcomed.choice & 8 != 0 {
            return;
        }
        let Some(asked) = self.server.take(0, |kind| kind == Kind::Hello) else {
            panic!("no Hello");
        };
        let mut wire = Vec::new();
        let place = (self.generation.0, self.stored.0);
        if frames::append_welcome(&mut wire, asked.tag, welcomed, place).is_ok() {
            self.receive(&wire);
        }
    }

    fn disconnect(&mut self) {
        self.session.handle_disconnected();
        self.server = Server::default();
        self.allowed = Allowed::Hello;
    }

    fn say(&mut self, words: Words) {
        let answers = |kind| match words.kind {
            Kind::Skipped => kind == Kind::Skip,
            Kind::ReadNoted => kind == Kind::Read,
            Kind::Refused => matches!(kind, Kind::Send | Kind::Recall | Kind::Skip | Kind::Read),
            Kind::Pong => kind == Kind::Ping,
            Kind::Welcome => kind == Kind::Hello,
            Kind::Error => true,
            Kind::Done | Kind::Declined | Kind::Devices => kind.is_about_own(),
            _ => matches!(kind, Kind::Send | Kind::Recall | Kind::Skip),
        };
        let is_answer = words.kind.number() < Kind::Deliver.number() && !words.kind.is_signal()
            || matches!(words.kind, Kind::Failed | Kind::Done | Kind::Declined | Kind::Devices);
        let asked = match words.which {
            255 => None,
            which if is_answer => self.server.take(which, answers),
            _ => None,
        };
        if words.kind == Kind::Welcome {
            let frame_bytes_max = 4096;
            self.welcomed =
                Allowed::Everything { frame_bytes_max, takes_reads: true, takes_recalls: true };
        }
        if words.kind == Kind::Failed && DeviceId(words.device.into()) == DEVICE {
            self.fail(words.which);
        }
        let mut wire = Vec::new();
        frames::append(&mut wire, words, Context { asked, taken: self.taken.0 });
        if !self.receive(&wire) {
            self.connect(HONEST);
        }
    }

    /// An entry decides, also where it is to come once more: then the app hears of it.
    fn fail(&mut self, which: u8) {
        let (peer, sequence) = frames::spoken_of(which);
        self.undecided.remove(&(peer, sequence));
    }

    /// Hands bytes over; whether the connection is still of use.
    fn receive(&mut self, bytes: &[u8]) -> bool {
        let outcome = self.session.handle_received(self.now_ms, bytes);
        self.hear();
        outcome.is_ok()
    }

    fn hear(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Opened { generation, cursor, .. } => {
                    (self.generation, self.stored, self.taken) = (generation, cursor, cursor);
                    self.allowed = self.welcomed;
                }
                Event::Entry(entry) => {
                    assert!(entry.position > self.taken, "{entry:?}, taken {}", self.taken);
                    self.taken = entry.position;
                }
                Event::Shown(entry) => assert_eq!(entry.position, Position(0)),
                Event::Accepted { peer, sequence, .. }
                | Event::Refused { peer, sequence, .. }
                | Event::Failed { peer, sequence, .. } => {
                    self.undecided.remove(&(peer, sequence));
                }
                Event::GoAway { .. } => self.allowed = Allowed::Acknowledgements,
                Event::Closed { .. } => self.disconnect(),
                Event::Missing { peer, from, to } => self.give_up(peer, from, to),
                Event::Silent
                | Event::Typing { .. }
                | Event::Presence { .. }
                | Event::WatchRefused { .. }
                | Event::CaughtUp
                | Event::Ticket(_)
                | Event::Renewed
                | Event::Answered { .. }
                | Event::ReadNoted { .. }
                | Event::DeletionNoted { .. } => {}
            }
        }
    }

    /// The app has none of the numbers that the server lacks.
    fn give_up(&mut self, peer: UserId, from: Sequence, to: Sequence) {
        assert!(from <= to && to.0 - from.0 < 64, "{from} to {to} are missing");
        (from.0..=to.0).for_each(|number| self.session.skip(peer, Sequence(number)));
    }

    /// A number is given up, of which the app has heard nothing or everything.
    fn skip(&mut self, peer: UserId, sequence: Number) {
        let sequence = Sequence(sequence.of(self.next(peer).0));
        let last = self.last.entry(peer).or_default();
        *last = sequence.max(*last);
        self.session.skip(peer, sequence);
    }

    fn send(&mut self, peer: UserId, sequence: Number, recalled: Option<Number>, bytes: u8) {
        let sequence = Sequence(sequence.of(self.next(peer).0));
        let last = self.last.entry(peer).or_default();
        // An app uses a number once, and never the last of all.
        if sequence <= *last || sequence.0 == u64::MAX {
            return;
        }
        *last = sequence;
        self.undecided.insert((peer, sequence));
        let repeats = if bytes > 240 { 64 } else { 1 };
        self.session.send(Outgoing {
            peer,
            sequence,
            content_type: 1,
            seen_ms: 0,
            life_s: 0,
            payload: vec![bytes; usize::from(bytes) * repeats],
            recalled: recalled.map(|number| Sequence(number.of(sequence.0 - 1))),
            to_group: false,
        });
        self.hear();
    }

    /// All that came is stored, in one transaction.
    fn store(&mut self) {
        self.stored = self.taken;
        self.session.handle_stored(self.stored);
    }

    fn transmit(&mut self) {
        let mut wire = Vec::new();
        while self.session.poll_transmit(&mut wire) {
            self.server.receive(&wire, self.allowed, self.stored.0, self.taken.0);
            wire.clear();
        }
        self.hear();
    }

    fn use_it(&mut self, choice: u8) {
        match choice % 7 {
            0 => self.session.set_mode(Mode::Active),
            1 => self.session.set_mode(Mode::Background),
            2 => self.session.set_mode(Mode::Fetch),
            3 => self.session.ask(),
            4 => self.session.watch(vec![UserId(2), UserId(choice.into())]),
            5 => self.session.look(UserId(2)),
            _ => self.session.forget_network(),
        }
    }

    fn next(&self, peer: UserId) -> Sequence {
        self.last.get(&peer).copied().unwrap_or_default().next()
    }
}

fn peer_of(number: u8) -> UserId {
    UserId(2 + u128::from(number))
}
