//! What a crash, a restart or a checkpoint may not change.

use answerback_proto::record::Corrupt;

use super::*;
use crate::recovery::Unapplied;

#[test]
fn a_new_device_starts_there_after_a_restart_too() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.send(a, B, 2);
    at.settle();
    at.ack(b, 2);
    at.settle();
    at.checkpoint();
    at.restart();
    let laptop = at.connect(B, LAPTOP, 0);
    assert_eq!(at.opened(laptop).cursor, Position(2));
}

#[test]
fn a_part_that_was_taken_is_confirmed_again_and_not_journaled() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.settle();
    let part = DeliveredPart {
        source: at.table.partition_of(B).0,
        generation: 1,
        number: 1,
        previous: 0,
        user: A.0,
        peer: B.0,
        device: PHONE.0,
        up_to: 1,
        delivered_at_ms: 0,
    };
    at.home(A).handle_mail(Mail::Delivered(part));
    assert_eq!(at.home(A).pending().records, 0);
    let (by, up_to) = (at.table.partition_of(A), PartNumber(1));
    let mail = Mail::Confirm { by, up_to };
    let to = at.table.partition_of(B);
    assert_eq!(at.home(A).poll_effect(0), Some(Effect::Mail { to, mail }));
}

#[test]
fn what_was_journaled_and_not_applied_is_there_after_a_crash() {
    let (mut at, a, _) = pair();
    at.send(a, B, 1);
    at.journal();
    at.restart();
    let b = at.connect(B, PHONE, 0);
    assert_eq!(at.entries(b), [message(1, 0, 1)]);
    let a = at.connect(A, PHONE, 0);
    at.send(a, B, 1);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1)], "the stored decision");
    assert_eq!(at.entries(b), [], "and no second entry");
}

#[test]
fn a_receipt_that_was_only_shown_comes_after_a_crash() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.step();
    at.restart();
    at.settle();
    let a = at.connect(A, PHONE, 0);
    assert_eq!(at.entries(a), [(1, 0, "delivered 10:1".to_owned())]);
}

/// A restored box is in its generation once the record that says so is applied: what is handed
/// over before would be confirmed in the one, and expected in the other.
#[test]
fn parts_leave_only_in_the_generation_of_the_box() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.step();
    let (partition, generation) = (at.table.partition_of(B), Generation(2));
    let settings =
        ShardSettings { partition, table: at.table, generation, residency: at.residency };
    let mut shard = load_shard(&at.disk, settings).unwrap().unwrap();
    shard.handle_started(Some(&at.settings));
    let parts_by = |shard: &mut Shard, now_ms: u64| {
        shard.handle_timeout(now_ms, NOW_MS);
        let mut generations = Vec::new();
        while let Some(effect) = shard.poll_effect(now_ms) {
            if let Effect::Mail { mail: Mail::Delivered(part), .. } = effect {
                generations.push(part.generation);
            }
        }
        generations
    };
    for round in 1..=3 {
        assert_eq!(parts_by(&mut shard, round * PART_ROUND_MS), [0; 0]);
    }
    let batch = shard.take_batch(NOW_MS).unwrap();
    shard.handle_committed(batch.end()).unwrap();
    assert_eq!(parts_by(&mut shard, 4 * PART_ROUND_MS), [0; 0], "a round begins");
    assert_eq!(parts_by(&mut shard, 5 * PART_ROUND_MS), [2]);
}

/// Whatever was checkpointed when, a restart finds the state that a box without any
/// checkpoint has.
#[test]
fn checkpoints_anywhere_change_nothing() {
    let played = |checkpoint_every: usize| {
        let (mut at, mut a, mut b) = pair();
        let mut steps = 0;
        let mut tick = |at: &mut Box| {
            steps += 1;
            if steps % checkpoint_every == 0 {
                at.checkpoint();
                at.restart();
                return true;
            }
            false
        };
        for sequence in 1..=40 {
            at.send(a, B, sequence);
            at.settle();
            if sequence % 3 == 0 {
                at.ack(b, sequence - 1);
                at.settle();
            }
            if tick(&mut at) {
                a = at.connect(A, PHONE, 0);
                b = at.connect(B, PHONE, 0);
            }
        }
        at.restart();
        let b = at.connect(B, PHONE, 0);
        let a = at.connect(A, PHONE, 0);
        let receipt = at.entries(a).pop().map(|(_, _, what)| what);
        let entries: Vec<_> =
            at.entries(b).into_iter().map(|(position, _, what)| (position, what)).collect();
        (entries, receipt)
    };
    let without = played(usize::MAX);
    assert_eq!(without.0.len(), 2);
    for every in [1, 2, 3, 7, 20] {
        assert_eq!(played(every), without, "a checkpoint and restart every {every} messages");
    }
}

#[test]
fn a_row_or_batch_that_does_not_belong_is_a_fault() {
    let (mut at, a, _) = pair();
    at.send(a, B, 1);
    at.settle();
    let partition = at.table.partition_of(B);
    let batches: Vec<_> =
        at.disk.journal.iter().filter(|batch| batch.partition() == partition).cloned().collect();
    let settings = ShardSettings {
        partition,
        table: at.table,
        generation: Generation(1),
        residency: Residency::default(),
    };
    let mut shard = Shard::new(settings);
    let replayed = shard.replay(batches.last().unwrap(), &at.disk);
    assert!(matches!(replayed, Err(Unapplied::Corrupt(Corrupt::Checksum))));
    let foreign = (partition.0 + 1).to_be_bytes();
    assert!(shard.load_row(Table::Partition, &foreign, &[0; 8]).is_err());
    assert!(shard.load_row(Table::Partition, &partition.0.to_be_bytes(), &[0; 7]).is_err());
    assert!(shard.load_row(Table::Inbox, &partition.0.to_be_bytes(), &[0; 40]).is_err());
}

/// A checkpoint of nobody is under way like any other: a second one would be told written
/// when the first is.
#[test]
fn one_checkpoint_is_under_way_whoever_is_in_it() {
    let mut at = Box::new();
    assert!(at.home(A).can_freeze());
    at.home(A).freeze();
    assert!(!at.home(A).can_freeze());
    at.home(A).handle_checkpointed();
    assert!(at.home(A).can_freeze());
}

/// As a command on a stopped box does.
#[test]
fn a_start_without_settings_leaves_those_that_are_journaled() {
    let settings = Settings { devices_max: 3, ..SETTINGS };
    let at = Box::with(settings.clone());
    let table = at.table;
    let (partition, generation, residency) = (PartitionId(0), Generation(1), at.residency);
    let mut shard = load_shard(&at.disk, ShardSettings { partition, table, generation, residency })
        .unwrap()
        .unwrap();
    shard.handle_started(None);
    assert_eq!((shard.settings(), shard.pending().records), (&settings, 0));
    shard.handle_started(Some(&SETTINGS));
    assert_eq!(shard.pending().records, 1);
}
