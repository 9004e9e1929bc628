//! What `bench fanout` found out, as one JSON line or as a few lines to read.

use std::fmt;

use serde::Serialize;

use crate::bench::costs::Costs;
use crate::bench::figures::{bytes, count};
use crate::bench::latency::{Latency, table};
use crate::exit::Failure;

/// What `bench fanout` found out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FanoutReport {
    pub(super) bench: &'static str,
    pub(super) addr: String,
    pub(super) groups: usize,
    pub(super) members: usize,
    pub(super) size: usize,
    pub(super) inflight: u64,
    /// Nobody read: costs are those of a message.
    pub(super) is_away: bool,
    /// Accepted.
    pub(super) messages: u64,
    /// Members who got one.
    pub(super) deliveries: u64,
    #[serde(flatten)]
    pub(super) costs: Costs,
    pub(super) accepted: Option<Latency>,
    pub(super) delivered: Option<Latency>,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) refused: u64,
}

impl FanoutReport {
    /// Whether every member got every message once and in order.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        match self.lost + self.doubled {
            0 => Ok(()),
            _ => Err(Failure::new(format_args!(
                "{} deliveries never came and {} came again or out of order",
                self.lost, self.doubled
            ))),
        }
    }

    /// What the disk grew by for each message, where it was watched.
    fn disk_bytes_each(&self) -> Option<u64> {
        let (before, after) =
            self.costs.server.disk_bytes_before.zip(self.costs.server.disk_bytes_after)?;
        after.saturating_sub(before).checked_div(self.messages)
    }
}

impl fmt::Display for FanoutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { addr, groups, members, size, inflight, costs, .. } = self;
        writeln!(
            f,
            "fanout at {addr}: {groups} groups of {members}, {size} bytes, {inflight} in flight each"
        )?;
        let what = if self.is_away { "message" } else { "delivery" };
        let (per_second, deliveries) = (count(costs.per_second as u64), count(self.deliveries));
        let (messages, seconds) = (count(self.messages), costs.seconds);
        writeln!(
            f,
            "  {per_second} a second; {messages} messages, {deliveries} deliveries in {seconds} s"
        )?;
        let rows = [("accepted", self.accepted), ("delivered", self.delivered)];
        f.write_str(&table(&rows)?)?;
        f.write_str(&costs.lines(what)?)?;
        if let Some(each) = self.disk_bytes_each() {
            writeln!(f, "  disk       {} a message", bytes(each))?;
        }
        let Self { lost, doubled, refused, .. } = self;
        write!(f, "  {lost} lost, {doubled} doubled or reordered, {refused} refused on the way")
    }
}
