//! Which partition an id belongs to, and which core of this box drives a partition.

use std::hash::Hasher;

use answerback_proto::id::{PartitionId, UserId};
use siphasher::sip::SipHasher13;

/// A secret of the deployment: who knows it can choose ids that fall into one partition.
pub type PartitionSecret = [u8; 16];

const USER: u8 = 1;

/// The partitions of a deployment, and the cores of this box that drive them.
#[derive(Clone, Copy, Debug)]
pub struct PartitionTable {
    hasher: SipHasher13,
    partitions: u16,
    cores: u16,
}

impl PartitionTable {
    /// `partitions` is a power of two, fixed when the deployment was created; `cores` ≥ 1.
    pub fn new(secret: &PartitionSecret, partitions: u16, cores: u16) -> Self {
        assert!(partitions.is_power_of_two() && cores > 0);
        Self { hasher: SipHasher13::new_with_key(secret), partitions, cores }
    }

    /// The home partition of a user.
    #[inline]
    pub fn partition_of(&self, user: UserId) -> PartitionId {
        let mut hasher = self.hasher;
        hasher.write_u8(USER);
        hasher.write(&user.0.to_le_bytes());
        PartitionId((hasher.finish() & u64::from(self.partitions - 1)) as u16)
    }

    /// The core of this box that drives a partition.
    #[inline]
    pub fn core_of(&self, partition: PartitionId) -> u16 {
        partition.0 % self.cores
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> u16 {
        self.partitions
    }

    /// The partitions that a core drives.
    pub fn partitions_of(&self, core: u16) -> impl Iterator<Item = PartitionId> + use<> {
        (core..self.partitions).step_by(usize::from(self.cores)).map(PartitionId)
    }
}
