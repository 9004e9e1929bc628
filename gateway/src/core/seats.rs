//! How many connections a box has, over all cores.
//!
//! A connection takes its seat where it is accepted and keeps it when it moves to its
//! user's core, so a core alone cannot tell whether there is one left.

use std::sync::atomic::{AtomicU32, Ordering};

/// The seats of a box.
#[derive(Debug)]
pub(crate) struct Seats {
    free: AtomicU32,
}

impl Seats {
    /// As many, all free.
    pub(crate) fn new(count: u32) -> Self {
        Self { free: AtomicU32::new(count) }
    }

    /// Takes one; `false` where none is free.
    #[must_use]
    pub(crate) fn take(&self) -> bool {
        // The number stands for itself: nothing else is made visible by it.
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        self.free.fetch_update(set, fetch, |free| free.checked_sub(1)).is_ok()
    }

    /// Gives one back.
    pub(crate) fn give_back(&self) {
        self.free.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_seats_as_there_are() {
        let seats = Seats::new(2);
        assert!(seats.take() && seats.take());
        assert!(!seats.take() && !seats.take());
        seats.give_back();
        assert!(seats.take());
        assert!(!seats.take());
    }
}
