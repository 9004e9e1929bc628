//! How many connections a box takes in a second, over all cores.

use std::sync::atomic::{AtomicU64, Ordering};

use super::bucket::{Bucket, Pace};
use crate::clock::Clock;

/// The bucket that all cores take from.
#[derive(Debug)]
pub(crate) struct AcceptRate {
    /// One for all: the cores' own begin at different moments.
    clock: Clock,
    bucket: AtomicU64,
}

/// What may be saved: a second's worth.
const BURST_S: u32 = 1;

impl AcceptRate {
    /// Full.
    pub(crate) fn new() -> Self {
        Self { clock: Clock::start(), bucket: AtomicU64::new(Bucket::default().to_ns()) }
    }

    /// Takes one of so many a second, 0 being any number; `false` where there is none now.
    #[must_use]
    pub(crate) fn take(&self, per_s: u32) -> bool {
        Pace::new(per_s, BURST_S).is_none_or(|pace| self.take_at(&pace, self.clock.now_us() * 1000))
    }

    fn take_at(&self, pace: &Pace, now_ns: u64) -> bool {
        // The number stands for itself: nothing else is made visible by it.
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let one_less = |full_at_ns| {
            let mut bucket = Bucket::from_ns(full_at_ns);
            bucket.has_any(pace, now_ns).then(|| {
                bucket.take(pace, 1, now_ns);
                bucket.to_ns()
            })
        };
        self.bucket.fetch_update(set, fetch, one_less).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_gives_what_it_may() {
        let rate = AcceptRate::new();
        let pace = Pace::new(50, BURST_S).unwrap();
        let taken = |second: u64| {
            let now_ns = second * 1_000_000_000;
            (0..1000).filter(|_| rate.take_at(&pace, now_ns)).count()
        };
        assert_eq!([taken(10), taken(10), taken(11), taken(100)], [50, 0, 50, 50]);
    }

    #[test]
    fn no_rate_is_no_limit() {
        let rate = AcceptRate::new();
        assert!((0..10_000).all(|_| rate.take(0)));
    }
}
