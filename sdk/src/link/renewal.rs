//! When a session needs a newer token: before the one behind it expires, so that it is not
//! closed.

use super::backoff::Backoff;

/// A token is replaced at the latest so long before it expires: the app's service may be slow.
const LEAD_MS_MIN: u64 = 30_000;
/// Without a token from the app, it is asked again after this time at the earliest.
const RETRY_MS_MIN: u64 = 5_000;

/// The next time to ask for a token, where there is one.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    expires_ms: Option<u64>,
    due_ms: Option<u64>,
}

impl Renewal {
    /// The session is good until then. A fifth of that is left when a token is asked for, and up
    /// to a quarter of the fifth more: tokens of many devices may have been signed together.
    pub(super) fn plan(&mut self, now_ms: u64, expires_ms: Option<u64>, backoff: &mut Backoff) {
        // A token that lasts no longer than the last one would be renewed over and over.
        let expires_ms = expires_ms.filter(|expires| Some(*expires) > self.expires_ms);
        self.expires_ms = expires_ms.or(self.expires_ms);
        self.due_ms = expires_ms.map(|expires_ms| {
            let left_ms = expires_ms.saturating_sub(now_ms);
            let lead_ms = backoff.spread_ms((left_ms / 5).max(LEAD_MS_MIN)).min(left_ms / 2);
            expires_ms - lead_ms
        });
    }

    /// There is no token now.
    pub(super) fn put_off(&mut self, now_ms: u64) {
        let left_ms = self.expires_ms.unwrap_or(0).saturating_sub(now_ms);
        self.due_ms = (left_ms > 0).then_some(now_ms + (left_ms / 4).max(RETRY_MS_MIN));
    }

    /// Whether it is time; it is once.
    pub(super) fn take_due(&mut self, now_ms: u64) -> bool {
        self.due_ms.take_if(|due_ms| *due_ms <= now_ms).is_some()
    }

    pub(super) fn poll_timeout(&self) -> Option<u64> {
        self.due_ms
    }
}
