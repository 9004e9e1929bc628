//! How far a device has come in its user's inbox.
//!
//! ```text
//!   stored ≤ received      stored: on the device's disk, what may be acknowledged
//!                          received: handed to the driver, what the next entry is held against
//! ```

use answerback_proto::id::{Generation, Position};

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the next one.
    Take,
    /// It was taken before.
    Repeat,
    /// One before it is missing.
    Gap,
}

/// The device's place in the inbox.
#[derive(Debug)]
pub(super) struct InboxCursor {
    generation: Generation,
    received: Position,
    stored: Position,
    ack_due: bool,
    resync_due: bool,
    /// A gap was reported; the entries that were under way behind it say nothing new.
    resyncing: bool,
}

impl InboxCursor {
    pub(super) fn new(generation: Generation, cursor: Position) -> Self {
        Self {
            generation,
            received: cursor,
            stored: cursor,
            ack_due: false,
            resync_due: false,
            resyncing: false,
        }
    }

    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    pub(super) fn stored(&self) -> Position {
        self.stored
    }

    /// `Welcome` says where this session starts; what was received and not stored comes again.
    pub(super) fn start_at(&mut self, generation: Generation, cursor: Position) {
        *self = Self::new(generation, cursor);
    }

    /// Judges an entry, and moves on where it is taken.
    pub(super) fn judge(&mut self, after: Position, position: Position) -> Verdict {
        if position <= self.received {
            self.ack_due |= position <= self.stored;
            return Verdict::Repeat;
        }
        if after > self.received {
            self.resync_due |= !self.resyncing;
            self.resyncing = true;
            return Verdict::Gap;
        }
        self.received = position;
        self.resyncing = false;
        Verdict::Take
    }

    pub(super) fn handle_stored(&mut self, position: Position) {
        let position = position.min(self.received);
        if position > self.stored {
            self.stored = position;
            self.ack_due = true;
        }
    }

    pub(super) fn owes_ack(&self) -> bool {
        self.ack_due
    }

    pub(super) fn take_ack(&mut self) -> Option<Position> {
        std::mem::take(&mut self.ack_due).then_some(self.stored)
    }

    pub(super) fn take_resync(&mut self) -> Option<Position> {
        std::mem::take(&mut self.resync_due).then_some(self.received)
    }
}
