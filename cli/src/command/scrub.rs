//! `answerback scrub`: reads all that a box has on its disk, to find damage early.

use std::path::PathBuf;

use clap::Args;

use super::data::open_existing;
use crate::control::{Damages, Request, ask};
use crate::exit::Failure;

const EXAMPLE: &str = "\
Reads every row of every table and the journal of every partition, and checks their checksums.
A box that runs does it and goes on; the data of one that is stopped is opened. Prints a line for
each table and partition that is damaged.

  answerback scrub --data run/data
  answerback scrub --data run/data --json

Exit codes: 0 all can be read, 1 something is damaged, or the data cannot be opened.";

/// Of what.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print one JSON line.
    #[arg(long)]
    json: bool,
}

/// Asks the box, or opens its data.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let damages: Damages = match ask(&arguments.data, &Request::Scrub {})? {
        Some(answer) => serde_json::from_value(answer)?,
        None => Damages::of(&open_existing(&arguments.data)?),
    };
    if arguments.json {
        println!("{}", serde_json::to_string(&damages)?);
    } else {
        damages.damages.iter().for_each(|damage| println!("{damage}"));
    }
    match damages.damages.len() {
        0 => Ok(()),
        count => Err(Failure::new(format_args!(
            "{count} tables or partitions are damaged: keep a copy, then restore a backup"
        ))),
    }
}
