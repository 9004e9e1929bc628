//! What one core counts.

use std::collections::BTreeMap;

use answerback_directory::shard::ShardReport;
use answerback_proto::code::Code;
use answerback_proto::id::PartitionId;

/// Since the start of the box.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoreCounts {
    /// Connections taken.
    pub(crate) connections: u64,
    /// Handshakes of TLS that were done,
    pub(crate) handshakes: u64,
    /// of them, with a ticket of an earlier connection.
    pub(crate) handshakes_resumed: u64,
    /// Handshakes that broke a rule or asked for another protocol,
    pub(crate) handshakes_failed: u64,
    /// took too long,
    pub(crate) handshakes_overdue: u64,
    /// or made room for others.
    pub(crate) handshakes_shed: u64,
    /// Sessions opened.
    pub(crate) logins: u64,
    /// Bytes read.
    pub(crate) received_bytes: u64,
    /// Bytes written.
    pub(crate) sent_bytes: u64,
    /// Entries offered.
    pub(crate) pushed: u64,
    /// Sessions asked whether anybody is there.
    pub(crate) probes: u64,
    /// Connections closed because nothing came from them.
    pub(crate) silent: u64,
    /// Sessions of them that were opened by a ticket.
    pub(crate) resumed: u64,
    /// New tokens that open sessions have brought.
    pub(crate) renewed: u64,
    /// Tokens that named a key that is not in the set.
    pub(crate) unknown_keys: u64,
    /// Connections closed because their peers took nothing.
    pub(crate) stalled: u64,
    /// How often a connection began not to be read.
    pub(crate) paused: u64,
    /// Connections closed unheard.
    pub(crate) shed: ShedCounts,
    /// Requests refused.
    pub(crate) refused: CodeCounts,
    /// Connections told why they close.
    pub(crate) closed: CodeCounts,
}

/// Why a connection is closed unheard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shed {
    /// The box has as many connections as it may.
    Seats,
    /// It took as many in this second as it may.
    Rate,
    /// There are as many from its network as may be.
    Prefix,
    /// A listed proxy did not say for whom it is.
    ProxyHeader,
    /// There was no descriptor for it.
    Descriptors,
}

impl Shed {
    /// Each, with its name.
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Seats, "seats"),
        (Self::Rate, "rate"),
        (Self::Prefix, "prefix"),
        (Self::ProxyHeader, "proxy_header"),
        (Self::Descriptors, "descriptors"),
    ];
}

/// How often for each reason.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShedCounts {
    counts: [u64; Shed::NAMES.len()],
}

impl ShedCounts {
    /// One more.
    pub(crate) fn count(&mut self, why: Shed) {
        let mut reasons = Shed::NAMES.iter().zip(&mut self.counts);
        if let Some((_, count)) = reasons.find(|((reason, _), _)| *reason == why) {
            *count += 1;
        }
    }

    /// Adds all to sums by name; every name is there.
    pub(crate) fn add_to(&self, sums: &mut BTreeMap<&'static str, u64>) {
        for ((_, name), count) in Shed::NAMES.iter().zip(self.counts) {
            *sums.entry(name).or_default() += count;
        }
    }
}

/// How often each code was said; there are few of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct CodeCounts {
    counts: Vec<(Code, u64)>,
}

impl CodeCounts {
    /// It was said once more.
    pub(crate) fn count(&mut self, code: Code) {
        match self.counts.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((code, 1)),
        }
    }

    /// Adds all to sums by name.
    pub(crate) fn add_to(&self, sums: &mut BTreeMap<&'static str, u64>) {
        for (code, count) in &self.counts {
            *sums.entry(code.name()).or_default() += count;
        }
    }
}

/// What a core answers.
#[derive(Clone, Debug)]
pub(crate) struct CoreStats {
    pub(crate) counts: CoreCounts,
    pub(crate) connections: u64,
    pub(crate) connections_max: u64,
    pub(crate) shards: Vec<ShardReport>,
    pub(crate) quarantined: Vec<PartitionId>,
    pub(crate) is_disk_low: bool,
    pub(crate) is_memory_low: bool,
    pub(crate) is_draining: bool,
}
