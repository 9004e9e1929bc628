//! What users do about their own things, over real sockets.

use answerback_gateway::GatewayConfig;
use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::id::UserId;
use answerback_proto::kind::{
    Accepted, BLOCKED, CONTACTS_ADDED, ChatSet, Chats, Contacts, Declined, Deliver, Delivered,
    Devices, Done, Failed, GoAway, Hello, Kind, ListChats, ListContacts, ListDevices, NameDevice,
    RevokeDevice, SetChat, SetContacts, SetWriters, WRITERS_CONTACTS, Welcome,
};

use crate::chats::{login_device, until};
use crate::client::{Client, frame, hello};
use crate::journal::MemoryJournal;
use crate::running::{Running, config};

const ALICE: u128 = 1;
const BOB: u128 = 2;
const CORES: [u16; 2] = [1, 3];

fn name_frame(tag: u32, device: u128, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag, target: ALICE };
    NameDevice { device, name_length: 0 }.append(&mut bytes, address, name).unwrap();
    bytes
}

#[test]
fn a_user_lists_names_and_revokes_devices() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut phone = Client::login(running.address, ALICE);
        let mut laptop = login_device(&running, ALICE, 2);
        phone.write(&name_frame(7, 2, "laptop"));
        let (header, done) = phone.expect::<Done>();
        assert_eq!((header.tag, header.target), (7, ALICE));
        assert!(done.at_ms > 1_700_000_000_000);
        phone.write(&frame(8, ALICE, &ListDevices { behind: 0 }, &[]));
        let answer = until(&mut phone, Kind::Devices);
        let (page, listed) = Devices::read(&answer.envelope).unwrap();
        assert_eq!((answer.header.tag, page.has_more), (8, 0));
        let told: Vec<_> = listed
            .iter()
            .map(|device| (device.device.0, device.name.as_str(), device.is_online))
            .collect();
        assert_eq!(told, [(1, "", true), (2, "laptop", true)]);
        phone.write(&frame(9, ALICE, &RevokeDevice { device: 2 }, &[]));
        phone.expect::<Done>();
        assert_eq!(laptop.expect_error().0, Code::DeviceRevoked);
        phone.write(&frame(10, ALICE, &RevokeDevice { device: 77 }, &[]));
        let (header, declined) = phone.expect::<Declined>();
        assert_eq!((header.tag, declined.code), (10, Code::UnknownDevice.number()));
        phone.ping(1);
    }
}

#[test]
fn a_device_that_revokes_itself_is_told_both() {
    let running = Running::start(2);
    let mut phone = Client::login(running.address, ALICE);
    phone.write(&frame(3, ALICE, &RevokeDevice { device: 1 }, &[]));
    phone.expect::<Done>();
    assert_eq!(phone.expect_error().0, Code::DeviceRevoked);
    let mut again = Client::connect(running.address);
    again.say_hello(ALICE, Hello { connection_counter: 2, ..hello(1) });
    assert!(again.next_of::<Welcome>().is_none());
}

#[test]
fn a_box_that_drains_declines() {
    let config = GatewayConfig { drain_ms: 1 << 40, ..config() };
    let running = Running::with(1, config, MemoryJournal::default());
    let mut phone = Client::login(running.address, ALICE);
    running.trigger_stop();
    phone.expect::<GoAway>();
    phone.write(&frame(3, ALICE, &RevokeDevice { device: 1 }, &[]));
    let declined: Declined = until(&mut phone, Kind::Declined).read();
    assert_eq!(declined.code, Code::Draining.number());
    assert!(declined.retry_after_ms > 0);
    drop(phone);
    running.join().unwrap();
}

#[test]
fn what_a_blocked_user_sends_is_accepted_and_never_comes() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut laptop = login_device(&running, ALICE, 2);
        let mut bob = Client::login(running.address, BOB);
        let set = |flags| SetChat { peer: BOB, changes: BLOCKED, flags, muted_until_ms: 0 };
        alice.write(&frame(4, ALICE, &set(BLOCKED), &[]));
        assert_eq!(until(&mut alice, Kind::Done).header.tag, 4);
        let told = until(&mut laptop, Kind::ChatSet);
        assert_eq!((told.header.target, told.read::<ChatSet>().flags), (BOB, BLOCKED));
        bob.send(1, ALICE, 1, b"nobody reads this");
        bob.expect::<Accepted>();
        alice.write(&frame(5, ALICE, &set(0), &[]));
        until(&mut laptop, Kind::ChatSet);
        bob.send(2, ALICE, 2, b"but this");
        bob.expect::<Accepted>();
        let deliver = until(&mut laptop, Kind::Deliver);
        assert_eq!(deliver.payload, b"but this");
        laptop.ack(deliver.read::<Deliver>().position);
        let receipt = until(&mut bob, Kind::Delivered);
        let (delivered, except) = Delivered::read(&receipt.envelope).unwrap();
        let except: Vec<_> = except.iter().map(|range| (range.first.0, range.last.0)).collect();
        assert_eq!((delivered.up_to, except), (2, vec![(1, 1)]));
        laptop.write(&frame(6, ALICE, &ListChats { behind: 0 }, &[]));
        let answer = until(&mut laptop, Kind::Chats);
        let (page, listed) = Chats::read(&answer.envelope).unwrap();
        assert_eq!((answer.header.tag, page.next_behind, listed.len()), (6, 0, 0));
    }
}

#[test]
fn oneself_cannot_be_blocked() {
    let running = Running::start(1);
    let mut alice = Client::login(running.address, ALICE);
    let set = SetChat { peer: ALICE, changes: BLOCKED, flags: BLOCKED, muted_until_ms: 0 };
    alice.write(&frame(4, ALICE, &set, &[]));
    let (header, declined) = alice.expect::<Declined>();
    assert_eq!((header.tag, declined.code), (4, Code::NotYourself.number()));
    alice.ping(1);
}

fn contacts_frame(tag: u32, of: u128, users: &[UserId]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag, target: of };
    let set = SetContacts { mode: CONTACTS_ADDED, users_count: 0 };
    set.append(&mut bytes, address, users).unwrap();
    bytes
}

#[test]
fn a_stranger_s_message_fails_until_he_is_a_contact_or_was_written_to() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let [mut bob, mut carol] = [BOB, 3].map(|user| Client::login(running.address, user));
        alice.write(&frame(4, ALICE, &SetWriters { who: WRITERS_CONTACTS }, &[]));
        assert_eq!(until(&mut alice, Kind::Done).header.tag, 4);
        for (tag, client) in [(7, &mut bob), (8, &mut carol)] {
            client.send(tag, ALICE, 1, b"nobody knows me");
            let answer: Failed = until(client, Kind::Failed).read();
            assert_eq!((answer.position, answer.sequence), (0, 1));
            assert_eq!(answer.code, Code::ContactsOnly.number());
            let entry: Failed = until(client, Kind::Failed).read();
            assert_eq!((entry.position, entry.code), (1, Code::ContactsOnly.number()));
            client.ack(1);
        }
        alice.write(&contacts_frame(5, ALICE, &[UserId(BOB)]));
        until(&mut alice, Kind::Done);
        bob.send(9, ALICE, 2, b"a contact");
        bob.expect::<Accepted>();
        let deliver = until(&mut alice, Kind::Deliver);
        assert_eq!(deliver.payload, b"a contact");
        alice.send(6, 3, 1, b"who are you?");
        // As fast as a machine answers.
        until(&mut carol, Kind::Deliver);
        carol.send(10, ALICE, 2, b"carol");
        assert_eq!(until(&mut carol, Kind::Accepted).header.tag, 10);
        assert_eq!(until(&mut alice, Kind::Deliver).payload, b"carol");
    }
}

#[test]
fn contacts_are_read_back() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut laptop = login_device(&running, ALICE, 2);
        alice.write(&contacts_frame(4, ALICE, &[UserId(BOB), UserId(3)]));
        alice.write(&frame(5, ALICE, &SetWriters { who: WRITERS_CONTACTS }, &[]));
        for tag in [4, 5] {
            assert_eq!(until(&mut alice, Kind::Done).header.tag, tag);
        }
        for (behind, expected) in [(0, vec![BOB, 3]), (BOB, vec![3]), (3, vec![])] {
            laptop.write(&frame(6, ALICE, &ListContacts { behind }, &[]));
            let answer = until(&mut laptop, Kind::Contacts);
            let (page, users) = Contacts::read(&answer.envelope).unwrap();
            assert_eq!((answer.header.tag, answer.header.target), (6, ALICE));
            assert_eq!((page.visibility, page.writers, page.next_behind), (0, 1, 0));
            assert_eq!(users.iter().map(|user| user.0).collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn only_the_user_says_who_may_write_to_him_and_only_what_there_is() {
    let running = Running::start(1);
    for (device, bytes, code) in [
        (1, frame(5, BOB, &SetWriters { who: 1 }, &[]), Code::NotYours),
        (2, frame(5, ALICE, &SetWriters { who: 2 }, &[]), Code::FrameMalformed),
    ] {
        let mut client = login_device(&running, ALICE, device);
        client.write(&bytes);
        assert_eq!(client.expect_error().0, code);
    }
}
