//! Identifiers and numbers, each a type of its own so that none is taken for another.
//!
//! The text form of a user's or a device's id is a decimal number without leading zeros,
//! and this is what is written. A leading `+` (an E.164 number) and a UUID of the form
//! 8-4-4-4-12 are read as well: a UUID is the number that its digits spell. Zero is nobody.

use std::fmt;
use std::str::FromStr;

use xxhash_rust::xxh3::xxh3_128;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let number = self.0;
                number.fmt(f)
            }
        }
    };
}

number! {
    /// An account: a UUID, an E.164 number, an account number. 128 bits, aligned to 8
    /// bytes, or what holds a few of them would be a tenth larger.
    #[repr(Rust, packed(8))]
    UserId(u128)
}
number! {
    /// A group: given by its home. 128 bits, aligned as a user's.
    #[repr(Rust, packed(8))]
    GroupId(u128)
}
number! {
    /// One install of the app; a lost database is a new device. 128 bits, aligned as a user's.
    #[repr(Rust, packed(8))]
    DeviceId(u128)
}
number! {
    /// A fixed slice of the id space: the unit of ownership, journal and checkpoint.
    PartitionId(u16)
}
number! {
    /// The number of an entry in one user's inbox, from 1.
    Position(u64)
}
number! {
    /// The sending device's number of a message in a chat, from 1, without gaps.
    Sequence(u64)
}
number! {
    /// The place of a record in its partition's journal, from 1. Never on the wire.
    Offset(u64)
}
number! {
    /// The number of a part in one partition's queue to another, from 1.
    PartNumber(u64)
}
number! {
    /// Which token it is, as far as a box remembers: the hash of its `jti`, and 0 for a token
    /// without one. 128 bits, aligned as a user's.
    #[repr(Rust, packed(8))]
    TokenId(u128)
}
number! {
    /// Counts restores: positions and part numbers of another generation are void.
    Generation(u64)
}

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// Neither digits without a leading zero nor a UUID of the form 8-4-4-4-12.
    Form,
    /// A number that 128 bits do not hold.
    TooLarge,
    /// Zero, which is nobody's.
    Zero,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => {
                "an id is a decimal number without leading zeros, or a UUID of the form 8-4-4-4-12"
            }
            Self::TooLarge => "an id has at most 128 bits",
            Self::Zero => "an id is not zero",
        })
    }
}

impl std::error::Error for IdError {}

impl FromStr for UserId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_id(text).map(Self)
    }
}

impl FromStr for DeviceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_id(text).map(Self)
    }
}

impl FromStr for GroupId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_id(text).map(Self)
    }
}

impl GroupId {
    /// The other end of the group's chat, where users and groups stand side by side.
    pub fn as_peer(self) -> UserId {
        UserId(self.0)
    }
}

impl TokenId {
    /// The id of the token with this `jti`. Whoever could choose two that have one hash would
    /// have to be the account service.
    pub fn of(jti: &str) -> Self {
        Self(xxh3_128(jti.as_bytes()))
    }
}

impl Position {
    /// The position after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Sequence {
    /// The sequence after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Offset {
    /// The offset `count` records further on.
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

/// Each id has one decimal text: were `007` read too, two accounts of an operator's that
/// differ in their zeros would be one user here.
fn parse_id(text: &str) -> Result<u128, IdError> {
    let id = match text.len() {
        36 if text.contains('-') => parse_uuid(text)?,
        _ => parse_decimal(text.strip_prefix('+').unwrap_or(text))?,
    };
    if id == 0 { Err(IdError::Zero) } else { Ok(id) }
}

fn parse_decimal(digits: &str) -> Result<u128, IdError> {
    let leads_with_zero = digits.len() > 1 && digits.starts_with('0');
    if digits.is_empty() || leads_with_zero || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(IdError::Form);
    }
    digits.parse().map_err(|_| IdError::TooLarge)
}

fn parse_uuid(text: &str) -> Result<u128, IdError> {
    let lengths = text.split('-').map(str::len);
    let is_hexadecimal = |byte: u8| byte == b'-' || byte.is_ascii_hexdigit();
    if !lengths.eq([8, 4, 4, 4, 12]) || !text.bytes().all(is_hexadecimal) {
        return Err(IdError::Form);
    }
    u128::from_str_radix(&text.replace('-', ""), 16).map_err(|_| IdError::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_uuids_are_read() {
        let uuid = 0x1234_5678_9abc_def0_0123_4567_89ab_cdef;
        for (text, id) in [
            ("1", 1),
            ("+4915112345678", 4_915_112_345_678),
            ("340282366920938463463374607431768211455", u128::MAX),
            ("12345678-9abc-def0-0123-456789abcdef", uuid),
            ("12345678-9ABC-DEF0-0123-456789ABCDEF", uuid),
        ] {
            assert_eq!(text.parse(), Ok(UserId(id)), "{text}");
            assert_eq!(text.parse(), Ok(DeviceId(id)), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for id in [1, 10, u128::from(u64::MAX), u128::MAX] {
            assert_eq!(UserId(id).to_string().parse(), Ok(UserId(id)));
            assert_eq!(DeviceId(id).to_string().parse(), Ok(DeviceId(id)));
        }
    }

    /// Frozen: a token that is revoked stays so with the next version.
    #[test]
    fn a_tokens_id_is_the_hash_of_its_name() {
        let id = TokenId::of("3f6c1d6e-0d0a-4b1c-8f7e-5a2b9c0d1e2f");
        assert_eq!(id, TokenId(177_363_772_482_587_833_695_550_886_040_748_807_732));
        assert_ne!(TokenId::of(""), TokenId(0), "0 is a token without a name");
    }

    #[test]
    fn other_texts_are_refused_with_their_reason() {
        for (text, error) in [
            ("", IdError::Form),
            ("+", IdError::Form),
            ("++1", IdError::Form),
            ("-1", IdError::Form),
            (" 1", IdError::Form),
            ("1e3", IdError::Form),
            ("007", IdError::Form),
            ("00", IdError::Form),
            ("\u{661}", IdError::Form),
            ("123456789abcdef00123456789abcdef", IdError::Form),
            ("1234567-89abc-def0-0123-456789abcdef", IdError::Form),
            ("12345678-9abc-def0-0123-456789abcdeg", IdError::Form),
            ("+2345678-9abc-def0-0123-456789abcdef", IdError::Form),
            ("{2345678-9abc-def0-0123-456789abcde}", IdError::Form),
            ("340282366920938463463374607431768211456", IdError::TooLarge),
            ("9999999999999999999999999999999999999999", IdError::TooLarge),
            ("0", IdError::Zero),
            ("00000000-0000-0000-0000-000000000000", IdError::Zero),
        ] {
            assert_eq!(text.parse::<UserId>(), Err(error), "{text:?}");
        }
    }
}
