//! The thread "watch" of a box: looks once a second at all that an operator may ask about, and
//! keeps what it saw.
//!
//! ```text
//! cores ◄── stats ──┐
//! disk  ◄── statvfs ┤ watch ── Sample ──► /metrics, `answerback status`
//! store ◄── figures ┤
//! /proc ◄───────────┘
//! ```
//! Whoever is asked reads the last sample and never waits: a disk that hangs, or a core that
//! does not answer, holds up this thread alone, and is seen by the age of its sample.

mod memory;
mod sample;
mod sources;

use std::collections::VecDeque;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::{Clock, unix_ms};

pub(crate) use memory::MemoryCeiling;
pub(crate) use sample::{Disk, OutboxRound, ProcessFigures, Sample};
pub(crate) use sources::Sources;

/// How often it looks.
const PERIOD: Duration = Duration::from_secs(1);
/// Samples that are kept: those of the last minute.
const SAMPLES_KEPT: usize = 61;

/// A box that is watched, until it is dropped: then the look under way ends.
#[derive(Debug)]
pub(crate) struct Watch {
    view: WatchView,
    sources: Option<Sender<Sources>>,
    thread: Option<JoinHandle<()>>,
}

/// What was seen; clones see the same.
#[derive(Clone, Debug)]
pub(crate) struct WatchView {
    clock: Clock,
    /// Since 1970. Fixed, so that nobody takes a clock that is set for another start.
    started_at_ms: u64,
    /// Of the last minute, the oldest first; at least one.
    samples: Arc<Mutex<VecDeque<Arc<Sample>>>>,
}

impl Watch {
    /// Begins, with what there is of a process that is only starting.
    pub(crate) fn start(clock: Clock) -> std::io::Result<Self> {
        let view = WatchView::new(clock);
        view.put(Sample::of_process(&clock));
        let (sources, attached) = channel();
        let seen_here = view.clone();
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            let mut sources = None;
            loop {
                match attached.recv_timeout(PERIOD) {
                    Ok(new) => sources = Some(new),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                seen_here.put(Sample::take(&clock, sources.as_mut()));
            }
        })?;
        Ok(Self { view, sources: Some(sources), thread: Some(thread) })
    }

    /// There is more to look at from now on, which it does at once.
    pub(crate) fn attach(&self, sources: Sources) {
        if let Some(thread) = &self.sources {
            // One that has ended says so by the age of its sample.
            let _ = thread.send(sources);
        }
    }

    /// What it saw.
    pub(crate) fn view(&self) -> WatchView {
        self.view.clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.sources.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl WatchView {
    fn new(clock: Clock) -> Self {
        let started_at_ms = unix_ms().saturating_sub(clock.elapsed().as_millis() as u64);
        Self { clock, started_at_ms, samples: Arc::default() }
    }

    /// When the process began, ms since 1970.
    pub(crate) fn started_at_ms(&self) -> u64 {
        self.started_at_ms
    }

    /// The last sample.
    pub(crate) fn latest(&self) -> Arc<Sample> {
        self.samples().back().map(Arc::clone).unwrap_or_default()
    }

    /// The oldest sample of the time before the last one that has traffic; the last one where
    /// there is no other.
    pub(crate) fn before(&self, time: Duration) -> Arc<Sample> {
        let samples = self.samples();
        let last_at = samples.back().map_or(Duration::ZERO, |last| last.taken_at);
        let from = last_at.saturating_sub(time);
        let mut within = samples.iter().skip_while(|sample| sample.taken_at < from);
        let found = within.find(|sample| sample.traffic.is_some()).or(samples.back());
        found.map(Arc::clone).unwrap_or_default()
    }

    /// How long ago a sample was taken.
    pub(crate) fn age_of(&self, sample: &Sample) -> Duration {
        self.clock.elapsed().saturating_sub(sample.taken_at)
    }

    fn put(&self, sample: Sample) {
        let mut samples = self.samples();
        samples.push_back(Arc::new(sample));
        while samples.len() > SAMPLES_KEPT {
            samples.pop_front();
        }
    }

    fn samples(&self) -> MutexGuard<'_, VecDeque<Arc<Sample>>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use answerback_gateway::Stats;

    use super::*;

    fn at(view: &WatchView, second: u64) {
        let (taken_at, traffic) = (Duration::from_secs(second), Some(Stats::default()));
        view.put(Sample { taken_at, traffic, ..Sample::default() });
    }

    #[test]
    fn the_samples_of_a_minute_are_kept() {
        let view = WatchView::new(Clock::new());
        let before = |seconds| view.before(Duration::from_secs(seconds)).taken_at.as_secs();
        assert_eq!((view.latest().taken_at.as_secs(), before(10)), (0, 0));
        view.put(Sample { taken_at: Duration::from_secs(1), ..Sample::default() });
        assert_eq!(before(10), 1);
        at(&view, 2);
        assert_eq!(before(10), 2, "what has no traffic has no rate");
        (3..=100).for_each(|second| at(&view, second));
        assert_eq!(view.latest().taken_at.as_secs(), 100);
        assert_eq!([before(0), before(10), before(60), before(1000)], [100, 90, 40, 40]);
        at(&view, 200);
        assert_eq!(before(10), 200, "what is older than that says nothing of it");
    }
}
