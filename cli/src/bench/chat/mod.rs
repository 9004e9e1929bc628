//! `answerback bench chat`: logs in, warms up, measures, drains, counts.

pub(super) mod report;

use std::time::Duration;

use clap::Args;

use super::arguments::{
    OutputArguments, PaceArguments, TargetArguments, parse_duration, parse_some_duration,
};
use super::engine::Engine;
use super::load::{ChatLoad, Pace, STAMP_BYTES};
use super::progress::Progress;
use super::watch::Watch;
use crate::exit::Failure;
use crate::process::allow_connections;
use report::{ChatLatencies, ChatReport, Judgement};

/// A bar moves so often.
const TOLD_NS: u64 = 1_000_000_000;

const EXAMPLE: &str = "\
Closed loop: each sender keeps --inflight messages under way; a place comes free when the message
is accepted and the receiver has it. Open loop: --rate messages a second by the clock; latency
counts from the time at which a message was due.

  answerback bench chat --addr 127.0.0.1:7400 --keys run/keys --inflight 8 --server-pid $(pidof answerback)
  answerback bench chat --addr 127.0.0.1:7401 --rate 10000 --no-receipts --json      # bare relay

Exit codes: 0 all arrived once and in order, 1 failed, or something was lost, doubled, reordered
or left undecided, 2 wrong usage.";

/// The load.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    load: LoadArguments,
    #[command(flatten)]
    pace: PaceArguments,
    /// Time before measuring.
    #[arg(long, value_name = "TIME", default_value = "2", value_parser = parse_duration)]
    warmup: Duration,
    /// Time of measuring: seconds, or with a unit.
    #[arg(long, visible_alias = "seconds", value_name = "TIME", default_value = "10", value_parser = parse_some_duration)]
    duration: Duration,
    #[command(flatten)]
    output: OutputArguments,
}

/// Who writes to each other, and what.
#[derive(Args)]
pub(super) struct LoadArguments {
    /// Pairs of users.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) pairs: u32,
    /// Bytes of a message, at least 8.
    #[arg(long, value_name = "BYTES", default_value_t = 128)]
    pub(super) size: usize,
    /// How long to wait for stragglers afterwards.
    #[arg(long, value_name = "TIME", default_value = "30", value_parser = parse_duration)]
    pub(super) patience: Duration,
    /// The server gives no receipts (a relay without --receipts).
    #[arg(long)]
    no_receipts: bool,
}

impl LoadArguments {
    /// Logs everybody in; nobody writes yet.
    pub(super) fn log_in(
        &self,
        target: &TargetArguments,
        progress: &Progress,
    ) -> Result<(Engine, ChatLoad), Failure> {
        let users = 2 * self.pairs as usize;
        allow_connections(users)?;
        let mut engine = target.engine()?;
        let mut load = ChatLoad::new(self.pairs as usize, self.size, !self.no_receipts)?;
        let logins = target.users.logins(target.users.bases()?, 0..users)?;
        progress.begin("logging in", users as u64);
        let interval = target.connect_interval();
        engine.log_in(logins, interval, &mut load, |count| progress.set(count as u64))?;
        Ok((engine, load))
    }

    /// Bytes of a payload, as it is sent.
    pub(super) fn payload_bytes(&self) -> usize {
        self.size.max(STAMP_BYTES)
    }

    /// No more is sent; what is under way arrives, or patience ends.
    pub(super) fn drain(&self, engine: &mut Engine, load: &mut ChatLoad) -> Result<(), Failure> {
        load.set_pace(Pace::Stopped);
        let end_ns = engine.now_ns() + nanoseconds(self.patience);
        engine.run(load, |load, now_ns| load.is_settled() || now_ns > end_ns)?;
        engine.reset_all();
        Ok(())
    }
}

/// Measures once.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { target, pace, .. } = arguments;
    let progress = arguments.output.progress()?;
    let mut watch = Watch::new(target)?;
    let (mut engine, mut load) = arguments.load.log_in(target, &progress)?;

    let start_ns = engine.now_ns();
    let from_ns = start_ns + nanoseconds(arguments.warmup);
    let to_ns = from_ns + nanoseconds(arguments.duration);
    load.measure(from_ns..to_ns);
    load.set_pace(pace.pace(start_ns));
    progress.begin("warming up", arguments.warmup.as_secs());
    run_until(&mut engine, &mut load, from_ns, &progress)?;
    watch.begin(&engine)?;
    let before = load.counts.delivered;
    progress.begin("measuring", arguments.duration.as_secs());
    run_until(&mut engine, &mut load, to_ns, &progress)?;
    let messages = load.counts.delivered - before;
    let costs = watch.end(&engine, messages)?;

    arguments.load.drain(&mut engine, &mut load)?;
    progress.clear();
    let report = ChatReport {
        bench: "chat",
        addr: target.addr.to_string(),
        pairs: load.pairs.len(),
        size: arguments.load.payload_bytes(),
        inflight: pace.inflight,
        rate: pace.rate,
        messages,
        costs,
        latencies: ChatLatencies::of(&load),
        judgement: Judgement::of(&load),
    };
    arguments.output.print(&report)?;
    report.judgement.verdict()
}

/// Lets the load go on until then; the bar moves by the second.
pub(super) fn run_until(
    engine: &mut Engine,
    load: &mut ChatLoad,
    end_ns: u64,
    progress: &Progress,
) -> Result<(), Failure> {
    let start_ns = engine.now_ns();
    let mut next_ns = start_ns + TOLD_NS;
    let mut delivered = load.counts.delivered;
    engine.run(load, |load, now_ns| {
        if now_ns >= next_ns {
            progress.set((now_ns - start_ns) / TOLD_NS);
            progress.note(format!("{} messages/s", load.counts.delivered - delivered));
            (next_ns, delivered) = (now_ns + TOLD_NS, load.counts.delivered);
        }
        now_ns >= end_ns
    })
}

/// A duration on the engine's clock.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}
