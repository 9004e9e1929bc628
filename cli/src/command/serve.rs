//! `answerback serve`: a box.

use clap::Args;
use tracing::warn;

use crate::config::{Flags, Resolved};
use crate::exit::Failure;
use crate::logs::Logs;
use crate::serve::Start;

const EXAMPLE: &str = "\
  answerback serve --data run/data --jwks run/keys/jwks.json --listen 127.0.0.1:7400

Ctrl-C or SIGTERM stops it in good order: clients are told to go, what was taken is
committed. To replace it without closing the port, start the new one with --take-over.
A kill -9 loses nothing that was accepted; the next start takes a little longer.

Each flag sets the key behind it, over the file and the environment; `answerback check-config`
takes the same flags and shows what is in force. SIGHUP reads file and environment again.

While it runs, `answerback status`, `inspect`, `backup` and others ask it through DIR/control.sock,
which only the user that runs it may open.";

/// How a box is run.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Take the place of the box that serves the data now: it drains, and its port stays open.
    #[arg(long)]
    take_over: bool,
}

/// Serves. What goes wrong behind the settings is in the log.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let layers = arguments.flags.layers.clone();
    let Resolved { configuration, warnings, .. } = layers.resolve()?;
    let logs = Logs::start(&configuration.log_level, configuration.log_format)?;
    warnings.iter().for_each(|warning| warn!("{warning}"));
    let (level, takes_over) = (logs.level(), arguments.take_over);
    crate::serve::run(Start { layers, configuration, level, takes_over })
}
