//! A slow walk through all users, for an operator: what waits in all inboxes together, and for
//! how long.
//!
//! ```text
//! heads    │ user │ user │ user │ …     read one behind the other, some at a step
//!                    │
//! inboxes            └─ first row       looked up where the head says that something waits
//! ```
//! A round begins anew when the last user was looked at. Nothing that it reads is kept in
//! RocksDB's cache, where it would take the place of what sessions need.

use std::sync::Arc;

use answerback_directory::ports::StorageFault;
use answerback_directory::shard::checkpoint::Table;
use answerback_directory::shard::view;
use rocksdb::{DBRawIterator, ReadOptions};

use crate::database::Database;
use crate::error::storage_fault;
use crate::open::Store;

/// The whole outbox, as a round found it. Users that were looked at early in the round may have
/// changed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Users that exist.
    pub users: u64,
    /// Users for whom something waits.
    pub waiting_users: u64,
    /// Entries that some device has not acknowledged.
    pub entries: u64,
    /// Messages that no device has.
    pub undelivered: u64,
    /// Their payloads.
    pub undelivered_bytes: u64,
    /// When the oldest entry was put into its inbox, ms since 1970; 0 where there is none.
    pub oldest_put_at_ms: u64,
}

/// How much of a round one step does.
#[derive(Clone, Copy, Debug)]
pub struct SweepBudget {
    /// Users that are looked at.
    pub users: u32,
    /// Inboxes that are looked into: each is a seek, which may read the disk.
    pub inboxes: u32,
}

/// A walk that is somewhere in a round.
#[derive(Debug)]
pub struct Sweep {
    db: Arc<Database>,
    /// The key of the last head that was looked at; empty at a round's beginning.
    behind: Vec<u8>,
    round: Outbox,
}

impl Store {
    /// A walk at its beginning.
    pub fn sweep(&self) -> Sweep {
        Sweep { db: self.database_shared(), behind: Vec::new(), round: Outbox::default() }
    }
}

impl Sweep {
    /// Goes on as far as the budget allows; gives the round where it came to its end. Blocks:
    /// for a thread that may.
    ///
    /// # Errors
    /// Where the disk cannot be read, or holds what it should not.
    pub fn step(&mut self, budget: SweepBudget) -> Result<Option<Outbox>, StorageFault> {
        let db = Arc::clone(&self.db);
        let mut heads = iterator(&db, Table::Cursor)?;
        let mut inboxes = iterator(&db, Table::Inbox)?;
        heads.seek(&self.behind);
        if heads.key().is_some_and(|key| key == self.behind) && !self.behind.is_empty() {
            heads.next();
        }
        let SweepBudget { users, inboxes: mut inboxes_left } = budget;
        for _ in 0..users {
            let Some((key, value)) = heads.item() else {
                heads.status().map_err(|error| storage_fault(&error))?;
                return Ok(Some(self.end_round()));
            };
            let waits = self.round.add_head(value)?;
            if waits {
                self.round.add_first(&mut inboxes, key)?;
                inboxes_left = inboxes_left.saturating_sub(1);
            }
            self.behind.clear();
            self.behind.extend_from_slice(key);
            if inboxes_left == 0 {
                break;
            }
            heads.next();
        }
        Ok(None)
    }

    fn end_round(&mut self) -> Outbox {
        self.behind.clear();
        std::mem::take(&mut self.round)
    }
}

impl Outbox {
    /// Adds a user; says whether anything waits.
    fn add_head(&mut self, value: &[u8]) -> Result<bool, StorageFault> {
        let head = view::Head::read(value).ok_or_else(|| unreadable(Table::Cursor))?;
        let waits = head.entries > 0;
        self.users += u64::from(head.exists);
        self.waiting_users += u64::from(waits);
        self.entries += u64::from(head.entries);
        self.undelivered += u64::from(head.undelivered);
        self.undelivered_bytes += head.undelivered_bytes;
        Ok(waits)
    }

    /// Adds a user's oldest entry, if it is still there.
    fn add_first(
        &mut self,
        inboxes: &mut DBRawIterator<'_>,
        head_key: &[u8],
    ) -> Result<(), StorageFault> {
        inboxes.seek(head_key);
        let Some((key, value)) = inboxes.item() else {
            return inboxes.status().map_err(|error| storage_fault(&error));
        };
        if key.starts_with(head_key) {
            let at_ms = view::put_at_ms(value).ok_or_else(|| unreadable(Table::Inbox))?;
            let oldest_ms = self.oldest_put_at_ms;
            self.oldest_put_at_ms = if oldest_ms == 0 { at_ms } else { oldest_ms.min(at_ms) };
        }
        Ok(())
    }
}

fn iterator(db: &Database, table: Table) -> Result<DBRawIterator<'_>, StorageFault> {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    Ok(db.raw_iterator_cf_opt(db.family(table.name())?, options))
}

fn unreadable(table: Table) -> StorageFault {
    StorageFault::new(format_args!("a row of the table {} cannot be read", table.name()))
}
