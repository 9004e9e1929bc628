//! What the tests of the store share: batches that continue each other, and short ways to open,
//! read and damage a data directory.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part; a test fails by it")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use answerback_directory::ports::{Applied, StateReader};
use answerback_directory::shard::checkpoint::{Checkpoint, Rows, Table, partition_end};
use answerback_proto::id::{Offset, PartitionId};
use answerback_proto::record::{Batch, BatchBuilder, Tick};
use answerback_store::{NewBox, Store};
use rocksdb::{DB, Options};

/// What the tests make data directories with.
pub(crate) const NEW_BOX: NewBox = NewBox { partitions: 4, secret: [3; 16] };
/// The partition that most tests write to.
pub(crate) const P: PartitionId = PartitionId(1);
/// Another one.
pub(crate) const NEIGHBOUR: PartitionId = PartitionId(2);

/// Makes batches that continue each other.
#[derive(Default)]
pub(crate) struct Author {
    /// Where each partition's journal ends.
    pub(crate) ends: BTreeMap<PartitionId, Applied>,
}

impl Author {
    /// The next batch of a partition.
    pub(crate) fn batch(&mut self, partition: PartitionId, records: u64) -> Batch {
        self.batch_of(partition, records, b"payload")
    }

    /// The next batch of a partition, each record with this payload.
    pub(crate) fn batch_of(
        &mut self,
        partition: PartitionId,
        records: u64,
        payload: &[u8],
    ) -> Batch {
        let end = self.ends.entry(partition).or_default();
        let mut builder = BatchBuilder::default();
        for number in 0..records {
            builder.push(&Tick { now_ms: end.offset.0 + number }, payload);
        }
        let batch = builder.finish(partition, end.offset.plus(1), end.chain);
        *end = end_of(&batch);
        batch
    }

    /// Where a partition's journal ends.
    pub(crate) fn end(&self, partition: PartitionId) -> Applied {
        self.ends.get(&partition).copied().unwrap_or_default()
    }
}

/// The place behind a batch.
pub(crate) fn end_of(batch: &Batch) -> Applied {
    Applied { offset: Offset(batch.end().0 - 1), chain: batch.chain_after() }
}

/// Opens a data directory.
pub(crate) fn open(path: &Path) -> Store {
    Store::open(path, NEW_BOX).unwrap()
}

/// The batches of a partition behind its `applied`, or what is wrong with them.
pub(crate) fn batches(store: &Store, partition: PartitionId) -> Result<Vec<Batch>, String> {
    let reader = store.reader();
    let after = reader.applied(partition).unwrap();
    let mut found = Vec::new();
    let read = reader.batches(partition, after, &mut |batch| {
        found.push(batch);
        Ok(())
    });
    read.map(|()| found).map_err(|fault| fault.message)
}

/// All rows of a partition.
pub(crate) fn rows(store: &Store, partition: PartitionId) -> Vec<(Table, Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    let (from, to) = (partition.0.to_be_bytes(), partition_end(partition));
    for &table in Table::ALL {
        let mut each = |key: &[u8], value: &[u8]| {
            found.push((table, key.to_vec(), value.to_vec()));
            Ok(ControlFlow::Continue(()))
        };
        store.reader().range(table, &from, &to, &mut each).unwrap();
    }
    found
}

/// A checkpoint.
pub(crate) fn checkpoint(partition: PartitionId, applied: Applied, rows: Rows) -> Checkpoint {
    Checkpoint { partition, applied, rows }
}

/// A row's key.
pub(crate) fn key(partition: PartitionId, rest: &[u8]) -> Vec<u8> {
    [&partition.0.to_be_bytes(), rest].concat()
}

/// The journal's key of a batch of [`P`].
pub(crate) fn journal_key(first_offset: u64) -> Vec<u8> {
    key(P, &first_offset.to_be_bytes())
}

/// Opens the raw database of a store to damage it.
pub(crate) fn raw(path: &Path) -> DB {
    let path = path.join("db");
    let families = DB::list_cf(&Options::default(), &path).unwrap();
    DB::open_cf(&Options::default(), &path, families).unwrap()
}

/// All files below a directory.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
