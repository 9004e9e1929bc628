//! `answerback inspect`: what a box holds, counted.

use std::path::PathBuf;

use answerback_proto::id::UserId;
use clap::Args;

use super::data::open_existing;
use crate::control::{Request, ask};
use crate::exit::Failure;
use crate::inspection::{self, Inspection};

const EXAMPLE: &str = "\
Rows and bytes of each table, as of the last checkpoint, and how many records of the journal
are not in them yet: of the whole box, or of one user. A box that runs is asked and goes on
meanwhile, so that its tables are not counted at one moment; the data of one that is stopped is
opened, and migrated where an older version left it.

  answerback inspect --data run/data
  answerback inspect --data run/data 2 --json

Exit codes: 0 done, 1 the data cannot be read, or nothing of the user is there.";

/// Of what.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Count what belongs to this user.
    #[arg(value_name = "USER")]
    user: Option<UserId>,
    /// Print one JSON line.
    #[arg(long)]
    json: bool,
}

/// Asks the box, or opens its data.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let user = arguments.user.map(|user| user.to_string());
    let inspection: Inspection = match ask(&arguments.data, &Request::Inspect { user })? {
        Some(answer) => serde_json::from_value(answer)?,
        None => inspect_stopped(arguments)?,
    };
    if let Some(user) = arguments.user
        && inspection.is_empty()
    {
        return Err(Failure::new(format_args!(
            "nothing of user {user} is here; check the id, or add the user with `answerback user add`"
        )));
    }
    match arguments.json {
        true => println!("{}", serde_json::to_string(&inspection)?),
        false => println!("{inspection}"),
    }
    Ok(())
}

fn inspect_stopped(arguments: &Arguments) -> Result<Inspection, Failure> {
    let store = open_existing(&arguments.data)?;
    Ok(match arguments.user {
        Some(user) => inspection::of_user(&store, user)?,
        None => inspection::of_box(&store)?,
    })
}
