//! What there is to see of credentials.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::unix_s;

/// What was taken last; clones see the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct CredentialsView {
    figures: Arc<Mutex<CredentialFigures>>,
}

/// Of all credentials of a box.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CredentialFigures {
    /// Keys of tokens in force.
    pub(crate) keys: u64,
    /// When their set was last seen to be the newest, since the process began; a start with an
    /// older one counts from before that.
    pub(crate) keys_seen_at_s: i64,
    /// When the first certificate expires, s since 1970; none where there is none.
    pub(crate) certificate_expires_at_s: Option<u64>,
    /// How many of them could not be renewed: what they were before is in force.
    pub(crate) stale: u64,
}

impl CredentialsView {
    /// As they are.
    pub(crate) fn read(&self) -> CredentialFigures {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, figures: CredentialFigures) {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner) = figures;
    }
}

impl CredentialFigures {
    /// How long ago the keys were seen to be the newest.
    pub(crate) fn keys_age_s(&self, elapsed: Duration) -> u64 {
        (elapsed.as_secs() as i64 - self.keys_seen_at_s).max(0) as u64
    }

    /// How long certificates are valid; negative once one is not.
    pub(crate) fn certificate_left_s(&self) -> Option<i64> {
        self.certificate_expires_at_s.map(|end| end as i64 - unix_s() as i64)
    }
}
