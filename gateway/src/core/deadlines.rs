//! Deadlines of one length: they fall due in the order in which they were set, so a queue
//! is enough. One that no longer matters is taken out when its time comes.

use std::collections::VecDeque;

use crate::reactor::slot::SlotKey;

/// A queue that is shorter keeps its memory.
const KEPT: usize = 64;

/// The connections that have a deadline.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    queue: VecDeque<(u64, SlotKey)>,
}

impl Deadlines {
    /// Sets one; not before the last that was set.
    pub(crate) fn push(&mut self, due_ms: u64, key: SlotKey) {
        self.queue.push_back((due_ms, key));
    }

    /// When the first falls due, ms.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        self.queue.front().map(|&(due_ms, _)| due_ms)
    }

    /// The first, and when it falls due, ms.
    pub(crate) fn first(&self) -> Option<(u64, SlotKey)> {
        self.queue.front().copied()
    }

    /// All of them, the first first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = SlotKey> {
        self.queue.iter().map(|&(_, key)| key)
    }

    /// Takes out one that has fallen due. A storm of connections leaves no memory behind.
    pub(crate) fn pop_due(&mut self, now_ms: u64) -> Option<SlotKey> {
        let (_, key) = self.queue.pop_front_if(|&mut (due_ms, _)| due_ms <= now_ms)?;
        if self.queue.is_empty() {
            self.queue.shrink_to(KEPT);
        }
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: u32) -> SlotKey {
        SlotKey { index, generation: 0 }
    }

    #[test]
    fn deadlines_fall_due_in_their_order_and_leave_nothing() {
        let mut deadlines = Deadlines::default();
        for index in 0..1000 {
            deadlines.push(100 + u64::from(index), key(index));
        }
        assert_eq!(deadlines.poll_timeout(), Some(100));
        assert_eq!(deadlines.pop_due(99), None);
        assert_eq!(deadlines.pop_due(101), Some(key(0)));
        assert_eq!(deadlines.pop_due(101), Some(key(1)));
        assert_eq!(deadlines.pop_due(101), None);
        while deadlines.pop_due(2000).is_some() {}
        assert_eq!(deadlines.poll_timeout(), None);
        assert!(deadlines.queue.capacity() <= 2 * KEPT);
    }
}
