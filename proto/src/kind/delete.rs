//! Frames by which a user deletes a chat, and the user's other devices hear of it.
//!
//! What both ends of a chat have deleted leaves their inboxes. A deletion covers what lies
//! behind it: the deleter's inbox up to a position, the deleter's own messages up to a number
//! of each device. Nothing that came later is covered, whoever sent it.

use rkyv::{Archive, Serialize};

use super::envelope;
use super::tail::{append_checked, count, read_fixed};
use crate::code::Code;
use crate::encode::Address;
use crate::id::{DeviceId, Sequence};

/// The user has deleted a chat. Target: the acting user. No payload. Tail: the marks.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct DeleteChat {
    /// The other end of the chat.
    pub peer: u128,
    /// All messages of the peer up to here in the acting user's inbox, as far as the acting
    /// device has acknowledged them; 0 for none.
    pub cursor: u64,
    /// Marks in the tail.
    pub marks_count: u16,
}
envelope!(DeleteChat, ArchivedDeleteChat, { peer, cursor, marks_count }, check_ranges);

/// The user has deleted a chat on another device. Target: the other end of the chat. No
/// payload. Tail: the marks.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct ChatDeleted {
    /// Its place in this inbox.
    pub position: u64,
    /// As in `Deliver`.
    pub after: u64,
    /// All messages of the peer up to this position of this inbox; 0 for none.
    pub up_to: u64,
    /// Marks in the tail.
    pub marks_count: u16,
}
envelope!(ChatDeleted, ArchivedChatDeleted, {
    position, after, up_to, marks_count,
}, check_ranges);

/// All messages of one device in a chat up to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMark {
    /// The device that had sent them; not 0.
    pub device: DeviceId,
    /// The greatest number, from 1.
    pub up_to: Sequence,
}

impl DeviceMark {
    /// Bytes of one: device, number.
    pub const BYTES: usize = 24;

    /// It, packed.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (device, up_to) = bytes.split_at_mut(size_of::<u128>());
        device.copy_from_slice(&self.device.0.to_le_bytes());
        up_to.copy_from_slice(&self.up_to.0.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let (device, up_to) = bytes.split_at(size_of::<u128>());
        let device = device.try_into().map_or(0, u128::from_le_bytes);
        let up_to = up_to.try_into().map_or(0, u64::from_le_bytes);
        Self { device: DeviceId(device), up_to: Sequence(up_to) }
    }
}

/// Marks one behind the other, in place: the tail of a frame, the payload of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMarks<'a> {
    marks: &'a [[u8; DeviceMark::BYTES]],
}

impl<'a> DeviceMarks<'a> {
    /// The marks that bytes hold; what is too short for one is passed over.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { marks: bytes.as_chunks().0 }
    }

    /// The marks in their order.
    pub fn iter(self) -> impl Iterator<Item = DeviceMark> + 'a {
        self.marks.iter().map(DeviceMark::from_bytes)
    }

    /// Their bytes.
    pub fn pack(marks: impl IntoIterator<Item = DeviceMark>) -> Vec<u8> {
        marks.into_iter().flat_map(DeviceMark::to_bytes).collect()
    }

    fn read(tail: &'a [u8], count: u16) -> Result<Self, Code> {
        let marks = Self::of(tail);
        let is_whole = tail.len() == usize::from(count) * DeviceMark::BYTES;
        let is_good = |mark: DeviceMark| mark.device.0 != 0 && mark.up_to.0 != 0;
        if is_whole && marks.iter().all(is_good) { Ok(marks) } else { Err(Code::FrameMalformed) }
    }
}

impl DeleteChat {
    /// A `DeleteChat` and its marks, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, DeviceMarks<'_>), Code> {
        let (delete, tail) = read_fixed::<Self>(envelope)?;
        let marks = DeviceMarks::read(tail, delete.marks_count)?;
        Ok((delete, marks))
    }

    /// Appends a whole frame; the count is that of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        marks: &[DeviceMark],
    ) -> Result<(), Code> {
        self.marks_count = count(marks.len())?;
        let tail = DeviceMarks::pack(marks.iter().copied());
        DeviceMarks::read(&tail, self.marks_count)?;
        append_checked(out, address, &self, &tail)
    }
}

impl ChatDeleted {
    /// A `ChatDeleted` and its marks, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, DeviceMarks<'_>), Code> {
        let (deleted, tail) = read_fixed::<Self>(envelope)?;
        let marks = DeviceMarks::read(tail, deleted.marks_count)?;
        Ok((deleted, marks))
    }

    /// Appends a whole frame; the count is that of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        marks: &[DeviceMark],
    ) -> Result<(), Code> {
        self.marks_count = count(marks.len())?;
        let tail = DeviceMarks::pack(marks.iter().copied());
        DeviceMarks::read(&tail, self.marks_count)?;
        append_checked(out, address, &self, &tail)
    }
}
