//! Gone means gone: what was deleted is found in no file of the data directory, while the
//! store stays open.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use answerback_directory::ports::Journal;
use answerback_directory::shard::checkpoint::{Rows, Table};
use answerback_proto::id::PartitionId;
use answerback_store::{JournalWriter, Store};
use common::*;

const GONE: &[u8] = b"this must be gone, whatever holds it";
const KEPT: &[u8] = b"this is still to be delivered";

/// The files that hold a text.
fn files_with(path: &Path, text: &[u8]) -> Vec<String> {
    let holds = |bytes: Vec<u8>| bytes.windows(text.len()).any(|window| window == text);
    let found = files(path).into_iter().filter(|file| fs::read(file).is_ok_and(holds));
    found.map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

/// A user's row: partition, user, position.
fn entry(partition: PartitionId, user: u8, position: u64) -> Vec<u8> {
    key(partition, &[[user; 16].as_slice(), &position.to_be_bytes()].concat())
}

/// A box with entries that are to go and others that are to stay, in rows and in the journal.
struct Sample {
    dir: tempfile::TempDir,
    author: Author,
}

impl Sample {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut sample = Self { dir, author: Author::default() };
        let store = sample.open();
        let mut writer = store.writer();
        let journaled = sample.author.batch_of(P, 3, GONE);
        writer.commit(&[journaled, sample.author.batch_of(NEIGHBOUR, 3, KEPT)]).unwrap();
        sample.checkpoint(&mut writer, P, |rows| {
            rows.put(Table::Inbox, &entry(P, 1, 1), GONE);
            rows.put(Table::Inbox, &entry(P, 1, 2), KEPT);
            rows.put(Table::Parked, &entry(P, 2, 1), GONE);
            rows.put(Table::Outgoing, &entry(P, 3, 1), GONE);
            rows.put(Table::Outgoing, &entry(P, 3, 2), GONE);
        });
        assert_ne!(files_with(sample.path(), GONE), [""; 0]);
        sample
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn open(&self) -> Store {
        open(self.path())
    }

    fn checkpoint(
        &self,
        writer: &mut JournalWriter,
        partition: PartitionId,
        change: impl FnOnce(&mut Rows),
    ) {
        let mut rows = Rows::default();
        change(&mut rows);
        writer.checkpoint(&checkpoint(partition, self.author.end(partition), rows)).unwrap();
    }

    fn delete(&self, store: &Store) {
        self.checkpoint(&mut store.writer(), P, |rows| {
            rows.delete(Table::Inbox, &entry(P, 1, 1));
            rows.delete(Table::Parked, &entry(P, 2, 1));
            rows.delete_range(Table::Outgoing, &entry(P, 3, 0), &entry(P, 3, 9));
        });
    }

    /// That an erasure leaves nothing of what is gone, and all of what is not.
    fn assert_erases(&self, store: &Store) {
        assert_ne!(files_with(self.path(), GONE), [""; 0], "there is something to erase");
        assert_ne!(store.erase().unwrap(), 0);
        assert_eq!(files_with(self.path(), GONE), [""; 0]);
        assert_ne!(files_with(self.path(), KEPT), [""; 0]);
        assert_eq!(rows(store, P), [(Table::Inbox, entry(P, 1, 2), KEPT.to_vec())]);
        assert_eq!(batches(store, NEIGHBOUR).unwrap().len(), 1);
    }
}

#[test]
fn what_was_deleted_from_memory_is_gone_from_every_file() {
    let sample = Sample::new();
    let store = sample.open();
    sample.delete(&store);
    sample.assert_erases(&store);
}

#[test]
fn what_was_deleted_in_the_lowest_files_is_gone_from_every_file() {
    let sample = Sample::new();
    let store = sample.open();
    assert_ne!(store.erase().unwrap(), 0, "the journal was trimmed");
    settle(&store, &sample);
    sample.delete(&store);
    sample.assert_erases(&store);
}

/// Moves all rows down, by erasing neighbours of theirs.
fn settle(store: &Store, sample: &Sample) {
    for table in [Table::Inbox, Table::Parked, Table::Outgoing] {
        sample.checkpoint(&mut store.writer(), P, |rows| {
            rows.delete_range(table, &key(P, &[0]), &key(P, &[9]));
            rows.put(Table::Parked, &entry(P, 2, 1), GONE);
            rows.put(Table::Outgoing, &entry(P, 3, 1), GONE);
            rows.put(Table::Inbox, &entry(P, 1, 2), KEPT);
        });
        store.erase().unwrap();
    }
}

#[test]
fn what_a_crash_left_behind_is_gone_after_the_next_start() {
    let sample = Sample::new();
    sample.delete(&sample.open());
    sample.assert_erases(&sample.open());
}

#[test]
fn a_message_that_was_never_a_row_is_gone_once_the_journal_is_trimmed() {
    let mut sample = Sample::new();
    let store = sample.open();
    sample.delete(&store);
    sample.assert_erases(&store);
    let batch = sample.author.batch_of(P, 2, GONE);
    store.writer().commit(&[batch]).unwrap();
    assert_eq!(store.erase().unwrap(), 0, "nothing was deleted yet");
    sample.checkpoint(&mut store.writer(), P, |_| {});
    sample.assert_erases(&store);
}

#[test]
fn without_deletions_no_file_is_touched() {
    let sample = Sample::new();
    let store = sample.open();
    sample.delete(&store);
    sample.assert_erases(&store);
    let before = files(sample.path());
    assert_eq!(store.erase().unwrap(), 0);
    assert_eq!(files(sample.path()), before);
}

#[test]
fn what_is_deleted_while_an_erasure_runs_is_gone_after_the_next() {
    let mut sample = Sample::new();
    let store = sample.open();
    sample.delete(&store);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let eraser = scope.spawn(|| {
            while !is_done.load(Ordering::Acquire) {
                store.erase().unwrap();
            }
        });
        let mut writer = store.writer();
        for position in 3..200 {
            writer.commit(&[sample.author.batch_of(P, 1, GONE)]).unwrap();
            sample.checkpoint(&mut writer, P, |rows| {
                rows.put(Table::Inbox, &entry(P, 1, position), GONE);
            });
            sample.checkpoint(&mut writer, P, |rows| {
                rows.delete(Table::Inbox, &entry(P, 1, position));
            });
        }
        is_done.store(true, Ordering::Release);
        eraser.join().unwrap();
    });
    store.erase().unwrap();
    assert_eq!(files_with(sample.path(), GONE), [""; 0]);
}

#[test]
fn nothing_is_noted_any_more_once_it_is_erased() {
    let sample = Sample::new();
    let store = sample.open();
    sample.delete(&store);
    store.erase().unwrap();
    drop(store);
    assert_eq!(sample.open().erase().unwrap(), 0);
}
