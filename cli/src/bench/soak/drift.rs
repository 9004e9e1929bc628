//! What grew in a long run: its last quarter against its second.
//!
//! In the first quarter caches fill and files reach their size; what grows after that grows
//! as long as the run lasts. Each quarter counts by its median, so that a compaction or a
//! hiccup of the machine is none.

use std::fmt;

use serde::Serialize;

use super::sample::Sample;
use crate::bench::figures::hundredths;

/// Fewer samples have no quarters that say anything.
const SAMPLES_MIN: usize = 8;

/// Something that should be flat.
struct Gauge {
    name: &'static str,
    of: fn(&Sample) -> Option<f64>,
    /// Growth that is none, as a share.
    tolerance: f64,
    /// Growth that is none whatever the share, in the gauge's unit.
    slack: f64,
}

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// The tail follows the disk of the machine, so it may breathe most.
const GAUGES: [Gauge; 5] = [
    Gauge {
        name: "memory",
        of: |sample| sample.extent.rss_bytes.map(|bytes| bytes as f64),
        tolerance: 0.05,
        slack: 8.0 * MEBIBYTE,
    },
    Gauge {
        name: "descriptors",
        of: |sample| sample.extent.descriptors.map(|count| count as f64),
        tolerance: 0.02,
        slack: 4.0,
    },
    Gauge {
        name: "disk",
        of: |sample| sample.extent.disk_bytes.map(|bytes| bytes as f64),
        tolerance: 0.1,
        slack: 32.0 * MEBIBYTE,
    },
    Gauge { name: "p99 of accepted", of: Sample::p99_us, tolerance: 0.25, slack: 500.0 },
    Gauge {
        name: "CPU a message",
        of: |sample| sample.cpu_us_per_message,
        tolerance: 0.1,
        slack: 0.0,
    },
];

/// How a gauge went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Drift {
    pub(super) name: &'static str,
    /// Medians, in the unit of the samples.
    pub(super) second_quarter: f64,
    pub(super) last_quarter: f64,
    /// Growth as a share.
    pub(super) growth: f64,
    pub(super) is_flat: bool,
}

/// How everything went that was measured; nothing where the run was too short.
pub(super) fn drifts(samples: &[Sample]) -> Vec<Drift> {
    if samples.len() < SAMPLES_MIN {
        return Vec::new();
    }
    GAUGES.iter().filter_map(|gauge| gauge.drift(samples)).collect()
}

impl Gauge {
    fn drift(&self, samples: &[Sample]) -> Option<Drift> {
        let quarter = samples.len() / 4;
        let second = self.median(samples.get(quarter..2 * quarter)?)?;
        let last = self.median(samples.get(samples.len() - quarter..)?)?;
        let growth = (last - second) / second.max(f64::MIN_POSITIVE);
        Some(Drift {
            name: self.name,
            second_quarter: hundredths(second),
            last_quarter: hundredths(last),
            growth: (growth * 10_000.0).round() / 10_000.0,
            is_flat: growth <= self.tolerance || last - second <= self.slack,
        })
    }

    fn median(&self, samples: &[Sample]) -> Option<f64> {
        let mut values: Vec<f64> = samples.iter().filter_map(self.of).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_flat { "flat" } else { "grows" };
        write!(f, "  {:<17}{verdict:<6}{:+.1} %", self.name, self.growth * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::chat::report::ChatLatencies;
    use crate::bench::watch::Extent;

    fn sample(rss_bytes: u64, descriptors: u64) -> Sample {
        let extent =
            Extent { rss_bytes: Some(rss_bytes), descriptors: Some(descriptors), disk_bytes: None };
        Sample {
            bench: "soak",
            at_s: 0.0,
            messages: 0,
            messages_per_second: 0.0,
            cpu_us_per_message: None,
            generator_busy_share: 0.0,
            latencies: ChatLatencies { accepted: None, delivered: None, receipt: None },
            extent,
        }
    }

    #[test]
    fn what_fills_up_is_flat_and_what_leaks_is_not() {
        let filled = |at: u64| sample((500 << 20).min(at * (100 << 20)), 1000 + 2 * at);
        let samples: Vec<Sample> = (0..40).map(filled).collect();
        let drifts = drifts(&samples);
        let found: Vec<_> = drifts.iter().map(|drift| (drift.name, drift.is_flat)).collect();
        assert_eq!(found, [("memory", true), ("descriptors", false)]);
        assert_eq!((drifts[1].second_quarter, drifts[1].last_quarter), (1030.0, 1070.0));
    }

    #[test]
    fn one_hiccup_is_no_growth_and_few_samples_say_nothing() {
        let mut samples = vec![sample(100 << 20, 9); 16];
        samples[15] = sample(900 << 20, 9);
        assert!(drifts(&samples).iter().all(|drift| drift.is_flat));
        assert_eq!(drifts(&samples[..7]), []);
    }
}
