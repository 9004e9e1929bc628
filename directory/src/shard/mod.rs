//! The state machine of one partition.
//!
//! Verbs, in the order in which a driver uses them:
//!
//! 1. `handle_*` takes an input: it is checked, refused at once or appended to the open batch.
//! 2. [`Shard::take_batch`] closes the batch; the driver makes it durable.
//! 3. [`Shard::handle_committed`] applies it, strictly in order: only now is anything
//!    decided. A record whose users are not in memory waits, and all behind it.
//! 4. [`Shard::poll_effect`], until `None`: what should be said to whom, or read from the
//!    disk; [`Shard::handle_loaded`] brings what was read.
//! 5. [`Shard::poll_timeout`] and [`Shard::handle_timeout`]: resends, and what time brings.
//! 6. [`Shard::freeze`]: the rows of a checkpoint; [`Shard::handle_checkpointed`] once it is
//!    written.
//!
//! At start: [`Shard::load_row`] for the rows of the resident tables, [`Shard::replay`] for
//! every batch, [`Shard::handle_started`].

mod admin;
mod apply;
mod batches;
mod by_user;
mod chat;
pub mod checkpoint;
mod courier;
mod digest;
mod effect;
pub mod format_1;
mod inbox;
mod load;
mod outstanding;
mod parts;
mod push;
pub mod reply;
mod report;
mod residency;
mod rows;
mod sequence;
mod session;
mod span;
mod state;
mod user;
pub mod view;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use answerback_proto::access;
use answerback_proto::code::Code;
use answerback_proto::id::{
    DeviceId, Generation, Offset, PartNumber, PartitionId, Position, Sequence, UserId,
};
use answerback_proto::kind::{Ack, Kind, Read, Recall, Resync, Send, Skip};
use answerback_proto::limits::LIFE_MAX_S;
use answerback_proto::record::{
    Acknowledge, Batch, BatchBuilder, COPIES, Connect, FixedRecord, Post, ReadUpTo, RecallPost,
    RecordMark, SkipRange, Tick,
};

pub use effect::*;
pub use load::{Load, Loaded, Wanted};
pub use report::{SessionReport, ShardReport, Totals};
pub use residency::Residency;
pub use rows::RESIDENT_TABLES;

use crate::limits::{
    BUSY_RETRY_AFTER_MS, OPEN_BYTES_MAX, QUOTA_RETRY_AFTER_MS, UNDECIDED_RECORDS_MAX,
};
use crate::partition_table::PartitionTable;
use crate::ports::Applied;
use chat::Chat;
use courier::Courier;
use parts::PartNumbers;
use push::Sessions;
use state::{Consequences, State};
use user::User;

/// What a shard is told when it is made.
#[derive(Clone, Copy, Debug)]
pub struct ShardSettings {
    /// Which partition it is.
    pub partition: PartitionId,
    /// Where other users' partitions are.
    pub table: PartitionTable,
    /// Counts restores.
    pub generation: Generation,
    /// What of the disk's may stay in memory.
    pub residency: Residency,
}

/// What waits to be taken as a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Records that somebody waits for (sends, logins, parts).
    pub records: u32,
    /// Acknowledgements that wait, of devices and of other partitions.
    pub acknowledgements: u32,
    /// Bytes of the open batch.
    pub bytes: usize,
}

/// The state machine of one partition.
#[derive(Debug)]
pub struct Shard {
    /// What the journal made.
    state: State,
    /// Who is online.
    sessions: Sessions,
    /// What is under way to and from other partitions.
    courier: Courier,
    /// Counts restores.
    generation: Generation,
    residency: Residency,
    open: BatchBuilder,
    open_askers: VecDeque<Asker>,
    taken: VecDeque<Taken>,
    /// Batches that are durable, of `taken`.
    committed: usize,
    /// The place of the next batch, and the chain hash before it.
    next: Applied,
    batches_taken: u64,
    uncheckpointed_bytes: usize,
    /// Users of whom the checkpoint under way has something, where one is.
    freezing: Option<Vec<UserId>>,
    /// What is being read.
    loading: BTreeSet<Wanted>,
    /// Users whose inbox's heads were read for records of the batch that is applied.
    heads_of: Vec<UserId>,
    /// Records of the journal that are applied as rejections.
    repaired: BTreeSet<Offset>,
    /// When to look who is due next, monotonic ms.
    due_at_ms: u64,
    consequences: Consequences,
    effects: VecDeque<Effect>,
}

/// A batch on its way to the disk, or waiting to be applied.
#[derive(Debug)]
struct Taken {
    batch: Batch,
    /// The next record to be applied.
    mark: RecordMark,
    askers: VecDeque<Asker>,
}

/// Who waits for what becomes of a record.
#[derive(Clone, Debug)]
struct Asker {
    /// The record's index in its batch.
    index: u32,
    asked: Asked,
}

#[derive(Clone, Debug)]
enum Asked {
    /// A request about a chat with `peer`.
    Request { origin: Origin, peer: UserId },
    /// A login.
    Opening(Box<Opening>),
    /// An operator's command.
    Command { ticket: u64 },
    /// A login whose connection went away meanwhile.
    Nobody,
}

impl Shard {
    /// An empty shard.
    pub fn new(settings: ShardSettings) -> Self {
        let ShardSettings { partition, table, generation, residency } = settings;
        Self {
            state: State::new(partition, table),
            generation,
            sessions: Sessions::default(),
            courier: Courier::default(),
            residency,
            open: BatchBuilder::default(),
            open_askers: VecDeque::new(),
            taken: VecDeque::new(),
            committed: 0,
            next: Applied::default(),
            batches_taken: 0,
            uncheckpointed_bytes: 0,
            freezing: None,
            loading: BTreeSet::new(),
            heads_of: Vec::new(),
            repaired: BTreeSet::new(),
            due_at_ms: 0,
            consequences: Consequences::default(),
            effects: VecDeque::new(),
        }
    }

    /// Which partition it is.
    pub fn partition(&self) -> PartitionId {
        self.state.partition
    }

    /// A login of a user of this partition, its token checked.
    pub fn handle_opening(&mut self, opening: Opening) {
        let user = opening.origin.user;
        let record = Connect {
            user: user.0,
            device: opening.origin.device.0,
            connection_counter: opening.connection_counter,
        };
        self.append(&record, &[], Asked::Opening(Box::new(opening)));
        self.preload(user, None);
    }

    /// A session is gone.
    pub fn handle_closed(&mut self, user: UserId, session: SessionRef) {
        if !self.sessions.has(user, session) {
            return self.forget_opening(session);
        }
        if let Some((device, up_to)) = self.sessions.close(user, session) {
            let record = Acknowledge { user: user.0, device: device.0, up_to: up_to.0 };
            self.builder().push(&record, &[]);
        }
    }

    /// A connection went before its login was committed.
    fn forget_opening(&mut self, session: SessionRef) {
        let askers = self.taken.iter_mut().flat_map(|taken| &mut taken.askers);
        for asker in askers.chain(&mut self.open_askers) {
            if matches!(&asker.asked, Asked::Opening(opening) if opening.origin.session == session)
            {
                asker.asked = Asked::Nobody;
            }
        }
    }

    /// A `Send` for a user of this partition: envelope as it came, payload.
    pub fn handle_send(
        &mut self,
        origin: Origin,
        recipient: UserId,
        envelope: &[u8],
        payload: &[u8],
    ) {
        let send = match access::read::<Send>(envelope) {
            Ok(send) => send,
            Err(code) => return self.close(origin, Kind::Send, code),
        };
        let sequence = Sequence(send.sequence);
        if let Err(code) = self.takes_message(origin, recipient, sequence, payload) {
            return self.refuse(origin, recipient, sequence, code);
        }
        let post = Post {
            recipient: recipient.0,
            sender: origin.user.0,
            device: origin.device.0,
            sequence: send.sequence,
            seen_ms: send.seen_ms,
            life_s: life(send.life_s),
            content_type: send.content_type,
            flags: flags(origin),
        };
        self.append(&post, payload, Asked::Request { origin, peer: recipient });
        self.preload(recipient, Some(origin.user));
    }

    /// A `Recall` for a user of this partition: envelope as it came, payload.
    pub fn handle_recall(
        &mut self,
        origin: Origin,
        recipient: UserId,
        envelope: &[u8],
        payload: &[u8],
    ) {
        let recall = match access::read::<Recall>(envelope) {
            Ok(recall) => recall,
            Err(code) => return self.close(origin, Kind::Recall, code),
        };
        let sequence = Sequence(recall.sequence);
        if let Err(code) = self.takes_message(origin, recipient, sequence, payload) {
            return self.refuse(origin, recipient, sequence, code);
        }
        let post = RecallPost {
            recipient: recipient.0,
            sender: origin.user.0,
            device: origin.device.0,
            sequence: recall.sequence,
            recalled: recall.recalled,
            seen_ms: recall.seen_ms,
            life_s: life(recall.life_s),
            content_type: recall.content_type,
            flags: flags(origin),
        };
        self.append(&post, payload, Asked::Request { origin, peer: recipient });
        self.preload(recipient, Some(origin.user));
    }

    /// A `Skip` for a chat with a user of this partition.
    pub fn handle_skip(&mut self, origin: Origin, recipient: UserId, envelope: &[u8]) {
        let Skip { from, to } = match access::read::<Skip>(envelope) {
            Ok(skip) => skip,
            Err(code) => return self.close(origin, Kind::Skip, code),
        };
        if let Err(code) = self.takes_request(origin, recipient) {
            return self.refuse(origin, recipient, Sequence(from), code);
        }
        let range = SkipRange {
            recipient: recipient.0,
            sender: origin.user.0,
            device: origin.device.0,
            from,
            to,
        };
        self.append(&range, &[], Asked::Request { origin, peer: recipient });
        self.preload(recipient, Some(origin.user));
    }

    /// A `Read` of a user of this partition. What its session has acknowledged is journaled
    /// before it: a device acknowledges first, and only what is delivered can be read.
    pub fn handle_read(&mut self, origin: Origin, envelope: &[u8]) {
        let read = match access::read::<Read>(envelope) {
            Ok(read) => read,
            Err(code) => return self.close(origin, Kind::Read, code),
        };
        if self.is_busy() {
            return self.refuse(origin, origin.user, Sequence(read.up_to), Code::Busy);
        }
        if let Some(up_to) = self.sessions.take_acknowledgement(origin.user, origin.session) {
            let (user, device) = (origin.user.0, origin.device.0);
            self.builder().push(&Acknowledge { user, device, up_to: up_to.0 }, &[]);
        }
        let record = ReadUpTo {
            user: origin.user.0,
            reader_device: origin.device.0,
            peer: read.peer,
            device: read.device,
            up_to: read.up_to,
        };
        self.append(&record, &[], Asked::Request { origin, peer: origin.user });
        self.preload(origin.user, Some(UserId(read.peer)));
    }

    /// An `Ack` of a user of this partition.
    pub fn handle_ack(&mut self, origin: Origin, envelope: &[u8]) {
        let acknowledged = access::read::<Ack>(envelope).and_then(|ack| {
            self.sessions.acknowledge(origin.user, origin.session, Position(ack.up_to))
        });
        if let Err(code) = acknowledged {
            self.close(origin, Kind::Ack, code);
        }
    }

    /// A `Resync` of a user of this partition.
    pub fn handle_resync(&mut self, origin: Origin, envelope: &[u8]) {
        let resynced = access::read::<Resync>(envelope).and_then(|resync| {
            self.sessions.resync(origin.user, origin.session, Position(resync.cursor))
        });
        if let Err(code) = resynced {
            self.close(origin, Kind::Resync, code);
        }
    }

    /// A frame came from a session after [`Effect::Probe`].
    pub fn handle_alive(&mut self, user: UserId, session: SessionRef) {
        self.sessions.handle_alive(user, session);
    }

    /// A word of another partition.
    pub fn handle_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Delivered(part) => self.take_part(&part, part.source, &[], part.user),
            Mail::Read(part) => self.take_part(&part, part.source, &[], part.user),
            Mail::Failed(part) => self.take_part(&part, part.source, &[], part.user),
            Mail::Copy(part, payload) => self.take_part(&part, part.source, &payload, part.user),
            Mail::Confirm { by, up_to } => {
                if let Some(outgoing) = self.state.outgoing.get(&by) {
                    self.courier.handle_confirmed(by, up_to, outgoing);
                }
            }
            Mail::Show { user, peer, body } => {
                self.sessions.show(user, peer, &body, &mut self.effects);
            }
        }
    }

    /// Journals a part, unless it was taken before: then it is confirmed at once.
    fn take_part<P: FixedRecord>(&mut self, part: &P, source: u16, payload: &[u8], user: u128)
    where
        for<'a> PartNumbers: From<&'a P>,
    {
        let (source, numbers) = (PartitionId(source), PartNumbers::from(part));
        let known = self.state.incoming.get(&source).copied().unwrap_or_default();
        if known.has(numbers) {
            return self.confirm(source, known.taken);
        }
        if self.open.byte_length() < OPEN_BYTES_MAX {
            self.builder().push(part, payload);
            self.preload(UserId(user), None);
        }
    }

    /// The next thing to be done. `now_ms` is the driver's monotonic clock.
    pub fn poll_effect(&mut self, now_ms: u64) -> Option<Effect> {
        self.sessions.advance(now_ms);
        while self.effects.is_empty() {
            let mut wanted = Vec::new();
            let (users, effects) = (&mut self.state.users, &mut self.effects);
            if !self.sessions.push_next(users, effects, |what| wanted.push(what)) {
                return None;
            }
            wanted.into_iter().for_each(|what| self.load(what));
        }
        self.effects.pop_front()
    }

    /// Whether a message may be journaled: all that can be refused without a trace is
    /// refused here.
    fn takes_message(
        &self,
        origin: Origin,
        recipient: UserId,
        sequence: Sequence,
        payload: &[u8],
    ) -> Result<(), Code> {
        let Some((user, chat)) = self.takes_request(origin, recipient)? else {
            return Ok(());
        };
        match self.state.over_quota(user, chat, origin.user, payload.len()) {
            Some(code) if last_decided(chat, origin.device) < sequence => Err(code),
            _ => Ok(()),
        }
    }

    /// Whether a request may be journaled; says what memory knows of the chat.
    fn takes_request(
        &self,
        origin: Origin,
        recipient: UserId,
    ) -> Result<Option<(&User, Option<&Chat>)>, Code> {
        let user = self.state.users.get(recipient);
        if user.is_some_and(|user| !user.exists) {
            return Err(Code::UnknownUser);
        }
        if self.is_busy() {
            return Err(Code::Busy);
        }
        let Some(user) = user else { return Ok(None) };
        let chat = user.chats.get(&origin.user);
        Ok(Some((user, chat)))
    }

    fn is_busy(&self) -> bool {
        let taken = self.taken.iter().map(|taken| taken.askers.len()).sum::<usize>();
        self.open_askers.len() + taken >= UNDECIDED_RECORDS_MAX
            || self.open.byte_length() >= OPEN_BYTES_MAX
    }

    fn append<R: FixedRecord>(&mut self, record: &R, payload: &[u8], asked: Asked) {
        let index = self.builder().push(record, payload);
        self.open_askers.push_back(Asker { index, asked });
    }

    /// The open batch, begun with its tick.
    fn builder(&mut self) -> &mut BatchBuilder {
        begun(&mut self.open)
    }

    fn confirm(&mut self, source: PartitionId, up_to: PartNumber) {
        let mail = Mail::Confirm { by: self.state.partition, up_to };
        self.effects.push_back(Effect::Mail { to: source, mail });
    }

    fn refuse(&mut self, origin: Origin, peer: UserId, sequence: Sequence, code: Code) {
        let retry_after_ms = match code {
            Code::Busy => BUSY_RETRY_AFTER_MS,
            Code::InboxFull | Code::SenderQuota => QUOTA_RETRY_AFTER_MS,
            _ => 0,
        };
        let answer = Answer::Refused { sequence, code, retry_after_ms };
        let (to, tag) = (origin.session, origin.tag);
        self.effects.push_back(Effect::Answer { to, tag, peer, answer });
    }

    fn close(&mut self, origin: Origin, kind: Kind, code: Code) {
        let (to, tag, kind) = (origin.session, origin.tag, Some(kind));
        self.effects.push_back(Effect::Close { to, tag, kind, code });
    }
}

/// The last number of a device that was decided in a chat, 0 for none.
fn last_decided(chat: Option<&Chat>, device: DeviceId) -> Sequence {
    let sender = chat.and_then(|chat| chat.sender(device));
    sender.map_or(Sequence(0), |sender| sender.decisions.last())
}

/// A batch begins with its tick, whose time is written when it is closed.
fn begun(builder: &mut BatchBuilder) -> &mut BatchBuilder {
    if builder.is_empty() {
        builder.push(&Tick { now_ms: 0 }, &[]);
    }
    builder
}

fn life(asked_s: u32) -> u32 {
    if asked_s == 0 { LIFE_MAX_S } else { asked_s }
}

fn flags(origin: Origin) -> u16 {
    if origin.copies { COPIES } else { 0 }
}
