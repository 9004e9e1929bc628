//! The layouts of what a deleted chat makes: the payload of each is marks (see
//! [`DeviceMarks`](crate::kind::DeviceMarks)).

use rkyv::{Archive, Serialize};

use super::layout::layout;
use super::{FixedRecord, RecordKind};

layout! {
    /// A user of this partition has deleted a chat. Payload: marks of the user's own devices.
    EraseChat / ArchivedEraseChat {
        /// Who has deleted it.
        user: u128,
        /// On which device.
        device: u128,
        /// The other end of the chat.
        peer: u128,
        /// The place in the user's inbox up to which the device has it.
        cursor: u64,
    }
}

layout! {
    /// A part for a user of this partition: the peer has deleted the chat. Payload: marks of
    /// the peer's devices.
    ErasePart / ArchivedErasePart {
        /// The partition that the part comes from.
        source: u16,
        /// That partition's generation.
        generation: u64,
        /// The part's number in the queue from there to here.
        number: u64,
        /// The number before it that was still queued, else the last confirmed.
        previous: u64,
        /// Whose inbox it concerns.
        user: u128,
        /// Who has deleted the chat.
        peer: u128,
        /// On which device.
        device: u128,
    }
}

layout! {
    /// A part for a user of this partition who has deleted a chat: so much of the user's own
    /// messages was decided, and is deleted. Payload: marks of the user's own devices.
    ErasedPart / ArchivedErasedPart {
        /// The partition that the part comes from.
        source: u16,
        /// That partition's generation.
        generation: u64,
        /// The part's number in the queue from there to here.
        number: u64,
        /// The number before it that was still queued, else the last confirmed.
        previous: u64,
        /// Who has deleted the chat.
        user: u128,
        /// The other end of the chat.
        peer: u128,
        /// On which device it was.
        device: u128,
    }
}
