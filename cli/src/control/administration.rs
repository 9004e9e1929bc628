//! The operator's commands as requests, and what becomes of them.

use answerback_directory::shard::Administered;
use answerback_gateway::Command;
use answerback_proto::id::{DeviceId, TokenId, UserId};
use serde::{Deserialize, Serialize};

use super::Request;
use crate::exit::Failure;

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It is done, and durable.
    Done,
    /// It was so already.
    WasSo,
    /// There is no such user or device.
    Unknown,
    /// The user is being purged; later.
    Busy,
    /// No more tokens of the user can be remembered one by one.
    Full,
}

/// The same as an answer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Administration {
    pub(crate) outcome: Outcome,
}

impl From<Administered> for Outcome {
    fn from(administered: Administered) -> Self {
        match administered {
            Administered::Done => Self::Done,
            Administered::WasSo => Self::WasSo,
            Administered::Unknown => Self::Unknown,
            Administered::Busy => Self::Busy,
            Administered::Full => Self::Full,
        }
    }
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        match command {
            Command::AddUser(user) => Self::AddUser { user: user.to_string() },
            Command::Revoke(user, device) => {
                Self::RevokeDevice { user: user.to_string(), device: device.to_string() }
            }
            Command::RevokeUser(user) => Self::RevokeUser { user: user.to_string() },
            Command::RevokeTokens(user, issued_before_s) => {
                Self::RevokeTokens { user: user.to_string(), issued_before_s }
            }
            Command::RevokeToken(user, token, expires_s) => {
                let (user, token) = (user.to_string(), token.to_string());
                Self::RevokeToken { user, token, expires_s }
            }
            Command::PurgeUser(user) => Self::PurgeUser { user: user.to_string() },
            Command::ConfirmClock => Self::ConfirmClock {},
        }
    }
}

/// A user's id as a request has it.
pub(super) fn parse_user(text: &str) -> Result<UserId, Failure> {
    text.parse().map_err(|error| Failure::new(format_args!("{text:?} is no user's id: {error}")))
}

/// A device's id as a request has it.
pub(super) fn parse_device(text: &str) -> Result<DeviceId, Failure> {
    text.parse().map_err(|error| Failure::new(format_args!("{text:?} is no device's id: {error}")))
}

/// A token's id as a request has it: a number.
pub(super) fn parse_token(text: &str) -> Result<TokenId, Failure> {
    let number = text.parse().map(TokenId);
    number.map_err(|error| Failure::new(format_args!("{text:?} is no token's id: {error}")))
}
