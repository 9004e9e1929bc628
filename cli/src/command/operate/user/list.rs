//! `answerback user list`: who exists.

use std::io::{self, Write};
use std::path::PathBuf;

use answerback_proto::id::UserId;
use clap::Args;

use super::super::Operator;
use crate::exit::Failure;
use crate::users::{USERS_PER_PAGE_MAX, UserLine};

const EXAMPLE: &str = "\
Lists the users in the order of their ids: devices that are not revoked, messages that no device
has and their bytes, entries that some device has not acknowledged. As of the last checkpoint, a
moment ago where the box runs. A user who is being purged exists no more, and is listed until
all that waited is gone. A box that runs is asked, through DIR/control.sock; the data of one that
is stopped is opened.

  answerback user list --data run/data
  answerback user list --data run/data --count 1000 --after 4915112345678 --json

Exit codes: 0 done, 1 the data cannot be read, 2 wrong usage.";

/// Which, of which box.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory of the box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print a JSON line for each user.
    #[arg(long)]
    json: bool,
    /// List as many users, at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    count: usize,
    /// Begin behind this user.
    #[arg(long, value_name = "ID")]
    after: Option<UserId>,
}

/// Prints them, a page at a time.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut operator = Operator::new(&arguments.data);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut say = |text: &str| writeln!(out, "{text}").map_err(Failure::of_output);
    if !arguments.json {
        say(&heading())?;
    }
    let (mut after, mut left) = (arguments.after, arguments.count);
    while left > 0 {
        let page = operator.users(after, left.min(USERS_PER_PAGE_MAX))?;
        let Some(last) = page.last() else { return Ok(()) };
        for line in &page {
            say(&if arguments.json { serde_json::to_string(line)? } else { row(line) })?;
        }
        left -= page.len();
        after = Some(last.id()?);
    }
    match after {
        Some(last) if !arguments.json && !operator.users(after, 1)?.is_empty() => {
            say(&format!("more follow: --after {last}"))
        }
        _ => Ok(()),
    }
}

fn heading() -> String {
    format!(
        "{:<39} {:>7} {:>11} {:>14} {:>11}",
        "user", "devices", "undelivered", "bytes", "entries"
    )
}

fn row(line: &UserLine) -> String {
    let UserLine { user, devices, undelivered, undelivered_bytes, entries, is_purging } = line;
    let note = if *is_purging { "  being purged" } else { "" };
    format!("{user:<39} {devices:>7} {undelivered:>11} {undelivered_bytes:>14} {entries:>11}{note}")
}
