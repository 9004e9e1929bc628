//! Any order and any cut of a server's frames, amid anything that an app does: the session
//! never panics, and what it writes is what a client may write.

use answerback_proto::code::Code;
use answerback_proto::kind::{
    Accepted, CaughtUp, ChatDeleted, Copied, Declined, Delivered, DeviceMark, Done, Error, Failed,
    GoAway, OutOfOrder, Presence, Probe, ReadBy, ReadElsewhere, ReadNoted, Refused, Renewed,
    SequenceRange, Skipped,
};
use answerback_proto::ticket::Ticket;
use proptest::prelude::*;

use super::super::ChatDeletion;
use super::*;

/// What a frame is made of; each kind takes what it needs.
#[derive(Clone, Copy, Debug)]
struct Parts {
    kind: Kind,
    tag: u32,
    target: UserId,
    code: u16,
    numbers: [u64; 4],
    is_honest: bool,
}

/// A request that was made.
#[derive(Clone, Copy, Debug)]
struct Asked {
    tag: u32,
    target: UserId,
    number: u64,
    is_read: bool,
    is_renewal: bool,
    /// It is answered by `Done` or `Declined`.
    is_own: bool,
}

impl Parts {
    /// As an honest server would send it: an entry behind the one before it, an answer with
    /// the tag, target and number of its request, and once.
    fn honest(self, taken: Position, asked: &mut Vec<Asked>) -> Self {
        let Self { kind, numbers: [first, second, third, fourth], .. } = self;
        if kind == Kind::Presence {
            return Self { tag: 0, ..self };
        }
        let is_done = matches!(kind, Kind::Done | Kind::Declined);
        if kind.number() >= Kind::Deliver.number() && !is_done {
            let (position, after) = (taken.0.saturating_add(1 + first % 3), taken.0.min(second));
            return Self { tag: 0, numbers: [position, after, third, fourth.max(1)], ..self };
        }
        if kind.number() < Kind::Accepted.number() && kind != Kind::Renewed {
            return self;
        }
        // A refusal answers a message or a read.
        let is_answered = |one: &Asked| match kind {
            Kind::Refused => !one.is_renewal && !one.is_own,
            _ => {
                (one.is_read, one.is_renewal, one.is_own)
                    == (kind == Kind::ReadNoted, kind == Kind::Renewed, is_done)
            }
        };
        let Some(at) = asked.iter().position(is_answered) else {
            return Self { kind: Kind::CaughtUp, tag: 0, ..self };
        };
        let Asked { tag, target, number, .. } = asked.remove(at);
        let numbers = match kind {
            Kind::OutOfOrder if number > 1 => [number, second.clamp(1, number - 1), 0, 0],
            Kind::Skipped => [number, number, 0, 0],
            Kind::ReadNoted => [second.min(number), 0, 0, 0],
            _ => [number, second, third, 0],
        };
        Self { tag, target, numbers, ..self }
    }

    fn frame(self) -> Vec<u8> {
        match self.kind {
            Kind::Welcome => welcome(self.tag, self.numbers[0].max(1), self.numbers[1]),
            Kind::Renewed => self.renewed(),
            Kind::Probe | Kind::Pong | Kind::GoAway | Kind::Error | Kind::Typing => {
                self.frame_of_connection()
            }
            Kind::Done | Kind::Declined => self.answer(),
            Kind::Presence => self.of(&Presence {
                last_action_ms: self.numbers[0],
                online_for_ms: u32::from(self.code),
            }),
            kind if kind.number() < Kind::Deliver.number() => self.answer(),
            _ => self.entry(),
        }
    }

    fn frame_of_connection(self) -> Vec<u8> {
        let Self { code, numbers: [echo, time, ..], .. } = self;
        let time_ms = time as u32;
        match self.kind {
            Kind::Probe => self.of(&Probe { echo }),
            Kind::Pong => self.of(&Pong { echo }),
            Kind::Typing => self.of(&Typing { state: code }),
            Kind::GoAway => self.of(&GoAway { code, delay_ms: time_ms }),
            _ => self.of(&Error { code, kind: 0, retry_after_ms: time_ms }),
        }
    }

    fn renewed(self) -> Vec<u8> {
        let Self { tag, target, numbers: [expires_at_ms, length, ..], .. } = self;
        let mut bytes = Vec::new();
        let address = Address { flags: 0, tag, target: target.0 };
        let ticket = vec![7; length.min(64) as usize];
        Renewed { expires_at_ms, ticket_length: 0 }.append(&mut bytes, address, &ticket).unwrap();
        bytes
    }

    fn answer(self) -> Vec<u8> {
        let Self { code, numbers: [sequence, expected, time, accepted], .. } = self;
        match self.kind {
            Kind::Accepted => self.of(&Accepted { sequence, accepted_at_ms: time }),
            Kind::Refused => self.of(&Refused { sequence, retry_after_ms: time as u32, code }),
            Kind::OutOfOrder => self.of(&OutOfOrder { sequence, expected }),
            Kind::Skipped => self.of(&Skipped { from: sequence, to: expected, accepted }),
            Kind::Done => self.of(&Done { at_ms: time }),
            Kind::Declined => self.of(&Declined { retry_after_ms: time as u32, code }),
            _ => self.of(&ReadNoted { up_to: sequence }),
        }
    }

    fn entry(self) -> Vec<u8> {
        let Self { code, numbers: [position, after, device, sequence], .. } = self;
        let (device, up_to, time) = (u128::from(device), sequence, position);
        let (accepted_at_ms, content_type) = (time, code);
        match self.kind {
            Kind::Deliver => self.of(&Deliver {
                position,
                after,
                device,
                sequence,
                accepted_at_ms,
                content_type,
            }),
            Kind::Copied => {
                self.of(&Copied { position, after, device, sequence, accepted_at_ms, content_type })
            }
            Kind::Delivered => self.delivered(),
            Kind::ReadBy => self.of(&ReadBy { position, after, device, up_to, read_at_ms: time }),
            Kind::ReadElsewhere => {
                self.of(&ReadElsewhere { position, after, device, up_to, read_at_ms: time })
            }
            Kind::ChatDeleted => {
                self.of(&ChatDeleted { position, after, up_to: device as u64, marks_count: 0 })
            }
            Kind::Failed => self.of(&Failed { position, after, device, sequence, code }),
            _ => self.of(&CaughtUp { position }),
        }
    }

    /// Where its numbers allow it, with an exception.
    fn delivered(self) -> Vec<u8> {
        let Self { numbers: [position, after, device, up_to], .. } = self;
        let envelope = Delivered {
            position,
            after,
            device: device.into(),
            up_to,
            delivered_at_ms: 5,
            except_count: 0,
        };
        let mut bytes = Vec::new();
        let address = Address { flags: 0, tag: self.tag, target: self.target.0 };
        let except = SequenceRange { first: Sequence(1), last: Sequence(2) };
        match envelope.clone().append(&mut bytes, address, &[except]) {
            Ok(()) => bytes,
            Err(_) => self.of(&envelope),
        }
    }

    fn of<E: Envelope>(self, envelope: &E) -> Vec<u8> {
        let payload = if self.kind.carries_payload() { &b"words"[..] } else { &[] };
        frame(self.tag, self.target, envelope, payload)
    }
}

/// Small numbers meet each other; great ones meet the ends of their types.
fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![30 => 0..8_u64, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

fn any_code() -> impl Strategy<Value = u16> {
    prop_oneof![
        9 => proptest::sample::select(Code::ALL).prop_map(Code::number),
        1 => any::<u16>(),
    ]
}

/// Mostly what goes on in a session: what ends it would leave little to the rest.
fn any_kind() -> impl Strategy<Value = Kind> {
    let kinds: Vec<Kind> = super::super::kinds_understood().collect();
    let ends = |kind: &Kind| matches!(kind, Kind::Welcome | Kind::GoAway | Kind::Error);
    let (ending, going_on): (Vec<_>, Vec<_>) = kinds.into_iter().partition(ends);
    prop_oneof![
        1 => proptest::sample::select(ending),
        40 => proptest::sample::select(going_on),
    ]
}

fn any_parts() -> impl Strategy<Value = Parts> {
    let numbers = [any_number(), any_number(), any_number(), any_number()];
    let is_honest = proptest::bool::weighted(0.97);
    (any_kind(), 0..12_u32, 0..3_u128, any_code(), numbers, is_honest).prop_map(
        |(kind, tag, target, code, numbers, is_honest)| {
            let tag = if kind.fits_tag(End::Server, tag) { tag } else { 0 };
            Parts { kind, tag, target: UserId(target), code, numbers, is_honest }
        },
    )
}

/// Something that an app, a clock, a network or a server does.
#[derive(Clone, Debug)]
enum Step {
    Frames(Vec<Parts>),
    Bytes(Vec<u8>),
    Send { sequence: u64, recalled: Option<u64> },
    Skip(u64),
    Read { device: u64, up_to: u64 },
    Delete { cursor: u64, generation: u64 },
    Type(u16),
    Watch(Vec<u128>),
    Look(u128),
    Stored(u64),
    Timeout(u64),
    Transmit,
    Renew,
    Connect,
    Resume,
    Disconnect,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => proptest::collection::vec(any_parts(), 1..6).prop_map(Step::Frames),
        1 => proptest::collection::vec(any::<u8>(), 0..80).prop_map(Step::Bytes),
        4 => (any_number(), proptest::option::of(any_number()))
            .prop_map(|(sequence, recalled)| Step::Send { sequence, recalled }),
        1 => any_number().prop_map(Step::Skip),
        2 => (any_number(), any_number()).prop_map(|(device, up_to)| Step::Read { device, up_to }),
        1 => (any_number(), 0..3_u64)
            .prop_map(|(cursor, generation)| Step::Delete { cursor, generation }),
        1 => (0..2_u16).prop_map(Step::Type),
        1 => proptest::collection::vec(0..4_u128, 0..3).prop_map(Step::Watch),
        1 => (0..4_u128).prop_map(Step::Look),
        2 => any_number().prop_map(Step::Stored),
        2 => (0..100_000_u64).prop_map(Step::Timeout),
        4 => Just(Step::Transmit),
        1 => Just(Step::Renew),
        1 => Just(Step::Connect),
        1 => Just(Step::Resume),
        1 => Just(Step::Disconnect),
    ]
}

/// A session, and what may be said of it whatever happened.
struct Watched {
    session: ClientSession,
    now_ms: u64,
    connections: u64,
    /// The place of the last entry that was taken on this connection.
    taken: Position,
    /// What was asked on this connection.
    asked: Vec<Asked>,
}

impl Watched {
    fn new() -> Self {
        let session = ClientSession::new(device(ALICE, PHONE));
        let mut watched =
            Self { session, now_ms: 0, connections: 0, taken: Position(0), asked: Vec::new() };
        watched.connect();
        watched
    }

    /// With an answer to the `Hello`, since otherwise hardly anything would follow.
    fn connect(&mut self) {
        self.connections += 1;
        self.asked.clear();
        self.session.handle_connected(self.connections, "token");
        let frames = written(&mut self.session);
        let Some(Written::Hello { tag, .. }) = frames.first() else { panic!("{frames:?}") };
        // The token behind it expires at once, on most of these clocks.
        let mut ticket = Vec::new();
        Ticket { expires_at_ms: 1_500, secret: [5; 32], sealed: b"sealed" }.append(&mut ticket);
        let kinds: Vec<Kind> =
            Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Client)).collect();
        self.receive(&welcome_frame(*tag, GENERATION, 0, &kinds, &ticket));
    }

    /// By a ticket, where there is one.
    fn resume(&mut self) {
        self.connections += 1;
        self.asked.clear();
        self.session.handle_connected_by_ticket(self.connections, [9; 32]);
        if let Some(Written::Resume { tag, .. }) = written(&mut self.session).first() {
            self.receive(&welcome(*tag, GENERATION, 0));
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> bool {
        let is_good = self.session.handle_received(self.now_ms, bytes).is_ok();
        for event in events(&mut self.session) {
            match event {
                Event::Opened { cursor, .. } => self.taken = cursor,
                Event::Entry(entry) => {
                    assert!(entry.position > self.taken, "{entry:?} behind {}", self.taken);
                    self.taken = entry.position;
                }
                Event::Shown(entry) => assert_eq!(entry.position, Position(0)),
                _ => {}
            }
        }
        is_good
    }

    fn step(&mut self, step: Step, cut: usize) {
        match step {
            Step::Frames(parts) => {
                let mut bytes = Vec::new();
                for mut parts in parts {
                    if parts.is_honest {
                        parts = parts.honest(self.taken, &mut self.asked);
                    }
                    bytes.extend(parts.frame());
                }
                let mut chunks = bytes.chunks(cut);
                if !chunks.all(|chunk| self.receive(chunk)) {
                    self.connect();
                }
            }
            Step::Bytes(bytes) => {
                if !self.receive(&bytes) {
                    self.connect();
                }
            }
            Step::Send { sequence, recalled } => {
                let recalled = recalled.map(Sequence);
                self.session.send(Outgoing { recalled, ..message(sequence) });
            }
            Step::Skip(sequence) => self.session.skip(BOB, Sequence(sequence)),
            Step::Read { device, up_to } => {
                self.session.read(BOB, DeviceId(device.into()), Sequence(up_to));
            }
            Step::Delete { cursor, generation } => {
                let mark = DeviceMark { device: PHONE, up_to: Sequence(cursor) };
                self.session.delete_chat(ChatDeletion {
                    number: 1,
                    peer: BOB,
                    generation: Generation(generation),
                    cursor: Position(cursor),
                    marks: vec![mark],
                });
            }
            Step::Watch(users) => self.session.watch(users.into_iter().map(UserId).collect()),
            Step::Look(user) => {
                self.session.look(UserId(user));
            }
            Step::Type(state) => self.session.typing(self.now_ms, BOB, state),
            Step::Stored(position) => self.session.handle_stored(Position(position)),
            Step::Timeout(after_ms) => {
                self.now_ms += after_ms;
                self.session.handle_timeout(self.now_ms);
            }
            Step::Transmit => self.transmit(),
            Step::Renew => drop(self.session.renew("newer")),
            Step::Connect => self.connect(),
            Step::Resume => self.resume(),
            Step::Disconnect => self.session.handle_disconnected(),
        }
    }

    fn transmit(&mut self) {
        for frame in written(&mut self.session) {
            let is_good = match &frame {
                Written::Send { send, .. } => send.check().is_ok(),
                Written::Recall { recall, .. } => recall.check().is_ok(),
                Written::Skip { skip, .. } => skip.check().is_ok(),
                Written::Read { read, .. } => read.check().is_ok(),
                Written::DeleteChat { delete, .. } => delete.cursor <= self.taken.0,
                Written::Ack(up_to) => *up_to <= self.taken.0,
                Written::Resync(cursor) => *cursor <= self.taken.0,
                Written::Hello { .. }
                | Written::Resume { .. }
                | Written::Renew { .. }
                | Written::Own { .. }
                | Written::Ping { .. }
                | Written::Pong { .. }
                | Written::Typing { .. }
                | Written::Watch { .. }
                | Written::SetVisibility { .. } => true,
            };
            assert!(is_good, "{frame:?}, taken up to {}", self.taken);
            self.asked.extend(asked(&frame));
        }
    }
}

fn asked(frame: &Written) -> Option<Asked> {
    let (is_read, is_renewal) =
        (matches!(frame, Written::Read { .. }), matches!(frame, Written::Renew { .. }));
    let (tag, target, number) = match frame {
        Written::Send { tag, peer, send, .. } => (*tag, *peer, send.sequence),
        Written::Recall { tag, peer, recall, .. } => (*tag, *peer, recall.sequence),
        Written::Skip { tag, peer, skip } => (*tag, *peer, skip.from),
        Written::Read { tag, read } => (*tag, ALICE, read.up_to),
        Written::Renew { tag, .. }
        | Written::DeleteChat { tag, .. }
        | Written::Watch { tag, .. } => (*tag, ALICE, 0),
        _ => return None,
    };
    let is_own = matches!(frame, Written::DeleteChat { .. } | Written::Watch { .. });
    Some(Asked { tag, target, number, is_read, is_renewal, is_own })
}

proptest! {
    #[test]
    fn no_order_and_no_cut_of_frames_breaks_a_session(
        steps in proptest::collection::vec(any_step(), 1..60),
        cuts in proptest::collection::vec(prop_oneof![1..90_usize, Just(usize::MAX)], 1..8),
    ) {
        let mut watched = Watched::new();
        for (step, cut) in steps.into_iter().zip(cuts.into_iter().cycle()) {
            watched.step(step, cut);
        }
        watched.transmit();
    }
}
