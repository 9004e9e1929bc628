//! The body of every message: who wrote it, its number, when it was due.
//!
//! ```text
//! offset  size  field
//!      0    16  when it was due, ns
//!     16     8  the sender
//!     24     8  its number with this sender, from 0
//!     32    96  filling
//! ```
//! Numbers are hexadecimal digits, so that a body passes through protocols of text as it is.

use anyhow::{Context, Result};

/// Bytes of every body.
pub(crate) const BODY_BYTES: usize = 128;

/// A whole body.
pub(crate) type Body = [u8; BODY_BYTES];

/// What a body says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// When the message was due, ns.
    pub(crate) due_ns: u64,
    /// Who wrote it.
    pub(crate) sender: u32,
    /// Its number with this sender, from 0.
    pub(crate) number: u32,
}

impl Stamp {
    pub(crate) fn to_body(self) -> Body {
        let mut body = [b'.'; BODY_BYTES];
        let (due, rest) = body.split_at_mut(16);
        let (sender, rest) = rest.split_at_mut(8);
        let (number, _) = rest.split_at_mut(8);
        write_digits(self.due_ns, due);
        write_digits(self.sender.into(), sender);
        write_digits(self.number.into(), number);
        body
    }

    /// # Errors
    /// A body of another length, or one that does not begin with digits.
    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        let body: &Body = body.try_into().context("a body of another length came back")?;
        let (due, rest) = body.split_at(16);
        let (sender, rest) = rest.split_at(8);
        let (number, _) = rest.split_at(8);
        Ok(Self {
            due_ns: read_digits(due)?,
            sender: read_digits(sender)? as u32,
            number: read_digits(number)? as u32,
        })
    }
}

fn write_digits(mut value: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        let nibble = (value & 15) as u8;
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        value >>= 4;
    }
}

fn read_digits(digits: &[u8]) -> Result<u64> {
    digits.iter().try_fold(0, |value, digit| {
        let nibble = char::from(*digit).to_digit(16).context("a damaged body came back")?;
        Ok(value << 4 | u64::from(nibble))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_what_was_written() {
        let stamp = Stamp { due_ns: 0x0123_4567_89ab_cdef, sender: 499, number: 70_000 };
        let body = stamp.to_body();
        assert_eq!(&body[..34], b"0123456789abcdef000001f300011170..");
        assert_eq!(Stamp::read(&body).unwrap(), stamp);
    }

    #[test]
    fn damage_is_told() {
        let body = Stamp::default().to_body();
        assert!(Stamp::read(&body[1..]).is_err());
        let mut body = body;
        body[20] = b'g';
        assert!(Stamp::read(&body).is_err());
    }
}
