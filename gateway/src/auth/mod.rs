//! Who somebody is: tokens of the operator's account service, checked against its keys, and
//! the tickets that a session gets for the next one.
//!
//! ```text
//! token  ──read──► Pass + Proof ──proof::check, all of a tick at once──► it holds, or not
//! ticket ──unseal──► Pass, if the HMAC under its secret is right: no signature at all
//! Pass   ──seal──► the ticket of this session
//! ```
//! What a token claims is worth nothing before its proof was checked. It is read first all
//! the same: what claims nothing useful costs no check. Whether a pass is revoked is not
//! known here; the home of its user decides that.

mod keys;
mod proof;
mod seal;
mod ticket;
mod token;

use answerback_directory::shard::Grant;
use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, UserId};

pub use keys::{KeySetError, Verifier};
pub(crate) use proof::{Proof, check};
pub use seal::{SealingError, SealingKeys};
pub(crate) use ticket::{Exported, Ticketed, has_proven, issue};

/// What a token or a ticket is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    /// Claim `sub`.
    pub(crate) user: UserId,
    /// Claim `device`.
    pub(crate) device: DeviceId,
    /// What the user's home decides by.
    pub(crate) grant: Grant,
    /// Who signed the token.
    pub(crate) key: KeyMark,
}

/// A key of the account service, by a part of its hash: its id may be given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyMark(pub(crate) u64);

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// Its form, audience, user or device are wrong.
    Invalid,
    /// It was signed by a key that is not in the set, or names none.
    UnknownKey,
    /// Its time is over, or has not come.
    Expired,
}

impl TokenFault {
    /// What the client is told.
    pub(crate) fn code(self) -> Code {
        match self {
            Self::Invalid | Self::UnknownKey => Code::TokenInvalid,
            Self::Expired => Code::TokenExpired,
        }
    }
}

impl Pass {
    /// Whether it is a pass of this device of this user.
    pub(crate) fn is_for(&self, user: UserId, device: DeviceId) -> bool {
        (self.user, self.device) == (user, device)
    }
}

#[cfg(test)]
mod tests;
