//! The contract of the ports, over a real RocksDB.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use answerback_directory::ports::contract::{self, Subject};
use answerback_store::{JournalWriter, Reader};
use common::open;
use rustix::process::{Resource, Rlimit, setrlimit};

struct RocksDb(PathBuf);

impl Subject for RocksDb {
    type Journal = JournalWriter;
    type Reader = Reader;

    fn open(&mut self) -> (JournalWriter, Reader) {
        let store = open(&self.0);
        (store.writer(), store.reader())
    }

    /// No file grows any more.
    fn break_disk(&mut self) {
        setrlimit(Resource::Fsize, Rlimit { current: Some(0), maximum: None }).unwrap();
    }

    fn mend_disk(&mut self) {
        setrlimit(Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap();
    }
}

#[test]
fn a_store_that_works_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    contract::check(&mut RocksDb(dir.path().into()));
}

/// Not a test of its own: the limit of a file's size is that of a whole process.
#[test]
fn child() {
    let Ok(path) = std::env::var("STORE_TEST_PATH") else { return };
    contract::check_fault(&mut RocksDb(Path::new(&path).into()));
    println!("child done");
}

#[test]
fn a_store_whose_disk_fails_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" --exact child --nocapture"]);
    command.arg(std::env::current_exe().unwrap()).env("STORE_TEST_PATH", dir.path());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("child done"), "{text}{errors}");
}
