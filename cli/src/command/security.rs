//! How a connection to a box is protected, as `chat`, `send` and `recv` are told.

use std::fs;
use std::path::PathBuf;

use answerback_sdk::{Pin, Roots, Security, Tls};
use clap::Args;

use crate::exit::Failure;

/// Nothing said is plain TCP to this machine; anything said about certificates is TLS.
#[derive(Args)]
pub(crate) struct SecurityArguments {
    /// Use TLS. Without it, only this machine is connected to.
    #[arg(long, help_heading = "TLS")]
    tls: bool,
    /// Certificates, in PEM, of who may have signed the box's; else the authorities of browsers.
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    ca: Option<PathBuf>,
    /// A key that the box may have, as `answerback pin` prints it; any number of them.
    #[arg(long, value_name = "HEX", help_heading = "TLS", value_delimiter = ',')]
    pin: Vec<Pin>,
    /// The pins alone decide, whoever signed the certificate, for whatever name and time.
    #[arg(long, help_heading = "TLS", requires = "pin", conflicts_with_all = ["ca", "server_name"])]
    pinned_only: bool,
    /// The name that the certificate must be for; else the host of the address.
    #[arg(long, value_name = "NAME", help_heading = "TLS")]
    server_name: Option<String>,
    /// Plain TCP to another machine: whoever stands on the way reads everything.
    #[arg(long, help_heading = "TLS", conflicts_with_all = ["tls", "ca", "pin", "server_name"])]
    plaintext: bool,
}

impl SecurityArguments {
    /// As the client's library is told.
    ///
    /// # Errors
    /// The file of certificates cannot be read.
    pub(crate) fn security(&self) -> Result<Security, Failure> {
        let says_tls = self.tls || !self.pin.is_empty() || self.server_name.is_some();
        let roots = match &self.ca {
            Some(path) => Roots::Pem(fs::read(path).map_err(|error| {
                let path = path.display();
                Failure::new(format_args!("cannot read the certificates of {path}: {error}"))
            })?),
            None if self.pinned_only => Roots::PinnedOnly,
            None => Roots::WebPki,
        };
        if !says_tls && self.ca.is_none() {
            let plain = if self.plaintext { Security::Plaintext } else { Security::Loopback };
            return Ok(plain);
        }
        let (server_name, pins) = (self.server_name.clone(), self.pin.clone());
        Ok(Security::Tls(Tls { server_name, roots, pins }))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        security: SecurityArguments,
    }

    fn security(words: &[&str]) -> Result<Security, clap::Error> {
        let line = Line::try_parse_from(["answerback"].iter().chain(words))?;
        Ok(line.security.security().unwrap())
    }

    #[test]
    fn whatever_is_said_about_certificates_is_tls() {
        assert_eq!(security(&[]).unwrap(), Security::Loopback);
        assert_eq!(security(&["--plaintext"]).unwrap(), Security::Plaintext);
        assert_eq!(security(&["--tls"]).unwrap(), Security::Tls(Tls::default()));
        let one = "ab".repeat(32);
        let pin: Pin = one.parse().unwrap();
        let pinned = |pins, roots| Security::Tls(Tls { server_name: None, roots, pins });
        assert_eq!(security(&["--pin", &one]).unwrap(), pinned(vec![pin], Roots::WebPki));
        let both = format!("{one},{one}");
        let alone = security(&["--pin", &both, "--pinned-only"]).unwrap();
        assert_eq!(alone, pinned(vec![pin, pin], Roots::PinnedOnly));
        let named = security(&["--server-name", "box"]).unwrap();
        let server_name = Some("box".to_owned());
        assert_eq!(named, Security::Tls(Tls { server_name, ..Tls::default() }));
        let file = tempfile::NamedTempFile::new().unwrap();
        let of_file = security(&["--ca", file.path().to_str().unwrap()]).unwrap();
        assert_eq!(of_file, pinned(Vec::new(), Roots::Pem(Vec::new())));
    }

    #[test]
    fn what_contradicts_itself_is_wrong_usage() {
        for wrong in [
            &["--plaintext", "--tls"][..],
            &["--plaintext", "--ca", "x"],
            &["--pinned-only"],
            &["--pin", "00"],
            &["--pin", &"ab".repeat(32), "--pinned-only", "--ca", "x"],
        ] {
            assert!(security(wrong).is_err(), "{wrong:?}");
        }
    }
}
