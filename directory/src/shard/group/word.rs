//! What members of a group are sent: a message, or what changed.

use answerback_proto::id::{DeviceId, PartitionId, Sequence, UserId};
use answerback_proto::kind::{NUMBERED_USER_BYTES, change, slot_of};
use answerback_proto::record::{GroupPart, RECEIPTS};
use bytes::Bytes;

use super::super::parts::PartNumbers;
use super::super::rows::Fields;
use super::receipts::Seat;

/// What members of a group are sent, the same for all of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupWord {
    /// The record of the members' partition that brought it: what its body is found by.
    pub(crate) place: u64,
    /// Which group.
    pub group: UserId,
    /// Who sent it, or did it; 0 for nobody.
    pub sender: UserId,
    /// Of the list of members.
    pub version: u32,
    /// Its place in the shown order.
    pub at_ms: u64,
    /// When it ends undelivered; 0 for a change.
    pub(crate) expires_at_ms: u64,
    /// When it was put into the inboxes.
    pub(crate) put_at_ms: u64,
    /// Whether the group has receipts, at its place.
    pub receipts: bool,
    /// What it is.
    pub said: Said,
    /// The message; or the tail of a `GroupChanged`.
    pub payload: Bytes,
}

/// Whether it is a message or a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// A message.
    Message {
        /// The sending device.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// Opaque.
        content_type: u16,
    },
    /// What changed.
    Change {
        /// As in `GroupChanged`.
        change: u16,
        /// As in `GroupChanged`.
        members_count: u16,
        /// As in `GroupChanged`.
        name_length: u16,
    },
}

/// What becomes of a user's membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    /// He is a member from here on.
    Joined(Seat),
    /// He is none any more.
    Left,
}

impl Default for Said {
    fn default() -> Self {
        Self::Change { change: 0, members_count: 0, name_length: 0 }
    }
}

const MESSAGE: u8 = 1;
const CHANGE: u8 = 2;
/// Beside either: the group has receipts.
const WITH_RECEIPTS: u8 = 0x80;

impl GroupWord {
    /// A word of which only the place is known.
    pub(crate) fn at(place: u64) -> Self {
        Self { place, ..Self::default() }
    }

    /// Whether it is a message.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self.said, Said::Message { .. })
    }

    /// The device and number of a message; of a change, none.
    pub(crate) fn about(&self) -> (DeviceId, Sequence) {
        match self.said {
            Said::Message { device, sequence, .. } => (device, sequence),
            Said::Change { .. } => (DeviceId(0), Sequence(0)),
        }
    }

    /// What becomes of a user's membership by it; nothing where none is said.
    pub(crate) fn membership_of(&self, user: UserId) -> Option<Membership> {
        let Said::Change { change: told, .. } = self.said else { return None };
        match told {
            change::CREATED | change::JOINED => {
                let slot = slot_of(self.number_of(user)?);
                Some(Membership::Joined(Seat { slot, since: self.version }))
            }
            change::REMOVED => self.number_of(user).map(|_| Membership::Left),
            _ => None,
        }
    }

    /// The number beside a user whom a change lists.
    fn number_of(&self, user: UserId) -> Option<u16> {
        let Said::Change { members_count, .. } = self.said else { return None };
        let length = usize::from(members_count) * NUMBERED_USER_BYTES;
        let (pairs, _) = self.payload.get(..length)?.as_chunks::<NUMBERED_USER_BYTES>();
        let of_pair = |[id @ .., low, high]: &[u8; NUMBERED_USER_BYTES]| {
            (u128::from_le_bytes(*id), u16::from_le_bytes([*low, *high]))
        };
        let index = pairs.binary_search_by_key(&user, |pair| UserId(of_pair(pair).0)).ok()?;
        pairs.get(index).map(|pair| of_pair(pair).1)
    }

    /// Appends it as rows have it, the payload last.
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        let kind = if self.is_message() { MESSAGE } else { CHANGE };
        out.push(kind | if self.receipts { WITH_RECEIPTS } else { 0 });
        out.extend_from_slice(&self.group.0.to_le_bytes());
        out.extend_from_slice(&self.sender.0.to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        for number in [self.at_ms, self.expires_at_ms, self.put_at_ms] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        match self.said {
            Said::Message { device, sequence, content_type } => {
                out.extend_from_slice(&device.0.to_le_bytes());
                out.extend_from_slice(&sequence.0.to_le_bytes());
                out.extend_from_slice(&content_type.to_le_bytes());
            }
            Said::Change { change, members_count, name_length } => {
                for number in [change, members_count, name_length] {
                    out.extend_from_slice(&number.to_le_bytes());
                }
            }
        }
        out.extend_from_slice(&self.payload);
    }

    /// What `append_to` wrote.
    pub(crate) fn read(place: u64, value: &mut Fields<'_>) -> Option<Self> {
        let kind = value.u8()?;
        let (group, sender) = (UserId(value.u128()?), UserId(value.u128()?));
        let version = value.u32()?;
        let (at_ms, expires_at_ms, put_at_ms) = (value.u64()?, value.u64()?, value.u64()?);
        let receipts = kind & WITH_RECEIPTS != 0;
        let said = match kind & !WITH_RECEIPTS {
            MESSAGE => Said::Message {
                device: DeviceId(value.u128()?),
                sequence: Sequence(value.u64()?),
                content_type: value.u16()?,
            },
            CHANGE => Said::Change {
                change: value.u16()?,
                members_count: value.u16()?,
                name_length: value.u16()?,
            },
            _ => return None,
        };
        let payload = Bytes::copy_from_slice(value.rest());
        Some(Self {
            place,
            group,
            sender,
            version,
            at_ms,
            expires_at_ms,
            put_at_ms,
            receipts,
            said,
            payload,
        })
    }

    /// The word as a part to another partition.
    pub(crate) fn to_part(
        &self,
        source: PartitionId,
        numbers: PartNumbers,
        flags: u16,
        members_count: usize,
    ) -> GroupPart {
        let (device, sequence) = self.about();
        let (content_type, change, name_length) = match self.said {
            Said::Message { content_type, .. } => (content_type, 0, 0),
            Said::Change { change, members_count, name_length } => {
                (members_count, change, name_length)
            }
        };
        GroupPart {
            source: source.0,
            generation: numbers.generation.0,
            number: numbers.number.0,
            previous: numbers.previous.0,
            group: self.group.0,
            sender: self.sender.0,
            device: device.0,
            sequence: sequence.0,
            at_ms: self.at_ms,
            expires_at_ms: self.expires_at_ms,
            version: self.version,
            content_type,
            change,
            name_length,
            flags: flags | if self.receipts { RECEIPTS } else { 0 },
            members_count: members_count as u16,
        }
    }

    /// The word that a part brings.
    pub(crate) fn of_part(part: &GroupPart, place: u64, put_at_ms: u64, payload: Bytes) -> Self {
        let said = match part.change {
            0 => Said::Message {
                device: DeviceId(part.device),
                sequence: Sequence(part.sequence),
                content_type: part.content_type,
            },
            change => Said::Change {
                change,
                members_count: part.content_type,
                name_length: part.name_length,
            },
        };
        Self {
            place,
            group: UserId(part.group),
            sender: UserId(part.sender),
            version: part.version,
            at_ms: part.at_ms,
            expires_at_ms: part.expires_at_ms,
            put_at_ms,
            receipts: part.flags & RECEIPTS != 0,
            said,
            payload,
        }
    }
}
