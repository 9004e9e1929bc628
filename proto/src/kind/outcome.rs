//! The answers to requests that change something of the acting user's, or of a group's, and
//! have nothing else to tell.

use rkyv::{Archive, Serialize};

use super::envelope;

/// What was asked for is durable. Target: as in the request. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// When it took effect, ms since 1970.
    pub at_ms: u64,
}
envelope!(Done, ArchivedDone, { at_ms });

/// What was asked for is not done, and nothing of it is kept. Target: as in the request.
/// No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Declined {
    /// For codes of the class `retry_after`.
    pub retry_after_ms: u32,
    /// Why, a code.
    pub code: u16,
}
envelope!(Declined, ArchivedDeclined, { retry_after_ms, code }, check_ranges);
