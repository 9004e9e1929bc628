//! The one place of this crate that asks the system for randomness.

use crate::exit::Failure;

/// Bytes that nobody can guess.
///
/// # Errors
/// Where the system has none.
pub(crate) fn bytes<const COUNT: usize>() -> Result<[u8; COUNT], Failure> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(format_args!("no randomness from the system: {error}")))?;
    Ok(bytes)
}

/// An id that nobody else has.
///
/// # Errors
/// Where the system has no randomness.
pub(crate) fn id() -> Result<u128, Failure> {
    Ok(u128::from_le_bytes(bytes()?) | 1)
}
