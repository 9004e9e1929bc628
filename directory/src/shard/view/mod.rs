//! What the rows of a partition say, for an operator's eyes: of one user, of one message. Never
//! a payload, and nothing is ever decided by it.
//!
//! Rows are as of the last checkpoint. Whoever wants to know of now waits until `applied` has
//! passed what was journaled when he asked.

mod list;
mod trace;
mod user;

use answerback_proto::id::{DeviceId, Position, UserId};

use super::effect::EntryBody;
use super::inbox::InboxEntry;
use super::rows::{self, Fields};
use super::user::Standing;

pub use list::{Listed, users};
pub use trace::{Fate, Holder, MessageName, Notice, Trace, trace};
pub use user::{DeviceView, EntryView, Limits, UserView, is_clock_doubted, user};

/// What a user's first row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whether the user exists: the row of one who was purged stays.
    pub exists: bool,
    /// The last place of the inbox that was ever given.
    pub last_position: Position,
    /// The highest place that any device ever acknowledged.
    pub floor: Position,
    /// Entries that some device has not acknowledged.
    pub entries: u32,
    /// Messages that no device has acknowledged.
    pub undelivered: u32,
    /// Their payloads.
    pub undelivered_bytes: u64,
}

impl Head {
    /// From the value of a row; `None` where this version cannot have written it.
    pub fn read(value: &[u8]) -> Option<Self> {
        let user = rows::read_head(UserId(0), value)?;
        Some(Self {
            exists: user.exists(),
            last_position: user.inbox.last_position(),
            floor: user.floor,
            entries: user.live,
            undelivered: user.messages,
            undelivered_bytes: user.bytes,
        })
    }
}

/// When an entry was put into its inbox, ms, from the value of its row.
pub fn put_at_ms(value: &[u8]) -> Option<u64> {
    let mut value = Fields(value);
    let (_kind, _peer, _device) = (value.u8()?, value.u128()?, value.u128()?);
    value.u64()
}

/// How a device stands to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceStanding {
    /// It owes acknowledgements.
    Active,
    /// It was away too long, or owed too much, and owes nothing any more.
    Lapsed,
    /// It lapsed, came back, and has acknowledged nothing since.
    Returned,
    /// It was taken from its user.
    Revoked,
}

impl DeviceStanding {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Lapsed => "lapsed",
            Self::Returned => "returned",
            Self::Revoked => "revoked",
        }
    }
}

impl From<Standing> for DeviceStanding {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Active => Self::Active,
            Standing::Lapsed => Self::Lapsed,
            Standing::Returned => Self::Returned,
            Standing::Revoked => Self::Revoked,
        }
    }
}

/// How often an entry was offered to a living session of a device, and not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptsView {
    /// Which entry.
    pub position: Position,
    /// How often.
    pub count: u16,
    /// The first time, ms.
    pub first_ms: u64,
}

/// What an entry is, in a word.
fn kind_of(entry: &InboxEntry) -> &'static str {
    match entry.body {
        EntryBody::Message { .. } => "message",
        EntryBody::Copied { .. } => "copy",
        EntryBody::Delivered { .. } => "delivered",
        EntryBody::ChatSet { .. } => "chat_set",
        EntryBody::ReadBy { .. } => "read",
        EntryBody::ReadElsewhere { .. } => "read_elsewhere",
        EntryBody::ChatDeleted { .. } => "chat_deleted",
        EntryBody::Failed { .. } => "failed",
        EntryBody::GroupMessage(_) => "group_message",
        EntryBody::GroupCopied(_) => "group_copy",
        EntryBody::GroupChanged(_) => "group_changed",
        EntryBody::GroupFailed { .. } => "group_failed",
        EntryBody::GroupReceipt { .. } => "group_receipt",
        EntryBody::GroupReadElsewhere { .. } => "group_read_elsewhere",
    }
}

/// Whether an entry is a device's matter at all: what it sent itself is not.
fn is_for(entry: &InboxEntry, device: DeviceId) -> bool {
    entry.body.origin_device() != Some(device)
}
