//! Groups through real sockets, on one core and across several.

use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::id::UserId;
use answerback_proto::kind::{
    Accepted, ChangeMembers, CreateGroup, Declined, Done, Error, GroupChanged, GroupCreated,
    GroupDeliver, GroupSend, GroupSkip, Kind, Ping, Pong, Refused, RenameGroup, Skipped, action,
    change, role,
};

use crate::client::{Client, Received, frame};
use crate::running::Running;

pub(crate) const MEMBERS: u128 = 12;
const CORES: [u16; 3] = [1, 2, 4];

pub(crate) fn create(of: &mut Client, user: u128, nonce: u128, members: &[u128]) -> GroupCreated {
    let members: Vec<_> = members.iter().copied().map(UserId).collect();
    let mut bytes = Vec::new();
    let create = CreateGroup { nonce, members_count: 0, name_length: 0 };
    let address = Address { flags: 0, tag: 7, target: user };
    create.append(&mut bytes, address, &members, b"walkers").unwrap();
    of.write(&bytes);
    let answer = until(of, Kind::GroupCreated);
    assert_eq!((answer.header.tag, answer.header.target), (7, user));
    answer.read()
}

fn change_members(of: &mut Client, group: u128, action: u16, users: &[u128]) {
    let users: Vec<_> = users.iter().copied().map(UserId).collect();
    let mut bytes = Vec::new();
    let change = ChangeMembers { action, role: role::MEMBER, members_count: 0 };
    change.append(&mut bytes, Address { flags: 0, tag: 8, target: group }, &users).unwrap();
    of.write(&bytes);
}

pub(crate) fn group_send(of: &mut Client, group: u128, sequence: u64, payload: &[u8]) {
    let send = GroupSend { sequence, seen_ms: 0, life_s: 0, content_type: 1 };
    of.write(&frame(9, group, &send, payload));
}

/// Takes frames until one of a kind comes.
pub(crate) fn until(client: &mut Client, kind: Kind) -> Received {
    loop {
        let received = client.next().expect("a frame");
        if received.header.kind() == Some(kind) {
            return received;
        }
    }
}

pub(crate) fn members(running: &Running) -> Vec<Client> {
    (1..=MEMBERS).map(|user| Client::login(running.address, user)).collect()
}

#[test]
fn what_one_member_sends_all_others_get_on_any_core() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut all = members(&running);
        let others: Vec<_> = (2..=MEMBERS).collect();
        let GroupCreated { group, .. } = create(&mut all[0], 1, 99, &others);
        assert_eq!(create(&mut all[0], 1, 99, &others).group, group, "it is the same");
        for client in &mut all[1..] {
            let told = until(client, Kind::GroupChanged);
            let (changed, listed, name) = GroupChanged::read(&told.envelope).unwrap();
            assert_eq!(
                (changed.change, changed.version, name),
                (change::CREATED, 1, &b"walkers"[..])
            );
            assert_eq!(listed.iter().count(), MEMBERS as usize);
            client.ack(changed.position);
        }
        for sequence in 1..=20 {
            group_send(&mut all[0], group, sequence, format!("number {sequence}").as_bytes());
            assert_eq!(until(&mut all[0], Kind::Accepted).read::<Accepted>().sequence, sequence);
        }
        for client in &mut all[1..] {
            for sequence in 1..=20 {
                let came = until(client, Kind::GroupDeliver);
                let deliver: GroupDeliver = came.read();
                assert_eq!((deliver.sender, deliver.sequence, deliver.version), (1, sequence, 1));
                assert_eq!(came.header.target, group);
                assert_eq!(came.payload, format!("number {sequence}").as_bytes());
            }
            client.ack(21);
            client.ping(5);
        }
        let skip = frame(3, group, &GroupSkip { from: 21, to: 21 }, &[]);
        all[0].write(&skip);
        assert_eq!(until(&mut all[0], Kind::Skipped).read::<Skipped>().accepted, 0);
    }
}

#[test]
fn what_may_not_be_is_refused_with_its_code_and_the_connection_lives() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut all = members(&running);
        let GroupCreated { group, .. } = create(&mut all[0], 1, 99, &[2, 3]);
        let declined = |client: &mut Client| until(client, Kind::Declined).read::<Declined>().code;
        group_send(&mut all[3], group, 1, b"from outside");
        let refused: Refused = until(&mut all[3], Kind::Refused).read();
        assert_eq!(refused.code, Code::NotMember.number());
        group_send(&mut all[3], 4711, 1, b"to nobody");
        let refused: Refused = until(&mut all[3], Kind::Refused).read();
        assert_eq!(refused.code, Code::UnknownGroup.number());
        change_members(&mut all[3], group, action::ADD, &[5]);
        assert_eq!(declined(&mut all[3]), Code::NotMember.number());
        change_members(&mut all[1], group, action::ADD, &[5]);
        assert_eq!(declined(&mut all[1]), Code::NotAdmin.number());
        change_members(&mut all[0], group, action::ADD, &[1, 5]);
        assert_eq!(declined(&mut all[0]), Code::AddsOneself.number());
        let many: Vec<_> = (100..1124).collect();
        change_members(&mut all[0], group, action::ADD, &many);
        assert_eq!(declined(&mut all[0]), Code::GroupFull.number());
        let mut rename = Vec::new();
        let address = Address { flags: 0, tag: 8, target: 4711 };
        RenameGroup::append(&mut rename, address, b"ours").unwrap();
        all[0].write(&rename);
        assert_eq!(declined(&mut all[0]), Code::UnknownGroup.number());
        change_members(&mut all[2], group, action::REMOVE, &[3]);
        until(&mut all[2], Kind::Done).read::<Done>();
        group_send(&mut all[2], group, 1, b"after all");
        let refused: Refused = until(&mut all[2], Kind::Refused).read();
        assert_eq!(refused.code, Code::NotMember.number());
        for client in &mut all {
            client.write(&frame(6, 0, &Ping { echo: 6 }, &[]));
            assert_eq!(until(client, Kind::Pong).read::<Pong>().echo, 6);
        }
    }
}

#[test]
fn lists_beyond_their_limits_close_the_connection_and_change_nothing() {
    let running = Running::start(2);
    let mut all = members(&running);
    let GroupCreated { group, .. } = create(&mut all[0], 1, 99, &[2]);
    let too_many: Vec<u8> = (1..=1025_u128).flat_map(u128::to_le_bytes).collect();
    let change = ChangeMembers { action: action::ADD, role: 0, members_count: 1025 };
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag: 8, target: group };
    answerback_proto::encode::append_frame(&mut bytes, address, &change, &too_many, &[]);
    all[0].write(&bytes);
    let error: Error = until(&mut all[0], Kind::Error).read();
    assert_eq!(error.code, Code::FrameMalformed.number());
    group_send(&mut all[1], group, 1, b"still two");
    until(&mut all[1], Kind::Accepted);
}

#[test]
fn a_group_is_made_in_ones_own_name_alone() {
    let running = Running::start(1);
    let mut client = Client::login(running.address, 1);
    let mut bytes = Vec::new();
    let create = CreateGroup { nonce: 1, members_count: 0, name_length: 0 };
    let address = Address { flags: 0, tag: 7, target: 2 };
    create.append(&mut bytes, address, &[], b"a").unwrap();
    client.write(&bytes);
    let error: Error = until(&mut client, Kind::Error).read();
    assert_eq!(error.code, Code::NotYours.number());
}
