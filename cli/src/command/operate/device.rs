//! `answerback device`: devices that are taken from their users.

use std::path::PathBuf;

use answerback_gateway::Command as Administrative;
use answerback_proto::id::{DeviceId, UserId};
use clap::{Args, Subcommand};

use super::Operator;
use crate::control::Outcome;
use crate::exit::Failure;

const EXAMPLE: &str = "\
A revoked device is never let in again, whatever its token says, and what only it had not
acknowledged waits for it no longer: for a phone that was lost or sold. The user's other devices
go on. It cannot be undone; the same phone comes back as a new device. A box that runs is asked,
through DIR/control.sock; the data of one that is stopped is opened.

  answerback device revoke --data run/data 1 7

Exit codes: 0 it is revoked, 1 the user has no such device, or it failed, 2 wrong usage.";

/// What to do about devices.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Take a device from its user, for ever.
    Revoke(Arguments),
}

/// Which, and where.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory of the box.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Whose device.
    #[arg(value_name = "USER")]
    user: UserId,
    /// Which one.
    #[arg(value_name = "DEVICE")]
    device: DeviceId,
}

/// Has it done.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    let Command::Revoke(Arguments { data, user, device }) = command;
    match Operator::new(data).perform(Administrative::Revoke(*user, *device))? {
        Outcome::Done => println!("device {device} of user {user} is revoked"),
        Outcome::WasSo => println!("device {device} of user {user} was revoked already"),
        Outcome::Unknown | Outcome::Busy | Outcome::Full => {
            return Err(Failure::new(format_args!(
                "user {user} has no device {device}: check both ids; a device is known from its \
                 first login on"
            )));
        }
    }
    Ok(())
}
