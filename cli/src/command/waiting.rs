//! Waiting for what a device is told, over any number of connections.

use std::time::Duration;

use answerback_sdk::{AskId, Client, ClientEvent, ConnectionState, Outcome};

use crate::clock::Clock;
use crate::exit::Failure;

/// How long a command waits.
pub(super) struct Waiting {
    clock: Clock,
    timeout: Duration,
}

impl Waiting {
    /// From now on, for so long.
    pub(super) fn start(timeout: Duration) -> Self {
        Self { clock: Clock::new(), timeout }
    }

    /// Waits for the answer to what was asked.
    ///
    /// # Errors
    /// None came in time, or none will.
    pub(super) fn answer(&self, client: &Client, asked: AskId) -> Result<Outcome, Failure> {
        self.event(client, |event| match event {
            ClientEvent::Answered { ask, outcome } if ask == asked => Some(outcome),
            _ => None,
        })
    }

    /// Waits until something is so.
    ///
    /// # Errors
    /// As above.
    pub(super) fn until(
        &self,
        client: &Client,
        is_so: impl Fn() -> Result<bool, answerback_sdk::Error>,
    ) -> Result<(), Failure> {
        while !is_so()? {
            self.event(client, Some)?;
        }
        Ok(())
    }

    /// Waits for an event.
    ///
    /// # Errors
    /// As above.
    pub(super) fn event<T>(
        &self,
        client: &Client,
        mut of_event: impl FnMut(ClientEvent) -> Option<T>,
    ) -> Result<T, Failure> {
        loop {
            let left = self.timeout.saturating_sub(self.clock.elapsed());
            if left.is_zero() {
                return Err(Failure::TimedOut("the box did not answer in time".to_owned()));
            }
            let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
            match client.next_event(left_ms) {
                Some(ClientEvent::ConnectionChanged {
                    state: ConnectionState::Stopped { error },
                })
                | Some(ClientEvent::WatchRefused { error }) => return Err(error.into()),
                Some(event) => {
                    if let Some(found) = of_event(event) {
                        return Ok(found);
                    }
                }
                None => {}
            }
        }
    }
}
