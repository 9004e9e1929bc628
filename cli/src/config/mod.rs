//! What the operator of a box decides.

use std::path::PathBuf;

use answerback_gateway::GatewayConfig;

use crate::admin::AdminListen;

/// All settings of `answerback serve`.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    /// The data directory; made where it is missing.
    pub(crate) data: PathBuf,
    /// The public keys of the tokens that are let in.
    pub(crate) jwks: PathBuf,
    /// Partitions of a new data directory.
    pub(crate) partitions: u16,
    /// Threads that serve connections; none: one a processor.
    pub(crate) cores: Option<u16>,
    /// Memory of a partition for users at rest.
    pub(crate) shard_memory_mib: usize,
    /// With less free space no new message is taken; none: by the size of the disk.
    pub(crate) disk_reserve_mib: Option<u64>,
    /// How often what was deleted is erased from the files.
    pub(crate) erase_period_s: u64,
    /// Where metrics and probes are answered.
    pub(crate) admin_listen: AdminListen,
    /// What the gateway and the shards are run by.
    pub(crate) gateway: GatewayConfig,
}
