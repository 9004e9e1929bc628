//! Identifiers and numbers, each a type of its own so that none is taken for another.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// An account: a UUID, an E.164 number, an account number. 128 bits.
    UserId(u128)
}
number! {
    /// One install of the app; a lost database is a new device. 128 bits.
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
    /// Counts restores: positions and part numbers of another generation are void.
    Generation(u64)
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
