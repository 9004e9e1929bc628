//! Records: the inputs of a partition, as its journal keeps them. Layouts are frozen.
//!
//! ```text
//! offset  size  field
//!      0     4  length: of the whole record, this header included
//!      4     2  kind
//!      6     2  reserved, 0
//!      8     …  envelope (fixed per kind), then payload
//! ```

mod batch;
mod erase;
mod group;
mod layout;
mod own;

pub use batch::*;
pub use erase::*;
pub use group::*;
pub use layout::*;
pub use own::*;

use bytes::Bytes;
use rkyv::rancor::Failure;

use crate::id::Offset;

/// Bytes before a record's envelope.
pub const RECORD_HEADER_BYTES: usize = 8;

/// The journal holds what this version cannot have written, or no longer what was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrupt {
    /// Bytes are missing, or lengths do not fit each other.
    Truncated,
    /// The checksum does not fit the content.
    Checksum,
    /// A format or a kind of record that this version does not know.
    Unknown,
    /// The state is another than the one that the same records made before.
    Diverged,
}

impl std::fmt::Display for Corrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "bytes are missing",
            Self::Checksum => "the checksum does not fit",
            Self::Unknown => "a format or record that this version does not know",
            Self::Diverged => "the state is another than the one that the same records made before",
        })
    }
}

impl std::error::Error for Corrupt {}

macro_rules! records {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// A kind of record; its number in the journal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum RecordKind {
            $($(#[$doc])* $name = $number,)*
        }

        impl RecordKind {
            /// All kinds, by number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name used in documents and vectors.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }

        /// A record with native values.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Record {
            $($(#[$doc])* $name($name),)*
        }

        impl Record {
            fn decode(kind: u16, envelope_and_payload: &[u8]) -> Result<(Self, usize), Corrupt> {
                match kind {
                    $($number => decode_fixed::<$name>(envelope_and_payload)
                        .map(|(value, size)| (Self::$name(value), size)),)*
                    _ => Err(Corrupt::Unknown),
                }
            }

            /// Its kind.
            pub fn kind(&self) -> RecordKind {
                match self {
                    $(Self::$name(_) => RecordKind::$name,)*
                }
            }
        }
    };
}

records! {
    /// The clock moves.
    Tick = 1,
    /// A device logged in; `Login` has taken its place.
    Connect = 2,
    /// A device sent a message.
    Message = 3,
    /// A device gives numbers up.
    SkipRange = 4,
    /// A device acknowledged.
    Acknowledge = 5,
    /// Another partition has taken parts.
    Confirmed = 6,
    /// A part: messages were delivered.
    DeliveredPart = 7,
    /// A part: a message will not be delivered.
    FailedPart = 8,
    /// A device sent a message; may ask for copies to the sender's other devices.
    Post = 9,
    /// A device sent a message that takes an earlier one back.
    RecallPost = 10,
    /// A user has read messages.
    ReadUpTo = 11,
    /// A part: messages were read.
    ReadPart = 12,
    /// A part: a message that the user's own device has sent.
    CopyPart = 13,
    /// Something of a user's is due: expiry, a lapse, a gap.
    Due = 14,
    /// An entry was offered to a living session, and not acknowledged.
    Attempt = 15,
    /// The settings that apply reads.
    Settings = 16,
    /// From here on records are applied by this version of the rules.
    ApplyVersion = 17,
    /// A user exists.
    AddUser = 18,
    /// A device is no longer the user's.
    Revoke = 19,
    /// What the state had come to at an earlier place.
    StateDigest = 20,
    /// The operator says that the clock is right.
    ConfirmClock = 21,
    /// An earlier record cannot be applied: it is rejected instead.
    Repair = 22,
    /// The data was restored: what others know of an older generation is void.
    NewGeneration = 23,
    /// None of a user's devices is the user's any more.
    RevokeUser = 24,
    /// A user is no more.
    PurgeUser = 25,
    /// A device logged in, with these facts of its token or ticket.
    Login = 26,
    /// Tokens of a user that are older than this are void.
    RevokeTokens = 27,
    /// One token of a user is void.
    RevokeToken = 28,
    /// A user has deleted a chat.
    EraseChat = 29,
    /// A part: the other user has deleted a chat.
    ErasePart = 30,
    /// A part: what of the user's own messages that deletion covers.
    ErasedPart = 31,
    /// A user's device has a name.
    DeviceNamed = 33,
    /// A user treats a chat otherwise.
    ChatChanged = 34,
    /// A part: messages were delivered, but for some before them.
    DeliveredButPart = 35,
    /// A user has others among his contacts.
    ContactsChange = 36,
    /// Who may write to a user first.
    WritersChange = 37,
    /// A user writes to another, who may answer.
    WroteTo = 38,
    /// A device sent a message to a group.
    GroupPost = 50,
    /// A device gives numbers of a group up.
    GroupSkipRange = 51,
    /// A user makes a group.
    GroupCreation = 52,
    /// A group's members change.
    MembersChange = 53,
    /// A group gets another name.
    GroupRenaming = 54,
    /// A part: what members of a group get.
    GroupPart = 55,
    /// A part: members that a message to a group will not be delivered to.
    GroupFailedPart = 56,
    /// A part: members of a group do not exist.
    GroupGonePart = 57,
    /// A group's receipts are turned on or off.
    GroupReceiptsChange = 58,
    /// A user has read a group.
    GroupReadUpTo = 59,
    /// A part: members who have a message to a group, or have read it.
    GroupReceiptPart = 60,
    /// Who may see when a user was there.
    VisibilityChange = 80,
}

/// The fixed part of a record.
pub trait FixedRecord: Sized {
    /// Its kind.
    const KIND: RecordKind;
    /// Bytes of it.
    const BYTES: usize = size_of::<Self::Archived>();
    /// It in place.
    type Archived: rkyv::Portable
        + for<'a> rkyv::bytecheck::CheckBytes<rkyv::api::high::HighValidator<'a, Failure>>;
    /// The native values.
    fn from_archived(archived: &Self::Archived) -> Self;
    /// Appends it.
    fn append_to(&self, out: &mut Vec<u8>);
}

fn decode_fixed<R: FixedRecord>(bytes: &[u8]) -> Result<(R, usize), Corrupt> {
    let (fixed, _) = bytes.split_at_checked(R::BYTES).ok_or(Corrupt::Truncated)?;
    let archived = rkyv::access::<R::Archived, Failure>(fixed).map_err(|_| Corrupt::Truncated)?;
    Ok((R::from_archived(archived), R::BYTES))
}

/// A record of a batch: its place, its values, its payload within the batch's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedRecord {
    /// Its place in the journal.
    pub offset: Offset,
    /// Its values.
    pub record: Record,
    /// What nobody reads; a reference to the batch.
    pub payload: Bytes,
}
