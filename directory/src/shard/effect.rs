//! What a shard wants done, and the words in which shards and sessions speak of each other.

use answerback_proto::code::Code;
use answerback_proto::id::{
    DeviceId, Generation, PartNumber, PartitionId, Position, Sequence, UserId,
};
use answerback_proto::kind::Kind;
use answerback_proto::record::{DeliveredPart, FailedPart};
use bytes::Bytes;

/// A connection of this box: its core, its slot there, and which user of the slot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionRef {
    /// The core that drives the socket.
    pub core: u16,
    /// The slot in that core's table.
    pub slot: u32,
    /// Counts the slot's users, so that a late word never reaches the next one.
    pub generation: u32,
}

/// Who asks, and where the answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The asking session.
    pub session: SessionRef,
    /// The request's tag.
    pub tag: u32,
    /// The authenticated user.
    pub user: UserId,
    /// The authenticated device.
    pub device: DeviceId,
}

/// A checked `Hello` of a user of this partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Who asks; its session is on the core that drives this shard.
    pub origin: Origin,
    /// From the `Hello`.
    pub connection_counter: u64,
    /// From the `Hello`: what `cursor` belongs to.
    pub generation: Generation,
    /// From the `Hello`: the last position that the device has stored.
    pub cursor: Position,
    /// From the `Hello`, within limits.
    pub credit_frames: u32,
    /// From the `Hello`, within limits.
    pub credit_bytes: u32,
}

/// What should be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answer a request; the session may be another core's.
    Answer {
        /// Whose request.
        to: SessionRef,
        /// The request's tag.
        tag: u32,
        /// The other end of the chat: the header's target.
        peer: UserId,
        /// The answer.
        answer: Answer,
    },
    /// Answer a `Hello`.
    Opened {
        /// Whose.
        to: SessionRef,
        /// The request's tag.
        tag: u32,
        /// The user, the header's target.
        user: UserId,
        /// What `Welcome` should say.
        opened: Opened,
    },
    /// Push an entry.
    Entry {
        /// To which session.
        to: SessionRef,
        /// The entry.
        entry: Entry,
    },
    /// All entries that waited at `Hello` are sent.
    CaughtUp {
        /// To which session.
        to: SessionRef,
        /// The user, the header's target.
        user: UserId,
        /// The last position sent.
        position: Position,
    },
    /// Say why, then close; the session may be another core's.
    Close {
        /// Which session.
        to: SessionRef,
        /// The tag of the request at fault, 0 where none is.
        tag: u32,
        /// The kind at fault, where one is.
        kind: Option<Kind>,
        /// Why.
        code: Code,
    },
    /// Hand over to another partition, or to this one.
    Mail {
        /// Which.
        to: PartitionId,
        /// What.
        mail: Mail,
    },
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The message is durable.
    Accepted {
        /// Its number.
        sequence: Sequence,
        /// Its place in the shown order.
        accepted_at_ms: u64,
    },
    /// Nothing is kept.
    Refused {
        /// Its number.
        sequence: Sequence,
        /// Why.
        code: Code,
        /// For the class `retry_after`.
        retry_after_ms: u32,
    },
    /// An earlier one is missing.
    OutOfOrder {
        /// The number that was sent.
        sequence: Sequence,
        /// The next that can be decided.
        expected: Sequence,
    },
    /// The range is decided.
    Skipped {
        /// First number.
        from: Sequence,
        /// Last number.
        to: Sequence,
        /// Bit i: `from + i` had been accepted.
        accepted: u64,
    },
    /// The number is decided: it will not be delivered.
    Failed {
        /// The sending device.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// Why.
        code: Code,
    },
}

/// What `Welcome` says of the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What positions belong to.
    pub generation: Generation,
    /// Entries behind this follow.
    pub cursor: Position,
    /// How many wait.
    pub pending_count: u64,
    /// Their payload bytes.
    pub pending_bytes: u64,
    /// Whether the device had lapsed.
    pub lapsed: bool,
}

/// An entry as one device is offered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place; 0 for a first word that is not in the inbox.
    pub position: Position,
    /// The place offered before it.
    pub after: Position,
    /// The other end of the chat: the header's target.
    pub peer: UserId,
    /// What it is.
    pub body: EntryBody,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryBody {
    /// A message from `peer`.
    Message {
        /// The sending device.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// Its place in the shown order.
        accepted_at_ms: u64,
        /// Opaque.
        content_type: u16,
        /// The payload, a reference to its batch.
        payload: Bytes,
    },
    /// Messages to `peer` were delivered.
    Delivered {
        /// The user's device that had sent them.
        device: DeviceId,
        /// The greatest number.
        up_to: Sequence,
        /// When the last of them was.
        delivered_at_ms: u64,
    },
    /// A message to `peer` will not be delivered.
    Failed {
        /// The user's device that had sent it.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// Why, a code's number.
        code: u16,
    },
}

/// What one partition says to another, through memory: all of it may be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mail {
    /// A part of the numbered queue: messages were delivered.
    Delivered(DeliveredPart),
    /// A part of the numbered queue: a message will not be delivered.
    Failed(FailedPart),
    /// The partition `by` has committed all parts up to a number.
    Confirm {
        /// Who has them.
        by: PartitionId,
        /// The greatest number.
        up_to: PartNumber,
    },
    /// A first word to the sessions of a user; its durable entry follows as a part.
    Show {
        /// Whose sessions.
        user: UserId,
        /// The other end of the chat.
        peer: UserId,
        /// What to show.
        body: EntryBody,
    },
}
