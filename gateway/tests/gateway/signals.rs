//! What users do just now, through real sockets.

use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::header::USER_ACTION;
use answerback_proto::id::UserId;
use answerback_proto::kind::{
    Ack, BLOCKED, CaughtUp, Declined, Done, Envelope, Hello, Kind, Ping, Presence, Read, Resync,
    SetChat, SetVisibility, Typing, Watch, Welcome,
};

use crate::client::{Client, frame, hello, server_kinds};
use crate::running::Running;
use crate::token::token;

const ALICE: u128 = 1;
const BOB: u128 = 2;

/// A whole `Typing`.
fn typing(to: u128, state: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let address = Address { flags: USER_ACTION, tag: 0, target: to };
    append_frame(&mut bytes, address, &Typing { state }, &[], &[]);
    bytes
}

/// A session that understands these kinds.
fn login(running: &Running, user: u128, hello: Hello, kinds: &[Kind]) -> Client {
    let mut client = Client::connect(running.address);
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag: 1, target: user };
    let token = token(user, hello.device);
    hello.append(&mut bytes, address, kinds, &token).unwrap();
    client.write(&bytes);
    client.expect::<Welcome>();
    client.expect::<CaughtUp>();
    client
}

#[test]
fn who_looks_sees_who_writes_and_nobody_else_does() {
    for cores in [1, 2, 4] {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut phone = Client::login(running.address, BOB);
        let pocket = Hello { mode: 1, ..hello(2) };
        let mut pocket = login(&running, BOB, pocket, &server_kinds());
        let needed: Vec<Kind> =
            server_kinds().into_iter().filter(|kind| !kind.is_signal()).collect();
        let mut older_app = login(&running, BOB, hello(3), &needed);
        alice.write(&typing(BOB, 1));
        let (header, shown) = phone.expect::<Typing>();
        assert_eq!((header.tag, header.target, shown.state), (0, ALICE, 1));
        // Too soon but for the end, and what is for nobody has no answer.
        for bytes in [typing(BOB, 1), typing(BOB, 0), typing(BOB, 0), typing(99_999, 1)] {
            alice.write(&bytes);
        }
        assert_eq!(phone.expect::<Typing>().1.state, 0);
        alice.ping(1);
        for client in [&mut phone, &mut pocket, &mut older_app] {
            client.ping(2);
        }
    }
}

#[test]
fn what_is_written_goes_by_the_rules_of_frames() {
    let running = Running::start(1);
    for (bytes, code) in [
        (frame(7, BOB, &Typing { state: 1 }, &[]), "TagMismatch"),
        (frame(0, BOB, &Typing { state: 1 }, b"payload"), "FrameMalformed"),
    ] {
        let mut alice = Client::connect(running.address);
        let counter = if code == "TagMismatch" { 1 } else { 2 };
        alice.say_hello(ALICE, Hello { connection_counter: counter, ..hello(1) });
        alice.expect::<Welcome>();
        alice.expect::<CaughtUp>();
        alice.write(&bytes);
        let (said, kind, _) = alice.expect_error();
        assert_eq!((said.name(), kind), (code, Kind::Typing.number()));
    }
}

/// A whole `Watch`.
fn watch(user: u128, once: u16, users: &[u128]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag: 5, target: user };
    let users: Vec<UserId> = users.iter().copied().map(UserId).collect();
    Watch { once, users_count: 0 }.append(&mut bytes, address, &users).unwrap();
    bytes
}

/// A frame that says that a person caused it.
fn by_person<E: Envelope>(tag: u32, target: u128, envelope: &E) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_frame(&mut bytes, Address { flags: USER_ACTION, tag, target }, envelope, &[], &[]);
    bytes
}

/// Takes frames until presence comes: whose, whether any, whether still there.
fn seen(client: &mut Client) -> (u128, bool, bool) {
    loop {
        let received = client.next().expect("a frame");
        match received.header.kind() {
            Some(Kind::Presence) => {
                let presence: Presence = received.read();
                let is_known = presence.last_action_ms > 0;
                return (received.header.target, is_known, presence.online_for_ms > 0);
            }
            Some(Kind::Done | Kind::Accepted | Kind::Delivered) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn who_watches_sees_what_persons_do_and_nothing_that_apps_do() {
    for cores in [1, 2, 4] {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut bob = Client::login(running.address, BOB);
        alice.write(&watch(ALICE, 0, &[BOB, 99_999]));
        let mut first = [seen(&mut alice), seen(&mut alice)];
        first.sort_unstable();
        assert_eq!(first, [(BOB, false, false), (99_999, false, false)]);
        // Whatever their flag says, these are none of a person's.
        bob.write(&by_person(0, BOB, &Ack { up_to: 0 }));
        bob.write(&by_person(0, BOB, &Resync { cursor: 0 }));
        bob.write(&by_person(7, BOB, &Read { peer: ALICE, device: 1, up_to: 1 }));
        bob.write(&by_person(8, 0, &Ping { echo: 1 }));
        bob.send(9, ALICE, 1, b"by a timer");
        assert_eq!(alice.expect_message().2, b"by a timer");
        alice.ack(1);
        alice.ping(2);
        bob.write(&typing(99_998, 1));
        assert_eq!(seen(&mut alice), (BOB, true, true), "a person did that");
    }
}

#[test]
fn who_hides_looks_like_nobody() {
    let running = Running::start(2);
    let mut alice = Client::login(running.address, ALICE);
    let mut bob = Client::login(running.address, BOB);
    bob.write(&by_person(3, BOB, &SetVisibility { visibility: 2 }));
    let (header, _) = bob.expect::<Done>();
    assert_eq!((header.tag, header.target), (3, BOB));
    alice.write(&watch(ALICE, 1, &[BOB]));
    assert_eq!(seen(&mut alice), (BOB, false, false));
    bob.write(&by_person(4, BOB, &SetVisibility { visibility: 0 }));
    bob.expect::<Done>();
    alice.write(&watch(ALICE, 1, &[BOB]));
    assert_eq!(seen(&mut alice), (BOB, true, true));
}

#[test]
fn between_who_has_blocked_and_who_is_blocked_nothing_is_shown() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut bob = Client::login(running.address, BOB);
        let set = |flags| SetChat { peer: ALICE, changes: BLOCKED, flags, muted_until_ms: 0 };
        bob.write(&by_person(3, BOB, &set(BLOCKED)));
        bob.expect::<Done>();
        for (user, peer, client) in [(ALICE, BOB, &mut alice), (BOB, ALICE, &mut bob)] {
            client.write(&typing(peer, 1));
            client.write(&watch(user, 1, &[peer]));
            assert_eq!(seen(client), (peer, false, false));
        }
        alice.ping(1);
        bob.ping(1);
        bob.write(&by_person(4, BOB, &set(0)));
        bob.expect::<Done>();
        bob.write(&watch(BOB, 1, &[ALICE]));
        assert_eq!(seen(&mut bob), (ALICE, true, true), "who has typed was there");
    }
}

#[test]
fn what_may_not_be_asked_has_its_code() {
    let running = Running::start(1);
    let mut pocket = login(&running, ALICE, Hello { mode: 1, ..hello(1) }, &server_kinds());
    pocket.write(&watch(ALICE, 0, &[BOB]));
    let (header, declined) = pocket.expect::<Declined>();
    assert_eq!((header.tag, declined.code), (5, Code::NotActive.number()));
    let mut beyond = watch(ALICE, 0, &[BOB; 256]);
    beyond.extend(BOB.to_le_bytes());
    let length = beyond.len() as u32;
    beyond[..4].copy_from_slice(&length.to_le_bytes());
    beyond[6..8].copy_from_slice(&(length as u16 - 32).to_le_bytes());
    beyond[34..36].copy_from_slice(&257_u16.to_le_bytes());
    let foreign = watch(BOB, 0, &[BOB]);
    let setting = by_person(5, ALICE, &SetVisibility { visibility: 3 });
    for (device, bytes, code, kind) in [
        (2, beyond, Code::FrameMalformed, Kind::Watch),
        (3, foreign, Code::NotYours, Kind::Watch),
        (4, setting, Code::FrameMalformed, Kind::SetVisibility),
    ] {
        let mut client = login(&running, ALICE, hello(device), &server_kinds());
        client.write(&bytes);
        assert_eq!(client.expect_error(), (code, kind.number(), 5));
    }
}
