//! What a box counts, and how an operator sees it.
//!
//! A core counts in plain numbers of its own, and answers when it is asked: nothing is shared
//! on the path of a message. The storage thread, which nobody can ask while it waits for the
//! disk, counts where others may read ([`StorageMeter`]).

mod core;
mod storage;

use std::collections::BTreeMap;

use answerback_directory::shard::{PresenceTotals, SessionReport, ShardReport, Totals};
use answerback_proto::id::PartitionId;

pub(crate) use self::core::{CoreCounts, CoreStats, Shed};
pub(crate) use storage::StorageMeter;
pub use storage::{COMMIT_SECONDS, StorageStats};

/// How a box is, and what it did since its start. Counts only rise while the box runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Open connections, those without a session included.
    pub connections: u64,
    /// How many there may be.
    pub connections_max: u64,
    /// Live sessions.
    pub sessions: u64,
    /// Connections taken.
    pub connections_total: u64,
    /// What became of handshakes of TLS.
    pub handshakes: HandshakeStats,
    /// Sessions opened.
    pub logins_total: u64,
    /// Bytes read from connections.
    pub received_bytes_total: u64,
    /// Bytes written to connections.
    pub sent_bytes_total: u64,
    /// Sessions of them that were opened by a ticket.
    pub resumed_total: u64,
    /// New tokens that open sessions have brought.
    pub renewed_total: u64,
    /// Tokens that named a key that is not in the set: it may have to be fetched again.
    pub unknown_keys_total: u64,
    /// Entries offered to sessions, repeats included.
    pub pushed_total: u64,
    /// Sessions asked whether anybody is there.
    pub probes_total: u64,
    /// Connections that were closed because nothing came from them.
    pub silent_total: u64,
    /// Connections that were closed because their peers took nothing of what they were sent.
    pub stalled_total: u64,
    /// How often a connection began not to be read, since too much was unsent or unanswered.
    pub paused_total: u64,
    /// Connections that were closed unheard, by the reason's name.
    pub shed_total: BTreeMap<&'static str, u64>,
    /// What became of messages, and of devices that took none.
    pub messages: Totals,
    /// When users were there, and who is told.
    pub presence: PresenceTotals,
    /// Requests that were refused, by the name of the code.
    pub refused_total: BTreeMap<&'static str, u64>,
    /// Connections that were told why they are closed, by the name of the code.
    pub closed_total: BTreeMap<&'static str, u64>,
    /// Requests that wait to be journaled, committed or applied.
    pub undecided: u64,
    /// Reads of the disk that shards wait for.
    pub loads: u64,
    /// Bytes journaled that no checkpoint has.
    pub uncheckpointed_bytes: u64,
    /// Users in memory.
    pub resident_users: u64,
    /// For how long a living session has been offered something and taken nothing, at most, ms.
    pub unacknowledged_ms: u64,
    /// Users who are looked for, to be woken, or were woken a while ago.
    pub wakes: u64,
    /// Messages whose users could not be looked for: there were too many.
    pub wakes_overlooked_total: u64,
    /// Partitions out of service.
    pub quarantined: Vec<PartitionId>,
    /// New messages are refused, since the disk is nearly full.
    pub is_disk_low: bool,
    /// New messages and logins are refused, since the box has as much in memory as it may.
    pub is_memory_low: bool,
    /// The box stops: it takes no connections any more.
    pub is_draining: bool,
    /// What the storage thread did.
    pub storage: StorageStats,
}

/// What became of handshakes of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandshakeStats {
    /// Done.
    pub done_total: u64,
    /// Of them, with a ticket of an earlier connection.
    pub resumed_total: u64,
    /// Ended by a broken rule, or since the client asked for another protocol.
    pub failed_total: u64,
    /// Closed since they took too long.
    pub overdue_total: u64,
    /// Closed to make room for others.
    pub shed_total: u64,
}

/// A live session of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// What its home knows of it.
    pub report: SessionReport,
    /// How long ago something came from it, s.
    pub silent_s: u64,
    /// Bytes that it has not fetched.
    pub unsent_bytes: u64,
    /// Its requests without an answer.
    pub unanswered: u32,
    /// It was asked whether anybody is there, and has said nothing since.
    pub is_probed: bool,
}

impl Stats {
    /// Of all cores and the storage thread.
    pub(crate) fn new(cores: &[CoreStats], storage: StorageStats) -> Self {
        let mut sum = Self { storage, ..Self::default() };
        cores.iter().for_each(|core| sum.add(core));
        sum.quarantined.sort_unstable();
        sum
    }

    fn add(&mut self, core: &CoreStats) {
        let counts = &core.counts;
        self.connections += core.connections;
        self.connections_max = self.connections_max.max(core.connections_max);
        self.connections_total += counts.connections;
        self.handshakes.done_total += counts.handshakes;
        self.handshakes.resumed_total += counts.handshakes_resumed;
        self.handshakes.failed_total += counts.handshakes_failed;
        self.handshakes.overdue_total += counts.handshakes_overdue;
        self.handshakes.shed_total += counts.handshakes_shed;
        self.logins_total += counts.logins;
        self.resumed_total += counts.resumed;
        self.renewed_total += counts.renewed;
        self.unknown_keys_total += counts.unknown_keys;
        self.received_bytes_total += counts.received_bytes;
        self.sent_bytes_total += counts.sent_bytes;
        self.pushed_total += counts.pushed;
        self.probes_total += counts.probes;
        self.silent_total += counts.silent;
        self.stalled_total += counts.stalled;
        self.paused_total += counts.paused;
        counts.shed.add_to(&mut self.shed_total);
        counts.refused.add_to(&mut self.refused_total);
        counts.closed.add_to(&mut self.closed_total);
        core.shards.iter().for_each(|report| self.add_shard(report));
        self.quarantined.extend_from_slice(&core.quarantined);
        self.is_disk_low |= core.is_disk_low;
        self.is_memory_low |= core.is_memory_low;
        self.is_draining |= core.is_draining;
    }

    fn add_shard(&mut self, report: &ShardReport) {
        self.sessions += report.sessions;
        self.messages.accepted += report.totals.accepted;
        self.messages.delivered += report.totals.delivered;
        self.messages.failed += report.totals.failed;
        self.messages.lapsed += report.totals.lapsed;
        self.presence.told += report.presence.told;
        self.presence.writes += report.presence.writes;
        self.presence.rows += report.presence.rows;
        self.presence.watches += report.presence.watches;
        self.undecided += report.undecided;
        self.loads += report.loads;
        self.uncheckpointed_bytes += report.uncheckpointed_bytes;
        self.resident_users += report.users;
        self.wakes += report.wakes;
        self.wakes_overlooked_total += report.wakes_overlooked;
        self.unacknowledged_ms = self.unacknowledged_ms.max(report.unacknowledged_ms);
    }
}
