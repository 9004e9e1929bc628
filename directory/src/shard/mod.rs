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

pub mod checkpoint;
mod effect;

use answerback_proto::id::{Generation, Offset, PartitionId, UserId};
use answerback_proto::record::{Batch, Corrupt};

pub use effect::*;

use crate::partition_table::PartitionTable;
use crate::ports::{Applied, StorageFault};
use checkpoint::{Checkpoint, Table};

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
    /// Devices whose acknowledgement waits.
    pub acknowledgements: u32,
    /// Bytes of the open batch.
    pub bytes: usize,
}

/// The state machine of one partition.
#[derive(Debug)]
pub struct Shard {
    settings: ShardSettings,
}

#[allow(unused_variables)]
impl Shard {
    /// An empty shard.
    pub fn new(settings: ShardSettings) -> Self {
        Self { settings }
    }

    /// Takes a row of the state on disk.
    ///
    /// # Errors
    /// A row that this version cannot have written.
    pub fn load_row(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StorageFault> {
        Ok(())
    }

    /// All rows are loaded: the state is that of `applied`.
    pub fn handle_loaded(&mut self, applied: Applied) {}

    /// Applies a committed batch of an earlier run; nothing is answered or pushed.
    ///
    /// # Errors
    /// A batch that is corrupt, or not the next one.
    pub fn replay(&mut self, batch: &Batch) -> Result<(), Corrupt> {
        Ok(())
    }

    /// A login of a user of this partition, its token checked.
    pub fn handle_opening(&mut self, opening: Opening) {}

    /// A session is gone.
    pub fn handle_closed(&mut self, user: UserId, session: SessionRef) {}

    /// A `Send` for a user of this partition: envelope as it came, payload.
    pub fn handle_send(&mut self, origin: Origin, recipient: UserId, envelope: &[u8], payload: &[u8]) {}

    /// A `Skip` for a chat with a user of this partition.
    pub fn handle_skip(&mut self, origin: Origin, recipient: UserId, envelope: &[u8]) {}

    /// An `Ack` of a user of this partition.
    pub fn handle_ack(&mut self, origin: Origin, envelope: &[u8]) {}

    /// A `Resync` of a user of this partition.
    pub fn handle_resync(&mut self, origin: Origin, envelope: &[u8]) {}

    /// A word of another partition.
    pub fn handle_mail(&mut self, mail: Mail) {}

    /// A session has room again: push what waits. (Its output buffer was full.)
    pub fn handle_writable(&mut self, user: UserId, session: SessionRef) {}

    /// What waits to be taken.
    pub fn pending(&self) -> Pending {
        Pending::default()
    }

    /// Closes the open batch, where there is anything in it. `now_ms` is the wall clock;
    /// the batch begins with a `Tick` of it, never behind the last.
    pub fn take_batch(&mut self, now_ms: u64) -> Option<Batch> {
        None
    }

    /// Every record before `end` is durable: applies them.
    ///
    /// # Errors
    /// A batch of our own that does not read: a bug; the partition must be quarantined.
    pub fn handle_committed(&mut self, end: Offset) -> Result<(), Corrupt> {
        Ok(())
    }

    /// The next thing to be done.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        None
    }

    /// When `handle_timeout` wants to be called, ms on the driver's monotonic clock.
    pub fn poll_timeout(&self) -> Option<u64> {
        None
    }

    /// Hands parts to other partitions, again where they were not confirmed. Monotonic ms.
    pub fn handle_timeout(&mut self, now_ms: u64) {}

    /// Bytes journaled since the last checkpoint.
    pub fn uncheckpointed_bytes(&self) -> usize {
        0
    }

    /// The rows that changed since the last call, as of the last applied record.
    pub fn freeze(&mut self) -> Checkpoint {
        Checkpoint {
            partition: self.settings.partition,
            applied: Applied::default(),
            rows: checkpoint::Rows::default(),
        }
    }
}
