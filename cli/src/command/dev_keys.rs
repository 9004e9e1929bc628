//! `answerback dev-keys`: the pair that signs and checks tokens in development, and a
//! certificate.

use std::path::PathBuf;

use clap::Args;

use crate::exit::Failure;
use crate::{dev_certificate, keys};

const EXAMPLE: &str = "\
Makes DIR/dev.pem (private, mode 600) and DIR/jwks.json (for `serve --jwks`); DIR/tls.crt, a
certificate for localhost, 127.0.0.1 and ::1, and its DIR/tls.key (private). What is there is kept.

  answerback dev-keys --dir run/keys
  answerback serve --data run/data --jwks run/keys/jwks.json \\
    --tls-certificate run/keys/tls.crt --tls-key run/keys/tls.key";

/// Where to.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The directory of the pair.
    #[arg(long, value_name = "DIR", default_value = "run/keys")]
    dir: PathBuf,
}

/// Makes what is missing.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let is_new = keys::make(&arguments.dir)? | dev_certificate::make(&arguments.dir)?;
    let what = if is_new { "made new keys in" } else { "kept the keys in" };
    println!("{what} {}", arguments.dir.display());
    Ok(())
}
