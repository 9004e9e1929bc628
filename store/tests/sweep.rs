//! What an operator is told of a store: RocksDB's own figures, and what waits in all inboxes.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use answerback_directory::ports::Journal;
use answerback_directory::shard::checkpoint::{Rows, Table};
use answerback_proto::id::{Offset, PartitionId};
use answerback_store::{Outbox, Store, Sweep, SweepBudget};
use common::*;

/// A head: what of it is looked at are entries, undelivered messages and their bytes.
fn head(entries: u32, undelivered: u32, bytes: u64) -> Vec<u8> {
    let (places, due_ms) = ([9_u64; 2].map(u64::to_le_bytes).concat(), u64::MAX.to_le_bytes());
    let counts = [entries, entries, undelivered].map(u32::to_le_bytes).concat();
    [&places[..], &counts, &bytes.to_le_bytes(), &due_ms].concat()
}

/// An entry that was put at a time: a kind, two ids, the time, and what is not looked at.
fn entry(put_at_ms: u64) -> Vec<u8> {
    [&[1][..], &[7; 32], &put_at_ms.to_le_bytes(), b"the rest"].concat()
}

fn user_key(partition: PartitionId, user: u128) -> Vec<u8> {
    key(partition, &user.to_be_bytes())
}

/// Users in two partitions, the inbox of each with these times of its entries.
fn with_users(store: &Store, users: &[(PartitionId, u128, &[u64])]) {
    for partition in [P, NEIGHBOUR] {
        let mut rows = Rows::default();
        for (_, user, times) in users.iter().filter(|(home, ..)| *home == partition) {
            let key = user_key(partition, *user);
            rows.put(Table::Cursor, &key, &head(times.len() as u32, 1, 10));
            for (position, put_at_ms) in (1_u64..).zip(*times) {
                let key = [&key[..], &position.to_be_bytes()].concat();
                rows.put(Table::Inbox, &key, &entry(*put_at_ms));
            }
        }
        let applied = Author::default().end(partition);
        store.writer().checkpoint(&checkpoint(partition, applied, rows)).unwrap();
    }
}

/// A whole round, in steps of a size.
fn round(sweep: &mut Sweep, budget: SweepBudget) -> (Outbox, u32) {
    let mut steps = 1;
    loop {
        if let Some(outbox) = sweep.step(budget).unwrap() {
            return (outbox, steps);
        }
        steps += 1;
    }
}

const ALL: SweepBudget = SweepBudget { users: 1000, inboxes: 1000 };

#[test]
fn a_round_finds_the_oldest_of_all_first_entries() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!(round(&mut store.sweep(), ALL), (Outbox::default(), 1));
    with_users(
        &store,
        &[(P, 1, &[500, 600]), (P, 2, &[]), (P, u128::MAX, &[400]), (NEIGHBOUR, 5, &[300, 9])],
    );
    let expected = Outbox {
        users: 4,
        waiting_users: 3,
        entries: 5,
        undelivered: 4,
        undelivered_bytes: 40,
        oldest_put_at_ms: 300,
    };
    let mut sweep = store.sweep();
    assert_eq!(round(&mut sweep, ALL).0, expected);
    assert_eq!(round(&mut sweep, ALL).0, expected, "the next round begins anew");
    for (budget, steps_min) in
        [(SweepBudget { users: 1, inboxes: 1000 }, 5), (SweepBudget { users: 1000, inboxes: 1 }, 4)]
    {
        let (outbox, steps) = round(&mut sweep, budget);
        assert_eq!(outbox, expected);
        assert!(steps >= steps_min, "{steps} steps of {budget:?}");
    }
}

#[test]
fn users_who_come_and_go_between_steps_harm_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    with_users(&store, &[(P, 10, &[500]), (P, 20, &[400]), (P, 30, &[600])]);
    let mut sweep = store.sweep();
    let one = SweepBudget { users: 1, inboxes: 1 };
    assert_eq!(sweep.step(one).unwrap(), None);
    let mut rows = Rows::default();
    rows.delete(Table::Cursor, &user_key(P, 10));
    rows.put(Table::Cursor, &user_key(P, 5), &head(0, 0, 0));
    rows.put(Table::Cursor, &user_key(P, 15), &head(0, 0, 0));
    let applied = Author::default().end(P);
    store.writer().checkpoint(&checkpoint(P, applied, rows)).unwrap();
    let outbox = round(&mut sweep, ALL).0;
    assert_eq!((outbox.users, outbox.oldest_put_at_ms), (4, 400));
}

#[test]
fn a_head_that_cannot_be_read_is_a_fault() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut rows = Rows::default();
    rows.put(Table::Cursor, &user_key(P, 1), b"short");
    let applied = Author::default().end(P);
    store.writer().checkpoint(&checkpoint(P, applied, rows)).unwrap();
    let fault = store.sweep().step(ALL).unwrap_err();
    assert!(fault.message.contains("cursor cannot be read"), "{fault}");
}

#[test]
fn figures_follow_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let before = store.figures().unwrap();
    with_users(&store, &[(P, 1, &[500, 600, 700])]);
    let after = store.figures().unwrap();
    assert!(after.wal_bytes > before.wal_bytes, "{before:?} {after:?}");
    assert_eq!((before.inbox_rows, after.inbox_rows), (0, 3));
    assert!(after.inbox_bytes >= before.inbox_bytes && after.memtable_bytes > 0);
    assert!(!after.is_write_stopped && after.background_errors == 0);
    drop(store);
    assert!(open(dir.path()).figures().unwrap().table_bytes > 0, "an opening writes tables");
}

#[test]
fn the_journals_end_is_told_with_tables_and_without() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (mut author, mut writer) = (Author::default(), store.writer());
    let end = |partition| store.reader().journal_end(partition).unwrap();
    assert_eq!(end(P), Offset(0));
    writer.commit(&[author.batch(P, 3), author.batch(NEIGHBOUR, 1)]).unwrap();
    writer.commit(&[author.batch(P, 2)]).unwrap();
    assert_eq!((end(P), end(NEIGHBOUR)), (Offset(5), Offset(1)));
    writer.checkpoint(&checkpoint(P, author.end(P), Rows::default())).unwrap();
    assert_eq!((end(P), end(NEIGHBOUR), end(PartitionId(3))), (Offset(5), Offset(1), Offset(0)));
}
