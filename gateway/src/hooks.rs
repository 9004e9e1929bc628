//! What the operator's own servers are to be told: cores leave it here and wait for nobody.

mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use answerback_directory::shard::Wake;

pub use report::AskedReport;
use report::Reporters;
pub(crate) use report::{ReportAnswer, Way};

/// Where cores leave it; clones are the same place.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    wakes: Option<SyncSender<Wake>>,
    wakes_dropped: Arc<AtomicU64>,
    reports: Option<SyncSender<AskedReport>>,
    reporters: Reporters,
}

impl Hooks {
    /// For a box that has users woken by whoever takes them here, bounded.
    #[must_use]
    pub fn with_wakes(self, wakes: SyncSender<Wake>) -> Self {
        Self { wakes: Some(wakes), ..self }
    }

    /// For a box that tells of reports whoever takes them here, bounded.
    #[must_use]
    pub fn with_reports(self, reports: SyncSender<AskedReport>) -> Self {
        Self { reports: Some(reports), ..self }
    }

    /// Users that were to be woken and found no room.
    pub fn wakes_dropped(&self) -> u64 {
        self.wakes_dropped.load(Ordering::Relaxed)
    }

    /// Whether anybody would be woken.
    pub(crate) fn wakes(&self) -> bool {
        self.wakes.is_some()
    }

    /// A user has to be woken.
    pub(crate) fn wake(&self, wake: Wake) {
        let Some(wakes) = &self.wakes else { return };
        if wakes.try_send(wake).is_err() {
            self.wakes_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether anybody would tell of reports.
    pub(crate) fn takes_reports(&self) -> bool {
        self.reports.is_some()
    }

    /// A user has reported another. Without room, or where the same user has one under way, it
    /// is answered `Busy`.
    pub(crate) fn report(&self, asked: AskedReport) {
        if let Some(reports) = &self.reports
            && let Some(asked) = asked.enter(&self.reporters)
        {
            // One that finds no room is answered as it is dropped.
            drop(reports.try_send(asked));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use answerback_proto::id::UserId;

    use super::*;

    #[test]
    fn a_full_place_is_counted_and_waited_for_by_nobody() {
        let (wakes, taken) = sync_channel(1);
        let hooks = Hooks::default().with_wakes(wakes);
        assert!(hooks.wakes() && !Hooks::default().wakes());
        for user in 1..=3 {
            hooks.wake(Wake { user: UserId(user), messages: 1 });
        }
        assert_eq!(taken.try_recv().map(|wake| wake.user), Ok(UserId(1)));
        assert_eq!(hooks.wakes_dropped(), 2);
        drop(taken);
        hooks.wake(Wake { user: UserId(4), messages: 1 });
        assert_eq!(hooks.wakes_dropped(), 3);
    }
}
