//! The operator's commands as requests, and what becomes of them.

use answerback_directory::shard::Administered;
use answerback_gateway::Command;
use answerback_proto::id::{DeviceId, UserId};
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
