//! A device's end of a connection, without the connection.
//!
//! It knows no socket, disk or clock. Verbs, in the order in which a driver uses them:
//!
//! 1. [`ClientSession::send`] queues a message, [`ClientSession::read`] says what the user has
//!    read, [`ClientSession::ask_for`] asks for something; connected or not.
//! 2. [`ClientSession::handle_connected`], or [`ClientSession::handle_connected_by_ticket`]: a
//!    socket is open; the `Hello` or `Resume` waits to be sent.
//! 3. [`ClientSession::poll_transmit`] into the socket, until it says that nothing is left.
//! 4. [`ClientSession::handle_received`] with what the socket gave.
//! 5. [`ClientSession::poll_event`], until `None`: store what they say, all of one read in
//!    one transaction; then [`ClientSession::handle_stored`] with the last position.
//! 6. [`ClientSession::poll_timeout`] and [`ClientSession::handle_timeout`].
//! 7. [`ClientSession::handle_disconnected`]: nothing is lost, what is undecided goes again.
//!
//! After an error the connection is of no more use; the session is, after a new one.

mod ask;
mod asks;
mod chat;
mod contacts;
mod deletions;
mod error;
mod event;
mod grant;
mod groups;
mod heartbeat;
mod inbox;
mod mode;
mod presence;
mod reads;
mod receive;
#[cfg(test)]
mod tests;
mod typing;

use std::collections::{BTreeMap, VecDeque};

use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_proto::kind::{Ack, End, Envelope, Kind, Ping, Pong, Read, Resync};

pub use ask::{Ask, AskId, Outcome};
use asks::Asks;
use chat::{ChatWindow, Request};
pub use contacts::{ContactList, ContactsChange, Writers};
pub use deletions::ChatDeletion;
use deletions::Deletions;
pub use error::SessionError;
pub use event::{Entry, EntryBody, Event};
use grant::Grant;
pub use grant::Ticket;
pub use groups::GroupRequest;
use heartbeat::{Beat, Heartbeat};
use inbox::InboxCursor;
pub use mode::Mode;
pub use presence::Visibility;
use presence::Watching;
pub use reads::ReadMark;
use reads::Reads;
use typing::Typist;

/// The protocol version that this client speaks.
const VERSION: u16 = 1;
/// One call of `poll_transmit` writes about this much: a socket's buffer takes it at once.
const TRANSMIT_BYTES: usize = 64 * 1024;

/// What a device remembers between two runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// Whose device it is.
    pub user: UserId,
    /// The install of the app.
    pub device: DeviceId,
    /// What `cursor` belongs to; 0 before the first `Welcome`.
    pub generation: Generation,
    /// The last position that is stored.
    pub cursor: Position,
    /// Messages without a decision, in any order.
    pub undecided: Vec<Outgoing>,
    /// What was read and is not noted at the server, in any order.
    pub unnoted_reads: Vec<ReadMark>,
    /// The last that [`Event::Ticket`] gave.
    pub ticket: Option<Ticket>,
}

/// A message on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The recipient.
    pub peer: UserId,
    /// This device's number of it in the chat, from 1, without gaps.
    pub sequence: Sequence,
    /// What the payload is; opaque to the server.
    pub content_type: u16,
    /// Greatest `accepted_at_ms` of the chat that the device had when it was written.
    pub seen_ms: u64,
    /// How long it may wait at the server, seconds, up to 30 days; 0 for the longest.
    pub life_s: u32,
    /// Opaque.
    pub payload: Vec<u8>,
    /// The earlier number of this chat that it takes back, where it does.
    pub recalled: Option<Sequence>,
    /// The peer is a group.
    pub to_group: bool,
}

/// What may be under way to this device without an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// Entries, 1–4096.
    pub frames: u32,
    /// Bytes, 1–4 MiB.
    pub bytes: u32,
}

impl Default for Credit {
    fn default() -> Self {
        Self { frames: 512, bytes: 1024 * 1024 }
    }
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No connection, or one that is of no more use.
    Offline,
    /// `Hello` was written or waits to be.
    Opening,
    /// `Welcome` came.
    Open(Limits),
    /// `GoAway` came: acknowledge, but send nothing new.
    GoingAway,
}

/// What `Welcome` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    frame_bytes_max: usize,
    undecided_max: u64,
    takes_reads: bool,
    takes_recalls: bool,
    takes_deletions: bool,
    takes_typing: bool,
    takes_groups: bool,
    takes_watches: bool,
}

/// The device's end of its connections, one after the other.
#[derive(Debug)]
pub struct ClientSession {
    user: UserId,
    device: DeviceId,
    app_build: u32,
    mode: Mode,
    /// What the `Hello` of this connection said.
    told_mode: Mode,
    credit: Credit,
    state: State,
    frames: FrameBuffer,
    inbox: InboxCursor,
    chats: BTreeMap<UserId, ChatWindow>,
    reads: Reads,
    asks: Asks,
    deletions: Deletions,
    grant: Grant,
    typist: Typist,
    watching: Watching,
    /// What was asked on this connection and not answered, by tag.
    requests: BTreeMap<u32, Request>,
    last_tag: u32,
    /// Answers to probes, and pings.
    control: Vec<u8>,
    heartbeat: Heartbeat,
    /// The latest time that the driver told.
    now_ms: u64,
    events: VecDeque<Event>,
}

impl ClientSession {
    /// A session as it was left; offline.
    pub fn new(device: DeviceState) -> Self {
        let mut session = Self {
            user: device.user,
            device: device.device,
            app_build: 0,
            mode: Mode::Active,
            told_mode: Mode::Active,
            credit: Credit::default(),
            state: State::Offline,
            frames: FrameBuffer::default(),
            inbox: InboxCursor::new(device.generation, device.cursor),
            chats: BTreeMap::new(),
            reads: Reads::default(),
            asks: Asks::default(),
            deletions: Deletions::default(),
            grant: Grant::new(device.ticket),
            typist: Typist::default(),
            watching: Watching::default(),
            requests: BTreeMap::new(),
            last_tag: 0,
            control: Vec::new(),
            heartbeat: Heartbeat::default(),
            now_ms: 0,
            events: VecDeque::new(),
        };
        device.undecided.into_iter().for_each(|message| session.send(message));
        for ReadMark { peer, device, up_to } in device.unnoted_reads {
            session.read(peer, device, up_to);
        }
        session
    }

    /// Asks for another credit at the next `Hello`.
    pub fn set_credit(&mut self, credit: Credit) {
        self.credit = credit;
    }

    /// How the app is used, told at the next `Hello`; heartbeats follow at once.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
        self.heartbeat.set_patient(mode == Mode::Background);
    }

    /// The app's build number, told at the next `Hello`.
    pub fn set_app_build(&mut self, app_build: u32) {
        self.app_build = app_build;
    }

    /// Pings at the next `handle_timeout`: the connection may have died unseen.
    pub fn ask(&mut self) {
        self.heartbeat.ask();
    }

    /// Forgets what was learned of the network's patience.
    pub fn forget_network(&mut self) {
        self.heartbeat.forget_network();
    }

    /// Queues a message, or one that takes an earlier one back. It must be stored already:
    /// its number is used up. What has no number that a message can have is refused.
    pub fn send(&mut self, message: Outgoing) {
        let (peer, sequence) = (message.peer, message.sequence);
        if is_number(sequence) {
            let to_group = message.to_group;
            let content = chat::Content::of(message);
            let chat = self.chats.entry(peer).or_default();
            chat.to_group |= to_group;
            chat.insert(sequence, content);
        } else {
            let code = Code::FrameMalformed.number();
            self.events.push_back(Event::Refused { peer, sequence, code });
        }
    }

    /// The user has read all messages of one of `peer`'s devices up to a number: say so until
    /// [`Event::ReadNoted`]. It must be stored already, with the messages. A number 0, or
    /// nobody's, says nothing.
    pub fn read(&mut self, peer: UserId, device: DeviceId, up_to: Sequence) {
        let mark = ReadMark { peer, device, up_to };
        if read_frame(mark).check().is_ok() {
            self.reads.insert(mark);
        }
    }

    /// Marks that the server has not noted.
    pub fn unnoted_reads(&self) -> usize {
        self.reads.len()
    }

    /// Gives numbers up that are not held any more: the answer to [`Event::Missing`].
    pub fn skip(&mut self, peer: UserId, sequence: Sequence) {
        if is_number(sequence) {
            self.chats.entry(peer).or_default().insert(sequence, chat::Content::Hole);
        }
    }

    /// A connection is open. `connection_counter` was raised and stored for it. A token that
    /// no server would read, or a credit beyond its limits, closes the session at once.
    pub fn handle_connected(&mut self, connection_counter: u64, token: &str) {
        let hello = self.begin(connection_counter);
        let address = self.greeting_address();
        let kinds: Vec<Kind> = kinds_understood().collect();
        if hello.append(&mut self.control, address, &kinds, token.as_bytes()).is_err() {
            let code = Code::TokenInvalid.number();
            self.events.push_back(Event::Closed { code, retry_after_ms: 0 });
        }
    }

    /// The connection is gone. Events that were not polled stay.
    pub fn handle_disconnected(&mut self) {
        self.state = State::Offline;
        self.frames = FrameBuffer::default();
        self.requests.clear();
        self.control.clear();
        self.heartbeat.handle_disconnected();
        self.chats.values_mut().for_each(ChatWindow::forget_connection);
        self.reads.forget_connection();
        self.asks.forget_connection();
        self.deletions.forget_connection();
        self.grant.forget_connection();
        self.typist.forget_connection();
        self.watching.forget_connection();
    }

    /// Takes what a socket gave, any cut of it. `now_ms` is any monotonic clock.
    ///
    /// # Errors
    /// What a server of this protocol cannot have sent; close the connection.
    pub fn handle_received(&mut self, now_ms: u64, received: &[u8]) -> Result<(), SessionError> {
        self.now_ms = now_ms;
        self.heartbeat.handle_heard(now_ms);
        let outcome = self.receive(received);
        self.heartbeat.handle_waiting(now_ms, !self.requests.is_empty());
        if outcome.is_err() {
            self.handle_disconnected();
        }
        outcome
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// All entries up to `position` are stored, with the cursor: they may be acknowledged.
    pub fn handle_stored(&mut self, position: Position) {
        self.inbox.handle_stored(position);
    }

    /// Appends what should be written now; whether there was anything.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        // A ping goes behind the acknowledgements: its answer says that they were taken.
        if matches!(self.state, State::Open(_) | State::GoingAway) {
            self.transmit_inbox(out);
        }
        out.append(&mut self.control);
        match self.state {
            State::Offline | State::Opening | State::GoingAway => {}
            State::Open(limits) => {
                self.transmit_reads(limits, out);
                self.transmit_asks(out);
                self.transmit_deletions(limits, out);
                self.transmit_watches(limits, out);
                self.transmit_chats(limits, start, out);
            }
        }
        self.heartbeat.handle_waiting(self.now_ms, !self.requests.is_empty());
        out.len() > start
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<u64> {
        let held = self.chats.values().filter_map(ChatWindow::held_until_ms);
        let held = held.chain(self.reads.held_until_ms()).chain(self.asks.held_until_ms());
        let held = held.chain(self.deletions.held_until_ms());
        let held = held.chain(self.watching.held_until_ms());
        self.heartbeat.poll_timeout().into_iter().chain(held).min()
    }

    /// Sends again what was refused for a time, and pings. To be called before
    /// `poll_transmit` too: it tells the time.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.chats.values_mut().for_each(|chat| chat.handle_timeout(now_ms));
        self.reads.handle_timeout(now_ms);
        self.asks.handle_timeout(now_ms);
        self.deletions.handle_timeout(now_ms);
        self.watching.handle_timeout(now_ms);
        match self.heartbeat.handle_timeout(now_ms) {
            Beat::Rest => {}
            Beat::Ping => {
                let address = Address { flags: 0, tag: self.new_tag(Request::Ping), target: 0 };
                append_frame(&mut self.control, address, &Ping { echo: now_ms }, &[], &[]);
            }
            Beat::Silent => self.events.push_back(Event::Silent),
        }
    }

    /// Whether all that was asked on this connection is answered.
    pub fn is_answered(&self) -> bool {
        self.requests.is_empty()
    }

    /// Whether `Welcome` came on this connection.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether what is stored is still to be acknowledged on this connection.
    pub fn owes_acknowledgement(&self) -> bool {
        matches!(self.state, State::Open(_) | State::GoingAway) && self.inbox.owes_ack()
    }

    /// Messages without a decision.
    pub fn undecided(&self) -> usize {
        self.chats.values().map(ChatWindow::len).sum()
    }

    fn transmit_inbox(&mut self, out: &mut Vec<u8>) {
        let address = Address { flags: 0, tag: 0, target: self.user.0 };
        if let Some(up_to) = self.inbox.take_ack() {
            append_frame(out, address, &Ack { up_to: up_to.0 }, &[], &[]);
        }
        if let Some(cursor) = self.inbox.take_resync() {
            append_frame(out, address, &Resync { cursor: cursor.0 }, &[], &[]);
        }
    }

    /// Behind the acknowledgements: what is not delivered does not count as read.
    fn transmit_reads(&mut self, limits: Limits, out: &mut Vec<u8>) {
        if !limits.takes_reads {
            return;
        }
        while let Some(mark) = self.reads.take_due() {
            let tag = self.new_tag(Request::Read(mark));
            let address = Address { flags: 0, tag, target: self.user.0 };
            append_frame(out, address, &read_frame(mark), &[], &[]);
        }
    }

    fn transmit_chats(&mut self, limits: Limits, start: usize, out: &mut Vec<u8>) {
        while let Some((peer, sequence, code)) = self.transmit_until_refused(limits, start, out) {
            self.refuse_for_good(peer, sequence, code.number());
        }
    }

    /// Writes what is due, up to a message that the server would not take.
    fn transmit_until_refused(
        &mut self,
        limits: Limits,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Option<(UserId, Sequence, Code)> {
        for (&peer, chat) in &mut self.chats {
            while out.len() - start < TRANSMIT_BYTES {
                let tag = next_tag(self.last_tag);
                let Some(due) = chat.poll_due(limits.undecided_max, tag) else { break };
                let address = Address { flags: 0, tag, target: peer.0 };
                if let Err(code) = due.append_to(out, address, limits) {
                    return Some((peer, due.first, code));
                }
                self.last_tag = tag;
                let request = Request::Numbers { peer, first: due.first, last: due.last };
                self.requests.insert(tag, request);
            }
        }
        None
    }

    /// The app is told, and the number is given up so that later ones can be decided.
    fn refuse_for_good(&mut self, peer: UserId, sequence: Sequence, code: u16) {
        if let Some(chat) = self.chats.get_mut(&peer) {
            chat.replace_by_hole(sequence);
            self.events.push_back(Event::Refused { peer, sequence, code });
        }
    }

    fn new_tag(&mut self, request: Request) -> u32 {
        self.last_tag = next_tag(self.last_tag);
        self.requests.insert(self.last_tag, request);
        self.last_tag
    }

    fn answer_probe(&mut self, echo: u64) {
        append_frame(&mut self.control, Address::default(), &Pong { echo }, &[], &[]);
    }
}

/// Numbers begin at 1; the last of the type has none behind it.
fn is_number(sequence: Sequence) -> bool {
    (1..u64::MAX).contains(&sequence.0)
}

/// Tags go round and leave 0 out.
fn next_tag(tag: u32) -> u32 {
    tag.checked_add(1).unwrap_or(1)
}

fn read_frame(mark: ReadMark) -> Read {
    Read { peer: mark.peer.0, device: mark.device.0, up_to: mark.up_to.0 }
}

/// Kinds that a server may send to this client.
fn kinds_understood() -> impl Iterator<Item = Kind> {
    Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Server))
}
