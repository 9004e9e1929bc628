//! What shards of a core are asked, how they break, when they are checkpointed.

use answerback_directory::ports::{Applied, EachBatch, EachRow, StateReader, StorageFault};
use answerback_directory::shard::checkpoint::Table;
use answerback_directory::shard::{Residency, SessionRef, ShardSettings};
use answerback_proto::header::Header;
use answerback_proto::id::{DeviceId, Generation};

use super::*;

const PARTITION: PartitionId = PartitionId(1);

/// Core 1 of 2, with one shard.
fn shards() -> Shards {
    let table = PartitionTable::new(b"a test's secret!", 2, 2);
    let settings = ShardSettings {
        partition: PARTITION,
        table,
        generation: Generation(1),
        residency: Residency::default(),
    };
    Shards::new(1, 2, &table, vec![Shard::new(settings)])
}

fn ask(shards: &mut Shards, partition: PartitionId, core: u16) -> Result<(), u32> {
    let session = SessionRef { core, slot: 0, generation: 0 };
    let origin = Origin { session, tag: 1, user: UserId(1), device: DeviceId(1), copies: false };
    let (kind_number, tag) = (Kind::Send.number(), 1);
    let header = Header { length: 32, kind_number, envelope_length: 0, flags: 0, tag, target: 2 };
    let frame = Frame { header, envelope: &[], payload: &[] };
    shards.handle_request(partition, Kind::Send, origin, &frame)
}

#[test]
fn a_panic_and_a_corrupt_batch_are_contained() {
    assert_eq!(contain(|| Ok(())), Ok(()));
    assert!(contain(|| Err(Corrupt::Checksum)).is_err());
    let cause = contain(|| panic!("a bug in partition {}", 3));
    assert_eq!(cause, Err("a bug in partition 3".to_owned()));
}

#[test]
fn a_partition_in_quarantine_refuses_and_says_what_it_leaves_unanswered() {
    let mut shards = shards();
    for core in [0, 0, 1, 0] {
        assert_eq!(ask(&mut shards, PARTITION, core), Ok(()));
    }
    shards.handle_answered(0, 0);
    let quarantine = shards.homes[0].quarantine("a test".to_owned());
    assert_eq!(quarantine.partition, PARTITION);
    assert_eq!(quarantine.unanswered, [2, 0], "requests of this core need no release");
    assert_eq!(ask(&mut shards, PARTITION, 0), Err(QUARANTINE_RETRY_AFTER_MS));
    assert!(shards.take_batches(1).is_empty());
    assert_eq!(shards.poll_timeout(), None);
}

#[test]
fn a_shard_is_asked_once_however_often_it_was_touched() {
    let mut shards = shards();
    assert_eq!(shards.next_touched(), Some(0), "all are looked at once");
    assert_eq!(shards.next_touched(), None);
    assert!(shards.touch(PARTITION).is_some());
    assert!(shards.touch(PARTITION).is_some());
    assert!(shards.touch(PartitionId(0)).is_none(), "another core's");
    assert_eq!(shards.next_touched(), Some(0));
    assert_eq!(shards.next_touched(), None);
}

/// When a shard is checkpointed in which as many users were added at time 0.
fn checkpoint_due_ms(users: usize, period_ms: u64, bytes_max: usize) -> Option<u64> {
    let mut shards = shards();
    for user in 1..=users as u128 {
        shards.touch(PARTITION)?.handle_add_user(UserId(user), 1);
    }
    assert_eq!(shards.take_batches(1).len(), 1);
    assert!(shards.handle_committed().is_empty());
    while let Some(home) = shards.next_touched() {
        while let Some(effect) = shards.poll_effect(home, 0) {
            if let Effect::Load(load) = effect {
                let loaded = load.read(&NoDisk).unwrap();
                assert!(shards.handle_loaded(loaded).is_none());
            }
        }
        shards.refresh(home, 0);
    }
    shards.checkpoint_due_ms(period_ms, bytes_max)
}

#[test]
fn a_checkpoint_of_many_users_who_changed_a_little_waits_longer() {
    assert_eq!(checkpoint_due_ms(MANY_CHANGED_USERS - 1, 1000, 1 << 30), Some(1000));
    let longer = Some(1000 * CHECKPOINT_PERIODS_MAX);
    assert_eq!(checkpoint_due_ms(MANY_CHANGED_USERS, 1000, 1 << 30), longer);
    assert_eq!(checkpoint_due_ms(MANY_CHANGED_USERS, 1000, 100), Some(0), "a long journal");
    assert_eq!(checkpoint_due_ms(MANY_CHANGED_USERS, 0, 1 << 30), Some(0), "the last one");
}

/// A disk without anything.
struct NoDisk;

impl StateReader for NoDisk {
    fn applied(&self, _: PartitionId) -> Result<Applied, StorageFault> {
        Ok(Applied::default())
    }

    fn row(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, StorageFault> {
        Ok(None)
    }

    fn range(&self, _: Table, _: &[u8], _: &[u8], _: &mut EachRow<'_>) -> Result<(), StorageFault> {
        Ok(())
    }

    fn batches(
        &self,
        _: PartitionId,
        _: Applied,
        _: &mut EachBatch<'_>,
    ) -> Result<(), StorageFault> {
        Ok(())
    }
}
