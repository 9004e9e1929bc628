//! The queue that the loom model puts in place of crossbeam's, which loom cannot see into.
//!
//! It has the same two steps, a tail that is claimed and then a slot that is stamped as
//! filled, and orders only what lies in a slot: nothing follows from what a thread sees
//! of the tail, so that the model proves the doorbell's fences and not a queue stronger than it must be.

use loom::sync::atomic::{AtomicBool, AtomicUsize};
use loom::thread;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

/// Many producers, one consumer.
pub(super) struct ArrayQueue<T> {
    head: AtomicUsize,
    tail: AtomicUsize,
    slots: Vec<Slot<T>>,
}

struct Slot<T> {
    filled: AtomicBool,
    /// Never contended, and out of loom's sight: `filled` says whose it is.
    item: Mutex<Option<T>>,
}

impl<T> ArrayQueue<T> {
    pub(super) fn new(capacity: usize) -> Self {
        let slot = || Slot { filled: AtomicBool::new(false), item: Mutex::new(None) };
        let slots = std::iter::repeat_with(slot).take(capacity).collect();
        Self { head: AtomicUsize::new(0), tail: AtomicUsize::new(0), slots }
    }

    pub(super) fn push(&self, item: T) -> Result<(), T> {
        let claimed = self.tail.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tail| {
            // A tail older than the head was read stale; the exchange will fail.
            let taken = tail.saturating_sub(self.head.load(Ordering::Acquire));
            (taken < self.slots.len()).then_some(tail + 1)
        });
        match claimed.ok().and_then(|index| self.slot(index)) {
            Some(slot) => {
                slot.exchange(Some(item));
                slot.filled.store(true, Ordering::Release);
                Ok(())
            }
            None => Err(item),
        }
    }

    pub(super) fn pop(&self) -> Option<T> {
        let head = self.head.load(Ordering::Relaxed);
        if head == self.tail.load(Ordering::Relaxed) {
            return None;
        }
        let slot = self.slot(head)?;
        while !slot.filled.load(Ordering::Acquire) {
            thread::yield_now(); // claimed, not filled yet
        }
        slot.filled.store(false, Ordering::Relaxed);
        let item = slot.exchange(None);
        self.head.store(head + 1, Ordering::Release);
        item
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed) == self.tail.load(Ordering::Relaxed)
    }

    fn slot(&self, index: usize) -> Option<&Slot<T>> {
        self.slots.get(index % self.slots.len())
    }
}

impl<T> Slot<T> {
    /// Puts `item` in and takes what was there.
    fn exchange(&self, item: Option<T>) -> Option<T> {
        let mut held = self.item.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *held, item)
    }
}
