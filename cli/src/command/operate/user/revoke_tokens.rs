//! `answerback user revoke-tokens`: tokens that were stolen, whichever they are.

use std::path::PathBuf;

use answerback_gateway::Command as Administrative;
use answerback_proto::id::UserId;
use clap::Args;

use super::super::Operator;
use super::{is_being_purged, no_such_yet};
use crate::control::Outcome;
use crate::exit::Failure;
use crate::moment::{self, Moment};

const EXAMPLE: &str = "\
Tokens of the user that were made (`iat`) before a moment are not taken any more, nor is a token
that does not say when, nor a resume ticket that came from one of them. The user's connections
end, and come back with a newer token from the account service; so no stolen one may be had
there. Nothing that waits for the user is lost. It cannot be taken back. A box that runs is asked,
through DIR/control.sock; the data of one that is stopped is opened.

  answerback user revoke-tokens --data run/data 1
  answerback user revoke-tokens --data run/data 1 --issued-before 2026-03-01T12:00:00Z

Exit codes: 0 they are void, or were before, 1 there is no such user, or it failed, 2 wrong usage.";

/// Whose, and where.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory of the box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Whose tokens.
    #[arg(value_name = "ID")]
    user: UserId,
    /// From when on they are good: a time of RFC 3339, or seconds since 1970. Now, where it is
    /// not given.
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    issued_before: Option<Moment>,
}

/// Has it done.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (user, now) = (arguments.user, Moment::now());
    let from = arguments.issued_before.unwrap_or(now);
    if from > now {
        return Err(Failure::new(format_args!(
            "{from} is to come: it would turn away tokens that the account service has not even \
             made, and could not be taken back"
        )));
    }
    match Operator::new(&arguments.data).perform(Administrative::RevokeTokens(user, from.unix_s))? {
        Outcome::Done => println!("tokens of user {user} from before {from} are void"),
        Outcome::WasSo => println!("tokens of user {user} from before {from} were void already"),
        Outcome::Unknown => return Err(no_such_yet(user)),
        Outcome::Busy | Outcome::Full => return Err(is_being_purged(user)),
    }
    Ok(())
}
