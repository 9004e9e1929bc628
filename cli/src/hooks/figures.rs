//! What there is to see of hooks.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use answerback_gateway::Hooks;

/// What happened; clones see the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct HooksView {
    figures: Arc<Mutex<HookFigures>>,
    outlet: Arc<OnceLock<Hooks>>,
}

/// Since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HookFigures {
    /// Users of whom the push service has been told.
    pub(crate) woken: u64,
    /// Requests to it that failed; each is tried again.
    pub(crate) push_failures: u64,
    /// Users of whom nobody was told: there was no room, or it took too long.
    pub(crate) push_dropped: u64,
    /// Users of whom it is to be told.
    pub(crate) push_waiting: u64,
    /// Since when it takes nothing, s since the process began.
    pub(crate) push_failing_since_s: Option<u64>,
    /// Reports that the operator's server took.
    pub(crate) reports: u64,
    /// Reports that it did not take.
    pub(crate) report_failures: u64,
    /// Whether the last one is of those.
    pub(crate) are_reports_failing: bool,
}

impl HooksView {
    /// As they are.
    pub(crate) fn read(&self) -> HookFigures {
        let mut figures = *self.lock();
        figures.push_dropped += self.outlet.get().map_or(0, Hooks::wakes_dropped);
        figures
    }

    /// What finds no room there counts too.
    pub(super) fn watch(&self, outlet: Hooks) {
        // It is set once, at the start.
        let _ = self.outlet.set(outlet);
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut HookFigures)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HookFigures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
