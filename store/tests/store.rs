//! The store against a real RocksDB: what was committed comes back, what is damaged is a
//! loud fault, and what cannot be opened says why.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use answerback_directory::ports::{Applied, Journal, StateReader};
use answerback_directory::shard::checkpoint::{Rows, Table};
use answerback_proto::id::{Offset, PartitionId};
use answerback_proto::record::{Batch, BatchBuilder, ChainHash, Tick};
use answerback_store::{NewBox, OpenError, Store};
use common::*;
use rocksdb::DB;

#[test]
fn committed_batches_come_back_in_order_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let mut author = Author::default();
    let committed: Vec<_> = (1..=20).map(|count| author.batch(P, count)).collect();
    let mut writer = open(dir.path()).writer();
    for batch in &committed {
        let neighbour = author.batch(NEIGHBOUR, 2);
        writer.commit(&[batch.clone(), neighbour]).unwrap();
    }
    drop(writer);
    let store = open(dir.path());
    assert_eq!(batches(&store, P).unwrap(), committed);
    assert_eq!(batches(&store, NEIGHBOUR).unwrap().len(), 20);
    assert_eq!(batches(&store, PartitionId(0)).unwrap(), []);
}

#[test]
fn a_checkpoint_keeps_its_rows_and_place_and_ends_the_journal_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut author = Author::default();
    let mut writer = open(dir.path()).writer();
    let (before, behind) = (author.batch(P, 3), author.batch(P, 4));
    let neighbour = author.batch(NEIGHBOUR, 5);
    writer.commit(&[before.clone(), neighbour.clone()]).unwrap();
    writer.commit(std::slice::from_ref(&behind)).unwrap();
    let applied = Applied { offset: Offset(3), chain: before.chain_after() };
    let mut first = Rows::default();
    first.put(Table::Inbox, &key(P, b"a"), b"1");
    first.put(Table::Inbox, &key(P, b"b"), b"2");
    first.put(Table::Outgoing, &key(P, b"c"), b"3");
    writer.checkpoint(&checkpoint(P, applied, first)).unwrap();
    let mut second = Rows::default();
    second.delete(Table::Inbox, &key(P, b"a"));
    second.delete(Table::Outgoing, &key(P, b"c"));
    second.put(Table::Cursor, &key(P, b"d"), b"4");
    writer.checkpoint(&checkpoint(P, applied, second)).unwrap();
    drop(writer);
    let store = open(dir.path());
    assert_eq!(store.reader().applied(P).unwrap(), applied);
    assert_eq!(batches(&store, P).unwrap(), [behind]);
    assert_eq!(batches(&store, NEIGHBOUR).unwrap(), [neighbour], "nobody else's is trimmed");
    let expected =
        [(Table::Cursor, key(P, b"d"), b"4".to_vec()), (Table::Inbox, key(P, b"b"), b"2".to_vec())];
    assert_eq!(rows(&store, P), expected);
    assert_eq!(rows(&store, NEIGHBOUR), []);
}

#[test]
fn a_box_keeps_what_it_was_made_with() {
    let dir = tempfile::tempdir().unwrap();
    let made = open(dir.path()).meta();
    let other = NewBox { partitions: 64, secret: [9; 16] };
    assert_eq!(Store::open(dir.path(), other).unwrap().meta(), made);
    assert_eq!((made.partitions, made.secret, made.generation.0), (4, [3; 16], 1));
}

/// A journal of three batches of three records, damaged.
fn damaged(damage: impl FnOnce(&DB, &[Batch])) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut author = Author::default();
    let committed = [author.batch(P, 3), author.batch(P, 3), author.batch(P, 3)];
    let mut writer = open(dir.path()).writer();
    committed.iter().for_each(|batch| writer.commit(std::slice::from_ref(batch)).unwrap());
    drop(writer);
    damage(&raw(dir.path()), &committed);
    batches(&open(dir.path()), P).unwrap_err()
}

#[test]
fn a_missing_batch_is_a_fault_with_its_place() {
    let fault =
        damaged(|db, _| db.delete_cf(db.cf_handle("journal").unwrap(), journal_key(4)).unwrap());
    assert!(fault.contains("partition 1") && fault.contains("offset 4"), "{fault}");
    assert!(fault.contains("missing"), "{fault}");
}

#[test]
fn a_flipped_byte_is_a_fault_with_its_place() {
    let fault = damaged(|db, committed| {
        let mut bytes = committed[1].as_bytes().to_vec();
        bytes[70] ^= 1;
        db.put_cf(db.cf_handle("journal").unwrap(), journal_key(4), bytes).unwrap();
    });
    assert!(fault.contains("offset 4") && fault.contains("checksum"), "{fault}");
}

#[test]
fn a_batch_of_another_history_is_a_fault_with_its_place() {
    let fault = damaged(|db, _| {
        let mut builder = BatchBuilder::default();
        for now_ms in 0..3 {
            builder.push(&Tick { now_ms }, b"");
        }
        let other = builder.finish(P, Offset(4), ChainHash([1; 16]));
        db.put_cf(db.cf_handle("journal").unwrap(), journal_key(4), other.as_bytes()).unwrap();
    });
    assert!(fault.contains("offset 4") && fault.contains("continue"), "{fault}");
}

#[test]
fn a_batch_in_anothers_place_is_a_fault() {
    let fault = damaged(|db, committed| {
        let bytes = committed[2].as_bytes();
        db.put_cf(db.cf_handle("journal").unwrap(), journal_key(4), bytes).unwrap();
    });
    assert!(fault.contains("offset 4") && fault.contains("another batch"), "{fault}");
}

#[test]
fn a_directory_in_use_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path());
    let error = Store::open(dir.path(), NEW_BOX).unwrap_err();
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
}

#[test]
fn of_several_that_open_a_new_directory_at_once_one_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let open_too = || Store::open(dir.path(), NEW_BOX);
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open_too)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (has_it, others): (Vec<_>, Vec<_>) = opened.into_iter().partition(Result::is_ok);
    assert_eq!(has_it.len(), 1);
    for other in others {
        assert!(matches!(other, Err(OpenError::InUse(_))), "{other:?}");
    }
}

#[test]
fn a_start_that_was_cut_off_before_its_mark_may_begin_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("answerback.format.new"), "answerback da").unwrap();
    open(dir.path());
    let mark = fs::read_to_string(dir.path().join("answerback.format")).unwrap();
    assert_eq!(mark, "answerback data 4\n");
}

#[test]
fn a_newer_directory_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    fs::write(dir.path().join("answerback.format"), "answerback data 999\n").unwrap();
    let error = Store::open(dir.path(), NEW_BOX).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 999, known: 3, .. }), "{error}");
}

#[test]
fn a_foreign_directory_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let error = Store::open(dir.path(), NEW_BOX).unwrap_err();
    assert!(matches!(error, OpenError::Foreign(_)), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_directory_that_cannot_be_made_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("data"), NEW_BOX).unwrap_err();
    assert!(matches!(error, OpenError::Inaccessible(..)), "{error}");
}

/// Runs this test binary again as a child that only does what `role` says. The signal
/// that says that a file's limit is reached is ignored, so that the write itself fails.
fn start_child(role: &str, path: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" --exact child --nocapture"]);
    command.arg(std::env::current_exe().unwrap());
    command.env("STORE_TEST_ROLE", role).env("STORE_TEST_PATH", path);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Not a test of its own: what the children of the tests below do.
#[test]
fn child() {
    let Ok(role) = std::env::var("STORE_TEST_ROLE") else { return };
    let path = std::env::var("STORE_TEST_PATH").unwrap();
    let store = open(Path::new(&path));
    let mut author = Author::default();
    let known = batches(&store, P).unwrap();
    if let Some(last) = known.last() {
        author.ends.insert(P, end_of(last));
    }
    let mut writer = store.writer();
    if role == "limited" {
        limit_file_size(1 << 20);
    }
    loop {
        let batch = author.batch(P, 40);
        match writer.commit(std::slice::from_ref(&batch)) {
            Ok(()) => println!("\ncommitted {}", batch.end()),
            Err(fault) => {
                let again = writer.commit(&[author.batch(P, 1)]);
                println!("\nfault {} {}", fault.message.len() > 10, again == Err(fault));
                return;
            }
        }
    }
}

/// Further writes fail with EFBIG, as they fail with ENOSPC on a full disk.
fn limit_file_size(bytes: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    setrlimit(Resource::Fsize, limit).unwrap();
}

#[test]
fn what_was_confirmed_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut confirmed = 0;
    for confirmations in [25, 100, 60] {
        let mut process = start_child("kill", dir.path()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ends = lines.map_while(Result::ok).filter_map(|line| {
            line.strip_prefix("committed ").map(|end| end.parse::<u64>().unwrap())
        });
        confirmed = ends.take(confirmations).last().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        let kept = batches(&open(dir.path()), P).unwrap();
        assert!(kept.last().unwrap().end().0 >= confirmed, "confirmed up to {confirmed}");
    }
    assert!(confirmed > 40 * (25 + 100));
}

#[test]
fn after_a_failed_write_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let output = start_child("limited", dir.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("fault true true"), "{text}");
    let last = text.lines().rfind(|line| line.starts_with("committed ")).unwrap();
    let confirmed: u64 = last.trim_start_matches("committed ").parse().unwrap();
    let kept = batches(&open(dir.path()), P).unwrap();
    assert_eq!(kept.last().unwrap().end().0, confirmed, "nothing behind the fault");
}
