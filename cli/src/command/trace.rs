//! `answerback trace`: where a message is now.

use std::fmt::Write;
use std::path::PathBuf;

use answerback_directory::shard::view::MessageName;
use answerback_proto::id::{DeviceId, Sequence, UserId};
use clap::Args;

use super::data::open_existing;
use super::figures::duration;
use crate::clock;
use crate::control::{Request, ask};
use crate::exit::Failure;
use crate::inspection::{self, FailureNotice, MessageTrace, Place, WaitingDevice};

const EXAMPLE: &str = "\
A message is named by who sent it, from which device, to whom, and its number: what a client's log
and `answerback send` say of it. It was never here, waits for an earlier number, waits in the
inbox for some devices, was delivered and read, or failed. Never what it says.

A box that runs is asked; it waits until its tables have all that was journaled before the
question, a second at most. The data of one that is stopped is opened.

  answerback trace 1 71 2 15 --data run/data    # number 15 of user 1's device 71 to user 2
  answerback trace 1 71 2 15 --data run/data --json

Exit codes: 0 it says where, 1 the data cannot be read.";

/// Which message, and where.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// Who sent it.
    #[arg(value_name = "SENDER")]
    sender: UserId,
    /// From which device.
    #[arg(value_name = "DEVICE")]
    device: DeviceId,
    /// The other user of the chat.
    #[arg(value_name = "CHAT")]
    chat: UserId,
    /// Its number.
    #[arg(value_name = "SEQUENCE", value_parser = clap::value_parser!(u64).range(1..))]
    sequence: u64,
    /// The data directory of the box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print one JSON line.
    #[arg(long)]
    json: bool,
}

/// Asks the box, or opens its data.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let &Arguments { sender, device, chat, sequence, .. } = arguments;
    let request = Request::Trace {
        sender: sender.to_string(),
        device: device.to_string(),
        chat: chat.to_string(),
        sequence,
    };
    let trace: MessageTrace = match ask(&arguments.data, &request)? {
        Some(answer) => serde_json::from_value(answer)?,
        None => {
            let name =
                MessageName { sender, device, recipient: chat, sequence: Sequence(sequence) };
            trace_stopped(arguments, &name)?
        }
    };
    match arguments.json {
        true => println!("{}", serde_json::to_string(&trace)?),
        false => print!("{}", text(&trace, clock::unix_ms())),
    }
    Ok(())
}

fn trace_stopped(arguments: &Arguments, name: &MessageName) -> Result<MessageTrace, Failure> {
    let store = open_existing(&arguments.data)?;
    let mut homes = inspection::homes(&store, name).to_vec();
    homes.dedup();
    let behind = homes.iter().map(|home| inspection::records_behind(&store.reader(), *home));
    let behind = behind.sum::<Result<u64, _>>()?;
    Ok(inspection::of_message(&store, name, behind)?)
}

fn text(trace: &MessageTrace, now_ms: u64) -> String {
    let mut out = String::new();
    let _ = draw(&mut out, trace, now_ms);
    out
}

fn draw(out: &mut String, trace: &MessageTrace, now_ms: u64) -> std::fmt::Result {
    let MessageTrace { sender, device, chat, sequence, .. } = trace;
    writeln!(out, "number {sequence} of device {device} of user {sender} to user {chat}")?;
    place(out, trace, now_ms)?;
    if let Some(FailureNotice { code, position }) = &trace.notice {
        let code = code.as_deref().unwrap_or("a code that this version does not know");
        let place = match position {
            Some(position) => format!("waits in the inbox of user {sender} at position {position}"),
            None => format!("is on its way to user {sender}"),
        };
        writeln!(out, "  the notice that it failed ({code}) {place}")?;
    }
    let behind = trace.records_behind;
    if behind > 0 {
        writeln!(
            out,
            "  {behind} records of the journal are not in the tables yet, nor here: start"
        )?;
        writeln!(out, "  the box, or ask again once it has made a checkpoint")?;
    }
    Ok(())
}

fn place(out: &mut String, trace: &MessageTrace, now_ms: u64) -> std::fmt::Result {
    let MessageTrace { device, chat, .. } = trace;
    let ago = |at_ms: u64| format!("{} ago", duration(now_ms.saturating_sub(at_ms)));
    let accepted = |at_ms: &Option<u64>| {
        at_ms.map_or("accepted".to_owned(), |at_ms| format!("accepted {}", ago(at_ms)))
    };
    match &trace.place {
        Place::UnknownRecipient => {
            writeln!(
                out,
                "  never seen: there is no user {chat}, and what is sent there is refused"
            )
        }
        Place::Unseen { expected } => {
            writeln!(
                out,
                "  never seen: of device {device} number {expected} is expected next in this chat"
            )
        }
        Place::Parked { since_ms, missing } => {
            writeln!(out, "  came early: it waits since {} for number {missing}", ago(*since_ms))
        }
        Place::Waiting { accepted_at_ms, expires_at_ms, position, is_delivered, devices } => {
            let (when, state) = (
                accepted(&Some(*accepted_at_ms)),
                if *is_delivered { "delivered, waits for other devices" } else { "not delivered" },
            );
            writeln!(out, "  {when}; {state}: in the inbox of user {chat} at position {position}")?;
            if !is_delivered {
                writeln!(
                    out,
                    "  it ends undelivered in {}",
                    duration(expires_at_ms.saturating_sub(now_ms))
                )?;
            }
            if devices.is_empty() {
                writeln!(out, "  user {chat} has no device yet: the first login gets it")?;
            }
            devices
                .iter()
                .try_for_each(|device| waiting_device(out, device, trace.attempts_max, now_ms))
        }
        Place::Withheld { accepted_at_ms } => {
            let when = accepted(&Some(*accepted_at_ms));
            writeln!(out, "  {when}; withheld: user {chat} has blocked its sender")
        }
        Place::Delivered { accepted_at_ms, is_read } => {
            let read = if *is_read { ", and read" } else { "" };
            writeln!(out, "  {}; delivered{read}; nothing of it is kept", accepted(accepted_at_ms))
        }
        Place::Ended { accepted_at_ms } => {
            writeln!(
                out,
                "  {}; ended without delivery, and its sender is told",
                accepted(accepted_at_ms)
            )
        }
        Place::Rejected { code } => {
            writeln!(out, "  rejected for good: {code}; its sender is told")
        }
        Place::Skipped => writeln!(out, "  its sender gave the number up"),
    }
}

fn waiting_device(
    out: &mut String,
    device: &WaitingDevice,
    attempts_max: u64,
    now_ms: u64,
) -> std::fmt::Result {
    let WaitingDevice { device: id, standing, has_it, attempts } = device;
    let what = match (has_it, attempts) {
        (true, _) => "has it".to_owned(),
        (false, None) => "has not taken it".to_owned(),
        (false, Some(attempts)) => format!(
            "was offered it {} of {attempts_max} times and has not taken it, first {} ago",
            attempts.count,
            duration(now_ms.saturating_sub(attempts.first_at_ms))
        ),
    };
    writeln!(out, "    device {id} ({standing}) {what}")
}
