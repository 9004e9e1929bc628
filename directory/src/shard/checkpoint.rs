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
    /// partition → the clock, the settings and the like.
    Partition = 0, "partition";
    /// partition, user → the head: next position, floor, what waits.
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
    /// partition, user, peer, device, sequence → a message that came early.
    Parked = 8, "parked";
    /// partition, sender → how many of the sender's messages wait here.
    Sender = 9, "sender";
    /// partition, when, user → nothing: something of the user's is due then.
    Expiry = 10, "expiry";
    /// partition, user, peer, device, sequence → when a message ends that is withheld.
    Withheld = 11, "withheld";
    /// partition, group → its name, its members.
    Group = 12, "group";
    /// partition, place → what members of a group were sent; partition, place, user → nothing:
    /// the user's inbox refers to it.
    Body = 13, "body";
    /// partition, user → when the user was there last.
    Presence = 14, "presence";
    /// partition, user → whom the user has among his contacts.
    Contacts = 15, "contacts";
    /// partition, user, group, position → a message that the user has not read.
    Unread = 16, "unread";
    /// partition, user, group, device, sequence → who has that message of the user's.
    Tally = 17, "tally";
}

/// Rows put and deleted, one by one or by ranges, in one flat buffer. Keys begin with the partition, big-endian,
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

/// A change of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its table.
    pub table: Table,
    /// The row's key, the partition included.
    pub key: &'a [u8],
    /// What becomes of it.
    pub change: Change<'a>,
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// It has this value.
    Put(&'a [u8]),
    /// It goes.
    Delete,
    /// It goes, and all behind it up to this key, which is not included.
    DeleteTo(&'a [u8]),
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
const DELETE: u8 = 0;
const PUT: u8 = 1;
const DELETE_TO: u8 = 2;

impl Rows {
    /// Adds a row; a later one of the same key counts. Keys are shorter than 64 KiB.
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.push(table, PUT, key, value);
    }

    /// Adds that a row goes.
    pub fn delete(&mut self, table: Table, key: &[u8]) {
        self.push(table, DELETE, key, &[]);
    }

    /// Adds that all rows of `[from, to)` go.
    pub fn delete_range(&mut self, table: Table, from: &[u8], to: &[u8]) {
        self.push(table, DELETE_TO, from, to);
    }

    /// Adds all changes of others behind these.
    pub fn append(&mut self, mut others: Self) {
        self.bytes.append(&mut others.bytes);
        self.count += others.count;
    }

    /// Changes added.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes of all rows.
    pub fn byte_length(&self) -> usize {
        self.bytes.len()
    }

    /// The changes, in the order in which they were added.
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
    let change = match op {
        PUT => Change::Put(value),
        DELETE => Change::Delete,
        DELETE_TO => Change::DeleteTo(value),
        _ => return None,
    };
    Some((Row { table, key, change }, rest))
}

/// The first key behind all of a partition.
pub fn partition_end(partition: PartitionId) -> Vec<u8> {
    match partition.0.checked_add(1) {
        Some(next) => next.to_be_bytes().to_vec(),
        None => vec![u8::MAX; 3],
    }
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
        rows.delete_range(Table::Inbox, b"a", b"c");
        let expected = [
            Row { table: Table::Inbox, key: b"key", change: Change::Put(b"value") },
            Row { table: Table::Outgoing, key: b"gone", change: Change::Delete },
            Row { table: Table::Partition, key: b"", change: Change::Put(b"") },
            Row { table: Table::Inbox, key: b"a", change: Change::DeleteTo(b"c") },
        ];
        assert!(rows.iter().eq(expected));
        assert_eq!(rows.count(), 4);
    }

    #[test]
    fn a_table_is_found_by_its_number() {
        for (number, table) in Table::ALL.iter().enumerate() {
            assert_eq!(*table as usize, number);
        }
    }
}
