//! A disk that keeps what was synced, and of the rest whatever a crash leaves.

use std::collections::BTreeMap;

use answerback_directory::ports::{Applied, EachBatch, EachRow, StateReader, StorageFault};
use answerback_directory::shard::checkpoint::{Change, Checkpoint, Table};
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
            match row.change {
                Change::Put(value) => {
                    self.rows.insert(key, value.to_vec());
                }
                Change::Delete => {
                    self.rows.remove(&key);
                }
                Change::DeleteTo(end) => {
                    let end = (row.table, end.to_vec());
                    let gone: Vec<_> =
                        self.rows.range(key..end).map(|(key, _)| key.clone()).collect();
                    gone.iter().for_each(|key| drop(self.rows.remove(key)));
                }
            }
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

    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StorageFault> {
        Ok(self.rows.get(&(table, key.to_vec())).cloned())
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        each: &mut EachRow<'_>,
    ) -> Result<(), StorageFault> {
        for ((_, key), value) in self.rows.range((table, from.to_vec())..(table, to.to_vec())) {
            if each(key, value)?.is_break() {
                break;
            }
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
