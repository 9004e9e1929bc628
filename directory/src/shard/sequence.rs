//! What was decided of a device's messages in a chat: the last number, and the last 64
//! decisions.
//!
//! A number is decided once. At or below the last: a repeat, answered with the stored
//! decision. The next: decided now. Up to 64 further on: an earlier one is missing, and this
//! one is kept. Beyond: not kept. A device has at most 64 undecided numbers in a chat, so an
//! older decision was told.

use std::collections::VecDeque;

use answerback_proto::code::Code;
use answerback_proto::id::Sequence;
use answerback_proto::limits::UNDECIDED_MAX;

/// What became of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// An entry of the recipient's inbox.
    Accepted {
        /// Its place in the shown order.
        at_ms: u64,
    },
    /// Will not be delivered.
    Rejected(Code),
    /// Given up by its sender.
    Skipped,
}

/// Where a number stands to what was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Decided before; the decision where it is still known.
    Repeat(Option<Decision>),
    /// To be decided now.
    Next,
    /// An earlier one is missing.
    Ahead,
    /// Further ahead than a correct device is, unless this home was restored.
    TooFar,
}

/// The decisions of one sending device in one chat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decisions {
    last: Sequence,
    /// The decisions up to `last`, oldest first, ≤ 64, packed.
    recent: VecDeque<u64>,
}

const REJECTED: u64 = 1 << 63;
const SKIPPED: u64 = 0;

impl Decisions {
    /// The decisions that a row of the state holds.
    pub(crate) fn restore(last: Sequence, recent: impl Iterator<Item = u64>) -> Self {
        Self { last, recent: recent.collect() }
    }

    /// The last number decided, 0 for none.
    pub(crate) fn last(&self) -> Sequence {
        self.last
    }

    /// The packed decisions, oldest first, for a row of the state.
    pub(crate) fn recent(&self) -> impl ExactSizeIterator<Item = u64> {
        self.recent.iter().copied()
    }

    /// The next number to be decided.
    pub(crate) fn expected(&self) -> Sequence {
        self.last.next()
    }

    /// Where a number stands.
    pub(crate) fn standing(&self, sequence: Sequence) -> Standing {
        if sequence <= self.last {
            Standing::Repeat(self.decision(sequence))
        } else if sequence == self.expected() {
            Standing::Next
        } else if sequence.0 - self.last.0 <= UNDECIDED_MAX {
            Standing::Ahead
        } else {
            Standing::TooFar
        }
    }

    /// Decides the next number.
    pub(crate) fn decide(&mut self, decision: Decision) {
        if self.recent.len() as u64 == UNDECIDED_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(pack(decision));
        self.last = self.last.next();
    }

    /// The decision of a number ≤ `last`, where it is among the last 64.
    pub(crate) fn decision(&self, sequence: Sequence) -> Option<Decision> {
        let age = usize::try_from(self.last.0.checked_sub(sequence.0)?).ok()?;
        let index = self.recent.len().checked_sub(age + 1)?;
        self.recent.get(index).map(|&packed| unpack(packed))
    }

    /// Bit i is set where `from + i`, up to `to`, was accepted.
    pub(crate) fn accepted_between(&self, from: Sequence, to: Sequence) -> u64 {
        (from.0..=to.0)
            .zip(0..UNDECIDED_MAX)
            .filter(|&(number, _)| {
                matches!(self.decision(Sequence(number)), Some(Decision::Accepted { .. }))
            })
            .fold(0, |bits, (_, bit)| bits | 1 << bit)
    }
}

fn pack(decision: Decision) -> u64 {
    match decision {
        Decision::Accepted { at_ms } => at_ms.clamp(1, REJECTED - 1),
        Decision::Rejected(code) => REJECTED | u64::from(code.number()),
        Decision::Skipped => SKIPPED,
    }
}

fn unpack(packed: u64) -> Decision {
    if packed == SKIPPED {
        Decision::Skipped
    } else if packed & REJECTED == 0 {
        Decision::Accepted { at_ms: packed }
    } else {
        let code = Code::from_number((packed & u64::from(u16::MAX)) as u16);
        Decision::Rejected(code.unwrap_or(Code::Repaired))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(count: u64) -> Decisions {
        let mut decisions = Decisions::default();
        for number in 1..=count {
            decisions.decide(Decision::Accepted { at_ms: number * 10 });
        }
        decisions
    }

    #[test]
    fn a_number_is_next_ahead_too_far_or_a_repeat() {
        let decisions = accepted(3);
        assert_eq!(decisions.standing(Sequence(4)), Standing::Next);
        assert_eq!(decisions.standing(Sequence(5)), Standing::Ahead);
        assert_eq!(decisions.standing(Sequence(67)), Standing::Ahead);
        assert_eq!(decisions.standing(Sequence(68)), Standing::TooFar);
        assert_eq!(decisions.standing(Sequence(u64::MAX)), Standing::TooFar);
        let second = Decision::Accepted { at_ms: 20 };
        assert_eq!(decisions.standing(Sequence(2)), Standing::Repeat(Some(second)));
    }

    #[test]
    fn the_last_64_decisions_are_known_and_no_older_one() {
        let decisions = accepted(100);
        assert_eq!(decisions.standing(Sequence(36)), Standing::Repeat(None));
        let oldest = Decision::Accepted { at_ms: 370 };
        assert_eq!(decisions.standing(Sequence(37)), Standing::Repeat(Some(oldest)));
    }

    #[test]
    fn every_decision_survives_its_packing() {
        let mut decisions = Decisions::default();
        let all = [
            Decision::Accepted { at_ms: 1_790_000_000_000 },
            Decision::Rejected(Code::UnknownUser),
            Decision::Skipped,
        ];
        all.into_iter().for_each(|decision| decisions.decide(decision));
        let restored = Decisions::restore(decisions.last(), decisions.recent());
        assert_eq!(restored, decisions);
        for (number, decision) in (1..).zip(all) {
            assert_eq!(restored.decision(Sequence(number)), Some(decision));
        }
    }

    #[test]
    fn accepted_numbers_of_a_range_are_bits() {
        let mut decisions = accepted(2);
        decisions.decide(Decision::Skipped);
        decisions.decide(Decision::Accepted { at_ms: 40 });
        assert_eq!(decisions.accepted_between(Sequence(2), Sequence(4)), 0b101);
        assert_eq!(decisions.accepted_between(Sequence(5), Sequence(9)), 0);
    }
}
