//! What a box has journaled, as it says itself: the directory does not tell, since journals are
//! trimmed and files made ahead.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::arguments::TargetArguments;
use crate::clock::Clock;
use crate::control::{Request, Status, ask};
use crate::exit::Failure;

/// The box looks at itself once a second.
const LOOK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(5);

/// The box that serves a directory.
#[derive(Debug)]
pub(super) struct Journal {
    data: Option<PathBuf>,
}

impl Journal {
    /// Of the box whose data directory is named, if any is.
    pub(super) fn new(target: &TargetArguments) -> Self {
        Self { data: target.server_data.clone() }
    }

    /// Bytes that it has committed by now; none where it cannot be asked.
    ///
    /// # Errors
    /// It says what this version does not read.
    pub(super) fn bytes(&self) -> Result<Option<u64>, Failure> {
        let Some(data) = &self.data else { return Ok(None) };
        let clock = Clock::new();
        while clock.elapsed() < PATIENCE {
            let Ok(Some(answer)) = ask(data, &Request::Status {}) else { return Ok(None) };
            let seen = serde_json::from_value::<Status>(answer)?.seen;
            let is_of_now = Duration::from_millis(seen.age_ms) < clock.elapsed();
            if let Some(traffic) = seen.traffic.filter(|_| is_of_now) {
                return Ok(Some(traffic.committed_bytes_total));
            }
            rest();
        }
        Ok(None)
    }
}

#[expect(clippy::disallowed_methods, reason = "the box looks at itself by the clock, unheard")]
fn rest() {
    thread::sleep(LOOK);
}
