//! `answerback status`: how a running box is.

use std::path::PathBuf;

use clap::Args;

use crate::control::{Request, Status, ask};
use crate::exit::Failure;

const EXAMPLE: &str = "\
Asks the box through DIR/control.sock, which only the user that runs it may open.

  answerback status --data run/data
  answerback status --data run/data --json

Exit codes: 0 it runs, 1 nobody serves the directory, or it cannot be asked.";

/// Which box.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory of the box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print one JSON line.
    #[arg(long)]
    json: bool,
}

/// Asks, and prints.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Some(answer) = ask(&arguments.data, &Request::Status {})? else {
        let data = arguments.data.display();
        return Err(Failure::new(format_args!(
            "no box serves {data}; `answerback serve --data {data}` starts one"
        )));
    };
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let Status { version, process, listen, partitions, cores, generation, restored_ms, uptime_s } =
        serde_json::from_value(answer)?;
    println!("answerback {version}, process {process}, listens on {listen}");
    println!("{partitions} partitions on {cores} cores, generation {generation}");
    println!("up for {uptime_s} s, restored in {restored_ms} ms");
    Ok(())
}
