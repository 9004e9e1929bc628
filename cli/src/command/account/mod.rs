//! `answerback account`: what users do about their own things, each by a device of theirs.

mod chats;
mod contacts;
mod devices;
mod report;

use std::time::Duration;

use answerback_proto::code::Code;
use answerback_sdk::{self as sdk, Ask, AskId, Client, Outcome};
use clap::{Args, Subcommand};

use super::device;
use super::waiting::Waiting;
use crate::exit::Failure;

const EXAMPLE: &str = "\
Each acts as a device of the user's, as `send` and `recv` do, and asks the box as an app would; an
operator's commands are `answerback user` and `answerback device`.

  answerback account devices --user 1
  answerback account name --user 1 7 \"Anna's phone\"
  answerback account revoke --user 1 7
  answerback account block --user 1 2
  answerback account mute --user 1 3 --hours 8
  answerback account contacts --user 1
  answerback account contacts --user 1 add 2 3
  answerback account contacts --user 1 only
  answerback account report --user 1 2 --reason 1 --excerpt 'buy now!'

Exit codes: 0 done, 1 the box declined it, or it failed, 2 wrong usage, 3 time ran out.";

/// What to do.
#[derive(Subcommand)]
#[command(after_help = EXAMPLE)]
pub(crate) enum Command {
    /// List the user's devices, as JSON lines.
    Devices(devices::ListArguments),
    /// Give one of the user's devices a name.
    Name(devices::NameArguments),
    /// Log one of the user's devices out, for ever.
    Revoke(devices::RevokeArguments),
    /// Let nothing of another user come any more.
    Block(chats::PeerArguments),
    /// End that; what was sent meanwhile does not come.
    Unblock(chats::PeerArguments),
    /// Have no notifications of a chat.
    Mute(chats::MuteArguments),
    /// Have them again.
    Unmute(chats::PeerArguments),
    /// Have read receipts of a chat, or not.
    Receipts(chats::ReceiptsArguments),
    /// List the chats that are blocked, muted or without read receipts, as JSON lines.
    Chats(chats::ListArguments),
    /// List the user's contacts, change them, or say whether only they may write first.
    Contacts(contacts::ContactsArguments),
    /// Tell the operator of another user.
    Report(report::ReportArguments),
}

/// As whom, and how long.
#[derive(Args)]
struct Acting {
    #[command(flatten)]
    device: device::DeviceArguments,
    /// Seconds to wait for the box's answer.
    #[arg(long, value_name = "S", default_value_t = 30)]
    timeout: u64,
}

/// Has it done.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Devices(arguments) => devices::list(arguments),
        Command::Name(arguments) => devices::name(arguments),
        Command::Revoke(arguments) => devices::revoke(arguments),
        Command::Block(arguments) => chats::block(arguments, true),
        Command::Unblock(arguments) => chats::block(arguments, false),
        Command::Mute(arguments) => chats::mute(arguments),
        Command::Unmute(arguments) => chats::unmute(arguments),
        Command::Receipts(arguments) => chats::receipts(arguments),
        Command::Chats(arguments) => chats::list(arguments),
        Command::Contacts(arguments) => contacts::run(arguments),
        Command::Report(arguments) => report::report(arguments),
    }
}

impl Acting {
    /// Asks, and waits for the answer.
    fn ask(&self, ask: Ask) -> Result<Outcome, Failure> {
        self.perform(|client| client.ask(ask))
    }

    fn perform(
        &self,
        act: impl FnOnce(&Client) -> Result<AskId, sdk::Error>,
    ) -> Result<Outcome, Failure> {
        let client = self.device.connect()?;
        let asked = act(&client)?;
        let outcome = Waiting::start(Duration::from_secs(self.timeout)).answer(&client, asked)?;
        client.close();
        Ok(outcome)
    }

    /// The same, of what is done or not.
    fn have_done(
        &self,
        act: impl FnOnce(&Client) -> Result<AskId, sdk::Error>,
    ) -> Result<(), Failure> {
        match self.perform(act)? {
            Outcome::Declined { code } => Err(declined(code)),
            _ => Ok(()),
        }
    }
}

pub(super) fn declined(number: u16) -> Failure {
    Failure::new(why_declined(number))
}

/// Why a box declined what a user asked of it, in words.
pub(crate) fn why_declined(number: u16) -> String {
    let why = match Code::from_number(number) {
        Some(Code::UnknownDevice) => {
            "the user has no such device; see `answerback account devices`"
        }
        Some(Code::ListFull) => "the list holds as much as it may, 4096",
        Some(Code::ReportsUnavailable) => "the operator of this box takes no reports",
        Some(Code::UnknownUser) => "nobody with this id ever was",
        Some(Code::NotYourself) => "that is the user itself",
        Some(Code::FrameMalformed) => "an excerpt has at most 4096 bytes",
        Some(Code::UnknownGroup) => "there is no such group",
        Some(Code::NotMember) => "you are no member of this group",
        Some(Code::NotAdmin) => "your role in this group does not allow it",
        Some(Code::GroupFull) => "a group has at most 1024 members",
        Some(Code::AddsOneself) => "you are in it already",
        Some(Code::UnknownKind) => "this box does not know that request; it is older",
        Some(code) => code.name(),
        None => "for a reason that this version does not know",
    };
    format!("declined ({number}): {why}")
}
