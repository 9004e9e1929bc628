//! `answerback pin`: the pin of a box's key, for `--pin` and for the options of an app.

use std::fs;
use std::path::PathBuf;

use answerback_sdk::Pin;
use clap::Args;

use crate::exit::Failure;

const EXAMPLE: &str = "\
Prints the SHA-256 of the certificate's public key, 64 hexadecimal digits. It stays the same
when the certificate is renewed with the same key. Of a file, it is the first certificate's:

  answerback pin --cert run/tls/chain.pem
  answerback pin --connect chat.example:7400

What a box shows may be what somebody on the way shows: compare it with what its operator says.";

/// Of a file, or of a box.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
#[group(required = true, multiple = true)]
pub(crate) struct Arguments {
    /// The certificate of a box, in PEM.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["connect", "server_name"])]
    cert: Option<PathBuf>,
    /// A box, which shows its certificate.
    #[arg(long, value_name = "HOST:PORT")]
    connect: Option<String>,
    /// The name that it is asked for; else the host.
    #[arg(long, value_name = "NAME", requires = "connect")]
    server_name: Option<String>,
}

/// Prints it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let pin = match (&arguments.cert, &arguments.connect) {
        (Some(path), _) => {
            let of_path = |error: &dyn std::fmt::Display| {
                Failure::new(format_args!("cannot read {}: {error}", path.display()))
            };
            let pem = fs::read(path).map_err(|error| of_path(&error))?;
            Pin::of_pem(&pem).map_err(|error| of_path(&error))?
        }
        (None, Some(address)) => {
            Pin::of_server(address, arguments.server_name.clone()).map_err(|error| {
                Failure::new(format_args!("cannot see the key of {address}: {error}"))
            })?
        }
        (None, None) => {
            return Err(Failure::new("say which key: --cert FILE, --connect HOST:PORT"));
        }
    };
    println!("{pin}");
    Ok(())
}
