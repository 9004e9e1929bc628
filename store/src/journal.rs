//! Commits and checkpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use answerback_directory::ports::{Journal, StorageFault};
use answerback_directory::shard::checkpoint::Checkpoint;
use answerback_proto::id::{Offset, PartitionId};
use answerback_proto::record::Batch;
use rocksdb::{WriteBatch, WriteOptions};

use crate::database::{Database, durable};
use crate::error::storage_fault_of_io;
use crate::high_water::{HighWater, MarkFile};
use crate::meta::{applied_key, applied_to_bytes};
use crate::rows::add_rows;
use crate::schema::{JOURNAL, META, journal_key};

/// Writes the journal and the checkpoints of all partitions.
pub struct JournalWriter {
    db: Arc<Database>,
    durable: WriteOptions,
    ordered: WriteOptions,
    /// Up to where each partition's journal was trimmed by this writer, so that its range
    /// deletions do not overlap.
    trimmed: BTreeMap<PartitionId, Offset>,
    high_water: HighWater,
    mark_file: MarkFile,
}

impl JournalWriter {
    pub(crate) fn new(db: Arc<Database>, high_water: HighWater) -> Self {
        let ordered = WriteOptions::default();
        let (trimmed, mark_file) = (BTreeMap::new(), MarkFile::default());
        Self { db, durable: durable(), ordered, trimmed, high_water, mark_file }
    }

    /// Writes the high-water mark, if anything was committed since the last time: a later start
    /// refuses a journal that ends below it. Meant for every 100 ms to 1 s, and for the
    /// orderly stop; what was committed since the last mark is not covered by it.
    ///
    /// # Errors
    /// As for [`Journal::commit`].
    pub fn mark(&mut self) -> Result<(), StorageFault> {
        let Self { db, high_water, mark_file, .. } = self;
        db.guard(|_| {
            let written = mark_file.write(high_water, db.path(), db.directory());
            written.map_err(|error| storage_fault_of_io(&error))
        })
    }

    fn commit_batch(&self, batches: &[Batch]) -> Result<WriteBatch, StorageFault> {
        let journal = self.db.family(JOURNAL)?;
        let bytes = batches.iter().map(|batch| batch.as_bytes().len() + 64).sum();
        let mut write = WriteBatch::with_capacity_bytes(bytes);
        for batch in batches {
            let key = journal_key(batch.partition(), batch.first_offset());
            write.put_cf(journal, key, batch.as_bytes());
        }
        Ok(write)
    }

    fn checkpoint_batch(&self, checkpoint: &Checkpoint) -> Result<WriteBatch, StorageFault> {
        let mut write = WriteBatch::with_capacity_bytes(checkpoint.rows.byte_length() + 256);
        add_rows(&self.db, &checkpoint.rows, &mut write)?;
        let (partition, applied) = (checkpoint.partition, checkpoint.applied);
        let meta = self.db.family(META)?;
        write.put_cf(meta, applied_key(partition), applied_to_bytes(applied));
        let trimmed = self.trimmed.get(&partition).copied().unwrap_or_default();
        let from = journal_key(partition, trimmed.plus(1));
        let to = journal_key(partition, applied.offset.plus(1));
        if from < to {
            write.delete_range_cf(self.db.family(JOURNAL)?, from, to);
        }
        Ok(write)
    }
}

impl Journal for JournalWriter {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), StorageFault> {
        self.db.write(self.commit_batch(batches)?, &self.durable)?;
        batches.iter().for_each(|batch| self.high_water.raise(batch));
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), StorageFault> {
        let mut write = self.checkpoint_batch(checkpoint)?;
        let mut erasures = self.db.erasures();
        erasures.note(&self.db, checkpoint, &mut write)?;
        self.db.write(write, &self.ordered)?;
        drop(erasures);
        self.trimmed.insert(checkpoint.partition, checkpoint.applied.offset);
        Ok(())
    }
}
