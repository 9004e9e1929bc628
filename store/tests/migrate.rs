//! Data directories of older versions, from files that those versions wrote.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::path::Path;

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::recovery::load_shards;
use answerback_directory::shard::Residency;
use answerback_directory::shard::checkpoint::Table;
use answerback_proto::id::{PartitionId, UserId};
use answerback_store::{OpenError, Store, restore};
use common::*;
use rocksdb::{DB, Options};

const FORMAT: &str = "answerback.format";

/// Copies the data directory of a box of version 1: two partitions, in each of them rows and
/// a journal behind them.
fn copy_fixture(to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1");
    for file in files(&from) {
        let target = to.join(file.strip_prefix(&from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
}

/// That a directory made of the fixture has all that version 1 wrote.
fn assert_has_all(path: &Path) {
    let store = open(path);
    assert_eq!(store.meta().partitions, 2);
    let counts = [0, 1].map(PartitionId).map(|partition| {
        let records = batches(&store, partition).unwrap().iter().map(|batch| batch.count()).sum();
        (rows(&store, partition).len(), records)
    });
    assert_eq!(counts, [(15, 7u32), (13, 2)]);
    let inboxes = [0, 1].map(PartitionId).map(|partition| rows(&store, partition));
    let entries = inboxes.iter().flatten().filter(|(table, ..)| *table == Table::Inbox);
    let table = PartitionTable::new(&store.meta().secret, 2, 1);
    let generation = store.meta().generation;
    let shards =
        load_shards(&store.reader(), table, generation, Residency::default()).unwrap().shards;
    let homes = [1, 2, 3].map(|user| usize::from(table.partition_of(UserId(user)).0));
    for (user, home) in (1..).zip(homes) {
        assert!(
            shards.get(home).unwrap().knows(UserId(user)),
            "the journal behind the rows speaks of {user}"
        );
    }
    let payloads: [&[u8]; 4] = [b"to three", b"stored 4", b"stored 5", b"from three"];
    let values: Vec<_> = entries.map(|(_, _, value)| value).collect();
    for payload in payloads {
        assert!(values.iter().any(|value| value.ends_with(payload)), "{payload:?}");
    }
}

fn assert_is_version_2(path: &Path) {
    assert_eq!(fs::read_to_string(path.join(FORMAT)).unwrap(), "answerback data 2\n");
    let db = raw(path);
    let version = db.get_cf(db.cf_handle("meta").unwrap(), "version").unwrap();
    assert_eq!(version.unwrap(), 2u32.to_le_bytes());
    let families = DB::list_cf(&Options::default(), path.join("db")).unwrap();
    for table in Table::ALL {
        assert!(families.iter().any(|family| family == table.name()), "{table:?}");
    }
}

#[test]
fn a_directory_of_version_1_is_migrated_with_all_that_it_has() {
    let dir = tempfile::tempdir().unwrap();
    copy_fixture(dir.path());
    assert_has_all(dir.path());
    assert_is_version_2(dir.path());
    assert_has_all(dir.path());
}

#[test]
fn a_migration_that_was_cut_off_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    copy_fixture(dir.path());
    fs::write(dir.path().join(FORMAT), "answerback data 2\n").unwrap();
    assert_has_all(dir.path());
    assert_is_version_2(dir.path());
}

#[test]
fn a_backup_of_version_1_is_restored_and_migrated() {
    let dir = tempfile::tempdir().unwrap();
    let (backup, data) = (dir.path().join("backup"), dir.path().join("data"));
    copy_fixture(&backup);
    restore(&backup, &data).unwrap();
    assert_eq!(fs::read_to_string(backup.join(FORMAT)).unwrap(), "answerback data 1\n");
    assert_has_all(&data);
    assert_is_version_2(&data);
}

#[test]
fn rows_of_a_newer_version_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let db = raw(dir.path());
    db.put_cf(db.cf_handle("meta").unwrap(), "version", 9u32.to_le_bytes()).unwrap();
    drop(db);
    let error = Store::open(dir.path(), NEW_BOX).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 9, known: 2, .. }), "{error}");
}

#[test]
fn a_new_directory_has_this_version() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    assert_is_version_2(dir.path());
}
