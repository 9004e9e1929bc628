//! What a ring promises to a fleet whose boxes come and go.

use std::collections::{BTreeMap, BTreeSet};

use answerback_directory::ring::{BoxId, Ring};
use answerback_proto::id::PartitionId;
use proptest::prelude::*;

const PARTITIONS: u16 = 256;

fn fleet() -> impl Strategy<Value = BTreeSet<u64>> {
    proptest::collection::btree_set(any::<u64>(), 2..12)
}

fn ring(secret: &[u8; 16], boxes: &BTreeSet<u64>) -> Ring {
    Ring::new(secret, boxes.iter().map(|&id| BoxId(id)))
}

fn partitions() -> impl Iterator<Item = PartitionId> {
    (0..PARTITIONS).map(PartitionId)
}

proptest! {
    #[test]
    fn a_leaving_box_moves_only_its_own_and_to_their_standbys(
        secret: [u8; 16], boxes in fleet(), leaver: prop::sample::Index,
    ) {
        let before = ring(&secret, &boxes);
        let leaver = *leaver.get(&Vec::from_iter(&boxes));
        let rest = boxes.iter().copied().filter(|id| id != leaver).collect();
        let after = ring(&secret, &rest);
        for partition in partitions() {
            let owner = before.owner(partition);
            let expected = if owner == Some(BoxId(*leaver)) { before.standby(partition) } else { owner };
            prop_assert_eq!(after.owner(partition), expected);
        }
    }

    #[test]
    fn a_joining_box_takes_only_for_itself(secret: [u8; 16], boxes in fleet(), joiner: u64) {
        prop_assume!(!boxes.contains(&joiner));
        let before = ring(&secret, &boxes);
        let mut more = boxes;
        more.insert(joiner);
        let after = ring(&secret, &more);
        for partition in partitions() {
            let owner = after.owner(partition);
            prop_assert!(owner == before.owner(partition) || owner == Some(BoxId(joiner)));
        }
    }

    #[test]
    fn a_standby_is_another_box(secret: [u8; 16], boxes in fleet()) {
        let ring = ring(&secret, &boxes);
        for partition in partitions() {
            prop_assert!(ring.standby(partition).is_some());
            prop_assert_ne!(ring.standby(partition), ring.owner(partition));
        }
    }

    #[test]
    fn order_and_repetition_of_boxes_do_not_matter(
        secret: [u8; 16], boxes in proptest::collection::vec(0_u64..20, 1..12),
    ) {
        let listed = Ring::new(&secret, boxes.iter().rev().chain(&boxes).map(|&id| BoxId(id)));
        let sorted = ring(&secret, &boxes.into_iter().collect());
        prop_assert_eq!(listed.table(PARTITIONS), sorted.table(PARTITIONS));
    }

    #[test]
    fn the_table_says_what_the_ring_says(secret: [u8; 16], boxes in fleet()) {
        let ring = ring(&secret, &boxes);
        let owners: Vec<_> = partitions().filter_map(|partition| ring.owner(partition)).collect();
        prop_assert_eq!(ring.table(PARTITIONS), owners);
    }
}

/// The bound that `POINTS_PER_BOX` states, over many secrets.
#[test]
fn shares_lie_between_a_half_and_one_and_a_half() {
    for seed in 0..64_u8 {
        for count in 2..=8_u64 {
            let table = ring(&[seed; 16], &(1..=count).collect()).table(1024);
            let mut shares = BTreeMap::new();
            for owner in table {
                *shares.entry(owner).or_insert(0) += 1;
            }
            assert_eq!(shares.len() as u64, count);
            for (owner, share) in shares {
                let ratio = f64::from(share) * count as f64 / 1024.0;
                assert!((0.5..=1.5).contains(&ratio), "seed {seed}: {owner:?} of {count}: {ratio}");
            }
        }
    }
}
