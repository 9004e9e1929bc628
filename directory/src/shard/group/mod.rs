//! Groups: who is in one, what its members are sent, and who still holds that.
//!
//! ```text
//!  group's home                          each partition of members
//!  GroupPost ─► decided ─► one part ───► one body: the payload, once
//!               by members' partition    an entry a member, which refers to it
//!               ◄─ GroupFailed ───────── rejected, expired: folded at the sender's home
//! ```
//! A group stands among the users of its home: its chats hold what was decided of each
//! member's devices, as a user's do. It has no inbox, and nobody can log in as one.

mod bodies;
mod receipts;
mod roster;
mod word;

pub(crate) use bodies::{Bodies, Body};
pub use receipts::SlotBits;
pub(crate) use receipts::{Counted, GroupChat, Seat, Tally, Unread};
pub(crate) use roster::{Group, Member, Role, by_home};
pub(crate) use word::Membership;
pub use word::{GroupWord, Said};

use answerback_proto::id::UserId;
use answerback_proto::kind::{NUMBERED_USER_BYTES, append_numbered_user};

/// Users as a record's payload lists them, and what follows.
pub(crate) fn split_users(payload: &[u8], count: u16) -> (Vec<UserId>, usize) {
    let length = (usize::from(count) * size_of::<u128>()).min(payload.len());
    let (listed, _) = payload.split_at(length);
    (users(listed), length)
}

/// All users that some bytes list.
pub(crate) fn users(listed: &[u8]) -> Vec<UserId> {
    let (ids, _) = listed.as_chunks::<16>();
    ids.iter().map(|id| UserId(u128::from_le_bytes(*id))).collect()
}

/// Users as some bytes list them, each with a number.
pub(crate) fn numbered_users(listed: &[u8]) -> Vec<(UserId, u16)> {
    let (pairs, _) = listed.as_chunks::<NUMBERED_USER_BYTES>();
    let of_pair = |pair: &[u8; NUMBERED_USER_BYTES]| {
        let [id @ .., low, high] = *pair;
        (UserId(u128::from_le_bytes(id)), u16::from_le_bytes([low, high]))
    };
    pairs.iter().map(of_pair).collect()
}

/// The bytes that list them.
pub(crate) fn list_numbered(users: &[(UserId, u16)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    users.iter().for_each(|(user, number)| append_numbered_user(&mut bytes, *user, *number));
    bytes
}

/// Users as a record's payload lists them.
pub(crate) fn list_users(users: &[UserId]) -> Vec<u8> {
    users.iter().flat_map(|user| user.0.to_le_bytes()).collect()
}
