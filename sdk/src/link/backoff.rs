//! How long to wait before the next attempt: twice as long each time, and any part of it.
//!
//! Full jitter: a box that comes back is met by its devices one after the other, and not by
//! all of them at the end of the same wait.

use fastrand::Rng;

/// The longest wait after a first failure.
const FIRST_MS: u64 = 50;
/// The longest wait of all.
const LAST_MS: u64 = 64_000;

/// Failed attempts in a row, and what follows from them.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    random: Rng,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { failures: 0, random: Rng::with_seed(seed) }
    }

    /// An attempt failed: how long to wait before the next.
    pub(super) fn next_ms(&mut self) -> u64 {
        let longest = FIRST_MS.saturating_mul(1 << self.failures.min(20)).min(LAST_MS);
        self.failures = self.failures.saturating_add(1);
        self.random.u64(0..=longest)
    }

    /// An attempt failed for what does not pass by itself: the longest wait, or half of it.
    pub(super) fn long_ms(&mut self) -> u64 {
        self.random.u64(LAST_MS / 2..=LAST_MS)
    }

    /// What a server asked for, and up to a quarter more: it may have told many the same.
    pub(super) fn spread_ms(&mut self, asked_ms: u64) -> u64 {
        asked_ms + self.random.u64(0..=asked_ms / 4)
    }

    /// The next attempt counts as the first.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_50_ms_to_64_s_and_are_drawn_from_the_whole_range() {
        let mut longest = [0; 14];
        let mut shortest = [u64::MAX; 14];
        for seed in 0..2_000 {
            let mut backoff = Backoff::new(seed);
            for (longest, shortest) in longest.iter_mut().zip(&mut shortest) {
                let wait = backoff.next_ms();
                *longest = (*longest).max(wait);
                *shortest = (*shortest).min(wait);
            }
        }
        let bounds = (0..14).map(|n| (50 << n).min(64_000));
        for ((longest, shortest), bound) in longest.into_iter().zip(shortest).zip(bounds) {
            assert!((bound * 95 / 100..=bound).contains(&longest), "{longest} of {bound}");
            assert!(shortest <= bound / 20, "{shortest} of {bound}");
        }
    }

    #[test]
    fn a_reset_begins_anew() {
        let mut backoff = Backoff::new(7);
        (0..20).for_each(|_| assert!(backoff.next_ms() <= LAST_MS));
        backoff.reset();
        assert!(backoff.next_ms() <= 50);
    }

    #[test]
    fn what_a_server_asks_for_is_waited_for_and_little_more() {
        let waits = (0..200).map(|seed| Backoff::new(seed).spread_ms(4_000));
        let (least, most) = waits.fold((u64::MAX, 0), |(a, b), wait| (a.min(wait), b.max(wait)));
        assert!(least >= 4_000 && most <= 5_000 && most - least > 800, "{least} to {most}");
    }
}
