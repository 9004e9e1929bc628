//! Frames by which a user's devices empty the inbox.
//!
//! `Deliver`, `Copied`, `Delivered`, `ReadBy`, `ReadElsewhere` and `Failed` are entries and
//! begin with the same two fields:
//! a device takes an entry only if `after` ≤ its cursor, stores it with the new cursor
//! in one transaction, then acknowledges its position. Position 0 is a first word that
//! is not in the inbox: it is shown, and neither stored as a cursor nor acknowledged.

use rkyv::{Archive, Serialize};

use super::envelope;

/// A message. Target: its sender. Payload: the message, opaque.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Deliver {
    /// Its place in this inbox.
    pub position: u64,
    /// The place before it that was offered to this device, or the device's cursor.
    pub after: u64,
    /// The sending device.
    pub device: u128,
    /// That device's number of it in this chat.
    pub sequence: u64,
    /// Its place in the shown order of the chat, ms since 1970.
    pub accepted_at_ms: u64,
    /// What the payload is; opaque to the server.
    pub content_type: u16,
}
envelope!(Deliver, ArchivedDeliver, {
    position, after, device, sequence, accepted_at_ms, content_type,
}, check_ranges);

/// Messages of one of the user's devices were delivered. Target: their recipient.
/// Tail: `except_count` × (u64 first, u64 last). No payload. Cumulative: all sequences
/// up to `up_to` but for the ranges excepted.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its place in this inbox, or 0.
    pub position: u64,
    /// As in `Deliver`; 0 where `position` is.
    pub after: u64,
    /// The device that had sent them.
    pub device: u128,
    /// The greatest number that was delivered.
    pub up_to: u64,
    /// When the last of them was, ms since 1970.
    pub delivered_at_ms: u64,
    /// Ranges in the tail, ≤ 16.
    pub except_count: u16,
}
envelope!(Delivered, ArchivedDelivered, {
    position, after, device, up_to, delivered_at_ms, except_count,
}, check_ranges);

/// A message will not be delivered; final. Target: its recipient. No payload. With a
/// tag it is the answer to that `Send`, its position is 0, and the entry follows.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Its place in this inbox, or 0.
    pub position: u64,
    /// As in `Deliver`; 0 where `position` is.
    pub after: u64,
    /// The device that had sent it.
    pub device: u128,
    /// That device's number of it.
    pub sequence: u64,
    /// Why, a code.
    pub code: u16,
}
envelope!(Failed, ArchivedFailed, { position, after, device, sequence, code }, check_ranges);

/// All entries up to `up_to` are stored in the device. Target: the acting user.
/// No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The greatest position stored.
    pub up_to: u64,
}
envelope!(Ack, ArchivedAck, { up_to });

/// Asks for the entries behind `cursor` again. Target: the acting user. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Resync {
    /// The greatest position stored.
    pub cursor: u64,
}
envelope!(Resync, ArchivedResync, { cursor });

/// All entries that waited at `Hello` have been sent, whether acknowledged or not; once
/// a session. Target: the user. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct CaughtUp {
    /// The last position sent.
    pub position: u64,
}
envelope!(CaughtUp, ArchivedCaughtUp, { position });

/// A message that another device of the user has sent. Target: its recipient. Payload: the
/// message, opaque.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its place in this inbox.
    pub position: u64,
    /// As in `Deliver`.
    pub after: u64,
    /// The device of the user that had sent it.
    pub device: u128,
    /// That device's number of it in this chat.
    pub sequence: u64,
    /// Its place in the shown order of the chat, ms since 1970.
    pub accepted_at_ms: u64,
    /// What the payload is; opaque to the server.
    pub content_type: u16,
}
envelope!(Copied, ArchivedCopied, {
    position, after, device, sequence, accepted_at_ms, content_type,
}, check_ranges);

/// Messages of one of the user's devices were read. Target: who has read them. No payload.
/// Cumulative: all sequences up to `up_to` that were delivered.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct ReadBy {
    /// Its place in this inbox, or 0.
    pub position: u64,
    /// As in `Deliver`; 0 where `position` is.
    pub after: u64,
    /// The device that had sent them.
    pub device: u128,
    /// The greatest number that was read.
    pub up_to: u64,
    /// When it was, ms since 1970.
    pub read_at_ms: u64,
}
envelope!(ReadBy, ArchivedReadBy, { position, after, device, up_to, read_at_ms }, check_ranges);

/// The user has read messages on another device. Target: who had sent them. No payload.
/// Cumulative.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct ReadElsewhere {
    /// Its place in this inbox.
    pub position: u64,
    /// As in `Deliver`.
    pub after: u64,
    /// The device that had sent them.
    pub device: u128,
    /// The greatest number that was read.
    pub up_to: u64,
    /// When it was, ms since 1970.
    pub read_at_ms: u64,
}
envelope!(ReadElsewhere, ArchivedReadElsewhere, {
    position, after, device, up_to, read_at_ms,
}, check_ranges);

/// The user has read a device's messages of a chat. Target: the acting user. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The other end of the chat.
    pub peer: u128,
    /// The device that had sent them.
    pub device: u128,
    /// The greatest number that was read.
    pub up_to: u64,
}
envelope!(Read, ArchivedRead, { peer, device, up_to }, check_ranges);

/// What was read is durable. Target: the acting user. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct ReadNoted {
    /// All up to here counts as read: not more than what was delivered.
    pub up_to: u64,
}
envelope!(ReadNoted, ArchivedReadNoted, { up_to });
