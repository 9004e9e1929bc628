//! `answerback backup`: all that a box has committed, in a directory of its own.

use std::path::{self, PathBuf};

use clap::Args;

use super::data::open_existing;
use crate::control::{Request, ask};
use crate::exit::Failure;

const EXAMPLE: &str = "\
A box that runs makes it and goes on; the data of one that is stopped is opened. On the disk
of the box it takes no room at first: files that do not change are linked. The directory is
whole or not there. What was committed later is in no backup, and of a deleted message it may
keep the bytes: how long, is for whoever keeps it.

  answerback backup --data run/data --to backups/monday
  answerback restore --backup backups/monday --data run/data.new

Exit codes: 0 it is there, 1 failed, and nothing is there.";

/// Of what, and where to.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory of the box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The backup's directory: a new or an empty one.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Asks the box, or opens its data.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    // The box has another working directory.
    let to = path::absolute(&arguments.to)?;
    if ask(&arguments.data, &Request::Backup { to: to.clone() })?.is_none() {
        open_existing(&arguments.data)?.backup(&to)?;
    }
    println!("a backup of {} is in {}", arguments.data.display(), to.display());
    Ok(())
}
