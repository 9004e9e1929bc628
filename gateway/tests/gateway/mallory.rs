//! Mallory has an account and an app of her own making, and is in no chat with anybody: she
//! reads, acknowledges, recalls and infers nothing of others'.

mod oracle;

use answerback_proto::code::Code;
use answerback_proto::kind::{
    Accepted, Ack, CaughtUp, Envelope, Failed, Hello, Kind, OutOfOrder, Ping, Read, ReadNoted,
    Recall, Refused, Resync, Skip, Skipped, Welcome,
};

use crate::client::{Client, Received, frame, hello};
use crate::running::Running;

const ALICE: u128 = 1;
const BOB: u128 = 2;
const MALLORY: u128 = 3;
const CORES: [u16; 2] = [1, 4];

fn login_device(running: &Running, user: u128, device: u128) -> Client {
    let mut client = Client::connect(running.address);
    client.say_hello(user, hello(device));
    client.expect::<Welcome>();
    client.expect::<CaughtUp>();
    client
}

/// A device that was there before comes back: how much waits for it.
fn come_back(running: &Running, user: u128, device: u128, counter: u64) -> (Client, u64) {
    let mut client = Client::connect(running.address);
    client.say_hello(user, Hello { connection_counter: counter, ..hello(device) });
    let welcome = client.expect::<Welcome>().1;
    (client, welcome.pending_count)
}

/// What a new session of Mallory's is told before it is closed.
fn told<E: Envelope>(
    running: &Running,
    counter: u64,
    tag: u32,
    target: u128,
    request: &E,
) -> (Code, u16, u32) {
    let (mut mallory, _) = come_back(running, MALLORY, 1, counter);
    mallory.expect::<CaughtUp>();
    mallory.write(&frame(tag, target, request, &[]));
    mallory.expect_error()
}

/// Takes answers until this kind comes; nothing else may come before it.
fn until(client: &mut Client, kind: Kind, before: &[Kind]) -> Received {
    loop {
        let received = client.next().expect("a frame");
        let of = received.header.kind().unwrap();
        if of == kind {
            return received;
        }
        assert!(before.contains(&of), "{received:?} before {kind:?}");
    }
}

/// Nothing has come for a client but what is of these kinds.
fn expect_only(client: &mut Client, kinds: &[Kind]) {
    client.write(&frame(99, 0, &Ping { echo: 1 }, &[]));
    until(client, Kind::Pong, kinds);
}

#[test]
fn nobody_acknowledges_for_another() {
    for cores in CORES {
        let running = Running::start(cores);
        drop(Client::login(running.address, BOB));
        drop(Client::login(running.address, MALLORY));
        let mut alice = Client::login(running.address, ALICE);
        alice.send(1, BOB, 1, b"for Bob alone");
        alice.expect::<Accepted>();
        let of_kind = |kind: Kind| (Code::NotYours, kind.number(), 0);
        let ack = Ack { up_to: 1 };
        assert_eq!(told(&running, 2, 0, BOB, &ack), of_kind(Kind::Ack));
        assert_eq!(told(&running, 3, 0, ALICE, &ack), of_kind(Kind::Ack));
        for cursor in [0, 1, u64::MAX] {
            let resync = Resync { cursor };
            let counter = 4 + cursor.min(2);
            assert_eq!(told(&running, counter, 0, BOB, &resync), of_kind(Kind::Resync));
        }
        // Nor more of her own than she was sent, which would be somebody else's position.
        for (counter, up_to) in [(7, 1), (8, u64::MAX)] {
            let (code, kind, _) = told(&running, counter, 0, MALLORY, &Ack { up_to });
            assert_eq!((code, kind), (Code::AckBeyondSent, Kind::Ack.number()));
        }
        expect_only(&mut alice, &[]);
        let (mut bob, pending) = come_back(&running, BOB, 1, 2);
        assert_eq!(pending, 1);
        assert_eq!(bob.expect_message().2, b"for Bob alone");
        bob.ack(1);
        let delivered = until(&mut alice, Kind::Delivered, &[]);
        assert_eq!(delivered.header.target, BOB);
    }
}

#[test]
fn nobody_reads_in_a_chat_that_is_not_hers() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut bob = Client::login(running.address, BOB);
        let mut mallory = Client::login(running.address, MALLORY);
        alice.send(1, BOB, 1, b"delivered, and not read");
        let (_, message, _) = bob.expect_message();
        bob.ack(message.position);
        alice.expect_accepted_and_delivered(1, 1);
        for (tag, device) in [(1, 1), (2, 2), (3, u128::MAX)] {
            let read = Read { peer: ALICE, device, up_to: 9 };
            mallory.write(&frame(tag, MALLORY, &read, &[]));
            let (header, noted) = mallory.expect::<ReadNoted>();
            assert_eq!((header.tag, noted.up_to), (tag, 0));
        }
        // Whatever her home said to Alice's would have come before this.
        mallory.send(4, ALICE, 1, b"behind the reads");
        let behind = until(&mut alice, Kind::Deliver, &[Kind::Delivered]);
        assert_eq!(behind.header.target, MALLORY);
        until(&mut mallory, Kind::Accepted, &[]);
        let in_his_name = Read { peer: ALICE, device: 1, up_to: 1 };
        mallory.write(&frame(5, BOB, &in_his_name, &[]));
        assert_eq!(mallory.expect_error(), (Code::NotYours, Kind::Read.number(), 5));
        expect_only(&mut alice, &[Kind::Delivered]);
        expect_only(&mut bob, &[]);
    }
}

/// Takes back number 1, which of this device's own is none.
fn take_back(client: &mut Client, to: u128, payload: &[u8]) {
    let recall = Recall { sequence: 2, recalled: 1, seen_ms: 0, life_s: 0, content_type: 2 };
    client.write(&frame(1, to, &Skip { from: 1, to: 1 }, &[]));
    client.write(&frame(2, to, &recall, payload));
}

#[test]
fn nobody_takes_back_what_another_has_sent() {
    for cores in CORES {
        let running = Running::start(cores);
        drop(Client::login(running.address, BOB));
        drop(login_device(&running, BOB, 2));
        let mut alice = Client::login(running.address, ALICE);
        let mut laptop = login_device(&running, ALICE, 2);
        let mut mallory = Client::login(running.address, MALLORY);
        alice.send(1, BOB, 1, b"stays");
        until(&mut alice, Kind::Accepted, &[]);
        take_back(&mut mallory, BOB, b"by Mallory");
        until(&mut mallory, Kind::Accepted, &[Kind::Skipped]);
        take_back(&mut laptop, BOB, b"by the laptop");
        until(&mut laptop, Kind::Accepted, &[Kind::Skipped, Kind::Copied]);
        // The chat is the same one, the numbers in it are not.
        let (mut bob, _) = come_back(&running, BOB, 1, 2);
        take_back(&mut bob, ALICE, b"by Bob");
        let mut came = Vec::new();
        while came.len() < 3 {
            let received = bob.next().expect("a frame");
            if received.header.kind() == Some(Kind::Deliver) {
                came.push((received.header.target, received.payload));
            }
        }
        came.sort();
        let expected = [
            (ALICE, b"by the laptop".to_vec()),
            (ALICE, b"stays".to_vec()),
            (MALLORY, b"by Mallory".to_vec()),
        ];
        assert_eq!(came, expected);
        let of_bob = until(&mut alice, Kind::Deliver, &[Kind::Copied]);
        assert_eq!((of_bob.header.target, of_bob.payload), (BOB, b"by Bob".to_vec()));
        expect_only(&mut alice, &[Kind::Copied]);
        expect_only(&mut mallory, &[]);
    }
}

#[test]
fn nobody_gives_up_numbers_of_another() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut bob = Client::login(running.address, BOB);
        let mut alice = Client::login(running.address, ALICE);
        let mut mallory = Client::login(running.address, MALLORY);
        for to in [BOB, ALICE] {
            mallory.write(&frame(1, to, &Skip { from: 1, to: 64 }, &[]));
            let (_, skipped) = mallory.expect::<Skipped>();
            assert_eq!(skipped.accepted, 0, "nor does it tell what others sent");
        }
        alice.send(1, BOB, 1, b"the first");
        assert_eq!(alice.expect::<Accepted>().1.sequence, 1);
        assert_eq!(bob.expect_message().2, b"the first");
        mallory.write(&frame(2, BOB, &Skip { from: 1, to: 64 }, &[]));
        assert_eq!(mallory.expect::<Skipped>().1.accepted, 0);
        alice.send(2, BOB, 2, b"the second");
        assert_eq!(alice.expect::<Accepted>().1.sequence, 2);
        assert_eq!(bob.expect_message().2, b"the second");
        // Her own numbers are used up, and hers alone.
        mallory.send(3, BOB, 1, b"given up");
        assert_eq!(mallory.expect::<Failed>().1.code, Code::Skipped.number());
        expect_only(&mut bob, &[]);
    }
}

/// What the others' home would refuse says nothing of what they have.
#[test]
fn a_refusal_tells_a_sender_of_his_own_numbers_alone() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let _bob = Client::login(running.address, BOB);
        let mut mallory = Client::login(running.address, MALLORY);
        for sequence in 1..=5 {
            alice.send(1, BOB, sequence, b"hers");
            until(&mut alice, Kind::Accepted, &[]);
        }
        mallory.write(&frame(1, BOB, &Skip { from: 6, to: 6 }, &[]));
        let received = until(&mut mallory, Kind::OutOfOrder, &[]);
        assert_eq!(received.read::<OutOfOrder>().expected, 1, "as if nobody had written to Bob");
        mallory.send(2, 999, 1, b"to nobody");
        assert_eq!(mallory.expect::<Refused>().1.code, Code::UnknownUser.number());
    }
}

/// Nor how many others came in between.
#[test]
fn the_number_of_a_session_says_nothing_of_others() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut numbers: Vec<_> = (100..108)
            .map(|user| {
                let mut client = Client::connect(running.address);
                client.say_hello(user, hello(1));
                client.expect::<Welcome>().1.session
            })
            .collect();
        numbers.sort_unstable();
        // Of eight that are drawn no two are as near, but for once in a hundred million.
        assert!(numbers.windows(2).all(|pair| pair[1] - pair[0] > 1 << 32), "{numbers:?}");
    }
}

/// A position that counted others' entries would tell how much they write.
#[test]
fn positions_say_nothing_of_others() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut mallory = Client::login(running.address, MALLORY);
        let others: Vec<_> = (100..132).map(|user| Client::login(running.address, user)).collect();
        for number in 1..=3 {
            for user in [MALLORY].into_iter().chain(100..100 + others.len() as u128) {
                alice.send(1, user, number, b"in everybody's partition");
                until(&mut alice, Kind::Accepted, &[Kind::CaughtUp, Kind::Delivered]);
            }
            let (_, deliver, _) = mallory.expect_message();
            assert_eq!((deliver.position, deliver.after), (number, number - 1));
            mallory.ack(number);
        }
    }
}
