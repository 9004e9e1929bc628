//! The one place of this crate that reads clocks.

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

    /// The same, ns.
    pub(crate) fn now_ns(&self) -> u64 {
        self.elapsed().as_nanos() as u64
    }

    /// The same, s.
    pub(crate) fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }
}

/// Lets as much time pass.
#[expect(clippy::disallowed_methods, reason = "the clock module")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

#[expect(clippy::disallowed_methods, reason = "the clock module")]
fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the clock module")]
pub(crate) fn unix_ms() -> u64 {
    let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    age.map_or(0, |age| age.as_millis() as u64)
}
