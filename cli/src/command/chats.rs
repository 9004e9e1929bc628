//! `answerback chats`: the chats of a device, listed, read and deleted.

use std::io::{self, Write};
use std::time::Duration;

use answerback_proto::id::{GroupId, UserId};
use answerback_sdk::{ChatSummary, Client, ConnectionState};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::device::DeviceArguments;
use crate::clock::Clock;
use crate::exit::Failure;

/// How often it is looked whether the box knows.
const LOOK_MS: u64 = 20;

const READ_EXAMPLE: &str = "\
All that this device has of the chat is read; the user's other devices hear of it, and so do those
who sent it, unless the user hides it (`answerback account receipts`). Of a group its senders hear
where it has receipts (`answerback group receipts`).

  answerback chats read --user 1 --to 2
  answerback chats read --user 1 --group 20112…08

Exit codes: 0 the box knows of it, 1 failed, 2 wrong usage, 3 time ran out: it is told later.";

const DELETE_EXAMPLE: &str = "\
The chat's messages leave this device's file at once, and the user's other devices once they
connect. What the other user deletes too leaves the box, and its files within ten minutes. What
has no decision yet stays, and what comes later opens the chat again.

  answerback chats delete --user 1 --to 2

Exit codes: 0 the box knows of it, 1 failed, 2 wrong usage, 3 time ran out: it is told later.";

/// What to do with them.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List them as JSON lines, without a box.
    List(ListArguments),
    /// Say that the user has read one.
    Read(ReadArguments),
    /// Delete one on all devices of the user.
    Delete(DeleteArguments),
}

/// Whose.
#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    device: DeviceArguments,
}

/// Which one.
#[derive(Args)]
#[command(after_help = READ_EXAMPLE)]
pub(crate) struct ReadArguments {
    #[command(flatten)]
    device: DeviceArguments,
    /// The other end of the chat.
    #[arg(long, value_name = "ID", required_unless_present = "group", conflicts_with = "group")]
    to: Option<UserId>,
    /// The group, in place of another user.
    #[arg(long, value_name = "ID")]
    group: Option<GroupId>,
    /// Seconds to wait until the box knows of it.
    #[arg(long, value_name = "S", default_value_t = 30)]
    timeout: u64,
}

/// Which one.
#[derive(Args)]
#[command(after_help = DELETE_EXAMPLE)]
pub(crate) struct DeleteArguments {
    #[command(flatten)]
    device: DeviceArguments,
    /// The other end of the chat.
    #[arg(long, value_name = "ID")]
    to: UserId,
    /// Seconds to wait until the box knows of it.
    #[arg(long, value_name = "S", default_value_t = 30)]
    timeout: u64,
}

#[derive(Serialize)]
struct Line {
    peer: String,
    unread: u64,
    pending: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at_ms: Option<u64>,
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list(arguments),
        Command::Read(arguments) => read(arguments),
        Command::Delete(arguments) => delete(arguments),
    }
}

fn list(arguments: &ListArguments) -> Result<(), Failure> {
    let client = arguments.device.open()?;
    let mut out = io::stdout().lock();
    for ChatSummary { peer, last, unread_count, pending_count } in client.chats()? {
        let line = Line {
            peer: peer.to_string(),
            unread: unread_count,
            pending: pending_count,
            last_at_ms: last.accepted_at_ms,
        };
        writeln!(out, "{}", serde_json::to_string(&line)?).map_err(Failure::of_output)?;
    }
    Ok(())
}

fn read(arguments: &ReadArguments) -> Result<(), Failure> {
    let client = arguments.device.open()?;
    let of_group = arguments.group.map(GroupId::as_peer);
    client.read_chat(arguments.to.or(of_group).unwrap_or_default())?;
    let outcome = wait(&client, arguments.timeout, "read", Client::pending_reads);
    client.close();
    outcome
}

fn delete(arguments: &DeleteArguments) -> Result<(), Failure> {
    let client = arguments.device.open()?;
    client.delete_chat(arguments.to)?;
    let outcome = wait(&client, arguments.timeout, "deleted", Client::pending_deletions);
    client.close();
    outcome
}

/// Waits until the box knows what was done here.
fn wait(
    client: &Client,
    timeout_s: u64,
    done: &str,
    pending: impl Fn(&Client) -> Result<u64, answerback_sdk::Error>,
) -> Result<(), Failure> {
    let (clock, timeout) = (Clock::new(), Duration::from_secs(timeout_s));
    while pending(client)? > 0 {
        match client.connection()? {
            ConnectionState::Stopped { error } => return Err(error.into()),
            state if clock.elapsed() >= timeout => return Err(timed_out(done, &state)),
            _ => drop(client.next_event(LOOK_MS)),
        }
    }
    Ok(())
}

fn timed_out(done: &str, state: &ConnectionState) -> Failure {
    let why = match state {
        ConnectionState::Offline { reason, .. } => format!(" ({reason})"),
        _ => String::new(),
    };
    Failure::TimedOut(format!("it is {done} here; the box is told when it can be{why}"))
}
