//! The rows of a user's chat with a group: what is unread, and who has what the user sent.

use answerback_proto::id::{DeviceId, Position, Sequence, UserId};

use super::super::checkpoint::Table;
use super::super::group::{GroupChat, SlotBits, Tally, Unread};
use super::GROUP_READ_UP_TO;
use super::fields::Fields;
use super::write::Writer;

impl Writer {
    /// In the chat's own row: the user's place, and how far he has read.
    pub(super) fn group_chat(&mut self, group: Option<&GroupChat>) {
        let Some(group) = group else { return };
        if let Some(seat) = group.seat {
            self.u16(seat.slot).u32(seat.since);
        }
        if group.read_up_to.0 > 0 {
            self.u8(GROUP_READ_UP_TO).u64(group.read_up_to.0);
        }
    }

    /// In rows of their own.
    pub(super) fn group_receipts(&mut self, user: &[u8; 16], peer: &[u8; 16], group: &GroupChat) {
        for position in group.unread.removed() {
            self.key(&[user, peer, &position.0.to_be_bytes()]).delete(Table::Unread);
        }
        for (position, unread) in group.unread.changed() {
            self.key(&[user, peer, &position.0.to_be_bytes()]);
            self.u128(unread.sender.0).u128(unread.device.0);
            self.u64(unread.sequence.0).u32(unread.version).put(Table::Unread);
        }
        let key = |(device, sequence): (DeviceId, Sequence)| {
            (device.0.to_be_bytes(), sequence.0.to_be_bytes())
        };
        for of in group.tallies.removed() {
            let (device, sequence) = key(*of);
            self.key(&[user, peer, &device, &sequence]).delete(Table::Tally);
        }
        for (of, tally) in group.tallies.changed() {
            let (device, sequence) = key(of);
            self.key(&[user, peer, &device, &sequence]);
            self.u32(tally.version).u64(tally.told_ms).u64(tally.position.0);
            self.u8(u8::from(tally.is_untold)).slot_bits(&tally.bits).put(Table::Tally);
        }
    }

    /// Behind all else.
    pub(super) fn slot_bits(&mut self, bits: &SlotBits) -> &mut Self {
        self.u16(bits.delivered().len() as u16).bytes(&bits.to_bytes())
    }
}

impl Fields<'_> {
    /// All that is left, as bits.
    pub(crate) fn slot_bits(&mut self) -> Option<SlotBits> {
        let delivered_bytes = self.u16()?;
        Some(SlotBits::from_bytes(self.rest(), delivered_bytes))
    }
}

/// A message that is unread, and its place.
pub(crate) fn read_unread(key: &[u8], value: &[u8]) -> Option<(Position, Unread)> {
    let (mut key, mut value) = (Fields(key.get(34..)?), Fields(value));
    let position = Position(key.be_u64()?);
    let unread = Unread {
        sender: UserId(value.u128()?),
        device: DeviceId(value.u128()?),
        sequence: Sequence(value.u64()?),
        version: value.u32()?,
    };
    (key.is_empty() && value.is_empty()).then_some((position, unread))
}

/// Who has a message, and which.
pub(crate) fn read_tally(key: &[u8], value: &[u8]) -> Option<((DeviceId, Sequence), Tally)> {
    let (mut key, mut value) = (Fields(key.get(34..)?), Fields(value));
    let of = (DeviceId(key.be_u128()?), Sequence(key.be_u64()?));
    let tally = Tally {
        version: value.u32()?,
        told_ms: value.u64()?,
        position: Position(value.u64()?),
        is_untold: value.u8()? != 0,
        bits: value.slot_bits()?,
    };
    key.is_empty().then_some((of, tally))
}
