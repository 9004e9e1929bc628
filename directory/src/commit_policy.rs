//! When a core's open batches are handed to the storage thread.
//!
//! A commit costs some 50 µs of processor time whatever is in it, so having fewer of them
//! is the lever at low rates; at high rates a batch fills before its time. One group of
//! batches is in flight; what comes meanwhile makes the next.
//!
//! ```text
//! released when none is in flight and  │ a record waits, and the last release was `linger_us` ago, or
//!                                      │ an acknowledgement has for `acknowledgement_linger_us`, or
//!                                      │ there are as many of either, or as many bytes, as may wait
//! ```
//! The linger counts from the last release and not from the first record: that makes as few
//! commits, a record waits for half of it on average, and one that comes after a pause goes
//! at once. Where records are sparse, half as long again saves a third of the commits.
//!
//! Acknowledgements may wait longer than records, since they ride with the next batch
//! anyway; but they are counted. Without the count, senders who wait for a receipt before
//! they send again wait for acknowledgements that wait for their sends, and a closed loop
//! runs at the pace of the longer timer.

use crate::shard::Pending;

/// How long and how much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitPolicy {
    /// The least time between two releases for the sake of records, µs, and half as much again
    /// for the sake of a few: as long may a record wait for company.
    pub linger_us: u64,
    /// How long an acknowledgement does, µs.
    pub acknowledgement_linger_us: u64,
    /// As many records wait for nobody.
    pub records_max: u32,
    /// As many acknowledgements wait for nobody.
    pub acknowledgements_max: u32,
    /// As many bytes wait for nobody.
    pub bytes_max: usize,
}

/// Fewer records are few.
const FEW_RECORDS: u32 = 5;

impl Default for CommitPolicy {
    fn default() -> Self {
        Self {
            linger_us: 1000,
            acknowledgement_linger_us: 3000,
            records_max: 128,
            acknowledgements_max: 128,
            bytes_max: 512 * 1024,
        }
    }
}

/// What to do about the open batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Take them and hand them over.
    Now,
    /// Ask again at this time, µs.
    At(u64),
    /// Nothing waits, or the end of the commit in flight will be the time to ask.
    Idle,
}

/// The policy at work for one core. Times are µs of the driver's monotonic clock.
///
/// Each tick: [`CommitGate::handle_waiting`], then [`CommitGate::poll`]. After a
/// [`Release::Now`] the batches are taken and [`CommitGate::handle_released`] is told;
/// [`CommitGate::handle_committed`] follows when they are durable.
#[derive(Clone, Debug)]
pub struct CommitGate {
    policy: CommitPolicy,
    waiting: Pending,
    oldest_acknowledgement_us: Option<u64>,
    /// When batches were taken last.
    released_us: Option<u64>,
    is_in_flight: bool,
}

impl CommitGate {
    /// A gate with nothing waiting.
    pub fn new(policy: CommitPolicy) -> Self {
        Self {
            policy,
            waiting: Pending::default(),
            oldest_acknowledgement_us: None,
            released_us: None,
            is_in_flight: false,
        }
    }

    /// From now on it goes by another policy.
    pub fn set_policy(&mut self, policy: CommitPolicy) {
        self.policy = policy;
    }

    /// What waits now, of all shards of the core.
    pub fn handle_waiting(&mut self, waiting: Pending, now_us: u64) {
        if waiting.acknowledgements > 0 {
            self.oldest_acknowledgement_us.get_or_insert(now_us);
        }
        self.waiting = waiting;
    }

    /// What to do.
    pub fn poll(&self, now_us: u64) -> Release {
        if self.is_in_flight {
            return Release::Idle;
        }
        match self.due_us() {
            Some(due_us) if due_us <= now_us || self.is_full() => Release::Now,
            Some(due_us) => Release::At(due_us),
            None => Release::Idle,
        }
    }

    /// The open batches are taken and on their way.
    pub fn handle_released(&mut self, now_us: u64) {
        self.waiting = Pending::default();
        self.oldest_acknowledgement_us = None;
        self.released_us = Some(now_us);
        self.is_in_flight = true;
    }

    /// They are durable.
    pub fn handle_committed(&mut self) {
        self.is_in_flight = false;
    }

    /// Whether a group is on its way.
    pub fn is_in_flight(&self) -> bool {
        self.is_in_flight
    }

    /// When what waits has waited long enough.
    fn due_us(&self) -> Option<u64> {
        let CommitPolicy { linger_us, acknowledgement_linger_us, .. } = self.policy;
        let is_sparse = self.waiting.records < FEW_RECORDS;
        let pause_us = if is_sparse { linger_us.saturating_add(linger_us / 2) } else { linger_us };
        let next_us = self.released_us.map_or(0, |released| released.saturating_add(pause_us));
        let record_us = (self.waiting.records > 0).then_some(next_us);
        let oldest_us = self.oldest_acknowledgement_us;
        let acknowledgement_us = oldest_us.map(|at| at.saturating_add(acknowledgement_linger_us));
        record_us.into_iter().chain(acknowledgement_us).min()
    }

    fn is_full(&self) -> bool {
        self.waiting.records >= self.policy.records_max
            || self.waiting.acknowledgements >= self.policy.acknowledgements_max
            || self.waiting.bytes >= self.policy.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: CommitPolicy = CommitPolicy {
        linger_us: 1000,
        acknowledgement_linger_us: 3000,
        records_max: 20,
        acknowledgements_max: 8,
        bytes_max: 1 << 20,
    };

    fn waiting(records: u32, acknowledgements: u32) -> Pending {
        Pending { records, acknowledgements, bytes: 100 }
    }

    /// What a gate that released something at time 0 says at `now_us`, if that much has
    /// waited since then.
    fn since_release(waiting: Pending, now_us: u64) -> Release {
        let mut gate = CommitGate::new(POLICY);
        gate.handle_released(0);
        gate.handle_committed();
        gate.handle_waiting(waiting, 0);
        gate.handle_waiting(waiting, now_us);
        gate.poll(now_us)
    }

    #[test]
    fn nothing_waits_for_nothing() {
        assert_eq!(since_release(Pending::default(), 10_000), Release::Idle);
    }

    #[test]
    fn the_first_record_waits_for_nobody_and_an_acknowledgement_does() {
        let mut gate = CommitGate::new(POLICY);
        gate.handle_waiting(waiting(0, 1), 7);
        assert_eq!(gate.poll(7), Release::At(3007));
        gate.handle_waiting(waiting(1, 1), 8);
        assert_eq!(gate.poll(8), Release::Now);
    }

    #[test]
    fn records_follow_the_last_release_and_acknowledgements_wait_longer() {
        assert_eq!(since_release(waiting(5, 0), 999), Release::At(1000));
        assert_eq!(since_release(waiting(5, 0), 1000), Release::Now);
        assert_eq!(since_release(waiting(0, 1), 2999), Release::At(3000));
        assert_eq!(since_release(waiting(0, 1), 3000), Release::Now);
        assert_eq!(since_release(waiting(5, 1), 999), Release::At(1000));
    }

    #[test]
    fn a_few_records_wait_half_as_long_again() {
        assert_eq!(since_release(waiting(4, 0), 1000), Release::At(1500));
        assert_eq!(since_release(waiting(1, 0), 1500), Release::Now);
    }

    #[test]
    fn enough_of_anything_waits_for_nobody() {
        assert_eq!(since_release(waiting(20, 0), 0), Release::Now);
        assert_eq!(since_release(waiting(0, 8), 0), Release::Now);
        assert_eq!(since_release(waiting(19, 7), 0), Release::At(1000));
        let bytes = Pending { records: 1, acknowledgements: 0, bytes: 1 << 20 };
        assert_eq!(since_release(bytes, 0), Release::Now);
    }

    #[test]
    fn a_record_after_a_pause_goes_at_once() {
        let mut gate = CommitGate::new(POLICY);
        gate.handle_released(0);
        gate.handle_committed();
        gate.handle_waiting(waiting(1, 0), 5000);
        assert_eq!(gate.poll(5000), Release::Now);
    }

    #[test]
    fn one_group_is_in_flight_and_the_next_goes_with_its_end() {
        let mut gate = CommitGate::new(POLICY);
        gate.handle_waiting(waiting(20, 0), 0);
        assert_eq!(gate.poll(0), Release::Now);
        gate.handle_released(0);
        gate.handle_waiting(waiting(21, 0), 100);
        assert_eq!(gate.poll(5000), Release::Idle);
        gate.handle_committed();
        assert_eq!(gate.poll(5000), Release::Now);
    }

    #[test]
    fn what_is_released_leaves_no_age_behind() {
        let mut gate = CommitGate::new(POLICY);
        gate.handle_waiting(waiting(0, 1), 0);
        gate.handle_released(2000);
        gate.handle_waiting(waiting(0, 1), 5000);
        gate.handle_committed();
        assert_eq!(gate.poll(5000), Release::At(8000));
    }
}
