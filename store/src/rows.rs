//! The rows of a checkpoint as a write of RocksDB.

use answerback_directory::ports::StorageFault;
use answerback_directory::shard::checkpoint::{Change, Rows, Table};
use rocksdb::WriteBatch;

use crate::database::Database;

/// Adds the changes of rows to a write, in their order.
pub(crate) fn add_rows(
    db: &Database,
    rows: &Rows,
    write: &mut WriteBatch,
) -> Result<(), StorageFault> {
    let families = Table::ALL.iter().map(|table| db.family(table.name()));
    let families = families.collect::<Result<Vec<_>, _>>()?;
    for row in rows.iter() {
        let Some(&family) = families.get(row.table as usize) else { continue };
        match row.change {
            Change::Put(value) => write.put_cf(family, row.key, value),
            Change::Delete if is_written_once(row.table) => {
                write.single_delete_cf(family, row.key);
            }
            Change::Delete => write.delete_cf(family, row.key),
            Change::DeleteTo(end) => write.delete_range_cf(family, row.key, end),
        }
    }
    Ok(())
}

/// Rows that are put once and deleted at most once may be deleted by a single deletion:
/// put and deletion then vanish together, before they reach a file where both lie in one
/// memtable (measured: 0.6 B a message remain, against 12 of a plain deletion). A second put
/// without a deletion before it would let the first one's value come back.
pub(crate) fn is_written_once(table: Table) -> bool {
    table == Table::Inbox
}
