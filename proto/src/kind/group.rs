//! Frames of groups: what a member asks the group's home for, and the entries by which the
//! members hear of it.
//!
//! A group has one home, which orders messages and changes in one journal: who is a member at
//! a message's place there gets it. The answers to `GroupSend` and `GroupSkip` are those of
//! `Send` and `Skip`, with the group as their target.

use rkyv::{Archive, Serialize};

use super::check::{check_numbers, require};
use super::{RECEIPTS_ON, envelope};
use crate::code::Code;
use crate::limits::{GROUP_MEMBERS_MAX, GROUP_NAME_BYTES_MAX, LIFE_MAX_S};

/// What becomes of the members that a `ChangeMembers` lists.
pub mod action {
    /// They are added.
    pub const ADD: u16 = 1;
    /// They are removed; a list of nobody but the acting user is how he leaves.
    pub const REMOVE: u16 = 2;
    /// They get a role.
    pub const SET_ROLE: u16 = 3;
}

/// What may be done in a group.
pub mod role {
    /// Send, leave.
    pub const MEMBER: u16 = 0;
    /// Add and remove members too, and rename.
    pub const ADMIN: u16 = 1;
    /// All of it, and give roles. A group has one owner.
    pub const OWNER: u16 = 2;
}

/// What a `GroupChanged` tells.
pub mod change {
    /// There is a group; its whole list follows.
    pub const CREATED: u16 = 1;
    /// The user was added; the whole list follows.
    pub const JOINED: u16 = 2;
    /// Others were added.
    pub const ADDED: u16 = 3;
    /// Members were removed, or left; the user is among them where the list has him.
    pub const REMOVED: u16 = 4;
    /// Members got another role.
    pub const ROLE: u16 = 5;
    /// The group has another name.
    pub const RENAMED: u16 = 6;
    /// Its receipts were turned on, or off.
    pub const RECEIPTS: u16 = 7;
}

/// A message. Target: the group. Payload: the message, opaque.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct GroupSend {
    /// The device's number of it in this group, from 1, without gaps.
    pub sequence: u64,
    /// Greatest `accepted_at_ms` of the group that the device has, 0 for none.
    pub seen_ms: u64,
    /// How long it may wait for each member, seconds; 0 for the longest, 30 days.
    pub life_s: u32,
    /// What the payload is; opaque to the server.
    pub content_type: u16,
}
envelope!(GroupSend, ArchivedGroupSend, {
    sequence, seen_ms, life_s, content_type,
}, check_ranges);

/// Gives numbers up, so that later ones can be decided. Target: the group. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct GroupSkip {
    /// First number.
    pub from: u64,
    /// Last number; `to - from` ≤ 63.
    pub to: u64,
}
envelope!(GroupSkip, ArchivedGroupSkip, { from, to }, check_ranges);

/// Makes a group of which the acting user is the owner. Target: the acting user. Tail: the
/// other members, `members_count` × u128, ascending; then the name. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct CreateGroup {
    /// The user's own number of this group, random: who asks again with it gets the same one.
    pub nonce: u128,
    /// Members in the tail, without the acting user.
    pub members_count: u16,
    /// Bytes of the name.
    pub name_length: u16,
}
envelope!(CreateGroup, ArchivedCreateGroup, { nonce, members_count, name_length }, check_ranges);

/// Adds members, removes them, or gives them a role. Target: the group. Tail:
/// `members_count` × u128, ascending. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct ChangeMembers {
    /// What becomes of them.
    pub action: u16,
    /// The role that they get; 0 where `action` says no role.
    pub role: u16,
    /// Users in the tail.
    pub members_count: u16,
}
envelope!(ChangeMembers, ArchivedChangeMembers, { action, role, members_count }, check_ranges);

/// Gives a group another name. Target: the group. Tail: the name. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct RenameGroup {
    /// Bytes of the name.
    pub name_length: u16,
}
envelope!(RenameGroup, ArchivedRenameGroup, { name_length }, check_ranges);

/// Asks who is in a group, as a device does that is new. Target: the group. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct DescribeGroup {
    /// The version of the list of members that the device has, 0 for none.
    pub version: u32,
}
envelope!(DescribeGroup, ArchivedDescribeGroup, { version });

/// The group as it is now. Target: the group. Tail: `members_count` × (u128 user, u16 role and
/// slot), ascending; then the name. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct GroupDescribed {
    /// Of the list of members.
    pub version: u32,
    /// Members in the tail.
    pub members_count: u16,
    /// Bytes of the name.
    pub name_length: u16,
    /// Bit 0 [`RECEIPTS_ON`].
    pub flags: u16,
}
envelope!(GroupDescribed, ArchivedGroupDescribed, {
    version, members_count, name_length, flags,
}, check_ranges);

/// The group is there. Target: the acting user. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct GroupCreated {
    /// Its id.
    pub group: u128,
    /// When it was made, ms since 1970.
    pub at_ms: u64,
}
envelope!(GroupCreated, ArchivedGroupCreated, { group, at_ms }, check_ranges);

/// A message to a group; from another device of the user's where it is the user's own. Target:
/// the group. Payload: the message, opaque.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct GroupDeliver {
    /// Its place in this inbox.
    pub position: u64,
    /// As in `Deliver`.
    pub after: u64,
    /// The sending device.
    pub device: u128,
    /// Who sent it.
    pub sender: u128,
    /// The device's number of it in this group.
    pub sequence: u64,
    /// Its place in the shown order of the group, ms since 1970.
    pub accepted_at_ms: u64,
    /// The list of members that it went to.
    pub version: u32,
    /// What the payload is; opaque to the server.
    pub content_type: u16,
}
envelope!(GroupDeliver, ArchivedGroupDeliver, {
    position, after, device, sender, sequence, accepted_at_ms, version, content_type,
}, check_ranges);

/// A group has other members, roles, another name, or receipts. Target: the group. Tail:
/// `members_count` × (u128 user, u16 role and slot), ascending; then the name. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct GroupChanged {
    /// Its place in this inbox.
    pub position: u64,
    /// As in `Deliver`.
    pub after: u64,
    /// Who did it; 0 where nobody did.
    pub actor: u128,
    /// When, ms since 1970.
    pub at_ms: u64,
    /// The version of the list of members that this makes; each change raises it by 1.
    pub version: u32,
    /// What has changed.
    pub change: u16,
    /// Members in the tail.
    pub members_count: u16,
    /// Bytes of the name.
    pub name_length: u16,
    /// Bit 0 [`RECEIPTS_ON`], whatever it tells.
    pub flags: u16,
}
envelope!(GroupChanged, ArchivedGroupChanged, {
    position, after, actor, at_ms, version, change, members_count, name_length, flags,
}, check_ranges);

/// Members that a message will not be delivered to; final for each of them. Target: the group.
/// Tail: `members_count` × (u128 user, u16 code), ascending. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct GroupFailed {
    /// Its place in this inbox.
    pub position: u64,
    /// As in `Deliver`.
    pub after: u64,
    /// The device that had sent it.
    pub device: u128,
    /// That device's number of it in this group.
    pub sequence: u64,
    /// Members in the tail.
    pub members_count: u16,
}
envelope!(GroupFailed, ArchivedGroupFailed, {
    position, after, device, sequence, members_count,
}, check_ranges);

impl GroupSend {
    #[inline]
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.sequence >= 1 && self.life_s <= LIFE_MAX_S)
    }
}

impl GroupSkip {
    fn check_ranges(&self) -> Result<(), Code> {
        check_numbers(self.from, self.to)
    }
}

impl CreateGroup {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.nonce != 0 && usize::from(self.members_count) < GROUP_MEMBERS_MAX)?;
        require_name(self.name_length)
    }
}

impl ChangeMembers {
    fn check_ranges(&self) -> Result<(), Code> {
        require((action::ADD..=action::SET_ROLE).contains(&self.action))?;
        require(self.role <= role::OWNER)?;
        require(self.role == 0 || self.action == action::SET_ROLE)?;
        require((1..=GROUP_MEMBERS_MAX).contains(&usize::from(self.members_count)))
    }
}

impl RenameGroup {
    fn check_ranges(&self) -> Result<(), Code> {
        require_name(self.name_length)
    }
}

impl GroupCreated {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.group != 0)
    }
}

impl GroupDeliver {
    #[inline]
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.after < self.position && self.sequence >= 1)?;
        require(self.sender != 0 && self.version >= 1)
    }
}

impl GroupChanged {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.after < self.position && self.version >= 1)?;
        require((change::CREATED..=change::RECEIPTS).contains(&self.change))?;
        require(usize::from(self.members_count) <= GROUP_MEMBERS_MAX)?;
        require(usize::from(self.name_length) <= GROUP_NAME_BYTES_MAX)?;
        require(self.flags <= RECEIPTS_ON)
    }
}

impl GroupDescribed {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.version >= 1)?;
        require((1..=GROUP_MEMBERS_MAX).contains(&usize::from(self.members_count)))?;
        require(self.flags <= RECEIPTS_ON)?;
        require_name(self.name_length)
    }
}

impl GroupFailed {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.after < self.position && self.sequence >= 1)?;
        require((1..=GROUP_MEMBERS_MAX).contains(&usize::from(self.members_count)))
    }
}

fn require_name(length: u16) -> Result<(), Code> {
    require((1..=GROUP_NAME_BYTES_MAX).contains(&usize::from(length)))
}
