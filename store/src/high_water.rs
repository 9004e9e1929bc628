//! The high-water mark: up to where each partition's journal was committed when the mark was
//! written, in a file that RocksDB knows nothing of.
//!
//! RocksDB recovers to a point in time: a torn or missing tail of its WAL is dropped without a
//! word, also where it was acknowledged. A journal that ends below the mark, or has another
//! history at it, has lost records, and the start is refused.
//!
//! ```text
//! "ABMARK01" │ each partition: partition u16 │ offset u64 │ chain hash 16 │ … │ XXH3-64 of all before
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
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
const MAGIC: &[u8; 8] = b"ABMARK01";
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
            Ok(bytes) => Self::from_bytes(&bytes)
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

    /// Writes the mark, if it has risen since it was last written; durable on return.
    pub(crate) fn write(&mut self, path: &Path, directory: &File) -> io::Result<()> {
        if !self.has_risen {
            return Ok(());
        }
        let new = path.join(NEW_FILE);
        let mut file = File::create(&new)?;
        file.write_all(&self.to_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path.join(FILE))?;
        directory.sync_all()?;
        self.has_risen = false;
        Ok(())
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

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (partition, end) in &self.ends {
            bytes.extend_from_slice(&partition.0.to_le_bytes());
            bytes.extend_from_slice(&end.offset.0.to_le_bytes());
            bytes.extend_from_slice(&end.chain.0);
        }
        bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        if xxh3_64(content) != u64::from_le_bytes(*checksum) {
            return None;
        }
        let (ends, rest) = content.strip_prefix(MAGIC)?.as_chunks::<END_BYTES>();
        let ends = ends.iter().map(end_from_bytes).collect::<Option<_>>()?;
        rest.is_empty().then_some(Self { ends, has_risen: false })
    }
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

    #[test]
    fn it_comes_out_as_it_went_in() {
        assert_eq!(HighWater::from_bytes(&sample().to_bytes()), Some(sample()));
        let empty = HighWater::default();
        assert_eq!(HighWater::from_bytes(&empty.to_bytes()), Some(empty));
    }

    #[test]
    fn no_flipped_or_missing_byte_goes_unnoticed() {
        let bytes = sample().to_bytes();
        for index in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[index] ^= 0x10;
            assert_eq!(HighWater::from_bytes(&flipped), None, "byte {index}");
            assert_eq!(HighWater::from_bytes(&bytes[..index]), None, "cut at {index}");
        }
    }
}
