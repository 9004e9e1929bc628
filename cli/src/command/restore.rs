//! `answerback restore`: a new data directory from a backup.

use std::path::PathBuf;

use clap::Args;

use crate::exit::Failure;

const EXAMPLE: &str = "\
The backup stays as it is. A restored box begins a new generation: its devices ask for their
inboxes anew, drop what they have, and miss nothing that the box has or gets.

What was accepted after the backup is not in it. A sender's device has it still, until it knows
of the delivery, and sends it again with its next message of that chat. It is lost where that
device does not come back, and what was delivered meanwhile is on no second device of its user.

Never let two boxes of one backup serve the same users.

  answerback restore --backup backups/monday --data run/data.new
  answerback serve --data run/data.new --jwks run/keys/jwks.json

Exit codes: 0 done, 1 failed, and nothing is there.";

/// From what, and where to.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The backup's directory.
    #[arg(long, value_name = "DIR")]
    backup: PathBuf,
    /// The data directory: a new or an empty one.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Restores.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let generation = answerback_store::restore(&arguments.backup, &arguments.data)?;
    let data = arguments.data.display();
    println!("generation {generation} begins; start the box with `answerback serve --data {data}`");
    Ok(())
}
