//! Sessions end with their tokens.
//!
//! A timer for each would cost more than the session. Whoever looks through the table for
//! silent connections notes those that expire before it comes by again, twice over; only they
//! wait in a heap, and are looked at again when their time comes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use answerback_proto::code::Code;

use super::Core;
use crate::clock::unix_ms;
use crate::limits::EXPIRIES_PER_TICK;
use crate::reactor::slot::SlotKey;
use crate::session::{Fault, State};

/// A heap that is smaller keeps its memory.
const KEPT: usize = 64;
/// Never.
const NEVER_S: u32 = u32::MAX;

/// The sessions that expire soon, some perhaps twice, and some that were renewed since.
#[derive(Debug, Default)]
pub(super) struct Expiries {
    soon: BinaryHeap<Reverse<(u32, SlotKey)>>,
}

impl Expiries {
    fn push(&mut self, expires_s: u32, key: SlotKey) {
        self.soon.push(Reverse((expires_s, key)));
    }

    fn first_s(&self) -> Option<u64> {
        self.soon.peek().map(|Reverse((expires_s, _))| u64::from(*expires_s))
    }

    fn pop_due(&mut self, unix_s: u64) -> Option<SlotKey> {
        self.first_s().filter(|expires_s| *expires_s <= unix_s)?;
        let Reverse((_, key)) = self.soon.pop()?;
        if self.soon.is_empty() {
            self.soon.shrink_to(KEPT);
        }
        Some(key)
    }
}

impl Core {
    /// A session has a token that expires then.
    pub(super) fn set_expiry(&mut self, key: SlotKey, expires_s: u64) {
        let Some(connection) = self.connections.find(key) else { return };
        connection.expires_s = u32::try_from(expires_s).unwrap_or(NEVER_S);
        self.note_expiry(key);
    }

    /// Looks whether the connection at a place of the table expires soon.
    pub(super) fn look_at_expiry(&mut self, index: usize) {
        let at = self.connections.table().at(index);
        let open = at.filter(|(_, connection)| connection.session.state == State::Open);
        if let Some(key) = open.map(|(key, _)| key) {
            self.note_expiry(key);
        }
    }

    fn note_expiry(&mut self, key: SlotKey) {
        let Some(connection) = self.connections.find(key) else { return };
        let expires_s = connection.expires_s;
        let soon_s = unix_ms() / 1000 + 2 * self.scan_s() as u64 + 1;
        if expires_s != NEVER_S && u64::from(expires_s) <= soon_s {
            self.expiries.push(expires_s, key);
        }
    }

    /// Closes the sessions whose tokens have expired.
    pub(super) fn close_expired(&mut self) {
        if self.expiries.first_s().is_none() {
            return;
        }
        let unix_s = unix_ms() / 1000;
        for _ in 0..EXPIRIES_PER_TICK {
            let Some(key) = self.expiries.pop_due(unix_s) else { return };
            let Some(connection) = self.connections.find(key) else { continue };
            let is_open = connection.session.state == State::Open;
            if is_open && u64::from(connection.expires_s) <= unix_s {
                self.fail(key, Fault::of_connection(Code::SessionExpired));
            }
        }
    }

    /// When [`Core::close_expired`] has something to do, on this core's clock, ms.
    pub(super) fn expiry_due_ms(&self) -> Option<u64> {
        let left_ms = (self.expiries.first_s()? * 1000).saturating_sub(unix_ms());
        Some(self.clock.now_us() / 1000 + left_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: u32) -> SlotKey {
        SlotKey { index, generation: 0 }
    }

    #[test]
    fn sessions_expire_in_the_order_of_their_times_and_leave_nothing() {
        let mut expiries = Expiries::default();
        for index in 0..1000 {
            expiries.push(2000 - index, key(index));
        }
        assert_eq!(expiries.first_s(), Some(1001));
        assert_eq!(expiries.pop_due(1000), None);
        assert_eq!(expiries.pop_due(1002), Some(key(999)));
        assert_eq!(expiries.pop_due(1002), Some(key(998)));
        assert_eq!(expiries.pop_due(1002), None);
        while expiries.pop_due(2000).is_some() {}
        assert_eq!(expiries.first_s(), None);
        assert!(expiries.soon.capacity() <= 2 * KEPT);
    }
}
