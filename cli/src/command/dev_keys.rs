//! `answerback dev-keys`: the pair that signs and checks tokens in development.

use std::path::PathBuf;

use clap::Args;

use crate::exit::Failure;
use crate::keys;

const EXAMPLE: &str = "\
Makes DIR/dev.pem (private, mode 600) and DIR/jwks.json (for `serve --jwks`), and keeps a
pair that is there.

  answerback dev-keys --dir run/keys";

/// Where to.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The directory of the pair.
    #[arg(long, value_name = "DIR", default_value = "run/keys")]
    dir: PathBuf,
}

/// Makes the pair where it is missing.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let is_new = keys::make(&arguments.dir)?;
    let what = if is_new { "made new keys in" } else { "kept the keys in" };
    println!("{what} {}", arguments.dir.display());
    Ok(())
}
