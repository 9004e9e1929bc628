//! `answerback send`: messages go out, and a line says what became of each.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use answerback_proto::code::{Class, Code};
use answerback_proto::id::{GroupId, UserId};
use answerback_proto::limits::{LIFE_MAX_S, LIFE_MIN_S};
use answerback_sdk::{Client, ConnectionState, Draft, Message, MessageId, MessageState};
use clap::builder::RangedI64ValueParser;
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
  answerback send --user 1 --to 2 --expires-in 60 --wait delivered \"now or never\"
  seq 1000 | answerback send --user 1 --to 2 --stdin
  answerback send --user 1 --group 20112…08 \"hello all\"

Exit codes: 0 all accepted (or delivered), 1 failed or refused, 2 wrong usage, 3 time ran out.";

/// What to send, and what to wait for.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    device: device::DeviceArguments,
    /// The recipient.
    #[arg(long, value_name = "ID", required_unless_present = "group", conflicts_with = "group")]
    to: Option<UserId>,
    /// The group that it is for, in place of a recipient.
    #[arg(long, value_name = "ID")]
    group: Option<GroupId>,
    /// The message.
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin")]
    text: Option<String>,
    /// Send each line of the standard input.
    #[arg(long)]
    stdin: bool,
    /// Seconds that a message may wait for the recipient, 5 to 2592000; else 30 days.
    #[arg(long, value_name = "S", value_parser = life())]
    expires_in: Option<u32>,
    /// How far each message must come.
    #[arg(long, value_enum, default_value_t = Wait::Accepted)]
    wait: Wait,
    /// Seconds to wait for it.
    #[arg(long, value_name = "S", default_value_t = 30)]
    timeout: u64,
}

/// What a message's life may be.
pub(super) fn life() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(LIFE_MIN_S)..=i64::from(LIFE_MAX_S))
}

/// How far a message must come.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wait {
    /// Durable at the box.
    Accepted,
    /// A device of the recipient has it; of a group, of each member, where it has receipts.
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
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
}

/// Sends, then waits.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let to = match (arguments.to, arguments.group) {
        (_, Some(group)) => Recipient::Group(group),
        (to, None) => Recipient::User(to.unwrap_or_default()),
    };
    let client = arguments.device.connect()?;
    if let (Recipient::Group(group), Wait::Delivered) = (to, arguments.wait) {
        check_receipts(&client, group)?;
    }
    let mut waiting = Waiting {
        client,
        to,
        life_s: arguments.expires_in.unwrap_or(0),
        wait: arguments.wait,
        timeout: Duration::from_secs(arguments.timeout),
        messages: Vec::new(),
        failed_count: 0,
        meets_stranger: false,
    };
    match &arguments.text {
        Some(text) => waiting.send(vec![text.clone().into_bytes()])?,
        None => waiting.send_lines(io::stdin().lock())?,
    }
    waiting.finish()?;
    waiting.client.close();
    match waiting.failed_count {
        0 => Ok(()),
        count => Err(waiting.not_taken(count)),
    }
}

/// What members of a group have received is told only where it has receipts.
fn check_receipts(client: &Client, group: GroupId) -> Result<(), Failure> {
    match client.group(group)? {
        Some(known) if !known.has_receipts => Err(Failure::new(
            "nobody is told what members of this group have received; an admin may turn that on: \
             answerback group receipts",
        )),
        Some(_) | None => Ok(()),
    }
}

/// Who gets it.
#[derive(Clone, Copy)]
enum Recipient {
    User(UserId),
    Group(GroupId),
}

/// The messages without an outcome that is far enough.
struct Waiting {
    client: Client,
    to: Recipient,
    life_s: u32,
    wait: Wait,
    timeout: Duration,
    messages: Vec<MessageId>,
    failed_count: u64,
    /// One failed since only contacts of the recipient may write first.
    meets_stranger: bool,
}

impl Waiting {
    fn send(&mut self, payloads: Vec<Vec<u8>>) -> Result<(), Failure> {
        let draft = |payload| {
            let draft = match self.to {
                Recipient::User(user) => Draft::new(user, TEXT, payload),
                Recipient::Group(group) => Draft::to_group(group, TEXT, payload),
            };
            draft.with_life_s(self.life_s)
        };
        let drafts = payloads.into_iter().map(draft);
        self.messages.extend(self.client.send_all(drafts.collect())?);
        Ok(())
    }

    /// Keeps at most some hundred lines under way, however long the input is.
    fn send_lines(&mut self, input: impl BufRead) -> Result<(), Failure> {
        let mut payloads = Vec::new();
        for line in input.split(b'\n') {
            payloads.push(line.map_err(|error| {
                Failure::new(format_args!("cannot read the standard input: {error}"))
            })?);
            if payloads.len() == LINES_TOGETHER {
                self.send(std::mem::take(&mut payloads))?;
                self.wait_until(|waiting| waiting.messages.len() <= 4 * LINES_TOGETHER)?;
            }
        }
        self.send(payloads)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.wait_until(|waiting| waiting.messages.is_empty())
    }

    /// Goes on until `is_enough`, over any number of connections; time runs out when so long
    /// nothing came further.
    fn wait_until(&mut self, is_enough: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let clock = Clock::new();
        let mut deadline = self.timeout;
        self.settle()?;
        while !is_enough(self) {
            let left = deadline.saturating_sub(clock.elapsed());
            if left.is_zero() {
                return Err(self.timed_out()?);
            }
            self.client.next_event(left.as_millis() as u64 + 1);
            if self.settle()? {
                deadline = clock.elapsed().saturating_add(self.timeout);
            }
        }
        Ok(())
    }

    fn not_taken(&self, count: u64) -> Failure {
        let line = format!("{count} messages were not taken");
        match self.to {
            Recipient::User(user) if self.meets_stranger => Failure::new(format_args!(
                "{line}: user {user} lets only contacts write first; he has to add this user \
                 (`answerback account contacts add`), or to write to it"
            )),
            _ => Failure::new(line),
        }
    }

    fn timed_out(&self) -> Result<Failure, Failure> {
        let count = self.messages.len();
        let far = if self.wait == Wait::Accepted { "accepted" } else { "delivered" };
        let why = match self.client.connection()? {
            ConnectionState::Offline { reason, .. } => format!(" ({reason})"),
            _ => String::new(),
        };
        let line = format!("{count} messages were not {far} in time; they stay queued{why}");
        Ok(Failure::TimedOut(line))
    }

    /// Prints and forgets what came far enough; whether anything did.
    fn settle(&mut self) -> Result<bool, Failure> {
        if let ConnectionState::Stopped { error } = self.client.connection()? {
            return Err(error.into());
        }
        let mut out = io::stdout().lock();
        let mut still = Vec::new();
        for &id in &self.messages {
            let message = self.client.message(id)?;
            match message.filter(|message| self.is_far_enough(message.state)) {
                None => still.push(id),
                Some(message) => {
                    self.failed_count += u64::from(is_failure(message.state));
                    self.meets_stranger |= is_strangers(&message);
                    print(&mut out, &line(&message))?;
                }
            }
        }
        out.flush().map_err(Failure::of_output)?;
        let is_progress = still.len() < self.messages.len();
        self.messages = still;
        Ok(is_progress)
    }

    fn is_far_enough(&self, state: MessageState) -> bool {
        match state {
            MessageState::Pending => false,
            MessageState::Accepted => self.wait == Wait::Accepted,
            MessageState::Delivered
            | MessageState::Read
            | MessageState::Recalled
            | MessageState::Failed => true,
        }
    }
}

fn is_failure(state: MessageState) -> bool {
    matches!(state, MessageState::Recalled | MessageState::Failed)
}

fn is_strangers(message: &Message) -> bool {
    let number = Code::ContactsOnly.number();
    message.failure.as_ref().is_some_and(|failure| failure.code == number)
}

fn line(message: &Message) -> Line {
    let state = match message.state {
        MessageState::Pending => "pending",
        MessageState::Accepted => "accepted",
        MessageState::Delivered => "delivered",
        MessageState::Read => "read",
        MessageState::Recalled => "recalled",
        MessageState::Failed => "failed",
    };
    let code = message.failure.as_ref().map(|failure| failure.code);
    Line {
        to: message.id.peer.to_string(),
        sequence: message.id.sequence.0,
        state,
        accepted_at_ms: message.accepted_at_ms,
        code,
        reason: message.failure.as_ref().map(|failure| failure.name.clone()),
        class: code.and_then(Class::of).map(Class::name),
    }
}

fn print(out: &mut impl Write, line: &Line) -> Result<(), Failure> {
    writeln!(out, "{}", serde_json::to_string(line)?).map_err(Failure::of_output)
}
