//! What the operator decides about a box's gateway.

use std::net::{Ipv4Addr, SocketAddr};

use answerback_directory::commit_policy::CommitPolicy;
use answerback_directory::limits::SETTINGS;
use answerback_directory::shard::{PresenceSettings, WakePolicy};
use answerback_proto::limits::{
    FRAME_BYTES_BEFORE_AUTH_MAX, FRAME_BYTES_HARD_MAX, FRAME_BYTES_MAX,
};
use answerback_proto::record::Settings;
use ipnet::IpNet;

use crate::admission::PrefixLengths;

/// The settings of [`crate::serve`].
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where clients connect; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The longest frame that is taken, 4096–983 040.
    pub frame_bytes_max: u32,
    /// Connections that may be open at once, over all cores; more are closed unheard.
    pub connections_max: u32,
    /// Connections that may be open from one network; 0 is any number.
    pub connections_per_prefix: u32,
    /// How long the prefix of a network is.
    pub prefix_bits: PrefixLengths,
    /// Connections that are taken in a second, over all cores; 0 is any number.
    pub accepts_per_s: u32,
    /// Peers that say whom they connect, by the PROXY protocol.
    pub proxy_from: Vec<IpNet>,
    /// How long a handshake of TLS may take, ms.
    pub tls_deadline_ms: u64,
    /// Handshakes of TLS that may be under way at once, over all cores; more wait.
    pub handshakes_max: u32,
    /// How long a connection may take to send its `Hello`, ms.
    pub hello_deadline_ms: u64,
    /// How long a frame may take from its first byte to its last, ms.
    pub frame_deadline_ms: u64,
    /// How long a peer may take nothing of what it is sent, ms.
    pub write_stall_ms: u64,
    /// How much devices and users may send.
    pub rates: RateConfig,
    /// The shortest interval of pings that clients are told, s.
    pub heartbeat_min_s: u16,
    /// The longest interval of pings; who is silent for half as long again is closed, s.
    pub heartbeat_max_s: u16,
    /// When batches are committed.
    pub commit: CommitPolicy,
    /// A partition is checkpointed once it has journaled as many bytes.
    pub checkpoint_bytes: usize,
    /// And once it has changes of this age, ms.
    pub checkpoint_period_ms: u64,
    /// What users see of each other's being there.
    pub presence: PresenceSettings,
    /// What shards decide by; where the journal knows others, these take their place.
    pub settings: Settings,
    /// Threads that read the disk for the shards.
    pub reader_threads: usize,
    /// How long clients have to leave when the box stops, ms.
    pub drain_ms: u64,
    /// When users are woken, where somebody wakes them.
    pub wake: WakePolicy,
    /// The processors that the cores' threads are bound to, in turn; none: they are not.
    pub cpus: Vec<usize>,
    /// Sent bytes that a peer's kernel does not confirm for so long end the connection, ms.
    pub unconfirmed_ms: u32,
}

/// How much a device, and a user with all devices, may send; 0 is any amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateConfig {
    /// So many seconds' worth may be saved; 0: there is no such limit at all.
    pub burst_s: u32,
    /// Requests of a device that are journaled, a second.
    pub device_messages_per_s: u32,
    /// Bytes of their frames.
    pub device_bytes_per_s: u32,
    /// Those requests of all devices of a user.
    pub user_messages_per_s: u32,
    /// Bytes of their frames.
    pub user_bytes_per_s: u32,
}

impl Default for RateConfig {
    /// No human reaches it, nor does an app that sends what was queued for days; a loop without
    /// an end does, and a load generator.
    fn default() -> Self {
        Self {
            burst_s: 10,
            device_messages_per_s: 100,
            device_bytes_per_s: 1024 * 1024,
            user_messages_per_s: 300,
            user_bytes_per_s: 3 * 1024 * 1024,
        }
    }
}

/// Measured (docs/ARCHITECTURE.md): shorter costs more of the processor, and with longer
/// ones RocksDB flushes a journal that is about to be trimmed, while messages wait.
const CHECKPOINT_PERIOD_MS: u64 = 1000;

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7400)),
            frame_bytes_max: FRAME_BYTES_MAX,
            connections_max: 1_000_000,
            connections_per_prefix: 0,
            prefix_bits: PrefixLengths { ipv4: 32, ipv6: 64 },
            accepts_per_s: 0,
            proxy_from: Vec::new(),
            tls_deadline_ms: 5000,
            handshakes_max: 1024,
            hello_deadline_ms: 5000,
            frame_deadline_ms: 30_000,
            write_stall_ms: 10_000,
            rates: RateConfig::default(),
            heartbeat_min_s: 30,
            heartbeat_max_s: 300,
            commit: CommitPolicy::default(),
            checkpoint_bytes: 16 * 1024 * 1024,
            checkpoint_period_ms: CHECKPOINT_PERIOD_MS,
            presence: PresenceSettings::default(),
            settings: SETTINGS,
            reader_threads: 1,
            cpus: Vec::new(),
            unconfirmed_ms: 30_000,
            drain_ms: 2000,
            wake: WakePolicy::default(),
        }
    }
}

impl GatewayConfig {
    /// What is wrong with it, in one line.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !(FRAME_BYTES_BEFORE_AUTH_MAX..=FRAME_BYTES_HARD_MAX).contains(&self.frame_bytes_max) {
            Some("frame_bytes_max must lie between 4096 and 983040")
        } else if self.heartbeat_min_s == 0 || self.heartbeat_max_s < self.heartbeat_min_s {
            Some("heartbeat_min_s must be at least 1 and heartbeat_max_s no less")
        } else {
            None
        }
    }

    /// The settings in which another differs and that a running box cannot change: they are
    /// bound to its sockets and threads, or were promised to its clients.
    pub fn needs_restart(&self, other: &Self) -> Vec<&'static str> {
        let mut names = Vec::new();
        let mut compare = |name, is_same: bool| names.extend((!is_same).then_some(name));
        compare("listen", self.listen == other.listen);
        compare("frame_bytes_max", self.frame_bytes_max == other.frame_bytes_max);
        compare("reader_threads", self.reader_threads == other.reader_threads);
        compare("cpus", self.cpus == other.cpus);
        compare("unconfirmed_ms", self.unconfirmed_ms == other.unconfirmed_ms);
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_a_welcome_may_not_carry_are_refused() {
        assert_eq!(GatewayConfig::default().fault(), None);
        for config in [
            GatewayConfig { frame_bytes_max: 4095, ..GatewayConfig::default() },
            GatewayConfig { frame_bytes_max: 983_041, ..GatewayConfig::default() },
            GatewayConfig { heartbeat_min_s: 0, ..GatewayConfig::default() },
            GatewayConfig { heartbeat_min_s: 601, ..GatewayConfig::default() },
        ] {
            assert!(config.fault().is_some(), "{config:?}");
        }
    }
}
