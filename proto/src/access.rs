//! Checked access to an envelope, in place.
//!
//! Every envelope is a flat archive, so access is one length comparison and, where a
//! field has invalid bit patterns, its check. Range checks are the caller's.

use rkyv::rancor::Failure;

use crate::code::Code;
use crate::kind::Envelope;

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
