//! The numbers that a receiver got, judged.

use std::collections::BTreeSet;

/// Numbers from 0, of one sender.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// Behind the greatest that came.
    next: u32,
    missing: BTreeSet<u32>,
    /// Numbers that came again.
    pub(super) doubled: u64,
    /// Numbers that came behind a greater one.
    pub(super) reordered: u64,
}

impl Received {
    /// Whether a number is new.
    pub(super) fn take(&mut self, number: u32) -> bool {
        if number >= self.next {
            self.missing.extend(self.next..number);
            self.next = number + 1;
        } else if self.missing.remove(&number) {
            self.reordered += 1;
        } else {
            self.doubled += 1;
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_and_disorder_are_told_apart() {
        let mut received = Received::default();
        let taken = [0, 1, 1, 4, 3, 3].map(|number| received.take(number));
        assert_eq!(taken, [true, true, false, true, true, false]);
        assert_eq!((received.doubled, received.reordered), (2, 1));
    }
}
