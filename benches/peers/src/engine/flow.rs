//! When senders send, and how far each is.

use std::collections::VecDeque;

/// When senders send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// No more.
    Stopped,
    /// Closed loop: each has so many under way. A place comes free once the server has
    /// confirmed the message and the receiver has it.
    Window(u64),
    /// Closed loop for receivers who are away: a confirmation is enough. Each sends so many
    /// in all.
    Store {
        /// Under way at once.
        window: u64,
        /// In all.
        limit: u64,
    },
    /// Open loop: all in turn, by the clock.
    Rate {
        /// Time between two messages, ns.
        interval_ns: f64,
        /// When the first one is due, ns.
        from_ns: u64,
        /// Messages that were due so far.
        turns: u64,
    },
}

impl Pace {
    /// So many messages a second from a time on.
    pub(crate) fn rate(per_second: u32, from_ns: u64) -> Self {
        Self::Rate { interval_ns: 1e9 / f64::from(per_second), from_ns, turns: 0 }
    }

    /// Open loop: when the next message is due.
    pub(super) fn due_ns(&self) -> Option<u64> {
        let Self::Rate { interval_ns, from_ns, turns } = *self else { return None };
        Some(from_ns + (turns as f64 * interval_ns) as u64)
    }

    /// Open loop: the number of the next message that is due by now, and since when.
    pub(super) fn poll_due(&mut self, now_ns: u64) -> Option<(u64, u64)> {
        let due_ns = self.due_ns().filter(|due_ns| *due_ns <= now_ns)?;
        let Self::Rate { turns, .. } = self else { return None };
        *turns += 1;
        Some((*turns - 1, due_ns))
    }
}

/// The messages of one sender.
#[derive(Debug, Default)]
pub(super) struct Flow {
    sent: u64,
    accepted: u64,
    pub(super) delivered: u64,
    /// When those were due that the server has not confirmed, the earliest first.
    unconfirmed_ns: VecDeque<u64>,
    pub(super) is_touched: bool,
}

impl Flow {
    /// Messages that the pace allows now.
    pub(super) fn room(&self, pace: &Pace) -> u64 {
        let allowed = match *pace {
            Pace::Stopped | Pace::Rate { .. } => 0,
            Pace::Window(window) => self.accepted.min(self.delivered) + window,
            Pace::Store { window, limit } => (self.accepted + window).min(limit),
        };
        allowed.saturating_sub(self.sent)
    }

    /// One more is sent; its number.
    pub(super) fn send(&mut self, due_ns: u64) -> u64 {
        self.unconfirmed_ns.push_back(due_ns);
        self.sent += 1;
        self.sent - 1
    }

    /// The earliest is confirmed; when it was due.
    pub(super) fn accept(&mut self) -> Option<u64> {
        self.accepted += 1;
        self.unconfirmed_ns.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_waits_for_confirmation_and_receiver() {
        let mut flow = Flow::default();
        let pace = Pace::Window(2);
        assert_eq!((flow.room(&pace), flow.send(10), flow.send(20)), (2, 0, 1));
        assert_eq!(flow.room(&pace), 0);
        assert_eq!(flow.accept(), Some(10));
        assert_eq!(flow.room(&pace), 0);
        flow.delivered += 1;
        assert_eq!(flow.room(&pace), 1);
        assert_eq!((flow.accept(), flow.accept()), (Some(20), None));
    }

    #[test]
    fn storing_waits_for_confirmations_alone_and_ends() {
        let mut flow = Flow::default();
        let pace = Pace::Store { window: 2, limit: 3 };
        assert_eq!((flow.send(1), flow.send(2)), (0, 1));
        flow.accept();
        flow.accept();
        assert_eq!(flow.room(&pace), 1);
        assert_eq!(flow.room(&Pace::Stopped), 0);
    }

    #[test]
    fn the_clock_gives_each_message_its_time() {
        let mut pace = Pace::rate(1000, 5_000_000);
        assert_eq!(pace.poll_due(4_999_999), None);
        let due: Vec<_> = std::iter::from_fn(|| pace.poll_due(7_500_000)).collect();
        assert_eq!(due, [(0, 5_000_000), (1, 6_000_000), (2, 7_000_000)]);
        assert_eq!((pace.due_ns(), Pace::Window(1).due_ns()), (Some(8_000_000), None));
    }
}
