//! What a login stands on, and what an operator has declared void of it.
//!
//! A user's tokens go by when they were made, all older ones at once, or one by one. One by
//! one they are remembered until they expire: nobody takes them any more then.

use answerback_proto::id::TokenId;
use answerback_proto::record::Login;

use crate::limits::{REVOKED_KEPT_S, REVOKED_TOKENS_MAX};

/// What the token of a login says, or the ticket that was made from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// When the token was made, s since 1970; 0 for one that does not say.
    pub issued_s: u64,
    /// When it expires, s since 1970.
    pub expires_s: u64,
    /// Which one it is.
    pub token: TokenId,
    /// Of a ticket: the connection counter of the session in which it was made.
    pub ticket: Option<u64>,
}

impl From<&Login> for Grant {
    fn from(record: &Login) -> Self {
        Self {
            issued_s: record.issued_s,
            expires_s: record.expires_s,
            token: TokenId(record.token),
            ticket: Some(record.ticket).filter(|ticket| *ticket != 0),
        }
    }
}

/// A token that is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RevokedToken {
    pub(crate) token: TokenId,
    pub(crate) expires_s: u64,
}

impl RevokedToken {
    fn kept_until_ms(&self) -> u64 {
        self.expires_s.saturating_add(REVOKED_KEPT_S).saturating_mul(1000)
    }
}

/// What is void of a user's tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Revocations {
    /// Older ones are.
    pub(crate) issued_before_s: u64,
    /// And these, by the order in which they were revoked.
    pub(crate) tokens: Box<[RevokedToken]>,
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    Now,
    Before,
    /// It is not: there is no room to remember it.
    Full,
}

impl Revocations {
    pub(crate) fn is_empty(&self) -> bool {
        self.issued_before_s == 0 && self.tokens.is_empty()
    }

    /// Whether a login that stands on this is refused.
    pub(crate) fn include(&self, grant: &Grant) -> bool {
        let is_named = |revoked: &RevokedToken| revoked.token == grant.token;
        grant.issued_s < self.issued_before_s || self.tokens.iter().any(is_named)
    }

    /// All that were made before are void; whether that is new.
    pub(crate) fn revoke_before(&mut self, issued_before_s: u64) -> bool {
        let is_later = issued_before_s > self.issued_before_s;
        self.issued_before_s = self.issued_before_s.max(issued_before_s);
        is_later
    }

    /// One is void. A later time of expiry takes an earlier one's place.
    pub(crate) fn revoke(&mut self, token: TokenId, expires_s: u64) -> Revoked {
        if let Some(known) = self.tokens.iter_mut().find(|known| known.token == token) {
            let is_later = expires_s > known.expires_s;
            known.expires_s = known.expires_s.max(expires_s);
            return if is_later { Revoked::Now } else { Revoked::Before };
        }
        if self.tokens.len() >= REVOKED_TOKENS_MAX {
            return Revoked::Full;
        }
        let known = self.tokens.iter().copied();
        self.tokens = known.chain([RevokedToken { token, expires_s }]).collect();
        Revoked::Now
    }

    /// Those that nobody can bring any more are forgotten.
    pub(crate) fn forget(&mut self, now_ms: u64) {
        if planted!(RevocationForgotten) {
            self.tokens = Box::default();
        }
        if self.tokens.iter().any(|revoked| revoked.kept_until_ms() <= now_ms) {
            let kept = self.tokens.iter().filter(|revoked| revoked.kept_until_ms() > now_ms);
            self.tokens = kept.copied().collect();
        }
    }

    /// When there is something to be forgotten.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        self.tokens.iter().map(RevokedToken::kept_until_ms).min()
    }
}
