//! Answerback's own frames, for the box and for the bare relay, which asks for no token.
//!
//! A receiver acknowledges once a read, cumulatively, as the SDK does.

use std::net::SocketAddr;
use std::path::PathBuf;

use answerback_proto::access::{access, kind_of, read};
use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::header::{HEADER_BYTES, Header};
use answerback_proto::kind::{
    Accepted, Ack, Deliver, Delivered, End, Error, Hello, Kind, Pong, Probe, Refused, Resync, Send,
    Welcome,
};
use answerback_proto::limits::{CREDIT_BYTES_MAX, CREDIT_FRAMES_MAX, FRAME_BYTES_HARD_MAX};
use anyhow::{Result, anyhow};

use super::{Event, Population, Protocol, Role};
use crate::clock::unix_ms;
use crate::stamp::{Body, Stamp};

mod tokens;

use tokens::Tokens;

/// Users of a role lie behind this, one for each number.
const SENDERS: u128 = 1 << 64;
const RECEIVERS: u128 = 2 << 64;
const IDLE: u128 = 3 << 64;

/// The protocol.
#[derive(Debug)]
pub(crate) struct Answerback {
    /// Where `answerback dev-keys` has put its keys; none for the relay.
    keys: Option<PathBuf>,
    tokens: Tokens,
    /// Greater than at any login before; a second login adds one.
    first_counter: u64,
}

/// A device.
#[derive(Debug, Default)]
pub(crate) struct State {
    logins: u64,
    /// Last number written, and last one confirmed.
    sequence: u64,
    accepted: u64,
    receipted: u64,
    inbox: Inbox,
}

impl Answerback {
    /// Against a box that knows these keys, or against the relay.
    pub(crate) fn new(keys: Option<PathBuf>) -> Self {
        Self { keys, tokens: Tokens::default(), first_counter: unix_ms() }
    }
}

impl Protocol for Answerback {
    type State = State;

    fn prepare(&mut self, _address: SocketAddr, population: Population) -> Result<()> {
        if let Some(keys) = &self.keys {
            let senders = (0..population.pairs).map(Role::Sender);
            let receivers = (0..population.pairs).map(Role::Receiver);
            let roles = senders.chain(receivers).chain((0..population.idle).map(Role::Idle));
            self.tokens = Tokens::sign(keys, roles.map(user))?;
        }
        Ok(())
    }

    fn hello(&self, role: Role, state: &mut State, out: &mut Vec<u8>) -> Result<()> {
        state.logins += 1;
        let user = user(role);
        let hello = Hello {
            version_min: 1,
            version_max: 1,
            kinds_count: 0,
            token_length: 0,
            device: user,
            app_build: 0,
            mode: 0,
            credit_frames: CREDIT_FRAMES_MAX,
            credit_bytes: CREDIT_BYTES_MAX,
            connection_counter: self.first_counter + state.logins,
            generation: 0,
            cursor: 0,
        };
        let kinds: Vec<Kind> =
            Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Server)).collect();
        let address = Address { flags: 0, tag: 1, target: user };
        hello.append(out, address, &kinds, self.tokens.of(user)).map_err(bad_frame)
    }

    fn input(
        &self,
        role: Role,
        state: &mut State,
        received: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<usize> {
        let mut left = received;
        while let Some(head) = left.first_chunk() {
            let header = Header::read(head, FRAME_BYTES_HARD_MAX).map_err(bad_frame)?;
            let Some((frame, behind)) = left.split_at_checked(header.length as usize) else {
                break;
            };
            let (_, body) = frame.split_at(HEADER_BYTES);
            let (envelope, payload) = body.split_at(usize::from(header.envelope_length));
            handle_frame(state, &header, envelope, payload, out, events).map_err(bad_frame)??;
            left = behind;
        }
        state.inbox.answer(user(role), out);
        Ok(received.len() - left.len())
    }

    fn publish(&self, sender: u32, state: &mut State, body: &Body, out: &mut Vec<u8>) {
        state.sequence += 1;
        let send = Send { sequence: state.sequence, seen_ms: 0, life_s: 0, content_type: 1 };
        let target = user(Role::Receiver(sender));
        let tag = (state.sequence as u32).max(1);
        append_frame(out, Address { flags: 0, tag, target }, &send, &[], body);
    }
}

fn user(role: Role) -> u128 {
    match role {
        Role::Sender(index) => SENDERS + u128::from(index),
        Role::Receiver(index) => RECEIVERS + u128::from(index),
        Role::Idle(index) => IDLE + u128::from(index),
    }
}

/// A bad frame is a code; what a good one says against the run is an error within.
fn handle_frame(
    state: &mut State,
    header: &Header,
    envelope: &[u8],
    payload: &[u8],
    out: &mut Vec<u8>,
    events: &mut Vec<Event>,
) -> Result<Result<()>, Code> {
    match kind_of(header, End::Server)? {
        Some(Kind::Welcome) => {
            let (welcome, _) = Welcome::read(envelope)?;
            state.inbox.cursor = welcome.cursor;
            events.push(Event::Ready);
        }
        Some(Kind::Accepted) => {
            let up_to = access::<Accepted>(envelope)?.0.sequence.to_native();
            push_more(&mut state.accepted, up_to, Event::Accepted, events);
        }
        Some(Kind::Delivered) => {
            let (delivered, _) = access::<Delivered>(envelope)?;
            state.inbox.take(delivered.after.to_native(), delivered.position.to_native());
            push_more(&mut state.receipted, delivered.up_to.to_native(), Event::Receipts, events);
        }
        Some(Kind::Deliver) => {
            let (deliver, _) = access::<Deliver>(envelope)?;
            if state.inbox.take(deliver.after.to_native(), deliver.position.to_native()) {
                return Ok(Stamp::read(payload).map(|stamp| events.push(Event::Message(stamp))));
            }
        }
        Some(Kind::Probe) => {
            let Probe { echo } = read(envelope)?;
            append_frame(out, Address::default(), &Pong { echo }, &[], &[]);
        }
        Some(Kind::CaughtUp | Kind::Pong) | None => {}
        Some(Kind::Refused) => {
            let Refused { code, .. } = read(envelope)?;
            return Ok(Err(told("refused a message", code)));
        }
        Some(Kind::Error) => {
            let Error { code, .. } = read(envelope)?;
            return Ok(Err(told("closed a session", code)));
        }
        Some(kind) => return Ok(Err(anyhow!("the server sent {}", kind.name()))),
    }
    Ok(Ok(()))
}

/// Numbers are cumulative, events are not.
fn push_more(known: &mut u64, up_to: u64, event: fn(u64) -> Event, events: &mut Vec<Event>) {
    if up_to > *known {
        events.push(event(up_to - *known));
        *known = up_to;
    }
}

fn told(what: &str, code: u16) -> anyhow::Error {
    anyhow!("the server {what}: {}", Code::from_number(code).map_or("an unknown code", Code::name))
}

fn bad_frame(code: Code) -> anyhow::Error {
    anyhow!("a bad frame ({})", code.name())
}

/// How far a device has come in its inbox: the rule of the SDK.
#[derive(Debug, Default)]
struct Inbox {
    cursor: u64,
    ack_is_due: bool,
    resync_is_due: bool,
    is_resyncing: bool,
}

impl Inbox {
    /// Takes an entry, also a repeat, which then counts as doubled; false where one before it
    /// is missing. A first word (position 0) has no place.
    fn take(&mut self, after: u64, position: u64) -> bool {
        let is_behind_a_gap = position > self.cursor && after > self.cursor;
        if is_behind_a_gap {
            self.resync_is_due |= !self.is_resyncing;
            self.is_resyncing = true;
        } else if position > 0 {
            self.is_resyncing &= position <= self.cursor;
            self.cursor = self.cursor.max(position);
            self.ack_is_due = true;
        }
        !is_behind_a_gap
    }

    /// Acknowledges what was taken, and asks for what is missing.
    fn answer(&mut self, target: u128, out: &mut Vec<u8>) {
        let address = Address { flags: 0, tag: 0, target };
        if std::mem::take(&mut self.ack_is_due) {
            append_frame(out, address, &Ack { up_to: self.cursor }, &[], &[]);
        }
        if std::mem::take(&mut self.resync_is_due) {
            append_frame(out, address, &Resync { cursor: self.cursor }, &[], &[]);
        }
    }
}

#[cfg(test)]
mod tests;
