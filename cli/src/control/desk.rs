//! What a box answers.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Answer, Request};
use crate::clock::Clock;
use crate::exit::Failure;

/// What requests are answered from.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) status: Status,
    pub(crate) clock: Clock,
}

/// How a box is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) process: u32,
    pub(crate) listen: SocketAddr,
    pub(crate) partitions: u16,
    pub(crate) cores: u16,
    /// Raised by a restore: places of an earlier one are void.
    pub(crate) generation: u64,
    /// How long reading its data took.
    pub(crate) restored_ms: u64,
    /// Since when it runs.
    pub(crate) uptime_s: u64,
}

impl Desk {
    /// Does what is asked.
    pub(super) fn answer(&self, request: Request) -> Answer {
        let done = match request {
            Request::Status {} => self.status(),
        };
        match done.and_then(|done| Ok(serde_json::to_value(done)?)) {
            Ok(value) => Answer::Done(value),
            Err(failure) => Answer::Error(failure.line().to_owned()),
        }
    }

    fn status(&self) -> Result<Status, Failure> {
        let uptime_s = self.clock.elapsed().as_secs();
        Ok(Status { uptime_s, ..self.status.clone() })
    }
}
