//! The numbered queues between partitions: at least once on the way, exactly once at apply.
//!
//! The source numbers a part when it is applied there, and keeps it until the destination
//! has committed it. A part that is contained in a newer one is folded into it: the older
//! goes, the newer takes the next number. So numbers have gaps, and a part travels with
//! the number before it: the destination takes it only where `previous` ≤ what it has
//! taken < `number`. What is lost on the way is sent again; what comes twice is dropped.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use answerback_proto::id::{DeviceId, Generation, PartNumber, PartitionId, UserId};
use answerback_proto::kind::SequenceRange;
use answerback_proto::record::{
    CopyPart, DeliveredButPart, DeliveredPart, ErasePart, ErasedPart, FailedPart, GroupFailedPart,
    GroupGonePart, GroupPart, GroupReceiptPart, ReadPart,
};
use bytes::Bytes;

use super::group::{GroupWord, SlotBits};
use super::mail::Mail;
use crate::limits::{GROUP_PART_BYTES_MAX, GROUP_PARTS_MAX};

/// What a part says, without its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PartBody {
    /// Messages were delivered.
    Delivered { about: About, up_to: u64, delivered_at_ms: u64, except: Vec<SequenceRange> },
    /// Messages were read.
    Read { about: About, up_to: u64, read_at_ms: u64 },
    /// A message will not be delivered.
    Failed { about: About, sequence: u64, code: u16 },
    /// A message, for the sender's other devices.
    Copy { about: About, sequence: u64, accepted_at_ms: u64, content_type: u16, payload: Bytes },
    /// The peer has deleted the chat: marks of its devices.
    Erase { about: About, marks: Bytes },
    /// So much of the user's own messages is deleted by that.
    Erased { about: About, marks: Bytes },
    /// A group's word, for its members of the destination.
    Group { word: Arc<GroupWord>, members: Arc<[UserId]>, flags: u16 },
    /// Members, ascending, that a message to a group will not be delivered to, and why.
    GroupFailed { about: About, sequence: u64, members: Arc<[(UserId, u16)]> },
    /// Members who have a message to a group, and who have read it.
    GroupReceipt { about: About, sequence: u64, version: u32, bits: SlotBits },
    /// Members of a group, ascending, do not exist.
    GroupGone { group: UserId, users: Arc<[UserId]> },
}

/// Whose messages a part speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct About {
    /// Who had sent them, and gets the part.
    pub(crate) user: UserId,
    /// Who they were for.
    pub(crate) peer: UserId,
    /// The device that had sent them.
    pub(crate) device: DeviceId,
}

impl PartBody {
    /// Whose messages it speaks of.
    pub(crate) fn about(&self) -> About {
        match self {
            Self::Delivered { about, .. }
            | Self::Read { about, .. }
            | Self::Failed { about, .. }
            | Self::Copy { about, .. }
            | Self::Erase { about, .. }
            | Self::Erased { about, .. }
            | Self::GroupFailed { about, .. }
            | Self::GroupReceipt { about, .. } => *about,
            Self::Group { word, .. } => {
                About { user: word.sender, peer: word.group, device: word.about().0 }
            }
            Self::GroupGone { group, .. } => {
                About { user: UserId(0), peer: *group, device: DeviceId(0) }
            }
        }
    }

    /// What a newer part of the same key contains; other parts are never folded.
    fn fold_key(&self) -> Option<FoldKey> {
        match self {
            Self::Delivered { about, .. } => Some((*about, Folded::Delivered)),
            Self::Read { about, .. } => Some((*about, Folded::Read)),
            &Self::GroupReceipt { about, sequence, version, .. } => {
                Some((about, Folded::GroupReceipt { sequence, version }))
            }
            Self::Failed { .. }
            | Self::Copy { .. }
            | Self::Erase { .. }
            | Self::Erased { .. }
            | Self::Group { .. }
            | Self::GroupFailed { .. }
            | Self::GroupGone { .. } => None,
        }
    }

    /// Takes in what an older part of the same key says, unless it says that already.
    fn absorb(&mut self, older: &Self) {
        if let (Self::GroupReceipt { bits, .. }, Self::GroupReceipt { bits: known, .. }) =
            (self, older)
            && !planted!(ReceiptsNotJoined)
        {
            bits.add(known);
        }
    }

    /// Whether it counts as one of those that groups' words are held up by.
    fn holds_up_groups(&self) -> bool {
        !matches!(self, Self::GroupReceipt { .. })
    }

    /// Bytes of what it brings to members of a group.
    fn group_bytes(&self) -> usize {
        match self {
            Self::Group { word, members, .. } => word.payload.len() + size_of_val(&**members),
            _ => 0,
        }
    }
}

/// Whose messages, and what of them.
type FoldKey = (About, Folded);

/// What is said of messages, as far as a newer part contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Folded {
    Delivered,
    Read,
    GroupReceipt { sequence: u64, version: u32 },
}

/// The parts from this partition to one other.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The number that the next part gets.
    next: PartNumber,
    /// The destination has committed all parts up to here.
    confirmed: PartNumber,
    queued: BTreeMap<PartNumber, PartBody>,
    newest: BTreeMap<FoldKey, PartNumber>,
    /// Rows of numbers below this are on disk, but for those in `removed`.
    stored_below: PartNumber,
    removed: Vec<PartNumber>,
    /// Of the groups' words among them.
    group_bytes: usize,
    /// Those that groups' words are held up by.
    holding_up: usize,
    /// Since the last checkpoint.
    changed: bool,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self::load(PartNumber(1), PartNumber(0))
    }
}

impl Outgoing {
    /// A queue as its row on disk says; its parts follow.
    pub(crate) fn load(next: PartNumber, confirmed: PartNumber) -> Self {
        Self {
            next,
            confirmed,
            queued: BTreeMap::new(),
            newest: BTreeMap::new(),
            stored_below: next,
            removed: Vec::new(),
            group_bytes: 0,
            holding_up: 0,
            changed: false,
        }
    }

    /// Takes a part that the disk holds.
    pub(crate) fn load_part(&mut self, number: PartNumber, body: PartBody) {
        if let Some(key) = body.fold_key() {
            self.newest.insert(key, number);
        }
        self.note_queued(&body);
        self.queued.insert(number, body);
    }

    /// Puts a part at the end, and folds an older one into it.
    pub(crate) fn push(&mut self, mut body: PartBody) {
        if planted!(FoldInPlace)
            && let Some(older) = body.fold_key().and_then(|key| self.newest.get(&key))
        {
            self.queued.insert(*older, body);
            return;
        }
        let number = self.next;
        self.next = PartNumber(number.0 + 1);
        self.changed = true;
        if let Some(key) = body.fold_key()
            && let Some(older) = self.newest.insert(key, number)
            && let Some(folded) = self.queued.remove(&older)
        {
            body.absorb(&folded);
            self.note_left(&folded);
            self.gone(older);
        }
        self.note_queued(&body);
        self.queued.insert(number, body);
    }

    /// The destination has committed all parts up to a number.
    pub(crate) fn confirm(&mut self, up_to: PartNumber) {
        if up_to <= self.confirmed || up_to >= self.next {
            return;
        }
        self.confirmed = up_to;
        self.changed = true;
        while let Some(first) = self.queued.first_entry()
            && *first.key() <= up_to
        {
            let (number, body) = first.remove_entry();
            self.note_left(&body);
            if let Some(key) = body.fold_key() {
                self.newest.remove(&key);
            }
            self.gone(number);
        }
    }

    /// The destination has committed all parts up to here.
    pub(crate) fn confirmed(&self) -> PartNumber {
        self.confirmed
    }

    /// The destination may have another past by now: what waits counts as never confirmed.
    pub(crate) fn forget_confirmed(&mut self) {
        self.confirmed = PartNumber(0);
        self.changed = true;
    }

    /// The last number given, 0 for none.
    pub(crate) fn last(&self) -> PartNumber {
        PartNumber(self.next.0 - 1)
    }

    /// Whether anything waits for its confirmation.
    pub(crate) fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// How many parts wait for their confirmation.
    pub(crate) fn count(&self) -> usize {
        self.queued.len()
    }

    /// Whether it takes no more words of groups for now.
    pub(crate) fn is_full_of_groups(&self) -> bool {
        self.holding_up >= GROUP_PARTS_MAX || self.group_bytes >= GROUP_PART_BYTES_MAX
    }

    /// The parts behind a number, each with the number that goes before it.
    pub(crate) fn behind(
        &self,
        sent: PartNumber,
    ) -> impl Iterator<Item = (PartNumber, PartNumber, &PartBody)> {
        let before = self.queued.range(..=sent).next_back().map(|(number, _)| *number);
        let mut previous = before.unwrap_or(self.confirmed);
        self.queued
            .range(PartNumber(sent.0 + 1)..)
            .map(move |(number, body)| (*number, std::mem::replace(&mut previous, *number), body))
    }

    /// The number that the next part gets.
    pub(crate) fn next(&self) -> PartNumber {
        self.next
    }

    /// Whether anything changed since the last checkpoint.
    pub(crate) fn changed(&self) -> bool {
        self.changed
    }

    /// Numbers that left since the last checkpoint and have a row.
    pub(crate) fn removed(&self) -> &[PartNumber] {
        &self.removed
    }

    /// Parts behind this have no row yet.
    pub(crate) fn stored_up_to(&self) -> PartNumber {
        PartNumber(self.stored_below.0 - 1)
    }

    /// A checkpoint has all of it.
    pub(crate) fn forget_changes(&mut self) {
        self.changed = false;
        self.removed = Vec::new();
        self.stored_below = self.next;
    }

    fn note_queued(&mut self, body: &PartBody) {
        self.group_bytes += body.group_bytes();
        self.holding_up += usize::from(body.holds_up_groups());
    }

    fn note_left(&mut self, body: &PartBody) {
        self.group_bytes -= body.group_bytes();
        self.holding_up -= usize::from(body.holds_up_groups());
    }

    fn gone(&mut self, number: PartNumber) {
        if number < self.stored_below {
            self.removed.push(number);
        }
    }
}

/// What one partition has taken of another's parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) generation: Generation,
    /// The last number taken.
    pub(crate) taken: PartNumber,
    /// Since the last checkpoint.
    pub(crate) changed: bool,
}

impl Incoming {
    /// Whether a part is the next one; if so it counts as taken.
    pub(crate) fn take(&mut self, part: PartNumbers) -> bool {
        if part.generation < self.generation {
            return false;
        }
        if part.generation > self.generation {
            *self = Self { generation: part.generation, ..Self::default() };
        }
        let is_next = part.previous <= self.taken && self.taken < part.number;
        if is_next {
            self.taken = part.number;
            self.changed = true;
        }
        is_next
    }

    /// Whether a part is one that was taken before.
    pub(crate) fn has(&self, part: PartNumbers) -> bool {
        part.generation == self.generation && part.number <= self.taken
    }
}

/// The numbers that a part travels with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartNumbers {
    pub(crate) generation: Generation,
    pub(crate) number: PartNumber,
    pub(crate) previous: PartNumber,
}

macro_rules! numbered {
    ($($part:ident),*) => {$(
        impl From<&$part> for PartNumbers {
            fn from(part: &$part) -> Self {
                Self {
                    generation: Generation(part.generation),
                    number: PartNumber(part.number),
                    previous: PartNumber(part.previous),
                }
            }
        }
    )*};
}

macro_rules! about {
    ($($part:ident),*) => {$(
        impl From<&$part> for About {
            fn from(part: &$part) -> Self {
                Self {
                    user: UserId(part.user),
                    peer: UserId(part.peer),
                    device: DeviceId(part.device),
                }
            }
        }
    )*};
}

numbered!(DeliveredPart, DeliveredButPart, FailedPart, ReadPart, CopyPart, ErasePart, ErasedPart);
numbered!(GroupPart, GroupFailedPart, GroupGonePart, GroupReceiptPart);
about!(DeliveredPart, DeliveredButPart, FailedPart, ReadPart, CopyPart, ErasePart, ErasedPart);

impl PartBody {
    /// The part as it travels.
    pub(crate) fn to_mail(&self, source: PartitionId, numbers: PartNumbers) -> Mail {
        let About { user, peer, device } = self.about();
        let (source, generation) = (source.0, numbers.generation.0);
        let (number, previous) = (numbers.number.0, numbers.previous.0);
        let (user, peer, device) = (user.0, peer.0, device.0);
        match self {
            Self::Delivered { up_to, delivered_at_ms, except, .. } if !except.is_empty() => {
                let part = DeliveredButPart {
                    source,
                    generation,
                    number,
                    previous,
                    user,
                    peer,
                    device,
                    up_to: *up_to,
                    delivered_at_ms: *delivered_at_ms,
                };
                Mail::DeliveredBut(part, ranges_to_bytes(except))
            }
            &Self::Delivered { up_to, delivered_at_ms, .. } => Mail::Delivered(DeliveredPart {
                source,
                generation,
                number,
                previous,
                user,
                peer,
                device,
                up_to,
                delivered_at_ms,
            }),
            &Self::Read { up_to, read_at_ms, .. } => Mail::Read(ReadPart {
                source,
                generation,
                number,
                previous,
                user,
                peer,
                device,
                up_to,
                read_at_ms,
            }),
            &Self::Failed { sequence, code, .. } => Mail::Failed(FailedPart {
                source,
                generation,
                number,
                previous,
                user,
                peer,
                device,
                sequence,
                code,
            }),
            Self::Copy { sequence, accepted_at_ms, content_type, payload, .. } => {
                let part = CopyPart {
                    source,
                    generation,
                    number,
                    previous,
                    user,
                    peer,
                    device,
                    sequence: *sequence,
                    accepted_at_ms: *accepted_at_ms,
                    content_type: *content_type,
                };
                Mail::Copy(part, payload.clone())
            }
            Self::Erase { marks, .. } => {
                let part = ErasePart { source, generation, number, previous, user, peer, device };
                Mail::Erase(part, marks.clone())
            }
            Self::Erased { marks, .. } => {
                let part = ErasedPart { source, generation, number, previous, user, peer, device };
                Mail::Erased(part, marks.clone())
            }
            Self::Group { word, members, flags } => {
                let part = word.to_part(PartitionId(source), numbers, *flags, members.len());
                Mail::Group(Box::new(part), Arc::clone(members), word.payload.clone())
            }
            Self::GroupFailed { sequence, members, .. } => {
                let (group, sequence) = (peer, *sequence);
                let part = GroupFailedPart {
                    source,
                    generation,
                    number,
                    previous,
                    user,
                    group,
                    device,
                    sequence,
                };
                Mail::GroupFailed(part, Arc::clone(members))
            }
            Self::GroupReceipt { sequence, version, bits, .. } => {
                let part = GroupReceiptPart {
                    source,
                    generation,
                    number,
                    previous,
                    user,
                    group: peer,
                    device,
                    sequence: *sequence,
                    version: *version,
                    delivered_bytes: bits.delivered().len() as u16,
                };
                Mail::GroupReceipt(part, Bytes::from(bits.to_bytes()))
            }
            Self::GroupGone { users, .. } => {
                let part = GroupGonePart { source, generation, number, previous, group: peer };
                Mail::GroupGone(part, Arc::clone(users))
            }
        }
    }
}

/// Ranges as a record carries them.
fn ranges_to_bytes(ranges: &[SequenceRange]) -> Bytes {
    let ends = ranges.iter().flat_map(|range| [range.first.0, range.last.0]);
    ends.flat_map(u64::to_le_bytes).collect()
}
