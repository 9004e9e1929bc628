//! Who has the user's messages to a group, and who has read what.

use answerback_proto::kind::{change, role_and_slot};

use super::groups::{CAROL, GROUP, changed, entry, said};
use super::*;
use crate::storage::{GroupRead, MemberState};

const DAVE: u128 = 4;

/// A group of three, of whom this is the first.
fn in_a_group(storage: &mut Storage) {
    let members = [(1, role_and_slot(2, 0)), (2, role_and_slot(0, 1)), (3, role_and_slot(0, 2))];
    record(storage, &[changed(1, 1, change::CREATED, &members, "walkers")]);
    let drafts = (0..2).map(|_| Draft::to_group(GROUP, 1, b"hello all".to_vec()));
    storage.queue(drafts).unwrap();
    let accepted = |sequence| {
        let peer = GROUP.as_peer();
        Event::Accepted { peer, sequence: Sequence(sequence), accepted_at_ms: 10 + sequence }
    };
    record(storage, &[accepted(1), accepted(2)]);
}

fn receipt(position: u64, sequence: u64, version: u32, delivered: u8, read: u8) -> Event {
    let (delivered, read) = (vec![delivered], vec![read]);
    let (device, sequence) = (PHONE, Sequence(sequence));
    entry(position, EntryBody::GroupReceipt { device, sequence, version, delivered, read })
}

/// Of a message of this device: each member and how far it is there, and how far it is as a whole.
fn fate(storage: &Storage, sequence: u64) -> (Vec<(u128, MemberState)>, SentState) {
    let of_members = storage.member_receipts(GROUP, PHONE, Sequence(sequence)).unwrap();
    let message = storage.message(GROUP.as_peer(), ALICE, PHONE, Sequence(sequence)).unwrap();
    let Fate::Sent(state) = message.unwrap().fate else { panic!("it is the user's") };
    (of_members.iter().map(|member| (member.user.0, member.state)).collect(), state)
}

#[test]
fn a_message_is_delivered_once_all_have_it_and_read_once_all_have_read_it() {
    use MemberState::{Accepted, Delivered, Read};
    let file = File::new();
    let mut storage = file.open();
    in_a_group(&mut storage);
    assert_eq!(fate(&storage, 1), (vec![], SentState::Accepted), "nothing is told yet");
    record(&mut storage, &[receipt(2, 1, 1, 0b010, 0b010)]);
    assert_eq!(fate(&storage, 1), (vec![(2, Read), (3, Accepted)], SentState::Accepted));
    record(&mut storage, &[receipt(3, 1, 1, 0b100, 0)]);
    assert_eq!(fate(&storage, 1), (vec![(2, Read), (3, Delivered)], SentState::Delivered));
    record(&mut storage, &[receipt(4, 1, 1, 0b110, 0b100)]);
    assert_eq!(fate(&storage, 1), (vec![(2, Read), (3, Read)], SentState::Read));
    assert_eq!(fate(&storage, 2).1, SentState::Accepted, "the other is another");
    drop(storage);
    let storage = file.open();
    assert_eq!(fate(&storage, 1).1, SentState::Read);
    let last = storage.chat(GROUP.as_peer(), 2).unwrap();
    let states: Vec<_> = last.iter().map(|message| message.fate).collect();
    assert_eq!(states, [Fate::Sent(SentState::Read), Fate::Sent(SentState::Accepted)]);
}

#[test]
fn who_does_not_get_it_is_not_waited_for() {
    let file = File::new();
    let mut storage = file.open();
    in_a_group(&mut storage);
    let (device, sequence, members) = (PHONE, Sequence(1), vec![(CAROL, 6004)]);
    let failed = entry(2, EntryBody::GroupFailed { device, sequence, members });
    record(&mut storage, &[failed, receipt(3, 1, 1, 0b110, 0)]);
    let (members, state) = fate(&storage, 1);
    let failed = MemberState::Failed { code: 6004 };
    assert_eq!(members, [(2, MemberState::Delivered), (3, failed)], "which is final");
    assert_eq!(state, SentState::Delivered);
}

#[test]
fn a_slot_that_was_left_is_anothers_only_in_a_later_version() {
    use MemberState::{Accepted, Delivered};
    let file = File::new();
    let mut storage = file.open();
    in_a_group(&mut storage);
    // The second message is one of version 3, of which this device has not heard yet.
    record(&mut storage, &[receipt(2, 1, 1, 0b100, 0), receipt(3, 2, 3, 0b100, 0)]);
    assert_eq!(fate(&storage, 2).0, []);
    let left = changed(4, 2, change::REMOVED, &[(3, role_and_slot(0, 2))], "");
    let added = changed(5, 3, change::ADDED, &[(DAVE, role_and_slot(0, 2))], "");
    record(&mut storage, &[left, added]);
    assert_eq!(fate(&storage, 1).0, [(2, Accepted), (3, Delivered)]);
    assert_eq!(fate(&storage, 2).0, [(2, Accepted), (DAVE, Delivered)]);
}

#[test]
fn what_happened_while_nothing_was_told_is_credited_to_nobody() {
    let file = File::new();
    let mut storage = file.open();
    in_a_group(&mut storage);
    // Away from version 1 to 5: somebody else may have had the slot in between.
    let members = [(1, role_and_slot(2, 0)), (DAVE, role_and_slot(0, 2))];
    record(&mut storage, &[changed(2, 5, change::JOINED, &members, "walkers")]);
    record(&mut storage, &[receipt(3, 1, 3, 0b100, 0), receipt(4, 2, 5, 0b100, 0)]);
    assert_eq!(fate(&storage, 1).0, []);
    assert_eq!(fate(&storage, 2).0, [(DAVE, MemberState::Delivered)]);
}

#[test]
fn a_group_is_read_up_to_a_place_on_all_devices() {
    let file = File::new();
    let mut storage = file.open();
    let read = |up_to| Some(GroupRead { group: GROUP, up_to: Position(up_to) });
    let unread = |storage: &Storage| storage.open_counts(GROUP.as_peer()).unwrap().0;
    record(&mut storage, &[opened(1, 0)]);
    record(&mut storage, &[said(1, BOB, 22, 1), said(2, CAROL, 33, 1), said(3, BOB, 22, 2)]);
    let carols = Some((CAROL, DeviceId(33), Sequence(1)));
    assert_eq!(storage.read_group(GROUP, carols).unwrap(), read(2), "and what came before it");
    assert_eq!(unread(&storage), 1);
    assert_eq!(storage.read_group(GROUP, carols).unwrap(), None, "nothing new");
    assert_eq!(storage.unnoted_group_reads().unwrap(), [read(2).unwrap()]);
    assert_eq!(storage.read_group(GROUP, None).unwrap(), read(3));
    storage.note_group_read(read(2).unwrap()).unwrap();
    assert_eq!(storage.unnoted_group_reads().unwrap(), [read(3).unwrap()], "that was less");
    storage.note_group_read(read(3).unwrap()).unwrap();
    assert_eq!(storage.unnoted_group_reads().unwrap(), []);
    record(&mut storage, &[said(4, BOB, 22, 3), said(5, CAROL, 33, 2)]);
    let elsewhere = |up_to| {
        let (up_to, read_at_ms) = (Position(up_to), 8);
        entry(6, EntryBody::GroupReadElsewhere { up_to, read_at_ms })
    };
    record(&mut storage, &[elsewhere(4)]);
    assert_eq!(unread(&storage), 1);
    let bobs = Some((BOB, DeviceId(22), Sequence(3)));
    assert_eq!(storage.read_group(GROUP, bobs).unwrap(), None, "the server knows that");
}

/// A restored box counts positions anew: those from before say nothing to it.
#[test]
fn a_place_of_another_generation_is_not_said() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[opened(1, 0)]);
    record(&mut storage, &[said(500, BOB, 22, 1)]);
    assert!(storage.read_group(GROUP, None).unwrap().is_some());
    record(&mut storage, &[opened(2, 0)]);
    assert_eq!(storage.unnoted_group_reads().unwrap(), []);
    assert_eq!(storage.read_group(GROUP, None).unwrap(), None);
    record(&mut storage, &[said(7, BOB, 22, 2)]);
    let read = storage.read_group(GROUP, None).unwrap().map(|read| read.up_to);
    assert_eq!(read, Some(Position(7)));
    assert_eq!(storage.open_counts(GROUP.as_peer()).unwrap().0, 0);
}

#[test]
fn what_is_erased_of_a_group_takes_its_receipts_along() {
    let file = File::new();
    let mut storage = file.open();
    in_a_group(&mut storage);
    record(&mut storage, &[receipt(2, 1, 1, 0b110, 0)]);
    storage.delete_chat(GROUP.as_peer()).unwrap();
    assert_eq!(storage.member_receipts(GROUP, PHONE, Sequence(1)).unwrap(), []);
}
