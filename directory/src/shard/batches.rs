//! Batches: taken, committed, applied in order, checkpointed.

use std::collections::BTreeSet;

use answerback_proto::id::Offset;
use answerback_proto::record::{Acknowledge, Batch, Confirmed, Corrupt, StateDigest};

use super::checkpoint::{Checkpoint, Table};
use super::load::Load;
use super::parts::Outgoing;
use super::state::Held;
use super::{Pending, Shard, Taken, begun, rows};
use crate::limits::BATCHES_PER_DIGEST;
use crate::ports::{Applied, StateReader, StorageFault};
use crate::recovery::Unapplied;

impl Shard {
    /// Takes a row of a resident table ([`super::RESIDENT_TABLES`]).
    ///
    /// # Errors
    /// A row that this version cannot have written.
    pub fn load_row(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StorageFault> {
        rows::load(&mut self.state, table, key, value)
    }

    /// All rows are loaded: the state is that of `applied`. Records at these offsets were
    /// repaired: they are applied as rejections.
    pub fn handle_rows_loaded(&mut self, applied: Applied, repaired: BTreeSet<Offset>) {
        self.state.applied = applied;
        self.next = applied;
        self.repaired = repaired;
    }

    /// The place of the record that is applied next.
    pub fn next_to_apply(&self) -> Offset {
        self.state.applied.offset.plus(1)
    }

    /// Applies a committed batch of an earlier run; nothing is answered or pushed. What is
    /// not in memory is read at once.
    ///
    /// # Errors
    /// A batch that is not the next one or cannot be applied; a disk that cannot be read.
    pub fn replay(&mut self, batch: &Batch, reader: &dyn StateReader) -> Result<(), Unapplied> {
        let continues = batch.partition() == self.state.partition
            && batch.first_offset() == self.next.offset.plus(1)
            && batch.chain_before() == self.next.chain;
        if !continues {
            return Err(Corrupt::Checksum.into());
        }
        self.count_taken(batch);
        self.taken.push_back(taken(batch));
        self.committed += 1;
        while let Err(Held::Missing(what)) = self.apply_next()? {
            self.handle_reading(what);
            let load = Load { partition: self.state.partition, what };
            self.take_loaded(load.read(reader)?);
        }
        self.consequences = Default::default();
        Ok(())
    }

    /// What waits to be taken.
    pub fn pending(&self) -> Pending {
        Pending {
            records: self.open.count().saturating_sub(1),
            acknowledgements: self.sessions.acknowledgements() as u32
                + self.courier.confirmations() as u32,
            bytes: self.open.byte_length(),
        }
    }

    /// Closes the open batch, where there is anything in it. `now_ms` is the wall clock;
    /// the batch begins with a `Tick` of it, never behind the last.
    pub fn take_batch(&mut self, now_ms: u64) -> Option<Batch> {
        let builder = &mut self.open;
        self.sessions.take_acknowledgements(|user, device, up_to| {
            let record = Acknowledge { user: user.0, device: device.0, up_to: up_to.0 };
            begun(builder).push(&record, &[]);
        });
        self.courier.take_confirmations(|destination, up_to| {
            let record = Confirmed { destination: destination.0, up_to: up_to.0 };
            begun(builder).push(&record, &[]);
        });
        if builder.is_empty() {
            return None;
        }
        self.batches_taken += 1;
        if self.batches_taken.is_multiple_of(BATCHES_PER_DIGEST)
            && let Some((offset, digest)) = self.state.last_digest()
        {
            builder.push(&StateDigest { offset: offset.0, digest: digest.value() }, &[]);
        }
        builder.stamp_tick(now_ms);
        let first = self.next.offset.plus(1);
        let batch = builder.finish(self.state.partition, first, self.next.chain);
        self.count_taken(&batch);
        let askers = std::mem::take(&mut self.open_askers);
        self.taken.push_back(Taken { askers, ..taken(&batch) });
        Some(batch)
    }

    /// Every record before `end` is durable: applies them, as far as what they need is in
    /// memory.
    ///
    /// # Errors
    /// A batch of our own that does not read, or a state that came out another way than
    /// before: a bug; the partition must be quarantined.
    pub fn handle_committed(&mut self, end: Offset) -> Result<(), Corrupt> {
        let durable = self.taken.iter().take_while(|taken| taken.batch.end() <= end);
        self.committed = durable.count();
        self.advance()
    }

    /// Something was read: goes on with what waited for it.
    ///
    /// # Errors
    /// As for `handle_committed`.
    pub fn handle_loaded(&mut self, loaded: super::Loaded) -> Result<(), Corrupt> {
        self.loading.remove(&loaded.load.what);
        self.take_loaded(loaded);
        self.advance()
    }

    fn advance(&mut self) -> Result<(), Corrupt> {
        while self.committed > 0 {
            if let Err(Held::Missing(what)) = self.apply_next()? {
                self.load(what);
                break;
            }
        }
        self.settle();
        Ok(())
    }

    /// Whether nothing is under way: no record, no read, no purge, no part without its
    /// confirmation.
    pub fn is_settled(&self) -> bool {
        let Pending { records, acknowledgements, .. } = self.pending();
        records + acknowledgements == 0
            && self.taken.is_empty()
            && self.loading.is_empty()
            && self.purges.is_empty()
            && self.state.outgoing.values().all(Outgoing::is_empty)
    }

    /// Whether the state is that of a batch's end: only then can it be checkpointed.
    pub fn can_freeze(&self) -> bool {
        let is_between = |taken: &Taken| taken.mark == taken.batch.first_mark();
        self.freezing.is_none() && self.taken.front().is_none_or(is_between)
    }

    /// Bytes journaled since the last checkpoint.
    pub fn uncheckpointed_bytes(&self) -> usize {
        self.uncheckpointed_bytes
    }

    /// Users who changed since the last checkpoint.
    pub fn changed_users(&self) -> usize {
        self.state.changed_users.len()
    }

    /// The rows that changed since the last call, as of the last applied batch. To be called
    /// where [`Shard::can_freeze`], and followed by [`Shard::handle_checkpointed`].
    pub fn freeze(&mut self) -> Checkpoint {
        self.uncheckpointed_bytes =
            self.taken.iter().map(|taken| taken.batch.as_bytes().len()).sum();
        let users = std::mem::take(&mut self.state.changed_users);
        let mut rows = rows::freeze(&mut self.state, &users);
        self.write_actions(&mut rows);
        self.freezing = Some(users);
        Checkpoint { partition: self.state.partition, applied: self.state.applied, rows }
    }

    fn count_taken(&mut self, batch: &Batch) {
        let offset = self.next.offset.plus(u64::from(batch.count()));
        self.next = Applied { offset, chain: batch.chain_after() };
        self.uncheckpointed_bytes += batch.as_bytes().len();
    }
}

fn taken(batch: &Batch) -> Taken {
    let askers = Default::default();
    Taken { batch: batch.clone(), mark: batch.first_mark(), askers }
}
