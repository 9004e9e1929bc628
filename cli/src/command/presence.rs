//! `answerback presence`: when another user was there, or who may see when this one was.

use std::io::{self, Write};
use std::time::Duration;

use answerback_proto::id::UserId;
use answerback_sdk::{Ask, Client, ClientEvent, Outcome, Visibility};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::account::declined;
use super::device;
use super::waiting::Waiting;
use crate::exit::Failure;

const EXAMPLE: &str = "\
Prints a JSON line: {\"user\":\"2\",\"online\":true,\"last_seen_ms\":…}. Online is who did something within
the last 20 seconds, or what the box is set to. Nothing is told of who does not exist, or shows himself
to others, or to nobody: then last_seen_ms is null. Whom one does not show oneself to, one does not see.

  answerback presence --user 1 --of 2
  answerback presence --user 1 --of 2 --follow      # a line each time that it changes
  answerback presence --user 1 --visible-to nobody

Exit codes: 0 told, 1 failed, 2 wrong usage, 3 time ran out.";

/// Whose, or who may see it.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    device: device::DeviceArguments,
    /// The other user.
    #[arg(long, value_name = "ID", required_unless_present = "visible_to")]
    of: Option<UserId>,
    /// Go on, with a line each time that it changes.
    #[arg(long, requires = "of")]
    follow: bool,
    /// Who may see from now on when this user was there.
    #[arg(long, value_name = "WHO", value_enum)]
    visible_to: Option<VisibleTo>,
    /// Seconds to wait for an answer.
    #[arg(long, value_name = "S", default_value_t = 10)]
    timeout: u64,
}

/// Who may see when a user was there.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VisibleTo {
    /// Every user.
    Everybody,
    /// The user's contacts.
    Contacts,
    /// No user, and this one sees nobody.
    Nobody,
}

#[derive(Serialize)]
struct Line {
    user: String,
    online: bool,
    last_seen_ms: Option<u64>,
}

/// Asks, and prints what is told.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = arguments.device.connect()?;
    let waiting = Waiting::start(Duration::from_secs(arguments.timeout));
    let outcome = ask(arguments, &client, &waiting);
    client.close();
    outcome
}

fn ask(arguments: &Arguments, client: &Client, waiting: &Waiting) -> Result<(), Failure> {
    if let Some(visible_to) = arguments.visible_to {
        let asked = client.ask(Ask::SetVisibility(visible_to.into()))?;
        if let Outcome::Declined { code } = waiting.answer(client, asked)? {
            return Err(declined(code));
        }
    }
    let Some(peer) = arguments.of else { return Ok(()) };
    let of_peer = |event| (event == ClientEvent::PresenceChanged { peer }).then_some(());
    if !arguments.follow {
        client.look(peer)?;
        waiting.event(client, of_peer)?;
        return print(client, peer);
    }
    client.watch(&[peer])?;
    loop {
        Waiting::start(Duration::MAX).event(client, of_peer)?;
        print(client, peer)?;
    }
}

fn print(client: &Client, peer: UserId) -> Result<(), Failure> {
    let presence = client.presence(peer)?;
    let line = Line {
        user: peer.to_string(),
        online: presence.is_online,
        last_seen_ms: presence.last_seen_ms,
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &line).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

impl From<VisibleTo> for Visibility {
    fn from(visible_to: VisibleTo) -> Self {
        match visible_to {
            VisibleTo::Everybody => Self::Everybody,
            VisibleTo::Contacts => Self::Contacts,
            VisibleTo::Nobody => Self::Nobody,
        }
    }
}
