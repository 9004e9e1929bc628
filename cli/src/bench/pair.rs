//! One pair of a load: a sender's numbers, a receiver's, and both inboxes.
//!
//! The same rules as the SDK's session, kept in memory and as light as they can be: the
//! generator must not be what is measured.

use std::collections::{BTreeSet, VecDeque};

use answerback_proto::limits::UNDECIDED_MAX;

/// How far a device has come in its inbox.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Last position taken.
    pub(super) cursor: u64,
    ack_due: bool,
    resync_due: bool,
    is_resyncing: bool,
}

impl Inbox {
    /// Whether an entry is the next one. A first word (position 0) is none.
    pub(super) fn take(&mut self, after: u64, position: u64) -> bool {
        if position <= self.cursor {
            self.ack_due |= position > 0;
            return false;
        }
        if after > self.cursor {
            self.resync_due |= !self.is_resyncing;
            self.is_resyncing = true;
            return false;
        }
        self.cursor = position;
        self.ack_due = true;
        self.is_resyncing = false;
        true
    }

    /// What may be acknowledged since the last call.
    pub(super) fn take_ack(&mut self) -> Option<u64> {
        std::mem::take(&mut self.ack_due).then_some(self.cursor)
    }

    /// What to ask for again since the last call.
    pub(super) fn take_resync(&mut self) -> Option<u64> {
        std::mem::take(&mut self.resync_due).then_some(self.cursor)
    }
}

/// The numbers that a receiver got, judged.
#[derive(Debug, Default)]
pub(super) struct Received {
    last: u64,
    missing: BTreeSet<u64>,
    /// Different numbers.
    pub(super) count: u64,
    /// Numbers that came again in new entries.
    pub(super) doubled: u64,
    /// Numbers that came behind a greater one.
    pub(super) reordered: u64,
}

impl Received {
    /// Whether a number is new.
    pub(super) fn take(&mut self, sequence: u64) -> bool {
        if sequence > self.last {
            self.missing.extend(self.last + 1..sequence);
            self.last = sequence;
        } else if self.missing.remove(&sequence) {
            self.reordered += 1;
        } else {
            self.doubled += 1;
            return false;
        }
        self.count += 1;
        true
    }
}

/// A sender's messages, by number.
#[derive(Debug, Default)]
pub(super) struct Sending {
    /// Greatest number made.
    pub(super) generated: u64,
    /// Greatest number decided.
    pub(super) accepted: u64,
    /// Greatest number whose receipt came.
    pub(super) receipted: u64,
    /// Numbers before the first that is not written, or must be written again.
    written: u64,
    /// When each number behind `forgotten` was due, ns.
    due_ns: VecDeque<u64>,
    forgotten: u64,
    held_until_ns: u64,
    last_tag: u32,
    /// Answers with an older tag answer copies that were sent again.
    current_from_tag: u32,
}

impl Sending {
    /// Makes a message.
    pub(super) fn generate(&mut self, due_ns: u64) {
        self.generated += 1;
        self.due_ns.push_back(due_ns);
    }

    /// The next number to write, its tag, and when it was due.
    pub(super) fn poll_due(&mut self, now_ns: u64) -> Option<(u64, u32, u64)> {
        let sequence = self.written + 1;
        let is_within_window = sequence <= self.accepted + UNDECIDED_MAX;
        if sequence > self.generated || !is_within_window || now_ns < self.held_until_ns {
            return None;
        }
        self.written = sequence;
        self.last_tag = self.last_tag.wrapping_add(1).max(1);
        Some((sequence, self.last_tag, self.due(sequence)?))
    }

    /// When a number was due, while that is remembered.
    pub(super) fn due(&self, sequence: u64) -> Option<u64> {
        let index = sequence.checked_sub(self.forgotten + 1)?;
        self.due_ns.get(usize::try_from(index).ok()?).copied()
    }

    /// A number is decided; whether that is new.
    pub(super) fn decide(&mut self, sequence: u64) -> bool {
        let is_new = sequence > self.accepted && sequence <= self.generated;
        if is_new {
            self.accepted = sequence;
            self.written = self.written.max(sequence);
        }
        is_new
    }

    /// Numbers from `sequence` on are written again, not before `held_until_ns`.
    pub(super) fn go_back(&mut self, tag: u32, sequence: u64, held_until_ns: u64) {
        self.held_until_ns = self.held_until_ns.max(held_until_ns);
        if tag >= self.current_from_tag {
            self.written = self.written.min(sequence.saturating_sub(1)).max(self.accepted);
            self.current_from_tag = self.last_tag.wrapping_add(1);
        }
    }

    /// When a held sender may go on, if it is held.
    pub(super) fn held_until_ns(&self) -> u64 {
        self.held_until_ns
    }

    /// Numbers up to `up_to` have all their answers.
    pub(super) fn forget(&mut self, up_to: u64) {
        while self.forgotten < up_to.min(self.generated) {
            self.due_ns.pop_front();
            self.forgotten += 1;
        }
    }
}

/// A sender and its receiver.
#[derive(Debug, Default)]
pub(super) struct Pair {
    pub(super) sending: Sending,
    pub(super) received: Received,
    pub(super) sender_inbox: Inbox,
    pub(super) receiver_inbox: Inbox,
    pub(super) is_touched: bool,
}

impl Pair {
    /// Accepted, and never given to the receiver.
    pub(super) fn lost(&self) -> u64 {
        self.sending.accepted.saturating_sub(self.received.count)
    }

    /// Messages that a closed loop may make now: a place comes free once the message is
    /// accepted and the receiver has it.
    pub(super) fn room(&self, window: u64) -> u64 {
        let done = self.sending.accepted.min(self.received.count);
        (done + window).saturating_sub(self.sending.generated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_doubles_and_disorder_are_told_apart() {
        let mut received = Received::default();
        let taken: Vec<bool> = [1, 2, 2, 5, 4, 4].map(|number| received.take(number)).into();
        assert_eq!(taken, [true, true, false, true, true, false]);
        assert_eq!((received.count, received.doubled, received.reordered), (4, 2, 1));
        let mut pair = Pair { received, ..Pair::default() };
        (0..5).for_each(|due| pair.sending.generate(due));
        pair.sending.decide(5);
        assert_eq!(pair.lost(), 1);
    }

    #[test]
    fn an_inbox_takes_what_fits_and_asks_once() {
        let mut inbox = Inbox::default();
        assert!(!inbox.take(0, 0));
        assert_eq!(inbox.take_ack(), None, "a first word has no place");
        assert!(inbox.take(0, 2));
        assert!(!inbox.take(3, 4));
        assert!(!inbox.take(4, 5));
        assert!(!inbox.take(0, 0));
        assert_eq!((inbox.take_ack(), inbox.take_resync()), (Some(2), Some(2)));
        assert_eq!((inbox.take_ack(), inbox.take_resync()), (None, None));
    }

    #[test]
    fn a_closed_loop_waits_for_the_receiver_too() {
        let mut pair = Pair::default();
        assert_eq!(pair.room(2), 2);
        (0..2).for_each(|due| pair.sending.generate(due));
        pair.sending.decide(2);
        assert_eq!(pair.room(2), 0);
        pair.received.take(1);
        assert_eq!(pair.room(2), 1);
    }

    #[test]
    fn a_refusal_sends_again_once_and_not_too_early() {
        let mut sending = Sending::default();
        (10..14).for_each(|due| sending.generate(due));
        let tags: Vec<u32> =
            std::iter::from_fn(|| sending.poll_due(0)).map(|(_, tag, _)| tag).collect();
        sending.go_back(tags[1], 2, 50);
        sending.go_back(tags[2], 1, 0);
        assert_eq!(sending.poll_due(49), None);
        assert_eq!(sending.poll_due(50).map(|(sequence, _, due)| (sequence, due)), Some((2, 11)));
        sending.decide(3);
        assert_eq!(sending.poll_due(50).map(|(sequence, ..)| sequence), Some(4));
        sending.go_back(u32::MAX, 1, 0);
        let next = sending.poll_due(50).map(|(sequence, ..)| sequence);
        assert_eq!(next, Some(4), "what is decided is not sent again");
        sending.forget(3);
        assert_eq!((sending.due(3), sending.due(4)), (None, Some(13)));
    }
}
