//! `answerback token`: a token as an account service would give it.

use std::path::PathBuf;

use answerback_proto::id::{DeviceId, UserId};
use clap::Args;

use crate::exit::Failure;
use crate::keys::{Signer, Terms};
use crate::moment::{self, Moment};

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
    /// Its name, by which `answerback user revoke-token` declares it void; one that no other
    /// token has where it is not given.
    #[arg(long, value_name = "NAME", value_parser = parse_jti)]
    jti: Option<String>,
    /// It is not valid before: a time like 2026-03-01T12:00:00Z, or seconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    not_before: Option<Moment>,
}

/// Prints the token.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let signer = Signer::open(&arguments.keys)?;
    let terms = Terms {
        jti: arguments.jti.clone(),
        not_before_s: arguments.not_before.map(|moment| moment.unix_s),
    };
    let Arguments { user, device, hours, .. } = *arguments;
    println!("{}", signer.token_on(user, device, hours, &terms)?);
    Ok(())
}

/// As a box takes it.
fn parse_jti(text: &str) -> Result<String, String> {
    if (1..=128).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err("a name has 1 to 128 bytes".to_owned())
    }
}
