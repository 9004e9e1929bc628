//! The journal of a box, with an eye on the space that is left for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use answerback_directory::ports::{Journal, StorageFault};
use answerback_directory::shard::checkpoint::Checkpoint;
use answerback_proto::record::Batch;
use answerback_store::{JournalWriter, Reserve, ReserveMarks};

/// The reserve that the operator wants, which a reload changes; clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct SharedMarks(Arc<Mutex<ReserveMarks>>);

impl SharedMarks {
    pub(crate) fn new(marks: ReserveMarks) -> Self {
        Self(Arc::new(Mutex::new(marks)))
    }

    /// Those in force.
    pub(crate) fn read(&self) -> ReserveMarks {
        *self.lock()
    }

    /// Others from now on.
    pub(crate) fn set(&self, marks: ReserveMarks) {
        *self.lock() = marks;
    }

    fn lock(&self) -> MutexGuard<'_, ReserveMarks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the store, and says when new messages must wait.
pub(crate) struct ReservedJournal {
    /// Writes.
    pub(crate) writer: JournalWriter,
    /// Watches.
    pub(crate) reserve: Reserve,
    /// By these marks.
    pub(crate) marks: SharedMarks,
}

impl Journal for ReservedJournal {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), StorageFault> {
        self.writer.commit(batches)
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), StorageFault> {
        self.writer.checkpoint(checkpoint)
    }

    fn mark(&mut self) -> Result<(), StorageFault> {
        self.writer.mark()
    }

    fn is_low_on_space(&mut self) -> bool {
        self.reserve.set_marks(self.marks.read());
        self.reserve.is_low()
    }
}
