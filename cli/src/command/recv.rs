//! `answerback recv`: messages come in, a JSON line each.

use std::io::{self, Write};
use std::time::Duration;

use answerback_sdk::session::{Entry, EntryBody};
use answerback_sdk::{Client, ClientEvent, ConnectionState, Received};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde::Serialize;

use super::{device, look};
use crate::clock::Clock;
use crate::exit::Failure;

/// Messages that are printed before they are marked as handed over.
const HAND_OVER_COUNT: u32 = 256;

const EXAMPLE: &str = "\
Prints a JSON line a message: {\"from\":…,\"device\":…,\"sequence\":…,\"accepted_at_ms\":…,
\"position\":…,\"content_type\":…,\"text\":…}, or \"payload_base64\" where it is no text.
A message to a group has its id too, as \"group\".
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
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
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
    let limits = Limits {
        clock: Clock::new(),
        timeout: arguments.timeout.map_or(Duration::MAX, Duration::from_secs),
        count: arguments.count.unwrap_or(u64::MAX),
    };
    if arguments.no_ack { look_at_all(arguments, limits) } else { receive(arguments, limits) }
}

/// How long, and how much.
struct Limits {
    clock: Clock,
    timeout: Duration,
    count: u64,
}

impl Limits {
    /// What is left of the time; a failure where that is nothing.
    fn left(&self) -> Result<Duration, Failure> {
        let left = self.timeout.saturating_sub(self.clock.elapsed());
        if left.is_zero() {
            return Err(Failure::TimedOut("no more messages in time".to_owned()));
        }
        Ok(left)
    }
}

/// Goes on over any number of connections.
fn receive(arguments: &Arguments, limits: Limits) -> Result<(), Failure> {
    let client = arguments.device.connect()?;
    let mut left_count = limits.count;
    loop {
        left_count -= hand_over_all(&client, left_count)?;
        if left_count == 0 {
            client.close();
            return Ok(());
        }
        let left = limits.left().inspect_err(|_| client.close())?;
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        if let Some(ClientEvent::ConnectionChanged { state }) = client.next_event(left_ms) {
            check(state)?;
        }
    }
}

/// Says that the box is away, once each time; goes on unless that is for good.
fn check(state: ConnectionState) -> Result<(), Failure> {
    match state {
        ConnectionState::Stopped { error } => Err(error.into()),
        ConnectionState::Offline { reason, .. } => {
            eprintln!("answerback: {reason}; trying again");
            Ok(())
        }
        ConnectionState::Connecting | ConnectionState::Online => Ok(()),
    }
}

/// Prints what waits, and leaves it there.
fn look_at_all(arguments: &Arguments, limits: Limits) -> Result<(), Failure> {
    let mut look = look::Look::open(&arguments.device)?;
    let mut left_count = limits.count;
    while left_count > 0 {
        for entry in look.next_entries(limits.left()?)? {
            let Some(line) = line_of_entry(entry).filter(|_| left_count > 0) else { continue };
            let mut out = io::stdout().lock();
            print(&mut out, line)?;
            out.flush().map_err(Failure::of_output)?;
            left_count -= 1;
        }
    }
    Ok(())
}

/// All that is stored, some at a time.
fn hand_over_all(client: &Client, count_max: u64) -> Result<u64, Failure> {
    let mut count = 0;
    loop {
        match hand_over(client, count_max - count)? {
            0 => return Ok(count),
            some => count += some,
        }
    }
}

/// What is stored is printed, flushed, then marked; the count.
fn hand_over(client: &Client, count_max: u64) -> Result<u64, Failure> {
    let count_max = u32::try_from(count_max).unwrap_or(u32::MAX).min(HAND_OVER_COUNT);
    let messages = client.to_hand_over(count_max)?;
    let Some(last) = messages.last().map(|message| message.row) else { return Ok(0) };
    let mut out = io::stdout().lock();
    for message in &messages {
        print(&mut out, line_of_stored(message))?;
    }
    out.flush().map_err(Failure::of_output)?;
    client.done(last)?;
    Ok(messages.len() as u64)
}

fn line_of_stored(received: &Received) -> Line {
    let message = &received.message;
    let group = message.id.peer != message.id.sender;
    Line {
        from: message.id.sender.to_string(),
        group: group.then(|| message.id.peer.to_string()),
        device: message.id.device.to_string(),
        sequence: message.id.sequence.0,
        accepted_at_ms: message.accepted_at_ms.unwrap_or_default(),
        position: received.position,
        content_type: message.content_type,
        payload: payload(&message.payload),
    }
}

fn line_of_entry(entry: Entry) -> Option<Line> {
    let Entry { position, peer, body } = entry;
    let (from, device, sequence, accepted_at_ms, content_type, bytes) = match body {
        EntryBody::Message { device, sequence, accepted_at_ms, content_type, payload } => {
            (peer, device, sequence, accepted_at_ms, content_type, payload)
        }
        EntryBody::GroupMessage {
            sender,
            device,
            sequence,
            accepted_at_ms,
            content_type,
            payload,
            ..
        } => (sender, device, sequence, accepted_at_ms, content_type, payload),
        _ => return None,
    };
    Some(Line {
        from: from.to_string(),
        group: (from != peer).then(|| peer.to_string()),
        device: device.to_string(),
        sequence: sequence.0,
        accepted_at_ms,
        position: position.0,
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
