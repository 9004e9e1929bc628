//! When to ask whether the server is still there, learned from the network.
//!
//! ```text
//!   heard ──────────── interval ───────────► ping ──── 10 s ────► silent
//!     ▲ anything that comes begins anew         └─ answer: the interval was good, try a longer
//! ```
//! A network forgets a silent connection after a time that nobody tells. An interval is *good*
//! once a ping behind so much silence was answered, *bad* once it was not; between the two it
//! grows by halves. What was good and fails once is a hole in the coverage; twice, it is bad.

/// A ping without an answer for so long: there is nobody.
pub(super) const ANSWER_TIMEOUT_MS: u64 = 10_000;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing.
    Rest,
    /// Write a ping.
    Ping,
    /// The last ping had no answer.
    Silent,
}

/// What is known of the network that the device is in.
#[derive(Clone, Copy, Debug, Default)]
struct Network {
    good_ms: u64,
    bad_ms: Option<u64>,
    /// Failures of an interval that had been good.
    failures: u32,
}

/// Failures after which an interval that was good is bad.
const FAILURES_MAX: u32 = 2;

impl Network {
    fn handle_answer(&mut self, interval_ms: u64) {
        self.good_ms = self.good_ms.max(interval_ms);
        self.failures = 0;
    }

    fn handle_silence(&mut self, interval_ms: u64) {
        if interval_ms <= self.good_ms {
            self.failures += 1;
            if self.failures < FAILURES_MAX {
                return;
            }
        }
        self.failures = 0;
        self.bad_ms = Some(self.bad_ms.map_or(interval_ms, |bad| bad.min(interval_ms)));
        self.good_ms = self.good_ms.min(interval_ms / 2);
    }

    /// The interval to try next, within the server's range. In the background what was never
    /// tried counts as good: a wake-up costs more than a late discovery.
    fn interval_ms(&self, range: Range, is_patient: bool) -> u64 {
        let longer = match (self.good_ms, is_patient) {
            (_, true) => range.max_ms,
            (0, false) => range.min_ms,
            (good, false) => good + good / 2,
        };
        let interval = match self.bad_ms {
            Some(bad) if longer >= bad => self.good_ms,
            _ => longer,
        };
        interval.clamp(range.min_ms, range.max_ms)
    }
}

/// What the server allows.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    min_ms: u64,
    max_ms: u64,
}

/// A ping without an answer yet.
#[derive(Clone, Copy, Debug)]
struct Pending {
    sent_ms: u64,
    /// The silence before it, where it was a whole interval.
    interval_ms: Option<u64>,
}

/// The pings of a device's connections, one after the other.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    network: Network,
    range: Range,
    is_open: bool,
    is_patient: bool,
    heard_ms: u64,
    /// The server has heard from this device since, at least by a ping.
    pinged_ms: u64,
    /// A request waits for its answer since.
    waiting_since_ms: Option<u64>,
    is_asked: bool,
    ping: Option<Pending>,
}

impl Heartbeat {
    /// Whether the longest interval is wanted.
    pub(super) fn set_patient(&mut self, is_patient: bool) {
        self.is_patient = is_patient;
    }

    pub(super) fn handle_opened(&mut self, now_ms: u64, min_s: u16, max_s: u16) {
        self.range =
            Range { min_ms: u64::from(min_s) * 1000, max_ms: u64::from(max_s.max(min_s)) * 1000 };
        self.is_open = true;
        (self.heard_ms, self.pinged_ms) = (now_ms, now_ms);
    }

    /// Anything came.
    pub(super) fn handle_heard(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
        self.waiting_since_ms = self.waiting_since_ms.map(|_| now_ms);
    }

    pub(super) fn handle_pong(&mut self) {
        if let Some(Pending { interval_ms: Some(interval_ms), .. }) = self.ping.take() {
            self.network.handle_answer(interval_ms);
        }
    }

    /// Whether any request is without an answer.
    pub(super) fn handle_waiting(&mut self, now_ms: u64, is_waiting: bool) {
        self.waiting_since_ms = match is_waiting {
            true => self.waiting_since_ms.or(Some(now_ms)),
            false => None,
        };
    }

    /// The device is in another network, or may be: what was learned is void.
    pub(super) fn forget_network(&mut self) {
        self.network = Network::default();
        self.ping = self.ping.map(|ping| Pending { interval_ms: None, ..ping });
    }

    /// Ask now.
    pub(super) fn ask(&mut self) {
        self.is_asked = self.ping.is_none();
    }

    pub(super) fn handle_timeout(&mut self, now_ms: u64) -> Beat {
        if self.poll_timeout().is_none_or(|due_ms| now_ms < due_ms) {
            return Beat::Rest;
        }
        if let Some(ping) = self.ping.take() {
            self.learn_from_silence(ping);
            self.is_open = false;
            return Beat::Silent;
        }
        let interval_ms = self.interval_ms();
        let was_silent = now_ms >= self.heard_ms + interval_ms;
        self.ping =
            Some(Pending { sent_ms: now_ms, interval_ms: was_silent.then_some(interval_ms) });
        self.is_asked = false;
        self.pinged_ms = now_ms;
        Beat::Ping
    }

    pub(super) fn poll_timeout(&self) -> Option<u64> {
        if !self.is_open {
            return None;
        }
        if let Some(ping) = self.ping {
            return Some(ping.sent_ms + ANSWER_TIMEOUT_MS);
        }
        let silence = self.heard_ms + self.interval_ms();
        // The server wants to hear something too, however much it says itself; it waits for
        // half as long again as its longest interval.
        let silence_of_ours = self.pinged_ms + self.range.max_ms * 5 / 4;
        let unanswered = self.waiting_since_ms.map(|since| since + ANSWER_TIMEOUT_MS);
        let asked = self.is_asked.then_some(0);
        [silence, silence_of_ours].into_iter().chain(unanswered).chain(asked).min()
    }

    /// A connection that ends under a ping has ended in silence.
    pub(super) fn handle_disconnected(&mut self) {
        if let Some(ping) = self.ping.take() {
            self.learn_from_silence(ping);
        }
        self.is_open = false;
        self.is_asked = false;
        self.waiting_since_ms = None;
    }

    fn learn_from_silence(&mut self, ping: Pending) {
        if let Some(interval_ms) = ping.interval_ms {
            self.network.handle_silence(interval_ms);
        }
    }

    fn interval_ms(&self) -> u64 {
        self.network.interval_ms(self.range, self.is_patient)
    }
}
