//! What a shard's driver needs of a disk: a journal to append to, and a state to start from.

#[cfg(feature = "contract")]
pub mod contract;

use std::fmt;
use std::ops::ControlFlow;

use answerback_proto::id::{Offset, PartitionId};
use answerback_proto::record::{Batch, ChainHash, Corrupt};

use crate::shard::checkpoint::{Checkpoint, Table};

/// Storage can no longer be trusted. The box answers nothing in doubt, closes its
/// sockets and exits without another write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageFault {
    /// What failed, for the operator.
    pub message: String,
}

impl StorageFault {
    /// A fault with its cause.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string() }
    }
}

impl fmt::Display for StorageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StorageFault {}

impl From<Corrupt> for StorageFault {
    fn from(corrupt: Corrupt) -> Self {
        Self::new(corrupt)
    }
}

/// The durable log of all partitions of a box.
pub trait Journal: Send {
    /// Appends at most one batch for each partition, atomically; durable on return.
    ///
    /// # Errors
    /// A fault is final: nothing is known about the batches, and nothing may follow.
    fn commit(&mut self, batches: &[Batch]) -> Result<(), StorageFault>;

    /// Writes a checkpoint and trims the partition's journal up to its `applied`, atomically.
    /// Need not be durable on return, but never before an earlier commit.
    ///
    /// # Errors
    /// As for `commit`.
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), StorageFault>;

    /// Notes, in a place of its own, how far the commits go: a start that finds less refuses.
    /// Called now and then, and at the orderly stop.
    ///
    /// # Errors
    /// As for `commit`.
    fn mark(&mut self) -> Result<(), StorageFault> {
        Ok(())
    }

    /// Whether the disk has so little room left that no new message may be taken.
    fn is_low_on_space(&mut self) -> bool {
        false
    }
}

/// How far a partition's state on disk goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The last record applied; 0 where none was.
    pub offset: Offset,
    /// The chain hash behind it.
    pub chain: ChainHash,
}

/// Takes a row, key and value; says whether to go on.
pub type EachRow<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StorageFault> + 'a;
/// Takes a batch.
pub type EachBatch<'a> = dyn FnMut(Batch) -> Result<(), StorageFault> + 'a;

/// The durable state of all partitions of a box, as of the last checkpoints. Read at start,
/// and by reader threads while the box runs.
pub trait StateReader: Send + Sync {
    /// How far the partition's rows go.
    ///
    /// # Errors
    /// Where the disk cannot be read, or holds what it should not.
    fn applied(&self, partition: PartitionId) -> Result<Applied, StorageFault>;

    /// The value of a row, where there is one.
    ///
    /// # Errors
    /// As above.
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StorageFault>;

    /// Calls `each` with the rows of a table whose keys lie in `[from, to)`, ascending, as
    /// of one moment.
    ///
    /// # Errors
    /// As above, and what `each` returns.
    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        each: &mut EachRow<'_>,
    ) -> Result<(), StorageFault>;

    /// Calls `each` with every batch that holds records behind `after`, in order, the
    /// chain checked from `after.chain` on.
    ///
    /// # Errors
    /// As above; a broken chain or a gap is a fault.
    fn batches(
        &self,
        partition: PartitionId,
        after: Applied,
        each: &mut EachBatch<'_>,
    ) -> Result<(), StorageFault>;
}
