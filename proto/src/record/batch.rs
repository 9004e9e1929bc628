//! A batch: the records of one partition that one commit makes durable, as one value.
//!
//! ```text
//! offset  size  field
//!      0     2  format, 1
//!      2     2  partition
//!      4     4  record count
//!      8     8  offset of the first record
//!     16    16  chain before: the chain hash of the preceding batch
//!     32    16  chain after: XXH3-128 of bytes 0–31 and of the records
//!     48     …  records
//! ```
//! The chain hash is the checksum of a batch and of all that stands before it: a batch
//! that is missing, doubled, exchanged or damaged breaks it. It guards against disks
//! and mistakes, not against an adversary with the disk in hand.

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::{Corrupt, FixedRecord, PlacedRecord, RECORD_HEADER_BYTES, Record};
use crate::id::{Offset, PartitionId};

/// Bytes before a batch's records.
pub const BATCH_HEADER_BYTES: usize = 48;

const FORMAT: u16 = 1;
/// The header's beginning, which the chain hash covers; the hash itself follows.
const CHECKED_HEADER_BYTES: usize = 32;

/// The hash over a batch and all before it; zero before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainHash(pub [u8; 16]);

/// Collects records; the one copy of a payload is made here.
#[derive(Debug)]
pub struct BatchBuilder {
    bytes: Vec<u8>,
    count: u32,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self { bytes: vec![0; BATCH_HEADER_BYTES], count: 0 }
    }
}

impl BatchBuilder {
    /// Appends a record; returns its index in the batch.
    #[inline]
    pub fn push<R: FixedRecord>(&mut self, record: &R, payload: &[u8]) -> u32 {
        self.push_joined(record, &[], payload)
    }

    /// As above, a payload of two pieces.
    #[inline]
    pub fn push_joined<R: FixedRecord>(&mut self, record: &R, first: &[u8], rest: &[u8]) -> u32 {
        let length = RECORD_HEADER_BYTES + R::BYTES + first.len() + rest.len();
        self.bytes.reserve(length);
        self.bytes.extend_from_slice(&(length as u32).to_le_bytes());
        self.bytes.extend_from_slice(&(R::KIND as u16).to_le_bytes());
        self.bytes.extend_from_slice(&[0, 0]);
        record.append_to(&mut self.bytes);
        self.bytes.extend_from_slice(first);
        self.bytes.extend_from_slice(rest);
        self.count += 1;
        self.count - 1
    }

    /// Writes the time into the `Tick` that the batch begins with: a tick stands first, and
    /// its time is known last.
    pub fn stamp_tick(&mut self, now_ms: u64) {
        let at = BATCH_HEADER_BYTES + RECORD_HEADER_BYTES;
        if let Some(time) = self.bytes.get_mut(at..at + size_of::<u64>()) {
            time.copy_from_slice(&now_ms.to_le_bytes());
        }
    }

    /// Records so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes so far, header included.
    pub fn byte_length(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Closes the batch and leaves an empty builder.
    pub fn finish(
        &mut self,
        partition: PartitionId,
        first_offset: Offset,
        chain_before: ChainHash,
    ) -> Batch {
        let Self { mut bytes, count } = std::mem::take(self);
        let mut header = [0; BATCH_HEADER_BYTES];
        header[0..2].copy_from_slice(&FORMAT.to_le_bytes());
        header[2..4].copy_from_slice(&partition.0.to_le_bytes());
        header[4..8].copy_from_slice(&count.to_le_bytes());
        header[8..16].copy_from_slice(&first_offset.0.to_le_bytes());
        header[16..32].copy_from_slice(&chain_before.0);
        let (place, records) = bytes.split_at_mut(BATCH_HEADER_BYTES);
        let chain_after = chain_hash(&header[..CHECKED_HEADER_BYTES], records);
        header[32..48].copy_from_slice(&chain_after.0);
        place.copy_from_slice(&header);
        Batch {
            bytes: Bytes::from(bytes),
            partition,
            count,
            first_offset,
            chain_before,
            chain_after,
        }
    }
}

/// A closed batch. Cloning it clones a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    bytes: Bytes,
    partition: PartitionId,
    count: u32,
    first_offset: Offset,
    chain_before: ChainHash,
    chain_after: ChainHash,
}

impl Batch {
    /// Reads a batch and checks its checksum.
    ///
    /// # Errors
    /// See [`Corrupt`].
    pub fn parse(bytes: Bytes) -> Result<Self, Corrupt> {
        let (header, records) =
            bytes.split_first_chunk::<BATCH_HEADER_BYTES>().ok_or(Corrupt::Truncated)?;
        let (checked, chain_after) = header.split_at(CHECKED_HEADER_BYTES);
        let [f0, f1, p0, p1, c0, c1, c2, c3, rest @ ..] = *header;
        let [o0, o1, o2, o3, o4, o5, o6, o7, rest @ ..] = rest;
        if u16::from_le_bytes([f0, f1]) != FORMAT {
            return Err(Corrupt::Unknown);
        }
        let computed = chain_hash(checked, records);
        if computed.0 != chain_after {
            return Err(Corrupt::Checksum);
        }
        let count = u32::from_le_bytes([c0, c1, c2, c3]);
        let first_offset = u64::from_le_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
        first_offset.checked_add(u64::from(count)).ok_or(Corrupt::Truncated)?;
        let mut chain_before = ChainHash::default();
        chain_before.0.copy_from_slice(&rest[..16]);
        Ok(Self {
            partition: PartitionId(u16::from_le_bytes([p0, p1])),
            count,
            first_offset: Offset(first_offset),
            chain_before,
            chain_after: computed,
            bytes: bytes.clone(),
        })
    }

    /// The batch's bytes, as the journal keeps them.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whose it is.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Records in it.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The place of its first record.
    pub fn first_offset(&self) -> Offset {
        self.first_offset
    }

    /// The place behind its last record.
    pub fn end(&self) -> Offset {
        self.first_offset.plus(u64::from(self.count))
    }

    /// The chain hash that it continues.
    pub fn chain_before(&self) -> ChainHash {
        self.chain_before
    }

    /// The chain hash of it and all before it.
    pub fn chain_after(&self) -> ChainHash {
        self.chain_after
    }

    /// Its records in order.
    pub fn records(&self) -> Records<'_> {
        self.records_from(self.first_mark())
    }

    /// Its records from a mark on.
    pub fn records_from(&self, mark: RecordMark) -> Records<'_> {
        Records { batch: self, at: mark.at, offset: mark.offset }
    }

    /// The place of its first record.
    pub fn first_mark(&self) -> RecordMark {
        RecordMark { at: BATCH_HEADER_BYTES, offset: self.first_offset }
    }
}

/// A place between two records of a batch, to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordMark {
    at: usize,
    offset: Offset,
}

impl RecordMark {
    /// The next record's place in the journal.
    pub fn offset(self) -> Offset {
        self.offset
    }
}

/// The records of a batch; ends behind the first that is corrupt. Bytes that no record
/// accounts for corrupt the last.
#[derive(Debug)]
pub struct Records<'a> {
    batch: &'a Batch,
    at: usize,
    offset: Offset,
}

impl Iterator for Records<'_> {
    type Item = Result<PlacedRecord, Corrupt>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.offset == self.batch.end() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.offset = self.batch.end();
        }
        Some(read)
    }
}

impl Records<'_> {
    /// Where it stands.
    pub fn mark(&self) -> RecordMark {
        RecordMark { at: self.at, offset: self.offset }
    }

    #[inline]
    fn read(&mut self) -> Result<PlacedRecord, Corrupt> {
        let rest = self.batch.bytes.get(self.at..).ok_or(Corrupt::Truncated)?;
        let head = rest.first_chunk::<RECORD_HEADER_BYTES>().ok_or(Corrupt::Truncated)?;
        let [l0, l1, l2, l3, k0, k1, reserved @ ..] = *head;
        if reserved != [0, 0] {
            return Err(Corrupt::Unknown);
        }
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let body = rest.get(RECORD_HEADER_BYTES..length).ok_or(Corrupt::Truncated)?;
        let (record, fixed) = Record::decode(u16::from_le_bytes([k0, k1]), body)?;
        let payload_at = self.at + RECORD_HEADER_BYTES + fixed;
        let placed = PlacedRecord {
            offset: self.offset,
            record,
            payload: self.batch.bytes.slice(payload_at..self.at + length),
        };
        self.at += length;
        self.offset = self.offset.plus(1);
        let is_last = self.offset == self.batch.end();
        if is_last && self.at != self.batch.bytes.len() {
            return Err(Corrupt::Truncated);
        }
        Ok(placed)
    }
}

fn chain_hash(header: &[u8], records: &[u8]) -> ChainHash {
    let mut hasher = Xxh3::new();
    hasher.update(header);
    hasher.update(records);
    ChainHash(hasher.digest128().to_le_bytes())
}
