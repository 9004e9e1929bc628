//! The state machine of one partition.
//!
//! Verbs, in the order in which a driver uses them:
//!
//! 1. `handle_*` takes an input: it is checked, refused at once or appended to the open batch.
//! 2. [`Shard::take_batch`] closes the batch; the driver makes it durable.
//! 3. [`Shard::handle_committed`] applies it: only now is anything decided.
//! 4. [`Shard::poll_effect`], until `None`: what should be said to whom.
//! 5. [`Shard::poll_timeout`] and [`Shard::handle_timeout`]: resends between partitions.
//! 6. [`Shard::freeze`]: the rows of a checkpoint.
//!
//! At start: [`Shard::load_row`] for every row, then [`Shard::replay`] for every batch.

mod apply;
mod by_user;
pub mod checkpoint;
mod courier;
mod effect;
mod inbox;
mod parts;
mod push;
pub mod reply;
mod rows;
mod sequence;
mod state;
mod user;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use answerback_proto::access;
use answerback_proto::code::Code;
use answerback_proto::id::{
    DeviceId, Generation, Offset, PartNumber, PartitionId, Position, Sequence, UserId,
};
use answerback_proto::kind::{Ack, Kind, Resync, Send, Skip};
use answerback_proto::limits::{LIFE_MAX_S, UNDECIDED_MAX};
use answerback_proto::record::{
    Acknowledge, Batch, BatchBuilder, Confirmed, Connect, Corrupt, Message, SkipRange, Tick,
};

pub use effect::*;

use crate::limits::{BUSY_RETRY_AFTER_MS, OPEN_BYTES_MAX, UNDECIDED_RECORDS_MAX};
use crate::partition_table::PartitionTable;
use crate::ports::{Applied, StorageFault};
use checkpoint::{Checkpoint, Rows, Table};
use courier::Courier;
use parts::PartNumbers;
use push::Sessions;
use state::{Consequences, State, Verdict};

/// What a shard is told when it is made.
#[derive(Clone, Copy, Debug)]
pub struct ShardSettings {
    /// Which partition it is.
    pub partition: PartitionId,
    /// Where other users' partitions are.
    pub table: PartitionTable,
    /// Counts restores.
    pub generation: Generation,
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
    open: BatchBuilder,
    open_askers: VecDeque<Asker>,
    taken: VecDeque<Taken>,
    /// The place of the next batch, and the chain hash before it.
    next: Applied,
    uncheckpointed_bytes: usize,
    consequences: Consequences,
    effects: VecDeque<Effect>,
}

/// A batch on its way to the disk.
#[derive(Debug)]
struct Taken {
    batch: Batch,
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
    /// A login whose connection went away meanwhile.
    Nobody,
}

impl Shard {
    /// An empty shard.
    pub fn new(settings: ShardSettings) -> Self {
        let ShardSettings { partition, table, generation } = settings;
        Self {
            state: State::new(partition, generation, table),
            sessions: Sessions::default(),
            courier: Courier::default(),
            open: BatchBuilder::default(),
            open_askers: VecDeque::new(),
            taken: VecDeque::new(),
            next: Applied::default(),
            uncheckpointed_bytes: 0,
            consequences: Consequences::default(),
            effects: VecDeque::new(),
        }
    }

    /// Which partition it is.
    pub fn partition(&self) -> PartitionId {
        self.state.partition
    }

    /// Takes a row of the state on disk.
    ///
    /// # Errors
    /// A row that this version cannot have written.
    pub fn load_row(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StorageFault> {
        rows::load(&mut self.state, table, key, value)
    }

    /// All rows are loaded: the state is that of `applied`.
    pub fn handle_loaded(&mut self, applied: Applied) {
        self.state.applied = applied;
        self.next = applied;
    }

    /// Applies a committed batch of an earlier run; nothing is answered or pushed.
    ///
    /// # Errors
    /// A batch that is corrupt, or not the next one.
    pub fn replay(&mut self, batch: &Batch) -> Result<(), Corrupt> {
        let continues = batch.partition() == self.state.partition
            && batch.first_offset() == self.next.offset.plus(1)
            && batch.chain_before() == self.next.chain;
        if !continues {
            return Err(Corrupt::Checksum);
        }
        self.count_taken(batch);
        self.apply(&Taken { batch: batch.clone(), askers: VecDeque::new() })?;
        self.consequences = Consequences::default();
        Ok(())
    }

    /// A login of a user of this partition, its token checked.
    pub fn handle_opening(&mut self, opening: Opening) {
        let record = Connect {
            user: opening.origin.user.0,
            device: opening.origin.device.0,
            connection_counter: opening.connection_counter,
        };
        let index = self.builder().push(&record, &[]);
        self.open_askers.push_back(Asker { index, asked: Asked::Opening(Box::new(opening)) });
    }

    /// A session is gone.
    pub fn handle_closed(&mut self, user: UserId, session: SessionRef) {
        if !self.sessions.has(user, session) {
            return self.forget_opening(session);
        }
        if let Some((device, up_to)) = self.sessions.close(user, session) {
            self.append_acknowledge(user, device, up_to);
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
        if let Err(code) = self.takes_request(origin, recipient, sequence) {
            return self.refuse(origin, recipient, sequence, code);
        }
        let message = Message {
            recipient: recipient.0,
            sender: origin.user.0,
            device: origin.device.0,
            sequence: send.sequence,
            seen_ms: send.seen_ms,
            life_s: if send.life_s == 0 { LIFE_MAX_S } else { send.life_s },
            content_type: send.content_type,
        };
        let index = self.builder().push(&message, payload);
        let asked = Asked::Request { origin, peer: recipient };
        self.open_askers.push_back(Asker { index, asked });
    }

    /// A `Skip` for a chat with a user of this partition.
    pub fn handle_skip(&mut self, origin: Origin, recipient: UserId, envelope: &[u8]) {
        let Skip { from, to } = match access::read::<Skip>(envelope) {
            Ok(skip) => skip,
            Err(code) => return self.close(origin, Kind::Skip, code),
        };
        if let Err(code) = self.takes_request(origin, recipient, Sequence(from)) {
            return self.refuse(origin, recipient, Sequence(from), code);
        }
        let range = SkipRange {
            recipient: recipient.0,
            sender: origin.user.0,
            device: origin.device.0,
            from,
            to,
        };
        let index = self.builder().push(&range, &[]);
        let asked = Asked::Request { origin, peer: recipient };
        self.open_askers.push_back(Asker { index, asked });
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

    /// A word of another partition.
    pub fn handle_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Delivered(part) => {
                if self.is_new(PartitionId(part.source), PartNumbers::from(&part)) {
                    self.builder().push(&part, &[]);
                }
            }
            Mail::Failed(part) => {
                if self.is_new(PartitionId(part.source), PartNumbers::from(&part)) {
                    self.builder().push(&part, &[]);
                }
            }
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

    /// What waits to be taken.
    pub fn pending(&self) -> Pending {
        Pending {
            records: self.open.count().saturating_sub(1),
            acknowledgements: self.sessions.acknowledgements() as u32
                + self.courier.confirmations() as u32,
            bytes: self.open.byte_length(),
        }
    }

    /// Closes the open batch, where there is anything in it. `now_ms` is the wall clock;
    /// the batch begins with a `Tick` of it, never behind the last.
    pub fn take_batch(&mut self, now_ms: u64) -> Option<Batch> {
        let builder = &mut self.open;
        self.sessions.take_acknowledgements(|user, device, up_to| {
            let record = Acknowledge { user: user.0, device: device.0, up_to: up_to.0 };
            begun(builder).push(&record, &[]);
        });
        self.courier.take_confirmations(|destination, up_to| {
            let record = Confirmed { destination: destination.0, up_to: up_to.0 };
            begun(builder).push(&record, &[]);
        });
        if builder.is_empty() {
            return None;
        }
        builder.stamp_tick(now_ms);
        let first = self.next.offset.plus(1);
        let batch = builder.finish(self.state.partition, first, self.next.chain);
        self.count_taken(&batch);
        let askers = std::mem::take(&mut self.open_askers);
        self.taken.push_back(Taken { batch: batch.clone(), askers });
        Some(batch)
    }

    /// Every record before `end` is durable: applies them.
    ///
    /// # Errors
    /// A batch of our own that does not read: a bug; the partition must be quarantined.
    pub fn handle_committed(&mut self, end: Offset) -> Result<(), Corrupt> {
        while let Some(taken) = self.taken.pop_front_if(|taken| taken.batch.end() <= end) {
            self.apply(&taken)?;
        }
        self.settle();
        Ok(())
    }

    /// The next thing to be done.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        while self.effects.is_empty() {
            if !self.sessions.push_next(&self.state.users, &mut self.effects) {
                return None;
            }
        }
        self.effects.pop_front()
    }

    /// When `handle_timeout` wants to be called, ms on the driver's monotonic clock.
    pub fn poll_timeout(&self) -> Option<u64> {
        self.courier.poll_timeout(&self.state.outgoing)
    }

    /// Hands parts to other partitions, again where they were not confirmed. Monotonic ms.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.courier.handle_timeout(now_ms, &self.state, &mut self.effects);
    }

    /// Bytes journaled since the last checkpoint.
    pub fn uncheckpointed_bytes(&self) -> usize {
        self.uncheckpointed_bytes
    }

    /// The rows that changed since the last call, as of the last applied record.
    pub fn freeze(&mut self) -> Checkpoint {
        self.uncheckpointed_bytes =
            self.taken.iter().map(|taken| taken.batch.as_bytes().len()).sum();
        Checkpoint {
            partition: self.state.partition,
            applied: self.state.applied,
            rows: rows::freeze(&mut self.state),
        }
    }

    /// All rows of the state, as of the last applied record: what the disk must come to.
    pub fn dump(&self) -> Rows {
        rows::dump(&self.state)
    }

    /// Whether a request about a chat with `recipient` may be journaled: all that can be
    /// refused without a trace is refused here.
    fn takes_request(
        &self,
        origin: Origin,
        recipient: UserId,
        sequence: Sequence,
    ) -> Result<(), Code> {
        let Some(user) = self.state.users.get(recipient) else { return Err(Code::UnknownUser) };
        if self.undecided_records() >= UNDECIDED_RECORDS_MAX
            || self.open.byte_length() >= OPEN_BYTES_MAX
        {
            return Err(Code::Busy);
        }
        let last = user.decisions(origin.user, origin.device).map_or(0, |known| known.last().0);
        if sequence.0.saturating_sub(last) > UNDECIDED_MAX {
            return Err(Code::SequenceTooFar);
        }
        Ok(())
    }

    fn undecided_records(&self) -> usize {
        self.open_askers.len() + self.taken.iter().map(|taken| taken.askers.len()).sum::<usize>()
    }

    /// The open batch, begun with its tick.
    fn builder(&mut self) -> &mut BatchBuilder {
        begun(&mut self.open)
    }

    fn append_acknowledge(&mut self, user: UserId, device: DeviceId, up_to: Position) {
        let record = Acknowledge { user: user.0, device: device.0, up_to: up_to.0 };
        self.builder().push(&record, &[]);
    }

    /// A part that was taken before is confirmed at once and not journaled again.
    fn is_new(&mut self, source: PartitionId, numbers: PartNumbers) -> bool {
        let known = self.state.incoming.get(&source).copied().unwrap_or_default();
        if known.has(numbers) {
            self.confirm(source, known.taken);
            return false;
        }
        self.open.byte_length() < OPEN_BYTES_MAX
    }

    fn confirm(&mut self, source: PartitionId, up_to: PartNumber) {
        let mail = Mail::Confirm { by: self.state.partition, up_to };
        self.effects.push_back(Effect::Mail { to: source, mail });
    }

    fn count_taken(&mut self, batch: &Batch) {
        let offset = self.next.offset.plus(u64::from(batch.count()));
        self.next = Applied { offset, chain: batch.chain_after() };
        self.uncheckpointed_bytes += batch.as_bytes().len();
    }

    fn refuse(&mut self, origin: Origin, peer: UserId, sequence: Sequence, code: Code) {
        let retry_after_ms = if code == Code::Busy { BUSY_RETRY_AFTER_MS } else { 0 };
        let answer = Answer::Refused { sequence, code, retry_after_ms };
        let (to, tag) = (origin.session, origin.tag);
        self.effects.push_back(Effect::Answer { to, tag, peer, answer });
    }

    fn close(&mut self, origin: Origin, kind: Kind, code: Code) {
        let (to, tag, kind) = (origin.session, origin.tag, Some(kind));
        self.effects.push_back(Effect::Close { to, tag, kind, code });
    }
}

/// A batch begins with its tick, whose time is written when it is closed.
fn begun(builder: &mut BatchBuilder) -> &mut BatchBuilder {
    if builder.is_empty() {
        builder.push(&Tick { now_ms: 0 }, &[]);
    }
    builder
}
