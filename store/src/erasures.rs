//! What was deleted since it was last erased: which ranges of keys, not how often.
//!
//! A deletion in RocksDB hides a row; its bytes stay in older files until a compaction meets
//! both. So a checkpoint notes what it deletes, in the same write as the deletions, and
//! [`Store::erase`](crate::Store::erase) compacts what is noted. The notes are rows, so that a
//! crash forgets none:
//!
//! ```text
//! "erase": round u64 BE │ target u8 │ first key, cut to partition and user → first key behind
//! ```
//! A round is what is noted between two erasures.

use std::collections::BTreeMap;

use answerback_directory::ports::StorageFault;
use answerback_directory::shard::checkpoint::{Change, Checkpoint, Row, Table, partition_end};
use answerback_proto::id::PartitionId;
use rocksdb::{DB, IteratorMode, WriteBatch};

use crate::error::storage_fault;
use crate::schema::{ERASE, JOURNAL, family};

/// Partition and user: a user's entries lie together.
const PREFIX_BYTES: usize = 18;
/// Beyond as many, whole partitions are noted: by then nearly every file holds some of them.
const NOTES_MAX: usize = 65_536;
const JOURNAL_TARGET: u8 = u8::MAX;
const ROUND_BYTES: usize = 8;

/// A range of keys, the end not included.
pub(crate) type KeyRange<'a> = (&'a [u8], &'a [u8]);

/// A column family of whose keys some were deleted, and the first of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    target: u8,
    first: Vec<u8>,
}

/// What is noted: places and the keys behind them.
#[derive(Debug, Default)]
pub(crate) struct Erasures {
    round: u64,
    ends: BTreeMap<Place, Vec<u8>>,
}

/// The notes of all rounds up to one.
#[derive(Debug)]
pub(crate) struct Noted {
    round: u64,
    ends: BTreeMap<Place, Vec<u8>>,
}

impl Erasures {
    /// What was noted before the database was opened.
    pub(crate) fn load(db: &DB) -> Result<Self, StorageFault> {
        let mut loaded = Self::default();
        for row in db.iterator_cf(family(db, ERASE)?, IteratorMode::Start) {
            let (key, end) = row.map_err(|error| storage_fault(&error))?;
            let (round, place) = place_from_key(&key)
                .ok_or_else(|| StorageFault::new("a note of what is to be erased is damaged"))?;
            loaded.round = loaded.round.max(round);
            loaded.raise(place, &end);
        }
        Ok(loaded)
    }

    /// Adds to a checkpoint's write what it will leave to be erased.
    pub(crate) fn note(
        &mut self,
        db: &DB,
        checkpoint: &Checkpoint,
        write: &mut WriteBatch,
    ) -> Result<(), StorageFault> {
        let partition = checkpoint.partition;
        let journal = Place { target: JOURNAL_TARGET, first: partition.0.to_be_bytes().to_vec() };
        self.add(db, journal, partition_end(partition), write)?;
        for row in checkpoint.rows.iter().filter(|row| holds_content(row.table)) {
            if let Some((place, end)) = self.deleted(partition, row) {
                self.add(db, place, end, write)?;
            }
        }
        Ok(())
    }

    /// Takes what is noted; what comes from now on belongs to the next round.
    pub(crate) fn take(&mut self) -> Noted {
        let noted = Noted { round: self.round, ends: std::mem::take(&mut self.ends) };
        self.round += 1;
        noted
    }

    fn deleted(&self, partition: PartitionId, row: Row<'_>) -> Option<(Place, Vec<u8>)> {
        let target = row.table as u8;
        let end = match row.change {
            Change::Put(_) => return None,
            _ if self.ends.len() >= NOTES_MAX => {
                let first = partition.0.to_be_bytes().to_vec();
                return Some((Place { target, first }, partition_end(partition)));
            }
            Change::Delete => None,
            Change::DeleteTo(end) => Some(end.to_vec()),
        };
        let first = row.key.get(..PREFIX_BYTES).unwrap_or(row.key).to_vec();
        let end = end.unwrap_or_else(|| end_of_prefix(&first));
        Some((Place { target, first }, end))
    }

    fn add(
        &mut self,
        db: &DB,
        place: Place,
        end: Vec<u8>,
        write: &mut WriteBatch,
    ) -> Result<(), StorageFault> {
        if self.ends.get(&place).is_none_or(|known| *known < end) {
            write.put_cf(family(db, ERASE)?, key_of_place(self.round, &place), &end);
            self.raise(place, &end);
        }
        Ok(())
    }

    fn raise(&mut self, place: Place, end: &[u8]) {
        let known = self.ends.entry(place).or_default();
        if known.as_slice() < end {
            *known = end.to_vec();
        }
    }
}

impl Noted {
    /// Whether nothing was deleted.
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The ranges of keys by column family, ascending by their first key.
    pub(crate) fn by_family(&self) -> BTreeMap<&'static str, Vec<KeyRange<'_>>> {
        let mut ranges: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (place, end) in &self.ends {
            let table = Table::ALL.get(usize::from(place.target));
            let family = table.map_or(JOURNAL, |table| table.name());
            ranges.entry(family).or_default().push((place.first.as_slice(), end.as_slice()));
        }
        ranges
    }

    /// Adds to a write that these notes are done with.
    pub(crate) fn forget(&self, db: &DB, write: &mut WriteBatch) -> Result<(), StorageFault> {
        let behind = (self.round + 1).to_be_bytes();
        write.delete_range_cf(family(db, ERASE)?, [0; ROUND_BYTES], behind);
        Ok(())
    }
}

/// Whether a table's rows can hold what somebody wrote. What is not listed here can.
fn holds_content(table: Table) -> bool {
    use Table::{Chat, Cursor, Device, Expiry, Incoming, Partition, Sender, Sequence};
    let without = [Partition, Cursor, Device, Chat, Sequence, Incoming, Sender, Expiry];
    !without.contains(&table)
}

/// The first key behind all that begin with a prefix.
fn end_of_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    vec![u8::MAX; PREFIX_BYTES + 1]
}

fn key_of_place(round: u64, place: &Place) -> Vec<u8> {
    [&round.to_be_bytes(), [place.target].as_slice(), &place.first].concat()
}

fn place_from_key(key: &[u8]) -> Option<(u64, Place)> {
    let (round, rest) = key.split_first_chunk()?;
    let (&target, first) = rest.split_first()?;
    Some((u64::from_be_bytes(*round), Place { target, first: first.to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: PartitionId = PartitionId(1);

    fn deleted(noted: usize, change: Change<'_>, key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let place = |number: usize| Place { target: 0, first: number.to_be_bytes().to_vec() };
        let ends = (0..noted).map(|number| (place(number), Vec::new())).collect();
        let row = Row { table: Table::Inbox, key, change };
        let (place, end) = Erasures { round: 0, ends }.deleted(P, row)?;
        assert_eq!(place.target, Table::Inbox as u8);
        Some((place.first, end))
    }

    #[test]
    fn a_deleted_row_notes_its_user() {
        let (user, position) = ([[0, 1].as_slice(), &[7; 15], &[255]].concat(), [9; 8]);
        let end = [[0, 1].as_slice(), &[7; 14], &[8]].concat();
        let key = [user.as_slice(), &position].concat();
        assert_eq!(deleted(0, Change::Delete, &key), Some((user, end)));
        assert_eq!(deleted(0, Change::Put(b"value"), &key), None);
    }

    #[test]
    fn a_deleted_range_is_noted_up_to_its_end() {
        let noted = deleted(0, Change::DeleteTo(&[0, 1, 9]), &[0, 1, 2]);
        assert_eq!(noted, Some((vec![0, 1, 2], vec![0, 1, 9])));
    }

    #[test]
    fn beyond_the_limit_whole_partitions_are_noted() {
        let key = [[0, 1].as_slice(), &[7; 24]].concat();
        assert_eq!(deleted(NOTES_MAX - 1, Change::Delete, &key).unwrap().0.len(), PREFIX_BYTES);
        for change in [Change::Delete, Change::DeleteTo(&[0, 1, 9])] {
            assert_eq!(deleted(NOTES_MAX, change, &key), Some((vec![0, 1], vec![0, 2])));
        }
    }

    #[test]
    fn behind_the_last_prefix_there_is_still_a_key() {
        assert_eq!(end_of_prefix(&[1, 255, 255]), [2]);
        assert!(end_of_prefix(&[255; PREFIX_BYTES]).as_slice() > [255; PREFIX_BYTES].as_slice());
    }

    #[test]
    fn a_note_is_found_again_by_its_key() {
        let place = Place { target: 5, first: vec![0, 1, 2] };
        assert_eq!(place_from_key(&key_of_place(7, &place)), Some((7, place)));
        assert_eq!(place_from_key(&[0; ROUND_BYTES]), None);
    }
}
