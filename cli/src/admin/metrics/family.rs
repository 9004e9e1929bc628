//! A metric with its samples, and all of them as text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

/// One metric.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    name: &'static str,
    help: &'static str,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Info(&'static str, &'static str),
    Counter(f64),
    Counters(&'static str, Vec<(&'static str, u64)>),
    Gauge(f64),
    Histogram { sum: f64, buckets: Vec<(f64, u64)> },
}

impl Family {
    /// A number that goes up and down.
    pub(crate) fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, value: Value::Gauge(value) }
    }

    /// A whole number that goes up and down.
    pub(crate) fn count(name: &'static str, help: &'static str, value: u64) -> Self {
        Self::gauge(name, help, value as f64)
    }

    /// 1 or 0.
    pub(crate) fn flag(name: &'static str, help: &'static str, is_set: bool) -> Self {
        Self::gauge(name, help, f64::from(u8::from(is_set)))
    }

    /// A number that only rises; its text form ends in `_total`.
    pub(crate) fn counter(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, value: Value::Counter(value) }
    }

    /// Such numbers, one for each value of a label.
    pub(crate) fn counters(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        counts: Vec<(&'static str, u64)>,
    ) -> Self {
        Self { name, help, value: Value::Counters(label, counts) }
    }

    /// How many were no greater than each bound, and greater than the one before it; the last
    /// bound is infinity.
    pub(crate) fn histogram(
        name: &'static str,
        help: &'static str,
        sum: f64,
        buckets: Vec<(f64, u64)>,
    ) -> Self {
        Self { name, help, value: Value::Histogram { sum, buckets } }
    }

    /// A text under a label; its text form ends in `_info`.
    pub(crate) fn info(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        value: &'static str,
    ) -> Self {
        Self { name, help, value: Value::Info(label, value) }
    }
}

/// The text of an exposition.
pub(crate) fn encode(families: Vec<Family>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Families(families)));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.iter().try_for_each(|Family { name, help, value }| {
            value.encode(encoder.encode_descriptor(name, help, None, value.metric_type())?)
        })
    }
}

impl Value {
    fn metric_type(&self) -> MetricType {
        match self {
            Self::Info(..) => MetricType::Info,
            Self::Counter(_) | Self::Counters(..) => MetricType::Counter,
            Self::Gauge(_) => MetricType::Gauge,
            Self::Histogram { .. } => MetricType::Histogram,
        }
    }

    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Info(label, value) => encoder.encode_info(&[(*label, *value)]),
            Self::Counter(value) => encoder.encode_counter::<NoLabels, _, f64>(value, None),
            Self::Counters(label, counts) => counts.iter().try_for_each(|(name, count)| {
                let labels = [(*label, *name)];
                encoder.encode_family(&labels)?.encode_counter::<NoLabels, _, f64>(count, None)
            }),
            Self::Gauge(value) => encoder.encode_gauge(value),
            Self::Histogram { sum, buckets } => {
                let count = buckets.iter().map(|(_, count)| count).sum();
                encoder.encode_histogram::<NoLabels>(*sum, count, buckets, None)
            }
        }
    }
}

type NoLabels = [(&'static str, &'static str); 0];
