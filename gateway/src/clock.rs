//! The one place of this crate that reads clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock, counted from the box's start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that shows 0.
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Now, µs since the start.
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    pub(crate) fn now_us(&self) -> u64 {
        saturate(Instant::now().duration_since(self.start).as_micros())
    }
}

/// The wall clock, ms since 1970; 0 where it stands before.
#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    saturate(since.as_millis())
}

fn saturate(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
