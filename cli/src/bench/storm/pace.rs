//! Logins by the clock: what falls due is offered, however the server fares.

/// So many a second, since then.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoginPace {
    per_second: f64,
    from_ns: u64,
    taken: u64,
}

impl LoginPace {
    /// The first at once.
    pub(super) fn new(per_second: f64, from_ns: u64) -> Self {
        Self { per_second, from_ns, taken: 0 }
    }

    /// When the next falls due, ns.
    pub(super) fn due_ns(&self) -> u64 {
        self.from_ns + (self.taken as f64 * 1e9 / self.per_second) as u64
    }

    /// When the next fell due, once it has; it is taken then.
    pub(super) fn take_due(&mut self, now_ns: u64) -> Option<u64> {
        let due_ns = self.due_ns();
        (due_ns <= now_ns).then(|| {
            self.taken += 1;
            due_ns
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falls_due_is_taken_once_and_nothing_is_passed_over() {
        let mut pace = LoginPace::new(4.0, 1_000_000_000);
        assert_eq!(pace.take_due(999_999_999), None);
        let due: Vec<_> = std::iter::from_fn(|| pace.take_due(1_600_000_000)).collect();
        assert_eq!(due, [1_000_000_000, 1_250_000_000, 1_500_000_000]);
        assert_eq!(pace.due_ns(), 1_750_000_000);
    }
}
