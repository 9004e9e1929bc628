//! A disk that is really full: a small file system in memory, mounted where nobody else sees
//! it. Where that is not permitted, a limit of a file's size stands in for it.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use answerback_directory::ports::{Applied, Journal, StorageFault};
use answerback_directory::shard::checkpoint::{Rows, Table};
use answerback_store::{JournalWriter, OpenError, Store};
use common::*;
use rustix::process::{Resource, Rlimit, setrlimit};

const DISK_BYTES: usize = 32 << 20;
const FILE_BYTES_MAX: u64 = 1 << 20;
/// What is freed in the end: a start writes once more what its WAL holds.
const BALLAST_BYTES: usize = DISK_BYTES / 2;
/// What the mounting shell ends with where it may not mount.
const NOT_PERMITTED: i32 = 77;

/// Runs this test binary again, in a mount namespace of its own, with a small disk at `path`.
fn on_a_small_disk(role: &str, path: &Path) -> Output {
    let mount = format!(
        "mount -t tmpfs -o size={DISK_BYTES} none \"$STORE_TEST_PATH\" || exit {NOT_PERMITTED}; \
         exec \"$0\" --exact on_a_full_disk --nocapture"
    );
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount]);
    run(command, role, path)
}

fn with_a_limited_file_size(role: &str, path: &Path) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" --exact on_a_full_disk --nocapture"]);
    command.env("STORE_TEST_LIMITED", "");
    run(command, role, path)
}

fn run(mut command: Command, role: &str, path: &Path) -> Output {
    command.arg(std::env::current_exe().unwrap());
    command.env("STORE_TEST_ROLE", role).env("STORE_TEST_PATH", path).output().unwrap()
}

/// Whether a child with that role passed, on whichever kind of a full disk may be had here.
fn passes(role: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut output = on_a_small_disk(role, dir.path());
    let is_mounted = output.status.code().is_some_and(|code| [0, 101].contains(&code));
    if !is_mounted {
        output = with_a_limited_file_size(role, dir.path());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(text.contains("child done"), "{text}{errors}");
    let reason = if is_mounted { "the disk is full: free some space" } else { "too large" };
    assert!(text.contains(reason), "{text}");
}

/// Not a test of its own: what the children of the tests below do.
#[test]
fn on_a_full_disk() {
    let Ok(role) = std::env::var("STORE_TEST_ROLE") else { return };
    let path = std::env::var("STORE_TEST_PATH").unwrap();
    match role.as_str() {
        "commit" => commits_until_it_is_full(Path::new(&path)),
        "checkpoint" => checkpoints_until_it_is_full(Path::new(&path)),
        role => unreachable!("no role {role}"),
    }
    println!("child done");
}

fn commits_until_it_is_full(disk: &Path) {
    let data = disk.join("data");
    let mut author = Author::default();
    let mut writer = open(&data).writer();
    take_room(disk);
    let (committed, fault) = commit_until_fault(&mut writer, &mut author);
    println!("{fault}");
    assert_refuses_all(&mut writer, &mut author, &fault);
    drop(writer);
    let refused = Store::open(&data, NEW_BOX).err();
    assert!(refused.is_none_or(|error| matches!(error, OpenError::Full(_))));
    free_room(disk);
    assert_has(&data, committed);
}

fn checkpoints_until_it_is_full(disk: &Path) {
    let data = disk.join("data");
    let mut author = Author::default();
    let mut writer = open(&data).writer();
    take_room(disk);
    let batch = author.batch(P, 5);
    writer.commit(std::slice::from_ref(&batch)).unwrap();
    let fault = loop {
        let mut rows = Rows::default();
        let place = key(P, &author.end(P).offset.0.to_be_bytes());
        rows.put(Table::Cursor, &place, &[7; 100_000]);
        match writer.checkpoint(&checkpoint(P, Applied::default(), rows)) {
            Ok(()) => {}
            Err(fault) => break fault,
        }
    };
    println!("{fault}");
    assert_refuses_all(&mut writer, &mut author, &fault);
    drop(writer);
    free_room(disk);
    assert_has(&data, batch.end().0);
}

/// Commits until it fails: the end of what was confirmed, and why it failed.
fn commit_until_fault(writer: &mut JournalWriter, author: &mut Author) -> (u64, StorageFault) {
    let mut confirmed = 0;
    loop {
        let batch = author.batch_of(P, 4, &[5; 10_000]);
        match writer.commit(std::slice::from_ref(&batch)) {
            Ok(()) => confirmed = batch.end().0,
            Err(fault) => return (confirmed, fault),
        }
    }
}

fn assert_refuses_all(writer: &mut JournalWriter, author: &mut Author, fault: &StorageFault) {
    let small = author.batch(NEIGHBOUR, 1);
    assert_eq!(writer.commit(&[small]).as_ref(), Err(fault));
    let empty = checkpoint(NEIGHBOUR, Default::default(), Rows::default());
    assert_eq!(writer.checkpoint(&empty).as_ref(), Err(fault));
    assert_eq!(writer.mark().as_ref(), Err(fault));
}

/// All that was confirmed is there, nothing that came behind the fault, and it goes on.
fn assert_has(data: &Path, confirmed: u64) {
    let store = open(data);
    let kept = batches(&store, P).unwrap();
    let last = kept.last().unwrap();
    assert!(confirmed > 1 && last.end().0 >= confirmed, "{} < {confirmed}", last.end());
    assert_eq!(batches(&store, NEIGHBOUR).unwrap(), []);
    let mut author = Author { ends: [(P, end_of(last))].into() };
    store.writer().commit(&[author.batch(P, 1)]).unwrap();
}

/// Takes room that is given back later; limits a file's size where that stands in for it.
fn take_room(disk: &Path) {
    fs::write(disk.join("ballast"), vec![1; BALLAST_BYTES]).unwrap();
    if std::env::var("STORE_TEST_LIMITED").is_ok() {
        limit_file_size(Some(FILE_BYTES_MAX));
    }
}

fn free_room(disk: &Path) {
    fs::remove_file(disk.join("ballast")).unwrap();
    limit_file_size(None);
}

fn limit_file_size(current: Option<u64>) {
    setrlimit(Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
}

#[test]
fn commits_on_a_full_disk_are_a_fault_that_says_so_and_nothing_is_lost() {
    passes("commit");
}

#[test]
fn checkpoints_on_a_full_disk_are_a_fault_that_says_so_and_nothing_is_lost() {
    passes("checkpoint");
}
