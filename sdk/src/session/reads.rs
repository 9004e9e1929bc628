//! What the user has read and the server has not noted yet.
//!
//! Reads are cumulative: of each (peer, sending device) only the newest counts, and at most
//! one is under way. It goes again on every connection until the server has noted it.
//!
//! The server notes no more than what it knows as delivered. Where an acknowledgement was
//! lost, that is less than what was read, until the entries came once more; so what was not
//! noted whole before the session has caught up is said once more then.
//!
//! It may also refuse a read for a time, since reads are counted with messages: then all of
//! them wait, for the device has said too much and not one chat of it.

use std::collections::BTreeMap;

use answerback_proto::id::{DeviceId, Sequence, UserId};

/// Reads that may be under way at once.
const UNDER_WAY_MAX: usize = 64;

/// All messages of one of `peer`'s devices up to a number, as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadMark {
    /// The other end of the chat.
    pub peer: UserId,
    /// The peer's device that had sent them.
    pub device: DeviceId,
    /// The greatest number that was read.
    pub up_to: Sequence,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    up_to: Sequence,
    /// What is under way on this connection, or waits for the session to catch up.
    asked: Option<Sequence>,
    /// It was noted in part, and goes again when the session has caught up.
    is_short: bool,
    /// It was asked when the session had caught up: what is noted is all that will be.
    is_last: bool,
}

/// The newest mark of each (peer, sending device).
#[derive(Debug, Default)]
pub(super) struct Reads {
    pending: BTreeMap<(UserId, DeviceId), Pending>,
    has_caught_up: bool,
    /// Nothing is said before that time.
    held_until_ms: Option<u64>,
}

impl Reads {
    pub(super) fn insert(&mut self, mark: ReadMark) {
        let ReadMark { peer, device, up_to } = mark;
        let fresh = Pending { up_to, asked: None, is_short: false, is_last: false };
        let pending = self.pending.entry((peer, device)).or_insert(fresh);
        pending.up_to = pending.up_to.max(up_to);
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn held_until_ms(&self) -> Option<u64> {
        self.held_until_ms
    }

    /// The next mark to be written; it is under way from now on.
    pub(super) fn take_due(&mut self) -> Option<ReadMark> {
        if self.held_until_ms.is_some() {
            return None;
        }
        if self.pending.values().filter(|pending| pending.asked.is_some()).count() >= UNDER_WAY_MAX
        {
            return None;
        }
        let mut all = self.pending.iter_mut();
        let (&(peer, device), pending) = all.find(|(_, pending)| pending.asked.is_none())?;
        pending.asked = Some(pending.up_to);
        pending.is_last = self.has_caught_up;
        Some(ReadMark { peer, device, up_to: pending.up_to })
    }

    /// The server knows of all up to this mark; a newer one is still to be sent.
    pub(super) fn settle(&mut self, mark: ReadMark) {
        let key = (mark.peer, mark.device);
        let Some(pending) = self.pending.get_mut(&key) else { return };
        if pending.up_to <= mark.up_to {
            self.pending.remove(&key);
        } else if pending.asked == Some(mark.up_to) {
            pending.asked = None;
        }
    }

    /// The server has noted as much of a mark; whether that settles it.
    pub(super) fn handle_noted(&mut self, mark: ReadMark, noted: Sequence) -> bool {
        if let Some(pending) = self.pending.get_mut(&(mark.peer, mark.device))
            && noted < mark.up_to
            && !pending.is_last
        {
            pending.is_short = !self.has_caught_up;
            pending.asked = pending.asked.filter(|_| pending.is_short);
            return false;
        }
        self.settle(mark);
        true
    }

    /// The server takes none before that time, and has noted nothing of a mark.
    pub(super) fn hold(&mut self, mark: ReadMark, until_ms: u64) {
        if let Some(pending) = self.pending.get_mut(&(mark.peer, mark.device)) {
            pending.asked = pending.asked.filter(|&asked| asked != mark.up_to);
        }
        self.held_until_ms = self.held_until_ms.max(Some(until_ms));
    }

    pub(super) fn handle_timeout(&mut self, now_ms: u64) {
        self.held_until_ms.take_if(|until_ms| *until_ms <= now_ms);
    }

    /// All that was there at `Hello` has come and is acknowledged.
    pub(super) fn handle_caught_up(&mut self) {
        self.has_caught_up = true;
        for pending in self.pending.values_mut().filter(|pending| pending.is_short) {
            pending.is_short = false;
            pending.asked = None;
        }
    }

    pub(super) fn forget_connection(&mut self) {
        self.has_caught_up = false;
        self.held_until_ms = None;
        for pending in self.pending.values_mut() {
            *pending = Pending { asked: None, is_short: false, is_last: false, ..*pending };
        }
    }
}
