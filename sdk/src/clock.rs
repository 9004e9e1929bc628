//! The one place of this crate that reads a clock.

use std::time::{Duration, Instant, SystemTime};

/// A monotonic clock that begins at 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { origin: now() }
    }

    /// Time since it began.
    pub(crate) fn elapsed(&self) -> Duration {
        now().saturating_duration_since(self.origin)
    }

    /// The same, ms.
    pub(crate) fn now_ms(&self) -> u64 {
        self.elapsed().as_millis() as u64
    }
}

/// Milliseconds since 1970, as the system says.
#[expect(clippy::disallowed_methods, reason = "the clock module")]
pub(crate) fn unix_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_1970.map_or(0, |time| time.as_millis() as u64)
}

#[expect(clippy::disallowed_methods, reason = "the clock module")]
fn now() -> Instant {
    Instant::now()
}
