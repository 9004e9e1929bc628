//! `answerback-sim [--seeds N] [--first N] [--cores N] [--steps N] [--trace]`: runs worlds,
//! stops at the first broken promise and says how to see it again.

use std::process::ExitCode;

use answerback_sim::{Settings, World};

struct Arguments {
    seeds: u64,
    first: u64,
    settings: Settings,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}");
            eprintln!(
                "usage: answerback-sim [--seeds N] [--first N] [--cores N] [--steps N] [--trace]"
            );
            return ExitCode::from(2);
        }
    };
    let Arguments { seeds, first, settings } = arguments;
    let mut steps = 0;
    for seed in first..first + seeds {
        match World::new(seed, settings).run() {
            Ok(outcome) => steps += u64::from(outcome.steps),
            Err(breach) => {
                eprintln!("seed {seed}, {} cores: {breach}", settings.cores);
                eprintln!(
                    "again: answerback-sim --first {seed} --seeds 1 --cores {} --trace",
                    settings.cores
                );
                return ExitCode::FAILURE;
            }
        }
        if seed % 100 == 99 {
            eprintln!("{} seeds", seed + 1 - first);
        }
    }
    println!("{seeds} seeds, {steps} steps, nothing lost, doubled or out of order");
    ExitCode::SUCCESS
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { seeds: 100, first: 0, settings: Settings::default() };
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
            "--trace" => arguments.settings.is_traced = true,
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    Ok(arguments)
}
