//! What the devices and the one who kills know of each other.

use std::sync::{Barrier, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use answerback_proto::id::UserId;

use crate::device::Device;

/// Far beyond what any step takes: a run that hangs fails, and says where.
const PATIENCE: Duration = Duration::from_secs(50);

/// Shared by all threads of a run.
pub(crate) struct Stage {
    told: Mutex<Told>,
    changed: Condvar,
    all_logged_in: Barrier,
}

#[derive(Debug, Default)]
struct Told {
    /// Decisions seen by the devices, repeats included.
    accepted: u64,
    is_sending_over: bool,
    /// Devices that will send nothing more.
    quiet: usize,
    /// Devices that have everything.
    finished: usize,
    devices: usize,
    /// How many messages went to whom, from each of them.
    sent_to: Vec<(UserId, u64)>,
    has_failed: bool,
}

impl Told {
    /// How many messages there are for a user, once that is certain.
    fn count_for(&self, user: UserId) -> Option<u64> {
        let counts = self.sent_to.iter().filter(|(to, _)| *to == user).map(|(_, count)| count);
        (self.quiet == self.devices).then(|| counts.sum())
    }

    fn is_finished(&self) -> bool {
        self.finished == self.devices
    }
}

/// Tells the others where a thread panics, or they would go on for ever.
pub(crate) struct Alarm<'a>(&'a Stage);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.tell(|told| told.has_failed = true);
        }
    }
}

impl Stage {
    pub(crate) fn new(devices: usize) -> Self {
        let told = Mutex::new(Told { devices, ..Told::default() });
        Self { told, changed: Condvar::new(), all_logged_in: Barrier::new(devices) }
    }

    /// To be held by each thread of the run.
    pub(crate) fn alarm(&self) -> Alarm<'_> {
        Alarm(self)
    }

    /// A device's whole life: it logs in, sends through all kills, and waits for the rest.
    pub(crate) fn play(&self, mut device: Device) {
        let _alarm = self.alarm();
        self.all_logged_in.wait();
        self.keep_going(&mut device, |device| {
            device.send_some();
            self.lock().is_sending_over
        });
        self.keep_going(&mut device, |device| device.is_all_decided());
        self.tell(|told| {
            told.quiet += 1;
            told.sent_to.extend(device.sent_to());
        });
        self.keep_going(&mut device, |device| {
            let expected = self.lock().count_for(device.user());
            expected.is_some_and(|count| device.has_everything(count))
        });
        // One that died with its last words unacknowledged has to come back once more.
        self.tell(|told| told.finished += 1);
        self.keep_going(&mut device, |_| self.lock().is_finished());
    }

    /// One turn after the other, over as many connections as it takes, until `is_over`.
    fn keep_going(&self, device: &mut Device, mut is_over: impl FnMut(&mut Device) -> bool) {
        loop {
            self.check();
            let accepted = device.turn();
            self.tell(|told| told.accepted += accepted);
            if is_over(device) {
                return;
            }
        }
    }

    /// Fails where another thread did.
    pub(crate) fn check(&self) {
        assert!(!self.lock().has_failed, "another thread failed");
    }

    pub(crate) fn wait_for_accepted(&self, count: u64) {
        let enough = self.lock().accepted + count;
        self.wait_for(|told| told.accepted >= enough);
    }

    /// Lets some time pass, unless a thread fails.
    pub(crate) fn rest(&self, time: Duration) {
        let waits = |told: &mut Told| !told.has_failed;
        let rested = self.changed.wait_timeout_while(self.lock(), time, waits);
        drop(rested.unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn finish_sending(&self) {
        self.tell(|told| told.is_sending_over = true);
    }

    fn wait_for(&self, has_come: impl Fn(&Told) -> bool) {
        let told = self.lock();
        let waits = |told: &mut Told| !has_come(told) && !told.has_failed;
        let (told, timeout) = self
            .changed
            .wait_timeout_while(told, PATIENCE, waits)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!told.has_failed, "another thread failed");
        assert!(!timeout.timed_out(), "nothing goes on: {told:?}");
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
