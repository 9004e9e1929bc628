//! `answerback bench soak`: a chat for a long time, looked at now and then. What should be
//! flat is judged at the end: memory, descriptors, disk, the tail of the latencies.

mod drift;
mod plot;
mod sample;

use std::fmt::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::arguments::{
    OutputArguments, PaceArguments, TargetArguments, parse_duration, parse_some_duration,
};
use super::chat::report::{ChatLatencies, Judgement};
use super::chat::{LoadArguments, nanoseconds, run_until};
use super::figures::{hundredths, time};
use super::watch::Watch;
use crate::exit::Failure;
use drift::{Drift, drifts};
use sample::Sample;

const SECOND_NS: f64 = 1e9;

const EXAMPLE: &str = "\
A line for each --every of the time, with the latencies of that time alone, and at the end what
grew: medians of the last quarter against those of the second, the first being what a server
takes to fill its caches. With --json a line for each sample and one for the verdict.

  answerback bench soak --rate 50000 --duration 1h --every 10s --keys run/keys \\
      --server-pid $(pidof answerback) --server-data run/data --plot soak.svg

Exit codes: 0 all arrived once and in order, 1 failed, or something was lost, doubled, reordered
or left undecided, 2 wrong usage. What grew is said, and is no failure: how much is too much is
for who reads it.";

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
    /// Time before the first sample begins.
    #[arg(long, value_name = "TIME", default_value = "10", value_parser = parse_duration)]
    warmup: Duration,
    /// Time of measuring: seconds, or with a unit.
    #[arg(long, visible_alias = "seconds", value_name = "TIME", default_value = "1h", value_parser = parse_some_duration)]
    duration: Duration,
    /// Time of a sample.
    #[arg(long, value_name = "TIME", default_value = "10", value_parser = parse_some_duration)]
    every: Duration,
    /// Draw the samples into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Measures until the time is over.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { target, pace, output, .. } = arguments;
    let progress = output.progress()?;
    let mut watch = Watch::new(target)?;
    let (mut engine, mut load) = arguments.load.log_in(target, &progress)?;

    let start_ns = engine.now_ns();
    let from_ns = start_ns + nanoseconds(arguments.warmup);
    let to_ns = from_ns + nanoseconds(arguments.duration);
    load.measure(from_ns..to_ns);
    load.set_pace(pace.pace(start_ns));
    progress.begin("warming up", arguments.warmup.as_secs());
    run_until(&mut engine, &mut load, from_ns, &progress)?;
    if !output.json {
        progress.say(&Sample::heads());
    }
    progress.begin("sampling", arguments.every.as_secs());
    let mut samples = Vec::new();
    let mut end_ns = from_ns;
    while end_ns < to_ns {
        end_ns = to_ns.min(end_ns + nanoseconds(arguments.every));
        watch.begin(&engine)?;
        let before = load.counts.delivered;
        run_until(&mut engine, &mut load, end_ns, &progress)?;
        let messages = load.counts.delivered - before;
        let (costs, latencies) = (watch.end(&engine, messages)?, ChatLatencies::of(&load));
        let at_s = hundredths((engine.now_ns() - from_ns) as f64 / SECOND_NS);
        let sample = Sample::new(at_s, messages, &costs, latencies, watch.extent()?);
        progress.say(&match output.json {
            true => serde_json::to_string(&sample)?,
            false => sample.to_string(),
        });
        samples.push(sample);
        load.latencies.clear();
    }
    arguments.load.drain(&mut engine, &mut load)?;
    progress.clear();
    let report = SoakReport {
        bench: "soak",
        verdict: true,
        addr: target.addr.to_string(),
        seconds: hundredths(arguments.duration.as_secs_f64()),
        samples: samples.len(),
        messages: samples.iter().map(|sample| sample.messages).sum(),
        p99_us_worst: samples.iter().filter_map(Sample::p99_us).fold(0.0, f64::max),
        drifts: drifts(&samples),
        judgement: Judgement::of(&load),
    };
    if let Some(path) = &arguments.plot {
        plot::draw(path, &samples)?;
    }
    output.print(&report)?;
    report.judgement.verdict()
}

/// What `bench soak` found out.
#[derive(Clone, Debug, Serialize)]
struct SoakReport {
    bench: &'static str,
    /// This line is no sample.
    verdict: bool,
    addr: String,
    seconds: f64,
    samples: usize,
    messages: u64,
    /// The greatest p99 of accepted that a sample had.
    p99_us_worst: f64,
    drifts: Vec<Drift>,
    #[serde(flatten)]
    judgement: Judgement,
}

impl fmt::Display for SoakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let worst = time(self.p99_us_worst);
        writeln!(text, "soak at {}: {} s, worst p99 {worst}", self.addr, self.seconds)?;
        if self.drifts.is_empty() {
            writeln!(text, "  too few samples to say what grew")?;
        }
        for drift in &self.drifts {
            writeln!(text, "{drift}")?;
        }
        write!(f, "{text}{}", self.judgement)
    }
}
