//! `answerback repair`: what only a person may decide about damaged data.

mod export;
mod skip;

use std::path::PathBuf;

use answerback_proto::id::PartitionId;
use answerback_store::Store;
use clap::Args;

use super::data::open_existing;
use crate::exit::Failure;

const EXAMPLE: &str = "\
Without more it lists the partitions that are out of service, each with the record of its
journal that cannot be applied. The box must be stopped; keep a copy of the directory first.

  cp -a run/data run/data.damaged
  answerback repair --data run/data

--partition has that record skipped: it is written to DIR/repair-PARTITION-OFFSET.json, then
applied as a rejection. A message among such records fails, and its sender is told; what stands
behind it in the journal goes on.

  answerback repair --data run/data --partition 3

A box refuses to start where its journal lacks records that were acknowledged: restoring a
backup may bring more back than starting without them. --accept-loss lets it start with what is
there and begins a new generation, so that every device asks for its inbox anew and sends again
what it does not know as delivered.

  answerback repair --data run/data --accept-loss

Exit codes: 0 all partitions are in service, or it is repaired; 1 there is something to repair,
or the data is in use or cannot be read; 2 wrong usage.";

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
#[group(multiple = false)]
struct Cure {
    /// Skip the record that keeps this partition out of service.
    #[arg(long, value_name = "N")]
    partition: Option<u16>,
    /// Start without acknowledged records that the disk lost.
    #[arg(long)]
    accept_loss: bool,
}

/// Looks, or repairs.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.cure {
        Cure { accept_loss: true, .. } => accept_loss(arguments),
        Cure { partition: Some(number), .. } => {
            let store = open_existing(&arguments.data)?;
            skip::skip_record(&arguments.data, &store, PartitionId(*number))
        }
        Cure { partition: None, .. } => skip::list_broken(&open_existing(&arguments.data)?),
    }
}

fn accept_loss(arguments: &Arguments) -> Result<(), Failure> {
    let generation = Store::accept_loss(&arguments.data)?;
    println!(
        "generation {generation} begins; start the box, and its devices resend what they have"
    );
    Ok(())
}
