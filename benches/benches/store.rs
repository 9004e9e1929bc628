//! What a commit of journal batches costs, and why a message is no key of its own: 128
//! messages of 128 bytes as one value, and as 128 keys that are put and deleted again.
//!
//! `durable` is on the disk of the target directory, the sync included: what a message
//! waits for. `work` is on a file system in memory, where a sync costs nothing: what the
//! processor does, RocksDB's own flushes beside it.

use std::path::Path;

use answerback_directory::ports::{Applied, Journal};
use answerback_directory::shard::checkpoint::{Checkpoint, Rows, Table};
use answerback_proto::id::PartitionId;
use answerback_proto::record::{Batch, BatchBuilder, Message};
use answerback_store::{JournalWriter, NewBox, Store};
use criterion::{Criterion, Throughput};
use tempfile::TempDir;

const DISK: &str = env!("CARGO_TARGET_TMPDIR");
const MEMORY: &str = "/dev/shm";
const PARTITION: PartitionId = PartitionId(0);
const PAYLOAD: &[u8] = &[b'x'; 128];
/// About a commit of a box with much to do.
const MESSAGES: u64 = 128;
/// Commits between two checkpoints, so that the journal is trimmed as a box trims it.
const COMMITS_BETWEEN_CHECKPOINTS: u64 = 64;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    durable(&mut criterion);
    work(&mut criterion);
    criterion.final_summary();
}

fn durable(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store, durable");
    for messages in [1, 16, MESSAGES] {
        let mut disk = Disk::new(Path::new(DISK));
        group.throughput(Throughput::Elements(messages));
        group.bench_function(format!("commit of {messages}"), |bencher| {
            bencher.iter(|| disk.commit(messages));
        });
    }
}

fn work(criterion: &mut Criterion) {
    let base = if Path::new(MEMORY).is_dir() { MEMORY } else { DISK };
    let mut group = criterion.benchmark_group("store, work");
    group.throughput(Throughput::Elements(MESSAGES));
    let mut disk = Disk::new(Path::new(base));
    group.bench_function("one value of 128 messages", |bencher| {
        bencher.iter(|| disk.commit(MESSAGES));
    });
    let mut disk = Disk::new(Path::new(base));
    group.bench_function("128 keys, put and deleted", |bencher| {
        bencher.iter(|| disk.put_and_delete_keys());
    });
}

/// A store, and what its one partition has journaled.
struct Disk {
    _directory: TempDir,
    writer: JournalWriter,
    end: Applied,
    commits: u64,
    positions: u64,
}

impl Disk {
    #[expect(clippy::unwrap_used, reason = "a benchmark fails by it")]
    fn new(base: &Path) -> Self {
        let directory = TempDir::new_in(base).unwrap();
        let new_box = NewBox { partitions: 1, secret: [7; 16] };
        let writer = Store::open(directory.path(), new_box).unwrap().writer();
        Self { _directory: directory, writer, end: Applied::default(), commits: 0, positions: 0 }
    }

    #[expect(clippy::unwrap_used, reason = "a benchmark fails by it")]
    fn commit(&mut self, messages: u64) {
        let batch = self.batch(messages);
        self.writer.commit(&[batch]).unwrap();
        self.commits += 1;
        if self.commits.is_multiple_of(COMMITS_BETWEEN_CHECKPOINTS) {
            self.checkpoint(Rows::default());
        }
    }

    fn batch(&mut self, messages: u64) -> Batch {
        let mut builder = BatchBuilder::default();
        for sequence in 1..=messages {
            let message = Message {
                recipient: 2,
                sender: 1,
                device: 7,
                sequence,
                seen_ms: 1_790_000_000_000,
                life_s: 2_592_000,
                content_type: 1,
            };
            builder.push(&message, PAYLOAD);
        }
        let batch = builder.finish(PARTITION, self.end.offset.plus(1), self.end.chain);
        self.end = Applied { offset: batch.end(), chain: batch.chain_after() };
        batch
    }

    /// What an outbox without a journal writes: each message under its own key, and its
    /// deletion once it was acknowledged.
    fn put_and_delete_keys(&mut self) {
        let first = self.positions;
        self.positions += MESSAGES;
        let keys = || (first..first + MESSAGES).map(inbox_key);
        let (mut put, mut deleted) = (Rows::default(), Rows::default());
        keys().for_each(|key| put.put(Table::Inbox, &key, PAYLOAD));
        keys().for_each(|key| deleted.delete(Table::Inbox, &key));
        self.checkpoint(put);
        self.checkpoint(deleted);
    }

    #[expect(clippy::unwrap_used, reason = "a benchmark fails by it")]
    fn checkpoint(&mut self, rows: Rows) {
        let checkpoint = Checkpoint { partition: PARTITION, applied: self.end, rows };
        self.writer.checkpoint(&checkpoint).unwrap();
    }
}

/// Partition, user, position.
fn inbox_key(position: u64) -> [u8; 18] {
    let mut key = [0; 18];
    key[10..].copy_from_slice(&position.to_be_bytes());
    key
}
