//! `answerback bench chat`: logs in, warms up, measures, drains, counts.

use std::net::SocketAddr;

use clap::Args;

use super::engine::Engine;
use super::load::{ChatLoad, Counts, Pace, STAMP_BYTES};
use super::progress::Progress;
use super::report::{ChatReport, GeneratorLoad, Latency, ServerCost, hundredths};
use super::users;
use crate::exit::Failure;
use crate::process::{Process, allow_connections, own_cpu_us};

const SECOND_NS: u64 = 1_000_000_000;

const EXAMPLE: &str = "\
Closed loop: each sender keeps --window messages under way; a place comes free when the message
is accepted and the receiver has it. Open loop: --rate messages a second by the clock; latency
counts from the time at which a message was due.

  answerback bench chat --addr 127.0.0.1:7400 --keys run/keys --window 8 --server-pid $(pidof answerback)
  answerback bench chat --addr 127.0.0.1:7401 --rate 10000 --no-receipts --json      # bare relay

Exit codes: 0 all arrived once and in order, 1 failed, or something was lost, doubled, reordered
or left undecided, 2 wrong usage.";

/// The load.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The box, or the relay.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7400")]
    addr: SocketAddr,
    #[command(flatten)]
    users: users::UserArguments,
    /// Pairs of users.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// Bytes of a message, at least 8.
    #[arg(long, value_name = "N", default_value_t = 128)]
    bytes: usize,
    #[command(flatten)]
    pace: PaceArguments,
    /// Seconds before measuring.
    #[arg(long, value_name = "S", default_value_t = 2)]
    warmup: u64,
    /// Seconds of measuring.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Seconds to wait for stragglers afterwards.
    #[arg(long, value_name = "S", default_value_t = 30)]
    drain: u64,
    /// The server's process, whose CPU and memory are read from /proc.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// The server gives no receipts (a relay without --receipts).
    #[arg(long)]
    no_receipts: bool,
    /// Print one JSON line.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct PaceArguments {
    /// Closed loop: messages that each sender keeps under way.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=64))]
    window: Option<u64>,
    /// Open loop: messages a second, of all senders together.
    #[arg(long, value_name = "N", value_parser = parse_rate)]
    rate: Option<f64>,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1e7 => Ok(rate),
        _ => Err("a rate is a number above 0, at most ten million".to_owned()),
    }
}

/// What is read at the two ends of the measured time.
struct Reading {
    at_ns: u64,
    counts: Counts,
    server_cpu_us: Option<u64>,
    own_cpu_us: u64,
    busy_ns: u64,
}

/// Measures once.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let pairs = arguments.pairs as usize;
    allow_connections(2 * pairs)?;
    let server = arguments.server_pid.map(Process::new).transpose()?;
    let mut progress = Progress::new();
    let mut engine = Engine::new(arguments.addr)?;
    let mut load = ChatLoad::new(pairs, arguments.bytes, !arguments.no_receipts)?;
    let logins = arguments.users.logins(arguments.users.bases()?, 0..2 * pairs)?;
    engine.log_in(logins, &mut load, |count| progress.say(&format!("{count} logged in")))?;

    let start_ns = engine.now_ns();
    let from_ns = start_ns + arguments.warmup * SECOND_NS;
    let to_ns = from_ns + arguments.seconds * SECOND_NS;
    load.measure(from_ns..to_ns);
    load.set_pace(arguments.pace.pace(start_ns));
    let is_spinning = arguments.pace.rate.is_some();
    run_until(&mut engine, &mut load, is_spinning, from_ns, &mut progress)?;
    let first = reading(&engine, &load, server)?;
    run_until(&mut engine, &mut load, is_spinning, to_ns, &mut progress)?;
    let last = reading(&engine, &load, server)?;
    let rss_bytes = server.map(Process::memory).transpose()?.map(|memory| memory.resident);

    load.set_pace(Pace::Stopped);
    let drained_ns = to_ns + arguments.drain * SECOND_NS;
    engine.run(&mut load, false, |load, now_ns| load.is_settled() || now_ns > drained_ns)?;
    engine.reset_all();
    progress.clear();
    finish(arguments, &report(arguments, &load, &first, &last, rss_bytes))
}

impl PaceArguments {
    fn pace(&self, from_ns: u64) -> Pace {
        match (self.window, self.rate) {
            (Some(window), _) => Pace::Window(window),
            (_, Some(per_second)) => Pace::Rate { per_second, from_ns },
            (None, None) => Pace::Stopped,
        }
    }
}

fn run_until(
    engine: &mut Engine,
    load: &mut ChatLoad,
    is_spinning: bool,
    end_ns: u64,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mut next_ns = engine.now_ns() + SECOND_NS;
    let mut delivered = load.counts.delivered;
    engine.run(load, is_spinning, |load, now_ns| {
        if now_ns >= next_ns {
            let rate = load.counts.delivered - delivered;
            let left_s = end_ns.saturating_sub(now_ns) / SECOND_NS;
            progress.say(&format!("{rate} messages/s, {left_s} s left"));
            (next_ns, delivered) = (now_ns + SECOND_NS, load.counts.delivered);
        }
        now_ns >= end_ns
    })
}

fn reading(engine: &Engine, load: &ChatLoad, server: Option<Process>) -> Result<Reading, Failure> {
    Ok(Reading {
        at_ns: engine.now_ns(),
        counts: load.counts,
        server_cpu_us: server.map(Process::cpu_us).transpose()?,
        own_cpu_us: own_cpu_us(),
        busy_ns: engine.busy_ns(),
    })
}

fn report(
    arguments: &Arguments,
    load: &ChatLoad,
    first: &Reading,
    last: &Reading,
    rss_bytes: Option<u64>,
) -> ChatReport {
    let elapsed_ns = (last.at_ns - first.at_ns) as f64;
    let messages = last.counts.delivered - first.counts.delivered;
    let cpu_us = last.server_cpu_us.zip(first.server_cpu_us).map(|(last, first)| last - first);
    let server = cpu_us.zip(rss_bytes).map(|(cpu_us, rss_bytes)| ServerCost {
        cpu_us_per_message: hundredths(cpu_us as f64 / messages.max(1) as f64),
        cpu_share: hundredths(cpu_us as f64 * 1000.0 / elapsed_ns),
        rss_bytes,
    });
    let own_share = (last.own_cpu_us - first.own_cpu_us) as f64 * 1000.0 / elapsed_ns;
    let busy_share = (last.busy_ns - first.busy_ns) as f64 / elapsed_ns;
    let sum = |of: fn(&super::pair::Pair) -> u64| load.pairs.iter().map(of).sum::<u64>();
    let counts = load.counts;
    ChatReport {
        bench: "chat",
        addr: arguments.addr.to_string(),
        pairs: load.pairs.len(),
        bytes: arguments.bytes.max(STAMP_BYTES),
        window: arguments.pace.window,
        rate: arguments.pace.rate,
        seconds: hundredths(elapsed_ns / SECOND_NS as f64),
        messages,
        messages_per_second: (messages as f64 * SECOND_NS as f64 / elapsed_ns).round(),
        accepted: Latency::of(&load.latencies.accepted),
        delivered: Latency::of(&load.latencies.delivered),
        receipt: Latency::of(&load.latencies.receipted),
        server,
        generator: GeneratorLoad::new(own_share, busy_share, arguments.pace.rate.is_some()),
        generated: counts.generated,
        undecided: sum(|pair| pair.sending.generated - pair.sending.accepted),
        failed: counts.failed,
        refused: counts.refused,
        out_of_order: counts.out_of_order,
        lost: sum(super::pair::Pair::lost).saturating_sub(counts.failed),
        doubled: sum(|pair| pair.received.doubled),
        reordered: sum(|pair| pair.received.reordered),
    }
}

fn finish(arguments: &Arguments, report: &ChatReport) -> Result<(), Failure> {
    if arguments.json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        println!("{report}");
    }
    if report.is_faultless() {
        return Ok(());
    }
    let ChatReport { lost, doubled, reordered, undecided, failed, .. } = report;
    Err(Failure::new(format_args!(
        "{lost} lost, {doubled} doubled, {reordered} reordered, {undecided} undecided, {failed} failed"
    )))
}
