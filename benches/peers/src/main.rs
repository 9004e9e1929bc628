//! Answerback and what one would take instead, given the same job on the same machine.
//!
//! ```text
//! run:  for each round, job, peer:   server/  starts it, bound to processor 0
//!                                    job/     drives engine/ and protocol/ on processor 1
//!                                    outcome  one JSON line
//!       then                         table, plot
//! ```

mod clock;
mod engine;
mod job;
mod outcome;
mod peer;
mod plot;
mod process;
mod protocol;
mod run;
mod server;
mod stamp;
mod statistics;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use outcome::Results;

const EXAMPLES: &str = "\
  benches/peers/run                            all, as `make peers` does it: about 20 minutes
  benches/peers/run --quick                    one short round of all: about 5 minutes
  benches/peers/run --jobs window-8 --peers relay,answerback,redis-always
  answerback-peers table results.jsonl         the tables again
  answerback-peers plot results.jsonl --svg docs/peers.svg

benches/peers/README.md says what each job is and what the figures do not say.";

/// Gives Answerback and other messaging servers the same job, and compares them
#[derive(Parser)]
#[command(after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure: starts each server by itself, prints tables
    Run(Box<run::Arguments>),
    /// Make the tables of results again
    Table {
        /// What runs have written
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Draw results
    Plot {
        /// What runs have written
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Where the picture goes
        #[arg(long, value_name = "FILE")]
        svg: PathBuf,
    },
}

fn main() -> ExitCode {
    match obey(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn obey(command: Command) -> Result<()> {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Table { files } => {
            print!("{}", table::tables(&Results::read(&files)?));
            Ok(())
        }
        Command::Plot { files, svg } => plot::write(&Results::read(&files)?, &svg),
    }
}
