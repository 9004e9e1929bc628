//! What a crash leaves: rows, and the journal behind them.

use std::collections::BTreeMap;

use answerback_directory::ports::{Applied, EachBatch, EachRow, StateReader, StorageFault};
use answerback_directory::shard::checkpoint::{Change, Checkpoint, Table};
use answerback_proto::id::PartitionId;
use answerback_proto::record::Batch;

/// A disk on which everything is durable that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    applied: BTreeMap<PartitionId, Applied>,
    journal: BTreeMap<PartitionId, Vec<Batch>>,
}

impl Disk {
    pub(super) fn commit(&mut self, batch: Batch) {
        self.journal.entry(batch.partition()).or_default().push(batch);
    }

    /// Rows and `applied` change and the journal is trimmed, in one write.
    pub(super) fn checkpoint(&mut self, checkpoint: &Checkpoint) {
        for row in checkpoint.rows.iter() {
            let key = (row.table, row.key.to_vec());
            match row.change {
                Change::Put(value) => drop(self.rows.insert(key, value.to_vec())),
                Change::Delete => drop(self.rows.remove(&key)),
                Change::DeleteTo(end) => {
                    let end = (row.table, end.to_vec());
                    self.rows.retain(|known, _| *known < key || *known >= end);
                }
            }
        }
        let (partition, applied) = (checkpoint.partition, checkpoint.applied);
        self.applied.insert(partition, applied);
        let journal = self.journal.entry(partition).or_default();
        journal.retain(|batch| batch.first_offset() > applied.offset);
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
        assert!(from <= to, "a range goes up");
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
        let batches = self.journal.get(&partition).into_iter().flatten();
        for batch in batches.filter(|batch| batch.first_offset() > after.offset) {
            each(batch.clone())?;
        }
        Ok(())
    }
}
