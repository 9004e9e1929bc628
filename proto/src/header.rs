//! The fixed header of a frame: all that a reactor reads.
//!
//! ```text
//! offset  size  field
//!      0     4  length: of the whole frame, this header included
//!      4     2  kind
//!      6     2  envelope length, tail included
//!      8     2  flags
//!     10     2  reserved, 0
//!     12     4  tag: 0, or the request that this frame asks or answers
//!     16    16  target: a user or a group, as the kind says
//! ```
//! All numbers are little-endian.

use crate::code::Code;
use crate::kind::Kind;
use crate::limits::FRAME_BYTES_HARD_MAX;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 32;

/// Flag: the user did this (it counts for "last seen").
pub const USER_ACTION: u16 = 1 << 0;
/// Flag: a receiver that does not know the kind may pass over the frame.
pub const IGNORABLE: u16 = 1 << 1;

const KNOWN_FLAGS: u16 = USER_ACTION | IGNORABLE;

const _: () = assert!(FRAME_BYTES_HARD_MAX as usize > HEADER_BYTES + u16::MAX as usize);

/// A header whose lengths fit each other; the kind may still be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the whole frame.
    pub length: u32,
    /// The kind's number as it came, known or not.
    pub kind_number: u16,
    /// Bytes of envelope and tail.
    pub envelope_length: u16,
    /// `USER_ACTION`, `IGNORABLE`.
    pub flags: u16,
    /// 0 or the request's tag.
    pub tag: u32,
    /// The user or group concerned.
    pub target: u128,
}

impl Header {
    /// Reads a header and checks that its lengths fit each other and `frame_bytes_max`.
    ///
    /// # Errors
    /// `FrameTooLarge`, `FrameMalformed` (lengths that cannot be, a reserved bit set).
    #[inline]
    pub fn read(bytes: &[u8; HEADER_BYTES], frame_bytes_max: u32) -> Result<Self, Code> {
        let (header, reserved) = Self::read_unchecked(bytes);
        if header.length > frame_bytes_max {
            return Err(Code::FrameTooLarge);
        }
        let shortest = HEADER_BYTES as u32 + u32::from(header.envelope_length);
        if header.length < shortest || reserved != 0 || header.flags & !KNOWN_FLAGS != 0 {
            return Err(Code::FrameMalformed);
        }
        Ok(header)
    }

    /// The fields, and what stands where nothing may.
    #[inline]
    fn read_unchecked(bytes: &[u8; HEADER_BYTES]) -> (Self, u16) {
        let [l0, l1, l2, l3, k0, k1, e0, e1, f0, f1, r0, r1, t0, t1, t2, t3, target @ ..] = *bytes;
        let header = Self {
            length: u32::from_le_bytes([l0, l1, l2, l3]),
            kind_number: u16::from_le_bytes([k0, k1]),
            envelope_length: u16::from_le_bytes([e0, e1]),
            flags: u16::from_le_bytes([f0, f1]),
            tag: u32::from_le_bytes([t0, t1, t2, t3]),
            target: u128::from_le_bytes(target),
        };
        (header, u16::from_le_bytes([r0, r1]))
    }

    /// The header's bytes.
    #[inline]
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..6].copy_from_slice(&self.kind_number.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.envelope_length.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.flags.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.tag.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.target.to_le_bytes());
        bytes
    }

    /// The kind, where this version knows it.
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_number(self.kind_number)
    }

    /// Bytes behind the envelope; 0 where the lengths cannot be.
    pub fn payload_length(&self) -> usize {
        let before = HEADER_BYTES + usize::from(self.envelope_length);
        (self.length as usize).saturating_sub(before)
    }

    /// Whether the user did this.
    pub fn is_user_action(&self) -> bool {
        self.flags & USER_ACTION != 0
    }

    /// Whether a receiver that does not know the kind may pass over the frame.
    pub fn is_ignorable(&self) -> bool {
        self.flags & IGNORABLE != 0
    }
}
