//! What users do just now, through real sockets.

use answerback_proto::encode::{Address, append_frame};
use answerback_proto::header::USER_ACTION;
use answerback_proto::kind::{CaughtUp, Hello, Kind, Typing, Welcome};

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
