//! Reading state and journal at start.

use std::ops::ControlFlow;
use std::sync::Arc;

use answerback_directory::ports::{Applied, EachBatch, EachRow, StateReader, StorageFault};
use answerback_directory::shard::checkpoint::{Table, partition_end};
use answerback_proto::id::{Offset, PartitionId};
use answerback_proto::record::Batch;
use bytes::Bytes;
use rocksdb::{DBRawIterator, ReadOptions};

use crate::database::Database;
use crate::error::storage_fault;
use crate::meta::{applied_from_bytes, applied_key};
use crate::schema::{JOURNAL, META, journal_key};

/// Reads the state and the journal of all partitions.
#[derive(Debug)]
pub struct Reader {
    db: Arc<Database>,
}

impl Reader {
    pub(crate) fn new(db: Arc<Database>) -> Self {
        Self { db }
    }

    /// The last record of a partition that is committed, whether tables have it or not.
    ///
    /// # Errors
    /// Where the disk cannot be read, or the last batch is damaged.
    pub fn journal_end(&self, partition: PartitionId) -> Result<Offset, StorageFault> {
        let applied = self.applied(partition)?.offset;
        let last = self.last_batch(partition, Offset(u64::MAX))?;
        Ok(last.map_or(applied, |batch| Offset(batch.end().0 - 1).max(applied)))
    }

    /// The last batch of a partition that begins at or before `offset`.
    pub(crate) fn last_batch(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<Option<Batch>, StorageFault> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(partition.0.to_be_bytes());
        let mut iterator = self.db.raw_iterator_cf_opt(self.db.family(JOURNAL)?, options);
        iterator.seek_for_prev(journal_key(partition, offset));
        let Some(value) = iterator.value() else {
            return iterator.status().map(|()| None).map_err(|error| storage_fault(&error));
        };
        let batch = Batch::parse(Bytes::copy_from_slice(value));
        batch.map(Some).map_err(|corrupt| {
            StorageFault::new(format_args!(
                "partition {partition}: the journal is damaged at or before offset {offset}: {corrupt}"
            ))
        })
    }

    fn value(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StorageFault> {
        self.db.get_cf(self.db.family(family)?, key).map_err(|error| storage_fault(&error))
    }

    /// Calls `each` with the keys and values of a family in `[from, end)`.
    fn scan(
        &self,
        family: &str,
        from: &[u8],
        end: Vec<u8>,
        each: &mut EachRow<'_>,
    ) -> Result<(), StorageFault> {
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(end);
        // A page is a few dozen kilobytes; only the journal is read from end to end.
        if family == JOURNAL {
            options.set_readahead_size(1 << 20);
        }
        let mut iterator: DBRawIterator<'_> =
            self.db.raw_iterator_cf_opt(self.db.family(family)?, options);
        iterator.seek(from);
        while let Some((key, value)) = iterator.item() {
            if each(key, value)?.is_break() {
                return Ok(());
            }
            iterator.next();
        }
        iterator.status().map_err(|error| storage_fault(&error))
    }
}

impl StateReader for Reader {
    fn applied(&self, partition: PartitionId) -> Result<Applied, StorageFault> {
        let found = self.value(META, &applied_key(partition))?;
        let Some(bytes) = found else { return Ok(Applied::default()) };
        applied_from_bytes(&bytes).ok_or_else(|| {
            StorageFault::new(format_args!("partition {partition}: its `applied` cannot be read"))
        })
    }

    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StorageFault> {
        self.value(table.name(), key)
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        each: &mut EachRow<'_>,
    ) -> Result<(), StorageFault> {
        self.scan(table.name(), from, to.to_vec(), each)
    }

    fn batches(
        &self,
        partition: PartitionId,
        after: Applied,
        each: &mut EachBatch<'_>,
    ) -> Result<(), StorageFault> {
        let mut end = after;
        let from = journal_key(partition, after.offset.plus(1));
        self.scan(JOURNAL, &from, partition_end(partition), &mut |key, value| {
            let batch = next_batch(partition, end, key, value)?;
            end = Applied { offset: Offset(batch.end().0 - 1), chain: batch.chain_after() };
            each(batch).map(ControlFlow::Continue)
        })
    }
}

/// The batch behind `end`.
fn next_batch(
    partition: PartitionId,
    end: Applied,
    key: &[u8],
    value: &[u8],
) -> Result<Batch, StorageFault> {
    let expected = end.offset.plus(1);
    let fault = |what: &dyn std::fmt::Display| {
        StorageFault::new(format_args!(
            "partition {partition}: the journal is damaged at offset {expected}: {what}"
        ))
    };
    if key != journal_key(partition, expected) {
        return Err(fault(&"a batch is missing, the next one lies further on"));
    }
    let batch = Batch::parse(Bytes::copy_from_slice(value)).map_err(|corrupt| fault(&corrupt))?;
    if batch.partition() != partition || batch.first_offset() != expected || batch.count() == 0 {
        return Err(fault(&"another batch lies in its place"));
    }
    if batch.chain_before() != end.chain {
        return Err(fault(&"it does not continue the batch before it"));
    }
    Ok(batch)
}
