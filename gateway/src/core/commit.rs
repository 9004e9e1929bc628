//! Batches and checkpoints on their way to the storage thread, and what became of them.

use answerback_directory::commit_policy::Release;

use super::stop::Phase;
use super::{Core, CoreError};
use crate::clock::unix_ms;
use crate::reading::Outcome;
use crate::storage::Verdict;

impl Core {
    /// Hands the open batches over, if it is time.
    pub(super) fn release(&mut self) -> Result<(), CoreError> {
        if !self.phase.is_reading() {
            return Ok(());
        }
        self.gate.handle_waiting(self.shards.waiting(), self.now_us);
        match self.gate.poll(self.now_us) {
            Release::Now => self.commit(),
            Release::At(due_us) => self.reactor.wake_at(due_us, self.now_us)?,
            Release::Idle => {}
        }
        Ok(())
    }

    /// Hands the open batches over.
    pub(super) fn commit(&mut self) {
        let batches = self.shards.take_batches(unix_ms());
        self.gate.handle_released(self.now_us);
        if batches.is_empty() {
            self.gate.handle_committed();
        } else {
            self.storage.commit(batches);
        }
    }

    /// Takes what became of commits and checkpoints.
    pub(super) fn handle_verdicts(&mut self) -> Result<(), CoreError> {
        let mut verdicts = Vec::new();
        self.storage.receive(|verdict| verdicts.push(verdict));
        for verdict in verdicts {
            match verdict {
                Verdict::Committed => self.handle_committed(),
                Verdict::Checkpointed => {
                    self.is_checkpoint_in_flight = false;
                    self.shards.handle_checkpointed();
                }
                Verdict::Fault => return Err(CoreError::Storage),
            }
        }
        Ok(())
    }

    fn handle_committed(&mut self) {
        self.gate.handle_committed();
        for quarantine in self.shards.handle_committed() {
            self.handle_quarantine(quarantine);
        }
    }

    /// Takes what was read.
    pub(super) fn handle_read_outcomes(&mut self) -> Result<(), CoreError> {
        let mut outcomes = Vec::new();
        self.reading.receive(|outcome| outcomes.push(outcome));
        for outcome in outcomes {
            let Outcome::Loaded(loaded) = outcome else { return Err(CoreError::Storage) };
            if let Some(quarantine) = self.shards.handle_loaded(loaded) {
                self.handle_quarantine(quarantine);
            }
        }
        Ok(())
    }

    /// Hands over the changes of a shard, if it is time; one checkpoint is under way.
    pub(super) fn freeze(&mut self) {
        if !self.may_freeze() {
            return;
        }
        let (now_ms, period_ms) = (self.now_ms(), self.checkpoint_period_ms());
        let bytes_max = self.config.checkpoint_bytes;
        if let Some(checkpoint) = self.shards.freeze_due(now_ms, period_ms, bytes_max) {
            self.is_checkpoint_in_flight = true;
            self.storage.checkpoint(checkpoint);
        }
    }

    /// When there is something to freeze, ms.
    pub(super) fn freeze_due_ms(&self) -> Option<u64> {
        if !self.may_freeze() {
            return None;
        }
        let bytes_max = self.config.checkpoint_bytes;
        self.shards.checkpoint_due_ms(self.checkpoint_period_ms(), bytes_max)
    }

    /// What the last commits bring is checkpointed with all else, behind them.
    fn may_freeze(&self) -> bool {
        let is_committing = matches!(self.phase, Phase::Committing | Phase::LastCommit);
        !self.is_checkpoint_in_flight && !is_committing
    }

    /// At the end all that changed is frozen at once.
    fn checkpoint_period_ms(&self) -> u64 {
        match self.phase {
            Phase::Checkpointing => 0,
            _ => self.config.checkpoint_period_ms,
        }
    }
}
