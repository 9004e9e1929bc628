//! The device that `chat`, `send` and `recv` act as: its file, its token, its connection.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use answerback_proto::id::{DeviceId, UserId};
use answerback_sdk::storage::Storage;
use answerback_sdk::transport::Connector;
use answerback_sdk::{self as sdk, ConnectionState, TokenSource};
use clap::Args;

use super::security::SecurityArguments;

use crate::exit::Failure;
use crate::keys::Signer;
use crate::random;

/// A token that is minted here lives longer than a command.
const TOKEN_HOURS: u32 = 24;

/// What may be told of whom to trust.
const HINT_UNTRUSTED: &str = "; see --tls, --ca, --pin, --server-name";

/// Who, where to, and with which token.
#[derive(Args)]
pub(crate) struct DeviceArguments {
    /// The user to act as.
    #[arg(long, value_name = "ID")]
    user: UserId,
    /// The user's device; without it the one of the state directory, or a new one.
    #[arg(long, value_name = "ID")]
    device: Option<DeviceId>,
    /// The box.
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "ANSWERBACK_ADDR",
        default_value = "127.0.0.1:7400"
    )]
    addr: String,
    /// The token of user and device; without it one is minted from the keys.
    #[arg(long, value_name = "JWT", env = "ANSWERBACK_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The directory of development keys.
    #[arg(long, value_name = "DIR", default_value = "run/keys")]
    keys: PathBuf,
    /// Where devices are kept, a file each; else $XDG_STATE_HOME/answerback or
    /// ~/.local/state/answerback.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    #[command(flatten)]
    security: SecurityArguments,
}

impl DeviceArguments {
    /// Opens the device's file; a thread of the client's connects it.
    ///
    /// # Errors
    /// The file cannot be used, there is no key.
    pub(crate) fn open(&self) -> Result<sdk::Client, Failure> {
        let (device, path) = self.device_and_file()?;
        let tokens = match &self.token {
            Some(token) => {
                // Who gives a token wants to see what becomes of it, not of an older ticket.
                Storage::open(&path, self.user, device)?.forget_ticket()?;
                Tokens::Given(token.clone())
            }
            None => {
                let signer = Box::new(Signer::open(&self.keys)?);
                Tokens::Minted { signer, user: self.user, device }
            }
        };
        let mut options = sdk::Options::new(self.addr.clone(), self.user, device, path);
        options.security = self.security.security()?;
        Ok(sdk::Client::open(options, Box::new(tokens))?)
    }

    /// The same, and waits until it is connected.
    ///
    /// # Errors
    /// There is no box, or it does not open the session.
    pub(crate) fn connect(&self) -> Result<sdk::Client, Failure> {
        let client = self.open()?;
        loop {
            match client.connection()? {
                ConnectionState::Online => return Ok(client),
                ConnectionState::Stopped { error } => return Err(error.into()),
                ConnectionState::Offline { reason, is_untrusted, .. } => {
                    let hint = match reason.starts_with("cannot connect") {
                        true if is_untrusted => HINT_UNTRUSTED,
                        true => "; is the box running?",
                        false => "",
                    };
                    return Err(Failure::new(format_args!("{reason}{hint}")));
                }
                ConnectionState::Connecting => drop(client.next_event(u64::MAX)),
            }
        }
    }

    /// What a session without a client needs: the way to the box, the device's file, a token.
    ///
    /// # Errors
    /// The file cannot be used, there is no key, nobody could be trusted.
    pub(crate) fn without_client(&self) -> Result<(Connector, Storage, String), Failure> {
        let (device, path) = self.device_and_file()?;
        let token = self.token_of(device)?;
        let connector = Connector::new(&self.addr, &self.security.security()?)?;
        Ok((connector, Storage::open(&path, self.user, device)?, token))
    }

    fn device_and_file(&self) -> Result<(DeviceId, PathBuf), Failure> {
        let directory = self.state_directory()?;
        fs::create_dir_all(&directory).map_err(|error| {
            let directory = directory.display();
            Failure::new(format_args!("cannot make the state directory {directory}: {error}"))
        })?;
        let device = self.device.map_or_else(|| self.usual_device(&directory), Ok)?;
        Ok((device, directory.join(file_name(self.user, device))))
    }

    fn token_of(&self, device: DeviceId) -> Result<String, Failure> {
        match &self.token {
            Some(token) => Ok(token.clone()),
            None => Signer::open(&self.keys)?.token(self.user, device, TOKEN_HOURS),
        }
    }

    fn state_directory(&self) -> Result<PathBuf, Failure> {
        let from = |name, below: &str| env::var_os(name).map(|path| Path::new(&path).join(below));
        self.state
            .clone()
            .or_else(|| from("XDG_STATE_HOME", "answerback"))
            .or_else(|| from("HOME", ".local/state/answerback"))
            .ok_or_else(|| Failure::new("no home directory for the device's file; use --state DIR"))
    }

    /// The user's device in the directory, the lowest of several; a new one where none is:
    /// a lost file must not come back as the device that it was.
    fn usual_device(&self, directory: &Path) -> Result<DeviceId, Failure> {
        if self.token.is_some() {
            return Err(Failure::new("a token is for one device; say which with --device"));
        }
        let known = fs::read_dir(directory)?
            .filter_map(|entry| device_of(self.user, entry.ok()?.file_name().to_str()?))
            .min();
        known.map_or_else(|| Ok(DeviceId(random::id()?)), Ok)
    }
}

/// Where a client's tokens come from.
enum Tokens {
    Given(String),
    /// Made anew for each connection.
    Minted {
        signer: Box<Signer>,
        user: UserId,
        device: DeviceId,
    },
}

impl TokenSource for Tokens {
    fn token(&self) -> Result<String, String> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::Minted { signer, user, device } => signer
                .token(*user, *device, TOKEN_HOURS)
                .map_err(|failure| failure.line().to_owned()),
        }
    }
}

fn file_name(user: UserId, device: DeviceId) -> String {
    format!("user-{user}-device-{device}.sqlite")
}

fn device_of(user: UserId, file_name: &str) -> Option<DeviceId> {
    let rest = file_name.strip_prefix(&format!("user-{user}-device-"))?;
    rest.strip_suffix(".sqlite")?.parse().ok().map(DeviceId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_found_by_its_file() {
        let name = file_name(UserId(1), DeviceId(u128::MAX));
        assert_eq!(device_of(UserId(1), &name), Some(DeviceId(u128::MAX)));
        assert_eq!(device_of(UserId(11), &name), None);
        assert_eq!(device_of(UserId(1), &format!("{name}-wal")), None);
    }
}
