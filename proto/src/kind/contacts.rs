//! Whom a user has among his contacts, and what is theirs alone.
//!
//! ```text
//! SetContacts  users_count × u128 user, ascending
//! Contacts     count × u128 user, ascending
//! ```

use rkyv::{Archive, Serialize};

use super::check::require;
use super::envelope;
use super::group_tail::{UserList, user_tail};
use super::tail::{append_checked, count, read_fixed};
use crate::code::Code;
use crate::encode::Address;
use crate::id::UserId;
use crate::limits::{CONTACTS_PER_FRAME_MAX, VISIBILITY_MAX};

/// `mode` of a `SetContacts`: these and no others.
pub const CONTACTS_REPLACED: u16 = 0;
/// `mode` of a `SetContacts`: these too.
pub const CONTACTS_ADDED: u16 = 1;
/// `mode` of a `SetContacts`: these no more.
pub const CONTACTS_REMOVED: u16 = 2;

/// Changes whom the user has among his contacts. Target: the acting user. Tail: the users,
/// ascending. No payload.
#[derive(Archive, Serialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetContacts {
    /// 0 these and no others, 1 these too, 2 these no more.
    pub mode: u16,
    /// Users in the tail, ≤ 2048.
    pub users_count: u16,
}
envelope!(SetContacts, ArchivedSetContacts, { mode, users_count }, check_ranges);

/// `who` of a `SetWriters`: everybody.
pub const WRITERS_EVERYBODY: u16 = 0;
/// `who` of a `SetWriters`: the user's contacts, and whoever has written to him before, or was
/// written to.
pub const WRITERS_CONTACTS: u16 = 1;

/// Who may write to the user first. Target: the acting user. No payload.
#[derive(Archive, Serialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetWriters {
    /// 0 everybody, 1 contacts.
    pub who: u16,
}
envelope!(SetWriters, ArchivedSetWriters, { who }, check_ranges);

impl SetWriters {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.who <= WRITERS_CONTACTS)
    }
}

/// Asks for the user's contacts, page by page, and who may see and write. Target: the acting user.
/// No payload.
#[derive(Archive, Serialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListContacts {
    /// Those with a greater id; 0 for the first page.
    pub behind: u128,
}
envelope!(ListContacts, ArchivedListContacts, { behind });

/// A page of the user's contacts. Target: the user. Tail: the contacts, ascending. No payload.
#[derive(Archive, Serialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contacts {
    /// Contacts in the tail, ≤ 2048.
    pub count: u16,
    /// Who may see when the user was there, as in `SetVisibility`.
    pub visibility: u16,
    /// Who may write to the user first, as in `SetWriters`.
    pub writers: u16,
    /// What the next page lies behind; 0 where there is none.
    pub next_behind: u128,
}
envelope!(Contacts, ArchivedContacts, { count, visibility, writers, next_behind }, check_ranges);

impl Contacts {
    fn check_ranges(&self) -> Result<(), Code> {
        let is_counted = usize::from(self.count) <= CONTACTS_PER_FRAME_MAX;
        let is_set = self.visibility <= VISIBILITY_MAX && self.writers <= WRITERS_CONTACTS;
        require(is_counted && is_set)
    }

    /// A `Contacts` and its users, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, UserList<'_>), Code> {
        let (page, tail) = read_fixed::<Self>(envelope)?;
        match UserList::read(tail, page.count)? {
            (users, []) if page.reaches(users.iter().last()) => Ok((page, users)),
            _ => Err(Code::FrameMalformed),
        }
    }

    /// Appends a whole frame; the count is that of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        users: &[UserId],
    ) -> Result<(), Code> {
        self.count = count(users.len())?;
        require(self.reaches(users.last().copied()))?;
        append_checked(out, address, &self, &user_tail(users)?)
    }

    /// The next page begins behind all of this one.
    fn reaches(&self, last: Option<UserId>) -> bool {
        self.next_behind == 0 || last.is_none_or(|last| last.0 <= self.next_behind)
    }
}

impl SetContacts {
    fn check_ranges(&self) -> Result<(), Code> {
        let is_counted = usize::from(self.users_count) <= CONTACTS_PER_FRAME_MAX;
        require(self.mode <= CONTACTS_REMOVED && is_counted)
    }

    /// A `SetContacts` and its users, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, UserList<'_>), Code> {
        let (set, tail) = read_fixed::<Self>(envelope)?;
        match UserList::read(tail, set.users_count)? {
            (users, []) => Ok((set, users)),
            _ => Err(Code::FrameMalformed),
        }
    }

    /// Appends a whole frame; the count is that of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        users: &[UserId],
    ) -> Result<(), Code> {
        self.users_count = count(users.len())?;
        append_checked(out, address, &self, &user_tail(users)?)
    }
}
