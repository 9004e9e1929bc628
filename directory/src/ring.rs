//! Consistent hashing: which box of a fleet owns a partition, and which stands by.
//!
//! Every box has [`POINTS_PER_BOX`] points on a circle of 64 bits, every partition one
//! place. The next point at or behind a partition's place is its owner's; the next one of
//! another box is its standby's. So when the owner leaves, the standby is the owner, and
//! nothing else moves:
//!
//! ```text
//!  0 ──A──────B──p──A────A──C─────B── 2⁶⁴, and round again
//!                │  │       └ the next of another box: C stands by for p
//!                │  └ the next point: A owns p
//!                └ the place of partition p
//! ```
//!
//! Places are a keyed hash of ids alone: boxes that agree on who is there agree on the
//! whole table, whatever they went through before. Asked for once a membership, not for
//! each message: [`Ring::table`] resolves it into a plain array.

use std::hash::Hasher;

use answerback_proto::id::PartitionId;
use siphasher::sip::SipHasher13;

use crate::partition_table::PartitionSecret;

/// Points of each box. More even out the shares: with 256, over 1024 partitions and up to
/// 8 boxes, each holds between a half and one and a half times its equal share. Over few
/// partitions chance decides: 16 on three boxes may fall as 10, 4 and 2.
pub const POINTS_PER_BOX: u32 = 256;

/// A gateway process of the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoxId(pub u64);

/// What is hashed, so that a box and a partition of one number have different places.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Place {
    BoxPoint = 0xb0,
    Partition = 0xb1,
}

/// The boxes of a fleet on their circle.
#[derive(Clone, Debug)]
pub struct Ring {
    hasher: SipHasher13,
    /// In order of place.
    points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    place: u64,
    owner: BoxId,
}

impl Ring {
    /// The ring of these boxes; neither their order nor a repetition matters.
    pub fn new(secret: &PartitionSecret, boxes: impl IntoIterator<Item = BoxId>) -> Self {
        let hasher = SipHasher13::new_with_key(secret);
        let mut points: Vec<_> =
            boxes.into_iter().flat_map(|owner| points_of(owner, hasher)).collect();
        points.sort_unstable();
        points.dedup();
        Self { hasher, points }
    }

    /// The box that drives a partition; none where there are no boxes.
    pub fn owner(&self, partition: PartitionId) -> Option<BoxId> {
        self.behind(partition).next()
    }

    /// The box that would drive it if its owner left; none where that is the only one.
    pub fn standby(&self, partition: PartitionId) -> Option<BoxId> {
        let mut behind = self.behind(partition);
        let owner = behind.next()?;
        behind.find(|&other| other != owner)
    }

    /// The owner of each partition, by its number; empty where there are no boxes.
    pub fn table(&self, partitions: u16) -> Vec<BoxId> {
        (0..partitions).filter_map(|number| self.owner(PartitionId(number))).collect()
    }

    /// The owners of all points, from a partition's place once round the circle.
    fn behind(&self, partition: PartitionId) -> impl Iterator<Item = BoxId> {
        let place = place_of(self.hasher, Place::Partition, u64::from(partition.0), 0);
        let start = self.points.partition_point(|point| point.place < place);
        let (before, behind) = self.points.split_at(start);
        behind.iter().chain(before).map(|point| point.owner)
    }
}

fn points_of(owner: BoxId, hasher: SipHasher13) -> impl Iterator<Item = Point> {
    (0..POINTS_PER_BOX)
        .map(move |index| Point { place: place_of(hasher, Place::BoxPoint, owner.0, index), owner })
}

/// Frozen: boxes of two versions must agree.
fn place_of(mut hasher: SipHasher13, kind: Place, id: u64, index: u32) -> u64 {
    hasher.write_u8(kind as u8);
    hasher.write(&id.to_le_bytes());
    hasher.write(&index.to_le_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: PartitionSecret = *b"a test's secret!";

    fn ring(boxes: &[u64]) -> Ring {
        Ring::new(&SECRET, boxes.iter().map(|&id| BoxId(id)))
    }

    #[test]
    fn the_table_is_the_same_in_every_version() {
        let table: Vec<u64> = ring(&[1, 2, 3]).table(16).iter().map(|owner| owner.0).collect();
        assert_eq!(table, [1, 1, 2, 1, 2, 1, 1, 2, 1, 3, 1, 1, 1, 1, 3, 2]);
    }

    #[test]
    fn a_ring_without_boxes_owns_nothing() {
        let ring = ring(&[]);
        assert_eq!(ring.owner(PartitionId(0)), None);
        assert_eq!(ring.standby(PartitionId(0)), None);
        assert_eq!(ring.table(16), []);
    }

    #[test]
    fn a_box_alone_owns_all_and_has_no_standby() {
        let ring = ring(&[7]);
        assert_eq!(ring.table(16), [BoxId(7); 16]);
        assert_eq!(ring.standby(PartitionId(3)), None);
    }
}
