//! What lists of a user's things, and of a group's members, say.

use answerback_proto::id::UserId;
use answerback_proto::kind::{ListedChat, ListedDevice};

/// Devices of a user, by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicesPage {
    /// As many as a page holds.
    pub listed: Vec<ListedDevice>,
    /// More follow.
    pub has_more: bool,
}

/// Chats of a user that are treated otherwise than at first, by the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatsPage {
    /// As many as were found, up to a page.
    pub listed: Vec<ListedChat>,
    /// What the next page lies behind; 0 where there is none.
    pub next_behind: UserId,
}

/// Contacts of a user, rising, and what is theirs alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactsPage {
    /// As many as a page holds.
    pub users: Vec<UserId>,
    /// Who may see when the user was there, as in `SetVisibility`.
    pub visibility: u16,
    /// Who may write to the user first, as in `SetWriters`.
    pub writers: u16,
    /// What the next page lies behind; 0 where there is none.
    pub next_behind: UserId,
}

/// A group as a `GroupDescribed` tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup {
    /// Of the list of members.
    pub version: u32,
    /// How many there are.
    pub members_count: u16,
    /// Members with their roles and slots, packed.
    pub roles: Vec<u8>,
    /// Whether messages get receipts.
    pub receipts: bool,
    /// What it is called.
    pub name: Box<[u8]>,
}
