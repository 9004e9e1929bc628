//! SIGHUP: file and environment are read again, and what a running box can change changes.

use std::time::Duration;

use answerback_gateway::Control;
use tracing::{error, info, warn};

use super::startup::reserve_marks;
use crate::config::{Change, Configuration, Layers, Mistakes, Resolved};
use crate::credentials::Renewal;
use crate::erasing::ErasePeriod;
use crate::exit::Failure;
use crate::journal::SharedMarks;
use crate::logs::LogLevel;
use crate::watch::MemoryCeiling;

/// Where new settings go.
#[derive(Debug)]
pub(super) struct Reloader {
    /// Where they are read.
    pub(super) layers: Layers,
    /// Those in force.
    pub(super) running: Configuration,
    /// What is logged.
    pub(super) level: LogLevel,
    /// When new messages are refused.
    pub(super) marks: SharedMarks,
    /// And when, since there is no memory.
    pub(super) memory: MemoryCeiling,
    /// How often is erased.
    pub(super) erase: ErasePeriod,
    /// What is renewed.
    pub(super) credentials: Renewal,
    /// The cores and their shards.
    pub(super) shards: Control,
}

impl Reloader {
    /// Reads all again. A mistake anywhere changes nothing.
    pub(super) fn reload(&mut self) {
        match self.layers.resolve() {
            Ok(said) => self.take(&said),
            Err(Mistakes(mistakes)) => {
                for mistake in mistakes {
                    error!(alarm = "reload_refused", "no setting was changed: {mistake}");
                }
            }
        }
    }

    fn take(&mut self, said: &Resolved) {
        let Change { configuration, taken, pending } =
            Change::between(&self.running, &said.configuration);
        if let Err(failure) = self.apply(&configuration) {
            let reason = failure.line();
            error!(alarm = "reload_failed", "not all settings were changed: {reason}");
            return;
        }
        self.running = configuration;
        said.warnings.iter().for_each(|warning| warn!("{warning}"));
        for key in pending {
            warn!(key, "{key} needs a restart");
        }
        self.credentials.reload(Duration::from_secs(self.running.jwks_period_s));
        info!(changed = taken.join(" "), "the settings were read again");
    }

    /// The log first, so that it is the new one that tells the rest.
    fn apply(&self, configuration: &Configuration) -> Result<(), Failure> {
        self.level.set(&configuration.log_level)?;
        self.memory.set(configuration.memory_max_mib);
        self.marks.set(reserve_marks(configuration)?);
        self.erase.set(Duration::from_secs(configuration.erase_period_s));
        Ok(self.shards.reload(configuration.gateway.clone())?)
    }
}
