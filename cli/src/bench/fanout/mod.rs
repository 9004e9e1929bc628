//! `answerback bench fanout`: groups in which one member writes and all others read.

mod load;
mod report;

use std::time::Duration;

use clap::Args;

use super::arguments::{OutputArguments, TargetArguments, parse_duration, parse_some_duration};
use super::chat::nanoseconds;
use super::engine::Engine;
use super::idle::Idle;
use super::latency::Latency;
use super::progress::Progress;
use super::watch::Watch;
use crate::exit::Failure;
use crate::process::allow_connections;
use load::{FanoutLoad, Plan};
use report::FanoutReport;

const EXAMPLE: &str = "\
Each group's first member keeps --inflight messages under way; a place comes free when one is accepted
and all others have it. Costs are those of a delivery: one member who got one message.

With --away the others log in once, so that they exist, and leave: what the box's disk grows by for each
message then stands in the report, where --server-data names its directory.

  answerback bench fanout --groups 10 --members 100 --keys run/keys --server-pid $(pidof answerback)
  answerback bench fanout --groups 1 --members 1024 --keys run/keys --server-pid $(pidof answerback)
  answerback bench fanout --groups 1 --members 1024 --away --msgs 500 --size 4096 --keys run/keys \\
      --server-data run/data

Exit codes: 0 all members got all once and in order, 1 failed, or something was lost, doubled or
reordered, 2 wrong usage.";

/// The load.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Groups.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    groups: u32,
    /// Members of each.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=1024))]
    members: u32,
    /// Messages that each sender keeps under way.
    #[arg(long, visible_alias = "window", value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=64))]
    inflight: u64,
    /// Bytes of a message.
    #[arg(long, value_name = "BYTES", default_value_t = 128)]
    size: usize,
    /// All but the senders are away.
    #[arg(long)]
    away: bool,
    /// Messages of each sender, in place of a time.
    #[arg(long, value_name = "N", required_if_eq("away", "true"))]
    msgs: Option<u64>,
    /// Time before measuring.
    #[arg(long, value_name = "TIME", default_value = "2", value_parser = parse_duration)]
    warmup: Duration,
    /// Time of measuring.
    #[arg(long, visible_alias = "seconds", value_name = "TIME", default_value = "10", value_parser = parse_some_duration)]
    duration: Duration,
    /// How long to wait for stragglers afterwards.
    #[arg(long, value_name = "TIME", default_value = "30", value_parser = parse_duration)]
    patience: Duration,
    #[command(flatten)]
    output: OutputArguments,
}

/// Measures once.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = Plan {
        groups: arguments.groups as usize,
        members: arguments.members as usize,
        window: arguments.inflight,
        messages: arguments.msgs,
        is_away: arguments.away,
    };
    allow_connections(plan.users())?;
    let progress = arguments.output.progress()?;
    let mut watch = Watch::new(&arguments.target)?;
    let (mut engine, mut load) = log_in(arguments, plan, &progress)?;

    progress.begin("groups", plan.groups as u64);
    run_until(arguments, &mut engine, &mut load, FanoutLoad::is_told)?;
    load.start();
    let from_ns = engine.now_ns() + nanoseconds(arguments.warmup);
    if plan.messages.is_none() {
        progress.begin("warming up", arguments.warmup.as_secs());
        engine.run(&mut load, |_, now_ns| now_ns >= from_ns)?;
    }
    watch.begin(&engine)?;
    let before = load.counts;
    progress.begin("measuring", arguments.duration.as_secs());
    match plan.messages {
        Some(_) => run_until(arguments, &mut engine, &mut load, FanoutLoad::is_settled)?,
        None => {
            let to_ns = engine.now_ns() + nanoseconds(arguments.duration);
            engine.run(&mut load, |_, now_ns| now_ns >= to_ns)?;
        }
    }
    let deliveries = load.counts.deliveries - before.deliveries;
    let messages = load.counts.accepted - before.accepted;
    let costs = watch.end(&engine, if plan.is_away { messages } else { deliveries })?;
    load.stop();
    run_until(arguments, &mut engine, &mut load, FanoutLoad::is_settled)?;
    engine.reset_all();
    progress.clear();
    let report = FanoutReport {
        bench: "fanout",
        addr: arguments.target.addr.to_string(),
        groups: plan.groups,
        members: plan.members,
        size: arguments.size,
        inflight: plan.window,
        is_away: plan.is_away,
        messages,
        deliveries,
        costs,
        accepted: Latency::of(&load.accepted),
        delivered: Latency::of(&load.delivered),
        lost: load.lost(),
        doubled: load.counts.doubled,
        refused: load.counts.refused,
    };
    arguments.output.print(&report)?;
    report.verdict()
}

/// Logs everybody in, or the senders alone once the others have been there.
fn log_in(
    arguments: &Arguments,
    plan: Plan,
    progress: &Progress,
) -> Result<(Engine, FanoutLoad), Failure> {
    let (target, interval) = (&arguments.target, arguments.target.connect_interval());
    let bases = target.users.bases()?;
    let all = target.users.logins(bases, 0..plan.users())?;
    progress.begin("logging in", plan.users() as u64);
    if plan.is_away {
        let mut engine = target.engine()?;
        engine.log_in(all, interval, &mut Idle, |count| progress.set(count as u64))?;
        engine.reset_all();
    }
    let connected = if plan.is_away { plan.groups } else { plan.users() };
    let logins = (0..connected).map(|at| plan.user_of(at));
    let issuer = target.users.issuer(bases)?;
    let logins = logins.map(|user| issuer.login(user)).collect::<Result<Vec<_>, _>>()?;
    let mut engine = target.engine()?;
    let mut load = FanoutLoad::new(plan, bases.user, arguments.size)?;
    engine.log_in(logins, interval, &mut load, |count| progress.set(count as u64))?;
    Ok((engine, load))
}

/// Until something holds, or patience ends.
fn run_until(
    arguments: &Arguments,
    engine: &mut Engine,
    load: &mut FanoutLoad,
    holds: impl Fn(&FanoutLoad) -> bool,
) -> Result<(), Failure> {
    let (patience_ns, mut last) = (nanoseconds(arguments.patience), (0, engine.now_ns()));
    engine.run(load, |load, now_ns| {
        let moved = load.counts.accepted + load.counts.deliveries + load.counts.told;
        if moved != last.0 {
            last = (moved, now_ns);
        }
        holds(load) || now_ns - last.1 > patience_ns
    })
}
