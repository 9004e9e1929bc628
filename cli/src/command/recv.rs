//! `answerback recv`: messages come in, a JSON line each.

use std::io::{self, Write};
use std::time::Duration;

use answerback_proto::code::Code;
use answerback_proto::id::{Position, UserId};
use answerback_sdk::driver::{Client, ClientError};
use answerback_sdk::session::{Entry, EntryBody, Event};
use answerback_sdk::storage::Received;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde::Serialize;

use super::device;
use crate::clock::Clock;
use crate::exit::Failure;

/// Messages that are printed before they are marked as handed over.
const HAND_OVER_COUNT: u32 = 256;

const EXAMPLE: &str = "\
Prints a JSON line a message: {\"from\":…,\"device\":…,\"sequence\":…,\"accepted_at_ms\":…,
\"position\":…,\"content_type\":…,\"text\":…}, or \"payload_base64\" where it is no text.
Each is stored, acknowledged, printed once. Goes on until --count or --timeout.

  answerback recv --user 2
  answerback recv --user 2 --count 1 --timeout 5
  answerback recv --user 2 --no-ack --count 1      # look, and leave it there

Exit codes: 0 got --count (or ended), 1 failed, 2 wrong usage, 3 time ran out.";

/// How much, and how long.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    device: device::DeviceArguments,
    /// End after so many messages.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after so many seconds, with exit code 3.
    #[arg(long, value_name = "S")]
    timeout: Option<u64>,
    /// Neither store nor acknowledge: the messages stay in the inbox.
    #[arg(long)]
    no_ack: bool,
}

#[derive(Serialize)]
struct Line {
    from: String,
    device: String,
    sequence: u64,
    accepted_at_ms: u64,
    position: u64,
    content_type: u16,
    #[serde(flatten)]
    payload: Payload,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Payload {
    Text(String),
    PayloadBase64(String),
}

/// Receives until there is enough or the time is over.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let clock = Clock::new();
    let mut client = arguments.device.connect()?;
    if arguments.no_ack {
        client.leave_entries();
    }
    let timeout = arguments.timeout.map_or(Duration::MAX, Duration::from_secs);
    let mut left_count = arguments.count.unwrap_or(u64::MAX);
    loop {
        if !arguments.no_ack {
            left_count -= hand_over_all(&mut client, left_count)?;
        }
        let left = timeout.saturating_sub(clock.elapsed());
        if left_count == 0 {
            return Ok(());
        }
        if left.is_zero() {
            return Err(Failure::TimedOut("no more messages in time".to_owned()));
        }
        for event in client.receive(left)? {
            left_count -= handle_event(event, arguments.no_ack, left_count)?;
        }
    }
}

/// All that is stored, some at a time.
fn hand_over_all(client: &mut Client, count_max: u64) -> Result<u64, Failure> {
    let mut count = 0;
    loop {
        match hand_over(client, count_max - count)? {
            0 => return Ok(count),
            some => count += some,
        }
    }
}

/// What is stored is printed, flushed, then marked; the count.
fn hand_over(client: &mut Client, count_max: u64) -> Result<u64, Failure> {
    let count_max = u32::try_from(count_max).unwrap_or(u32::MAX).min(HAND_OVER_COUNT);
    let messages = client.storage().to_hand_over(count_max)?;
    let Some(last) = messages.last().map(|message| message.row) else { return Ok(0) };
    let mut out = io::stdout().lock();
    for message in &messages {
        print(&mut out, line_of_stored(message))?;
    }
    out.flush().map_err(Failure::of_output)?;
    client.storage().handed_over(last)?;
    Ok(messages.len() as u64)
}

/// How many messages it printed.
fn handle_event(event: Event, is_looking: bool, count_max: u64) -> Result<u64, Failure> {
    match event {
        Event::Entry(entry) if is_looking && count_max > 0 => {
            let Some(line) = line_of_entry(entry) else { return Ok(0) };
            let mut out = io::stdout().lock();
            print(&mut out, line)?;
            out.flush().map_err(Failure::of_output)?;
            Ok(1)
        }
        Event::Closed { code, .. } => Err(ClientError::Closed(code).into()),
        Event::GoAway { code, .. } => {
            let reason = Code::from_number(code).map_or("no reason given", Code::name);
            Err(Failure::new(format_args!("the box is going away ({reason}); try again")))
        }
        Event::Silent => Err(Failure::new("the box does not answer any more; try again")),
        _ => Ok(0),
    }
}

fn line_of_stored(message: &Received) -> Line {
    Line {
        from: message.sender.to_string(),
        device: message.device.to_string(),
        sequence: message.sequence.0,
        accepted_at_ms: message.accepted_at_ms,
        position: message.position.0,
        content_type: message.content_type,
        payload: payload(&message.payload),
    }
}

fn line_of_entry(entry: Entry) -> Option<Line> {
    let Entry { position: Position(position), peer: UserId(from), body } = entry;
    let EntryBody::Message { device, sequence, accepted_at_ms, content_type, payload: bytes } =
        body
    else {
        return None;
    };
    Some(Line {
        from: from.to_string(),
        device: device.to_string(),
        sequence: sequence.0,
        accepted_at_ms,
        position,
        content_type,
        payload: payload(&bytes),
    })
}

fn payload(bytes: &[u8]) -> Payload {
    match str::from_utf8(bytes) {
        Ok(text) => Payload::Text(text.to_owned()),
        Err(_) => Payload::PayloadBase64(STANDARD.encode(bytes)),
    }
}

fn print(out: &mut impl Write, line: Line) -> Result<(), Failure> {
    writeln!(out, "{}", serde_json::to_string(&line)?).map_err(Failure::of_output)
}
