//! What an operator asks of a running box.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use answerback_directory::mailbox::Wake;
use answerback_directory::partition_table::PartitionTable;
use answerback_directory::shard::Administered;
use answerback_proto::id::{DeviceId, UserId};

use crate::reactor::CoreWaker;

/// Something that a shard journals for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A user exists from now on.
    AddUser(UserId),
    /// A device is no longer the user's.
    Revoke(UserId, DeviceId),
    /// The clock is right, however far it jumped.
    ConfirmClock,
}

/// A box that does not answer a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the box did not answer: it is starting, stopping, or a partition is out of service",
        )
    }
}

impl std::error::Error for Unanswered {}

/// Far beyond what a commit takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a box; clones ask the same one.
#[derive(Clone, Default)]
pub struct Control {
    inner: Arc<Mutex<Option<Inner>>>,
}

struct Inner {
    table: PartitionTable,
    desks: Vec<Arc<Desk>>,
}

/// Where a core finds its commands.
pub(crate) struct Desk {
    is_waiting: AtomicBool,
    asked: Mutex<Vec<Asked>>,
    waker: Arc<CoreWaker>,
}

/// A command on its way, and who waits for it.
pub(crate) struct Asked {
    pub(crate) command: Command,
    pub(crate) answer: Sender<Administered>,
}

impl Control {
    /// For a box that is about to be served.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has a command journaled, and waits for what becomes of it.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn ask(&self, command: Command) -> Result<Administered, Unanswered> {
        let (answers, expected) = self.submit(command)?;
        let mut outcome = Administered::WasSo;
        for _ in 0..expected {
            match answers.recv_timeout(PATIENCE).map_err(|_| Unanswered)? {
                Administered::WasSo => {}
                told => outcome = told,
            }
        }
        Ok(outcome)
    }

    fn submit(&self, command: Command) -> Result<(Receiver<Administered>, u16), Unanswered> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { table, desks } = inner.as_ref().ok_or(Unanswered)?;
        let (answer, answers) = channel();
        let core_of = |user| usize::from(table.core_of(table.partition_of(user)));
        let (cores, expected) = match command {
            Command::AddUser(user) | Command::Revoke(user, _) => {
                let core = core_of(user);
                (core..core + 1, 1)
            }
            Command::ConfirmClock => (0..desks.len(), table.partitions()),
        };
        for desk in desks.get(cores).unwrap_or_default() {
            desk.put(Asked { command, answer: answer.clone() });
        }
        Ok((answers, expected))
    }

    /// The box serves: each core gets its desk.
    pub(crate) fn attach(
        &self,
        table: PartitionTable,
        wakers: impl Iterator<Item = Arc<CoreWaker>>,
    ) -> Vec<Arc<Desk>> {
        let desk = |waker| {
            let (is_waiting, asked) = (AtomicBool::new(false), Mutex::default());
            Arc::new(Desk { is_waiting, asked, waker })
        };
        let desks: Vec<_> = wakers.map(desk).collect();
        let inner = Inner { table, desks: desks.clone() };
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = Some(inner);
        desks
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Desk {
    fn put(&self, asked: Asked) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        self.is_waiting.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// What was asked since the last call; a look at a flag where nothing was.
    pub(crate) fn take(&self) -> Vec<Asked> {
        if !self.is_waiting.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
