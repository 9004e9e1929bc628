//! What the two halves found out, as one JSON line or as a few lines to read.

use std::fmt;

use serde::Serialize;

use super::storing::code_name;
use crate::bench::costs::Costs;
use crate::bench::figures::count;
use crate::bench::latency::{Latency, table};
use crate::exit::Failure;

/// What the storing half found out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct StoreReport {
    pub(super) bench: &'static str,
    pub(super) half: &'static str,
    pub(super) addr: String,
    /// For the half that drains.
    pub(super) user_base: String,
    pub(super) device_base: String,
    pub(super) senders: u32,
    pub(super) recipients: u32,
    pub(super) size: usize,
    pub(super) inflight: u64,
    /// Accepted.
    pub(super) messages: u64,
    pub(super) accepted: Option<Latency>,
    #[serde(flatten)]
    pub(super) costs: Costs,
    /// Rejected for good by their recipient's home.
    pub(super) failed: u64,
    pub(super) refused: u64,
    pub(super) out_of_order: u64,
    pub(super) undecided: u64,
}

impl StoreReport {
    /// Whether every message was accepted; else the code of the last refusal or rejection
    /// says why.
    pub(super) fn verdict(&self, last_code: u16) -> Result<(), Failure> {
        let Self { failed, undecided, .. } = self;
        if failed + undecided == 0 {
            return Ok(());
        }
        let reason = match last_code {
            0 => "the box said nothing",
            code => code_name(code),
        };
        Err(Failure::new(format_args!(
            "{failed} messages failed and {undecided} are undecided; the last reason: {reason}"
        )))
    }
}

impl fmt::Display for StoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { addr, senders, recipients, size, inflight, costs, .. } = self;
        writeln!(
            f,
            "offline at {addr}: {senders} senders, {recipients} users away, {size} bytes, \
             {inflight} in flight each"
        )?;
        let (per_second, messages) = (count(costs.per_second as u64), count(self.messages));
        writeln!(f, "  {per_second} messages/s, {messages} stored in {} s", costs.seconds)?;
        f.write_str(&table(&[("accepted", self.accepted)])?)?;
        f.write_str(&costs.lines("message")?)?;
        let Self { failed, refused, out_of_order, undecided, user_base, device_base, .. } = self;
        writeln!(
            f,
            "  {failed} failed, {undecided} undecided, {refused} refused, {out_of_order} out of order on the way"
        )?;
        write!(f, "  to drain   --drain --user-base {user_base} --device-base {device_base}")
    }
}

/// What the draining half found out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DrainReport {
    pub(super) bench: &'static str,
    pub(super) half: &'static str,
    pub(super) addr: String,
    pub(super) senders: u32,
    pub(super) recipients: u32,
    /// Entries that waited, as the box told at the logins.
    pub(super) pending: u64,
    /// Different messages that came.
    pub(super) messages: u64,
    #[serde(flatten)]
    pub(super) costs: Costs,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) reordered: u64,
    /// Messages with another payload than their sender wrote.
    pub(super) damaged: u64,
    /// Recipients who waited for more in vain.
    pub(super) unfinished: usize,
}

impl DrainReport {
    /// Whether every message came once and in order.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let Self { lost, doubled, reordered, damaged, unfinished, .. } = self;
        if lost + doubled + reordered + damaged == 0 && *unfinished == 0 {
            return Ok(());
        }
        Err(Failure::new(format_args!(
            "{lost} lost, {doubled} doubled, {reordered} reordered, {damaged} damaged, \
             {unfinished} users not through"
        )))
    }
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { addr, recipients, pending, costs, .. } = self;
        let pending = count(*pending);
        writeln!(f, "offline at {addr}: {recipients} users came back, {pending} entries waited")?;
        let (per_second, messages) = (count(costs.per_second as u64), count(self.messages));
        writeln!(f, "  {per_second} messages/s, {messages} drained in {} s", costs.seconds)?;
        f.write_str(&costs.lines("message")?)?;
        let Self { lost, doubled, reordered, damaged, .. } = self;
        write!(f, "  {lost} lost, {doubled} doubled, {reordered} reordered, {damaged} damaged")
    }
}
