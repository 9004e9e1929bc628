//! One sample of a long run: what happened since the one before.

use std::fmt;

use serde::Serialize;

use crate::bench::chat::report::ChatLatencies;
use crate::bench::costs::Costs;
use crate::bench::figures::{bytes, cost, count, time};
use crate::bench::watch::Extent;

/// A time of the run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sample {
    pub(super) bench: &'static str,
    /// Its end, seconds since measuring began.
    pub(super) at_s: f64,
    pub(super) messages: u64,
    pub(super) messages_per_second: f64,
    pub(super) cpu_us_per_message: Option<f64>,
    pub(super) generator_busy_share: f64,
    #[serde(flatten)]
    pub(super) latencies: ChatLatencies,
    #[serde(flatten)]
    pub(super) extent: Extent,
}

impl Sample {
    /// What a time came to.
    pub(super) fn new(
        at_s: f64,
        messages: u64,
        costs: &Costs,
        latencies: ChatLatencies,
        extent: Extent,
    ) -> Self {
        Self {
            bench: "soak",
            at_s,
            messages,
            messages_per_second: costs.per_second,
            cpu_us_per_message: costs.server.cpu_us_each,
            generator_busy_share: costs.generator.busy_share,
            latencies,
            extent,
        }
    }

    /// The tail of what was accepted, µs.
    pub(super) fn p99_us(&self) -> Option<f64> {
        self.latencies.accepted.map(|accepted| accepted.p99_us)
    }

    /// The heads of the columns that a line has.
    pub(super) fn heads() -> String {
        format!(
            "{:>8}{:>13}{:>10}{:>12}{:>12}{:>12}{:>8}{:>12}",
            "time", "messages/s", "CPU", "p50", "p99", "memory", "fds", "disk"
        )
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = || "–".to_owned();
        let accepted = self.latencies.accepted;
        write!(
            f,
            "{:>8}{:>13}{:>10}{:>12}{:>12}{:>12}{:>8}{:>12}",
            format!("{:.0} s", self.at_s),
            count(self.messages_per_second as u64),
            self.cpu_us_per_message.map_or_else(none, cost),
            accepted.map_or_else(none, |accepted| time(accepted.p50_us)),
            accepted.map_or_else(none, |accepted| time(accepted.p99_us)),
            self.extent.rss_bytes.map_or_else(none, bytes),
            self.extent.descriptors.map_or_else(none, |descriptors| descriptors.to_string()),
            self.extent.disk_bytes.map_or_else(none, bytes),
        )
    }
}
