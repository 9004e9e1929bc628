//! Checked access to an envelope, in place.
//!
//! Every envelope is a flat archive, so access is one length comparison and, where a
//! field has invalid bit patterns, its check. [`read`] checks the ranges of the fields
//! too; whoever takes the archive in place calls [`Envelope::check`] on what it uses.

use rkyv::rancor::Failure;

use crate::code::Code;
use crate::header::Header;
use crate::kind::{End, Envelope, Kind};

/// An envelope in place, and the packed tail behind it.
///
/// # Errors
/// `FrameMalformed` where the bytes are too few for the kind.
#[inline]
pub fn access<E: Envelope>(envelope: &[u8]) -> Result<(&E::Archived, &[u8]), Code> {
    let (fixed, tail) = envelope.split_at_checked(E::BYTES).ok_or(Code::FrameMalformed)?;
    let archived = rkyv::access::<E::Archived, Failure>(fixed).map_err(|_| Code::FrameMalformed)?;
    Ok((archived, tail))
}

/// An envelope of a kind without a tail, in place.
///
/// # Errors
/// `FrameMalformed` where the length is not exactly the kind's.
#[inline]
pub fn access_exact<E: Envelope>(envelope: &[u8]) -> Result<&E::Archived, Code> {
    match access::<E>(envelope)? {
        (archived, []) => Ok(archived),
        _ => Err(Code::FrameMalformed),
    }
}

/// An envelope of a kind without a tail, as native values.
///
/// # Errors
/// `FrameMalformed` where the length is not exactly the kind's.
#[inline]
pub fn decode<E: Envelope>(envelope: &[u8]) -> Result<E, Code> {
    access_exact::<E>(envelope).map(E::from_archived)
}

/// An envelope of a kind without a tail, as native values, each within its range.
///
/// # Errors
/// `FrameMalformed` where the length is not exactly the kind's; as [`Envelope::check`].
#[inline]
pub fn read<E: Envelope>(envelope: &[u8]) -> Result<E, Code> {
    let values: E = decode(envelope)?;
    values.check()?;
    Ok(values)
}

/// What a header says about a frame of `sender`'s, before its envelope is read: its kind;
/// none for a frame to be passed over, of a kind that this version does not know.
///
/// # Errors
/// `UnknownKind`; `KindNotAllowed` where the sender is at the wrong end; `TagMismatch`;
/// `FrameMalformed` for a payload where none belongs.
#[inline]
pub fn kind_of(header: &Header, sender: End) -> Result<Option<Kind>, Code> {
    let Some(kind) = header.kind() else {
        return if header.is_ignorable() { Ok(None) } else { Err(Code::UnknownKind) };
    };
    if !kind.is_sent_by(sender) {
        return Err(Code::KindNotAllowed);
    }
    if !kind.fits_tag(sender, header.tag) {
        return Err(Code::TagMismatch);
    }
    if header.payload_length() > 0 && !kind.carries_payload() {
        return Err(Code::FrameMalformed);
    }
    Ok(Some(kind))
}
