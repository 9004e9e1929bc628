//! Signals: frames that are shown now or never. Nothing of them is stored, no cursor counts
//! them, and whoever has more to do than he can drops them first.

use rkyv::{Archive, Serialize};

use super::envelope;

/// A user writes something to another, or no longer. Target: from a client the other user, from
/// a server who writes. No payload.
#[derive(Archive, Serialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typing {
    /// What the user does: 0 nothing any more, 1 writes; see the registry. Opaque to the server
    /// but for the 0.
    pub state: u16,
}
envelope!(Typing, ArchivedTyping, { state });
