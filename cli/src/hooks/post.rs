//! One signed request.

use std::time::Duration;

use ureq::Agent;

use super::HookSettings;
use super::secret::HookSecret;
use crate::clock::unix_s;
use crate::exit::Failure;
use crate::random;
use crate::web::{Asking, Url, agent};

/// What a server says besides its status is read so far, and means nothing.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;
/// The longest pause after a first failure, ms.
const FIRST_PAUSE_MS: u64 = 500;
/// The longest of all, ms.
const LAST_PAUSE_MS: u64 = 30_000;

/// Where requests go, and what they are signed with.
pub(super) struct Post {
    agent: Agent,
    url: Url,
    secret: HookSecret,
}

impl Post {
    pub(super) fn new(
        url: &Url,
        settings: &HookSettings,
        secret: HookSecret,
    ) -> Result<Self, Failure> {
        let asking = Asking {
            authorities: settings.authorities.as_deref(),
            key: "hooks.ca",
            deadline: Duration::from_millis(settings.timeout_ms),
            idle_max: 1,
        };
        let agent = agent(url.as_str(), asking).map_err(Failure::new)?;
        Ok(Self { agent, url: url.clone(), secret })
    }

    /// Sends it once. `delivery` is the same in every attempt with the same body.
    ///
    /// # Errors
    /// Anything but an answer of the class 2xx in time, in words without ids.
    pub(super) fn send(&self, delivery: &str, body: &[u8]) -> Result<(), String> {
        let at_s = unix_s();
        let request = self
            .agent
            .post(self.url.as_str())
            .header("content-type", "application/json")
            .header("answerback-delivery", delivery)
            .header("answerback-timestamp", at_s.to_string())
            .header("answerback-signature", self.secret.sign(at_s, body));
        let mut response = request.send(body).map_err(|error| error.to_string())?;
        let status = response.status();
        // Read, so that the connection can be used again; it is of no other use.
        let _ = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        if status.is_success() {
            return Ok(());
        }
        Err(format!("the server answered {status}"))
    }
}

/// How long to wait after the n-th failure in a row, from 1: any part of a time that doubles, so
/// that boxes whose server comes back do not all ask it at once.
pub(super) fn pause_ms(failures: u32) -> u64 {
    let doublings = failures.saturating_sub(1).min(16);
    let longest_ms = FIRST_PAUSE_MS.saturating_mul(1 << doublings).min(LAST_PAUSE_MS);
    let drawn = random::bytes().map_or(longest_ms, u64::from_le_bytes);
    drawn % (longest_ms + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute_and_are_drawn_from_the_whole_range() {
        for (failures, longest_ms) in [(1, 500), (2, 1000), (4, 4000), (7, 30_000), (900, 30_000)] {
            let drawn: Vec<_> = (0..2000).map(|_| pause_ms(failures)).collect();
            let (least, most) = (drawn.iter().min().unwrap(), drawn.iter().max().unwrap());
            assert!(*most <= longest_ms && *most > longest_ms * 9 / 10, "{most} of {longest_ms}");
            assert!(*least < longest_ms / 10, "{least} of {longest_ms}");
        }
    }
}
