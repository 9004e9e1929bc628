//! `answerback bench offline`: users are away while others write to them; later, in a run of
//! its own, they all come back and take what waits.

mod draining;
mod plan;
mod report;
mod stamp;
mod storing;

use std::time::Duration;

use clap::Args;

use super::arguments::{OutputArguments, TargetArguments, parse_duration};
use super::chat::nanoseconds;
use super::costs::Costs;
use super::engine::Engine;
use super::idle::Idle;
use super::latency::Latency;
use super::progress::Progress;
use super::users::Bases;
use super::watch::Watch;
use crate::exit::Failure;
use crate::process::allow_connections;
use draining::DrainingLoad;
use plan::{Plan, SENDERS_MIN};
use report::{DrainReport, StoreReport};
use storing::StoringLoad;

const SECOND_NS: u64 = 1_000_000_000;

const EXAMPLE: &str = "\
The recipients log in once, so that they exist, and leave. Then the senders write to all of them
in turn, each with --inflight messages under way; a place comes free when one is accepted. The
report names the bases of the users' ids.

With --drain, the same bases and the same counts, the recipients come back at once, with all
the credit that there is, and every message is looked for by its sender and number. Between the
two the box may be killed and started again.

  answerback bench offline --msgs 200000 --keys run/keys --server-pid $(pidof answerback)
  answerback bench offline --msgs 200000 --keys run/keys --user-base 7 --device-base 9
  answerback bench offline --msgs 200000 --keys run/keys --user-base 7 --device-base 9 --drain

What a message costs between users who are there, while others' wait on the box:

  answerback bench offline --msgs 5000000 --keys run/keys
  answerback bench chat --inflight 8 --keys run/keys --server-pid $(pidof answerback)

`tools/offline` does all of it, with a kill in between.

Exit codes: 0 all accepted, or all came once and in order, 1 failed, or something was lost,
doubled, reordered or damaged, 2 wrong usage.";

/// The load.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Users who write, a connection each.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(i64::from(SENDERS_MIN)..=1000))]
    senders: u32,
    /// Users who are away, and of whom each has a connection when they drain.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    recipients: u32,
    /// Messages, all together.
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    msgs: u64,
    /// Bytes of a message, at least 16.
    #[arg(long, value_name = "BYTES", default_value_t = 128)]
    size: usize,
    /// Messages that each sender keeps under way.
    #[arg(long, visible_alias = "window", value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=4096))]
    inflight: u64,
    /// The recipients come back and take what waits.
    #[arg(long, requires_all = ["user_base", "device_base"])]
    drain: bool,
    /// Give up when nothing came for so long.
    #[arg(long, value_name = "TIME", default_value = "30", value_parser = parse_duration)]
    patience: Duration,
    #[command(flatten)]
    output: OutputArguments,
}

/// Measures once.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = Plan {
        senders: arguments.senders as usize,
        recipients: arguments.recipients as usize,
        messages: arguments.msgs,
    };
    allow_connections(plan.recipients.max(plan.senders))?;
    let bases = arguments.target.users.bases()?;
    match arguments.drain {
        false => store(arguments, plan, bases),
        true => drain(arguments, plan, bases),
    }
}

fn store(arguments: &Arguments, plan: Plan, bases: Bases) -> Result<(), Failure> {
    let progress = arguments.output.progress()?;
    let interval = arguments.target.connect_interval();
    let mut watch = Watch::new(&arguments.target)?;
    let mut engine = arguments.target.engine()?;
    let recipients = arguments.target.users.logins(bases, plan.recipient_users())?;
    progress.begin("users", plan.recipients as u64);
    engine.log_in(recipients, interval, &mut Idle, |count| progress.set(count as u64))?;
    engine.reset_all();

    let mut engine = arguments.target.engine()?;
    let mut load = StoringLoad::new(plan, bases.user, arguments.size, arguments.inflight)?;
    let senders = arguments.target.users.logins(bases, plan.sender_users())?;
    progress.begin("senders", plan.senders as u64);
    engine.log_in(senders, interval, &mut load, |count| progress.set(count as u64))?;
    watch.begin(&engine)?;
    load.start();
    progress.begin("storing", arguments.msgs);
    let mut pace = Pace::new(arguments, &engine);
    engine.run(&mut load, |load, now_ns| {
        load.is_settled() || pace.is_stuck(now_ns, load.decided(), &progress)
    })?;
    let costs = watch.end(&engine, load.counts.accepted)?;
    engine.reset_all();
    progress.clear();
    let report = store_report(arguments, bases, &load, costs);
    arguments.output.print(&report)?;
    report.verdict(load.counts.last_code)
}

fn store_report(
    arguments: &Arguments,
    bases: Bases,
    load: &StoringLoad,
    costs: Costs,
) -> StoreReport {
    StoreReport {
        bench: "offline",
        half: "store",
        addr: arguments.target.addr.to_string(),
        user_base: bases.user.to_string(),
        device_base: bases.device.to_string(),
        senders: arguments.senders,
        recipients: arguments.recipients,
        size: arguments.size.max(stamp::BYTES),
        inflight: arguments.inflight,
        messages: load.counts.accepted,
        accepted: Latency::of(&load.accepted),
        costs,
        failed: load.counts.failed,
        refused: load.counts.refused,
        out_of_order: load.counts.out_of_order,
        undecided: arguments.msgs - load.decided(),
    }
}

fn drain(arguments: &Arguments, plan: Plan, bases: Bases) -> Result<(), Failure> {
    let progress = arguments.output.progress()?;
    let interval = arguments.target.connect_interval();
    let mut watch = Watch::new(&arguments.target)?;
    let mut engine = arguments.target.engine()?;
    let mut load = DrainingLoad::new(plan, bases.user);
    let recipients = arguments.target.users.logins(bases, plan.recipient_users())?;
    watch.begin(&engine)?;
    progress.begin("coming back", plan.recipients as u64);
    engine.log_in(recipients, interval, &mut load, |count| progress.set(count as u64))?;
    progress.begin("draining", arguments.msgs);
    let mut pace = Pace::new(arguments, &engine);
    engine.run(&mut load, |load, now_ns| {
        load.is_settled() || pace.is_stuck(now_ns, load.counts.received, &progress)
    })?;
    let costs = watch.end(&engine, load.counts.received)?;
    engine.reset_all();
    progress.clear();
    let report = drain_report(arguments, &load, costs);
    arguments.output.print(&report)?;
    report.verdict()
}

fn drain_report(arguments: &Arguments, load: &DrainingLoad, costs: Costs) -> DrainReport {
    DrainReport {
        bench: "offline",
        half: "drain",
        addr: arguments.target.addr.to_string(),
        senders: arguments.senders,
        recipients: arguments.recipients,
        pending: load.counts.pending,
        messages: load.counts.received,
        costs,
        lost: arguments.msgs.saturating_sub(load.counts.received),
        doubled: load.sum(|received| received.doubled),
        reordered: load.sum(|received| received.reordered),
        damaged: load.counts.damaged,
        unfinished: arguments.recipients as usize - load.counts.through,
    }
}

/// What the terminal is told every second, and when to give up.
struct Pace {
    patience_ns: u64,
    done: u64,
    changed_ns: u64,
    told: u64,
    tell_ns: u64,
}

impl Pace {
    fn new(arguments: &Arguments, engine: &Engine) -> Self {
        let now_ns = engine.now_ns();
        Self {
            patience_ns: nanoseconds(arguments.patience),
            done: 0,
            changed_ns: now_ns,
            told: 0,
            tell_ns: now_ns + SECOND_NS,
        }
    }

    fn is_stuck(&mut self, now_ns: u64, done: u64, progress: &Progress) -> bool {
        if done != self.done {
            (self.done, self.changed_ns) = (done, now_ns);
        }
        if now_ns >= self.tell_ns {
            progress.set(done);
            progress.note(format!("{} messages/s", done - self.told));
            (self.told, self.tell_ns) = (done, now_ns + SECOND_NS);
        }
        now_ns - self.changed_ns > self.patience_ns
    }
}
