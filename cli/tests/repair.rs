//! A box whose disk lost what was acknowledged does not start until somebody accepts it.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use answerback_directory::ports::{Journal, StateReader};
use answerback_proto::id::PartitionId;
use answerback_proto::record::{BatchBuilder, Tick};
use answerback_store::{NewBox, Store};
use common::{Place, Server, answerback, failure};

const ANY_PORT: &str = "127.0.0.1:0";

fn repair(place: &Place) -> Command {
    let mut command = answerback();
    command.args(["repair", "--accept-loss", "--data"]).arg(place.path("data"));
    command
}

/// Commits one more batch, marks it as acknowledged, and cuts it off the write-ahead log, as
/// a disk does that lied about its sync.
fn lose_the_last_record(data: &Path) {
    let store = Store::open(data, NewBox { partitions: 16, secret: [0; 16] }).unwrap();
    let partition = PartitionId(0);
    let applied = store.reader().applied(partition).unwrap();
    let mut batch = BatchBuilder::default();
    let _ = batch.push(&Tick { now_ms: 1 }, b"");
    let batch = batch.finish(partition, applied.offset.plus(1), applied.chain);
    let mut writer = store.writer();
    writer.commit(&[batch]).unwrap();
    writer.mark().unwrap();
    drop((writer, store));

    let files = fs::read_dir(data.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let log = files.filter(|path| path.extension().is_some_and(|end| end == "log")).max().unwrap();
    let length = log.metadata().unwrap().len();
    File::options().write(true).open(log).unwrap().set_len(length - 10).unwrap();
}

#[test]
fn lost_records_are_a_refusal_until_somebody_accepts_them() {
    let place = Place::new();
    let mut server = Server::serve(&place, 1);
    place.log_in_once(&server, 2);
    assert!(server.stop().success());
    lose_the_last_record(&place.path("data"));

    let (code, line) = failure(&place.serve(ANY_PORT).output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("lost records that were acknowledged"), "{line}");
    assert!(line.contains("answerback repair --accept-loss"), "{line}");

    let repaired = repair(&place).output().unwrap();
    let text = String::from_utf8(repaired.stdout).unwrap();
    assert!(repaired.status.success() && text.contains("generation 2 begins"), "{text}");

    let server = Server::serve(&place, 1);
    place.log_in_once(&server, 2);
    let status = answerback().args(["status", "--data"]).arg(place.path("data")).output().unwrap();
    assert!(String::from_utf8(status.stdout).unwrap().contains("generation 2"));
}

#[test]
fn a_box_that_runs_is_not_repaired() {
    let place = Place::new();
    let server = Server::serve(&place, 1);
    let (code, line) = failure(&repair(&place).output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("in use by another process: stop that one"), "{line}");
    place.log_in_once(&server, 2);
}

#[test]
fn what_to_repair_is_said_by_who_asks() {
    let place = Place::new();
    let (_, line) = failure(&repair(&place).output().unwrap());
    assert!(line.contains("check the path"), "{line}");
    let both = repair(&place).args(["--partition", "1"]).output().unwrap();
    assert_eq!(both.status.code(), Some(2));
}
