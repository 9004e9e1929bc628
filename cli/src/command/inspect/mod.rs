//! `answerback inspect`: what a box holds, counted, and how a user stands.

mod user;

use std::path::PathBuf;

use answerback_proto::id::UserId;
use clap::{Args, ValueEnum};

use super::data::open_existing;
use crate::control::{Request, ask};
use crate::exit::Failure;
use crate::inspection::{self, Inspection, UserInspection};

const EXAMPLE: &str = "\
Without a user: rows and bytes of each table, as of the last checkpoint, and how many records of
the journal are not in them yet. With `user ID`: the user's devices with their cursors, what each
still owes and whether it is connected; how much waits, how old the oldest entry is, how often it
was offered, the last failure, and what the user may hold. Never what a message says.

A box that runs is asked and goes on meanwhile; for a user it waits until its tables have all that
was journaled before the question, a second at most. The data of one that is stopped is opened,
and migrated where an older version left it.

  answerback inspect --data run/data
  answerback inspect user 2 --data run/data
  answerback inspect user 2 --data run/data --json

Exit codes: 0 done, 1 the data cannot be read, or there is no such user.";

/// Of what.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Say how a user stands.
    #[arg(value_name = "user", requires = "user")]
    kind: Option<Kind>,
    /// Which one.
    #[arg(value_name = "ID")]
    user: Option<UserId>,
    /// Print one JSON line.
    #[arg(long)]
    json: bool,
}

/// Of what, other than of all.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Of a user.
    User,
}

/// Asks the box, or opens its data.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match arguments.user {
        Some(user) => run_user(arguments, user),
        None => run_box(arguments),
    }
}

fn run_box(arguments: &Arguments) -> Result<(), Failure> {
    let inspection: Inspection = match ask(&arguments.data, &Request::Inspect {})? {
        Some(answer) => serde_json::from_value(answer)?,
        None => inspection::of_box(&open_existing(&arguments.data)?)?,
    };
    match arguments.json {
        true => println!("{}", serde_json::to_string(&inspection)?),
        false => println!("{inspection}"),
    }
    Ok(())
}

fn run_user(arguments: &Arguments, user: UserId) -> Result<(), Failure> {
    let request = Request::InspectUser { user: user.to_string() };
    let inspection: UserInspection = match ask(&arguments.data, &request)? {
        Some(answer) => serde_json::from_value(answer)?,
        None => {
            let store = open_existing(&arguments.data)?;
            let home = inspection::home_of(&store, user);
            let behind = inspection::records_behind(&store.reader(), home)?;
            inspection::of_user(&store, user, None, behind)?
        }
    };
    let Some(found) = &inspection.found else { return Err(unknown(&inspection)) };
    match arguments.json {
        true => println!("{}", serde_json::to_string(&inspection)?),
        false => print!("{}", user::text(&inspection, found)),
    }
    Ok(())
}

fn unknown(UserInspection { user, records_behind, .. }: &UserInspection) -> Failure {
    if *records_behind > 0 {
        return Failure::new(format_args!(
            "nothing of user {user} is in the tables, and {records_behind} records of the journal \
             are not looked at: start the box, and ask it"
        ));
    }
    Failure::new(format_args!(
        "nothing of user {user} is here; check the id, or add the user with `answerback user add`"
    ))
}
