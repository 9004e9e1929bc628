//! A link, a server and the network between them, in virtual time: faults are plain fields.

use std::collections::VecDeque;

use answerback_proto::access::decode;
use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::{Frame, FrameBuffer};
use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_proto::kind::{
    Accepted, Deliver, End, Envelope, Error, GoAway, Hello, Kind, Ping, Pong, Renew, Renewed,
    Resume, Send, Welcome,
};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;
use answerback_proto::ticket::Ticket;

use crate::link::{Link, LinkState, Step};
use crate::session::{ClientSession, DeviceState, Event, Mode, Outgoing};

/// Bytes on their way, by when they arrive.
type Way = VecDeque<(u64, Vec<u8>)>;

/// What clocks on walls show when the world begins.
const BEGINNING_MS: u64 = 1_700_000_000_000;

/// One connection.
#[derive(Default)]
struct Connection {
    to_server: Way,
    to_client: Way,
    frames: FrameBuffer,
    /// When the client hears that it has ended.
    ends_at_ms: Option<u64>,
    last_byte_ms: u64,
    /// The network forgot it: nothing arrives any more.
    is_forgotten: bool,
}

/// What a server does with a `Hello`.
#[derive(Clone, Copy)]
pub(super) enum Greeting {
    Welcome,
    Error(Code, u32),
    Silence,
    /// Opens the session and closes the connection.
    Slam,
    /// Opens the session and breaks the protocol, in one breath.
    Garble,
}

/// Everything around a link.
pub(super) struct World {
    pub(super) link: Link,
    pub(super) now_ms: u64,
    pub(super) latency_ms: u64,
    /// Whether anybody listens.
    pub(super) is_up: bool,
    /// Whether who listens is the box that was meant.
    pub(super) is_trusted: bool,
    /// The server takes everything and says nothing.
    pub(super) is_mute: bool,
    pub(super) greeting: Greeting,
    /// The network forgets a connection that was silent for so long, and tells nobody.
    pub(super) patience_ms: Option<u64>,
    pub(super) heartbeat_s: (u16, u16),
    /// Answers to messages come so much later.
    pub(super) decision_ms: u64,
    /// How long tokens are good, from when the app is asked for one; none: for ever, and then
    /// there are no tickets either.
    pub(super) token_life_ms: Option<u64>,
    /// Whether the app has a token when it is asked.
    pub(super) has_tokens: bool,
    /// Whether that is always the same one.
    pub(super) has_one_token: bool,
    /// What a ticket is answered with, where it is not taken.
    pub(super) ticket_refusal: Option<Code>,
    /// How far the device's clock is ahead of the server's.
    pub(super) ahead_ms: u64,
    /// When the token that opened the session, or renewed it, expires.
    token_expires_ms: u64,
    connection: Option<Connection>,
    counter: u64,
    /// When the link dialled, when it pinged, when it closed.
    pub(super) dials: Vec<u64>,
    pub(super) pings: Vec<u64>,
    pub(super) closes: Vec<u64>,
    /// Acknowledgements that the link wrote.
    pub(super) acks: usize,
    pub(super) modes: Vec<u16>,
    /// When the app was asked for a token, when the server saw one, when it saw a ticket.
    pub(super) asked: Vec<u64>,
    pub(super) hellos: Vec<u64>,
    pub(super) resumes: Vec<u64>,
    pub(super) renewals: Vec<u64>,
    pub(super) events: Vec<Event>,
    /// Whether somebody who looked saw that it waits for another attempt.
    pub(super) was_offline: bool,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self::in_mode(Mode::Active, seed)
    }

    pub(super) fn in_mode(mode: Mode, seed: u64) -> Self {
        let session = ClientSession::new(DeviceState {
            user: UserId(1),
            device: DeviceId(11),
            generation: Generation(0),
            cursor: Position(0),
            undecided: Vec::new(),
            unnoted_reads: Vec::new(),
            ticket: None,
        });
        Self {
            link: Link::new(session, mode, seed),
            now_ms: 0,
            latency_ms: 40,
            is_up: true,
            is_trusted: true,
            is_mute: false,
            greeting: Greeting::Welcome,
            patience_ms: None,
            heartbeat_s: (30, 300),
            decision_ms: 0,
            token_life_ms: None,
            has_tokens: true,
            has_one_token: false,
            ticket_refusal: None,
            ahead_ms: 0,
            token_expires_ms: 0,
            connection: None,
            counter: 0,
            dials: Vec::new(),
            pings: Vec::new(),
            closes: Vec::new(),
            acks: 0,
            modes: Vec::new(),
            asked: Vec::new(),
            hellos: Vec::new(),
            resumes: Vec::new(),
            renewals: Vec::new(),
            events: Vec::new(),
            was_offline: false,
        }
    }

    /// A world whose link is online.
    pub(super) fn online(seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.run_until(1_000);
        assert_eq!(world.link.state(), LinkState::Online);
        world
    }

    pub(super) fn is_online(&self) -> bool {
        self.link.state() == LinkState::Online
    }

    /// Lets time pass, from one thing that happens to the next.
    pub(super) fn run_until(&mut self, end_ms: u64) {
        loop {
            self.settle();
            match self.next_ms().filter(|next| *next <= end_ms) {
                Some(next) => self.now_ms = next.max(self.now_ms + 1),
                None => break,
            }
        }
        self.now_ms = end_ms;
        self.settle();
    }

    pub(super) fn run_for(&mut self, time_ms: u64) {
        self.run_until(self.now_ms + time_ms);
    }

    pub(super) fn send(&mut self, sequence: u64) {
        self.link.session().send(Outgoing {
            peer: UserId(2),
            sequence: Sequence(sequence),
            content_type: 1,
            seen_ms: 0,
            life_s: 0,
            payload: Vec::new(),
            recalled: None,
            to_group: false,
        });
    }

    pub(super) fn go_away(&mut self, code: Code, delay_ms: u32) {
        self.say(0, UserId(0), &GoAway { code: code.number(), delay_ms });
    }

    /// A message comes.
    pub(super) fn deliver_entry(&mut self, position: u64) {
        let after = position - 1;
        let deliver = Deliver {
            position,
            after,
            device: 22,
            sequence: position,
            accepted_at_ms: 1,
            content_type: 1,
        };
        self.say(0, UserId(2), &deliver);
    }

    pub(super) fn close_with(&mut self, code: Code, retry_after_ms: u32) {
        self.say(0, UserId(0), &Error { code: code.number(), kind: 0, retry_after_ms });
        self.hang_up();
    }

    /// The server closes the connection, and the client hears of it.
    pub(super) fn hang_up(&mut self) {
        let at_ms = self.now_ms + self.latency_ms;
        if let Some(connection) = &mut self.connection {
            connection.ends_at_ms = Some(at_ms);
        }
    }

    fn next_ms(&self) -> Option<u64> {
        let ways = self.connection.iter().flat_map(|connection| {
            let first = |way: &Way| way.front().map(|(at_ms, _)| *at_ms);
            [first(&connection.to_server), first(&connection.to_client), connection.ends_at_ms]
        });
        ways.flatten().chain(self.link.poll_timeout()).min()
    }

    /// All that happens now.
    fn settle(&mut self) {
        self.serve();
        self.receive();
        self.link.handle_timeout(self.now_ms);
        self.take_events();
        self.was_offline |= matches!(self.link.state(), LinkState::Offline { .. });
        while let Some(step) = self.link.poll_step(self.now_ms) {
            match step {
                Step::Close => {
                    self.closes.push(self.now_ms);
                    self.connection = None;
                }
                Step::Dial => self.dial(),
                Step::Renew => self.renew(),
            }
        }
        self.transmit();
    }

    fn dial(&mut self) {
        self.dials.push(self.now_ms);
        if !self.is_trusted {
            self.link.handle_untrusted(self.now_ms, "a stranger".to_owned());
        } else if self.is_up {
            self.greet_by_what_there_is();
        } else {
            self.link.handle_dial_failed(self.now_ms, "nobody listens".to_owned());
        }
    }

    fn greet_by_what_there_is(&mut self) {
        let has_ticket = self.link.ticket(BEGINNING_MS + self.ahead_ms + self.now_ms).is_some();
        if !has_ticket && !self.ask() {
            return self.link.handle_dial_failed(self.now_ms, "no token".to_owned());
        }
        self.counter += 1;
        self.connection = Some(Connection::default());
        if has_ticket {
            self.link.handle_dialled_by_ticket(self.now_ms, self.counter, [7; 32]);
        } else {
            self.link.handle_dialled(self.now_ms, self.counter, "token");
        }
    }

    fn renew(&mut self) {
        match self.ask() {
            true => self.link.handle_token(self.now_ms, "newer"),
            false => self.link.handle_no_token(self.now_ms),
        }
    }

    /// Asks the app for a token; whether it has one.
    fn ask(&mut self) -> bool {
        self.asked.push(self.now_ms);
        if self.has_tokens && !self.has_one_token {
            self.token_expires_ms = self.now_ms + self.token_life_ms.unwrap_or_default();
        }
        self.has_tokens
    }

    fn transmit(&mut self) {
        let mut out = Vec::new();
        while self.link.poll_transmit(&mut out) {}
        self.acks += count(&out, Kind::Ack);
        if !out.is_empty() {
            let at_ms = self.carry();
            if let Some(connection) = &mut self.connection
                && !connection.is_forgotten
            {
                put(&mut connection.to_server, at_ms, out);
            }
        }
    }

    fn receive(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        while let Some((_, bytes)) = take_due(&mut connection.to_client, self.now_ms) {
            self.link.handle_received(self.now_ms, &bytes);
        }
        if connection.ends_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms) {
            connection.ends_at_ms = None;
            self.take_events();
            self.link.handle_disconnected(self.now_ms, "it ended".to_owned());
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.link.poll_event(self.now_ms) {
            if let Event::Entry(entry) = &event {
                self.link.session().handle_stored(entry.position);
            }
            self.events.push(event);
        }
    }

    /// The server takes what has arrived.
    fn serve(&mut self) {
        while let Some(bytes) = self.arrived() {
            let mut frames = std::mem::take(&mut self.connection.as_mut().unwrap().frames);
            let mut rest = bytes.as_slice();
            while let Some(frame) = frames.next_frame(&mut rest, FRAME_BYTES_HARD_MAX).unwrap() {
                if !self.is_mute {
                    self.answer(&frame);
                }
            }
            if let Some(connection) = &mut self.connection {
                connection.frames = frames;
            }
        }
    }

    fn arrived(&mut self) -> Option<Vec<u8>> {
        let connection = self.connection.as_mut()?;
        take_due(&mut connection.to_server, self.now_ms).map(|(_, bytes)| bytes)
    }

    fn answer(&mut self, frame: &Frame<'_>) {
        let (tag, target) = (frame.header.tag, UserId(frame.header.target));
        match frame.header.kind().unwrap() {
            Kind::Hello => {
                self.hellos.push(self.now_ms);
                self.greet(tag, Hello::read(frame.envelope).unwrap().0);
            }
            Kind::Resume => self.resume(tag, &Resume::read(frame.envelope).unwrap().0),
            Kind::Renew => {
                assert_eq!(Renew::read(frame.envelope).unwrap().1, b"newer");
                self.renewals.push(self.now_ms);
                let mut bytes = Vec::new();
                let expires_at_ms = BEGINNING_MS + self.token_expires_ms;
                let renewed = Renewed { expires_at_ms, ticket_length: 0 };
                let address = Address { flags: 0, tag, target: 1 };
                renewed.append(&mut bytes, address, &self.ticket()).unwrap();
                self.deliver(bytes);
            }
            Kind::Ping => {
                self.pings.push(self.now_ms - self.latency_ms);
                let echo = decode::<Ping>(frame.envelope).unwrap().echo;
                self.say(tag, UserId(0), &Pong { echo });
            }
            Kind::Send => {
                let sequence = decode::<Send>(frame.envelope).unwrap().sequence;
                let latency_ms = self.latency_ms;
                self.latency_ms += self.decision_ms;
                self.say(tag, target, &Accepted { sequence, accepted_at_ms: 1 });
                self.latency_ms = latency_ms;
            }
            _ => {}
        }
    }

    fn greet(&mut self, tag: u32, hello: Hello) {
        self.modes.push(hello.mode);
        match self.greeting {
            Greeting::Welcome => self.welcome(tag),
            Greeting::Slam => {
                self.welcome(tag);
                self.hang_up();
            }
            Greeting::Error(code, retry_after_ms) => {
                let code = code.number();
                self.say(tag, UserId(0), &Error { code, kind: 1, retry_after_ms });
                self.hang_up();
            }
            Greeting::Garble => self.welcome_and(tag, &[0xff; 64]),
            Greeting::Silence => {}
        }
    }

    fn resume(&mut self, tag: u32, resume: &Resume) {
        assert_eq!(resume.proof(), [7; 32]);
        self.resumes.push(self.now_ms);
        match self.ticket_refusal {
            Some(code) => {
                let code = code.number();
                self.say(tag, UserId(0), &Error { code, kind: 5, retry_after_ms: 0 });
                self.hang_up();
            }
            None => self.greet(tag, resume.hello()),
        }
    }

    fn ticket(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.token_life_ms.is_some() {
            let expires_at_ms = BEGINNING_MS + self.token_expires_ms;
            Ticket { expires_at_ms, secret: [5; 32], sealed: b"sealed" }.append(&mut bytes);
        }
        bytes
    }

    fn welcome(&mut self, tag: u32) {
        self.welcome_and(tag, &[]);
    }

    fn welcome_and(&mut self, tag: u32, more: &[u8]) {
        let welcome = Welcome {
            version: 1,
            kinds_count: 0,
            ticket_length: 0,
            lapsed: 0,
            server_time_ms: BEGINNING_MS + self.now_ms,
            session: 1,
            generation: 1,
            cursor: 0,
            pending_count: 0,
            pending_bytes: 0,
            frame_bytes_max: 4096,
            undecided_max: 64,
            heartbeat_min_s: self.heartbeat_s.0,
            heartbeat_max_s: self.heartbeat_s.1,
        };
        let kinds: Vec<Kind> =
            Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Client)).collect();
        let mut bytes = Vec::new();
        let address = Address { flags: 0, tag, target: 1 };
        welcome.append(&mut bytes, address, &kinds, &self.ticket()).unwrap();
        bytes.extend_from_slice(more);
        self.deliver(bytes);
    }

    fn say<E: Envelope>(&mut self, tag: u32, target: UserId, envelope: &E) {
        let mut bytes = Vec::new();
        let address = Address { flags: 0, tag, target: target.0 };
        append_frame(&mut bytes, address, envelope, &[], &[]);
        self.deliver(bytes);
    }

    fn deliver(&mut self, bytes: Vec<u8>) {
        let at_ms = self.carry();
        if let Some(connection) = &mut self.connection
            && !connection.is_forgotten
        {
            put(&mut connection.to_client, at_ms, bytes);
        }
    }

    /// The network carries something, unless it was silent for too long; when that arrives.
    fn carry(&mut self) -> u64 {
        let patience_ms = self.patience_ms.unwrap_or(u64::MAX);
        if let Some(connection) = &mut self.connection {
            connection.is_forgotten |=
                self.now_ms - connection.last_byte_ms > patience_ms && connection.last_byte_ms > 0;
            connection.last_byte_ms = self.now_ms;
        }
        self.now_ms + self.latency_ms
    }
}

/// What takes longer arrives behind what takes less.
fn put(way: &mut Way, at_ms: u64, bytes: Vec<u8>) {
    let place = way.partition_point(|(other_ms, _)| *other_ms <= at_ms);
    way.insert(place, (at_ms, bytes));
}

fn take_due(way: &mut Way, now_ms: u64) -> Option<(u64, Vec<u8>)> {
    let is_due = way.front().is_some_and(|(at_ms, _)| *at_ms <= now_ms);
    if is_due { way.pop_front() } else { None }
}

fn count(mut bytes: &[u8], kind: Kind) -> usize {
    let mut frames = FrameBuffer::default();
    let mut next = || {
        let frame = frames.next_frame(&mut bytes, FRAME_BYTES_HARD_MAX).unwrap()?;
        frame.header.kind()
    };
    std::iter::from_fn(&mut next).filter(|one| *one == kind).count()
}
