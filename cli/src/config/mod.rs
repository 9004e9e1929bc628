//! What the operator of a box decides, and where it is said.
//!
//! ```text
//! default < file (--config, ANSWERBACK_CONFIG) < environment < flag
//! ```
//! [`keys::KEYS`] is the one table of all settings: the file's names, the names in the
//! environment, the flags with their help, what is allowed, what a reload changes and the
//! page docs/CONFIGURATION.md all come from it. A new setting is a field of
//! [`Configuration`] and a line of that table.
//!
//! The layers are read by hand over a parsed TOML table and not through serde, since an
//! operator wants all mistakes at once, each with its file and line.

mod check;
mod environment;
mod field;
mod file;
mod flags;
mod key;
mod keys;
mod layers;
mod mistake;
mod nearest;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use answerback_gateway::GatewayConfig;
use answerback_proto::limits::PARTITIONS_DEFAULT;

pub(crate) use check::unreadable_keys;
pub(crate) use field::{LogFilter, LogFormat};
pub(crate) use flags::Flags;
pub(crate) use key::Key;
pub(crate) use keys::KEYS;
pub(crate) use layers::{Change, Layers, Resolved};
pub(crate) use mistake::Mistakes;

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
    /// What is written to the log.
    pub(crate) log_level: LogFilter,
    /// And how.
    pub(crate) log_format: LogFormat,
    /// What the gateway and the shards are run by.
    pub(crate) gateway: GatewayConfig,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            jwks: PathBuf::new(),
            partitions: PARTITIONS_DEFAULT,
            cores: None,
            shard_memory_mib: 64,
            disk_reserve_mib: None,
            erase_period_s: 240,
            admin_listen: AdminListen::default(),
            log_level: LogFilter::default(),
            log_format: LogFormat::Auto,
            gateway: GatewayConfig::default(),
        }
    }
}
