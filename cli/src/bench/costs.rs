//! What a load cost, as it stands in every report.

use std::fmt::{self, Write};

use serde::Serialize;

use super::figures::{bytes, cost, share};

/// A busier generator is what is measured, not the server.
const BOTTLENECK_SHARE: f64 = 0.95;
/// So is one that is as busy as this and busier than the server.
const BUSIER_SHARE: f64 = 0.85;

/// What a time came to.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Costs {
    pub(super) seconds: f64,
    /// Messages, or whatever the load does.
    #[serde(rename = "messages_per_second")]
    pub(super) per_second: f64,
    pub(super) server: ServerCosts,
    pub(super) generator: GeneratorCosts,
}

/// What it cost the server, as far as it may be watched.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct ServerCosts {
    /// CPU of all its threads a message, µs.
    #[serde(rename = "cpu_us_per_message")]
    pub(super) cpu_us_each: Option<f64>,
    /// The same as a share of one core.
    pub(super) cpu_share: Option<f64>,
    /// Resident memory before anybody logged in.
    pub(super) rss_bytes_before: Option<u64>,
    pub(super) rss_bytes_after: Option<u64>,
    /// The most that the process ever had.
    pub(super) rss_bytes_peak: Option<u64>,
    pub(super) descriptors: Option<u64>,
    /// What its data directory takes.
    pub(super) disk_bytes_before: Option<u64>,
    pub(super) disk_bytes_after: Option<u64>,
}

/// The generator's own load.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct GeneratorCosts {
    /// Its CPU a message, µs.
    #[serde(rename = "cpu_us_per_message")]
    pub(super) cpu_us_each: Option<f64>,
    /// CPU time as a share of one core.
    pub(super) cpu_share: f64,
    /// Time with work in hand as a share of the whole.
    pub(super) busy_share: f64,
    /// Whether the figures are the generator's rather than the server's.
    pub(super) is_bottleneck: bool,
}

impl GeneratorCosts {
    /// Judges it.
    pub(super) fn new(
        cpu_us_each: Option<f64>,
        cpu_share: f64,
        busy_share: f64,
        server_share: Option<f64>,
    ) -> Self {
        let share = cpu_share.max(busy_share);
        let is_busier = server_share.is_some_and(|server| server < share);
        let is_bottleneck = share > BOTTLENECK_SHARE || share > BUSIER_SHARE && is_busier;
        Self { cpu_us_each, cpu_share, busy_share, is_bottleneck }
    }
}

impl Costs {
    /// The lines of a report, `what` being what was counted.
    pub(super) fn lines(&self, what: &str) -> Result<String, fmt::Error> {
        let (server, mut text) = (&self.server, String::new());
        if let Some(((each, of_core), (before, after))) =
            server.cpu_us_each.zip(server.cpu_share).zip(server.rss())
        {
            write!(
                text,
                "  server     {} CPU a {what}, {} of a core; ",
                cost(each),
                share(of_core)
            )?;
            let peak = server.rss_bytes_peak.unwrap_or(after);
            write!(text, "memory {} → {}", bytes(before), bytes(after))?;
            writeln!(text, ", at most {}", bytes(peak))?;
        }
        if let Some((before, after)) = server.disk_bytes_before.zip(server.disk_bytes_after) {
            writeln!(text, "  disk       {} → {}", bytes(before), bytes(after))?;
        }
        let GeneratorCosts { cpu_us_each, cpu_share, busy_share, is_bottleneck } = self.generator;
        write!(text, "  generator  ")?;
        if let Some(each) = cpu_us_each {
            write!(text, "{} CPU a {what}, ", cost(each))?;
        }
        write!(text, "{} of a core, {} busy", share(cpu_share), share(busy_share))?;
        let verdict = if is_bottleneck { ": it is the bottleneck, not the server" } else { "" };
        writeln!(text, "{verdict}")?;
        Ok(text)
    }
}

impl ServerCosts {
    fn rss(&self) -> Option<(u64, u64)> {
        self.rss_bytes_before.zip(self.rss_bytes_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busier_side_is_the_bottleneck() {
        let is_bottleneck = |cpu_share, busy_share, server_share| {
            GeneratorCosts::new(None, cpu_share, busy_share, server_share).is_bottleneck
        };
        assert!(is_bottleneck(0.96, 0.9, Some(0.99)));
        assert!(is_bottleneck(0.91, 0.9, Some(0.76)));
        assert!(!is_bottleneck(0.91, 0.9, Some(0.97)));
        assert!(!is_bottleneck(0.91, 0.9, None));
    }
}
