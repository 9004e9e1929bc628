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

pub(crate) use check::unusable_files;
pub(crate) use field::{LogFilter, LogFormat, Plaintext};
pub(crate) use flags::Flags;
pub(crate) use key::Key;
pub(crate) use keys::KEYS;
pub(crate) use layers::{Change, Layers, Resolved};
pub(crate) use mistake::Mistakes;

use crate::admin::AdminListen;
use crate::credentials::{KeySource, TicketKeyFile, TlsFiles};
use crate::hooks::HookSettings;

/// All settings of `answerback serve`.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    /// The data directory; made where it is missing.
    pub(crate) data: PathBuf,
    /// The public keys of the tokens that are let in.
    pub(crate) jwks: KeySource,
    /// Who vouches for whom they are fetched from; none: who vouches for the web.
    pub(crate) jwks_ca: Option<PathBuf>,
    /// How often they are fetched.
    pub(crate) jwks_period_s: u64,
    /// What seals resume tickets.
    pub(crate) ticket_keys: TicketKeyFile,
    /// Partitions of a new data directory.
    pub(crate) partitions: u16,
    /// Threads that serve connections; none: one a processor.
    pub(crate) cores: Option<u16>,
    /// Memory of a partition for users at rest.
    pub(crate) shard_memory_mib: usize,
    /// Memory that the box may take; none: what the system has for it.
    pub(crate) memory_max_mib: Option<u64>,
    /// With less free space no new message is taken; none: by the size of the disk.
    pub(crate) disk_reserve_mib: Option<u64>,
    /// How often what was deleted is erased from the files.
    pub(crate) erase_period_s: u64,
    /// What clients know the box by.
    pub(crate) tls: TlsFiles,
    /// Where it is served without.
    pub(crate) plaintext: Plaintext,
    /// Where metrics and probes are answered.
    pub(crate) admin_listen: AdminListen,
    /// What Prometheus knows that place by.
    pub(crate) admin_tls: TlsFiles,
    /// What it has to show there.
    pub(crate) admin_token: Option<PathBuf>,
    /// What is written to the log.
    pub(crate) log_level: LogFilter,
    /// And how.
    pub(crate) log_format: LogFormat,
    /// Whom the box tells what happens.
    pub(crate) hooks: HookSettings,
    /// What the gateway and the shards are run by.
    pub(crate) gateway: GatewayConfig,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            jwks: KeySource::default(),
            jwks_ca: None,
            jwks_period_s: 300,
            ticket_keys: TicketKeyFile::InData,
            partitions: PARTITIONS_DEFAULT,
            cores: None,
            shard_memory_mib: 64,
            memory_max_mib: None,
            disk_reserve_mib: None,
            erase_period_s: 240,
            tls: TlsFiles::default(),
            plaintext: Plaintext::Loopback,
            admin_listen: AdminListen::default(),
            admin_tls: TlsFiles::default(),
            admin_token: None,
            log_level: LogFilter::default(),
            log_format: LogFormat::Auto,
            hooks: HookSettings::default(),
            gateway: GatewayConfig::default(),
        }
    }
}
