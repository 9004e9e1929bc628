//! Backups of a store that goes on writing, and what becomes of them.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use answerback_directory::ports::Journal;
use answerback_directory::shard::checkpoint::{Rows, Table};
use answerback_store::{BackupError, OpenError, Store, restore};
use common::*;

fn committed_store(path: &Path) -> (Store, Author) {
    let store = open(path);
    let mut author = Author::default();
    let mut writer = store.writer();
    writer.commit(&[author.batch(P, 3), author.batch(NEIGHBOUR, 2)]).unwrap();
    let mut rows = Rows::default();
    rows.put(Table::Inbox, &key(P, b"row"), b"value");
    writer.checkpoint(&checkpoint(P, author.end(P), rows)).unwrap();
    writer.commit(&[author.batch(P, 4)]).unwrap();
    writer.mark().unwrap();
    (store, author)
}

#[test]
fn a_restored_backup_has_what_was_committed_and_a_new_generation() {
    let dir = tempfile::tempdir().unwrap();
    let (box_path, backup, data) =
        (dir.path().join("box"), dir.path().join("backup"), dir.path().join("data"));
    let (store, mut author) = committed_store(&box_path);
    store.backup(&backup).unwrap();
    let later = author.batch(P, 1);
    store.writer().commit(&[later]).unwrap();
    let before = files(&backup);
    assert_eq!(restore(&backup, &data).unwrap().0, 2);
    assert_eq!(files(&backup), before, "the backup stays as it is");
    let restored = open(&data);
    assert_eq!(restored.meta().generation.0, 2);
    assert_eq!(restored.meta().secret, store.meta().secret);
    assert_eq!(rows(&restored, P), rows(&store, P));
    assert_eq!(batches(&restored, NEIGHBOUR).unwrap(), batches(&store, NEIGHBOUR).unwrap());
    let mut expected = batches(&store, P).unwrap();
    expected.pop();
    assert_eq!(batches(&restored, P).unwrap(), expected);
    assert_eq!(store.meta().generation.0, 1);
    assert!(!data.join("answerback.high-water").exists());
}

#[test]
fn a_backup_while_commits_go_on_has_all_that_was_committed_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("box"));
    let mut writer = store.writer();
    let (committed, ends) = mpsc::channel();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut author = Author::default();
            while !is_done.load(Ordering::Relaxed) {
                let batch = author.batch(P, 3);
                writer.commit(std::slice::from_ref(&batch)).unwrap();
                committed.send(batch.end().0).unwrap();
            }
        });
        for round in 0..5 {
            let confirmed = ends.iter().nth(20).unwrap();
            let backup = dir.path().join(format!("backup-{round}"));
            store.backup(&backup).unwrap();
            assert!(ends.recv().unwrap() > confirmed, "commits went on");
            let data = dir.path().join(format!("data-{round}"));
            restore(&backup, &data).unwrap();
            let kept = batches(&open(&data), P).unwrap();
            assert!(kept.last().unwrap().end().0 >= confirmed, "round {round}");
        }
        is_done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn nobody_else_may_look_into_what_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup, restored) =
        (dir.path().join("below/box"), dir.path().join("backup"), dir.path().join("restored"));
    let (store, _) = committed_store(&data);
    store.backup(&backup).unwrap();
    restore(&backup, &restored).unwrap();
    for path in [&dir.path().join("below"), &data, &backup, &restored] {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", path.display());
    }
}

#[test]
fn nothing_that_is_there_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = committed_store(&dir.path().join("box"));
    let used = dir.path().join("used");
    fs::create_dir(&used).unwrap();
    fs::write(used.join("thesis.txt"), "years of work").unwrap();
    let file = used.join("thesis.txt");
    let backup = dir.path().join("backup");
    store.backup(&backup).unwrap();
    for place in [&used, &file] {
        let refused = store.backup(place);
        assert!(matches!(refused, Err(BackupError::Used(_))), "{refused:?}");
        let refused = restore(&backup, place);
        assert!(matches!(refused, Err(BackupError::Used(_))), "{refused:?}");
    }
    assert_eq!(files(&used), [file]);
}

#[test]
fn an_empty_directory_and_the_rest_of_an_interrupted_backup_are_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = committed_store(&dir.path().join("box"));
    let (backup, rest) = (dir.path().join("backup"), dir.path().join("backup.partial"));
    fs::create_dir(&backup).unwrap();
    fs::create_dir(&rest).unwrap();
    fs::write(rest.join("half"), "of it").unwrap();
    store.backup(&backup).unwrap();
    assert!(!rest.exists());
    restore(&backup, &dir.path().join("data")).unwrap();
}

#[test]
fn what_is_no_backup_is_not_restored() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let refused = restore(&dir.path().join("nowhere"), &data);
    assert!(matches!(refused, Err(BackupError::NoBackup(_))), "{refused:?}");
    let newer = dir.path().join("newer");
    drop(open(&newer));
    fs::write(newer.join("answerback.format"), "answerback data 999\n").unwrap();
    let refused = restore(&newer, &data);
    assert!(matches!(refused, Err(BackupError::Open(OpenError::Newer { .. }))), "{refused:?}");
    let running = dir.path().join("running");
    let _store = open(&running);
    let refused = restore(&running, &data);
    assert!(matches!(refused, Err(BackupError::Open(OpenError::InUse(_)))), "{refused:?}");
    assert!(!data.exists());
}

#[test]
fn a_backup_that_is_damaged_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = committed_store(&dir.path().join("box"));
    let (backup, data) = (dir.path().join("backup"), dir.path().join("data"));
    store.backup(&backup).unwrap();
    fs::write(backup.join("db/CURRENT"), "MANIFEST-999999\n").unwrap();
    let refused = restore(&backup, &data);
    assert!(matches!(refused, Err(BackupError::Open(_))), "{refused:?}");
    assert!(!data.exists() && !dir.path().join("data.partial").exists());
}
