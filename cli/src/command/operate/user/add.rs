//! `answerback user add`: users that exist before they log in.

use std::path::PathBuf;

use answerback_gateway::Command as Administrative;
use answerback_proto::id::UserId;
use clap::Args;

use super::super::Operator;
use super::is_being_purged;
use crate::control::Outcome;
use crate::exit::Failure;

const EXAMPLE: &str = "\
A message to a user whom the box does not know is refused. A user exists from the first login
on, or from this command on: what is sent meanwhile waits for the first login. A box that runs
is asked, through DIR/control.sock; the data of one that is stopped is opened. Prints a line for
each user.

  answerback user add --data run/data 1 2
  answerback user add --data run/data 4915112345678
  answerback user add --data run/data --create 1      # before the first `serve`

Exit codes: 0 all of them exist, 1 failed, and those without a line were not added, 2 wrong usage.";

/// Who, and where.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory of the box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Make the data directory where it is missing.
    #[arg(long)]
    create: bool,
    /// The users.
    #[arg(value_name = "ID", required = true)]
    users: Vec<UserId>,
}

/// Has it done.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut operator = Operator { makes_data: arguments.create, ..Operator::new(&arguments.data) };
    for &user in &arguments.users {
        match operator.perform(Administrative::AddUser(user))? {
            Outcome::Done => println!("user {user} was added"),
            Outcome::WasSo | Outcome::Unknown => println!("user {user} was there already"),
            Outcome::Busy | Outcome::Full => return Err(is_being_purged(user)),
        }
    }
    Ok(())
}
