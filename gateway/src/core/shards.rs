//! The shards of a core: which is whose home, and which have something to say.
//!
//! Whatever is told to a shard marks it as touched. At the tick's end the touched ones
//! are asked for their effects, what waits and when they want to be called, so that a
//! tick costs what happened in it and not the number of partitions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::recovery::panic_message;
use answerback_directory::shard::checkpoint::Checkpoint;
use answerback_directory::shard::{Effect, Loaded, Mail, Origin, Pending, Shard, ShardReport};
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::{Offset, PartitionId, UserId};
use answerback_proto::kind::Kind;
use answerback_proto::record::{Batch, Corrupt};

use crate::limits::{
    CHECKPOINT_BYTES_PER_USER, CHECKPOINT_PERIODS_MAX, MANY_CHANGED_USERS,
    QUARANTINE_RETRY_AFTER_MS,
};

/// The shards of one core.
pub(crate) struct Shards {
    core: u16,
    homes: Vec<Home>,
    /// By partition; `ELSEWHERE` for another core's.
    home_by_partition: Vec<u16>,
    touched: Vec<u16>,
    /// What the commit in flight makes durable.
    in_flight: Vec<(u16, Offset)>,
    /// Whose checkpoint is under way.
    checkpointing: Option<u16>,
    /// Partitions that hear nothing of others, and until when: a fault, for tests.
    held: Option<(Arc<[PartitionId]>, u64)>,
}

struct Home {
    partition: PartitionId,
    /// None once it is in quarantine.
    shard: Option<Shard>,
    is_touched: bool,
    waiting: Pending,
    timeout_ms: Option<u64>,
    /// Since when there is something that no checkpoint has.
    changed_since_ms: Option<u64>,
    /// By core: its requests that are not yet answered.
    unanswered: Vec<u32>,
}

const ELSEWHERE: u16 = u16::MAX;

/// A partition whose shard cannot be trusted any more.
#[derive(Debug)]
pub(crate) struct Quarantine {
    /// Which.
    pub(crate) partition: PartitionId,
    /// For the operator.
    pub(crate) cause: String,
    /// By core: requests that will have no answer.
    pub(crate) unanswered: Vec<u32>,
}

impl Shards {
    /// The shards of a core.
    pub(crate) fn new(core: u16, cores: u16, table: &PartitionTable, shards: Vec<Shard>) -> Self {
        let mut home_by_partition = vec![ELSEWHERE; usize::from(table.partitions())];
        for (index, shard) in (0..).zip(&shards) {
            if let Some(home) = home_by_partition.get_mut(usize::from(shard.partition().0)) {
                *home = index;
            }
        }
        let touched = (0..).zip(&shards).map(|(index, _)| index).collect();
        let homes = shards.into_iter().map(|shard| Home {
            partition: shard.partition(),
            shard: Some(shard),
            is_touched: true,
            waiting: Pending::default(),
            timeout_ms: None,
            changed_since_ms: None,
            unanswered: vec![0; usize::from(cores)],
        });
        let homes = homes.collect();
        let (in_flight, checkpointing, held) = (Vec::new(), None, None);
        Self { core, homes, home_by_partition, touched, in_flight, checkpointing, held }
    }

    /// The shard of a partition of this core, to tell it something; none in quarantine.
    pub(crate) fn touch(&mut self, partition: PartitionId) -> Option<&mut Shard> {
        let index = *self.home_by_partition.get(usize::from(partition.0))?;
        let home = self.homes.get_mut(usize::from(index))?;
        touch(&mut self.touched, index, home)
    }

    /// From now on partitions hear nothing of others, until then.
    pub(crate) fn hold(&mut self, partitions: Arc<[PartitionId]>, until_ms: u64) {
        self.held = Some((partitions, until_ms));
    }

    /// Hands a partition the word of another.
    pub(crate) fn take_mail(&mut self, to: PartitionId, mail: Mail, now_ms: u64) {
        if let Some((held, until_ms)) = &self.held
            && now_ms < *until_ms
            && held.contains(&to)
        {
            return;
        }
        if let Some(shard) = self.touch(to) {
            shard.handle_mail(mail);
        }
    }

    /// Hands a request to its home.
    ///
    /// # Errors
    /// When to try again, ms, where it cannot take the request.
    #[inline]
    pub(crate) fn handle_request(
        &mut self,
        partition: PartitionId,
        kind: Kind,
        origin: Origin,
        frame: &Frame<'_>,
    ) -> Result<(), u32> {
        let recipient = UserId(frame.header.target);
        let shard = self.touch(partition).ok_or(QUARANTINE_RETRY_AFTER_MS)?;
        match kind {
            Kind::Skip => shard.handle_skip(origin, recipient, frame.envelope),
            Kind::Recall => {
                shard.handle_recall(origin, recipient, frame.envelope, frame.payload);
            }
            Kind::Read => shard.handle_read(origin, frame.envelope),
            Kind::Report => shard.handle_report(origin, recipient, frame.envelope),
            kind if kind.is_about_own() => shard.handle_own(kind, origin, frame.envelope),
            kind if kind.is_of_groups() => {
                let (envelope, payload) = (frame.envelope, frame.payload);
                shard.handle_group_request(kind, origin, recipient, envelope, payload);
            }
            _ => shard.handle_send(origin, recipient, frame.envelope, frame.payload),
        }
        if origin.session.core != self.core
            && let Some(count) = self.unanswered(partition, origin.session.core)
        {
            *count += 1;
        }
        Ok(())
    }

    /// A request of another core's is answered.
    pub(crate) fn handle_answered(&mut self, home: u16, core: u16) {
        if let Some(home) = self.homes.get_mut(usize::from(home))
            && let Some(count) = home.unanswered.get_mut(usize::from(core))
        {
            *count = count.saturating_sub(1);
        }
    }

    fn unanswered(&mut self, partition: PartitionId, core: u16) -> Option<&mut u32> {
        let index = *self.home_by_partition.get(usize::from(partition.0))?;
        self.homes.get_mut(usize::from(index))?.unanswered.get_mut(usize::from(core))
    }

    /// A shard that was touched; it is no longer.
    pub(crate) fn next_touched(&mut self) -> Option<u16> {
        let index = self.touched.pop()?;
        if let Some(home) = self.homes.get_mut(usize::from(index)) {
            home.is_touched = false;
        }
        Some(index)
    }

    /// Whether a shard was touched and not looked after.
    pub(crate) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The next effect of a shard.
    #[inline]
    pub(crate) fn poll_effect(&mut self, home: u16, now_ms: u64) -> Option<Effect> {
        self.homes.get_mut(usize::from(home))?.shard.as_mut()?.poll_effect(now_ms)
    }

    /// Notes what a shard wants, its effects being done.
    pub(crate) fn refresh(&mut self, home: u16, now_ms: u64) {
        let Some(home) = self.homes.get_mut(usize::from(home)) else { return };
        let Some(shard) = &home.shard else { return };
        home.waiting = shard.pending();
        home.timeout_ms = shard.poll_timeout();
        if shard.uncheckpointed_bytes() > 0 || shard.has_actions_to_write() {
            home.changed_since_ms.get_or_insert(now_ms);
        }
    }

    /// The last checkpoints are made: what was put off is in them too.
    pub(crate) fn handle_last_checkpoint(&mut self, now_ms: u64) {
        for home in &mut self.homes {
            let Some(shard) = home.shard.as_mut() else { continue };
            shard.handle_last_checkpoint();
            if shard.has_actions_to_write() {
                home.changed_since_ms.get_or_insert(now_ms);
            }
        }
    }

    /// How each of them is.
    pub(crate) fn reports(&self, now_ms: u64) -> Vec<ShardReport> {
        let shards = self.homes.iter().filter_map(|home| home.shard.as_ref());
        shards.map(|shard| shard.report(now_ms)).collect()
    }

    /// Whether a partition of this core has its shard.
    pub(crate) fn serves(&self, partition: PartitionId) -> bool {
        self.index_of(partition).is_some()
    }

    /// The place of a partition's shard, where it has one.
    pub(crate) fn index_of(&self, partition: PartitionId) -> Option<u16> {
        let index = *self.home_by_partition.get(usize::from(partition.0))?;
        self.homes.get(usize::from(index))?.shard.as_ref().map(|_| index)
    }

    /// What waits in all of them.
    pub(crate) fn waiting(&self) -> Pending {
        self.homes.iter().fold(Pending::default(), |sum, home| Pending {
            records: sum.records + home.waiting.records,
            acknowledgements: sum.acknowledgements + home.waiting.acknowledgements,
            bytes: sum.bytes + home.waiting.bytes,
        })
    }

    /// When the first of them wants to be called, ms.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        self.homes.iter().filter_map(|home| home.timeout_ms).min()
    }

    /// Calls those whose time has come.
    pub(crate) fn handle_timeout(&mut self, now_ms: u64, unix_ms: u64) {
        for (index, home) in (0..).zip(&mut self.homes) {
            if home.timeout_ms.is_some_and(|due_ms| due_ms <= now_ms) {
                home.timeout_ms = None;
                if let Some(shard) = touch(&mut self.touched, index, home) {
                    shard.handle_timeout(now_ms, unix_ms);
                }
            }
        }
    }

    /// Closes the open batches, to be committed as one.
    pub(crate) fn take_batches(&mut self, unix_ms: u64) -> Vec<Batch> {
        let mut batches = Vec::new();
        for (index, home) in (0..).zip(&mut self.homes) {
            let Some(batch) = home.shard.as_mut().and_then(|shard| shard.take_batch(unix_ms))
            else {
                continue;
            };
            self.in_flight.push((index, batch.end()));
            batches.push(batch);
            home.waiting = Pending::default();
        }
        batches
    }

    /// The commit in flight is durable. Says which shards broke over it.
    pub(crate) fn handle_committed(&mut self) -> Vec<Quarantine> {
        let mut broken = Vec::new();
        let mut in_flight = std::mem::take(&mut self.in_flight);
        for (index, end) in in_flight.drain(..) {
            let Some(home) = self.homes.get_mut(usize::from(index)) else { continue };
            let Some(shard) = touch(&mut self.touched, index, home) else { continue };
            if let Err(cause) = contain(|| shard.handle_committed(end)) {
                broken.push(home.quarantine(cause));
            }
        }
        self.in_flight = in_flight;
        broken
    }

    /// Something was read for a shard. Says whether it broke over it.
    pub(crate) fn handle_loaded(&mut self, loaded: Loaded) -> Option<Quarantine> {
        let partition = loaded.load.partition;
        let index = *self.home_by_partition.get(usize::from(partition.0))?;
        let home = self.homes.get_mut(usize::from(index))?;
        let shard = touch(&mut self.touched, index, home)?;
        contain(|| shard.handle_loaded(loaded)).err().map(|cause| home.quarantine(cause))
    }

    /// The checkpoint under way is written.
    pub(crate) fn handle_checkpointed(&mut self) {
        let Some(index) = self.checkpointing.take() else { return };
        let Some(home) = self.homes.get_mut(usize::from(index)) else { return };
        if let Some(shard) = touch(&mut self.touched, index, home) {
            shard.handle_checkpointed();
        }
    }

    /// When the next checkpoint is due, ms; 0 for now.
    pub(crate) fn checkpoint_due_ms(&self, period_ms: u64, bytes_max: usize) -> Option<u64> {
        self.homes.iter().filter_map(|home| home.checkpoint_due_ms(period_ms, bytes_max)).min()
    }

    /// The changes of a shard whose checkpoint is due, if there is one.
    pub(crate) fn freeze_due(
        &mut self,
        now_ms: u64,
        period_ms: u64,
        bytes_max: usize,
    ) -> Option<Checkpoint> {
        let (index, home) = (0..).zip(&mut self.homes).find(|(_, home)| {
            home.checkpoint_due_ms(period_ms, bytes_max).is_some_and(|due_ms| due_ms <= now_ms)
        })?;
        // What is journaled and not applied yet touches the shard when it is.
        home.changed_since_ms = None;
        self.checkpointing = Some(index);
        home.shard.as_mut().map(Shard::freeze)
    }
}

impl Home {
    fn checkpoint_due_ms(&self, period_ms: u64, bytes_max: usize) -> Option<u64> {
        let changed_since_ms = self.changed_since_ms?;
        // One whose next record waits for the disk is touched when that was read.
        let shard = self.shard.as_ref().filter(|shard| shard.can_freeze())?;
        let bytes = shard.uncheckpointed_bytes();
        let is_sparse = shard.changed_users() >= MANY_CHANGED_USERS
            && bytes < shard.changed_users() * CHECKPOINT_BYTES_PER_USER;
        let periods = if is_sparse { CHECKPOINT_PERIODS_MAX } else { 1 };
        let due_ms = changed_since_ms.saturating_add(periods.saturating_mul(period_ms));
        Some(if bytes >= bytes_max { 0 } else { due_ms })
    }

    fn quarantine(&mut self, cause: String) -> Quarantine {
        self.shard = None;
        self.waiting = Pending::default();
        self.timeout_ms = None;
        self.changed_since_ms = None;
        let none = vec![0; self.unanswered.len()];
        let unanswered = std::mem::replace(&mut self.unanswered, none);
        Quarantine { partition: self.partition, cause, unanswered }
    }
}

fn touch<'a>(touched: &mut Vec<u16>, index: u16, home: &'a mut Home) -> Option<&'a mut Shard> {
    if !home.is_touched {
        home.is_touched = true;
        touched.push(index);
    }
    home.shard.as_mut()
}

/// A panic in one partition's state is no reason to stop the others: what it left half
/// done is dropped with it, and its journal stands.
fn contain(apply: impl FnOnce() -> Result<(), Corrupt>) -> Result<(), String> {
    match catch_unwind(AssertUnwindSafe(apply)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(corrupt)) => Err(corrupt.to_string()),
        Err(panic) => Err(panic_message(panic.as_ref())),
    }
}

#[cfg(test)]
mod tests;
