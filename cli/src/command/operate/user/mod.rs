//! `answerback user`: who exists, and who does not any more.

mod add;
mod list;
mod purge;
mod revoke;
mod revoke_token;
mod revoke_tokens;

use answerback_proto::id::UserId;
use clap::Subcommand;

use crate::exit::Failure;

/// What to do about users.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Let users exist before they log in.
    Add(add::Arguments),
    /// List the users, with what waits for them.
    List(list::Arguments),
    /// Take all devices from a user, who goes on.
    Revoke(revoke::Arguments),
    /// Take one token of a user's no more.
    RevokeToken(revoke_token::Arguments),
    /// Take no token of a user's any more that was made before now.
    RevokeTokens(revoke_tokens::Arguments),
    /// End a user, with all that waits for it.
    Purge(purge::Arguments),
}

/// Has it done.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Add(arguments) => add::run(arguments),
        Command::List(arguments) => list::run(arguments),
        Command::Revoke(arguments) => revoke::run(arguments),
        Command::RevokeToken(arguments) => revoke_token::run(arguments),
        Command::RevokeTokens(arguments) => revoke_tokens::run(arguments),
        Command::Purge(arguments) => purge::run(arguments),
    }
}

fn no_such(user: UserId) -> Failure {
    Failure::new(format_args!(
        "there is no user {user}: check the id; `answerback user list` has those that exist"
    ))
}

fn no_such_yet(user: UserId) -> Failure {
    Failure::new(format_args!(
        "there is no user {user}: check the id; one that has never logged in is made by \
         `answerback user add`"
    ))
}

fn is_being_purged(user: UserId) -> Failure {
    Failure::new(format_args!("user {user} is being purged: try again in a moment"))
}
