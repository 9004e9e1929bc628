//! The journal of a box, with an eye on the space that is left for it.

use answerback_directory::ports::{Journal, StorageFault};
use answerback_directory::shard::checkpoint::Checkpoint;
use answerback_proto::record::Batch;
use answerback_store::{JournalWriter, Reserve};

/// Writes the store, and says when new messages must wait.
pub(crate) struct ReservedJournal {
    /// Writes.
    pub(crate) writer: JournalWriter,
    /// Watches.
    pub(crate) reserve: Reserve,
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
        self.reserve.is_low()
    }
}
