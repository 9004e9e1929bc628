//! What a data directory holds: all of it, counted; one user; one message.
//!
//! Tables are as of the last checkpoint; records of the journal behind that are counted
//! apart, since nobody but a shard knows what they come to. Of a running box the next
//! checkpoint is waited for, where it is asked for a user or a message.

mod settled;
mod trace;
mod user;

use std::fmt;
use std::ops::ControlFlow;

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::ports::{Applied, StateReader, StorageFault};
use answerback_directory::shard::checkpoint::{Table, partition_end};
use answerback_proto::id::{PartitionId, UserId};
use answerback_store::{Meta, Reader, Store};
use serde::{Deserialize, Serialize};

pub(crate) use settled::settle;
pub(crate) use trace::{FailureNotice, MessageTrace, Place, WaitingDevice, homes, of_message};
pub(crate) use user::{
    AttemptsInspection, DeviceInspection, EntryInspection, FoundUser, SessionInspection,
    UserInspection, of_user,
};

/// Tables whose keys begin with partition and user.
const USER_TABLES: &[Table] = &[
    Table::Cursor,
    Table::Device,
    Table::Chat,
    Table::Sequence,
    Table::Inbox,
    Table::Parked,
    Table::Sender,
];

/// What was counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Inspection {
    pub(crate) generation: u64,
    pub(crate) partitions: u16,
    pub(crate) tables: Vec<TableCount>,
    /// Records of the journal that are not in the tables yet.
    pub(crate) records_behind: u64,
}

/// One table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TableCount {
    pub(crate) table: String,
    pub(crate) rows: u64,
    /// Of keys and values, before what the disk makes of them.
    pub(crate) bytes: u64,
}

/// Counts all.
pub(crate) fn of_box(store: &Store) -> Result<Inspection, StorageFault> {
    let (reader, Meta { partitions, generation, .. }) = (store.reader(), store.meta());
    let end = partition_end(PartitionId(partitions.saturating_sub(1)));
    let tables = Table::ALL.iter().map(|table| count(&reader, *table, &[], &end));
    let tables = tables.collect::<Result<_, _>>()?;
    let behind = (0..partitions).map(|number| records_behind(&reader, PartitionId(number)));
    let records_behind = behind.sum::<Result<_, _>>()?;
    Ok(Inspection { generation: generation.0, partitions, tables, records_behind })
}

/// Counts the rows that belong to a user.
fn count_user(
    reader: &Reader,
    partition: PartitionId,
    user: UserId,
) -> Result<Vec<TableCount>, StorageFault> {
    let (from, end) = (user_key(partition, user), user_end(partition, user));
    USER_TABLES.iter().map(|table| count(reader, *table, &from, &end)).collect()
}

/// A user's home.
pub(crate) fn home_of(store: &Store, user: UserId) -> PartitionId {
    let Meta { partitions, secret, .. } = store.meta();
    PartitionTable::new(&secret, partitions, 1).partition_of(user)
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { generation, partitions, tables, records_behind } = self;
        writeln!(f, "{partitions} partitions, generation {generation}")?;
        writeln!(f, "  {:<10} {:>12} {:>14}", "table", "rows", "bytes")?;
        for TableCount { table, rows, bytes } in tables {
            writeln!(f, "  {table:<10} {rows:>12} {bytes:>14}")?;
        }
        write!(f, "  {records_behind} records are in the journal and not yet in the tables")
    }
}

fn count(
    reader: &dyn StateReader,
    table: Table,
    from: &[u8],
    end: &[u8],
) -> Result<TableCount, StorageFault> {
    let mut count = TableCount { table: table.name().to_owned(), rows: 0, bytes: 0 };
    reader.range(table, from, end, &mut |key, value| {
        count.rows += 1;
        count.bytes += (key.len() + value.len()) as u64;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count)
}

/// A checkpoint of a box that runs may trim the journal while it is read: only a journal
/// that did not move can be damaged.
pub(crate) fn records_behind(
    reader: &dyn StateReader,
    partition: PartitionId,
) -> Result<u64, StorageFault> {
    let mut applied = reader.applied(partition)?;
    loop {
        let counted = count_records(reader, partition, applied);
        let now = reader.applied(partition)?;
        if counted.is_ok() || now == applied {
            return counted;
        }
        applied = now;
    }
}

fn count_records(
    reader: &dyn StateReader,
    partition: PartitionId,
    applied: Applied,
) -> Result<u64, StorageFault> {
    let mut records = 0;
    reader.batches(partition, applied, &mut |batch| {
        records += u64::from(batch.count());
        Ok(())
    })?;
    Ok(records)
}

fn user_key(partition: PartitionId, user: UserId) -> Vec<u8> {
    [&partition.0.to_be_bytes()[..], &user.0.to_be_bytes()].concat()
}

/// The first key behind all of a user's.
fn user_end(partition: PartitionId, user: UserId) -> Vec<u8> {
    match user.0.checked_add(1) {
        Some(next) => user_key(partition, UserId(next)),
        None => partition_end(partition),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use answerback_directory::ports::{EachBatch, EachRow};
    use answerback_proto::id::Offset;

    use super::*;

    /// A journal that is trimmed `trims` times while it is read.
    struct Trimmed {
        reads: AtomicU64,
        trims: u64,
    }

    impl StateReader for Trimmed {
        fn applied(&self, _: PartitionId) -> Result<Applied, StorageFault> {
            let reads = self.reads.fetch_add(1, Ordering::Relaxed);
            Ok(Applied { offset: Offset(reads.min(self.trims)), ..Applied::default() })
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
            match after.offset.0 {
                3 => Ok(()),
                _ => Err(StorageFault::new("a batch is missing")),
            }
        }
    }

    #[test]
    fn a_journal_is_damaged_only_where_it_stands_still() {
        let read = |trims| records_behind(&Trimmed { reads: 0.into(), trims }, PartitionId(0));
        assert_eq!(read(3), Ok(0));
        assert_eq!(read(2), Err(StorageFault::new("a batch is missing")));
    }

    #[test]
    fn the_rows_of_the_last_user_end_with_the_partition() {
        let (partition, last) = (PartitionId(3), UserId(u128::MAX));
        assert_eq!(user_end(partition, last), partition_end(partition));
        assert_eq!(user_end(partition, UserId(1)), user_key(partition, UserId(2)));
    }
}
