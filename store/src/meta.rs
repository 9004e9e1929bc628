//! What a data directory says of itself: of the box, and of how far each partition goes.
//!
//! ```text
//! "box"              → partitions u16 │ generation u64 │ secret 16
//! "version"          → u32, the version of the rows; missing in version 1
//! "applied", u16 BE  → offset u64 │ chain hash 16
//! ```

use answerback_directory::partition_table::PartitionSecret;
use answerback_directory::ports::Applied;
use answerback_proto::id::{Generation, Offset, PartitionId};
use answerback_proto::record::ChainHash;

/// What was fixed when a data directory was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// How many partitions there are; never changes.
    pub partitions: u16,
    /// Counts restores, from 1.
    pub generation: Generation,
    /// Places ids on partitions; never changes.
    pub secret: PartitionSecret,
}

pub(crate) const BOX_KEY: &[u8] = b"box";
pub(crate) const VERSION_KEY: &[u8] = b"version";

impl Meta {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.partitions.to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.generation.0.to_le_bytes());
        bytes.extend_from_slice(&self.secret);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (partitions, rest) = bytes.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let partitions = u16::from_le_bytes(*partitions);
        partitions.is_power_of_two().then_some(Self {
            partitions,
            generation: Generation(u64::from_le_bytes(*generation)),
            secret: rest.try_into().ok()?,
        })
    }
}

/// The key of a partition's `applied`.
pub(crate) fn applied_key(partition: PartitionId) -> Vec<u8> {
    [b"applied".as_slice(), &partition.0.to_be_bytes()].concat()
}

pub(crate) fn applied_to_bytes(applied: Applied) -> [u8; 24] {
    let mut bytes = [0; 24];
    let (offset, chain) = bytes.split_at_mut(8);
    offset.copy_from_slice(&applied.offset.0.to_le_bytes());
    chain.copy_from_slice(&applied.chain.0);
    bytes
}

pub(crate) fn applied_from_bytes(bytes: &[u8]) -> Option<Applied> {
    let (offset, chain) = bytes.split_first_chunk()?;
    let chain = ChainHash(chain.try_into().ok()?);
    Some(Applied { offset: Offset(u64::from_le_bytes(*offset)), chain })
}
