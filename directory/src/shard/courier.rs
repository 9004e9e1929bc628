//! Hands parts to other partitions and remembers what they have confirmed.
//!
//! Parts wait a moment before they leave, so that receipts of a busy chat are folded into
//! one; a first word has already told whoever is online. What was handed over may be lost:
//! it is handed over again until it is confirmed.

use std::collections::{BTreeMap, BTreeSet};

use answerback_proto::id::{PartNumber, PartitionId};

use super::effect::Effect;
use super::parts::{Outgoing, PartNumbers};
use super::state::State;
use crate::limits::{PART_RESEND_MS, PART_ROUND_MS, PARTS_PER_ROUND_MAX};

/// What is under way between this partition and others; all of it may be lost.
#[derive(Debug, Default)]
pub(crate) struct Courier {
    by_destination: BTreeMap<PartitionId, Progress>,
    /// Confirmations that wait to be journaled, the newest of each destination.
    confirmations: BTreeMap<PartitionId, PartNumber>,
    /// When the next round is due, once there is something to hand over.
    round_at_ms: Option<u64>,
    /// Destinations that wait for no round.
    hurried: BTreeSet<PartitionId>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Parts up to here were handed over.
    sent: PartNumber,
    /// When the last of them was.
    sent_at_ms: u64,
}

impl Courier {
    /// A destination has committed all parts up to a number.
    pub(crate) fn handle_confirmed(
        &mut self,
        by: PartitionId,
        up_to: PartNumber,
        outgoing: &Outgoing,
    ) {
        if up_to <= outgoing.confirmed() || up_to > outgoing.last() {
            return;
        }
        let waiting = self.confirmations.entry(by).or_default();
        *waiting = up_to.max(*waiting);
    }

    /// What waits for these destinations leaves at once.
    pub(crate) fn hurry(&mut self, destinations: impl Iterator<Item = PartitionId>) {
        self.hurried.extend(destinations);
    }

    /// How many confirmations wait to be journaled.
    pub(crate) fn confirmations(&self) -> usize {
        self.confirmations.len()
    }

    /// The confirmations that wait.
    pub(crate) fn take_confirmations(&mut self, mut each: impl FnMut(PartitionId, PartNumber)) {
        while let Some((destination, up_to)) = self.confirmations.pop_first() {
            each(destination, up_to);
        }
    }

    /// When the next round is due; at once where it has yet to be fixed.
    pub(crate) fn poll_timeout(&self, outgoing: &BTreeMap<PartitionId, Outgoing>) -> Option<u64> {
        if !self.hurried.is_empty() {
            return Some(0);
        }
        let waits = || outgoing.values().any(|queue| !queue.is_empty());
        self.round_at_ms.or_else(|| waits().then_some(0))
    }

    /// Hands over what was not handed over yet, or too long ago.
    pub(crate) fn handle_timeout(
        &mut self,
        now_ms: u64,
        state: &State,
        effects: &mut impl Extend<Effect>,
    ) {
        while let Some(destination) = self.hurried.pop_first() {
            if let Some(outgoing) = state.outgoing.get(&destination) {
                self.hand_over(now_ms, destination, outgoing, state, effects);
            }
        }
        match self.round_at_ms {
            Some(due_ms) if due_ms > now_ms => return,
            Some(_) => {
                self.round_at_ms = None;
                for (destination, outgoing) in &state.outgoing {
                    self.hand_over(now_ms, *destination, outgoing, state, effects);
                }
            }
            None => {}
        }
        if state.outgoing.values().any(|queue| !queue.is_empty()) {
            self.round_at_ms = Some(now_ms + PART_ROUND_MS);
        }
    }

    fn hand_over(
        &mut self,
        now_ms: u64,
        destination: PartitionId,
        outgoing: &Outgoing,
        state: &State,
        effects: &mut impl Extend<Effect>,
    ) {
        let progress = self.by_destination.entry(destination).or_default();
        if now_ms.saturating_sub(progress.sent_at_ms) >= PART_RESEND_MS {
            progress.sent = outgoing.confirmed();
        }
        progress.sent = progress.sent.max(outgoing.confirmed());
        for (number, previous, body) in outgoing.behind(progress.sent).take(PARTS_PER_ROUND_MAX) {
            let numbers = PartNumbers { generation: state.generation, number, previous };
            let mail = body.to_mail(state.partition, numbers);
            effects.extend([Effect::Mail { to: destination, mail }]);
            progress.sent = number;
            progress.sent_at_ms = now_ms;
            if planted!(ConfirmedAtHandOver) {
                self.confirmations.insert(destination, number);
            }
        }
    }
}
