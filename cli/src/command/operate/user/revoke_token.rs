//! `answerback user revoke-token`: one token that was stolen.

use std::path::PathBuf;

use answerback_gateway::Command as Administrative;
use answerback_proto::id::{TokenId, UserId};
use clap::Args;

use super::super::Operator;
use super::{is_being_purged, no_such_yet};
use crate::control::Outcome;
use crate::exit::Failure;
use crate::moment::{self, Moment};

const EXAMPLE: &str = "\
The token is not taken any more, nor is a resume ticket that came from it. The user's connections
end; whoever has another token, or a ticket from another, is back at once. The box remembers 64 of
them a user, each until a day after it expires, so give the token's own `exp`, or later. For more
there is `answerback user revoke-tokens`. A box that runs is asked, through DIR/control.sock; the
data of one that is stopped is opened.

  answerback user revoke-token --data run/data 1 --jti 3f6c1d6e --expires 2026-03-01T12:00:00Z

Exit codes: 0 it is void, or was before, 1 there is no such user, or it failed, 2 wrong usage.";

/// Which one, and where.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory of the box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Whose token.
    #[arg(value_name = "ID")]
    user: UserId,
    /// The token's `jti`.
    #[arg(long, value_name = "JTI")]
    jti: String,
    /// The token's `exp`, or later: a time of RFC 3339, or seconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    expires: Moment,
}

/// Has it done.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { data, user, jti, expires } = arguments;
    if *expires <= Moment::now() {
        return Err(Failure::new(format_args!(
            "a token that expired at {expires} is taken by no box"
        )));
    }
    let command = Administrative::RevokeToken(*user, TokenId::of(jti), expires.unix_s);
    match Operator::new(data).perform(command)? {
        Outcome::Done => println!("token {jti} of user {user} is void"),
        Outcome::WasSo => println!("token {jti} of user {user} was void already"),
        Outcome::Unknown => return Err(no_such_yet(*user)),
        Outcome::Busy => return Err(is_being_purged(*user)),
        Outcome::Full => {
            return Err(Failure::new(format_args!(
                "64 tokens of user {user} are void already, and no more are remembered one by one: \
                 `answerback user revoke-tokens` takes all that are older than a moment"
            )));
        }
    }
    Ok(())
}
