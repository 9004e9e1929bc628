//! What a user's home keeps of one chat: what was decided of the other user's messages, what
//! became of them, and where the receipts for the user's own ones lie.

use std::collections::BTreeMap;

use answerback_proto::id::{DeviceId, Position, Sequence};
use answerback_proto::kind::ChatSettings;
use bytes::Bytes;

use super::group::GroupChat;
use super::sequence::{Decision, Decisions, Standing};
use super::withheld::{Withheld, WithheldMessage};
use crate::limits::GROUP_FAILURES_FOLDED_MAX;

/// One chat of a user.
#[derive(Debug, Default)]
pub(crate) struct Chat {
    /// The shown time of the last message accepted here.
    pub(crate) last_accepted_ms: u64,
    /// The other user's messages that nobody has acknowledged.
    pub(crate) waiting: u32,
    /// The user has deleted what came from the other one up to here; only rises.
    pub(crate) deleted_up_to: Position,
    /// Where the newest receipt of each kind and device lies in the inbox.
    pub(crate) receipts: Vec<Receipt>,
    /// The other user's devices that sent here, in the order of their rows: what is decided for
    /// several of them must not depend on whether they were read again.
    pub(crate) senders: Vec<Sender>,
    rare: Option<Box<Rare>>,
    group: Option<Box<GroupChat>>,
    /// All of this but the senders, since the last checkpoint.
    pub(crate) changed: bool,
    /// Since the last look at what may leave the memory.
    pub(crate) used: bool,
}

/// What hardly any chat has.
#[derive(Debug, Default)]
struct Rare {
    /// How the user has it treated.
    settings: ChatSettings,
    /// Of those that wait, the ones that are withheld, and the bytes that they had.
    withheld_count: u32,
    withheld_bytes: u64,
    /// Of a group's chat: where the newest word on members who do not get one of the user's
    /// messages lies, the latest messages last.
    failures: Vec<(DeviceId, Sequence, Position)>,
}

/// What a receipt says, as far as a newer one contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ReceiptKind {
    /// Messages of a device of the user's were delivered.
    Delivered = 1,
    /// Messages of a device of the user's were read.
    ReadBy = 2,
    /// The user has read messages of the other user's device.
    ReadElsewhere = 3,
    /// The user has the chat treated otherwise; of no device.
    ChatSet = 4,
    /// The user has read a group; of no device.
    GroupReadElsewhere = 5,
}

/// The newest receipt of a kind and a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) kind: ReceiptKind,
    pub(crate) device: DeviceId,
    pub(crate) position: Position,
}

/// One sending device of the other user.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    pub(crate) device: DeviceId,
    pub(crate) decisions: Decisions,
    /// The greatest sequence that a device of the user has stored; only rises.
    pub(crate) delivered_up_to: Sequence,
    /// The greatest that the user has read; only rises, up to what was delivered.
    pub(crate) read_up_to: Sequence,
    /// The other user has deleted these; only rises, up to what was decided.
    pub(crate) erased_up_to: Sequence,
    /// What came early, by its number.
    pub(crate) parked: BTreeMap<Sequence, Parked>,
    /// What was withheld from the user, and has not ended.
    pub(crate) withheld: Withheld,
    /// Since when a number is missing; 0 where none is.
    pub(crate) gap_since_ms: u64,
    /// Numbers whose parked row the next checkpoint deletes.
    pub(crate) unparked: Vec<Sequence>,
    /// Since the last checkpoint.
    pub(crate) changed: bool,
}

/// A message whose predecessor is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parked {
    /// The number that it takes back, 0 for none.
    pub(crate) recalled: Sequence,
    pub(crate) seen_ms: u64,
    pub(crate) life_s: u32,
    pub(crate) content_type: u16,
    pub(crate) flags: u16,
    /// A copy, so that it holds no batch.
    pub(crate) payload: Bytes,
    /// Whether it has a row.
    pub(crate) is_stored: bool,
}

impl Chat {
    /// The other user's device, where anything is known of it.
    pub(crate) fn sender(&self, device: DeviceId) -> Option<&Sender> {
        self.senders.iter().find(|sender| sender.device == device)
    }

    /// As above, to change it.
    pub(crate) fn sender_mut(&mut self, device: DeviceId) -> Option<&mut Sender> {
        self.senders.iter_mut().find(|sender| sender.device == device)
    }

    /// The other user's device, made where missing.
    pub(crate) fn sender_or_new(&mut self, device: DeviceId) -> &mut Sender {
        let index = self.senders.partition_point(|sender| sender.device < device);
        if self.senders.get(index).is_none_or(|sender| sender.device != device) {
            self.senders.insert(index, Sender { device, ..Sender::default() });
            self.changed = true;
        }
        #[expect(clippy::indexing_slicing, reason = "found, or inserted just above")]
        &mut self.senders[index]
    }

    /// Where a number of a device stands.
    pub(crate) fn standing(&self, device: DeviceId, sequence: Sequence) -> Standing {
        match self.sender(device) {
            Some(sender) => sender.decisions.standing(sequence),
            None => Decisions::default().standing(sequence),
        }
    }

    /// The next number of a device to be decided.
    pub(crate) fn expected(&self, device: DeviceId) -> Sequence {
        self.sender(device).map_or(Sequence(1), |sender| sender.decisions.expected())
    }

    /// Decides the next number of a device.
    pub(crate) fn decide(&mut self, device: DeviceId, decision: Decision) {
        let sender = self.sender_or_new(device);
        sender.changed = true;
        sender.decisions.decide(decision);
    }

    /// Whether a message was accepted here, or one of the user's own was delivered there. What is
    /// withheld counts: whoever is blocked must not find out by what he is told afterwards.
    pub(crate) fn has_begun(&self) -> bool {
        let mut receipts = self.receipts.iter();
        self.last_accepted_ms > 0 || receipts.any(|known| known.kind == ReceiptKind::Delivered)
    }

    /// Whether a device's number is missing while later ones wait.
    pub(crate) fn has_gap(&self) -> bool {
        self.senders.iter().any(|sender| !sender.parked.is_empty())
    }

    /// How the user has it treated.
    #[inline]
    pub(crate) fn settings(&self) -> ChatSettings {
        self.rare.as_ref().map_or_else(ChatSettings::default, |rare| rare.settings)
    }

    /// From now on so.
    pub(crate) fn set_settings(&mut self, settings: ChatSettings) {
        self.rare_mut().settings = settings;
        self.changed = true;
    }

    /// What of it is withheld: messages and bytes.
    pub(crate) fn withheld(&self) -> (u32, u64) {
        let rare = self.rare.as_ref();
        rare.map_or((0, 0), |rare| (rare.withheld_count, rare.withheld_bytes))
    }

    /// Of a group's chat: where words on members who do not get a message lie.
    pub(crate) fn failures(&self) -> &[(DeviceId, Sequence, Position)] {
        self.rare.as_ref().map_or(&[], |rare| &rare.failures)
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Where the other end is a group, what only such chats have; none where nothing is known.
    pub(crate) fn group(&self) -> Option<&GroupChat> {
        self.group.as_deref()
    }

    /// As above, to change it.
    pub(crate) fn group_mut(&mut self) -> Option<&mut GroupChat> {
        let group = self.group.as_deref_mut()?;
        self.changed = true;
        Some(group)
    }

    /// As above, made where missing.
    pub(crate) fn group_or_new(&mut self) -> &mut GroupChat {
        self.changed = true;
        self.group.get_or_insert_default()
    }

    /// Whether the other end is a group, and the user one of its members.
    pub(crate) fn is_member(&self) -> bool {
        self.group().is_some_and(|group| group.seat.is_some())
    }

    /// Whether either end is told what the other has read.
    pub(crate) fn tells_reads(&self) -> bool {
        let settings = self.settings();
        !settings.is_blocked() && !settings.hides_reads()
    }

    /// A message of a device is withheld: it counts as one that waits.
    pub(crate) fn withhold(
        &mut self,
        device: DeviceId,
        sequence: Sequence,
        message: WithheldMessage,
    ) {
        let rare = self.rare_mut();
        rare.withheld_count += 1;
        rare.withheld_bytes += u64::from(message.bytes);
        self.changed = true;
        let sender = self.sender_or_new(device);
        sender.withheld.insert(sequence, message);
        sender.changed = true;
    }

    /// A withheld message ends; whether there was one.
    pub(crate) fn end_withheld(&mut self, device: DeviceId, sequence: Sequence) -> bool {
        let Some(sender) = self.sender_mut(device) else { return false };
        let Some(ended) = sender.withheld.remove(sequence) else { return false };
        sender.changed = true;
        let rare = self.rare_mut();
        rare.withheld_count -= 1;
        rare.withheld_bytes -= u64::from(ended.bytes);
        self.waiting -= 1;
        self.changed = true;
        true
    }

    /// When the first of the withheld messages ends.
    pub(crate) fn withheld_due_ms(&self) -> Option<u64> {
        if self.withheld().0 == 0 {
            return None;
        }
        self.senders.iter().filter_map(|sender| sender.withheld.due_ms()).min()
    }

    /// The withheld messages that end by a time, by device and number.
    pub(crate) fn withheld_by(&self, now_ms: u64) -> impl Iterator<Item = (DeviceId, Sequence)> {
        self.senders.iter().flat_map(move |sender| {
            let ended = sender.withheld.iter();
            let ended = ended.filter(move |(_, message)| message.expires_at_ms <= now_ms);
            ended.map(|(sequence, _)| (sender.device, sequence))
        })
    }

    /// The devices whose receipts say less than was delivered, for want of room.
    pub(crate) fn devices_with_short_receipts(&self) -> Vec<DeviceId> {
        let is_short = |sender: &&Sender| {
            let delivered = sender.delivered_up_to;
            !sender.withheld.is_empty() && sender.withheld.receipt(delivered).0 < delivered
        };
        self.senders.iter().filter(is_short).map(|sender| sender.device).collect()
    }

    /// Notes where the newest receipt lies; returns where the older one does.
    pub(crate) fn note_receipt(
        &mut self,
        kind: ReceiptKind,
        device: DeviceId,
        position: Position,
    ) -> Option<Position> {
        self.changed = true;
        let mut known = self.receipts.iter_mut();
        match known.find(|receipt| receipt.kind == kind && receipt.device == device) {
            Some(receipt) => Some(std::mem::replace(&mut receipt.position, position)),
            None => {
                self.receipts.push(Receipt { kind, device, position });
                None
            }
        }
    }

    /// Where the newest word lies on members who do not get a message.
    pub(crate) fn failure(&self, device: DeviceId, sequence: Sequence) -> Option<Position> {
        let mut known = self.failures().iter();
        let found = known.find(|(of, number, _)| *of == device && *number == sequence);
        found.map(|(.., position)| *position)
    }

    /// Notes where it lies from now on.
    pub(crate) fn note_failure(
        &mut self,
        device: DeviceId,
        sequence: Sequence,
        position: Position,
    ) {
        let failures = &mut self.rare_mut().failures;
        failures.retain(|(of, number, _)| *of != device || *number != sequence);
        failures.push((device, sequence, position));
        let excess = failures.len().saturating_sub(GROUP_FAILURES_FOLDED_MAX);
        failures.drain(..excess);
        self.changed = true;
    }

    /// What lies up to a position has left: nothing is folded into it any more.
    pub(crate) fn forget_failures(&mut self, left_up_to: Position) {
        if let Some(rare) = &mut self.rare {
            rare.failures.retain(|(.., position)| *position > left_up_to);
        }
    }

    /// A checkpoint has all of it.
    pub(crate) fn forget_changes(&mut self) {
        self.changed = false;
        if let Some(group) = &mut self.group {
            group.forget_changes();
        }
        for sender in &mut self.senders {
            sender.changed = false;
            sender.unparked = Vec::new();
            sender.withheld.forget_changes();
            sender.parked.values_mut().for_each(|parked| parked.is_stored = true);
        }
    }

    /// Whether a checkpoint would write anything of it.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed || self.senders.iter().any(|sender| sender.changed)
    }
}

impl Sender {
    /// Whether a number is missing, or was until just now.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.parked.is_empty() || self.gap_since_ms > 0
    }

    /// Takes the parked message whose turn it is out.
    pub(crate) fn unpark_next(&mut self) -> Option<(Sequence, Parked)> {
        let next = self.decisions.expected();
        let parked = self.parked.remove(&next)?;
        self.note_unparked(next, &parked);
        Some((next, parked))
    }

    /// Forgets what is parked up to a number that was decided otherwise.
    pub(crate) fn drop_parked_up_to(&mut self, last: Sequence) {
        while let Some(first) = self.parked.first_entry()
            && *first.key() <= last
        {
            let (number, parked) = first.remove_entry();
            self.note_unparked(number, &parked);
        }
    }

    fn note_unparked(&mut self, number: Sequence, parked: &Parked) {
        self.changed = true;
        if parked.is_stored && !planted!(ParkedRowStays) {
            self.unparked.push(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_stand_in_the_order_in_which_they_would_be_read() {
        let mut chat = Chat::default();
        for device in [5, 3, 9, 3] {
            assert_eq!(chat.sender_or_new(DeviceId(device)).device, DeviceId(device));
        }
        let order: Vec<_> = chat.senders.iter().map(|sender| sender.device.0).collect();
        assert_eq!(order, [3, 5, 9]);
    }
}
