//! `answerback repair`: what only a person may decide about damaged data.

use std::path::PathBuf;

use answerback_store::Store;
use clap::Args;

use crate::exit::Failure;

const EXAMPLE: &str = "\
A box refuses to start where its journal lacks records that were acknowledged: restoring a
backup may bring more back than starting without them. --accept-loss lets it start with what is
there and begins a new generation, so that every device asks for its inbox anew and sends again
what it does not know as delivered. Keep a copy of the directory first; the box must be stopped.

  cp -a run/data run/data.damaged
  answerback repair --data run/data --accept-loss

Exit codes: 0 done, 1 the data is in use or cannot be read, 2 wrong usage.";

/// What of which directory.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory of a stopped box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    cure: Cure,
}

/// What to do.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Cure {
    /// Start without acknowledged records that the disk lost.
    #[arg(long)]
    accept_loss: bool,
}

/// Repairs.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.cure.accept_loss {
        let generation = Store::accept_loss(&arguments.data)?;
        println!(
            "generation {generation} begins; start the box, and its devices resend what they have"
        );
    }
    Ok(())
}
