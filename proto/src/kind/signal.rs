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

/// Whom the user wants to see being there, in place of the earlier ones. Target: the acting user.
/// Tail: `users_count` × u128. No payload.
#[derive(Archive, Serialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// 1 for a look: told once, the list stays as it is; else 0.
    pub once: u16,
    /// Users in the tail, ≤ 256.
    pub users_count: u16,
}
envelope!(Watch, ArchivedWatch, { once, users_count }, check_ranges);

/// Who may see when the user was there, and whom the user may see. Target: the acting user.
/// No payload.
#[derive(Archive, Serialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetVisibility {
    /// 0 everybody, 1 contacts, 2 nobody.
    pub visibility: u16,
}
envelope!(SetVisibility, ArchivedSetVisibility, { visibility }, check_ranges);

/// When a user was there last. Target: that user. No payload.
#[derive(Archive, Serialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The last action, ms since 1970; 0 where none is known, or shown.
    pub last_action_ms: u64,
    /// How long the user counts as there from now on, ms; 0 where not.
    pub online_for_ms: u32,
}
envelope!(Presence, ArchivedPresence, { last_action_ms, online_for_ms }, check_ranges);
