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

const ROW_HEADER_BYTES: usize = 8;
const PUT: u8 = 1;
const DELETE: u8 = 0;

impl Rows {
    /// Adds a row; a later one of the same key counts. Keys are shorter than 64 KiB.
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.push(table, PUT, key, value);
    }

    /// Adds that a row goes.
    pub fn delete(&mut self, table: Table, key: &[u8]) {
        self.push(table, DELETE, key, &[]);
    }

    /// Rows added.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes of all rows.
    pub fn byte_length(&self) -> usize {
        self.bytes.len()
    }

    /// The rows, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (row, behind) = read_row(rest)?;
            rest = behind;
            Some(row)
        })
    }

    fn push(&mut self, table: Table, op: u8, key: &[u8], value: &[u8]) {
        debug_assert!(key.len() <= usize::from(u16::MAX));
        self.bytes.reserve(ROW_HEADER_BYTES + key.len() + value.len());
        self.bytes.extend_from_slice(&[table as u8, op]);
        self.bytes.extend_from_slice(&(key.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.count += 1;
    }
}

fn read_row(bytes: &[u8]) -> Option<(Row<'_>, &[u8])> {
    let (&[table, op, k0, k1, v0, v1, v2, v3], rest) =
        bytes.split_first_chunk::<ROW_HEADER_BYTES>()?;
    let table = Table::ALL.get(usize::from(table)).copied()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([k0, k1])))?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes([v0, v1, v2, v3]) as usize)?;
    Some((Row { table, key, value: (op == PUT).then_some(value) }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_as_they_went_in() {
        let mut rows = Rows::default();
        rows.put(Table::Inbox, b"key", b"value");
        rows.delete(Table::Outgoing, b"gone");
        rows.put(Table::Partition, b"", b"");
        let expected = [
            Row { table: Table::Inbox, key: b"key", value: Some(b"value") },
            Row { table: Table::Outgoing, key: b"gone", value: None },
            Row { table: Table::Partition, key: b"", value: Some(b"") },
        ];
        assert!(rows.iter().eq(expected));
        assert_eq!(rows.count(), 3);
    }

    #[test]
    fn a_table_is_found_by_its_number() {
        for (number, table) in Table::ALL.iter().enumerate() {
            assert_eq!(*table as usize, number);
        }
    }
}
