//! A checkpoint: the rows that changed since the last one, as of one applied record.

use answerback_proto::id::PartitionId;

use crate::ports::Applied;

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// A table of the state; each is a column family of its own in the store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Table {
            $($(#[$doc])* $name = $number,)*
        }

        impl Table {
            /// All tables.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name of its column family.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

tables! {
    /// partition → the clock and the like.
    Partition = 0, "partition";
    /// partition, user → next position, floor.
    Cursor = 1, "cursor";
    /// partition, user, device → cursor, connection counter.
    Device = 2, "device";
    /// partition, user, peer → last accepted time of the chat here.
    Chat = 3, "chat";
    /// partition, user, peer, device → last decided sequence, decisions, delivered.
    Sequence = 4, "sequence";
    /// partition, user, position → entry.
    Inbox = 5, "inbox";
    /// partition, destination, number → part; partition, destination → its head.
    Outgoing = 6, "outgoing";
    /// partition, source → generation and number taken.
    Incoming = 7, "incoming";
}

/// Rows put and deleted, in one flat buffer. Keys begin with the partition, big-endian,
/// so that a partition's rows of a table lie together.
///
/// ```text
/// each row  │ table u8 │ op u8 │ key length u16 │ value length u32 │ key │ value │
/// ```
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rows {
    bytes: Vec<u8>,
    count: usize,
}

/// A row of a checkpoint; no value means that it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its table.
    pub table: Table,
    /// Its key, the partition included.
    pub key: &'a [u8],
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// What a shard hands to the store: state exactly at `applied`.
#[derive(Debug)]
pub struct Checkpoint {
    /// Whose it is.
    pub partition: PartitionId,
    /// The place that the rows belong to.
    pub applied: Applied,
    /// The rows that changed.
    pub rows: Rows,
}
