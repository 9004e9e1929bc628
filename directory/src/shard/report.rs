//! What a shard tells an operator of itself. Nothing is ever decided by it.

use answerback_proto::id::{DeviceId, Position, UserId};

use super::{PresenceTotals, SessionRef, Shard};

/// What became of messages and devices since the start. A replay does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Accepted into an inbox of this partition.
    pub accepted: u64,
    /// Delivered to a first device from it.
    pub delivered: u64,
    /// Ended without delivery, their senders told.
    pub failed: u64,
    /// Devices that owed for too long, or too much.
    pub lapsed: u64,
}

/// How a shard is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardReport {
    /// Since the start.
    pub totals: Totals,
    /// When users were there, and who is told.
    pub presence: PresenceTotals,
    /// Users in memory.
    pub users: u64,
    /// Live sessions.
    pub sessions: u64,
    /// Requests that wait to be journaled, committed or applied.
    pub undecided: u64,
    /// Reads of the disk that are under way.
    pub loads: u64,
    /// Bytes journaled that no checkpoint has.
    pub uncheckpointed_bytes: u64,
    /// For how long a living session has been offered something and taken nothing, at most, ms.
    pub unacknowledged_ms: u64,
    /// Users who are looked for, to be woken, or were woken a while ago.
    pub wakes: u64,
    /// Messages whose users could not be looked for: there were too many.
    pub wakes_overlooked: u64,
}

/// How a live session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionReport {
    /// Of which device.
    pub device: DeviceId,
    /// Its connection.
    pub session: SessionRef,
    /// What it has acknowledged, committed or not.
    pub acknowledged: Position,
    /// The last entry that it was offered.
    pub offered: Position,
    /// Entries that it was offered and has not acknowledged.
    pub in_flight: u64,
    /// Their bytes.
    pub in_flight_bytes: u64,
    /// For how long the first of them has been there, ms.
    pub unacknowledged_ms: u64,
}

impl Shard {
    /// How it is, at a time of the driver's monotonic clock.
    pub fn report(&self, now_ms: u64) -> ShardReport {
        let undecided = self.taken.iter().map(|taken| taken.askers.len()).sum::<usize>();
        ShardReport {
            totals: self.state.totals,
            presence: self.presence_totals(),
            users: self.state.users.len() as u64,
            sessions: self.sessions.count() as u64,
            undecided: (undecided + self.open_askers.len()) as u64,
            loads: self.loading.len() as u64,
            uncheckpointed_bytes: self.uncheckpointed_bytes as u64,
            unacknowledged_ms: self.sessions.unacknowledged_ms(now_ms),
            wakes: self.wakes.count() as u64,
            wakes_overlooked: self.wakes.overlooked(),
        }
    }

    /// The live sessions of a user.
    pub fn sessions_of(&self, user: UserId, now_ms: u64) -> Vec<SessionReport> {
        self.sessions.report(user, now_ms)
    }
}
