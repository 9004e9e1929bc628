//! The queues: numbers, folds, what is taken.

use super::*;

fn delivered(user: u128, up_to: u64) -> PartBody {
    let about = About { user: UserId(user), peer: UserId(9), device: DeviceId(1) };
    PartBody::Delivered { about, up_to, delivered_at_ms: 0, except: Vec::new() }
}

fn numbers(outgoing: &Outgoing, sent: u64) -> Vec<(u64, u64)> {
    outgoing.behind(PartNumber(sent)).map(|(number, previous, _)| (number.0, previous.0)).collect()
}

fn part(number: u64, previous: u64) -> PartNumbers {
    PartNumbers {
        generation: Generation(1),
        number: PartNumber(number),
        previous: PartNumber(previous),
    }
}

#[test]
fn a_folded_part_takes_the_next_number_and_names_the_one_before_it() {
    let mut outgoing = Outgoing::default();
    outgoing.push(delivered(1, 1));
    outgoing.push(delivered(2, 1));
    outgoing.push(delivered(1, 2));
    assert_eq!(numbers(&outgoing, 0), [(2, 0), (3, 2)]);
    outgoing.confirm(PartNumber(2));
    assert_eq!(numbers(&outgoing, 0), [(3, 2)]);
    outgoing.push(delivered(1, 3));
    assert_eq!(numbers(&outgoing, 3), [(4, 2)]);
}

#[test]
fn receipts_of_a_message_to_a_group_add_up_and_hold_up_no_word() {
    let about = About { user: UserId(1), peer: UserId(9), device: DeviceId(1) };
    let receipt = |sequence, version, slot| PartBody::GroupReceipt {
        about,
        sequence,
        version,
        bits: SlotBits::of(slot, false),
    };
    let mut outgoing = Outgoing::default();
    for (sequence, version, slot) in [(1, 1, 3), (2, 1, 3), (1, 2, 3), (1, 1, 4)] {
        outgoing.push(receipt(sequence, version, slot));
    }
    assert_eq!(numbers(&outgoing, 0), [(2, 0), (3, 2), (4, 3)]);
    let (.., last) = outgoing.behind(PartNumber(3)).next().unwrap();
    let PartBody::GroupReceipt { bits, .. } = last else { panic!("{last:?}") };
    assert_eq!(bits.delivered(), [0b1_1000]);
    (1..=GROUP_PARTS_MAX as u64).for_each(|number| outgoing.push(receipt(9 + number, 1, 0)));
    assert!(!outgoing.is_full_of_groups());
    outgoing.confirm(PartNumber(4));
    assert_eq!(outgoing.count(), GROUP_PARTS_MAX);
}

#[test]
fn a_part_is_taken_once_whether_its_older_one_came_or_not() {
    let mut came = Incoming::default();
    assert!(came.take(part(5, 0)) && came.take(part(9, 4)));
    let mut lost = Incoming::default();
    assert!(lost.take(part(9, 0)) && !lost.take(part(5, 0)) && !lost.take(part(9, 0)));
}

#[test]
fn a_part_behind_a_lost_one_is_not_taken() {
    let mut incoming = Incoming::default();
    assert!(!incoming.take(part(3, 2)));
    assert!(incoming.take(part(2, 0)) && incoming.take(part(3, 2)));
}

#[test]
fn another_generation_counts_anew_and_an_older_one_not_at_all() {
    let mut incoming = Incoming::default();
    assert!(incoming.take(part(7, 0)));
    let newer =
        |number, previous| PartNumbers { generation: Generation(2), ..part(number, previous) };
    assert!(!incoming.take(newer(6, 5)), "one before it may be on its way");
    assert!(incoming.take(newer(5, 0)) && incoming.take(newer(6, 5)));
    assert!(!incoming.take(part(8, 7)));
}

#[test]
fn what_waits_in_a_restored_queue_begins_its_numbers_anew() {
    let mut outgoing = Outgoing::default();
    (1..=3).for_each(|user| outgoing.push(delivered(user, 1)));
    outgoing.confirm(PartNumber(1));
    outgoing.forget_confirmed();
    assert_eq!(numbers(&outgoing, 0), [(2, 0), (3, 2)]);
}

#[test]
fn a_confirmation_beyond_what_was_given_changes_nothing() {
    let mut outgoing = Outgoing::default();
    outgoing.push(delivered(1, 1));
    outgoing.confirm(PartNumber(2));
    assert_eq!(numbers(&outgoing, 0), [(1, 0)]);
}

#[test]
fn a_part_that_died_between_two_checkpoints_is_never_written() {
    let mut outgoing = Outgoing::default();
    outgoing.push(delivered(1, 1));
    outgoing.push(delivered(1, 2));
    let unstored = |outgoing: &Outgoing| {
        outgoing.behind(outgoing.stored_up_to()).map(|(number, ..)| number.0).collect::<Vec<_>>()
    };
    assert_eq!((unstored(&outgoing), outgoing.removed()), (vec![2], [].as_slice()));
    outgoing.forget_changes();
    outgoing.push(delivered(1, 3));
    assert_eq!((unstored(&outgoing), outgoing.removed()), (vec![3], [PartNumber(2)].as_slice()));
    outgoing.forget_changes();
    assert!(!outgoing.changed() && unstored(&outgoing).is_empty());
}
