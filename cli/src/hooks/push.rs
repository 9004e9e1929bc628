//! The thread that tells the operator's push service who has to be woken.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use answerback_directory::shard::Wake;
use answerback_proto::id::UserId;
use serde_json::json;
use tracing::{error, info};

use super::HookSettings;
use super::figures::HooksView;
use super::post::{Post, pause_ms};
use crate::clock::Clock;
use crate::random;

/// How long a request waits for others' company.
const LINGER: Duration = Duration::from_millis(100);
/// Whoever waited for so long has looked at the phone, or will at the next message.
const AGE_MAX: Duration = Duration::from_secs(3600);

/// Users of whom the service has to be told, each once, who waited longest first.
#[derive(Debug)]
struct Queue {
    order: VecDeque<(Duration, UserId)>,
    messages: HashMap<UserId, u32>,
    count_max: usize,
}

/// The thread's belongings.
pub(super) struct Pusher {
    post: Post,
    clock: Clock,
    is_ending: Arc<AtomicBool>,
    left: Receiver<Wake>,
    queue: Queue,
    /// Users of the request under way.
    under_way: u64,
    batch_max: usize,
    view: HooksView,
}

/// What one request says.
#[derive(Debug)]
struct Batch {
    delivery: String,
    body: Vec<u8>,
    count: u64,
    oldest_at: Duration,
}

impl Pusher {
    pub(super) fn new(
        post: Post,
        settings: &HookSettings,
        clock: Clock,
        (is_ending, left): (Arc<AtomicBool>, Receiver<Wake>),
        view: HooksView,
    ) -> Self {
        let (queue, batch_max) = (Queue::new(settings.push_queue_max), settings.push_batch_max);
        Self { post, clock, is_ending, left, queue, under_way: 0, batch_max, view }
    }

    /// Until the box has ended, and what was left is told.
    pub(super) fn run(mut self) {
        while self.wait_for_some() {
            self.gather(LINGER);
            while let Some(batch) = self.queue.take(self.batch_max) {
                self.under_way = batch.count;
                self.tell(&batch);
                self.under_way = 0;
                self.note_waiting();
            }
        }
    }

    /// Waits until there is somebody to be woken; false where nobody will be any more.
    fn wait_for_some(&mut self) -> bool {
        while self.queue.is_empty() {
            if self.is_ending() && self.left.try_recv().map(|wake| self.take(wake)).is_err() {
                return false;
            }
            if !self.is_ending() {
                let Ok(wake) = self.left.recv() else { return false };
                self.take(wake);
            }
        }
        true
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Takes what comes within a time, so that cores find room again.
    fn gather(&mut self, time: Duration) {
        let until = self.clock.elapsed() + time;
        loop {
            let left = until.saturating_sub(self.clock.elapsed());
            let left = if self.is_ending() { Duration::ZERO } else { left };
            match self.left.recv_timeout(left) {
                Ok(wake) => self.take(wake),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, wake: Wake) {
        // What only says that the box has ended is nobody's.
        if wake.messages > 0 {
            let dropped = self.queue.put(wake, self.clock.elapsed());
            self.view.change(|figures| figures.push_dropped += dropped);
        }
        self.note_waiting();
    }

    fn note_waiting(&self) {
        let waiting = self.queue.len() as u64 + self.under_way;
        self.view.change(|figures| figures.push_waiting = waiting);
    }

    /// Tells the service, until it has taken it or nobody would care any more.
    fn tell(&mut self, batch: &Batch) {
        let mut failures = 0;
        loop {
            match self.post.send(&batch.delivery, &batch.body) {
                Ok(()) => return self.note_told(batch, failures),
                Err(fault) => {
                    failures += 1;
                    self.note_failure(failures, &fault);
                }
            }
            let age = self.clock.elapsed().saturating_sub(batch.oldest_at);
            if self.is_ending() || age > AGE_MAX {
                return self.view.change(|figures| figures.push_dropped += batch.count);
            }
            self.gather(Duration::from_millis(pause_ms(failures)));
        }
    }

    fn note_told(&self, batch: &Batch, failures: u32) {
        let mut was_failing = failures > 0;
        self.view.change(|figures| {
            figures.woken += batch.count;
            was_failing |= figures.push_failing_since_s.take().is_some();
        });
        if was_failing {
            info!("the push service is told again who has to be woken");
        }
    }

    fn note_failure(&self, failures: u32, fault: &str) {
        let now_s = self.clock.elapsed().as_secs();
        let mut is_first = false;
        self.view.change(|figures| {
            figures.push_failures += 1;
            is_first = figures.push_failing_since_s.is_none();
            figures.push_failing_since_s.get_or_insert(now_s);
        });
        if is_first || failures.is_multiple_of(32) {
            error!(alarm = "push_failing", "the push service takes nothing: {fault}");
        }
    }
}

impl Queue {
    fn new(count_max: usize) -> Self {
        Self { order: VecDeque::new(), messages: HashMap::new(), count_max }
    }

    fn len(&self) -> usize {
        self.order.len()
    }

    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Adds a user, or what is newer of one who waits already; says how many had to make room.
    fn put(&mut self, Wake { user, messages }: Wake, now: Duration) -> u64 {
        if self.messages.insert(user, messages).is_some() {
            return 0;
        }
        self.order.push_back((now, user));
        if self.order.len() <= self.count_max {
            return 0;
        }
        if let Some((_, oldest)) = self.order.pop_front() {
            self.messages.remove(&oldest);
        }
        1
    }

    /// Those who waited longest, as one request; none where nobody waits.
    fn take(&mut self, count_max: usize) -> Option<Batch> {
        let &(oldest_at, _) = self.order.front()?;
        let count = self.order.len().min(count_max);
        let wakes = self.order.drain(..count).map(|(_, user)| {
            let messages = self.messages.remove(&user).unwrap_or_default();
            json!({ "user": user.to_string(), "messages": messages })
        });
        let wakes: Vec<_> = wakes.collect();
        // Without randomness the server cannot tell a repeat, and wakes twice.
        let id = random::id().unwrap_or_default();
        let delivery = format!("{id:032x}");
        let body = json!({ "hook": "push", "delivery": delivery, "wakes": wakes });
        Some(Batch {
            body: body.to_string().into_bytes(),
            delivery,
            count: count as u64,
            oldest_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn wake(user: u128, messages: u32) -> Wake {
        Wake { user: UserId(user), messages }
    }

    fn body(batch: &Batch) -> Value {
        serde_json::from_slice(&batch.body).unwrap()
    }

    #[test]
    fn a_user_stands_there_once_with_the_newest_and_never_with_content() {
        let mut queue = Queue::new(10);
        for (second, one) in (1..).zip([wake(1, 1), wake(2, 5), wake(1, 7)]) {
            assert_eq!(queue.put(one, Duration::from_secs(second)), 0);
        }
        let batch = queue.take(10).unwrap();
        let wakes = json!([{ "user": "1", "messages": 7 }, { "user": "2", "messages": 5 }]);
        let expected = json!({ "hook": "push", "delivery": batch.delivery, "wakes": wakes });
        assert_eq!(body(&batch), expected);
        assert_eq!((batch.count, batch.oldest_at), (2, Duration::from_secs(1)));
        assert!(queue.take(10).is_none() && queue.is_empty() && queue.messages.is_empty());
    }

    #[test]
    fn a_request_has_no_more_than_it_may_and_no_two_have_a_delivery() {
        let mut queue = Queue::new(10);
        (1..=5).for_each(|user| assert_eq!(queue.put(wake(user, 1), Duration::ZERO), 0));
        let batches: Vec<_> = std::iter::from_fn(|| queue.take(2)).collect();
        assert_eq!(batches.iter().map(|batch| batch.count).collect::<Vec<_>>(), [2, 2, 1]);
        assert_ne!(batches[0].delivery, batches[1].delivery);
        assert_eq!(batches[0].delivery.len(), 32);
    }

    #[test]
    fn who_waits_longest_makes_room() {
        let mut queue = Queue::new(3);
        let dropped: u64 = (1..=5).map(|user| queue.put(wake(user, 1), Duration::ZERO)).sum();
        assert_eq!((dropped, queue.len(), queue.messages.len()), (2, 3, 3));
        let users = body(&queue.take(9).unwrap());
        assert_eq!(users["wakes"][0]["user"], "3");
    }
}
