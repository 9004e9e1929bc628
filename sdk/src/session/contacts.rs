//! Whom the user has among his contacts, and whether only they may write to him first.

use answerback_proto::id::UserId;
use answerback_proto::kind::{
    CONTACTS_ADDED, CONTACTS_REMOVED, CONTACTS_REPLACED, Contacts, WRITERS_CONTACTS,
    WRITERS_EVERYBODY,
};

use super::presence::Visibility;

/// What becomes of users whom the user names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactsChange {
    /// They are the user's contacts, and nobody else is.
    Replaced,
    /// They are contacts too.
    Added,
    /// They are contacts no more.
    Removed,
}

impl ContactsChange {
    pub(super) fn mode(self) -> u16 {
        match self {
            Self::Replaced => CONTACTS_REPLACED,
            Self::Added => CONTACTS_ADDED,
            Self::Removed => CONTACTS_REMOVED,
        }
    }
}

/// Who may write to the user first. Whomever he writes to may answer, and whoever wrote to him
/// before goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writers {
    /// Everybody may.
    #[default]
    Everybody,
    /// Those whom the user has among his contacts.
    Contacts,
}

impl Writers {
    pub(super) fn who(self) -> u16 {
        match self {
            Self::Everybody => WRITERS_EVERYBODY,
            Self::Contacts => WRITERS_CONTACTS,
        }
    }
}

/// Whom the user has among his contacts, and what is theirs alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactList {
    /// They, by id.
    pub users: Vec<UserId>,
    /// Who may see when the user was there.
    pub visibility: Visibility,
    /// Who may write to the user first.
    pub writers: Writers,
}

impl ContactList {
    /// As the last page says.
    pub(super) fn new(page: Contacts, users: Vec<UserId>) -> Self {
        let is_for_contacts = page.writers == WRITERS_CONTACTS;
        let writers = if is_for_contacts { Writers::Contacts } else { Writers::Everybody };
        Self { users, visibility: Visibility::of(page.visibility), writers }
    }
}
