//! `answerback user purge`: a user's end.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use answerback_gateway::Command as Administrative;
use answerback_proto::id::UserId;
use clap::Args;

use super::super::Operator;
use super::{is_being_purged, no_such};
use crate::control::Outcome;
use crate::exit::Failure;
use crate::users::UserLine;

const EXAMPLE: &str = "\
From this command on there is no such user: all devices are revoked, and whatever is sent to it is
refused. Its inbox is emptied, and the bytes leave the files within minutes, as those of delivered
messages do. Each message that no device had is told to its sender as failed (UserPurged). What
the user has sent to others stays with them. A backup keeps what it has.

The id comes to life again with the next login of a new device, or with `answerback user add`;
nothing of what was is there then. So have the account service sign no more tokens for it first.

At a terminal it says what will go and asks. A box that runs is asked, through DIR/control.sock;
the data of one that is stopped is opened, and what is left of a long inbox goes when it runs.

  answerback user purge --data run/data 7
  answerback user purge --data run/data 7 --yes

Exit codes: 0 the user is purged, 1 there is no such user, or it failed, 2 wrong usage.";

/// Who, and where.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory of the box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Who.
    #[arg(value_name = "ID")]
    user: UserId,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// Has it done.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let user = arguments.user;
    let mut operator = Operator::new(&arguments.data);
    if !arguments.yes {
        if !io::stdin().is_terminal() {
            return Err(Failure::new(format_args!(
                "user {user} was not purged: there is no terminal to ask at; say --yes"
            )));
        }
        let line = operator.user(user)?.ok_or_else(|| no_such(user))?;
        confirm(user, &line)?;
    }
    match operator.perform(Administrative::PurgeUser(user))? {
        Outcome::Done => println!("user {user} is purged: what waited is leaving"),
        Outcome::WasSo => println!("user {user} is being purged already"),
        Outcome::Unknown => return Err(no_such(user)),
        Outcome::Busy | Outcome::Full => return Err(is_being_purged(user)),
    }
    Ok(())
}

/// Asks whoever is at the terminal.
fn confirm(user: UserId, line: &UserLine) -> Result<(), Failure> {
    let UserLine { devices, entries, undelivered, undelivered_bytes, .. } = line;
    let mut out = io::stdout().lock();
    let asked = writeln!(
        out,
        "This ends user {user} and cannot be undone:\n  \
         {devices} devices are revoked\n  \
         {entries} entries of the inbox go\n  \
         {undelivered} of them are messages that no device has ({undelivered_bytes} bytes): their \
         senders are told that they failed"
    );
    asked
        .and_then(|()| write!(out, "The user's id once more, to go on: "))
        .and_then(|()| out.flush())
        .map_err(Failure::of_output)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().parse::<UserId>() {
        Ok(confirmed) if confirmed == user => Ok(()),
        _ => Err(Failure::new(format_args!("user {user} was not purged: that is not its id"))),
    }
}
