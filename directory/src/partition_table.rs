//! Which partition an id belongs to, and which core of this box drives a partition.

use std::hash::Hasher;

use answerback_proto::id::{GroupId, PartitionId, UserId};
use answerback_proto::kind::{CreateGroup, Kind};
use answerback_proto::limits::PARTITIONS_MAX;
use siphasher::sip::SipHasher13;

/// A secret of the deployment: who knows it can choose ids that fall into one partition.
pub type PartitionSecret = [u8; 16];

/// The type that is hashed with an id, so that a user and a group of one number part ways.
const USER: u8 = 1;
const GROUP: u8 = 2;
/// What makes a group's id of its creator and his number of it: the two halves.
const GROUP_ID: [u8; 2] = [3, 4];

/// The partitions of a deployment, and the cores of this box that drive them.
#[derive(Clone, Copy, Debug)]
pub struct PartitionTable {
    hasher: SipHasher13,
    partitions: u16,
    cores: u16,
}

impl PartitionTable {
    /// `partitions` is a power of two ≤ 1024, fixed when the deployment was created;
    /// `cores` ≥ 1.
    ///
    /// # Panics
    /// With any other numbers: they come from the operator, checked, and never from a peer.
    pub fn new(secret: &PartitionSecret, partitions: u16, cores: u16) -> Self {
        assert!(partitions.is_power_of_two() && partitions <= PARTITIONS_MAX && cores > 0);
        Self { hasher: SipHasher13::new_with_key(secret), partitions, cores }
    }

    /// The home partition of a user. Frozen: the state on disk lies where it says.
    #[inline]
    pub fn partition_of(&self, user: UserId) -> PartitionId {
        self.home(USER, user)
    }

    /// The home partition of a group. Frozen, as a user's.
    #[inline]
    pub fn home_of_group(&self, group: UserId) -> PartitionId {
        self.home(GROUP, group)
    }

    /// In one piece: the hasher is slower where it is fed several.
    #[inline]
    fn home(&self, of: u8, id: UserId) -> PartitionId {
        let mut bytes = [of; 1 + size_of::<u128>()];
        bytes.iter_mut().skip(1).zip(id.0.to_le_bytes()).for_each(|(to, from)| *to = from);
        PartitionId((self.hasher.hash(&bytes) & u64::from(self.partitions - 1)) as u16)
    }

    /// The id of the group that a user makes under a number of his own. Frozen. Nobody without
    /// the secret can find another's.
    pub fn group_of(&self, creator: UserId, nonce: u128) -> GroupId {
        let half = |kind: u8| {
            let mut hasher = self.hasher;
            hasher.write_u8(kind);
            hasher.write(&creator.0.to_le_bytes());
            hasher.write(&nonce.to_le_bytes());
            u128::from(hasher.finish())
        };
        let [low, high] = GROUP_ID.map(half);
        GroupId((high << 64 | low).max(1))
    }

    /// The home of what a request is about, which the kind says; of one that cannot be read,
    /// any.
    #[inline]
    pub fn home_of_request(
        &self,
        kind: Kind,
        asking: UserId,
        target: UserId,
        envelope: &[u8],
    ) -> PartitionId {
        match kind {
            Kind::GroupSend
            | Kind::GroupSkip
            | Kind::ChangeMembers
            | Kind::RenameGroup
            | Kind::DescribeGroup
            | Kind::SetGroupReceipts => self.home_of_group(target),
            Kind::CreateGroup => CreateGroup::read(envelope).map_or(PartitionId(0), |create| {
                self.home_of_group(self.group_of(asking, create.0.nonce).as_peer())
            }),
            _ => self.partition_of(target),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: PartitionSecret = *b"a test's secret!";

    #[test]
    fn homes_are_the_same_in_every_version() {
        let table = PartitionTable::new(&SECRET, 16, 1);
        let users = [0, 1, 2, 3, 491_701_234_567, u128::MAX];
        let homes = users.map(|user| table.partition_of(UserId(user)).0);
        assert_eq!(homes, [7, 15, 0, 12, 12, 15]);
    }

    #[test]
    fn a_group_s_id_and_home_are_the_same_in_every_version() {
        let table = PartitionTable::new(&SECRET, 16, 1);
        let group = table.group_of(UserId(1), 7);
        assert_eq!(group, table.group_of(UserId(1), 7));
        assert_ne!(group, table.group_of(UserId(2), 7));
        assert_ne!(group, table.group_of(UserId(1), 8));
        let homes = [1, 2, 3, 4].map(|id| table.home_of_group(UserId(id)).0);
        assert_ne!(homes, [1, 2, 3, 4].map(|id| table.partition_of(UserId(id)).0));
    }

    #[test]
    fn another_secret_is_another_placing() {
        let homes = |secret| {
            let table = PartitionTable::new(secret, 1024, 1);
            [1, 2, 3, 4].map(|user| table.partition_of(UserId(user)))
        };
        assert_ne!(homes(&SECRET), homes(b"another's secret"));
    }

    /// Account numbers and telephone numbers come in a row.
    #[test]
    fn ids_in_a_row_spread_evenly() {
        for partitions in [1, 16, 1024] {
            let table = PartitionTable::new(&SECRET, partitions, 1);
            let mut counts = vec![0_u32; usize::from(partitions)];
            for user in 0..1000 * u128::from(partitions) {
                counts[usize::from(table.partition_of(UserId(user)).0)] += 1;
            }
            assert!(counts.iter().all(|count| (800..=1200).contains(count)), "{counts:?}");
        }
    }

    #[test]
    fn each_partition_has_one_core_and_no_core_much_more_than_another() {
        for cores in [1, 2, 3, 4, 16, 20] {
            let table = PartitionTable::new(&SECRET, 16, cores);
            let mut driven: Vec<_> = Vec::new();
            let mut counts: Vec<_> = Vec::new();
            for core in 0..cores {
                let own: Vec<_> = table.partitions_of(core).collect();
                assert!(own.iter().all(|&partition| table.core_of(partition) == core));
                counts.push(own.len());
                driven.extend(own);
            }
            driven.sort_unstable();
            assert_eq!(driven, (0..16).map(PartitionId).collect::<Vec<_>>());
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    #[should_panic(expected = "is_power_of_two")]
    fn a_number_of_partitions_that_a_mask_cannot_cut_is_refused() {
        PartitionTable::new(&SECRET, 12, 1);
    }
}
