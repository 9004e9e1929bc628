//! Mailboxes between threads: bounded lock-free queues, and one doorbell for their consumer.
//!
//! A core has a queue from every other core and one from the storage thread, and sleeps
//! in one place. So a [`Doorbell`] belongs to the consumer and knows all its queues; a
//! [`Sender`] puts items in without waking anybody and rings once, after its burst. The
//! ring is a load of a flag; only where the consumer sleeps does it become a wake-up,
//! which costs a system call.
//!
//! ```text
//! core 1 ──► │ queue │ ─┐                     producer, each tick:  try_send… then notify
//! core 2 ──► │ queue │ ─┼─► core 0            consumer, each tick:  drain… then
//! storage ─► │ queue │ ─┘   (one doorbell)      prepare_sleep → sleep → awake
//! ```
//!
//! Nobody waits for a full queue: `try_send` hands the item back and its owner decides.
//! Nobody is told when there is room again; a producer looks in its next tick. (A queue's
//! own operation may spin while another thread stands between its two stores, some
//! nanoseconds unless that thread loses its processor just there.)
//!
//! # Why no wake-up is lost
//! The danger is a consumer that finds its queues empty and sleeps, beside a producer
//! that puts an item in and finds it awake. Each side therefore writes first, then reads
//! what the other writes, with a sequentially consistent fence in between:
//!
//! ```text
//! consumer (prepare_sleep)         producer (try_send, notify)
//!   C1  sleeping = true              P1  the queue's tail moves
//!   ──  fence  ──                    ──  fence  ──
//!   C2  read each queue's tail       P2  read sleeping
//! ```
//!
//! The two fences have one order. If the consumer's is first, P2 sees C1 or a later
//! store; if the producer's is first, C2 sees P1, and the consumer does not sleep. Where
//! P2 sees `true`, the producer exchanges it for `false`: who succeeds wakes, exactly
//! one, and who fails writes nothing. He fails because another producer took the flag
//! down after C1 and wakes for both, or the consumer did, being up; then the consumer's
//! next sleep begins with another C1, to which the same argument applies. The loom model
//! in `tests/mailbox_loom.rs` walks through all of it.

#[cfg(loom)]
mod stand_in;

use std::sync::Arc;
use std::sync::atomic::Ordering;

#[cfg(not(loom))]
use crossbeam_queue::ArrayQueue;
use crossbeam_utils::CachePadded;
#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, fence};
#[cfg(loom)]
use stand_in::ArrayQueue;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, fence};

/// Wakes a thread from whatever it sleeps in.
///
/// A wake that comes just before the sleep must end that sleep at once, as a mio `Waker`
/// and `Thread::unpark` do. One too many is harmless.
pub trait Wake: Send + Sync {
    /// Wakes it.
    fn wake(&self);
}

/// The consumer's end of all its mailboxes: where it says that it goes to sleep.
pub struct Doorbell {
    button: Arc<Button>,
    queues: Vec<Arc<dyn Emptiness>>,
}

/// What the producers share of a doorbell.
struct Button {
    /// Alone in its cache line: every producer reads it each tick.
    sleeping: CachePadded<AtomicBool>,
    waker: Arc<dyn Wake>,
}

/// The producer's end of a mailbox.
pub struct Sender<T> {
    queue: Arc<ArrayQueue<T>>,
    button: Arc<Button>,
}

/// The consumer's end of a mailbox.
pub struct Receiver<T> {
    queue: Arc<ArrayQueue<T>>,
}

/// A queue for `capacity` items (≥ 1) to the thread that owns `doorbell`.
pub fn mailbox<T: Send + 'static>(
    capacity: usize,
    doorbell: &mut Doorbell,
) -> (Sender<T>, Receiver<T>) {
    let queue = Arc::new(ArrayQueue::new(capacity));
    doorbell.queues.push(Arc::clone(&queue) as Arc<dyn Emptiness>);
    let sender = Sender { queue: Arc::clone(&queue), button: Arc::clone(&doorbell.button) };
    (sender, Receiver { queue })
}

impl Doorbell {
    /// A doorbell without queues, for the thread that `waker` wakes.
    pub fn new(waker: Arc<dyn Wake>) -> Self {
        let sleeping = CachePadded::new(AtomicBool::new(false));
        Self { button: Arc::new(Button { sleeping, waker }), queues: Vec::new() }
    }

    /// From here on producers wake this thread. `false`: something lies in a queue, do
    /// not sleep. After `true`, and the sleep, call [`Doorbell::awake`].
    #[must_use]
    pub fn prepare_sleep(&self) -> bool {
        self.button.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let empty = self.queues.iter().all(|queue| queue.is_empty());
        if !empty {
            self.awake();
        }
        empty
    }

    /// This thread is up: producers need not wake it.
    pub fn awake(&self) {
        // Nothing hangs on when this is seen; seen late, it costs a needless wake-up.
        self.button.sleeping.store(false, Ordering::Relaxed);
    }
}

impl<T> Sender<T> {
    /// Puts an item in, without waking anybody: call [`Sender::notify`] after the last one.
    ///
    /// # Errors
    /// Gives the item back where the queue is full.
    #[inline]
    pub fn try_send(&self, item: T) -> Result<(), T> {
        self.queue.push(item)
    }

    /// Wakes the consumer if it sleeps. Once after a burst, to however many of its queues.
    #[inline]
    pub fn notify(&self) {
        fence(Ordering::SeqCst);
        if self.button.sleeping.load(Ordering::Relaxed) {
            self.button.wake_once();
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { queue: Arc::clone(&self.queue), button: Arc::clone(&self.button) }
    }
}

impl<T> Receiver<T> {
    /// Takes at most `max` items, in each producer's order, and says how many.
    #[inline]
    pub fn drain(&mut self, max: usize, mut each: impl FnMut(T)) -> usize {
        for count in 0..max {
            let Some(item) = self.queue.pop() else { return count };
            each(item);
        }
        max
    }
}

impl Button {
    /// Of several producers that see the flag, the one that takes it down wakes.
    #[cold]
    fn wake_once(&self) {
        let taken =
            self.sleeping.compare_exchange(true, false, Ordering::Relaxed, Ordering::Relaxed);
        if taken.is_ok() {
            self.waker.wake();
        }
    }
}

/// A queue, whatever is in it.
trait Emptiness: Send + Sync {
    fn is_empty(&self) -> bool;
}

impl<T: Send> Emptiness for ArrayQueue<T> {
    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
