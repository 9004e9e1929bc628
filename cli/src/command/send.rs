//! `answerback send`: messages go out, and a line says what became of each.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use answerback_proto::code::{Class, Code};
use answerback_proto::id::{Sequence, UserId};
use answerback_sdk::driver::Client;
use answerback_sdk::storage::{Sent, SentState};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::device;
use crate::clock::Clock;
use crate::exit::Failure;

/// `content_type` of a text, from the registry.
const TEXT: u16 = 1;
/// Lines that are stored and sent together.
const LINES_TOGETHER: usize = 64;

const EXAMPLE: &str = "\
Prints a JSON line a message: {\"to\":…,\"sequence\":…,\"state\":\"accepted\",\"accepted_at_ms\":…}.
Accepted means durable: the box keeps it until the recipient's device has it.

  answerback send --user 1 --to 2 \"hello\"
  answerback send --user 1 --to 2 --wait delivered --timeout 5 \"hello\"
  seq 1000 | answerback send --user 1 --to 2 --stdin

Exit codes: 0 all accepted (or delivered), 1 failed or refused, 2 wrong usage, 3 time ran out.";

/// What to send, and what to wait for.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    device: device::DeviceArguments,
    /// The recipient.
    #[arg(long, value_name = "ID")]
    to: UserId,
    /// The message.
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin")]
    text: Option<String>,
    /// Send each line of the standard input.
    #[arg(long)]
    stdin: bool,
    /// How far each message must come.
    #[arg(long, value_enum, default_value_t = Wait::Accepted)]
    wait: Wait,
    /// Seconds to wait for it.
    #[arg(long, value_name = "S", default_value_t = 30)]
    timeout: u64,
}

/// How far a message must come.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wait {
    /// Durable at the box.
    Accepted,
    /// A device of the recipient has it.
    Delivered,
}

#[derive(Serialize)]
struct Line {
    to: String,
    sequence: u64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_at_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
}

/// Sends, then waits.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut client = arguments.device.connect()?;
    let mut waiting = Waiting {
        to: arguments.to,
        wait: arguments.wait,
        timeout: Duration::from_secs(arguments.timeout),
        sequences: Vec::new(),
        failed_count: 0,
    };
    match &arguments.text {
        Some(text) => waiting.send(&mut client, vec![text.clone().into_bytes()])?,
        None => waiting.send_lines(&mut client, io::stdin().lock())?,
    }
    waiting.finish(&mut client)?;
    match waiting.failed_count {
        0 => Ok(()),
        count => Err(Failure::new(format_args!("{count} messages were not taken"))),
    }
}

/// The messages without an outcome that is far enough.
struct Waiting {
    to: UserId,
    wait: Wait,
    timeout: Duration,
    sequences: Vec<Sequence>,
    failed_count: u64,
}

impl Waiting {
    fn send(&mut self, client: &mut Client, payloads: Vec<Vec<u8>>) -> Result<(), Failure> {
        let messages = payloads.into_iter().map(|payload| (self.to, TEXT, payload));
        self.sequences.extend(client.send(messages)?);
        Ok(())
    }

    /// Keeps at most some hundred lines under way, however long the input is.
    fn send_lines(&mut self, client: &mut Client, input: impl BufRead) -> Result<(), Failure> {
        let mut payloads = Vec::new();
        for line in input.split(b'\n') {
            payloads.push(line.map_err(|error| {
                Failure::new(format_args!("cannot read the standard input: {error}"))
            })?);
            if payloads.len() == LINES_TOGETHER {
                self.send(client, std::mem::take(&mut payloads))?;
                self.wait_until(client, |waiting, _| {
                    waiting.sequences.len() <= 4 * LINES_TOGETHER
                })?;
            }
        }
        self.send(client, payloads)
    }

    fn finish(&mut self, client: &mut Client) -> Result<(), Failure> {
        self.wait_until(client, |waiting, _| waiting.sequences.is_empty())
    }

    /// Goes on until `is_enough`; time runs out when so long nothing came further.
    fn wait_until(
        &mut self,
        client: &mut Client,
        is_enough: impl Fn(&Self, &Client) -> bool,
    ) -> Result<(), Failure> {
        let clock = Clock::new();
        let mut deadline = self.timeout;
        self.settle(client)?;
        while !is_enough(self, client) {
            let left = deadline.saturating_sub(clock.elapsed());
            if left.is_zero() {
                let count = self.sequences.len();
                let far = if self.wait == Wait::Accepted { "accepted" } else { "delivered" };
                let line = format!("{count} messages were not {far} in time; they stay queued");
                return Err(Failure::TimedOut(line));
            }
            client.receive(left)?;
            if self.settle(client)? {
                deadline = clock.elapsed().saturating_add(self.timeout);
            }
        }
        Ok(())
    }

    /// Prints and forgets what came far enough; whether anything did.
    fn settle(&mut self, client: &mut Client) -> Result<bool, Failure> {
        let mut out = io::stdout().lock();
        let mut still = Vec::new();
        for &sequence in &self.sequences {
            let sent = client.storage().sent(self.to, sequence)?;
            match sent.filter(|sent| self.is_far_enough(sent.state)) {
                None => still.push(sequence),
                Some(sent) => {
                    self.failed_count += u64::from(is_failure(sent.state));
                    print(&mut out, &line(self.to, sequence, sent))?;
                }
            }
        }
        out.flush().map_err(Failure::of_output)?;
        let is_progress = still.len() < self.sequences.len();
        self.sequences = still;
        Ok(is_progress)
    }

    fn is_far_enough(&self, state: SentState) -> bool {
        match state {
            SentState::Queued => false,
            SentState::Accepted => self.wait == Wait::Accepted,
            SentState::Delivered
            | SentState::Read
            | SentState::Recalled
            | SentState::Failed
            | SentState::Refused => true,
        }
    }
}

fn is_failure(state: SentState) -> bool {
    matches!(state, SentState::Recalled | SentState::Failed | SentState::Refused)
}

fn line(to: UserId, sequence: Sequence, sent: Sent) -> Line {
    let state = match sent.state {
        SentState::Queued => "queued",
        SentState::Accepted => "accepted",
        SentState::Delivered => "delivered",
        SentState::Read => "read",
        SentState::Recalled => "recalled",
        SentState::Failed => "failed",
        SentState::Refused => "refused",
    };
    Line {
        to: to.to_string(),
        sequence: sequence.0,
        state,
        accepted_at_ms: sent.accepted_at_ms,
        code: sent.code,
        reason: sent.code.and_then(Code::from_number).map(Code::name),
        class: sent.code.and_then(Class::of).map(Class::name),
    }
}

fn print(out: &mut impl Write, line: &Line) -> Result<(), Failure> {
    writeln!(out, "{}", serde_json::to_string(line)?).map_err(Failure::of_output)
}
