//! A disk that keeps what was synced, and of the rest whatever a crash leaves.

use std::collections::BTreeMap;

use answerback_directory::ports::{Applied, EachBatch, EachRow, StateReader, StorageFault};
use answerback_directory::shard::checkpoint::{Checkpoint, Table};
use answerback_proto::id::PartitionId;
use answerback_proto::record::Batch;
use fastrand::Rng;

/// One write of the log that a real store's WAL is.
#[derive(Debug)]
enum Write {
    Commit(Vec<Batch>),
    Checkpoint(Box<Checkpoint>),
}

/// The disk of one box.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// What every crash leaves.
    rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    applied: BTreeMap<PartitionId, Applied>,
    journal: Vec<Batch>,
    /// Written and not synced, in order.
    unsynced: Vec<Write>,
}

impl Disk {
    pub(crate) fn write_commit(&mut self, batches: Vec<Batch>) {
        self.unsynced.push(Write::Commit(batches));
    }

    pub(crate) fn write_checkpoint(&mut self, checkpoint: Checkpoint) {
        self.unsynced.push(Write::Checkpoint(Box::new(checkpoint)));
    }

    /// Everything written so far is durable; says which batches are so now.
    pub(crate) fn sync(&mut self, mut each: impl FnMut(&Batch)) {
        for write in std::mem::take(&mut self.unsynced) {
            if let Write::Commit(batches) = &write {
                batches.iter().for_each(&mut each);
            }
            self.keep(write);
        }
    }

    /// A crash: some of what was not synced is there all the same, a prefix of it.
    pub(crate) fn crash(&mut self, random: &mut Rng, mut each: impl FnMut(&Batch)) {
        let kept = random.usize(..=self.unsynced.len());
        let mut unsynced = std::mem::take(&mut self.unsynced);
        unsynced.truncate(kept);
        for write in unsynced {
            if let Write::Commit(batches) = &write {
                batches.iter().for_each(&mut each);
            }
            self.keep(write);
        }
    }

    fn keep(&mut self, write: Write) {
        match write {
            Write::Commit(batches) => self.journal.extend(batches),
            Write::Checkpoint(checkpoint) => self.keep_checkpoint(&checkpoint),
        }
    }

    fn keep_checkpoint(&mut self, checkpoint: &Checkpoint) {
        for row in checkpoint.rows.iter() {
            let key = (row.table, row.key.to_vec());
            match row.value {
                Some(value) => self.rows.insert(key, value.to_vec()),
                None => self.rows.remove(&key),
            };
        }
        let applied = checkpoint.applied;
        self.applied.insert(checkpoint.partition, applied);
        self.journal.retain(|batch| {
            batch.partition() != checkpoint.partition || batch.first_offset() > applied.offset
        });
    }
}

impl StateReader for Disk {
    fn applied(&self, partition: PartitionId) -> Result<Applied, StorageFault> {
        Ok(self.applied.get(&partition).copied().unwrap_or_default())
    }

    fn rows(&self, partition: PartitionId, each: &mut EachRow<'_>) -> Result<(), StorageFault> {
        let prefix = partition.0.to_be_bytes();
        let of_this = self.rows.iter().filter(|((_, key), _)| key.starts_with(&prefix));
        for ((table, key), value) in of_this {
            each(*table, key, value)?;
        }
        Ok(())
    }

    fn batches(
        &self,
        partition: PartitionId,
        after: Applied,
        each: &mut EachBatch<'_>,
    ) -> Result<(), StorageFault> {
        let of_this = self.journal.iter().filter(|batch| batch.partition() == partition);
        for batch in of_this.filter(|batch| batch.first_offset() > after.offset) {
            each(batch.clone())?;
        }
        Ok(())
    }
}
