//! What a user's home keeps of his chat with a group: his slot there, what he has not read, and
//! who has what he sent.
//!
//! ```text
//!  home of a member                          home of the sender
//!  acknowledged ─► unread: position, message
//!                  └─ a part: the bit of ───► tally of the message ─► GroupReceipt, at most one
//!  ReadGroup ────►    his slot                bits, added up          a second
//! ```
//! A slot names somebody together with a version, and the version of a message is the one that
//! counts: of messages from before a member came here (and may have been here before, with
//! another slot) he tells nothing.

use answerback_proto::id::{DeviceId, Position, Sequence, UserId};

use super::super::rowed::Rowed;
use super::word::GroupWord;
use crate::limits::{GROUP_RECEIPT_PERIOD_MS, GROUP_TALLIES_MAX, GROUP_UNREAD_MAX};

/// Members who have a message, and who have read it: a bit a slot, as in a `GroupReceipt`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotBits {
    delivered: Vec<u8>,
    read: Vec<u8>,
}

/// A user's place in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) slot: u16,
    /// The version of the list that gave it to him.
    pub(crate) since: u32,
}

/// A message of a group that the user has, and has not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) sender: UserId,
    pub(crate) device: DeviceId,
    pub(crate) sequence: Sequence,
    pub(crate) version: u32,
}

/// What is known of a message that the user has sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) version: u32,
    pub(crate) bits: SlotBits,
    /// When its last entry was put.
    pub(crate) told_ms: u64,
    /// Where that lies.
    pub(crate) position: Position,
    /// Whether it knows more than that says.
    pub(crate) is_untold: bool,
}

/// What becomes of news for a tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// They are none, or there is no room.
    Nothing,
    /// They are told at once.
    Now,
    /// They are told at this time.
    At(u64),
}

/// The user's chat with a group, beside what any chat has.
#[derive(Debug, Default)]
pub(crate) struct GroupChat {
    /// Where the user is a member.
    pub(crate) seat: Option<Seat>,
    /// The user has read what lies up to here in the inbox; only rises.
    pub(crate) read_up_to: Position,
    /// By the places in the inbox that they had.
    pub(crate) unread: Rowed<Position, Unread>,
    pub(crate) tallies: Rowed<(DeviceId, Sequence), Tally>,
}

impl SlotBits {
    /// One member has a message, and may have read it.
    pub(crate) fn of(slot: u16, is_read: bool) -> Self {
        let mut delivered = vec![0; usize::from(slot / 8) + 1];
        if let Some(last) = delivered.last_mut() {
            *last = 1 << (slot % 8);
        }
        let read = if is_read { delivered.clone() } else { Vec::new() };
        Self { delivered, read }
    }

    /// Both bitmaps, one behind the other.
    pub(crate) fn from_bytes(bytes: &[u8], delivered_bytes: u16) -> Self {
        let length = usize::from(delivered_bytes).min(bytes.len());
        let (delivered, read) = bytes.split_at(length);
        Self { delivered: delivered.to_vec(), read: read.to_vec() }
    }

    /// As `from_bytes` reads them.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [self.delivered.as_slice(), &self.read].concat()
    }

    /// Who has it.
    pub fn delivered(&self) -> &[u8] {
        &self.delivered
    }

    /// Who has read it.
    pub fn read(&self) -> &[u8] {
        &self.read
    }

    /// Adds what others say; whether any of it is new.
    pub(crate) fn add(&mut self, others: &Self) -> bool {
        let has_news = add(&mut self.delivered, &others.delivered);
        add(&mut self.read, &others.read) || has_news
    }
}

fn add(bits: &mut Vec<u8>, others: &[u8]) -> bool {
    bits.resize(bits.len().max(others.len()), 0);
    let mut has_news = false;
    for (bits, others) in bits.iter_mut().zip(others) {
        has_news |= others & !*bits != 0;
        *bits |= others;
    }
    has_news
}

impl GroupChat {
    /// The user is none any more: what he reads is told to nobody.
    pub(crate) fn leave(&mut self) {
        if planted!(LeaverTells) {
            return;
        }
        self.seat = None;
        self.unread.retain(|_| false);
    }

    /// The user has a message, for the first time: his slot, and whether he has read it. None
    /// where nobody is told.
    pub(crate) fn receive(&mut self, position: Position, word: &GroupWord) -> Option<(u16, bool)> {
        let seat = self.seat.filter(|seat| seat.since <= word.version)?;
        let is_read = position <= self.read_up_to;
        if !is_read {
            let (device, sequence) = word.about();
            let (sender, version) = (word.sender, word.version);
            self.unread.insert(position, Unread { sender, device, sequence, version });
            if self.unread.len() > GROUP_UNREAD_MAX {
                self.unread.pop_first();
            }
        }
        Some((seat.slot, is_read))
    }

    /// The user has read up to a position: his slot, and what of it was unread. None where that
    /// is no news, or the user no member.
    pub(crate) fn read(&mut self, up_to: Position) -> Option<(u16, Vec<Unread>)> {
        let seat = self.seat.filter(|_| up_to > self.read_up_to)?;
        self.read_up_to = up_to;
        let mut read = Vec::new();
        while self.unread.iter().next().is_some_and(|(first, _)| first <= up_to) {
            read.extend(self.unread.pop_first().map(|(_, unread)| unread));
        }
        Some((seat.slot, read))
    }

    /// Members have a message of the user's, or have read it.
    pub(crate) fn count(
        &mut self,
        of: (DeviceId, Sequence),
        version: u32,
        bits: &SlotBits,
        now_ms: u64,
        left_up_to: Position,
    ) -> Counted {
        if self.tallies.get(of).is_none() {
            self.tallies.retain(|tally| !tally.is_over(now_ms, left_up_to));
            if self.tallies.len() >= GROUP_TALLIES_MAX {
                return Counted::Nothing;
            }
            self.tallies.insert(of, Tally { version, ..Tally::default() });
        }
        let Some(tally) = self.tallies.get_mut(of).filter(|tally| tally.version == version) else {
            return Counted::Nothing;
        };
        if !tally.bits.add(bits) {
            return Counted::Nothing;
        }
        let due_ms = tally.told_ms.saturating_add(GROUP_RECEIPT_PERIOD_MS);
        if due_ms <= now_ms || planted!(ReceiptsToldAtOnce) {
            return Counted::Now;
        }
        tally.is_untold = true;
        Counted::At(due_ms)
    }

    /// The messages whose receipts wait and may be told by now.
    pub(crate) fn due(&self, now_ms: u64) -> impl Iterator<Item = (DeviceId, Sequence)> {
        let due = self
            .tallies
            .iter()
            .filter(move |(_, tally)| tally.due_ms().is_some_and(|due_ms| due_ms <= now_ms));
        due.map(|(of, _)| of)
    }

    /// When the first of them may.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        self.tallies.iter().filter_map(|(_, tally)| tally.due_ms()).min()
    }

    /// A checkpoint has all of it.
    pub(crate) fn forget_changes(&mut self) {
        self.unread.forget_changes();
        self.tallies.forget_changes();
    }
}

impl Tally {
    fn due_ms(&self) -> Option<u64> {
        self.is_untold.then(|| self.told_ms.saturating_add(GROUP_RECEIPT_PERIOD_MS))
    }

    /// Whether nobody would notice if it began anew.
    fn is_over(&self, now_ms: u64, left_up_to: Position) -> bool {
        let is_told = !self.is_untold && self.position <= left_up_to;
        is_told && self.told_ms.saturating_add(GROUP_RECEIPT_PERIOD_MS) <= now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: (DeviceId, Sequence) = (DeviceId(1), Sequence(1));
    const NOW_MS: u64 = 1_000_000;

    #[test]
    fn bits_add_up_and_say_whether_they_are_new() {
        let mut bits = SlotBits::of(3, false);
        assert!(bits.add(&SlotBits::of(17, true)) && !bits.add(&SlotBits::of(17, false)));
        assert!(bits.add(&SlotBits::of(3, true)) && !bits.add(&SlotBits::of(3, true)));
        assert_eq!((bits.delivered(), bits.read()), (&[8, 0, 2][..], &[8, 0, 2][..]));
        let bytes = SlotBits::of(8, false).to_bytes();
        assert_eq!(SlotBits::from_bytes(&bytes, 2), SlotBits::of(8, false));
    }

    #[test]
    fn of_one_message_there_is_news_once_a_second() {
        let mut chat = GroupChat::default();
        let mut count =
            |slot, now_ms| chat.count(OF, 1, &SlotBits::of(slot, false), now_ms, Position(0));
        assert_eq!(count(1, NOW_MS), Counted::Now);
        chat.tallies.get_mut(OF).unwrap().told_ms = NOW_MS;
        let mut count =
            |slot, now_ms| chat.count(OF, 1, &SlotBits::of(slot, false), now_ms, Position(0));
        assert_eq!(count(1, NOW_MS + 5), Counted::Nothing, "it is no news");
        assert_eq!(count(2, NOW_MS + 5), Counted::At(NOW_MS + 1000));
        assert_eq!(count(3, NOW_MS + 1000), Counted::Now);
        let of_another = chat.count(OF, 2, &SlotBits::of(9, false), NOW_MS, Position(0));
        assert_eq!(of_another, Counted::Nothing, "a message has one version");
        assert_eq!(chat.due_ms(), Some(NOW_MS + 1000));
    }

    #[test]
    fn a_tally_that_nobody_needs_makes_room() {
        let mut chat = GroupChat::default();
        let mut count = |sequence: u64, now_ms, left_up_to| {
            let of = (DeviceId(1), Sequence(sequence));
            chat.count(of, 1, &SlotBits::of(1, false), now_ms, Position(left_up_to))
        };
        let many = GROUP_TALLIES_MAX as u64;
        for sequence in 1..=many {
            assert_eq!(count(sequence, 0, 0), Counted::At(1000), "the clock stands at its start");
        }
        assert_eq!(count(many + 1, 5000, 0), Counted::Nothing, "all of them are untold");
        chat.tallies.get_mut(OF).unwrap().is_untold = false;
        chat.tallies.get_mut(OF).unwrap().position = Position(7);
        let mut count = |left_up_to| {
            let of = (DeviceId(1), Sequence(many + 1));
            chat.count(of, 1, &SlotBits::of(1, false), 5000, Position(left_up_to))
        };
        assert_eq!(count(6), Counted::Nothing, "its entry waits");
        assert_eq!(count(7), Counted::Now);
    }

    #[test]
    fn as_many_are_unread_as_there_is_room_for() {
        let mut chat = GroupChat::default();
        let word = GroupWord { version: 4, ..GroupWord::at(1) };
        assert_eq!(chat.receive(Position(1), &word), None, "no member");
        chat.seat = Some(Seat { slot: 9, since: 5 });
        assert_eq!(chat.receive(Position(1), &word), None, "it is from before");
        chat.seat = Some(Seat { slot: 9, since: 4 });
        let many = GROUP_UNREAD_MAX as u64 + 1;
        for position in 1..=many {
            assert_eq!(chat.receive(Position(position), &word), Some((9, false)));
        }
        assert_eq!(chat.read(Position(2)).map(|(slot, read)| (slot, read.len())), Some((9, 1)));
        assert_eq!(chat.read(Position(2)), None, "it is no news");
        assert_eq!(chat.receive(Position(2), &word), Some((9, true)));
        chat.leave();
        assert!(chat.unread.is_empty() && chat.read(Position(many)).is_none());
    }
}
