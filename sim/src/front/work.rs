//! What takes its time: commits, reads, checkpoints, words between cores and partitions.

use answerback_directory::shard::{Load, Shard};
use answerback_proto::record::Batch;
use fastrand::Rng;

use super::{Checkpointing, Commit, Front, Letter, Reading};
use crate::disk::Disk;
use crate::model::Breach;
use crate::planted::Planted;

/// Words under way between partitions.
const MAIL_MAX: usize = 64;

impl Front {
    /// Calls the shards whose time has come.
    pub(crate) fn handle_timeouts(&mut self, monotonic_ms: u64, wall_ms: u64) {
        let halted = self.halted;
        let moving = |shard: &&mut Shard| halted != Some(shard.partition());
        for shard in self.shards.iter_mut().filter(moving) {
            if shard.poll_timeout().is_some_and(|due_ms| due_ms <= monotonic_ms) {
                shard.handle_timeout(monotonic_ms, wall_ms);
            }
        }
    }

    /// Hands a core's open batches to the disk, where it has none under way.
    pub(crate) fn take_batches(&mut self, core: u16, wall_ms: u64) -> Option<Vec<Batch>> {
        let under_way = &mut self.commits[usize::from(core)];
        if under_way.is_some() {
            return None;
        }
        let shards = &mut self.shards;
        let halted = self.halted;
        let of_core = self.table.partitions_of(core).filter(|at| halted != Some(*at));
        let take = |shard: &mut Shard| shard.take_batch(wall_ms);
        let batches: Vec<_> =
            of_core.filter_map(|at| shards.get_mut(usize::from(at.0)).and_then(take)).collect();
        if batches.is_empty() {
            return None;
        }
        let ends = batches.iter().map(|batch| (batch.partition(), batch.end())).collect();
        let is_durable = self.planted.has(Planted::CommittedBeforeSync);
        *under_way = Some(Commit { ends, is_durable });
        Some(batches)
    }

    /// All that was written is durable; the cores have yet to hear of it.
    pub(crate) fn handle_synced(&mut self) {
        self.commits.iter_mut().flatten().for_each(|commit| commit.is_durable = true);
    }

    /// A core hears that its commit is durable.
    pub(crate) fn hear_committed(&mut self, core: u16) -> Result<bool, Breach> {
        let under_way = &mut self.commits[usize::from(core)];
        let Some(commit) = under_way.take_if(|commit| commit.is_durable) else { return Ok(false) };
        for (partition, end) in commit.ends {
            self.shards[usize::from(partition.0)]
                .handle_committed(end)
                .map_err(|corrupt| Breach(format!("partition {partition}: {corrupt}")))?;
        }
        Ok(true)
    }

    /// One of the reads under way is done, or handed to its shard.
    pub(crate) fn read(&mut self, random: &mut Rng, disk: &Disk) -> Result<Option<Load>, Breach> {
        if self.readings.is_empty() {
            return Ok(None);
        }
        let index = random.usize(..self.readings.len());
        let partition = match &self.readings[index] {
            Reading::Asked(load) => load.partition,
            Reading::Done(loaded) => loaded.load.partition,
        };
        if self.halted == Some(partition) {
            return Ok(None);
        }
        match self.readings.swap_remove(index) {
            Reading::Asked(load) => {
                let unreadable = |fault| Breach(format!("the box cannot read: {fault}"));
                let loaded = load.read(disk).map_err(unreadable)?;
                self.readings.push(Reading::Done(loaded));
                Ok(Some(load))
            }
            Reading::Done(loaded) => {
                let load = loaded.load;
                let partition = load.partition;
                self.shards[usize::from(partition.0)]
                    .handle_loaded(loaded)
                    .map_err(|corrupt| Breach(format!("partition {partition}: {corrupt}")))?;
                Ok(Some(load))
            }
        }
    }

    /// A shard's checkpoint begins, where it may.
    pub(crate) fn freeze(&mut self, index: usize) -> bool {
        let shard = &mut self.shards[index];
        let begins = shard.uncheckpointed_bytes() > 0 && shard.can_freeze();
        if begins {
            self.checkpointings.push(Checkpointing::Frozen(shard.freeze()));
        }
        begins
    }

    /// One of the checkpoints under way is written, or its shard told so.
    pub(crate) fn go_on_with_checkpoint(&mut self, random: &mut Rng, disk: &mut Disk) -> bool {
        if self.checkpointings.is_empty() {
            return false;
        }
        let index = random.usize(..self.checkpointings.len());
        match self.checkpointings.swap_remove(index) {
            Checkpointing::Frozen(checkpoint) => {
                if !self.planted.has(Planted::CheckpointLost) {
                    disk.write_checkpoint(&checkpoint);
                }
                self.checkpointings.push(Checkpointing::Written(checkpoint.partition));
            }
            Checkpointing::Written(partition) => {
                self.shards[usize::from(partition.0)].handle_checkpointed();
            }
        }
        true
    }

    /// All that changed, onto a disk, at once; only where nothing is under way.
    pub(crate) fn checkpoint_all(&mut self, disk: &mut Disk) {
        for shard in &mut self.shards {
            disk.write_checkpoint(&shard.freeze());
            shard.handle_checkpointed();
        }
    }

    /// One letter between two cores arrives, in order.
    pub(crate) fn deliver_letter(&mut self, random: &mut Rng) -> bool {
        let pairs = self.letters.len();
        let begin = random.usize(..pairs);
        let full = (begin..begin + pairs).find(|at| !self.letters[at % pairs].is_empty());
        let letter = full.and_then(|at| self.letters[at % pairs].pop_front());
        match letter {
            Some(Letter::Request(request)) => {
                let (envelope, payload) = (&request.envelope, &request.payload);
                self.hand_request(
                    request.kind,
                    request.origin,
                    request.recipient,
                    envelope,
                    payload,
                );
            }
            Some(Letter::Answer(effect)) => self.say(effect),
            None => return false,
        }
        true
    }

    /// Words between partitions arrive, in any order; or, where they may, are lost or come
    /// again. What would have to wait too long is lost, as it is behind a partition that stands
    /// still.
    pub(crate) fn deliver_mail(&mut self, random: &mut Rng, is_reliable: bool) -> bool {
        let count = if is_reliable { self.mail.len() } else { self.mail.len().min(2) };
        for _ in 0..count {
            let index = random.usize(..self.mail.len());
            if self.halted == Some(self.mail[index].0) {
                continue;
            }
            let fate = if is_reliable { 9 } else { random.u8(..10) };
            let (to, mail) = match fate {
                0 => self.mail[index].clone(),
                _ => self.mail.swap_remove(index),
            };
            if fate != 1 {
                self.shards[usize::from(to.0)].handle_mail(mail);
            }
        }
        self.mail.truncate(if is_reliable { usize::MAX } else { MAIL_MAX });
        count > 0
    }
}
