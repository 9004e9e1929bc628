//! The orderly stop: nobody new, good-bye, the commit under way, checkpoints, the end.
//!
//! ```text
//! Serving ──stop──► Leaving ──► Committing ──► LastCommit ──► Checkpointing ──► gone
//!          GoAway    clients     what is        what was      all that
//!          to all    go          under way      taken         changed
//! ```
//! While they leave, clients are read: what they acknowledge counts, what they asked is
//! answered, what they want anew is refused. Those who have not gone in time are closed. A
//! request that is not answered then is unknown to its client, who sends it again; so a core
//! waits for its own commits only, and for no other core. A kill at any moment of this is a
//! kill like any other.

use answerback_proto::code::Code;

use super::Core;
use crate::limits::{DRAINING_DELAY_MS, RECONNECTS_PER_MS};
use crate::session::{Fault, State, reply};

/// How far a core is with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not at all.
    Serving,
    /// Clients are told to go, and have until then, ms.
    Leaving { until_ms: u64 },
    /// Nobody is read any more; the commit under way ends.
    Committing,
    /// What was taken beside it is committed.
    LastCommit,
    /// What changed is checkpointed.
    Checkpointing,
}

impl Phase {
    /// Whether connections are read, and batches released by the policy.
    pub(super) fn is_reading(self) -> bool {
        matches!(self, Self::Serving | Self::Leaving { .. })
    }
}

impl Core {
    /// Goes on with the stop, where it was asked for; whether that is done.
    pub(super) fn is_stopped(&mut self) -> bool {
        if self.phase == Phase::Serving && self.shared.stop.is_triggered() {
            self.begin_stop();
        }
        if let Phase::Leaving { until_ms } = self.phase
            && (self.connections.table().count() == 0 || until_ms <= self.now_ms())
        {
            self.phase = Phase::Committing;
        }
        if self.phase == Phase::Committing && !self.gate.is_in_flight() {
            self.phase = Phase::LastCommit;
            self.commit();
        }
        if self.phase == Phase::LastCommit && !self.gate.is_in_flight() {
            self.phase = Phase::Checkpointing;
            self.shards.handle_last_checkpoint(self.now_ms());
            self.freeze();
        }
        self.phase == Phase::Checkpointing
            && !self.is_checkpoint_in_flight
            && self.freeze_due_ms().is_none()
    }

    /// When clients have had their time, ms.
    pub(super) fn leaving_due_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Leaving { until_ms } => Some(until_ms),
            _ => None,
        }
    }

    /// Says good-bye. Who has no session yet is told to come again.
    fn begin_stop(&mut self) {
        let until_ms = self.now_ms().saturating_add(self.config.drain_ms);
        self.phase = Phase::Leaving { until_ms };
        self.reactor.close_listener();
        for partition in self.shared.table.partitions_of(self.core) {
            if let Some(shard) = self.shards.touch(partition) {
                shard.handle_stopping();
            }
        }
        self.settle();
        let mut told = 0;
        for index in 0..self.connections.table().slot_count() {
            let Some((key, connection)) = self.connections.table().at(index) else { continue };
            match connection.session.state {
                State::Open => {
                    let delay_ms = self.draining_delay_ms(told);
                    self.connections.append(key, |out| reply::append_draining(out, delay_ms));
                    told += 1;
                }
                State::Securing | State::Greeting | State::Opening => {
                    self.fail(key, Fault::of_connection(Code::Draining));
                }
                State::Closing => {}
            }
        }
        self.write_dirty();
    }

    /// When the n-th session of this core should come back: all of a box at once would be a
    /// storm of logins.
    fn draining_delay_ms(&self, nth: u32) -> u32 {
        let of_box = nth.saturating_mul(u32::from(self.shared.cores));
        DRAINING_DELAY_MS.saturating_add(of_box / RECONNECTS_PER_MS)
    }
}
