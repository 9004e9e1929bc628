//! Whom the user has among his contacts, and whether only they may write to him first.

use answerback_proto::kind::{
    CONTACTS_ADDED, CONTACTS_REMOVED, CONTACTS_REPLACED, WRITERS_CONTACTS, WRITERS_EVERYBODY,
};

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
