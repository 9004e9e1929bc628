//! What a shard wants done, and the words in which shards and sessions speak of each other.

use std::sync::Arc;

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Generation, PartitionId, Position, Sequence, UserId};
use answerback_proto::kind::{ChatSettings, Kind, SequenceRange};
use bytes::Bytes;

use super::grant::Grant;
use super::group::{GroupWord, SlotBits};
use super::load::Load;
use super::mail::Mail;
pub use super::pages::{ChatsPage, ContactsPage, DescribedGroup, DevicesPage};
use super::reported::Reported;
use super::signals::Signal;
use super::wakes::Wake;

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
    /// Whether the user has other devices, which get copies of what this one sends.
    pub copies: bool,
}

/// A checked `Hello` of a user of this partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Who asks; its session is on the core that drives this shard.
    pub origin: Origin,
    /// What its token or ticket says.
    pub grant: Grant,
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
    /// Whether somebody may be looking who is to see when others are there.
    pub takes_presence: bool,
    /// Whether somebody may be looking who is to see that others write.
    pub takes_typing: bool,
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
    /// Answer a `ListDevices`; the session is on the core that drives this shard.
    Devices {
        /// Whose request.
        to: SessionRef,
        /// The request's tag.
        tag: u32,
        /// The user, the header's target.
        user: UserId,
        /// The page.
        page: DevicesPage,
    },
    /// Answer a `ListChats`; the session is on the core that drives this shard.
    Chats {
        /// Whose request.
        to: SessionRef,
        /// The request's tag.
        tag: u32,
        /// The user, the header's target.
        user: UserId,
        /// The page.
        page: ChatsPage,
    },
    /// Answer a `ListContacts`; the session is on the core that drives this shard.
    Contacts {
        /// Whose request.
        to: SessionRef,
        /// The request's tag.
        tag: u32,
        /// The user, the header's target.
        user: UserId,
        /// The page.
        page: ContactsPage,
    },
    /// Answer a `DescribeGroup`.
    GroupDescribed {
        /// Whose request.
        to: SessionRef,
        /// The request's tag.
        tag: u32,
        /// The group, the header's target.
        group: UserId,
        /// What there is to tell.
        described: DescribedGroup,
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
    /// Remember what is done with all that a session sends; the session is on the core that
    /// drives this shard.
    Copies {
        /// Which session.
        to: SessionRef,
        /// Whether it is copied, from now on.
        copies: bool,
        /// Whether its user's home notes to whom, from now on.
        notes_writing: bool,
    },
    /// Show something now; it may be lost.
    Signal {
        /// To which session.
        to: SessionRef,
        /// What.
        signal: Signal,
    },
    /// Ask whether anybody is there, and tell `Shard::handle_alive` of any frame that comes.
    Probe {
        /// Which session.
        to: SessionRef,
    },
    /// Have something read from the disk, and hand it to `Shard::handle_loaded`.
    Load(Load),
    /// Tell the operator.
    Alarm(Alarm),
    /// Tell the operator of a reported user, and answer the request with what comes of it; the
    /// session may be another core's.
    Report {
        /// Who reports.
        origin: Origin,
        /// Whom, and what.
        reported: Reported,
    },
    /// Have a user woken, for whom a message waits.
    Wake(Wake),
    /// An operator's command took effect, or not.
    Administered {
        /// Which one, as the asker numbered it.
        ticket: u64,
        /// What became of it.
        outcome: Administered,
    },
    /// Hand over to another partition, or to this one.
    Mail {
        /// Which.
        to: PartitionId,
        /// What.
        mail: Mail,
    },
}

/// What an operator should know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The clock jumped: nothing expires or lapses until it is confirmed.
    ClockJumped {
        /// What it said before.
        from_ms: u64,
        /// What it says now.
        to_ms: u64,
    },
    /// The clock had jumped before this start, and nobody has confirmed it since.
    ClockUnconfirmed,
}

impl Alarm {
    /// Its name, for rules that watch for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ClockJumped { .. } => "clock_jumped",
            Self::ClockUnconfirmed => "clock_unconfirmed",
        }
    }
}

impl std::fmt::Display for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ClockJumped { from_ms, to_ms } => write!(
                f,
                "the clock jumped by {} hours: nothing expires and no device lapses until \
                 `answerback clock confirm`",
                to_ms.saturating_sub(*from_ms) / 3_600_000
            ),
            Self::ClockUnconfirmed => f.write_str(
                "the clock had jumped and was not confirmed: nothing expires and no device \
                 lapses until `answerback clock confirm`",
            ),
        }
    }
}

/// What became of an operator's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Administered {
    /// It is done, and durable.
    Done,
    /// It was so already.
    WasSo,
    /// There is no such user or device.
    Unknown,
    /// The user is being purged; later.
    Busy,
    /// As many tokens of the user are void as are remembered one by one.
    Full,
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
    /// What was read is durable.
    ReadNoted {
        /// All up to here counts as read.
        up_to: Sequence,
    },
    /// What was asked for is durable.
    Done {
        /// When it took effect.
        at_ms: u64,
    },
    /// It is not done, and nothing of it is kept.
    Declined {
        /// Why.
        code: Code,
        /// For the class `retry_after`.
        retry_after_ms: u32,
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
    /// There is the group.
    GroupCreated {
        /// Its id.
        group: UserId,
        /// When it was made.
        at_ms: u64,
    },
}

/// What `Welcome` says of the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What positions belong to.
    pub generation: Generation,
    /// Entries behind this follow.
    pub cursor: Position,
    /// How many wait, at most: some of them may be no matter of this device's.
    pub pending_count: u64,
    /// The payload bytes of the messages that no device has.
    pub pending_bytes: u64,
    /// Whether the device had lapsed.
    pub lapsed: bool,
    /// Whether the user has other devices.
    pub copies: bool,
    /// Whether [`super::Shard::note_writing`] is to be called before each of its messages.
    pub notes_writing: bool,
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
    /// A message to `peer` from another device of the user's.
    Copied {
        /// The sending device.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// Its place in the shown order.
        accepted_at_ms: u64,
        /// Opaque.
        content_type: u16,
        /// The payload.
        payload: Bytes,
    },
    /// Messages to `peer` were read.
    ReadBy {
        /// The user's device that had sent them.
        device: DeviceId,
        /// The greatest number.
        up_to: Sequence,
        /// When.
        read_at_ms: u64,
    },
    /// Messages from `peer` were read on another device of the user's.
    ReadElsewhere {
        /// The device that had sent them.
        device: DeviceId,
        /// The greatest number.
        up_to: Sequence,
        /// When.
        read_at_ms: u64,
        /// Where.
        reader: DeviceId,
    },
    /// Messages to `peer` were delivered.
    Delivered {
        /// The user's device that had sent them.
        device: DeviceId,
        /// The greatest number.
        up_to: Sequence,
        /// When the last of them was.
        delivered_at_ms: u64,
        /// Ranges below it without an outcome yet.
        except: Vec<SequenceRange>,
    },
    /// The user has the chat with `peer` treated otherwise, on one of the devices.
    ChatSet {
        /// How, all of it.
        settings: ChatSettings,
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
    /// The user has deleted the chat with `peer` on another device.
    ChatDeleted {
        /// On which one.
        device: DeviceId,
        /// What came from `peer`, up to here.
        up_to: Position,
        /// What the user's devices had sent: marks, packed.
        marks: Bytes,
    },
    /// A message to the group `peer`.
    GroupMessage(Arc<GroupWord>),
    /// A message to the group `peer` from another device of the user's.
    GroupCopied(Arc<GroupWord>),
    /// The group `peer` has changed.
    GroupChanged(Arc<GroupWord>),
    /// Members of the group `peer` have a message of the user's, or have read it.
    GroupReceipt {
        /// The user's device that had sent it.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// Of the list of members that it went to.
        version: u32,
        /// Who, all that is known.
        bits: Arc<SlotBits>,
    },
    /// The user has read the group `peer` on another device.
    GroupReadElsewhere {
        /// Where.
        reader: DeviceId,
        /// What lies up to here in the user's inbox.
        up_to: Position,
        /// When.
        read_at_ms: u64,
    },
    /// Members of the group `peer` will not get a message.
    GroupFailed {
        /// The user's device that had sent it.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// Who, ascending, and why: a code's number.
        members: Arc<[(UserId, u16)]>,
    },
}

impl EntryBody {
    /// The device that this is no news to: it has sent the message, or read or deleted it.
    pub(crate) fn origin_device(&self) -> Option<DeviceId> {
        match self {
            Self::Copied { device, .. } | Self::ChatDeleted { device, .. } => Some(*device),
            Self::ReadElsewhere { reader, .. } | Self::GroupReadElsewhere { reader, .. } => {
                Some(*reader)
            }
            Self::GroupCopied(word) => Some(word.about().0),
            _ => None,
        }
    }

    /// What it refers to of a group, where it does.
    pub(crate) fn word(&self) -> Option<&Arc<GroupWord>> {
        match self {
            Self::GroupMessage(word) | Self::GroupCopied(word) | Self::GroupChanged(word) => {
                Some(word)
            }
            _ => None,
        }
    }

    /// As above, to change it.
    pub(crate) fn word_mut(&mut self) -> Option<&mut Arc<GroupWord>> {
        match self {
            Self::GroupMessage(word) | Self::GroupCopied(word) | Self::GroupChanged(word) => {
                Some(word)
            }
            _ => None,
        }
    }

    /// Bytes of its payload, or of its marks.
    pub(crate) fn payload_bytes(&self) -> u32 {
        match self {
            Self::Message { payload, .. }
            | Self::Copied { payload, .. }
            | Self::ChatDeleted { marks: payload, .. } => payload.len() as u32,
            _ => 0,
        }
    }

    /// Its payload, where it has one.
    pub(crate) fn payload_mut(&mut self) -> Option<&mut Bytes> {
        match self {
            Self::Message { payload, .. }
            | Self::Copied { payload, .. }
            | Self::ChatDeleted { marks: payload, .. } => Some(payload),
            _ => None,
        }
    }

    /// The device that had sent what it speaks of, or deleted it.
    pub(crate) fn device(&self) -> DeviceId {
        match self {
            Self::Message { device, .. }
            | Self::Copied { device, .. }
            | Self::Delivered { device, .. }
            | Self::ReadBy { device, .. }
            | Self::ReadElsewhere { device, .. }
            | Self::Failed { device, .. }
            | Self::GroupFailed { device, .. }
            | Self::GroupReceipt { device, .. }
            | Self::ChatDeleted { device, .. } => *device,
            Self::ChatSet { .. } | Self::GroupReadElsewhere { .. } => DeviceId(0),
            Self::GroupMessage(word) | Self::GroupCopied(word) | Self::GroupChanged(word) => {
                word.about().0
            }
        }
    }
}
