//! Groups as a session asks and hears of them.

use answerback_proto::id::GroupId;
use answerback_proto::kind::{
    Accepted, ChangeMembers, CreateGroup, Declined, DescribeGroup, Done, GroupChanged,
    GroupCreated, GroupDeliver, GroupDescribed, GroupFailed, GroupReadElsewhere, GroupReceipt,
    GroupSend, GroupSkip, RECEIPTS_ON, ReadGroup, action, append_numbered_user, change,
};

use super::*;
use crate::session::{Ask, AskId, EntryBody, GroupRequest, Outcome};

const GROUP: UserId = UserId(77);

fn to_group(sequence: u64) -> Outgoing {
    Outgoing { peer: GROUP, to_group: true, ..message(sequence) }
}

/// Kinds and tags of what is written.
fn asked(session: &mut ClientSession) -> Vec<(Kind, u32, u128, Vec<u8>)> {
    let mut wire = Vec::new();
    while session.poll_transmit(&mut wire) {}
    let (mut frames, mut received, mut found) = (FrameBuffer::default(), wire.as_slice(), vec![]);
    while let Some(frame) = frames.next_frame(&mut received, 1 << 20).unwrap() {
        let kind = frame.header.kind().unwrap();
        found.push((kind, frame.header.tag, frame.header.target, frame.envelope.to_vec()));
    }
    found
}

fn answer<E: Envelope>(tag: u32, target: u128, envelope: &E, tail: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    append_frame(&mut wire, Address { flags: 0, tag, target }, envelope, tail, &[]);
    wire
}

fn answered(ask: AskId, outcome: Outcome) -> Event {
    Event::Answered { ask, outcome }
}

#[test]
fn a_message_to_a_group_goes_as_one_and_is_decided_like_any() {
    let mut session = opened(0);
    session.send(to_group(1));
    session.send(to_group(2));
    session.skip(GROUP, Sequence(3));
    let out = asked(&mut session);
    let kinds: Vec<_> = out.iter().map(|(kind, _, target, _)| (*kind, *target)).collect();
    let expected = [Kind::GroupSend, Kind::GroupSend, Kind::GroupSkip].map(|kind| (kind, GROUP.0));
    assert_eq!(kinds, expected);
    let send = answerback_proto::access::read::<GroupSend>(&out[0].3).unwrap();
    assert_eq!(send.sequence, 1);
    let skip = answerback_proto::access::read::<GroupSkip>(&out[2].3).unwrap();
    assert_eq!((skip.from, skip.to), (3, 3));
    let accepted = Accepted { sequence: 1, accepted_at_ms: 5 };
    session.handle_received(0, &answer(out[0].1, GROUP.0, &accepted, &[])).unwrap();
    let told = Event::Accepted { peer: GROUP, sequence: Sequence(1), accepted_at_ms: 5 };
    assert_eq!(events(&mut session), [told]);
    assert_eq!(session.undecided(), 2);
}

#[test]
fn what_is_asked_of_groups_goes_until_it_is_answered() {
    let mut session = opened(0);
    let members = vec![UserId(9), UserId(4), UserId(9)];
    let name = "walkers".to_owned();
    let ask = session.ask_for(Ask::Group(GroupRequest::Create { nonce: 5, members, name }));
    let out = asked(&mut session);
    assert_eq!((out[0].0, out[0].2), (Kind::CreateGroup, 1));
    let (_, listed, _) = CreateGroup::read(&out[0].3).unwrap();
    assert_eq!(listed.iter().collect::<Vec<_>>(), [UserId(4), UserId(9)], "in order, once");
    session.handle_disconnected();
    open(&mut session, 0);
    let again = asked(&mut session);
    assert_eq!(again[0].0, Kind::CreateGroup);
    let busy = Declined { retry_after_ms: 500, code: 2001 };
    session.handle_received(10, &answer(again[0].1, 1, &busy, &[])).unwrap();
    assert_eq!(events(&mut session), []);
    assert!(asked(&mut session).is_empty(), "later");
    session.handle_timeout(510);
    let again = asked(&mut session);
    let created = GroupCreated { group: GROUP.0, at_ms: 1 };
    session.handle_received(520, &answer(again[0].1, 1, &created, &[])).unwrap();
    let made = Outcome::GroupCreated { group: GroupId(GROUP.0) };
    assert_eq!(events(&mut session), [answered(ask, made)]);
    assert!(asked(&mut session).is_empty());
}

#[test]
fn what_is_declined_for_good_is_told() {
    let mut session = opened(0);
    let mut add = |group, members| {
        let (action, role) = (action::ADD, 0);
        session.ask_for(Ask::Group(GroupRequest::Change { group, action, role, members }))
    };
    let refused = add(GroupId(GROUP.0), vec![UserId(4)]);
    let empty = add(GroupId(78), vec![]);
    let done = add(GroupId(79), vec![UserId(5)]);
    let out = asked(&mut session);
    assert_eq!(out.len(), 2, "nobody cannot be added");
    assert_eq!(ChangeMembers::read(&out[0].3).unwrap().1.iter().count(), 1);
    let declined = Declined { retry_after_ms: 0, code: 3032 };
    let mut answers = answer(out[0].1, GROUP.0, &declined, &[]);
    answers.extend(answer(out[1].1, 79, &Done { at_ms: 1 }, &[]));
    session.handle_received(0, &answers).unwrap();
    let expected = [
        answered(empty, Outcome::Declined { code: 3001 }),
        answered(refused, Outcome::Declined { code: 3032 }),
        answered(done, Outcome::Done { at_ms: 1 }),
    ];
    assert_eq!(events(&mut session), expected);
}

#[test]
fn a_group_is_described_where_there_is_anything_newer() {
    let mut session = opened(0);
    let group = GroupId(GROUP.0);
    let mut describe =
        |group, version| session.ask_for(Ask::Group(GroupRequest::Describe { group, version }));
    let (newer, same) = (describe(group, 3), describe(GroupId(78), 4));
    let out = asked(&mut session);
    assert_eq!((out[0].0, out[0].2), (Kind::DescribeGroup, GROUP.0));
    let read = answerback_proto::access::read::<DescribeGroup>(&out[0].3).unwrap();
    assert_eq!(read.version, 3);
    let mut tail = Vec::new();
    append_numbered_user(&mut tail, UserId(4), 2);
    tail.extend_from_slice(b"walkers");
    let described =
        GroupDescribed { version: 4, members_count: 1, name_length: 7, flags: RECEIPTS_ON };
    let mut answers = answer(out[0].1, GROUP.0, &described, &tail);
    answers.extend(answer(out[1].1, 78, &Done { at_ms: 1 }, &[]));
    session.handle_received(0, &answers).unwrap();
    let (members, name, has_receipts) = (vec![(UserId(4), 2)], "walkers".to_owned(), true);
    let expected = [
        answered(newer, Outcome::GroupDescribed { group, version: 4, members, name, has_receipts }),
        answered(same, Outcome::Done { at_ms: 1 }),
    ];
    assert_eq!(events(&mut session), expected);
}

#[test]
fn what_is_asked_of_one_group_goes_in_its_order() {
    let mut session = opened(0);
    let mut change = |action| {
        let (group, role, members) = (GroupId(GROUP.0), 0, vec![UserId(4)]);
        session.ask_for(Ask::Group(GroupRequest::Change { group, action, role, members }))
    };
    let (add, remove) = (change(action::ADD), change(action::REMOVE));
    let out = asked(&mut session);
    assert_eq!(out.len(), 1, "the second would come first where the first is put off");
    session.handle_received(0, &answer(out[0].1, GROUP.0, &Done { at_ms: 1 }, &[])).unwrap();
    assert_eq!(events(&mut session), [answered(add, Outcome::Done { at_ms: 1 })]);
    let out = asked(&mut session);
    session.handle_received(0, &answer(out[0].1, GROUP.0, &Done { at_ms: 2 }, &[])).unwrap();
    assert_eq!(events(&mut session), [answered(remove, Outcome::Done { at_ms: 2 })]);
}

#[test]
fn entries_of_groups_are_taken_in_their_order() {
    let mut session = opened(0);
    let mut roles = Vec::new();
    append_numbered_user(&mut roles, UserId(1), 2);
    let changed = GroupChanged {
        position: 1,
        after: 0,
        actor: 9,
        at_ms: 5,
        version: 1,
        change: change::JOINED,
        members_count: 1,
        name_length: 1,
        flags: RECEIPTS_ON,
    };
    let deliver = GroupDeliver {
        position: 2,
        after: 1,
        device: 3,
        sender: 9,
        sequence: 1,
        accepted_at_ms: 6,
        version: 1,
        content_type: 1,
    };
    let failed = GroupFailed { position: 3, after: 2, device: 10, sequence: 4, members_count: 1 };
    let mut codes = Vec::new();
    append_numbered_user(&mut codes, UserId(7), 6004);
    let mut wire = answer(0, GROUP.0, &changed, &[&roles[..], b"a"].concat());
    wire.extend(answer(0, GROUP.0, &deliver, &[]));
    wire.extend(answer(0, GROUP.0, &failed, &codes));
    let receipt = GroupReceipt {
        position: 4,
        after: 3,
        device: 10,
        sequence: 4,
        version: 7,
        delivered_bytes: 2,
        read_bytes: 2,
    };
    wire.extend(answer(0, GROUP.0, &receipt, &[0, 6, 0, 4]));
    let read = GroupReadElsewhere { position: 5, after: 4, reader: 9, up_to: 2, read_at_ms: 8 };
    wire.extend(answer(0, GROUP.0, &read, &[]));
    session.handle_received(0, &wire).unwrap();
    let bodies = events(&mut session).into_iter().map(|event| match event {
        Event::Entry(entry) => (entry.peer, entry.body),
        other => panic!("{other:?}"),
    });
    let (device, sequence) = (DeviceId(10), Sequence(4));
    let expected = [
        EntryBody::GroupChanged {
            actor: UserId(9),
            at_ms: 5,
            version: 1,
            change: change::JOINED,
            members: vec![(UserId(1), 2)],
            name: "a".to_owned(),
            has_receipts: true,
        },
        EntryBody::GroupMessage {
            sender: UserId(9),
            device: DeviceId(3),
            sequence: Sequence(1),
            accepted_at_ms: 6,
            version: 1,
            content_type: 1,
            payload: Vec::new(),
        },
        EntryBody::GroupFailed { device, sequence, members: vec![(UserId(7), 6004)] },
        EntryBody::GroupReceipt {
            device,
            sequence,
            version: 7,
            delivered: vec![0, 6],
            read: vec![0, 4],
        },
        EntryBody::GroupReadElsewhere { up_to: Position(2), read_at_ms: 8 },
    ];
    assert_eq!(bodies.collect::<Vec<_>>(), expected.map(|body| (GROUP, body)));
}

#[test]
fn of_reads_of_a_group_that_wait_only_the_last_is_said() {
    let mut session = opened(0);
    let group = GroupId(GROUP.0);
    let mut read = |group, up_to| session.ask_for(Ask::ReadGroup { group, up_to: Position(up_to) });
    let first = read(group, 5);
    assert_eq!(read(group, 9), first, "it takes its place");
    assert_eq!(read(group, 7), first, "and no older one does");
    assert_ne!(read(GroupId(78), 3), first);
    let out = asked(&mut session);
    let up_to = |envelope: &[u8]| {
        let read = answerback_proto::access::read::<ReadGroup>(envelope).unwrap();
        (read.group, read.up_to)
    };
    assert_eq!(out.iter().map(|one| up_to(&one.3)).collect::<Vec<_>>(), [(77, 9), (78, 3)]);
    assert_eq!((out[0].0, out[0].2), (Kind::ReadGroup, 1));
    let next = session.ask_for(Ask::ReadGroup { group, up_to: Position(11) });
    assert!(next != first && asked(&mut session).is_empty(), "what is under way is that first");
    session.handle_received(0, &answer(out[0].1, 1, &Done { at_ms: 1 }, &[])).unwrap();
    assert_eq!(events(&mut session), [answered(first, Outcome::Done { at_ms: 1 })]);
    assert_eq!(up_to(&asked(&mut session)[0].3), (77, 11));
}
