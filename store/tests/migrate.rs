//! Data directories of older versions, from files that those versions wrote.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::path::Path;

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::recovery::load_shards;
use answerback_directory::shard::Residency;
use answerback_directory::shard::checkpoint::Table;
use answerback_directory::shard::view::{self, DeviceStanding};
use answerback_proto::id::{PartitionId, UserId};
use answerback_store::{OpenError, Store, restore};
use common::*;
use rocksdb::{DB, Options};

const FORMAT: &str = "answerback.format";

/// Copies the data directory of a box of a version: two partitions, in each of them rows and
/// a journal behind them.
fn copy_fixture(version: &str, to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(version);
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

fn assert_is_this_version(path: &Path) {
    assert_eq!(fs::read_to_string(path.join(FORMAT)).unwrap(), "answerback data 4\n");
    let db = raw(path);
    let version = db.get_cf(db.cf_handle("meta").unwrap(), "version").unwrap();
    assert_eq!(version.unwrap(), 3u32.to_le_bytes());
    let families = DB::list_cf(&Options::default(), path.join("db")).unwrap();
    for table in Table::ALL {
        assert!(families.iter().any(|family| family == table.name()), "{table:?}");
    }
}

#[test]
fn a_directory_of_version_1_is_migrated_with_all_that_it_has() {
    let dir = tempfile::tempdir().unwrap();
    copy_fixture("format-1", dir.path());
    assert_has_all(dir.path());
    assert_is_this_version(dir.path());
    assert_has_all(dir.path());
}

fn assert_has_all_of_version_2(store: &Store) {
    let (reader, meta) = (store.reader(), store.meta());
    let table = PartitionTable::new(&meta.secret, meta.partitions, 1);
    let devices = |id| {
        let found = view::user(&reader, table, UserId(id)).unwrap().unwrap();
        let devices = found.devices.iter();
        devices.map(|one| (one.device.0, one.standing, one.connection_counter)).collect::<Vec<_>>()
    };
    assert_eq!(devices(1), [(7, DeviceStanding::Active, 1)]);
    assert_eq!(devices(2), [(8, DeviceStanding::Revoked, 1)]);
    assert_eq!(devices(3), []);
    let recovered = load_shards(&reader, table, meta.generation, Residency::default()).unwrap();
    assert!(recovered.broken.is_empty(), "the journal is applied");
    for user in [1, 2, 3].map(UserId) {
        let home = usize::from(table.partition_of(user).0);
        assert!(recovered.shards.get(home).unwrap().knows(user), "the journal speaks of {user}");
    }
}

/// User 1 sent with device 7 to 2, who took it with device 8 and had that revoked, and to 3; then
/// came the checkpoint, then a message of device 9 to 2, the end of all devices of 1, and device
/// 6 of user 3 took what waited.
#[test]
fn a_directory_of_version_2_is_read_with_all_that_it_has() {
    let dir = tempfile::tempdir().unwrap();
    copy_fixture("format-2", dir.path());
    assert_has_all_of_version_2(&open(dir.path()));
    assert_is_this_version(dir.path());
}

#[test]
fn a_migration_that_was_cut_off_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    copy_fixture("format-1", dir.path());
    fs::write(dir.path().join(FORMAT), "answerback data 2\n").unwrap();
    assert_has_all(dir.path());
    assert_is_this_version(dir.path());
}

#[test]
fn a_backup_of_version_1_is_restored_and_migrated() {
    let dir = tempfile::tempdir().unwrap();
    let (backup, data) = (dir.path().join("backup"), dir.path().join("data"));
    copy_fixture("format-1", &backup);
    restore(&backup, &data).unwrap();
    assert_eq!(fs::read_to_string(backup.join(FORMAT)).unwrap(), "answerback data 1\n");
    assert_has_all(&data);
    assert_is_this_version(&data);
}

#[test]
fn rows_of_a_newer_version_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let db = raw(dir.path());
    db.put_cf(db.cf_handle("meta").unwrap(), "version", 9u32.to_le_bytes()).unwrap();
    drop(db);
    let error = Store::open(dir.path(), NEW_BOX).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 9, known: 3, .. }), "{error}");
}

#[test]
fn a_new_directory_has_this_version() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    assert_is_this_version(dir.path());
}
