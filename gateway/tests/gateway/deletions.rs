//! Chats that users delete, and lives of messages, over real sockets.

use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::id::{DeviceId, Sequence};
use answerback_proto::kind::{
    Accepted, CaughtUp, ChatDeleted, Declined, DeleteChat, DeviceMark, Done, Hello, Kind, Refused,
    Send, Welcome,
};

use crate::client::{Client, Received, frame, hello};
use crate::running::Running;

const ALICE: u128 = 1;
const BOB: u128 = 2;

fn delete_frame(tag: u32, user: u128, peer: u128, cursor: u64, marks: &[(u128, u64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mark = |&(device, up_to)| DeviceMark { device: DeviceId(device), up_to: Sequence(up_to) };
    let marks: Vec<_> = marks.iter().map(mark).collect();
    let address = Address { flags: 0, tag, target: user };
    DeleteChat { peer, cursor, marks_count: 0 }.append(&mut bytes, address, &marks).unwrap();
    bytes
}

fn until(client: &mut Client, kind: Kind) -> Received {
    loop {
        let received = client.next().expect("a frame");
        if received.header.kind() == Some(kind) {
            return received;
        }
    }
}

fn login_again(running: &Running, user: u128, device: u128) -> Client {
    let mut client = Client::connect(running.address);
    client.say_hello(user, Hello { connection_counter: 2, ..hello(device) });
    client.expect::<Welcome>();
    client
}

#[test]
fn what_both_have_deleted_never_comes_to_a_device_that_was_away() {
    for cores in [1, 2, 4] {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut tablet = Client::connect(running.address);
        tablet.say_hello(ALICE, hello(2));
        let mut phone = Client::login(running.address, BOB);
        let mut laptop = Client::connect(running.address);
        laptop.say_hello(BOB, hello(2));
        laptop.expect::<Welcome>();
        drop(laptop);
        alice.send(1, BOB, 1, b"forget this");
        assert_eq!(phone.expect_message().2, b"forget this");
        phone.ack(1);
        until(&mut alice, Kind::Delivered);
        phone.write(&delete_frame(7, BOB, ALICE, 1, &[]));
        let done = until(&mut phone, Kind::Done);
        assert_eq!((done.header.tag, done.header.target), (7, BOB));
        assert!(done.read::<Done>().at_ms > 0);
        alice.write(&delete_frame(8, ALICE, BOB, 0, &[(1, 1)]));
        assert_eq!(until(&mut alice, Kind::Done).header.tag, 8);
        // The word to Alice's other device comes from Bob's home.
        until(&mut tablet, Kind::ChatDeleted);
        alice.send(9, BOB, 2, b"remember this");
        until(&mut alice, Kind::Accepted);
        until(&mut phone, Kind::Deliver);
        let mut laptop = login_again(&running, BOB, 2);
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let received = laptop.next().expect("an entry");
            match received.header.kind() {
                Some(Kind::ChatDeleted) => {
                    let (deleted, marks) = ChatDeleted::read(&received.envelope).unwrap();
                    assert_eq!((deleted.up_to, marks.iter().count()), (1, 0));
                    seen.push(b"deleted".to_vec());
                }
                Some(Kind::Deliver) => seen.push(received.payload),
                Some(Kind::CaughtUp) => {}
                other => panic!("{other:?}"),
            }
        }
        seen.sort();
        assert_eq!(seen, [b"deleted".to_vec(), b"remember this".to_vec()]);
    }
}

#[test]
fn bad_deletions_are_declined_and_the_session_goes_on() {
    let running = Running::start(2);
    let mut alice = Client::login(running.address, ALICE);
    alice.write(&delete_frame(5, ALICE, BOB, 1, &[]));
    let (header, declined) = alice.expect::<Declined>();
    assert_eq!((header.tag, header.target), (5, ALICE));
    assert_eq!(declined.code, Code::CursorBeyondSent.number());
    for (tag, peer) in (6..).zip([BOB, ALICE, 99]) {
        alice.write(&delete_frame(tag, ALICE, peer, 0, &[(1, 9), (77, u64::MAX)]));
        assert_eq!(alice.expect::<Done>().0.tag, tag, "nothing to be deleted");
    }
    alice.ping(1);
    alice.write(&delete_frame(9, BOB, ALICE, 0, &[]));
    assert_eq!(alice.expect_error(), (Code::NotYours, Kind::DeleteChat.number(), 9));
    let mut alice = login_again(&running, ALICE, 1);
    alice.expect::<CaughtUp>();
    let delete = DeleteChat { peer: BOB, cursor: 0, marks_count: 11 };
    alice.write(&frame(4, ALICE, &delete, &[]));
    assert_eq!(alice.expect_error(), (Code::FrameMalformed, Kind::DeleteChat.number(), 4));
}

#[test]
fn a_life_that_is_too_short_is_refused_and_the_number_stays_free() {
    let running = Running::start(1);
    let mut alice = Client::login(running.address, ALICE);
    drop(Client::login(running.address, BOB));
    for (tag, life_s) in [(1, 1), (2, 4)] {
        let send = Send { sequence: 1, seen_ms: 0, life_s, content_type: 1 };
        alice.write(&frame(tag, BOB, &send, b"hardly"));
        let (_, refused) = alice.expect::<Refused>();
        assert_eq!(refused.code, Code::LifeTooShort.number());
    }
    let send = Send { sequence: 1, seen_ms: 0, life_s: 5, content_type: 1 };
    alice.write(&frame(3, BOB, &send, b"well"));
    assert_eq!(alice.expect::<Accepted>().1.sequence, 1);
}
