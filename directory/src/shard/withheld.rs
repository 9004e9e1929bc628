//! What blocked users have sent: accepted as anybody's, and offered to nobody.
//!
//! Nothing is kept of such a message but when it ends. It ends by its life, or its sender takes
//! it back, and the sender is told, as of one to a user who is away; unblocking brings nothing
//! of it back. It has no place in the inbox: positions are the recipient's business, and what
//! a device acknowledges must not reach it.

use std::collections::BTreeMap;

use answerback_proto::id::Sequence;
use answerback_proto::kind::SequenceRange;
use answerback_proto::limits::EXCEPT_RANGES_MAX;

/// What is kept of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WithheldMessage {
    /// When it ends.
    pub(crate) expires_at_ms: u64,
    /// Of its payload, which is gone: they count against the sender's quota.
    pub(crate) bytes: u32,
    /// Whether it has a row.
    pub(crate) is_stored: bool,
}

/// A device's messages that are withheld; mostly none, which takes a pointer.
#[derive(Debug, Default)]
pub(crate) struct Withheld(Option<Box<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    messages: BTreeMap<Sequence, WithheldMessage>,
    /// Numbers whose row the next checkpoint deletes.
    removed: Vec<Sequence>,
}

impl Withheld {
    pub(crate) fn insert(&mut self, sequence: Sequence, message: WithheldMessage) {
        self.0.get_or_insert_default().messages.insert(sequence, message);
    }

    /// It ends.
    pub(crate) fn remove(&mut self, sequence: Sequence) -> Option<WithheldMessage> {
        let inner = self.0.as_mut()?;
        let removed = inner.messages.remove(&sequence)?;
        if removed.is_stored {
            inner.removed.push(sequence);
        }
        Some(removed)
    }

    pub(crate) fn contains(&self, sequence: Sequence) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.messages.contains_key(&sequence))
    }

    /// All of them, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Sequence, &WithheldMessage)> {
        let messages = self.0.iter().flat_map(|inner| &inner.messages);
        messages.map(|(sequence, message)| (*sequence, message))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// When the first of them ends.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        self.iter().map(|(_, message)| message.expires_at_ms).min()
    }

    /// Numbers whose row the next checkpoint deletes.
    pub(crate) fn removed(&self) -> &[Sequence] {
        self.0.as_ref().map_or(&[], |inner| &inner.removed)
    }

    /// A checkpoint has all of it.
    pub(crate) fn forget_changes(&mut self) {
        if let Some(inner) = &mut self.0 {
            inner.removed = Vec::new();
            inner.messages.values_mut().for_each(|message| message.is_stored = true);
        }
        if self.is_empty() {
            self.0 = None;
        }
    }

    /// The receipt of what was delivered up to a number: how far it can speak, and the ranges
    /// that it excepts. Where there are more of them than it has room for, it stops before the
    /// first that finds none.
    pub(crate) fn receipt(&self, up_to: Sequence) -> (Sequence, Vec<SequenceRange>) {
        let mut ranges: Vec<SequenceRange> = Vec::new();
        for (number, _) in self.iter().take_while(|(number, _)| *number < up_to) {
            let has_room = ranges.len() < EXCEPT_RANGES_MAX;
            match ranges.last_mut() {
                Some(last) if last.last.next() == number => last.last = number,
                _ if has_room => ranges.push(SequenceRange { first: number, last: number }),
                _ => return (Sequence(number.0 - 1), ranges),
            }
        }
        (up_to, ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withheld(numbers: impl IntoIterator<Item = u64>) -> Withheld {
        let mut withheld = Withheld::default();
        for number in numbers {
            let (expires_at_ms, bytes, is_stored) = (100 - number, 1, false);
            let message = WithheldMessage { expires_at_ms, bytes, is_stored };
            withheld.insert(Sequence(number), message);
        }
        withheld
    }

    fn receipt(withheld: &Withheld, up_to: u64) -> (u64, Vec<(u64, u64)>) {
        let (up_to, ranges) = withheld.receipt(Sequence(up_to));
        (up_to.0, ranges.iter().map(|range| (range.first.0, range.last.0)).collect())
    }

    #[test]
    fn a_receipt_excepts_what_is_withheld_below_it() {
        assert_eq!(receipt(&Withheld::default(), 9), (9, vec![]));
        assert_eq!(receipt(&withheld([1, 2, 3, 5, 12]), 9), (9, vec![(1, 3), (5, 5)]));
        assert_eq!(receipt(&withheld([1, 2]), 1), (1, vec![]));
    }

    #[test]
    fn a_receipt_of_too_many_ranges_stops_before_the_first_without_room() {
        let even = |count: u64| (1..=count).map(|number| 2 * number);
        assert_eq!(receipt(&withheld(even(16)), 40).0, 40);
        let (up_to, ranges) = receipt(&withheld(even(17)), 40);
        assert_eq!((up_to, ranges.len(), ranges[15]), (33, 16, (32, 32)));
    }

    #[test]
    fn what_ends_without_a_row_leaves_none_to_delete() {
        let mut withheld = withheld([1, 2]);
        assert_eq!((withheld.due_ms(), withheld.contains(Sequence(2))), (Some(98), true));
        assert!(withheld.remove(Sequence(2)).is_some() && withheld.remove(Sequence(2)).is_none());
        assert_eq!(withheld.removed(), []);
        withheld.forget_changes();
        withheld.remove(Sequence(1));
        assert_eq!(withheld.removed(), [Sequence(1)]);
        withheld.forget_changes();
        assert!(withheld.is_empty() && withheld.0.is_none());
    }
}
