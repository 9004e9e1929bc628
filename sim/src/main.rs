//! `answerback-sim [--seeds N] [--first N] [--cores N] [--steps N] [--threads N] [--trace]`:
//! runs worlds, stops at the first broken promise and says how to see it again.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use answerback_sim::{Breach, Settings, World};

const USAGE: &str = "usage: answerback-sim [--seeds N] [--first N] [--cores N] [--steps N] \
                     [--threads N] [--trace]";
/// Progress is told this often.
const SEEDS_PER_LINE: u64 = 1_000;

struct Arguments {
    seeds: u64,
    first: u64,
    threads: u64,
    settings: Settings,
}

/// What all threads have come to.
#[derive(Default)]
struct Progress {
    taken: AtomicU64,
    done: AtomicU64,
    steps: AtomicU64,
    failed: Mutex<Option<(u64, Breach)>>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let (progress, started) = (Progress::default(), now());
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| run_worlds(&arguments, &progress, started));
        }
    });
    let failed = progress.failed.lock().map(|mut failed| failed.take()).unwrap_or_default();
    let Some((seed, breach)) = failed else {
        tell_progress(&progress, started);
        println!("nothing lost, doubled, out of order or left without an outcome");
        return ExitCode::SUCCESS;
    };
    let cores = arguments.settings.cores;
    eprintln!("seed {seed}, {cores} cores: {breach}");
    eprintln!("again: make simulate SEED={seed} CORES={cores}");
    ExitCode::FAILURE
}

fn run_worlds(arguments: &Arguments, progress: &Progress, started: Instant) {
    loop {
        let taken = progress.taken.fetch_add(1, Ordering::Relaxed);
        if taken >= arguments.seeds {
            return;
        }
        let seed = arguments.first + taken;
        match World::new(seed, arguments.settings).run() {
            Ok(outcome) => {
                progress.steps.fetch_add(u64::from(outcome.steps), Ordering::Relaxed);
                let done = progress.done.fetch_add(1, Ordering::Relaxed) + 1;
                if done.is_multiple_of(SEEDS_PER_LINE) {
                    tell_progress(progress, started);
                }
            }
            Err(breach) => {
                progress.taken.store(arguments.seeds, Ordering::Relaxed);
                if let Ok(mut failed) = progress.failed.lock() {
                    failed.get_or_insert((seed, breach));
                }
                return;
            }
        }
    }
}

fn tell_progress(progress: &Progress, started: Instant) {
    let seconds = now().duration_since(started).as_secs_f64().max(0.001);
    let (done, steps) =
        (progress.done.load(Ordering::Relaxed), progress.steps.load(Ordering::Relaxed));
    println!(
        "{done} seeds, {steps} steps, {seconds:.1} s, {:.0} steps a second",
        steps as f64 / seconds
    );
}

#[expect(clippy::disallowed_methods, reason = "tells how fast worlds run, and decides nothing")]
fn now() -> Instant {
    Instant::now()
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let settings = Settings::default();
    let mut arguments = Arguments { seeds: 100, first: 0, threads: threads(), settings };
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64, String> {
            let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
            value.parse().map_err(|_| format!("{word} needs a number, not {value}"))
        };
        match word.as_str() {
            "--seeds" => arguments.seeds = number()?,
            "--first" => arguments.first = number()?,
            "--cores" => arguments.settings.cores = number()?.clamp(1, 4) as u16,
            "--steps" => arguments.settings.steps = number()?.min(10_000_000) as u32,
            "--threads" => arguments.threads = number()?.clamp(1, 256),
            "--trace" => arguments.settings.is_traced = true,
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    Ok(arguments)
}

fn threads() -> u64 {
    std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64)
}
