//! What a person types, one module a command.

pub(crate) mod dev_keys;
mod device;
pub(crate) mod recv;
pub(crate) mod send;
pub(crate) mod token;

use answerback_proto::id::{DeviceId, UserId};

/// A user's id on the command line.
pub(crate) fn parse_user(text: &str) -> Result<UserId, String> {
    parse_id(text).map(UserId)
}

/// A device's id on the command line.
pub(crate) fn parse_device(text: &str) -> Result<DeviceId, String> {
    parse_id(text).map(DeviceId)
}

fn parse_id(text: &str) -> Result<u128, String> {
    text.parse().map_err(|_| "an id is a number of at most 128 bits".to_owned())
}
