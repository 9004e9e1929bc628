//! The high-water mark: up to where each partition's journal was committed when the mark was
//! written, in a file that RocksDB knows nothing of.
//!
//! RocksDB recovers to a point in time: a torn or missing tail of its WAL is dropped without a
//! word, also where it was acknowledged. A journal that ends below the mark, or has another
//! history at it, has lost records, and the start is refused.
//!
//! The file has two slots, written in turn and in place: one that was torn leaves the other,
//! and nothing else has to reach the disk for it. A new file with a rename for each mark took
//! 4 ms of every 250, in which no commit went on; this takes as long as one commit.
//!
//! ```text
//! two slots of 32 KiB: "ABMARK02" │ turn u64 │ count u16
//!                      │ each partition: partition u16 │ offset u64 │ chain hash 16 │ …
//!                      │ XXH3-64 of all before
//! until then, no slots: "ABMARK01" │ each partition, as above │ … │ XXH3-64 of all before
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use answerback_directory::ports::{Applied, StateReader, StorageFault};
use answerback_proto::id::{Offset, PartitionId};
use answerback_proto::record::{Batch, ChainHash};
use xxhash_rust::xxh3::xxh3_64;

use crate::database::Database;
use crate::error::OpenError;
use crate::reader::Reader;

const FILE: &str = "answerback.high-water";
/// It is written under this name, then renamed: nobody ever reads half of it.
const NEW_FILE: &str = "answerback.high-water.new";
const MAGIC: &[u8; 8] = b"ABMARK02";
const MAGIC_BEFORE_SLOTS: &[u8; 8] = b"ABMARK01";
/// Room for the 1024 partitions that there are at most.
const SLOT_BYTES: usize = 32 * 1024;
const END_BYTES: usize = 26;
const CHECKSUM_BYTES: usize = 8;

/// The end of each partition's journal as far as it is known to be committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HighWater {
    ends: BTreeMap<PartitionId, Applied>,
    /// Since the file was written.
    has_risen: bool,
}

impl HighWater {
    /// The mark of a data directory; none where there is no file yet.
    pub(crate) fn read(path: &Path) -> Result<Self, OpenError> {
        match fs::read(path.join(FILE)) {
            Ok(bytes) => Self::from_file(&bytes)
                .ok_or_else(|| OpenError::Corrupt(path.into(), format!("{FILE} cannot be read"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(OpenError::from_io(path, error)),
        }
    }

    /// Counts a batch that is committed.
    pub(crate) fn raise(&mut self, batch: &Batch) {
        self.ends.insert(batch.partition(), end_of(batch));
        self.has_risen = true;
    }

    /// Refuses a database that has lost records below the mark.
    pub(crate) fn check(&self, db: &Database, reader: &Reader) -> Result<(), OpenError> {
        for (&partition, &marked) in &self.ends {
            let what = match find_loss(reader, partition, marked) {
                Ok(None) => continue,
                Ok(Some(what)) => what,
                Err(fault) => return Err(OpenError::Corrupt(db.path().into(), fault.message)),
            };
            let what = format!("partition {partition}: {what}");
            return Err(OpenError::LostRecords(db.path().into(), what));
        }
        Ok(())
    }

    fn to_slot(&self, turn: u64) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&turn.to_le_bytes());
        bytes.extend_from_slice(&(self.ends.len() as u16).to_le_bytes());
        for (partition, end) in &self.ends {
            bytes.extend_from_slice(&partition.0.to_le_bytes());
            bytes.extend_from_slice(&end.offset.0.to_le_bytes());
            bytes.extend_from_slice(&end.chain.0);
        }
        bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
        bytes
    }

    /// The mark of the last turn that can be read.
    fn from_file(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(MAGIC_BEFORE_SLOTS) {
            let content = checked(bytes)?;
            return Self::from_ends(content.strip_prefix(MAGIC_BEFORE_SLOTS)?);
        }
        let slots = bytes.chunks(SLOT_BYTES).filter_map(Self::from_slot);
        slots.max_by_key(|(turn, _)| *turn).map(|(_, mark)| mark)
    }

    fn from_slot(bytes: &[u8]) -> Option<(u64, Self)> {
        let (turn, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
        let (count, _) = rest.split_first_chunk()?;
        let ends_bytes = usize::from(u16::from_le_bytes(*count)) * END_BYTES;
        let length = MAGIC.len() + turn.len() + count.len() + ends_bytes + CHECKSUM_BYTES;
        let content = checked(bytes.get(..length)?)?;
        let mark = Self::from_ends(content.get(content.len() - ends_bytes..)?)?;
        Some((u64::from_le_bytes(*turn), mark))
    }

    fn from_ends(bytes: &[u8]) -> Option<Self> {
        let (ends, rest) = bytes.as_chunks::<END_BYTES>();
        let ends = ends.iter().map(end_from_bytes).collect::<Option<_>>()?;
        rest.is_empty().then_some(Self { ends, has_risen: false })
    }
}

/// The file of the mark, as one who writes it has it.
#[derive(Debug, Default)]
pub(crate) struct MarkFile {
    /// Made with the first mark, so that its turns begin anew.
    file: Option<File>,
    turn: u64,
}

impl MarkFile {
    /// Writes the mark, if it has risen since it was last written; durable on return.
    pub(crate) fn write(
        &mut self,
        mark: &mut HighWater,
        path: &Path,
        directory: &File,
    ) -> io::Result<()> {
        if !mark.has_risen {
            return Ok(());
        }
        self.turn += 1;
        let slot = mark.to_slot(self.turn);
        match &self.file {
            Some(file) => {
                file.write_all_at(&slot, self.turn % 2 * SLOT_BYTES as u64)?;
                file.sync_data()?;
            }
            None => self.file = Some(make(slot, path, directory)?),
        }
        mark.has_risen = false;
        Ok(())
    }
}

/// Makes the file with all that its two slots will need, under another name until all of it
/// is there.
fn make(mut slots: Vec<u8>, path: &Path, directory: &File) -> io::Result<File> {
    slots.resize(2 * SLOT_BYTES, 0);
    let new = path.join(NEW_FILE);
    let file = File::create(&new)?;
    file.write_all_at(&slots, 0)?;
    file.sync_all()?;
    fs::rename(&new, path.join(FILE))?;
    directory.sync_all()?;
    Ok(file)
}

/// What stands before a checksum that fits it.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    (xxh3_64(content) == u64::from_le_bytes(*checksum)).then_some(content)
}

/// Removes the mark of a data directory, durably.
pub(crate) fn remove(path: &Path, directory: &File) -> io::Result<()> {
    match fs::remove_file(path.join(FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => directory.sync_all(),
    }
}

fn end_from_bytes(bytes: &[u8; END_BYTES]) -> Option<(PartitionId, Applied)> {
    let (partition, rest) = bytes.split_first_chunk()?;
    let (offset, chain) = rest.split_first_chunk()?;
    let offset = Offset(u64::from_le_bytes(*offset));
    let chain = ChainHash(chain.try_into().ok()?);
    Some((PartitionId(u16::from_le_bytes(*partition)), Applied { offset, chain }))
}

fn end_of(batch: &Batch) -> Applied {
    Applied { offset: Offset(batch.end().0 - 1), chain: batch.chain_after() }
}

/// What is missing of a partition whose journal once ended at `marked`. Checkpoints trim the
/// journal: where it begins behind the mark, its rows are what is left to compare.
fn find_loss(
    reader: &Reader,
    partition: PartitionId,
    marked: Applied,
) -> Result<Option<String>, StorageFault> {
    let applied = reader.applied(partition)?;
    if applied.offset > marked.offset {
        return Ok(None);
    }
    let last = reader.last_batch(partition, marked.offset)?.as_ref().map(end_of);
    let found = last.filter(|last| last.offset > applied.offset).unwrap_or(applied);
    Ok((found != marked).then(|| describe_loss(found, marked)))
}

fn describe_loss(found: Applied, marked: Applied) -> String {
    let (found, marked_offset) = (found.offset, marked.offset);
    if found < marked_offset {
        format!("it was committed up to offset {marked_offset}, and now ends at {found}")
    } else {
        format!("it has another history at offset {marked_offset} than was committed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> HighWater {
        let end = |offset, chain| Applied { offset: Offset(offset), chain: ChainHash([chain; 16]) };
        let ends = [(PartitionId(0), end(7, 1)), (PartitionId(1023), end(u64::MAX, 2))];
        HighWater { ends: ends.into(), has_risen: false }
    }

    /// A file of the mark before, and then this one.
    fn file_of(before: &HighWater, last: &HighWater) -> Vec<u8> {
        let mut slots = last.to_slot(8);
        slots.resize(SLOT_BYTES, 0);
        slots.extend_from_slice(&before.to_slot(7));
        slots.resize(2 * SLOT_BYTES, 0);
        slots
    }

    #[test]
    fn the_last_of_two_turns_comes_out_as_it_went_in() {
        let empty = HighWater::default();
        assert_eq!(HighWater::from_file(&file_of(&empty, &sample())), Some(sample()));
        assert_eq!(HighWater::from_file(&file_of(&sample(), &empty)), Some(empty));
    }

    #[test]
    fn every_partition_has_room() {
        let ends = (0..1024).map(|number| (PartitionId(number), Applied::default())).collect();
        let full = HighWater { ends, has_risen: false };
        assert!(full.to_slot(1).len() <= SLOT_BYTES);
        assert_eq!(HighWater::from_file(&file_of(&sample(), &full)), Some(full));
    }

    #[test]
    fn a_torn_turn_leaves_the_one_before_and_two_are_a_fault() {
        let before = HighWater::default();
        let whole = file_of(&before, &sample());
        for index in 0..sample().to_slot(8).len() {
            let mut torn = whole.clone();
            torn[index] ^= 0x10;
            assert_eq!(HighWater::from_file(&torn), Some(before.clone()), "byte {index}");
            torn[SLOT_BYTES] ^= 1;
            assert_eq!(HighWater::from_file(&torn), None, "byte {index} and the other");
        }
    }

    #[test]
    fn a_file_from_before_the_slots_is_read() {
        let mut bytes = MAGIC_BEFORE_SLOTS.to_vec();
        let slot = sample().to_slot(1);
        bytes.extend_from_slice(&slot[18..slot.len() - CHECKSUM_BYTES]);
        bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
        assert_eq!(HighWater::from_file(&bytes), Some(sample()));
        for index in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[index] ^= 0x10;
            assert_eq!(HighWater::from_file(&flipped), None, "byte {index}");
        }
    }
}
