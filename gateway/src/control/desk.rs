//! Where a core finds what the operator wants of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use answerback_directory::mailbox::Wake;
use answerback_directory::shard::Administered;
use answerback_proto::id::{PartitionId, UserId};

use super::Command;
use crate::auth::{SealingKeys, Verifier};
use crate::config::GatewayConfig;
use crate::hooks::ReportAnswer;
use crate::reactor::CoreWaker;
use crate::stats::{CoreStats, SessionInfo};
use crate::transport::tls::Certificate;

/// What a core is asked. Whoever asked may be gone when it answers.
pub(crate) enum Asked {
    /// To have something journaled.
    Perform { command: Command, answer: Sender<Administered> },
    /// How it is.
    Report(Sender<CoreStats>),
    /// Who of a user is connected.
    Sessions { user: UserId, answer: Sender<Vec<SessionInfo>> },
    /// To have partitions hear nothing of others for so long.
    Hold { partitions: Arc<[PartitionId]>, for_ms: u64 },
    /// To answer a report.
    Reported(ReportAnswer),
    /// To go by other settings from now on.
    Reload(Arc<GatewayConfig>),
    /// To show another certificate from now on.
    Certificate(Certificate),
    /// To check tokens by other keys from now on.
    Verifier(Arc<Verifier>),
    /// To seal tickets with other keys from now on.
    SealingKeys(SealingKeys),
}

/// One core's.
pub(crate) struct Desk {
    is_waiting: AtomicBool,
    /// None once the core has ended: nobody would answer.
    asked: Mutex<Option<Vec<Asked>>>,
    waker: Arc<CoreWaker>,
}

impl Desk {
    pub(super) fn new(waker: Arc<CoreWaker>) -> Self {
        Self { is_waiting: AtomicBool::new(false), asked: Mutex::new(Some(Vec::new())), waker }
    }

    /// Asks the core; a question to one that has ended is dropped, with the way to its asker.
    pub(crate) fn put(&self, asked: Asked) {
        match &mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(waiting) => waiting.push(asked),
            None => return,
        }
        self.is_waiting.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// What was asked since the last call; a look at a flag where nothing was.
    pub(crate) fn take(&self) -> Vec<Asked> {
        if !self.is_waiting.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The core has ended.
    pub(crate) fn close(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
