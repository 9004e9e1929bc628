//! How long things took: percentiles of a histogram, and the table that shows them.

use std::fmt::{self, Write};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::figures::{tenths, time};
use crate::exit::Failure;

/// Latencies up to 200 s, in ns, to three digits.
const LATENCY_NS_MAX: u64 = 200_000_000_000;

/// Latencies of one kind, µs from the time at which something was due.
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

/// An empty histogram of ns.
pub(super) fn histogram() -> Result<Histogram<u64>, Failure> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).map_err(Failure::new)
}

/// Lines of a report, one for each kind that was recorded.
pub(super) fn table(rows: &[(&str, Option<Latency>)]) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let row = |text: &mut String, name: &str, cells: [String; 4]| {
        let [p50, p99, p999, max] = cells;
        writeln!(text, "  {name:<9}{p50:>10}{p99:>10}{p999:>10}{max:>10}")
    };
    if rows.iter().any(|(_, latency)| latency.is_some()) {
        row(&mut text, "", ["p50", "p99", "p99.9", "max"].map(str::to_owned))?;
    }
    for (name, latency) in rows {
        let Some(Latency { p50_us, p99_us, p999_us, max_us }) = *latency else { continue };
        row(&mut text, name, [p50_us, p99_us, p999_us, max_us].map(time))?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut recorded = histogram().unwrap();
        assert!(Latency::of(&recorded).is_none());
        (1..=1000).for_each(|us| recorded.saturating_record(us * 1000));
        let latency = Latency::of(&recorded).unwrap();
        assert!((499.0..502.0).contains(&latency.p50_us), "{latency:?}");
        assert!((989.0..992.0).contains(&latency.p99_us), "{latency:?}");
        let text = table(&[("accepted", Some(latency)), ("receipt", None)]).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
