//! How many connections a box has, over all cores.
//!
//! A connection takes its seat where it is accepted and keeps it when it moves to its
//! user's core, so a core alone cannot tell whether there is one left.

use std::sync::atomic::{AtomicU32, Ordering};

/// The seats of a box.
#[derive(Debug)]
pub(crate) struct Seats {
    taken: AtomicU32,
}

impl Seats {
    /// None taken.
    pub(crate) fn new() -> Self {
        Self { taken: AtomicU32::new(0) }
    }

    /// Takes one of as many as there are; `false` where all are taken.
    #[must_use]
    pub(crate) fn take(&self, count: u32) -> bool {
        // The number stands for itself: nothing else is made visible by it.
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let one_more = |taken| (taken < count).then(|| taken + 1);
        self.taken.fetch_update(set, fetch, one_more).is_ok()
    }

    /// Gives one back.
    pub(crate) fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_seats_as_there_are() {
        let seats = Seats::new();
        assert!(seats.take(2) && seats.take(2));
        assert!(!seats.take(2) && !seats.take(2));
        seats.give_back();
        assert!(seats.take(2));
        assert!(!seats.take(2));
        assert!(seats.take(3), "there are more than there were");
        assert!(!seats.take(1), "there are fewer");
    }
}
