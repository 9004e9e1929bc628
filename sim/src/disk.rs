//! A disk that keeps what was synced, and of the rest whatever a crash leaves.
//!
//! What is written is seen by readers at once, as in a real store; each write that is not
//! synced remembers what it changed, so that a crash can take it back.

#[cfg(test)]
mod contract_tests;

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, ControlFlow};

use answerback_directory::ports::{Applied, EachBatch, EachRow, StateReader, StorageFault};
use answerback_directory::shard::checkpoint::{Change, Checkpoint, Table};
use answerback_proto::id::{Offset, PartitionId};
use answerback_proto::record::{Batch, Corrupt};
use fastrand::Rng;

use crate::model::Breach;
use crate::planted::{Planted, Plants};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// One write of the log that a real store's WAL is.
#[derive(Clone, Debug)]
enum Write {
    /// A group of batches: all of it or nothing.
    Commit(Vec<Batch>),
    Checkpoint(Undo),
}

/// What a checkpoint changed.
#[derive(Clone, Debug)]
struct Undo {
    partition: PartitionId,
    applied: Applied,
    /// Each row that was changed, as it was before; the first change first.
    rows: Vec<(Table, Vec<u8>, Option<Vec<u8>>)>,
    trimmed: VecDeque<Batch>,
}

/// What the disk holds of one partition.
#[derive(Clone, Debug, Default)]
struct Slice {
    applied: Applied,
    journal: VecDeque<Batch>,
}

/// The disk of one box.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    tables: Vec<Rows>,
    slices: Vec<Slice>,
    /// Written and not synced, in order.
    unsynced: Vec<Write>,
    planted: Plants,
}

impl Disk {
    pub(crate) fn new(partitions: u16, planted: Plants) -> Self {
        Self {
            tables: vec![Rows::new(); Table::ALL.len()],
            slices: vec![Slice::default(); usize::from(partitions)],
            unsynced: Vec::new(),
            planted,
        }
    }

    pub(crate) fn write_commit(&mut self, batches: Vec<Batch>) {
        for batch in &batches {
            self.slice(batch.partition()).journal.push_back(batch.clone());
        }
        self.unsynced.push(Write::Commit(batches));
    }

    /// Rows and `applied` change and the journal is trimmed, in one write.
    pub(crate) fn write_checkpoint(&mut self, checkpoint: &Checkpoint) {
        let (partition, applied) = (checkpoint.partition, checkpoint.applied);
        let rows = self.change_rows(checkpoint);
        let trims_too_far = self.planted.has(Planted::TrimTooFar);
        let has_late_mark = self.planted.has(Planted::AppliedAhead);
        let slice = self.slice(partition);
        let before = std::mem::replace(&mut slice.applied, applied);
        let is_old = |batch: &Batch| batch.end().0 <= applied.offset.0 + 1;
        let count = slice.journal.iter().take_while(|batch| is_old(batch)).count();
        if has_late_mark && let Some(next) = slice.journal.get(count) {
            let offset = Offset(next.end().0 - 1);
            slice.applied = Applied { offset, chain: next.chain_after() };
        }
        let count = count + usize::from(trims_too_far);
        let trimmed = slice.journal.drain(..count.min(slice.journal.len())).collect();
        self.unsynced.push(Write::Checkpoint(Undo { partition, applied: before, rows, trimmed }));
    }

    /// Everything written so far is durable; says which batches are so now.
    ///
    /// # Errors
    /// As `each`.
    pub(crate) fn sync(
        &mut self,
        mut each: impl FnMut(&Batch) -> Result<(), Breach>,
    ) -> Result<(), Breach> {
        for write in self.unsynced.drain(..) {
            if let Write::Commit(batches) = &write {
                batches.iter().try_for_each(&mut each)?;
            }
        }
        Ok(())
    }

    /// A crash: some of what was not synced is there all the same, a prefix of it.
    ///
    /// # Errors
    /// As `each`.
    pub(crate) fn crash(
        &mut self,
        random: &mut Rng,
        each: impl FnMut(&Batch) -> Result<(), Breach>,
    ) -> Result<(), Breach> {
        let kept = random.usize(..=self.unsynced.len());
        let is_torn = self.planted.has(Planted::TornCommit);
        while self.unsynced.len() > kept {
            match self.unsynced.pop() {
                Some(Write::Commit(batches)) => {
                    let lost = batches.split_at(usize::from(is_torn)).1;
                    self.take_back_commit(lost);
                }
                Some(Write::Checkpoint(undo)) => self.take_back_checkpoint(undo),
                None => {}
            }
        }
        self.sync(each)
    }

    /// Rows of a table, of all partitions.
    pub(crate) fn rows(&self, table: Table) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.tables[table as usize]
    }

    fn change_rows(&mut self, checkpoint: &Checkpoint) -> Vec<(Table, Vec<u8>, Option<Vec<u8>>)> {
        let mut undo = Vec::new();
        for row in checkpoint.rows.iter() {
            let rows = &mut self.tables[row.table as usize];
            match row.change {
                Change::Put(value) => {
                    let before = rows.insert(row.key.to_vec(), value.to_vec());
                    undo.push((row.table, row.key.to_vec(), before));
                }
                Change::Delete => {
                    let before = rows.remove(row.key);
                    undo.push((row.table, row.key.to_vec(), before));
                }
                Change::DeleteTo(end) => {
                    let keys = rows.range(row.key.to_vec()..end.to_vec());
                    for key in keys.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
                        let before = rows.remove(&key);
                        undo.push((row.table, key, before));
                    }
                }
            }
        }
        undo
    }

    fn take_back_commit(&mut self, batches: &[Batch]) {
        for batch in batches {
            self.slice(batch.partition()).journal.pop_back();
        }
    }

    fn take_back_checkpoint(&mut self, undo: Undo) {
        for (table, key, before) in undo.rows.into_iter().rev() {
            let rows = &mut self.tables[table as usize];
            match before {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        let slice = self.slice(undo.partition);
        slice.applied = undo.applied;
        undo.trimmed.into_iter().rev().for_each(|batch| slice.journal.push_front(batch));
    }

    fn slice(&mut self, partition: PartitionId) -> &mut Slice {
        &mut self.slices[usize::from(partition.0)]
    }
}

impl StateReader for Disk {
    fn applied(&self, partition: PartitionId) -> Result<Applied, StorageFault> {
        Ok(self.slices[usize::from(partition.0)].applied)
    }

    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StorageFault> {
        Ok(self.rows(table).get(key).cloned())
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        each: &mut EachRow<'_>,
    ) -> Result<(), StorageFault> {
        if from >= to {
            return Ok(());
        }
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        for (key, value) in self.rows(table).range::<[u8], _>(bounds) {
            if let ControlFlow::Break(()) = each(key, value)? {
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
        let journal = self.slices[usize::from(partition.0)].journal.iter();
        let mut last = after;
        for batch in journal.filter(|batch| batch.first_offset() > after.offset) {
            let continues =
                batch.first_offset() == last.offset.plus(1) && batch.chain_before() == last.chain;
            if !continues {
                return Err(Corrupt::Checksum.into());
            }
            last = Applied { offset: Offset(batch.end().0 - 1), chain: batch.chain_after() };
            each(batch.clone())?;
        }
        Ok(())
    }
}
