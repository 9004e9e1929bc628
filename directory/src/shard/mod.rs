//! The state machine of one partition.
//!
//! Verbs, in the order in which a driver uses them:
//!
//! 1. `handle_*` takes an input (`requests`, `lifecycle`, `mail`, `admin`): it is checked,
//!    refused at once or appended to the open batch.
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
mod deletion;
mod digest;
mod effect;
pub mod format_1;
mod grant;
mod group;
mod group_requests;
mod inbox;
mod lifecycle;
mod listing;
mod load;
mod mail;
mod outstanding;
mod own;
mod pages;
mod parts;
mod presence;
mod purges;
mod push;
pub mod reply;
mod report;
mod reported;
mod requests;
mod residency;
mod rowed;
mod rows;
mod sequence;
mod session;
mod signals;
mod span;
mod state;
mod user;
pub mod view;
mod wakes;
mod withheld;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use answerback_proto::id::{Generation, Offset, PartitionId, UserId};
use answerback_proto::record::{Batch, BatchBuilder, FixedRecord, RecordMark, Tick};

pub use effect::*;
pub use grant::Grant;
pub use group::{GroupWord, Said, SlotBits};
pub use load::{Load, Loaded, Wanted};
pub use mail::Mail;
pub use presence::{PresenceSettings, PresenceTotals, Sight};
pub use report::{SessionReport, ShardReport, Totals};
pub use reported::Reported;
pub use residency::Residency;
pub use rows::RESIDENT_TABLES;
pub use signals::Signal;
pub use wakes::{Wake, WakePolicy};

use crate::partition_table::PartitionTable;
use crate::ports::Applied;
use courier::Courier;
use presence::Presence;
use purges::Purges;
use push::Sessions;
use state::{Consequences, State};
use wakes::Wakes;

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
    /// Who was there when, and who is told: decides nothing.
    presence: Presence,
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
    /// Who waits for what of that.
    listings: Vec<(Origin, Wanted)>,
    /// Who asked for groups that are being read, and the versions that they have.
    descriptions: Vec<(Origin, UserId, u32)>,
    /// Who waits for a page of contacts, and behind which.
    contact_lists: Vec<(Origin, UserId)>,
    /// Users whose inbox's heads were read for records of the batch that is applied.
    heads_of: Vec<UserId>,
    /// Records of the journal that are applied as rejections.
    repaired: BTreeSet<Offset>,
    purges: Purges,
    /// Who has to be woken.
    wakes: Wakes,
    /// Reports of users who are being read.
    reports: Vec<(Origin, Reported)>,
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
            presence: Presence::default(),
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
            listings: Vec::new(),
            descriptions: Vec::new(),
            contact_lists: Vec::new(),
            heads_of: Vec::new(),
            repaired: BTreeSet::new(),
            purges: Purges::default(),
            wakes: Wakes::default(),
            reports: Vec::new(),
            due_at_ms: 0,
            consequences: Consequences::default(),
            effects: VecDeque::new(),
        }
    }

    /// Which partition it is.
    pub fn partition(&self) -> PartitionId {
        self.state.partition
    }

    /// The next thing to be done. `now_ms` is the driver's monotonic clock.
    pub fn poll_effect(&mut self, now_ms: u64) -> Option<Effect> {
        self.sessions.advance(now_ms);
        self.note_waiting();
        while self.effects.is_empty() {
            let mut wanted = Vec::new();
            let (users, effects) = (&mut self.state.users, &mut self.effects);
            let is_pushed = self.sessions.push_next(users, effects, |what| wanted.push(what));
            if !is_pushed && !self.flush_sights() {
                return None;
            }
            wanted.into_iter().for_each(|what| self.load(what));
        }
        self.effects.pop_front()
    }

    fn append<R: FixedRecord>(&mut self, record: &R, payload: &[u8], asked: Asked) {
        let index = self.builder().push(record, payload);
        self.open_askers.push_back(Asker { index, asked });
    }

    /// The open batch, begun with its tick.
    fn builder(&mut self) -> &mut BatchBuilder {
        begun(&mut self.open)
    }
}

/// A batch begins with its tick, whose time is written when it is closed.
fn begun(builder: &mut BatchBuilder) -> &mut BatchBuilder {
    if builder.is_empty() {
        builder.push(&Tick { now_ms: 0 }, &[]);
    }
    builder
}
