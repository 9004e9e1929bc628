//! The high-water mark: a journal that lost what was acknowledged is a loud refusal.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs::{self, File};
use std::path::Path;

use answerback_directory::ports::{Applied, Journal};
use answerback_directory::shard::checkpoint::Rows;
use answerback_proto::id::Offset;
use answerback_proto::record::{Batch, BatchBuilder, ChainHash, Tick};
use answerback_store::{JournalWriter, OpenError, Store};
use common::*;

const MARK: &str = "answerback.high-water";

fn commit(writer: &mut JournalWriter, batch: &Batch) {
    writer.commit(std::slice::from_ref(batch)).unwrap();
}

/// Cuts the end of the last write off the WAL, as a disk does that lied about its fsync.
fn cut_tail(path: &Path) {
    let logs = files(path).into_iter().filter(|file| file.extension().is_some_and(|e| e == "log"));
    let log = logs.max().unwrap();
    let length = fs::metadata(&log).unwrap().len();
    File::options().write(true).open(log).unwrap().set_len(length - 10).unwrap();
}

fn refusal(path: &Path) -> String {
    let error = Store::open(path, NEW_BOX).unwrap_err();
    assert!(matches!(error, OpenError::LostRecords(..)), "{error}");
    error.to_string()
}

#[test]
fn a_tail_lost_below_the_mark_is_refused_until_the_loss_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let mut author = Author::default();
    let mut writer = open(dir.path()).writer();
    let kept = author.batch(P, 3);
    commit(&mut writer, &kept);
    commit(&mut writer, &author.batch(P, 4));
    writer.mark().unwrap();
    drop(writer);
    cut_tail(dir.path());
    for _ in 0..2 {
        let text = refusal(dir.path());
        assert!(text.contains("partition 1: it was committed up to offset 7"), "{text}");
        assert!(text.contains("ends at 3") && text.contains("repair --accept-loss"), "{text}");
    }
    assert_eq!(Store::accept_loss(dir.path()).unwrap().0, 2, "places in what is lost are void");
    let store = open(dir.path());
    assert_eq!(batches(&store, P).unwrap(), [kept]);
    assert_eq!(store.meta().generation.0, 2);
}

#[test]
fn a_tail_lost_above_the_mark_is_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    let mut author = Author::default();
    let mut writer = open(dir.path()).writer();
    let kept = author.batch(P, 3);
    commit(&mut writer, &kept);
    writer.mark().unwrap();
    commit(&mut writer, &author.batch(P, 4));
    drop(writer);
    cut_tail(dir.path());
    assert_eq!(batches(&open(dir.path()), P).unwrap(), [kept]);
}

#[test]
fn a_directory_without_a_mark_starts_with_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let mut author = Author::default();
    let mut writer = open(dir.path()).writer();
    let kept = author.batch(P, 3);
    commit(&mut writer, &kept);
    commit(&mut writer, &author.batch(P, 4));
    drop(writer);
    cut_tail(dir.path());
    assert_eq!(batches(&open(dir.path()), P).unwrap(), [kept]);
}

#[test]
fn another_history_at_the_mark_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path()).writer();
    commit(&mut writer, &Author::default().batch(P, 3));
    writer.mark().unwrap();
    drop(writer);
    let mut other = BatchBuilder::default();
    (0..3).for_each(|_| _ = other.push(&Tick { now_ms: 99 }, b"another"));
    let other = other.finish(P, Offset(1), ChainHash::default());
    let db = raw(dir.path());
    db.put_cf(db.cf_handle("journal").unwrap(), journal_key(1), other.as_bytes()).unwrap();
    drop(db);
    let text = refusal(dir.path());
    assert!(text.contains("another history at offset 3"), "{text}");
}

#[test]
fn what_a_checkpoint_trimmed_is_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    let mut author = Author::default();
    let mut writer = open(dir.path()).writer();
    commit(&mut writer, &author.batch(P, 3));
    writer.mark().unwrap();
    writer.checkpoint(&checkpoint(P, author.end(P), Rows::default())).unwrap();
    drop(writer);
    let mut writer = open(dir.path()).writer();
    commit(&mut writer, &author.batch(P, 4));
    writer.checkpoint(&checkpoint(P, author.end(P), Rows::default())).unwrap();
    drop(writer);
    assert_eq!(batches(&open(dir.path()), P).unwrap(), []);
}

#[test]
fn a_checkpoint_of_another_history_at_the_mark_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut author = Author::default();
    let mut writer = open(dir.path()).writer();
    commit(&mut writer, &author.batch(P, 3));
    writer.mark().unwrap();
    let applied = Applied { chain: ChainHash([1; 16]), ..author.end(P) };
    writer.checkpoint(&checkpoint(P, applied, Rows::default())).unwrap();
    drop(writer);
    assert!(refusal(dir.path()).contains("another history"));
}

#[test]
fn a_mark_keeps_the_partitions_that_were_silent_since_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut author = Author::default();
    let mut writer = open(dir.path()).writer();
    commit(&mut writer, &author.batch(NEIGHBOUR, 3));
    writer.mark().unwrap();
    drop(writer);
    let mut writer = open(dir.path()).writer();
    commit(&mut writer, &author.batch(P, 2));
    writer.mark().unwrap();
    drop(writer);
    let db = raw(dir.path());
    let place = key(NEIGHBOUR, &1u64.to_be_bytes());
    db.delete_cf(db.cf_handle("journal").unwrap(), place).unwrap();
    drop(db);
    let text = refusal(dir.path());
    assert!(text.contains("partition 2") && text.contains("ends at 0"), "{text}");
}

#[test]
fn a_mark_is_written_only_when_something_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let mut author = Author::default();
    let mut writer = open(dir.path()).writer();
    let mark = dir.path().join(MARK);
    writer.mark().unwrap();
    assert!(!mark.exists());
    commit(&mut writer, &author.batch(P, 1));
    writer.mark().unwrap();
    fs::write(&mark, "").unwrap();
    writer.mark().unwrap();
    assert_eq!(fs::read(&mark).unwrap(), b"");
    commit(&mut writer, &author.batch(P, 1));
    writer.mark().unwrap();
    assert_ne!(fs::read(&mark).unwrap(), b"");
}

#[test]
fn each_mark_of_a_run_takes_the_place_of_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut author = Author::default();
    let mut writer = open(dir.path()).writer();
    for _ in 0..5 {
        commit(&mut writer, &author.batch(P, 2));
        writer.mark().unwrap();
    }
    drop(writer);
    cut_tail(dir.path());
    let text = refusal(dir.path());
    assert!(text.contains("offset 10") && text.contains("ends at 8"), "{text}");
}

#[test]
fn a_damaged_mark_is_refused_and_goes_with_the_loss() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(dir.path()).writer();
    commit(&mut writer, &Author::default().batch(P, 1));
    writer.mark().unwrap();
    drop(writer);
    fs::write(dir.path().join(MARK), "scribble").unwrap();
    let error = Store::open(dir.path(), NEW_BOX).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt(..)), "{error}");
    Store::accept_loss(dir.path()).unwrap();
    open(dir.path());
}

#[test]
fn the_loss_of_what_is_no_data_directory_is_not_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let error = Store::accept_loss(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Foreign(_)), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
