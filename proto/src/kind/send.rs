//! Frames by which a message enters, and their answers.

use rkyv::{Archive, Serialize};

use super::envelope;

/// A message. Target: the recipient. Payload: the message, opaque.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// The device's number of it in this chat, from 1, without gaps.
    pub sequence: u64,
    /// Greatest `accepted_at_ms` of the chat that the device has, 0 for none.
    pub seen_ms: u64,
    /// How long it may wait, seconds; 0 for the longest, 30 days.
    pub life_s: u32,
    /// What the payload is; opaque to the server.
    pub content_type: u16,
}
envelope!(Send, ArchivedSend, { sequence, seen_ms, life_s, content_type }, check_ranges);

/// The message is durable. Target: the recipient. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its number.
    pub sequence: u64,
    /// Its place in the shown order of the chat, ms since 1970.
    pub accepted_at_ms: u64,
}
envelope!(Accepted, ArchivedAccepted, { sequence, accepted_at_ms }, check_ranges);

/// Nothing of the message, the skip or the read is kept; its number is still free. Target:
/// that of the request. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its number.
    pub sequence: u64,
    /// For codes of the class `retry_after`.
    pub retry_after_ms: u32,
    /// Why, a code.
    pub code: u16,
}
envelope!(Refused, ArchivedRefused, { sequence, retry_after_ms, code }, check_ranges);

/// An earlier message is missing; send from `expected` on. Target: the recipient.
/// No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct OutOfOrder {
    /// The number that was sent.
    pub sequence: u64,
    /// The next number that can be decided.
    pub expected: u64,
}
envelope!(OutOfOrder, ArchivedOutOfOrder, { sequence, expected }, check_ranges);

/// Gives numbers up, so that later ones can be decided. Target: the recipient.
/// No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// First number.
    pub from: u64,
    /// Last number; `to - from` ≤ 63.
    pub to: u64,
}
envelope!(Skip, ArchivedSkip, { from, to }, check_ranges);

/// The numbers are decided. Target: the recipient. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// First number.
    pub from: u64,
    /// Last number.
    pub to: u64,
    /// Bit i is set where number `from + i` had been accepted before.
    pub accepted: u64,
}
envelope!(Skipped, ArchivedSkipped, { from, to, accepted }, check_ranges);

/// A message that takes an earlier one of this device and chat back: where that waits
/// undelivered, it leaves, and its sender is told `Failed` (`Recalled`). Target: the
/// recipient. Payload: what the recipient's app is told, opaque.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Recall {
    /// The device's number of it in this chat, as of any message.
    pub sequence: u64,
    /// The number that is taken back, below `sequence`.
    pub recalled: u64,
    /// As in `Send`.
    pub seen_ms: u64,
    /// As in `Send`.
    pub life_s: u32,
    /// As in `Send`.
    pub content_type: u16,
}
envelope!(Recall, ArchivedRecall, { sequence, recalled, seen_ms, life_s, content_type }, check_ranges);
