//! `answerback clock`: a clock that jumped, and is right all the same.

use std::path::PathBuf;

use answerback_gateway::Command as Administrative;
use clap::{Args, Subcommand};

use super::Operator;
use crate::control::Outcome;
use crate::exit::Failure;

const EXAMPLE: &str = "\
Where the clock of a box jumps by more than a day, as after a long stop or a wrong setting, the
box alarms, and nothing expires and no device lapses until somebody says that the clock is right.
Check it first (`date`): a clock that is years ahead would end every message that waits. A box
that runs is asked, through DIR/control.sock; the data of one that is stopped is opened.

  answerback clock confirm --data run/data

Exit codes: 0 nothing doubts the clock, 1 failed, 2 wrong usage.";

/// What to do about the clock.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say that the clock is right, however far it jumped.
    Confirm(Arguments),
}

/// Of which box.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory of the box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Has it done.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    let Command::Confirm(Arguments { data }) = command;
    match Operator::new(data).perform(Administrative::ConfirmClock)? {
        Outcome::Done => println!("the clock is confirmed: what is due expires and lapses again"),
        Outcome::WasSo | Outcome::Unknown | Outcome::Busy | Outcome::Full => {
            println!("nothing doubted the clock");
        }
    }
    Ok(())
}
