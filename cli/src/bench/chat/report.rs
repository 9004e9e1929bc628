//! What `bench chat` found out, as one JSON line or as a few lines to read.

use std::fmt::{self, Write};

use serde::Serialize;

use crate::bench::costs::Costs;
use crate::bench::figures::count;
use crate::bench::latency::{Latency, table};
use crate::bench::load::ChatLoad;
use crate::bench::pair::Pair;
use crate::exit::Failure;

/// What `bench chat` found out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ChatReport {
    pub(super) bench: &'static str,
    pub(super) addr: String,
    pub(super) pairs: usize,
    pub(super) size: usize,
    pub(super) inflight: Option<u64>,
    pub(super) rate: Option<f64>,
    /// Delivered while it was measured.
    pub(super) messages: u64,
    #[serde(flatten)]
    pub(super) costs: Costs,
    #[serde(flatten)]
    pub(super) latencies: ChatLatencies,
    #[serde(flatten)]
    pub(super) judgement: Judgement,
}

/// Latencies of the three things that happen to a message.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::bench) struct ChatLatencies {
    pub(in crate::bench) accepted: Option<Latency>,
    pub(in crate::bench) delivered: Option<Latency>,
    pub(in crate::bench) receipt: Option<Latency>,
}

impl ChatLatencies {
    /// Those of a load, as far as it has measured.
    pub(in crate::bench) fn of(load: &ChatLoad) -> Self {
        Self {
            accepted: Latency::of(&load.latencies.accepted),
            delivered: Latency::of(&load.latencies.delivered),
            receipt: Latency::of(&load.latencies.receipted),
        }
    }

    /// The lines of a report.
    pub(in crate::bench) fn lines(&self) -> Result<String, fmt::Error> {
        let Self { accepted, delivered, receipt } = *self;
        table(&[("accepted", accepted), ("delivered", delivered), ("receipt", receipt)])
    }
}

/// What became of all messages of a run, those of the warm-up too.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::bench) struct Judgement {
    generated: u64,
    undecided: u64,
    failed: u64,
    refused: u64,
    out_of_order: u64,
    lost: u64,
    doubled: u64,
    reordered: u64,
}

impl Judgement {
    /// Judges a load that has drained.
    pub(in crate::bench) fn of(load: &ChatLoad) -> Self {
        let sum = |of: fn(&Pair) -> u64| load.pairs.iter().map(of).sum::<u64>();
        Self {
            generated: load.counts.generated,
            undecided: sum(|pair| pair.sending.generated - pair.sending.accepted),
            failed: load.counts.failed,
            refused: load.counts.refused,
            out_of_order: load.counts.out_of_order,
            lost: sum(Pair::lost).saturating_sub(load.counts.failed),
            doubled: sum(|pair| pair.received.doubled),
            reordered: sum(|pair| pair.received.reordered),
        }
    }

    /// Whether every message arrived once and in order.
    pub(in crate::bench) fn verdict(&self) -> Result<(), Failure> {
        let Self { lost, doubled, reordered, undecided, failed, .. } = self;
        if lost + doubled + reordered + undecided + failed == 0 {
            return Ok(());
        }
        Err(Failure::new(format_args!(
            "{lost} lost, {doubled} doubled, {reordered} reordered, {undecided} undecided, \
             {failed} failed"
        )))
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, doubled, reordered, undecided, failed, refused, out_of_order, .. } = self;
        write!(
            f,
            "  of {} messages {lost} lost, {doubled} doubled, {reordered} reordered, \
             {undecided} undecided, {failed} failed; on the way {refused} refused, \
             {out_of_order} out of order",
            count(self.generated)
        )
    }
}

impl fmt::Display for ChatReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let pace = match (self.inflight, self.rate) {
            (Some(inflight), _) => format!("{inflight} in flight each"),
            (_, Some(rate)) => format!("{rate} a second"),
            _ => String::new(),
        };
        let Self { addr, pairs, size, costs, .. } = self;
        writeln!(text, "chat at {addr}: {pairs} pairs, {size} bytes, {pace}, {} s", costs.seconds)?;
        let per_second = count(costs.per_second as u64);
        writeln!(text, "  {per_second} messages/s, {} delivered", count(self.messages))?;
        text += &self.latencies.lines()?;
        text += &costs.lines("message")?;
        write!(f, "{text}{}", self.judgement)
    }
}
