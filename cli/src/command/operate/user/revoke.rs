//! `answerback user revoke`: all devices of a user at once.

use std::path::PathBuf;

use answerback_gateway::Command as Administrative;
use answerback_proto::id::UserId;
use clap::Args;

use super::super::Operator;
use super::{is_being_purged, no_such};
use crate::control::Outcome;
use crate::exit::Failure;

const EXAMPLE: &str = "\
Does to all devices that the user has now what `answerback device revoke` does to one: their
connections end, and none of them is ever let in again. The user goes on: what no device has
waits, and a new device comes in with any token that is still valid, so have the account service
sign no more of them first. A box that runs is asked, through DIR/control.sock; the data of one
that is stopped is opened.

  answerback user revoke --data run/data 1

Exit codes: 0 they are revoked, or there was none, 1 there is no such user, or it failed,
2 wrong usage.";

/// Whose, and where.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory of the box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Whose devices.
    #[arg(value_name = "ID")]
    user: UserId,
}

/// Has it done.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let user = arguments.user;
    match Operator::new(&arguments.data).perform(Administrative::RevokeUser(user))? {
        Outcome::Done => println!("all devices of user {user} are revoked"),
        Outcome::WasSo => println!("user {user} has no device that is not revoked"),
        Outcome::Unknown => return Err(no_such(user)),
        Outcome::Busy | Outcome::Full => return Err(is_being_purged(user)),
    }
    Ok(())
}
