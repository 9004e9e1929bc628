//! A report that waits for the operator's server.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use answerback_directory::shard::{Answer, Reported, SessionRef};
use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, PartitionId, UserId};

use crate::control::{Asked, Desk};
use crate::limits::REPORT_RETRY_AFTER_MS;

/// Users with a report under way. Nobody has two, or one user would have the server to himself.
#[derive(Clone, Debug, Default)]
pub(super) struct Reporters(Arc<Mutex<BTreeSet<UserId>>>);

/// A report of a user. It is answered once: `Busy` where it is dropped.
pub struct AskedReport {
    /// Who reports.
    pub reporter: UserId,
    /// From which device.
    pub device: DeviceId,
    /// Whom, and what.
    pub reported: Reported,
    /// None once it is answered.
    way: Option<Way>,
    reporters: Option<Reporters>,
}

/// The way back of an answer.
pub(crate) struct Way {
    /// Of the core that drives the reported user's home.
    pub(crate) desk: Arc<Desk>,
    /// That home.
    pub(crate) partition: PartitionId,
    /// Who asked.
    pub(crate) to: SessionRef,
    /// The request's tag.
    pub(crate) tag: u32,
    /// The header's target.
    pub(crate) peer: UserId,
}

/// An answer on that way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReportAnswer {
    pub(crate) partition: PartitionId,
    pub(crate) to: SessionRef,
    pub(crate) tag: u32,
    pub(crate) peer: UserId,
    pub(crate) answer: Answer,
}

impl AskedReport {
    pub(crate) fn new(reporter: UserId, device: DeviceId, reported: Reported, way: Way) -> Self {
        Self { reporter, device, reported, way: Some(way), reporters: None }
    }

    /// The operator's server has it since then, ms since 1970.
    pub fn done(mut self, at_ms: u64) {
        self.answer(Answer::Done { at_ms });
    }

    /// None where the user has one under way.
    pub(super) fn enter(mut self, reporters: &Reporters) -> Option<Self> {
        let mut under_way = reporters.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !under_way.insert(self.reporter) {
            return None;
        }
        drop(under_way);
        self.reporters = Some(reporters.clone());
        Some(self)
    }

    fn answer(&mut self, answer: Answer) {
        if let Some(Reporters(reporters)) = self.reporters.take() {
            reporters.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.reporter);
        }
        let Some(Way { desk, partition, to, tag, peer }) = self.way.take() else { return };
        desk.put(Asked::Reported(ReportAnswer { partition, to, tag, peer, answer }));
    }
}

impl Drop for AskedReport {
    fn drop(&mut self) {
        let (code, retry_after_ms) = (Code::Busy, REPORT_RETRY_AFTER_MS);
        self.answer(Answer::Declined { code, retry_after_ms });
    }
}

impl fmt::Debug for AskedReport {
    /// Without the excerpt: that is for the operator's server alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskedReport").field("reason", &self.reported.reason).finish_non_exhaustive()
    }
}
