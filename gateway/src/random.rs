//! Numbers from which nobody learns anything, where a count or a time would tell a client what
//! others do.

use aws_lc_rs::rand;

/// A number that nobody can foresee; 0 where the system has none.
pub(crate) fn number() -> u64 {
    let mut bytes = [0; 8];
    let filled = rand::fill(&mut bytes);
    filled.map_or(0, |()| u64::from_le_bytes(bytes))
}
