//! What the two halves found out, as one JSON line or as a few lines to read.

use std::fmt;

use serde::Serialize;

use super::storing::code_name;
use super::watch::Costs;
use crate::bench::report::{GeneratorLoad, Latency};
use crate::exit::Failure;

const MEBIBYTE: u64 = 1024 * 1024;

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
    pub(super) bytes: usize,
    pub(super) window: u64,
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
        let Self { addr, senders, recipients, bytes, window, .. } = self;
        writeln!(
            f,
            "offline at {addr}: {senders} senders, {recipients} users away, {bytes} bytes, \
             window {window}"
        )?;
        let (messages, Costs { messages_per_second, seconds, .. }) = (self.messages, self.costs);
        writeln!(f, "  stored     {messages_per_second:.0} messages/s, {messages} in {seconds} s")?;
        if let Some(Latency { p50_us, p99_us, p999_us, max_us }) = self.accepted {
            writeln!(
                f,
                "  accepted   p50 {p50_us} µs, p99 {p99_us} µs, p99.9 {p999_us} µs, max {max_us} µs"
            )?;
        }
        write_costs(f, self.costs)?;
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
        let Self { addr, recipients, pending, messages, .. } = self;
        let Costs { messages_per_second, seconds, .. } = self.costs;
        writeln!(f, "offline at {addr}: {recipients} users came back, {pending} entries waited")?;
        writeln!(f, "  drained    {messages_per_second:.0} messages/s, {messages} in {seconds} s")?;
        write_costs(f, self.costs)?;
        let Self { lost, doubled, reordered, damaged, .. } = self;
        write!(f, "  {lost} lost, {doubled} doubled, {reordered} reordered, {damaged} damaged")
    }
}

fn write_costs(f: &mut fmt::Formatter<'_>, costs: Costs) -> fmt::Result {
    let Costs { server, generator, .. } = costs;
    if let Some((cpu_us, share)) = server.cpu_us_per_message.zip(server.cpu_share) {
        writeln!(f, "  server     {cpu_us} µs CPU a message, {:.0} % of a core", share * 100.0)?;
    }
    if let Some((before, after)) = server.rss_bytes_before.zip(server.rss_bytes_after) {
        writeln!(
            f,
            "  memory     {} MiB before, {} MiB after",
            before / MEBIBYTE,
            after / MEBIBYTE
        )?;
    }
    if let Some((before, after)) = server.disk_bytes_before.zip(server.disk_bytes_after) {
        writeln!(
            f,
            "  disk       {} MiB before, {} MiB after",
            before / MEBIBYTE,
            after / MEBIBYTE
        )?;
    }
    let GeneratorLoad { cpu_share, busy_share, is_bottleneck } = generator;
    let (cpu, busy) = (cpu_share * 100.0, busy_share * 100.0);
    let verdict = if is_bottleneck { ": it is the bottleneck, not the server" } else { "" };
    writeln!(f, "  generator  {cpu:.0} % CPU, {busy:.0} % busy{verdict}")
}
