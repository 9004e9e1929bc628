//! A bucket of tokens that fills at a pace.
//!
//! ```text
//! full_at:   now ··············· now + burst
//!            full                empty: nothing is let through
//! ```
//! All that is kept is when the bucket will be full again. One that is full is like one that
//! never was, so whoever is at rest needs none. Something is let through while there is any
//! token, whatever it costs: what costs more than a whole bucket passes too, and is paid off
//! afterwards.

use std::num::NonZeroU32;

/// Tokens a second, and how many may be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    per_s: NonZeroU32,
    burst_ns: u64,
}

/// A bucket; the default one is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    full_at_ns: u64,
}

const NS_PER_S: u64 = 1_000_000_000;

impl Pace {
    /// As many a second, those of `burst_s` seconds saved at most; none where either is 0.
    pub(crate) fn new(per_s: u32, burst_s: u32) -> Option<Self> {
        let burst_ns = u64::from(burst_s) * NS_PER_S;
        NonZeroU32::new(per_s).filter(|_| burst_s > 0).map(|per_s| Self { per_s, burst_ns })
    }

    /// How long a bucket takes to have so many tokens, ns.
    fn refill_ns(&self, tokens: u32) -> u64 {
        (u64::from(tokens) * NS_PER_S).div_ceil(self.per_s.get().into())
    }

    /// The longest that a bucket takes to be full again where nothing costs more, µs.
    pub(crate) fn refill_us_max(&self, tokens_max: u32) -> u64 {
        (self.burst_ns + self.refill_ns(tokens_max)).div_ceil(1000)
    }
}

impl Bucket {
    /// Whether it has a token.
    #[inline]
    pub(crate) fn has_any(&self, pace: &Pace, now_ns: u64) -> bool {
        self.full_at_ns < now_ns + pace.burst_ns
    }

    /// Takes tokens, those that it lacks from the time to come.
    #[inline]
    pub(crate) fn take(&mut self, pace: &Pace, tokens: u32, now_ns: u64) {
        self.full_at_ns = self.full_at_ns.max(now_ns) + pace.refill_ns(tokens);
    }

    /// When it will have a part of its burst again, ns from now: who comes back for a single
    /// token is refused the next.
    pub(crate) fn wait_ns(&self, pace: &Pace, now_ns: u64) -> u64 {
        const PART: u64 = 16;
        let goal_ns = now_ns + pace.burst_ns - pace.burst_ns / PART;
        self.full_at_ns.saturating_sub(goal_ns)
    }

    /// As a plain number, for whoever shares it.
    pub(super) fn to_ns(self) -> u64 {
        self.full_at_ns
    }

    /// The bucket of that number.
    pub(super) fn from_ns(full_at_ns: u64) -> Self {
        Self { full_at_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_NS: u64 = 77 * NS_PER_S;

    /// How many single tokens pass at a time.
    fn drain(bucket: &mut Bucket, pace: &Pace, now_ns: u64) -> u32 {
        let mut taken = 0;
        while bucket.has_any(pace, now_ns) {
            bucket.take(pace, 1, now_ns);
            taken += 1;
        }
        taken
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_its_pace() {
        let pace = Pace::new(100, 10).unwrap();
        let mut bucket = Bucket::default();
        assert_eq!(drain(&mut bucket, &pace, START_NS), 1000);
        assert_eq!(drain(&mut bucket, &pace, START_NS), 0);
        assert_eq!(drain(&mut bucket, &pace, START_NS + NS_PER_S), 100);
        assert_eq!(drain(&mut bucket, &pace, START_NS + 3 * NS_PER_S), 200);
        assert_eq!(drain(&mut bucket, &pace, START_NS + 3600 * NS_PER_S), 1000, "no more is saved");
    }

    #[test]
    fn what_costs_more_than_a_bucket_passes_and_is_paid_off() {
        let pace = Pace::new(1000, 1).unwrap();
        let mut bucket = Bucket::default();
        bucket.take(&pace, 5000, START_NS);
        assert!(!bucket.has_any(&pace, START_NS));
        let wait_ns = bucket.wait_ns(&pace, START_NS);
        assert!((4 * NS_PER_S..5 * NS_PER_S).contains(&wait_ns), "{wait_ns}");
        assert!(!bucket.has_any(&pace, START_NS + 4 * NS_PER_S));
        assert!(bucket.has_any(&pace, START_NS + wait_ns));
        let full_ns = pace.refill_us_max(5000) * 1000;
        assert!(bucket.full_at_ns <= START_NS + full_ns, "it is as if it had never been");
    }

    #[test]
    fn who_waits_as_he_is_told_finds_more_than_one() {
        let pace = Pace::new(100, 10).unwrap();
        let mut bucket = Bucket::default();
        drain(&mut bucket, &pace, START_NS);
        let wait_ns = bucket.wait_ns(&pace, START_NS);
        assert_eq!(drain(&mut bucket, &pace, START_NS + wait_ns), 63);
    }

    #[test]
    fn no_pace_is_no_limit() {
        assert_eq!(Pace::new(0, 10), None);
        assert_eq!(Pace::new(10, 0), None);
    }
}
