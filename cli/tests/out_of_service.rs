//! A partition whose journal cannot be applied is out of service, the others are not, and
//! `answerback repair` brings it back with all that stands behind the record at fault.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::process::{Command, Output, Stdio};

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::ports::{Applied, Journal, StateReader};
use answerback_proto::id::{Offset, PartitionId, UserId};
use answerback_proto::record::{ApplyVersion, Batch, BatchBuilder, Post, StateDigest, Tick};
use answerback_store::{JournalWriter, NewBox, Store};
use common::log::Log;
use common::{Place, Server, answerback, failure, json_lines, mode};
use serde_json::{Value, json};

const ANY_PORT: &str = "127.0.0.1:0";
/// The user whose partition breaks.
const BROKEN: u32 = 1;

/// A box's data with a partition that cannot be applied.
struct Damaged {
    place: Place,
    partition: PartitionId,
    /// Users of partitions that can.
    well: Vec<u32>,
}

/// The journal of the partition, written behind the box's back.
struct Forger {
    writer: JournalWriter,
    partition: PartitionId,
    end: Applied,
}

impl Damaged {
    /// Users 1 to 20 exist; `forge` adds to the journal of the partition of user 1.
    fn new(forge: impl FnOnce(&mut Forger)) -> Self {
        let place = Place::new();
        let users: Vec<_> = (1..=20).map(|user: u32| user.to_string()).collect();
        let mut add = answerback();
        add.args(["user", "add", "--create", "--data"]).arg(place.path("data")).args(users);
        assert!(add.output().unwrap().status.success());
        let store =
            Store::open(&place.path("data"), NewBox { partitions: 16, secret: [0; 16] }).unwrap();
        let table = PartitionTable::new(&store.meta().secret, store.meta().partitions, 1);
        let home = |user: u32| table.partition_of(UserId(u128::from(user)));
        let partition = home(BROKEN);
        let end = store.reader().applied(partition).unwrap();
        forge(&mut Forger { writer: store.writer(), partition, end });
        let well = (2..=20).filter(|user| home(*user) != partition).collect();
        Self { place, partition, well }
    }

    fn repair(&self, arguments: &[&str]) -> Output {
        let mut command = answerback();
        command.arg("repair").arg("--data").arg(self.place.path("data")).args(arguments);
        command.output().unwrap()
    }

    fn skip(&self) -> Output {
        self.repair(&["--partition", &self.partition.to_string()])
    }

    /// What an export says of the record at an offset.
    fn exported(&self, offset: Offset) -> Value {
        let name = format!("repair-{}-{offset}.json", self.partition);
        let path = self.place.path("data").join(name);
        assert_eq!(mode(&path), 0o600);
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    fn receive(&self, server: &Server, user: u32, count: usize) -> Vec<Value> {
        let mut receiving = self.place.client("recv", &server.address, user);
        let receiving = receiving.args(["--count", &count.to_string(), "--timeout", "30"]);
        json_lines(&receiving.output().unwrap())
    }

    fn send(&self, server: &Server, from: u32, to: u32) -> Command {
        let mut sending = self.place.client("send", &server.address, from);
        sending.args(["--to", &to.to_string(), "hello"]);
        sending
    }
}

impl Forger {
    /// Commits a batch that begins with a tick; the offset of its second record.
    fn commit(&mut self, push: impl FnOnce(&mut BatchBuilder)) -> Offset {
        let mut builder = BatchBuilder::default();
        builder.push(&Tick { now_ms: 1 }, b"");
        push(&mut builder);
        let first = self.end.offset.plus(1);
        let batch: Batch = builder.finish(self.partition, first, self.end.chain);
        self.writer.commit(std::slice::from_ref(&batch)).unwrap();
        let offset = first.plus(u64::from(batch.count()) - 1);
        self.end = Applied { offset, chain: batch.chain_after() };
        first.plus(1)
    }

    /// Rules of a version that this binary does not have.
    fn commit_unknown_version(&mut self) -> Offset {
        self.commit(|batch| _ = batch.push(&ApplyVersion { version: 9 }, b""))
    }

    /// A state that is not what the records before it come to.
    fn commit_wrong_digest(&mut self) -> Offset {
        let offset = self.end.offset.0;
        self.commit(|batch| _ = batch.push(&StateDigest { offset, digest: 0x0bad }, b""))
    }

    fn commit_message(&mut self) -> Offset {
        let post = Post {
            recipient: u128::from(BROKEN),
            sender: 77,
            device: 5,
            sequence: 1,
            seen_ms: 0,
            life_s: 3600,
            content_type: 1,
            flags: 0,
        };
        self.commit(|batch| _ = batch.push(&post, b"behind it"))
    }
}

#[test]
fn one_partition_is_out_of_service_until_its_record_is_skipped() {
    let mut offset = Offset(0);
    let damaged = Damaged::new(|forger| {
        offset = forger.commit_unknown_version();
        forger.commit_message();
    });
    let (place, partition) = (&damaged.place, damaged.partition);
    let &[sender, recipient, ..] = damaged.well.as_slice() else { panic!("two users elsewhere") };

    let mut server = Server::start(place.serve(ANY_PORT).stderr(Stdio::piped()));
    assert!(damaged.send(&server, sender, recipient).output().unwrap().status.success());
    assert_eq!(damaged.receive(&server, recipient, 1)[0]["text"], "hello");
    let waiting = damaged.send(&server, sender, BROKEN).args(["--timeout", "1"]).output().unwrap();
    assert_eq!(waiting.status.code(), Some(3), "refused, and kept by the sender: {waiting:?}");
    let refused = place.client("recv", &server.address, BROKEN).output().unwrap();
    let (_, line) = failure(&refused);
    assert!(line.contains("Busy"), "{line}");
    let (_, line) = failure(&damaged.skip());
    assert!(line.contains("in use by another process: stop that one"), "{line}");
    assert!(server.stop().success());
    let alarm = Log::of(&mut server).event("is out of service");
    assert_eq!(alarm["alarm"], "partition_out_of_service");
    assert_eq!(alarm["partition"], u64::from(partition.0));

    let listed = damaged.repair(&[]);
    let (code, line) = failure(&listed);
    assert!(code == 1 && line.contains("1 partitions are out of service"), "{line}");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let expected = format!("partition {partition}: record {offset} cannot be applied: ");
    assert!(listed.starts_with(&expected), "{listed}");

    let skipped = damaged.skip();
    assert!(skipped.status.success(), "{skipped:?}");
    let exported = damaged.exported(offset);
    assert_eq!(exported["kind"], "ApplyVersion");
    assert_eq!(exported["fields"], json!({ "version": "9" }));
    let all_well = damaged.repair(&[]);
    assert!(all_well.status.success() && all_well.stdout.starts_with(b"all partitions"));

    let server = Server::serve(place, 2);
    let received = damaged.receive(&server, BROKEN, 1);
    assert_eq!((&received[0]["from"], &received[0]["text"]), (&"77".into(), &"behind it".into()));
    assert!(damaged.send(&server, sender, BROKEN).output().unwrap().status.success());
    let texts = damaged.receive(&server, BROKEN, 2);
    assert_eq!(texts.len(), 2, "what the sender kept, and the next: {texts:?}");
}

#[test]
fn records_at_fault_are_skipped_one_by_one() {
    let mut offsets = [Offset(0); 2];
    let damaged = Damaged::new(|forger| {
        let version = forger.commit_unknown_version();
        forger.commit_message();
        offsets = [version, forger.commit_wrong_digest()];
    });
    let [version, digest] = offsets;
    let (code, line) = failure(&damaged.skip());
    let expected = format!("record {version} is skipped; now record {digest} of partition");
    assert!(code == 1 && line.contains(&expected), "{line}");
    assert!(damaged.skip().status.success());
    assert_eq!(damaged.exported(digest)["kind"], "StateDigest");
    let server = Server::serve(&damaged.place, 1);
    assert_eq!(damaged.receive(&server, BROKEN, 1)[0]["text"], "behind it");
}

#[test]
fn a_partition_that_is_in_service_is_left_alone() {
    let damaged = Damaged::new(|_| {});
    let (code, line) = failure(&damaged.skip());
    assert!(code == 1 && line.contains("is in service: there is nothing to skip"), "{line}");
    let (_, line) = failure(&damaged.repair(&["--partition", "16"]));
    assert!(line.contains("the box has partitions 0 to 15"), "{line}");
}
