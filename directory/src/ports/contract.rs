//! What every journal and state reader must do: one suite over all that implement the ports.
//!
//! ```text
//! check(&mut subject)         what a store must do as long as it works
//! check_fault(&mut subject)   what it must do once a write has failed
//! ```
//! Both want a new, empty store, and fail by a panic that says what was broken.

use std::fmt::Debug;
use std::ops::ControlFlow;

use answerback_proto::id::{Offset, PartitionId};
use answerback_proto::record::{Batch, BatchBuilder, ChainHash, Tick};

use super::{Applied, Journal, StateReader, StorageFault};
use crate::shard::checkpoint::{Checkpoint, Rows, Table, partition_end};

/// A store under test. It has at least two partitions.
pub trait Subject {
    /// What writes to it.
    type Journal: Journal;
    /// What reads it.
    type Reader: StateReader;

    /// Opens it; what was opened before is dropped by then.
    fn open(&mut self) -> (Self::Journal, Self::Reader);

    /// Lets the next write fail.
    fn break_disk(&mut self);

    /// Lets writes succeed again for what is opened from now on.
    fn mend_disk(&mut self);
}

const ONE: PartitionId = PartitionId(0);
const OTHER: PartitionId = PartitionId(1);

/// Checks what a store must do as long as it works.
pub fn check(subject: &mut impl Subject) {
    let mut history = History::default();
    commits_come_back(subject, &mut history);
    a_chain_is_checked(subject, &history);
    a_checkpoint_trims_up_to_its_place(subject, &mut history);
    rows_come_back(subject, &history);
    rows_go(subject, &history);
}

/// Checks what a store must do once a write has failed.
pub fn check_fault(subject: &mut impl Subject) {
    let mut history = History::default();
    let (mut journal, reader) = subject.open();
    let confirmed = history.batch(ONE, 2);
    ok(journal.commit(std::slice::from_ref(&confirmed)));
    let before = history.end(ONE);
    subject.break_disk();
    let group = [history.batch(ONE, 2), history.batch(OTHER, 2)];
    let fault = journal.commit(&group).err();
    assert!(fault.is_some(), "a failed write is a fault");
    subject.mend_disk();
    let again = journal.commit(std::slice::from_ref(&group[0])).err();
    assert_eq!(again, fault, "after a fault no commit is tried");
    let checkpointed = journal.checkpoint(&checkpoint(ONE, before, Rows::default())).err();
    assert_eq!(checkpointed, fault, "after a fault no checkpoint is tried");
    drop((journal, reader));
    let (_journal, reader) = subject.open();
    let (kept, other) = (batches(&reader, ONE), batches(&reader, OTHER));
    assert_eq!(kept.first(), Some(&confirmed), "what was confirmed stays");
    assert_eq!(kept.len() - 1, other.len(), "a group is there as a whole or not at all");
    assert_eq!(applied(&reader, ONE), Applied::default(), "nothing is trimmed behind a fault");
}

/// Makes batches that continue each other, in two partitions.
#[derive(Default)]
struct History {
    ends: [Applied; 2],
}

impl History {
    fn batch(&mut self, partition: PartitionId, records: u64) -> Batch {
        let end = self.end(partition);
        let mut builder = BatchBuilder::default();
        for number in 0..records {
            builder.push(&Tick { now_ms: end.offset.0 + number }, b"payload");
        }
        let batch = builder.finish(partition, end.offset.plus(1), end.chain);
        if let Some(end) = self.ends.get_mut(usize::from(partition.0)) {
            *end = Applied { offset: end.offset.plus(records), chain: batch.chain_after() };
        }
        batch
    }

    fn end(&self, partition: PartitionId) -> Applied {
        self.ends.get(usize::from(partition.0)).copied().unwrap_or_default()
    }
}

fn commits_come_back(subject: &mut impl Subject, history: &mut History) {
    let (mut journal, reader) = subject.open();
    let group = [history.batch(ONE, 3), history.batch(OTHER, 1)];
    let (second, third) = (history.batch(ONE, 1), history.batch(ONE, 40));
    ok(journal.commit(&group));
    ok(journal.commit(std::slice::from_ref(&second)));
    ok(journal.commit(std::slice::from_ref(&third)));
    ok(journal.commit(&[]));
    let [first, neighbour] = group;
    let expected = [first, second, third];
    assert_eq!(batches(&reader, ONE), expected, "what is committed is read at once, in order");
    drop((journal, reader));
    let (_journal, reader) = subject.open();
    assert_eq!(batches(&reader, ONE), expected, "what is committed is there after a restart");
    assert_eq!(batches(&reader, OTHER), [neighbour], "a group is there as a whole");
    assert_eq!(applied(&reader, ONE), Applied::default(), "a commit moves no `applied`");
}

fn a_chain_is_checked(subject: &mut impl Subject, history: &History) {
    let (_journal, reader) = subject.open();
    let start = Applied::default();
    let wrong_chain = Applied { chain: ChainHash([1; 16]), ..start };
    assert!(read_batches(&reader, ONE, wrong_chain).is_err(), "another history is a fault");
    let inside = Applied { offset: Offset(1), ..start };
    assert!(read_batches(&reader, ONE, inside).is_err(), "a gap is a fault");
    let end = history.end(ONE);
    assert_eq!(read_batches(&reader, ONE, end), Ok(Vec::new()), "nothing lies behind the end");
    let refuse = StorageFault::new("the caller's own");
    let read = reader.batches(ONE, start, &mut |_| Err(refuse.clone()));
    assert_eq!(read, Err(refuse), "the caller's fault ends the reading");
}

fn a_checkpoint_trims_up_to_its_place(subject: &mut impl Subject, history: &mut History) {
    let (mut journal, reader) = subject.open();
    let place = history.end(ONE);
    let (behind, last) = (history.batch(ONE, 2), history.batch(ONE, 5));
    ok(journal.commit(std::slice::from_ref(&behind)));
    ok(journal.commit(std::slice::from_ref(&last)));
    let neighbours = batches(&reader, OTHER);
    ok(journal.checkpoint(&checkpoint(ONE, place, Rows::default())));
    drop((journal, reader));
    let (_journal, reader) = subject.open();
    assert_eq!(applied(&reader, ONE), place, "`applied` is what the checkpoint says");
    assert_eq!(batches(&reader, ONE), [behind, last], "what lies behind `applied` stays");
    let from_start = read_batches(&reader, ONE, Applied::default());
    assert!(from_start.is_err(), "what lies before `applied` is trimmed, and that is a gap");
    assert_eq!(batches(&reader, OTHER), neighbours, "nobody else's journal is trimmed");
    assert_eq!(applied(&reader, OTHER), Applied::default(), "nobody else's `applied` moves");
}

fn rows_come_back(subject: &mut impl Subject, history: &History) {
    let (mut journal, reader) = subject.open();
    let mut rows = Rows::default();
    for name in [b"d", b"a", b"c", b"b"] {
        rows.put(Table::Inbox, &key(ONE, name), name);
    }
    rows.put(Table::Cursor, &key(ONE, b"a"), b"first");
    rows.put(Table::Cursor, &key(ONE, b"a"), b"");
    ok(journal.checkpoint(&checkpoint(ONE, history.end(ONE), rows)));
    drop((journal, reader));
    let (_journal, reader) = subject.open();
    assert_eq!(row(&reader, Table::Inbox, b"b"), Some(b"b".to_vec()), "a row has its value");
    assert_eq!(row(&reader, Table::Cursor, b"a"), Some(Vec::new()), "the later value counts");
    assert_eq!(row(&reader, Table::Cursor, b"b"), None, "tables are apart");
    assert_eq!(names(&reader, b"", usize::MAX), ["a", "b", "c", "d"], "a range ascends");
    assert_eq!(names(&reader, b"b", usize::MAX), ["b", "c", "d"], "a range begins at its start");
    assert_eq!(names(&reader, b"", 2), ["a", "b"], "a range ends where the caller says so");
    let mut found = Vec::new();
    ok(reader.range(Table::Inbox, &key(ONE, b"b"), &key(ONE, b"d"), &mut |key, _| {
        found.push(key.to_vec());
        Ok(ControlFlow::Continue(()))
    }));
    assert_eq!(found, [key(ONE, b"b"), key(ONE, b"c")], "a range ends before its end");
    let refuse = StorageFault::new("the caller's own");
    let (from, to) = (key(ONE, b""), partition_end(ONE));
    let read = reader.range(Table::Inbox, &from, &to, &mut |_, _| Err(refuse.clone()));
    assert_eq!(read, Err(refuse), "the caller's fault ends the range");
}

fn rows_go(subject: &mut impl Subject, history: &History) {
    let (mut journal, reader) = subject.open();
    let mut rows = Rows::default();
    rows.put(Table::Inbox, &key(OTHER, b"a"), b"neighbour");
    ok(journal.checkpoint(&checkpoint(OTHER, Applied::default(), rows)));
    let mut rows = Rows::default();
    rows.put(Table::Inbox, &key(ONE, b"cc"), b"in the range");
    ok(journal.checkpoint(&checkpoint(ONE, history.end(ONE), rows)));
    let mut rows = Rows::default();
    rows.delete(Table::Inbox, &key(ONE, b"a"));
    rows.delete(Table::Inbox, &key(ONE, b"never there"));
    rows.delete_range(Table::Inbox, &key(ONE, b"c"), &key(ONE, b"d"));
    rows.delete_range(Table::Cursor, &key(ONE, b"x"), &key(ONE, b"z"));
    rows.delete_range(Table::Sequence, &key(ONE, b""), &partition_end(ONE));
    rows.put(Table::Sequence, &key(ONE, b"a"), b"behind the range's end");
    ok(journal.checkpoint(&checkpoint(ONE, history.end(ONE), rows)));
    drop((journal, reader));
    let (_journal, reader) = subject.open();
    assert_eq!(names(&reader, b"", usize::MAX), ["b", "d"], "what is deleted is gone, no more");
    assert!(row(&reader, Table::Cursor, b"a").is_some(), "nothing outside a range goes");
    assert!(row(&reader, Table::Sequence, b"a").is_some(), "changes count in their order");
    let neighbour = ok(reader.row(Table::Inbox, &key(OTHER, b"a")));
    assert_eq!(neighbour.as_deref(), Some(b"neighbour".as_slice()), "nobody else's rows go");
}

fn key(partition: PartitionId, name: &[u8]) -> Vec<u8> {
    [&partition.0.to_be_bytes(), name].concat()
}

fn checkpoint(partition: PartitionId, applied: Applied, rows: Rows) -> Checkpoint {
    Checkpoint { partition, applied, rows }
}

fn applied(reader: &impl StateReader, partition: PartitionId) -> Applied {
    ok(reader.applied(partition))
}

fn row(reader: &impl StateReader, table: Table, name: &[u8]) -> Option<Vec<u8>> {
    ok(reader.row(table, &key(ONE, name)))
}

/// The names of the inbox's rows from one on, at most `count`.
fn names(reader: &impl StateReader, from: &[u8], count: usize) -> Vec<String> {
    let mut found = Vec::new();
    ok(reader.range(Table::Inbox, &key(ONE, from), &partition_end(ONE), &mut |key, _| {
        found.extend(key.get(2..).map(|name| String::from_utf8_lossy(name).into_owned()));
        let is_enough = found.len() >= count;
        Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }));
    found
}

fn batches(reader: &impl StateReader, partition: PartitionId) -> Vec<Batch> {
    ok(read_batches(reader, partition, applied(reader, partition)))
}

fn read_batches(
    reader: &impl StateReader,
    partition: PartitionId,
    after: Applied,
) -> Result<Vec<Batch>, StorageFault> {
    let mut found = Vec::new();
    let read = reader.batches(partition, after, &mut |batch| {
        found.push(batch);
        Ok(())
    });
    read.map(|()| found)
}

fn ok<T: Debug>(result: Result<T, StorageFault>) -> T {
    result.unwrap_or_else(|fault| unreachable!("a store that works has no fault: {fault}"))
}
