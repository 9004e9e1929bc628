//! `answerback token`: a token as an account service would give it.

use std::path::PathBuf;

use answerback_proto::id::{DeviceId, UserId};
use clap::Args;

use crate::exit::Failure;
use crate::keys::Signer;

const EXAMPLE: &str = "\
  ANSWERBACK_TOKEN=$(answerback token --user 1 --device 7) answerback send --user 1 --device 7 --to 2 hello";

/// For whom.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The directory of the pair that `dev-keys` made.
    #[arg(long, value_name = "DIR", default_value = "run/keys")]
    keys: PathBuf,
    /// The user that logs in.
    #[arg(long, value_name = "ID")]
    user: UserId,
    /// The device that logs in.
    #[arg(long, value_name = "ID", default_value = "1")]
    device: DeviceId,
    /// How long it is valid.
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    hours: u32,
}

/// Prints the token.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let signer = Signer::open(&arguments.keys)?;
    println!("{}", signer.token(arguments.user, arguments.device, arguments.hours)?);
    Ok(())
}
