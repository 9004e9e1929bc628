//! Bringing a data directory of an older version to this one.
//!
//! Each step leads from one version to the next, and is one atomic write of the rows that
//! change and of the new version. A crash between two steps, or in one, leaves a whole version
//! behind, and the next start goes on from there.

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::ports::StorageFault;
use answerback_directory::shard::checkpoint::{Change, Rows};
use answerback_directory::shard::format_1;
use answerback_proto::id::PartitionId;
use rocksdb::WriteBatch;

use crate::database::{Database, durable};
use crate::error::OpenError;
use crate::format::VERSION;
use crate::meta::{Meta, VERSION_KEY};
use crate::reader::Reader;
use crate::rows::{add_rows, is_written_once};
use crate::schema::META;

/// Reads the rows of a version, and gives the changes that make them rows of the next one.
/// They must fit in memory.
type Step = fn(&Reader, Meta, &mut Rows) -> Result<(), StorageFault>;

/// The first step leads from version 1 to 2, and so on.
const STEPS: &[Step] = &[to_version_2, to_version_3, to_version_4];
const _: () = assert!(STEPS.len() + 1 == VERSION as usize, "each version needs its step");

/// The version of a directory whose `meta` names none.
const FIRST_VERSION: u32 = 1;

/// Brings the rows of a data directory to the version that this code writes.
pub(crate) fn migrate(db: &Database, reader: &Reader, meta: Meta) -> Result<(), OpenError> {
    let found = rows_version(db)?;
    if found > VERSION {
        return Err(OpenError::Newer { path: db.path().into(), found, known: VERSION });
    }
    run_behind(db, reader, meta, found, STEPS)
}

fn run_behind(
    db: &Database,
    reader: &Reader,
    meta: Meta,
    found: u32,
    steps: &[Step],
) -> Result<(), OpenError> {
    let numbered = (FIRST_VERSION + 1..).zip(steps);
    for (next, step) in numbered.filter(|(next, _)| *next > found) {
        run(db, reader, meta, next, *step).map_err(|fault| failed(db, next, &fault))?;
    }
    Ok(())
}

fn run(
    db: &Database,
    reader: &Reader,
    meta: Meta,
    next: u32,
    step: Step,
) -> Result<(), StorageFault> {
    let mut rows = Rows::default();
    step(reader, meta, &mut rows)?;
    let mut write = WriteBatch::default();
    end_old_rows(db, &rows, &mut write)?;
    add_rows(db, &rows, &mut write)?;
    write.put_cf(db.family(META)?, VERSION_KEY, next.to_le_bytes());
    db.write(write, &durable())
}

/// A row that is otherwise written once may be there already: it ends before it begins anew.
fn end_old_rows(db: &Database, rows: &Rows, write: &mut WriteBatch) -> Result<(), StorageFault> {
    for row in rows.iter().filter(|row| is_written_once(row.table)) {
        if let Change::Put(_) = row.change {
            write.single_delete_cf(db.family(row.table.name())?, row.key);
        }
    }
    Ok(())
}

fn rows_version(db: &Database) -> Result<u32, OpenError> {
    let corrupt = |what: String| OpenError::Corrupt(db.path().into(), what);
    let family = db.family(META).map_err(|fault| corrupt(fault.message))?;
    let found = db.get_cf(family, VERSION_KEY);
    let Some(bytes) = found.map_err(|error| OpenError::from_rocksdb(db.path(), &error))? else {
        return Ok(FIRST_VERSION);
    };
    let version = bytes.as_slice().try_into().map(u32::from_le_bytes);
    version.map_err(|_| corrupt("the version of its rows cannot be read".into()))
}

fn failed(db: &Database, next: u32, fault: &StorageFault) -> OpenError {
    OpenError::Migration { path: db.path().into(), to: next, cause: fault.message.clone() }
}

/// Version 2 counts what waits, and knows when it ends.
fn to_version_2(reader: &Reader, meta: Meta, rows: &mut Rows) -> Result<(), StorageFault> {
    let table = PartitionTable::new(&meta.secret, meta.partitions, 1);
    for partition in (0..meta.partitions).map(PartitionId) {
        rows.append(format_1::convert(reader, partition, table)?);
    }
    Ok(())
}

/// Version 3 may say more in the rows of users and devices, and has records of logins with their
/// tokens; what version 2 wrote reads the same in it.
fn to_version_3(_: &Reader, _: Meta, _: &mut Rows) -> Result<(), StorageFault> {
    Ok(())
}

/// Version 4 has tables, records and parts of rows that version 3 does not know; what version 3
/// wrote reads the same in it.
fn to_version_4(_: &Reader, _: Meta, _: &mut Rows) -> Result<(), StorageFault> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::open::{NewBox, Store};
    use answerback_directory::ports::{Applied, Journal, StateReader};
    use answerback_directory::shard::checkpoint::{Checkpoint, Table};

    fn open(path: &std::path::Path) -> Store {
        Store::open(path, NewBox { partitions: 1, secret: [1; 16] }).unwrap()
    }

    fn migrate_from(store: &Store, found: u32, steps: &[Step]) -> Result<(), OpenError> {
        run_behind(store.database(), &store.reader(), store.meta(), found, steps)
    }

    fn write(store: &Store, change: impl FnOnce(&mut Rows)) {
        let mut rows = Rows::default();
        change(&mut rows);
        let (partition, applied) = (PartitionId(0), Applied::default());
        store.writer().checkpoint(&Checkpoint { partition, applied, rows }).unwrap();
    }

    fn inbox(store: &Store) -> Vec<Vec<u8>> {
        let mut values = Vec::new();
        let mut each = |_: &[u8], value: &[u8]| {
            values.push(value.to_vec());
            Ok(ControlFlow::Continue(()))
        };
        store.reader().range(Table::Inbox, b"", b"z", &mut each).unwrap();
        values
    }

    /// Appends a digit to the value of each row of the inbox.
    fn append<const DIGIT: u8>(
        reader: &Reader,
        _meta: Meta,
        rows: &mut Rows,
    ) -> Result<(), StorageFault> {
        reader.range(Table::Inbox, b"", b"z", &mut |key, value| {
            rows.put(Table::Inbox, key, &[value, &[DIGIT]].concat());
            Ok(ControlFlow::Continue(()))
        })
    }

    fn fail(_reader: &Reader, _meta: Meta, rows: &mut Rows) -> Result<(), StorageFault> {
        rows.put(Table::Inbox, b"half", b"");
        Err(StorageFault::new("a row that cannot be read"))
    }

    #[test]
    fn the_steps_behind_a_version_run_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        write(&store, |rows| rows.put(Table::Inbox, b"row", b"0"));
        migrate_from(&store, 2, &[append::<b'2'>, append::<b'3'>, append::<b'4'>]).unwrap();
        assert_eq!(inbox(&store), [b"034"]);
        assert_eq!(rows_version(store.database()).unwrap(), 4);
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it_whole() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        write(&store, |rows| rows.put(Table::Inbox, b"row", b"0"));
        let error = migrate_from(&store, 1, &[append::<b'2'>, fail, append::<b'4'>]).unwrap_err();
        assert!(matches!(error, OpenError::Migration { to: 3, .. }), "{error}");
        assert_eq!(inbox(&store), [b"02"]);
        assert_eq!(rows_version(store.database()).unwrap(), 2);
    }

    #[test]
    fn a_row_that_a_step_changed_stays_gone_when_it_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let db = store.database();
        let family = db.family(Table::Inbox.name()).unwrap();
        write(&store, |rows| rows.put(Table::Inbox, b"row", b"0"));
        db.flush_cf(family).unwrap();
        migrate_from(&store, 1, &[append::<b'2'>]).unwrap();
        write(&store, |rows| rows.delete(Table::Inbox, b"row"));
        db.flush_cf(family).unwrap();
        assert_eq!(inbox(&store), [""; 0].map(|_: &str| Vec::new()));
    }
}
