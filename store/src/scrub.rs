//! Scrubbing: reading all that lies in the files, to find damage before somebody needs it.
//!
//! RocksDB checks the checksum of each block that it reads; the journal's batches have a hash
//! that chains each to the one before it. The WAL is not read: RocksDB checks it at the next
//! start, and the high-water mark says whether anything of it is missing.

use std::fmt;

use answerback_directory::ports::{Applied, StateReader, StorageFault};
use answerback_proto::id::PartitionId;
use rocksdb::{IteratorMode, ReadOptions};

use crate::error::storage_fault;
use crate::open::Store;
use crate::schema;

/// Something that is damaged, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where and what, for the operator.
    pub message: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Store {
    /// Reads every row of every table and the journal of every partition; gives what is
    /// damaged, the first place of each. Nothing is written, and the box goes on. Blocks that
    /// RocksDB has in its cache are not read from the disk again.
    pub fn scrub(&self) -> Vec<Damage> {
        let partitions = (0..self.meta().partitions).map(PartitionId);
        let tables = schema::names().filter_map(|name| damage_of_table(self, name));
        let reader = self.reader();
        tables
            .chain(partitions.filter_map(|partition| damage_of_journal(&reader, partition)))
            .collect()
    }
}

fn damage_of_table(store: &Store, name: &str) -> Option<Damage> {
    let describe = |fault: StorageFault| Damage {
        message: format!("table {name}: {}: restore a backup", fault.message),
    };
    read_through(store, name).err().map(describe)
}

fn read_through(store: &Store, name: &str) -> Result<(), StorageFault> {
    let db = store.database();
    let mut options = ReadOptions::default();
    options.set_verify_checksums(true);
    options.fill_cache(false);
    options.set_readahead_size(1 << 20);
    let mut rows = db.iterator_cf_opt(db.family(name)?, options, IteratorMode::Start);
    rows.try_for_each(|row| row.map(drop)).map_err(|error| storage_fault(&error))
}

/// A checkpoint that trims the journal between the two reads makes a gap that is none: it
/// is damage only where the place to begin from has stayed.
fn damage_of_journal(reader: &impl StateReader, partition: PartitionId) -> Option<Damage> {
    loop {
        let from = reader.applied(partition);
        let checked = from.clone().and_then(|from| check_chain(reader, partition, from));
        let fault = checked.err()?;
        if reader.applied(partition) == from {
            return Some(Damage { message: format!("{fault}: restore a backup") });
        }
    }
}

fn check_chain(
    reader: &impl StateReader,
    partition: PartitionId,
    from: Applied,
) -> Result<(), StorageFault> {
    reader.batches(partition, from, &mut |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use answerback_directory::ports::{EachBatch, EachRow};
    use answerback_directory::shard::checkpoint::Table;
    use answerback_proto::id::Offset;

    use super::*;

    /// A journal whose batches are whole from one offset on, and whose checkpoints go on with
    /// each look at it, up to a last one.
    struct Trimmed {
        applied: AtomicU64,
        last: u64,
        whole_from: u64,
    }

    impl StateReader for Trimmed {
        fn applied(&self, _: PartitionId) -> Result<Applied, StorageFault> {
            let offset = self.applied.load(Ordering::Relaxed);
            Ok(Applied { offset: Offset(offset), ..Applied::default() })
        }

        fn row(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, StorageFault> {
            Ok(None)
        }

        fn range(
            &self,
            _: Table,
            _: &[u8],
            _: &[u8],
            _: &mut EachRow<'_>,
        ) -> Result<(), StorageFault> {
            Ok(())
        }

        fn batches(
            &self,
            _: PartitionId,
            after: Applied,
            _: &mut EachBatch<'_>,
        ) -> Result<(), StorageFault> {
            let next = self.last.min(after.offset.0 + 1);
            self.applied.store(next, Ordering::Relaxed);
            let is_whole = after.offset.0 >= self.whole_from;
            is_whole.then_some(()).ok_or_else(|| StorageFault::new("a batch is missing"))
        }
    }

    fn damage(last: u64, whole_from: u64) -> Option<Damage> {
        let reader = Trimmed { applied: AtomicU64::new(0), last, whole_from };
        damage_of_journal(&reader, PartitionId(0))
    }

    #[test]
    fn a_journal_that_is_trimmed_meanwhile_is_not_damaged() {
        assert_eq!(damage(3, 3), None);
    }

    #[test]
    fn a_journal_that_is_damaged_is_so_once_it_is_no_longer_trimmed() {
        assert!(damage(3, 4).unwrap().message.contains("missing"));
    }
}
