//! Numbers out of bytes: mostly the one that a correct peer would send, or one near it.

use arbitrary::{Arbitrary, Result, Unstructured};

/// A number, as it stands to the one that a correct peer would send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Near(i8),
    Exactly(u64),
}

impl<'a> Arbitrary<'a> for Number {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match input.arbitrary::<u8>()? {
            0..128 => Self::Near(0),
            byte @ 128..248 => Self::Near((byte - 128) as i8 - 40),
            _ => Self::Exactly(input.arbitrary()?),
        })
    }
}

impl Number {
    /// The number, where this is the one that a correct peer would send.
    pub(crate) fn of(self, expected: u64) -> u64 {
        match self {
            Self::Near(by) => expected.saturating_add_signed(i64::from(by)),
            Self::Exactly(number) => number,
        }
    }
}

/// A number below `end`.
pub(crate) fn below(input: &mut Unstructured<'_>, end: u8) -> Result<u8> {
    input.arbitrary::<u8>().map(|byte| byte % end)
}
