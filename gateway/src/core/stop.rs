//! The orderly stop: nothing new, the commit under way, checkpoints, the end.
//!
//! ```text
//! Serving ──stop──► Committing ──► LastCommit ──► Checkpointing ──► gone
//!          GoAway    what is        what was      all that
//!          to all    under way      taken         changed
//! ```
//! A request that is not answered when the sockets close is unknown to its client, who
//! sends it again; so a core waits for its own commits only, and for no other core.

use super::Core;
use crate::session::{State, reply};

/// How far a core is with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not at all.
    Serving,
    /// Nobody is read any more; the commit under way ends.
    Committing,
    /// What was taken beside it is committed.
    LastCommit,
    /// What changed is checkpointed.
    Checkpointing,
}

impl Core {
    /// Goes on with the stop, where it was asked for; whether that is done.
    pub(super) fn is_stopped(&mut self) -> bool {
        if self.phase == Phase::Serving && self.shared.stop.is_triggered() {
            self.begin_stop();
        }
        if self.phase == Phase::Committing && !self.gate.is_in_flight() {
            self.phase = Phase::LastCommit;
            self.commit();
        }
        if self.phase == Phase::LastCommit && !self.gate.is_in_flight() {
            self.phase = Phase::Checkpointing;
            self.freeze();
        }
        self.phase == Phase::Checkpointing
            && !self.is_checkpoint_in_flight
            && self.freeze_due_ms().is_none()
    }

    /// Says good-bye.
    fn begin_stop(&mut self) {
        self.phase = Phase::Committing;
        self.reactor.close_listener();
        for index in 0..self.connections.table().slot_count() {
            let Some((key, connection)) = self.connections.table().at(index) else { continue };
            if connection.session.state == State::Open {
                self.connections.append(key, reply::append_draining);
            }
        }
        self.write_dirty();
    }
}
