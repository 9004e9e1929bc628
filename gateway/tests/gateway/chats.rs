//! What a chat has beside messages: reads, recalls, copies; and users who are on the disk
//! alone, through real threads.

use answerback_directory::shard::{Administered, Residency};
use answerback_gateway::Command;
use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::kind::{
    Accepted, CaughtUp, Copied, Error, Failed, Hello, Kind, OutOfOrder, Read, ReadBy,
    ReadElsewhere, ReadNoted, Recall, Refused, Welcome,
};

use crate::client::{Client, Received, frame, hello};
use crate::running::{Running, config};

const ALICE: u128 = 1;
const BOB: u128 = 2;
const CORES: [u16; 3] = [1, 2, 4];

/// A session of one of a user's devices.
pub(crate) fn login_device(running: &Running, user: u128, device: u128) -> Client {
    let mut client = Client::connect(running.address);
    client.say_hello(user, hello(device));
    client.expect::<Welcome>();
    client.expect::<CaughtUp>();
    client
}

/// Takes frames until one of a kind comes; receipts between are acknowledged.
pub(crate) fn until(client: &mut Client, kind: Kind) -> Received {
    loop {
        let received = client.next().expect("a frame");
        if received.header.kind() == Some(kind) {
            return received;
        }
        assert!(
            matches!(
                received.header.kind(),
                Some(Kind::Accepted | Kind::Delivered | Kind::ReadBy | Kind::CaughtUp)
            ),
            "{received:?} before {kind:?}"
        );
    }
}

#[test]
fn what_is_read_is_told_to_the_sender_and_to_the_readers_other_devices() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut phone = Client::login(running.address, BOB);
        let mut laptop = login_device(&running, BOB, 2);
        alice.send(1, BOB, 1, b"read this");
        assert_eq!(phone.expect_message().2, b"read this");
        assert_eq!(laptop.expect_message().2, b"read this");
        phone.ack(1);
        until(&mut alice, Kind::Delivered);
        phone.write(&frame(9, BOB, &Read { peer: ALICE, device: 1, up_to: 5 }, &[]));
        let (header, noted) = phone.expect::<ReadNoted>();
        assert_eq!((header.tag, header.target, noted.up_to), (9, BOB, 1));
        let read: ReadBy = until(&mut alice, Kind::ReadBy).read();
        assert_eq!((read.device, read.up_to), (1, 1));
        let (header, elsewhere) = laptop.expect::<ReadElsewhere>();
        assert_eq!((header.target, elsewhere.device, elsewhere.up_to), (ALICE, 1, 1));
        phone.ping(1);
    }
}

#[test]
fn a_recalled_message_never_comes_and_its_sender_knows() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        drop(Client::login(running.address, BOB));
        alice.send(1, BOB, 1, b"a mistake");
        alice.expect::<Accepted>();
        let recall = Recall { sequence: 2, recalled: 1, seen_ms: 0, life_s: 0, content_type: 3 };
        alice.write(&frame(2, BOB, &recall, b"taken back"));
        let failed: Failed = until(&mut alice, Kind::Failed).read();
        assert_eq!((failed.sequence, failed.code), (1, Code::Recalled.number()));
        let mut bob = Client::connect(running.address);
        bob.say_hello(BOB, Hello { connection_counter: 2, ..hello(1) });
        bob.expect::<Welcome>();
        let (_, deliver, payload) = bob.expect_message();
        assert_eq!((deliver.sequence, payload.as_slice()), (2, &b"taken back"[..]));
        bob.expect::<CaughtUp>();
    }
}

#[test]
fn what_one_device_sends_the_others_have() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut phone = Client::login(running.address, ALICE);
        let mut laptop = login_device(&running, ALICE, 2);
        let mut bob = Client::login(running.address, BOB);
        phone.ping(1);
        phone.send(1, BOB, 1, b"from the phone");
        assert_eq!(bob.expect_message().2, b"from the phone");
        let copy = until(&mut laptop, Kind::Copied);
        assert_eq!((copy.header.target, copy.payload.as_slice()), (BOB, &b"from the phone"[..]));
        let copied: Copied = copy.read();
        assert_eq!((copied.device, copied.sequence), (1, 1));
        laptop.ack(copied.position);
        bob.ack(1);
        until(&mut laptop, Kind::Delivered);
        until(&mut phone, Kind::Delivered);
    }
}

#[test]
fn what_came_early_waits_for_its_turn() {
    let running = Running::start(2);
    let mut alice = Client::login(running.address, ALICE);
    let mut bob = Client::login(running.address, BOB);
    alice.send(2, BOB, 2, b"second");
    assert_eq!(alice.expect::<OutOfOrder>().1.expected, 1);
    alice.send(1, BOB, 1, b"first");
    assert_eq!(bob.expect_message().2, b"first");
    assert_eq!(bob.expect_message().2, b"second");
}

/// Everybody who is away is on the disk alone, and read from it by another thread.
#[test]
fn users_who_are_away_are_read_when_they_are_needed() {
    const USERS: u128 = 60;
    for cores in [1, 2] {
        let config = answerback_gateway::GatewayConfig { checkpoint_period_ms: 1, ..config() };
        let running = Running::with_residency(cores, config, Residency { bytes_max: 0 });
        let mut alice = Client::login(running.address, ALICE);
        for user in 100..100 + USERS {
            drop(Client::login(running.address, user));
        }
        for (tag, user) in (1..).zip(100..100 + USERS) {
            alice.send(tag, user, 1, b"first");
            assert_eq!(until(&mut alice, Kind::Accepted).header.tag, tag);
        }
        for (tag, user) in (1000..).zip(100..100 + USERS) {
            alice.send(tag, user, 2, b"second");
            assert_eq!(until(&mut alice, Kind::Accepted).header.tag, tag);
            let mut client = Client::connect(running.address);
            client.say_hello(user, Hello { connection_counter: 2, ..hello(1) });
            assert_eq!(client.expect::<Welcome>().1.pending_count, 2);
            assert_eq!(client.expect_message().2, b"first");
            assert_eq!(client.expect_message().2, b"second");
            client.expect::<CaughtUp>();
            client.ack(2);
            until(&mut alice, Kind::Delivered);
        }
        alice.send(5000, 99_999, 1, b"nobody");
        let refused: Refused = until(&mut alice, Kind::Refused).read();
        assert_eq!(refused.code, Code::UnknownUser.number());
    }
}

#[test]
fn an_operator_adds_users_and_revokes_devices_of_a_running_box() {
    for cores in CORES {
        let running = Running::start(cores);
        let ask = |command| running.control.ask(command).unwrap();
        let bob = UserId(BOB);
        assert_eq!(ask(Command::AddUser(bob)), Administered::Done);
        assert_eq!(ask(Command::AddUser(bob)), Administered::WasSo);
        let mut alice = Client::login(running.address, ALICE);
        alice.send(1, BOB, 1, b"to somebody new");
        alice.expect::<Accepted>();
        let mut phone = Client::connect(running.address);
        phone.say_hello(BOB, hello(1));
        phone.expect::<Welcome>();
        assert_eq!(phone.expect_message().2, b"to somebody new");
        phone.expect::<CaughtUp>();
        assert_eq!(ask(Command::Revoke(bob, DeviceId(1))), Administered::Done);
        assert_eq!(phone.expect_error().0, Code::DeviceRevoked);
        assert_eq!(ask(Command::Revoke(bob, DeviceId(7))), Administered::Unknown);
        let mut again = Client::connect(running.address);
        again.say_hello(BOB, Hello { connection_counter: 2, ..hello(1) });
        let (_, error) = again.expect::<Error>();
        assert_eq!(error.code, Code::DeviceRevoked.number());
        assert_eq!(ask(Command::ConfirmClock), Administered::WasSo);
    }
}

#[test]
fn a_disk_that_is_nearly_full_takes_acknowledgements_and_no_messages() {
    let running = Running::start(2);
    let mut alice = Client::login(running.address, ALICE);
    let mut bob = Client::login(running.address, BOB);
    alice.send(1, BOB, 1, b"before");
    assert_eq!(bob.expect_message().2, b"before");
    running.journal.wait_until_looked_at(true);
    bob.ack(1);
    until(&mut alice, Kind::Delivered);
    alice.send(2, BOB, 2, b"too much");
    let refused: Refused = until(&mut alice, Kind::Refused).read();
    assert_eq!((refused.code, refused.sequence), (Code::DiskReserve.number(), 2));
    assert!(refused.retry_after_ms > 0);
    running.journal.wait_until_looked_at(false);
    alice.send(3, BOB, 2, b"there is room");
    assert_eq!(bob.expect_message().2, b"there is room");
}
