//! Receipts of groups through real sockets: turned on, told and added up, on one core and
//! across several.

use answerback_proto::code::Code;
use answerback_proto::kind::{
    Declined, Done, Error, GroupChanged, GroupCreated, GroupReadElsewhere, GroupReceipt, Kind,
    RECEIPTS_ON, ReadGroup, SetGroupReceipts, change, slot_of,
};

use crate::client::{Client, frame, hello};
use crate::groups::{MEMBERS, create, group_send, members, until};
use crate::running::Running;

fn set_receipts(of: &mut Client, group: u128, on: u16) {
    of.write(&frame(8, group, &SetGroupReceipts { on }, &[]));
}

fn read_group(of: &mut Client, user: u128, group: u128, up_to: u64) {
    of.write(&frame(9, user, &ReadGroup { group, up_to }, &[]));
}

/// Takes receipts of one message until all other members are said to have it, or to have read
/// it.
fn until_told(of: &mut Client, group: u128, of_reads: bool) {
    let mut told_of = 0_u32;
    while told_of.count_ones() < MEMBERS as u32 - 1 {
        let told = until(of, Kind::GroupReceipt);
        assert_eq!(told.header.target, group);
        let (receipt, delivered, read) = GroupReceipt::read(&told.envelope).unwrap();
        assert_eq!((receipt.device, receipt.sequence, receipt.version), (1, 1, 2));
        let bits = if of_reads { read } else { delivered };
        told_of |= bits.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte));
        of.ack(receipt.position);
    }
    assert_eq!(told_of & 1, 0, "the sender has slot 0");
}

#[test]
fn a_sender_is_told_of_each_member_on_any_core() {
    for cores in [1, 2, 4] {
        let running = Running::start(cores);
        let mut all = members(&running);
        let others: Vec<_> = (2..=MEMBERS).collect();
        let GroupCreated { group, .. } = create(&mut all[0], 1, 99, &others);
        set_receipts(&mut all[0], group, 1);
        for client in &mut all {
            let created = until(client, Kind::GroupChanged);
            let (created, listed, _) = GroupChanged::read(&created.envelope).unwrap();
            assert_eq!(created.flags, 0);
            let slots: Vec<_> = listed.iter().map(|(_, number)| slot_of(number)).collect();
            assert!(slots.into_iter().eq(0..MEMBERS as u16));
            let told = until(client, Kind::GroupChanged);
            let (told, ..) = GroupChanged::read(&told.envelope).unwrap();
            assert_eq!((told.change, told.version, told.flags), (change::RECEIPTS, 2, RECEIPTS_ON));
            client.ack(told.position);
        }
        group_send(&mut all[0], group, 1, b"hello");
        for client in &mut all[1..] {
            until(client, Kind::GroupDeliver);
            client.ack(3);
        }
        until_told(&mut all[0], group, false);
        for (client, user) in all[1..].iter_mut().zip(2..) {
            read_group(client, user, group, 3);
            until(client, Kind::Done).read::<Done>();
        }
        until_told(&mut all[0], group, true);
    }
}

#[test]
fn the_readers_other_devices_are_told_how_far() {
    let running = Running::start(2);
    let mut all = members(&running);
    let GroupCreated { group, .. } = create(&mut all[0], 1, 99, &[2]);
    let mut laptop = Client::connect(running.address);
    laptop.say_hello(2, hello(2));
    until(&mut laptop, Kind::CaughtUp);
    group_send(&mut all[0], group, 1, b"hello");
    until(&mut all[1], Kind::GroupDeliver);
    all[1].ack(2);
    read_group(&mut all[1], 2, group, 2);
    until(&mut all[1], Kind::Done).read::<Done>();
    let told = until(&mut laptop, Kind::GroupReadElsewhere);
    let read: GroupReadElsewhere = told.read();
    assert_eq!((told.header.target, read.reader, read.up_to), (group, 1, 2));
}

#[test]
fn what_may_not_be_has_its_code() {
    let running = Running::start(2);
    let mut all = members(&running);
    let GroupCreated { group, .. } = create(&mut all[0], 1, 99, &[2]);
    let declined = |client: &mut Client| until(client, Kind::Declined).read::<Declined>().code;
    set_receipts(&mut all[1], group, 1);
    assert_eq!(declined(&mut all[1]), Code::NotAdmin.number());
    set_receipts(&mut all[2], group, 1);
    assert_eq!(declined(&mut all[2]), Code::NotMember.number());
    set_receipts(&mut all[0], 4711, 1);
    assert_eq!(declined(&mut all[0]), Code::UnknownGroup.number());
    for of in [group, 4711, 1] {
        read_group(&mut all[2], 3, of, 99);
        until(&mut all[2], Kind::Done).read::<Done>();
    }
    let faults = [
        (frame(8, group, &SetGroupReceipts { on: 2 }, &[]), Code::FrameMalformed),
        (frame(9, 5, &ReadGroup { group: 0, up_to: 1 }, &[]), Code::FrameMalformed),
        (frame(9, 6, &ReadGroup { group, up_to: 0 }, &[]), Code::FrameMalformed),
        (frame(9, 1, &ReadGroup { group, up_to: 1 }, &[]), Code::NotYours),
        (frame(0, 8, &ReadGroup { group, up_to: 1 }, &[]), Code::TagMismatch),
    ];
    for ((bytes, code), client) in faults.into_iter().zip(&mut all[3..]) {
        client.write(&bytes);
        let error: Error = until(client, Kind::Error).read();
        assert_eq!(error.code, code.number());
        client.expect_end();
    }
    set_receipts(&mut all[0], group, 1);
    until(&mut all[0], Kind::Done).read::<Done>();
}
