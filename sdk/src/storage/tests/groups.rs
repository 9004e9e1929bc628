//! Groups in the file: who is in them, what came, who did not get what was sent.

use answerback_proto::id::GroupId;
use answerback_proto::kind::{change, role};

use super::*;
use crate::session::{AskId, Outcome};

pub(super) const GROUP: GroupId = GroupId(77);
pub(super) const CAROL: UserId = UserId(3);

pub(super) fn entry(position: u64, body: EntryBody) -> Event {
    Event::Entry(Entry { position: Position(position), peer: GROUP.as_peer(), body })
}

pub(super) fn changed(
    position: u64,
    version: u32,
    change: u16,
    members: &[(u128, u16)],
    name: &str,
) -> Event {
    let members = members.iter().map(|&(user, role)| (UserId(user), role)).collect();
    let (actor, at_ms, name) = (BOB, 5, name.to_owned());
    let has_receipts = false;
    entry(
        position,
        EntryBody::GroupChanged { actor, at_ms, version, change, members, name, has_receipts },
    )
}

pub(super) fn said(position: u64, sender: UserId, device: u128, sequence: u64) -> Event {
    entry(
        position,
        EntryBody::GroupMessage {
            sender,
            device: DeviceId(device),
            sequence: Sequence(sequence),
            accepted_at_ms: 100 + position,
            version: 1,
            content_type: 1,
            payload: b"hello all".to_vec(),
        },
    )
}

fn members(storage: &Storage) -> Vec<(u128, u16)> {
    let group = storage.group(GROUP).unwrap().unwrap();
    group.members.iter().map(|member| (member.user.0, member.role)).collect()
}

#[test]
fn each_change_is_made_once_and_in_order() {
    let file = File::new();
    let mut storage = file.open();
    assert_eq!(storage.group(GROUP).unwrap(), None);
    let whole = [(1, role::MEMBER), (2, role::OWNER)];
    let events = [
        changed(1, 2, change::JOINED, &whole, "walkers"),
        changed(2, 3, change::ADDED, &[(3, 0), (4, 0)], ""),
        changed(3, 4, change::ROLE, &[(3, 1)], ""),
        changed(4, 5, change::REMOVED, &[(4, 0)], ""),
        changed(5, 6, change::RENAMED, &[], "runners"),
        changed(6, 3, change::ADDED, &[(9, 0)], ""),
    ];
    record(&mut storage, &events);
    drop(storage);
    let mut storage = file.open();
    assert_eq!(members(&storage), [(1, 0), (2, 2), (3, 1)]);
    let group = storage.group(GROUP).unwrap().unwrap();
    assert_eq!((group.name.as_str(), group.version, group.is_member), ("runners", 6, true));
    record(&mut storage, &[changed(7, 7, change::REMOVED, &[(1, 0)], "")]);
    assert!(!storage.group(GROUP).unwrap().unwrap().is_member);
    record(&mut storage, &[changed(8, 9, change::JOINED, &whole, "again")]);
    assert!(storage.group(GROUP).unwrap().unwrap().is_member);
    assert_eq!(members(&storage), whole);
    assert_eq!(storage.groups().unwrap(), [GROUP]);
}

/// Two members may have devices of one number, and one of them may write to this user too.
#[test]
fn what_came_to_a_group_is_no_repeat_of_anything_else() {
    let file = File::new();
    let mut storage = file.open();
    let all = [
        said(1, BOB, 22, 1),
        said(2, CAROL, 22, 1),
        message(3, 22, 1, 200),
        said(4, BOB, 22, 1),
        said(5, ALICE, 99, 1),
        said(6, ALICE, PHONE.0, 7),
    ];
    record(&mut storage, &all);
    let received = storage.to_hand_over(10).unwrap();
    let from: Vec<_> = received.iter().map(|one| (one.peer, one.sender)).collect();
    let peer = GROUP.as_peer();
    assert_eq!(from, [(peer, BOB), (peer, CAROL), (BOB, BOB)]);
    let shown = storage.chat(peer, 10).unwrap();
    let senders: Vec<_> = shown.iter().map(|one| one.sender).collect();
    assert_eq!(senders, [BOB, CAROL, ALICE], "the user's own from another device too");
    assert_eq!(storage.chat(BOB, 10).unwrap().len(), 1);
    let one = storage.message(peer, CAROL, DeviceId(22), Sequence(1)).unwrap().unwrap();
    assert_eq!(one.sender, CAROL);
    assert!(storage.is_group(peer).unwrap() && !storage.is_group(BOB).unwrap());
}

#[test]
fn what_is_sent_to_a_group_goes_to_one() {
    let file = File::new();
    let mut storage = file.open();
    let draft = Draft::to_group(GROUP, 1, b"hello all".to_vec());
    let queued = storage.queue([draft]).unwrap();
    assert!(queued[0].to_group);
    let again = storage.queue([(GROUP.as_peer(), 1, b"again".to_vec())]).unwrap();
    assert!(again[0].to_group && again[0].sequence == Sequence(2), "the file knows");
    let undecided = storage.device_state().unwrap().undecided;
    assert!(undecided.len() == 2 && undecided.iter().all(|one| one.to_group));
    let failed = |members: &[(u128, u16)]| {
        let members = members.iter().map(|&(user, code)| (UserId(user), code)).collect();
        entry(3, EntryBody::GroupFailed { device: PHONE, sequence: Sequence(1), members })
    };
    record(&mut storage, &[failed(&[(3, 6004)]), failed(&[(2, 2004), (3, 6004)])]);
    let known = storage.member_failures(GROUP, PHONE, Sequence(1)).unwrap();
    assert_eq!(known, [(BOB, 2004), (CAROL, 6004)]);
}

#[test]
fn a_group_that_is_described_is_as_if_it_had_been_told() {
    let file = File::new();
    let mut storage = file.open();
    assert!(storage.lacks_groups().unwrap(), "a new file");
    let described = |version, name: &str| {
        let members = vec![(ALICE, role::MEMBER), (BOB, role::OWNER)];
        let name = name.to_owned();
        let has_receipts = true;
        let outcome =
            Outcome::GroupDescribed { group: GROUP, version, members, name, has_receipts };
        Event::Answered { ask: AskId(1), outcome }
    };
    record(&mut storage, &[described(4, "walkers")]);
    assert_eq!(members(&storage), [(1, 0), (2, 2)]);
    assert!(storage.is_group(GROUP.as_peer()).unwrap());
    assert!(storage.group(GROUP).unwrap().unwrap().has_receipts);
    record(&mut storage, &[described(3, "an older answer")]);
    record(&mut storage, &[changed(1, 4, change::ADDED, &[(9, 0)], "")]);
    assert_eq!(members(&storage), [(1, 0), (2, 2)], "that change is in it");
    record(&mut storage, &[changed(2, 5, change::ADDED, &[(9, 0)], "")]);
    assert_eq!(members(&storage), [(1, 0), (2, 2), (9, 0)]);
    assert_eq!(storage.group(GROUP).unwrap().unwrap().name, "walkers");
    assert_eq!(storage.own_groups().unwrap(), [(GROUP, 5)]);
    storage.leave_group(GROUP).unwrap();
    storage.set_lacks_groups(false).unwrap();
    drop(storage);
    let storage = file.open();
    assert_eq!((storage.own_groups().unwrap(), storage.lacks_groups().unwrap()), (vec![], false));
}
