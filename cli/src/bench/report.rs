//! What a run found out, as one JSON line or as a few lines to read.

use std::fmt::{self, Write};

use hdrhistogram::Histogram;
use serde::Serialize;

/// A busier generator is what is measured, not the server.
const BOTTLENECK_SHARE: f64 = 0.95;

/// Latencies of one kind, µs from the time at which the messages were due.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Latency {
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    pub(super) max_us: f64,
}

impl Latency {
    /// The figures of a histogram of ns; `None` where nothing was recorded.
    pub(super) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let us = |quantile| tenths(histogram.value_at_quantile(quantile) as f64 / 1000.0);
        (!histogram.is_empty()).then(|| Self {
            p50_us: us(0.5),
            p99_us: us(0.99),
            p999_us: us(0.999),
            max_us: tenths(histogram.max() as f64 / 1000.0),
        })
    }
}

/// What the server cost while it was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct ServerCost {
    /// CPU of all its threads a delivered message, µs.
    pub(super) cpu_us_per_message: f64,
    /// The same as a share of one core.
    pub(super) cpu_share: f64,
    /// Resident memory at the end, bytes.
    pub(super) rss_bytes: u64,
}

/// The generator's own load.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct GeneratorLoad {
    /// CPU time as a share of one core; spinning counts.
    pub(super) cpu_share: f64,
    /// Time with work in hand as a share of the whole.
    pub(super) busy_share: f64,
    /// Whether the figures are the generator's rather than the server's.
    pub(super) is_bottleneck: bool,
}

impl GeneratorLoad {
    /// A spinning generator always uses its core: what counts is the time with work in hand.
    pub(super) fn new(cpu_share: f64, busy_share: f64, is_spinning: bool) -> Self {
        let share = if is_spinning { busy_share } else { cpu_share.max(busy_share) };
        Self {
            cpu_share: hundredths(cpu_share),
            busy_share: hundredths(busy_share),
            is_bottleneck: share > BOTTLENECK_SHARE,
        }
    }
}

/// What `bench chat` found out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ChatReport {
    pub(super) bench: &'static str,
    pub(super) addr: String,
    pub(super) pairs: usize,
    pub(super) bytes: usize,
    pub(super) window: Option<u64>,
    pub(super) rate: Option<f64>,
    pub(super) seconds: f64,
    /// Delivered while it was measured.
    pub(super) messages: u64,
    pub(super) messages_per_second: f64,
    pub(super) accepted: Option<Latency>,
    pub(super) delivered: Option<Latency>,
    pub(super) receipt: Option<Latency>,
    pub(super) server: Option<ServerCost>,
    pub(super) generator: GeneratorLoad,
    /// Of the whole run, after draining.
    pub(super) generated: u64,
    pub(super) undecided: u64,
    pub(super) failed: u64,
    pub(super) refused: u64,
    pub(super) out_of_order: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) reordered: u64,
}

impl ChatReport {
    /// Whether every message arrived once and in order.
    pub(super) fn is_faultless(&self) -> bool {
        self.lost + self.doubled + self.reordered + self.undecided + self.failed == 0
    }
}

impl fmt::Display for ChatReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let pace = match (self.window, self.rate) {
            (Some(window), _) => format!("window {window}"),
            (_, Some(rate)) => format!("{rate} a second"),
            _ => String::new(),
        };
        writeln!(
            text,
            "chat at {}: {} pairs, {} bytes, {pace}",
            self.addr, self.pairs, self.bytes
        )?;
        writeln!(text, "  delivered  {:.0} messages/s", self.messages_per_second)?;
        for (name, latency) in
            [("accepted", self.accepted), ("delivered", self.delivered), ("receipt", self.receipt)]
        {
            let Some(latency) = latency else { continue };
            let Latency { p50_us, p99_us, p999_us, max_us } = latency;
            writeln!(
                text,
                "  {name:<9}  p50 {p50_us} µs, p99 {p99_us} µs, p99.9 {p999_us} µs, max {max_us} µs"
            )?;
        }
        if let Some(server) = self.server {
            let mebibytes = server.rss_bytes / (1024 * 1024);
            writeln!(
                text,
                "  server     {} µs CPU a message, {:.0} % of a core, {mebibytes} MiB",
                server.cpu_us_per_message,
                server.cpu_share * 100.0
            )?;
        }
        let GeneratorLoad { cpu_share, busy_share, is_bottleneck } = self.generator;
        let (cpu, busy) = (cpu_share * 100.0, busy_share * 100.0);
        let verdict = if is_bottleneck { ": it is the bottleneck, not the server" } else { "" };
        writeln!(text, "  generator  {cpu:.0} % CPU, {busy:.0} % busy{verdict}")?;
        write!(
            text,
            "  of {} messages: {} lost, {} doubled, {} reordered, {} undecided, {} failed",
            self.generated, self.lost, self.doubled, self.reordered, self.undecided, self.failed
        )?;
        f.write_str(&text)
    }
}

/// What `bench idle` found out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct IdleReport {
    pub(super) bench: &'static str,
    pub(super) addr: String,
    pub(super) connections: usize,
    pub(super) logins_per_second: f64,
    /// Growth of the server's resident memory.
    pub(super) rss_bytes_per_connection: Option<f64>,
    /// The part of it that no file backs.
    pub(super) anonymous_bytes_per_connection: Option<f64>,
}

impl fmt::Display for IdleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { addr, connections, logins_per_second, .. } = self;
        write!(f, "idle at {addr}: {connections} connections, {logins_per_second} logins/s")?;
        match (self.rss_bytes_per_connection, self.anonymous_bytes_per_connection) {
            (Some(resident), Some(anonymous)) => {
                write!(f, ", {resident} B a connection ({anonymous} B of it anonymous)")
            }
            _ => Ok(()),
        }
    }
}

/// To one place behind the point.
pub(super) fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// To two places behind the point.
pub(super) fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
