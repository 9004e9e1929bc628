//! Frames into reused buffers: nothing is allocated once a buffer has grown.

use crate::header::{HEADER_BYTES, Header};
use crate::kind::Envelope;

/// The fields of a header that a sender chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// `USER_ACTION`, `IGNORABLE`.
    pub flags: u16,
    /// 0 or the request's tag.
    pub tag: u32,
    /// The user or group concerned.
    pub target: u128,
}

/// Appends a whole frame: header, envelope, tail, payload.
///
/// # Panics
/// Not on any input; in debug builds where envelope and tail exceed 65 535 bytes,
/// which no kind's limits allow.
#[inline]
pub fn append_frame<E: Envelope>(
    out: &mut Vec<u8>,
    address: Address,
    envelope: &E,
    tail: &[u8],
    payload: &[u8],
) {
    let envelope_length = E::BYTES + tail.len();
    debug_assert!(envelope_length <= usize::from(u16::MAX));
    let length = HEADER_BYTES + envelope_length + payload.len();
    out.reserve(length);
    let header = Header {
        length: length as u32,
        kind_number: E::KIND.number(),
        envelope_length: envelope_length as u16,
        flags: address.flags,
        tag: address.tag,
        target: address.target,
    };
    out.extend_from_slice(&header.to_bytes());
    envelope.append_to(out);
    out.extend_from_slice(tail);
    out.extend_from_slice(payload);
}
