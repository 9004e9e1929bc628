//! Receipts of groups that ask for them: which members have a message, and which have read it.
//!
//! Each member has a slot of the group's, his as long as he is a member; a receipt is a bit a
//! slot. A slot is given again to who joins later, so it names somebody together with the
//! version of the list that the message went to, and never alone.
//!
//! ```text
//! number beside a member  │ 15..14 0 │ 13..4 slot │ 3..2 0 │ 1..0 role │
//! tail of a GroupReceipt  │ delivered_bytes │ read_bytes │   slot n: byte n / 8, bit n % 8
//! ```

use rkyv::{Archive, Serialize};

use super::check::require;
use super::envelope;
use super::tail::{append_checked, count, read_fixed};
use crate::code::Code;
use crate::encode::Address;
use crate::limits::{GROUP_MEMBERS_MAX, GROUP_RECEIPT_BYTES_MAX};

/// Flag of a `GroupChanged` and a `GroupDescribed`: messages get receipts from here on.
pub const RECEIPTS_ON: u16 = 1;

const ROLE_BITS: u16 = 0b11;
const SLOT_SHIFT: u32 = 4;
const SLOT_BITS: u16 = (GROUP_MEMBERS_MAX - 1) as u16;

/// The role in the number beside a member.
pub const fn role_of(number: u16) -> u16 {
    number & ROLE_BITS
}

/// The slot in the number beside a member.
pub const fn slot_of(number: u16) -> u16 {
    number >> SLOT_SHIFT & SLOT_BITS
}

/// The number beside a member; a slot is less than 1024.
pub const fn role_and_slot(role: u16, slot: u16) -> u16 {
    role & ROLE_BITS | (slot & SLOT_BITS) << SLOT_SHIFT
}

/// Turns the receipts of a group on or off. Target: the group. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct SetGroupReceipts {
    /// 1 for on, 0 for off.
    pub on: u16,
}
envelope!(SetGroupReceipts, ArchivedSetGroupReceipts, { on }, check_ranges);

/// The user has read a group. Target: the acting user. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct ReadGroup {
    /// Which group.
    pub group: u128,
    /// What lies up to this position of the user's inbox was read.
    pub up_to: u64,
}
envelope!(ReadGroup, ArchivedReadGroup, { group, up_to }, check_ranges);

/// Which members have a message of the user's, and which have read it: all that is known, so
/// that a later one of the same message contains the earlier. Target: the group. Tail: the bits
/// of those who have it, then of those who have read it. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct GroupReceipt {
    /// Its place in this inbox.
    pub position: u64,
    /// As in `Deliver`.
    pub after: u64,
    /// The user's device that had sent it.
    pub device: u128,
    /// That device's number of it in this group.
    pub sequence: u64,
    /// The list of members that it went to: whose slots these are.
    pub version: u32,
    /// Bytes of the first bitmap.
    pub delivered_bytes: u16,
    /// Bytes of the second.
    pub read_bytes: u16,
}
envelope!(GroupReceipt, ArchivedGroupReceipt, {
    position, after, device, sequence, version, delivered_bytes, read_bytes,
}, check_ranges);

/// The user has read a group on another device. Target: the group. No payload. Cumulative.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct GroupReadElsewhere {
    /// Its place in this inbox.
    pub position: u64,
    /// As in `Deliver`.
    pub after: u64,
    /// The user's device that said so.
    pub reader: u128,
    /// What lies up to this position was read.
    pub up_to: u64,
    /// When it was, ms since 1970.
    pub read_at_ms: u64,
}
envelope!(GroupReadElsewhere, ArchivedGroupReadElsewhere, {
    position, after, reader, up_to, read_at_ms,
}, check_ranges);

impl SetGroupReceipts {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.on <= 1)
    }
}

impl ReadGroup {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.group != 0 && self.up_to >= 1)
    }
}

impl GroupReceipt {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.after < self.position && self.sequence >= 1 && self.version >= 1)?;
        require((1..=GROUP_RECEIPT_BYTES_MAX).contains(&usize::from(self.delivered_bytes)))?;
        require(self.read_bytes <= self.delivered_bytes)
    }

    /// A `GroupReceipt`, the bits of who has the message and of who has read it, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit, zero bytes at an end, somebody who has
    /// read what he has not, and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, &[u8], &[u8]), Code> {
        let (receipt, tail) = read_fixed::<Self>(envelope)?;
        let cut = tail.split_at_checked(usize::from(receipt.delivered_bytes));
        let (delivered, read) = cut.ok_or(Code::FrameMalformed)?;
        require(read.len() == usize::from(receipt.read_bytes))?;
        require_bits(delivered, read)?;
        Ok((receipt, delivered, read))
    }

    /// Appends a whole frame; the lengths are those of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        delivered: &[u8],
        read: &[u8],
    ) -> Result<(), Code> {
        self.delivered_bytes = count(delivered.len())?;
        self.read_bytes = count(read.len())?;
        require_bits(delivered, read)?;
        append_checked(out, address, &self, &[delivered, read].concat())
    }
}

impl GroupReadElsewhere {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.after < self.position)?;
        require(1 <= self.up_to && self.up_to < self.position)
    }
}

/// Each is as short as it can be, and who has read it has it.
fn require_bits(delivered: &[u8], read: &[u8]) -> Result<(), Code> {
    require(delivered.last() != Some(&0) && read.last() != Some(&0))?;
    require(read.len() <= delivered.len())?;
    require(delivered.iter().zip(read).all(|(has, has_read)| has_read & !has == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_role_and_a_slot() {
        for (role, slot) in [(0, 0), (2, 0), (1, 1), (2, 1023)] {
            let number = role_and_slot(role, slot);
            assert_eq!((role_of(number), slot_of(number)), (role, slot), "{number:#x}");
        }
        assert_eq!(role_and_slot(2, 1023), 0x3ff2);
    }
}
