//! `answerback chat`: a messenger in the terminal.

use answerback_proto::id::UserId;
use clap::Args;

use super::{device, send};
use crate::chat;
use crate::exit::Failure;

const EXAMPLE: &str = "\
Two terminals, beside a box that `make run` started:
  answerback chat --user 1 --to 2
  answerback chat --user 2 --to 1

  …        written, and kept in the device's file until there is a connection
  ✓        accepted: on the box's disk
  ✓✓       delivered: a device of the recipient has it
  ✓✓ read  the recipient has seen it
  ✗        failed, and why; Ctrl-R sends it again

Ctrl-X deletes the open chat, on all devices of the user.

What the keys do stands at the bottom. The device is the one that send and recv use for this
user, by one of them at a time. Times are those of your time zone (TZ). NO_COLOR=1 goes
without colours.";

/// Who, and with whom at first.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    device: device::DeviceArguments,
    /// Whom to write to; without it the list of chats comes first.
    #[arg(long, value_name = "ID")]
    to: Option<UserId>,
    /// Seconds that what is sent may wait for its recipient, 5 to 2592000; else 30 days.
    #[arg(long, value_name = "S", value_parser = send::life())]
    expires_in: Option<u32>,
}

/// Chats until the person leaves.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    chat::check_terminal()?;
    let life_s = arguments.expires_in.unwrap_or(0);
    chat::run(arguments.device.open()?, arguments.to, life_s)
}
