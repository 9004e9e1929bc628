//! `answerback status`: how a running box is, on one screen.

mod screen;

use std::io::{IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::clock::Clock;
use crate::control::{Request, Status, ask};
use crate::exit::Failure;

const EXAMPLE: &str = "\
Asks the box through DIR/control.sock, which only the user that runs it may open. Rates are those
of the last 10 seconds, the latency of commits that of the last minute; the outbox is as of the
last walk through all inboxes. What should be done about something stands below, as warnings.

  answerback status --data run/data
  answerback status --data run/data --watch
  answerback status --data run/data --json

Exit codes: 0 it runs, 1 nobody serves the directory, or it cannot be asked.";

/// How often a screen is drawn anew.
const PERIOD: Duration = Duration::from_secs(1);
/// To the first line and column; and all behind a place is erased.
const HOME: &str = "\x1b[H";
const ERASE_LINE: &str = "\x1b[K";
const ERASE_BELOW: &str = "\x1b[J";

/// Which box.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory of the box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print one JSON line.
    #[arg(long)]
    json: bool,
    /// Ask again every second, until Ctrl-C.
    #[arg(long)]
    watch: bool,
}

/// Asks, and prints.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if !arguments.watch {
        return write(&text(arguments)?);
    }
    let clock = Clock::new();
    loop {
        let text = text(arguments)?;
        let is_screen = stdout().is_terminal() && !arguments.json;
        write(&if is_screen { redrawn(&text) } else { text })?;
        rest(&clock);
    }
}

fn text(arguments: &Arguments) -> Result<String, Failure> {
    let answer = asked(&arguments.data)?;
    if arguments.json {
        return Ok(format!("{answer}\n"));
    }
    let status: Status = serde_json::from_value(answer)?;
    Ok(screen::screen(&status))
}

fn asked(data: &Path) -> Result<Value, Failure> {
    ask(data, &Request::Status {})?.ok_or_else(|| {
        let data = data.display();
        Failure::new(format_args!(
            "no box serves {data}; `answerback serve --data {data}` starts one"
        ))
    })
}

fn write(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::of_output)
}

/// Over what was drawn before, so that nothing flickers.
fn redrawn(text: &str) -> String {
    let lines = text.lines().map(|line| format!("{line}{ERASE_LINE}\n"));
    format!("{HOME}{}{ERASE_BELOW}", lines.collect::<String>())
}

fn rest(clock: &Clock) {
    let until = clock.elapsed() + PERIOD;
    while let Some(left) = until.checked_sub(clock.elapsed()).filter(|left| !left.is_zero()) {
        thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_screen_leaves_nothing_of_a_longer_one() {
        assert_eq!(redrawn("one\ntwo\n"), "\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J");
    }
}
