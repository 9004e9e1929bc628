//! The packed lists of groups' frames.
//!
//! ```text
//! CreateGroup    members_count × u128 user, then name_length bytes of name
//! ChangeMembers  members_count × u128 user
//! RenameGroup    name_length bytes of name
//! GroupChanged   members_count × (u128 user, u16 role and slot), then name_length bytes of name
//! GroupDescribed members_count × (u128 user, u16 role and slot), then name_length bytes of name
//! GroupFailed    members_count × (u128 user, u16 code)
//! ```
//! Users stand in ascending order, each once, and none is 0.

use super::tail::{append_checked, count, read_fixed};
use super::{
    ChangeMembers, CreateGroup, GroupChanged, GroupDescribed, GroupFailed, RenameGroup, role,
    role_and_slot, role_of, slot_of,
};
use crate::code::{Class, Code};
use crate::encode::Address;
use crate::id::UserId;

/// Users of a tail, in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserList<'a> {
    ids: &'a [[u8; 16]],
}

impl<'a> UserList<'a> {
    pub(super) fn read(tail: &'a [u8], users_count: u16) -> Result<(Self, &'a [u8]), Code> {
        let length = usize::from(users_count) * size_of::<u128>();
        let (ids, rest) = tail.split_at_checked(length).ok_or(Code::FrameMalformed)?;
        let users = Self { ids: ids.as_chunks().0 };
        if !are_ascending(users.iter()) {
            return Err(Code::FrameMalformed);
        }
        Ok((users, rest))
    }

    /// The users.
    pub fn iter(self) -> impl ExactSizeIterator<Item = UserId> + 'a {
        self.ids.iter().map(|id| UserId(u128::from_le_bytes(*id)))
    }

    /// As they stand in the frame.
    pub fn as_bytes(self) -> &'a [u8] {
        self.ids.as_flattened()
    }
}

/// Users of a tail, each with a number, in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberedUsers<'a> {
    pairs: &'a [[u8; NUMBERED_USER_BYTES]],
}

/// Bytes of a user and his number.
pub const NUMBERED_USER_BYTES: usize = 18;

impl<'a> NumberedUsers<'a> {
    fn read(tail: &'a [u8], users_count: u16) -> Result<(Self, &'a [u8]), Code> {
        let length = usize::from(users_count) * NUMBERED_USER_BYTES;
        let (pairs, rest) = tail.split_at_checked(length).ok_or(Code::FrameMalformed)?;
        let users = Self { pairs: pairs.as_chunks().0 };
        if !are_ascending(users.iter().map(|(user, _)| user)) {
            return Err(Code::FrameMalformed);
        }
        Ok((users, rest))
    }

    /// The users and their numbers.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (UserId, u16)> + 'a {
        self.pairs.iter().map(|pair| {
            let [id @ .., low, high] = *pair;
            (UserId(u128::from_le_bytes(id)), u16::from_le_bytes([low, high]))
        })
    }
}

/// Appends a user and his number as tails have them.
pub fn append_numbered_user(tail: &mut Vec<u8>, user: UserId, number: u16) {
    tail.extend_from_slice(&user.0.to_le_bytes());
    tail.extend_from_slice(&number.to_le_bytes());
}

impl CreateGroup {
    /// A `CreateGroup`, the members and the name, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit, users out of order and fields outside
    /// their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, UserList<'_>, &[u8]), Code> {
        let (create, tail) = read_fixed::<Self>(envelope)?;
        let (members, name) = UserList::read(tail, create.members_count)?;
        require_length(name, create.name_length)?;
        Ok((create, members, name))
    }

    /// Appends a whole frame; the counts are those of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        members: &[UserId],
        name: &[u8],
    ) -> Result<(), Code> {
        self.members_count = count(members.len())?;
        self.name_length = count(name.len())?;
        let tail = [user_tail(members)?.as_slice(), name].concat();
        append_checked(out, address, &self, &tail)
    }
}

impl ChangeMembers {
    /// A `ChangeMembers` and its users, all checked.
    ///
    /// # Errors
    /// As for `CreateGroup`.
    pub fn read(envelope: &[u8]) -> Result<(Self, UserList<'_>), Code> {
        let (change, tail) = read_fixed::<Self>(envelope)?;
        let (members, rest) = UserList::read(tail, change.members_count)?;
        require_length(rest, 0)?;
        Ok((change, members))
    }

    /// Appends a whole frame; the count is that of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        members: &[UserId],
    ) -> Result<(), Code> {
        self.members_count = count(members.len())?;
        append_checked(out, address, &self, &user_tail(members)?)
    }
}

impl RenameGroup {
    /// A `RenameGroup` and the name, all checked.
    ///
    /// # Errors
    /// As for `CreateGroup`.
    pub fn read(envelope: &[u8]) -> Result<(Self, &[u8]), Code> {
        let (rename, name) = read_fixed::<Self>(envelope)?;
        require_length(name, rename.name_length)?;
        Ok((rename, name))
    }

    /// Appends a whole frame.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(out: &mut Vec<u8>, address: Address, name: &[u8]) -> Result<(), Code> {
        let rename = Self { name_length: count(name.len())? };
        append_checked(out, address, &rename, name)
    }
}

impl GroupChanged {
    /// A `GroupChanged`, members with roles and slots, and the name, all checked.
    ///
    /// # Errors
    /// As for `CreateGroup`.
    pub fn read(envelope: &[u8]) -> Result<(Self, NumberedUsers<'_>, &[u8]), Code> {
        let (changed, tail) = read_fixed::<Self>(envelope)?;
        let (members, name) = NumberedUsers::read(tail, changed.members_count)?;
        require_length(name, changed.name_length)?;
        require_roles(members)?;
        Ok((changed, members, name))
    }
}

impl GroupDescribed {
    /// A `GroupDescribed`, members with roles and slots, and the name, all checked.
    ///
    /// # Errors
    /// As for `CreateGroup`.
    pub fn read(envelope: &[u8]) -> Result<(Self, NumberedUsers<'_>, &[u8]), Code> {
        let (described, tail) = read_fixed::<Self>(envelope)?;
        let (members, name) = NumberedUsers::read(tail, described.members_count)?;
        require_length(name, described.name_length)?;
        require_roles(members)?;
        Ok((described, members, name))
    }
}

impl GroupFailed {
    /// A `GroupFailed` and members with codes, all checked.
    ///
    /// # Errors
    /// As for `CreateGroup`.
    pub fn read(envelope: &[u8]) -> Result<(Self, NumberedUsers<'_>), Code> {
        let (failed, tail) = read_fixed::<Self>(envelope)?;
        let (members, rest) = NumberedUsers::read(tail, failed.members_count)?;
        require_length(rest, 0)?;
        if members.iter().any(|(_, code)| Class::of(code).is_none()) {
            return Err(Code::FrameMalformed);
        }
        Ok((failed, members))
    }
}

fn require_roles(members: NumberedUsers<'_>) -> Result<(), Code> {
    let is_role_and_slot = |(_, number)| {
        let role = role_of(number);
        role <= role::OWNER && number == role_and_slot(role, slot_of(number))
    };
    if members.iter().all(is_role_and_slot) { Ok(()) } else { Err(Code::FrameMalformed) }
}

pub(super) fn user_tail(users: &[UserId]) -> Result<Vec<u8>, Code> {
    if !are_ascending(users.iter().copied()) {
        return Err(Code::FrameMalformed);
    }
    Ok(users.iter().flat_map(|user| user.0.to_le_bytes()).collect())
}

fn are_ascending(users: impl Iterator<Item = UserId>) -> bool {
    let mut before = UserId(0);
    for user in users {
        if user <= before {
            return false;
        }
        before = user;
    }
    true
}

fn require_length(bytes: &[u8], length: u16) -> Result<(), Code> {
    if bytes.len() == usize::from(length) { Ok(()) } else { Err(Code::FrameMalformed) }
}
