//! Messages between users, on one core and across cores.

use answerback_proto::code::Code;
use answerback_proto::kind::{
    Accepted, CaughtUp, Hello, Kind, OutOfOrder, Ping, Pong, Refused, Skip, Skipped, Welcome,
};

use crate::client::{Client, frame, hello, send_frame};
use crate::running::Running;

const ALICE: u128 = 1;
const BOB: u128 = 2;
const CORES: [u16; 3] = [1, 2, 4];

#[test]
fn a_message_is_accepted_delivered_and_told() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut bob = Client::login(running.address, BOB);
        alice.send(7, BOB, 1, b"hello");
        let (sender, deliver, payload) = bob.expect_message();
        assert_eq!((sender, payload.as_slice()), (ALICE, &b"hello"[..]));
        assert_eq!((deliver.position, deliver.after), (1, 0));
        assert_eq!((deliver.device, deliver.sequence, deliver.content_type), (1, 1, 1));
        bob.ack(1);
        alice.expect_accepted_and_delivered(7, 1);
        running.stop();
    }
}

#[test]
fn users_of_all_cores_reach_each_other() {
    let running = Running::start(4);
    let users: Vec<u128> = (10..26).collect();
    let mut clients: Vec<_> =
        users.iter().map(|&user| Client::login(running.address, user)).collect();
    for (index, &from) in users.iter().enumerate() {
        for (&to, tag) in users.iter().zip(100..).filter(|&(&to, _)| to != from) {
            clients[index].send(tag, to, 1, &from.to_le_bytes());
        }
    }
    for (index, &to) in users.iter().enumerate() {
        let (mut accepted, mut senders) = (Vec::new(), Vec::new());
        while accepted.len() + senders.len() < 2 * (users.len() - 1) {
            let received = clients[index].next().unwrap();
            match received.header.kind() {
                Some(Kind::Accepted) => accepted.push(received.header.tag),
                Some(Kind::Deliver) => senders.push(received.header.target),
                other => panic!("{other:?}"),
            }
        }
        senders.sort_unstable();
        let others: Vec<_> = users.iter().copied().filter(|&user| user != to).collect();
        assert_eq!(senders, others);
        accepted.sort_unstable();
        accepted.dedup();
        assert_eq!(accepted.len(), users.len() - 1);
    }
}

#[test]
fn a_chat_keeps_its_order() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut bob = Client::login(running.address, BOB);
        for burst in 0..20 {
            let sequences = burst * 50 + 1..burst * 50 + 51;
            let frames = sequences.clone().map(|sequence| {
                send_frame(sequence as u32, BOB, sequence, &sequence.to_le_bytes())
            });
            alice.write(&frames.collect::<Vec<_>>().concat());
            for sequence in sequences.clone() {
                let (_, deliver, payload) = bob.expect_message();
                assert_eq!(deliver.sequence, sequence);
                assert_eq!(payload, sequence.to_le_bytes());
            }
            bob.ack(sequences.end - 1);
            let mut answered = 0;
            while answered < 50 {
                let received = alice.next().unwrap();
                match received.header.kind() {
                    Some(Kind::Accepted) => answered += 1,
                    Some(Kind::Delivered) => {
                        let delivered: answerback_proto::kind::Delivered = received.read();
                        if delivered.position > 0 {
                            alice.ack(delivered.position);
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn nothing_is_accepted_or_shown_before_it_is_durable() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut bob = Client::login(running.address, BOB);
        let commits = running.journal.commits();
        running.journal.hold();
        alice.send(7, BOB, 1, b"hello");
        running.journal.wait_for_begun(commits + 1);
        alice.ping(1);
        bob.ping(1);
        running.journal.release();
        assert_eq!(bob.expect_message().2, b"hello");
        let (header, accepted) = alice.expect::<Accepted>();
        assert_eq!((header.tag, header.target, accepted.sequence), (7, BOB, 1));
    }
}

#[test]
fn what_waited_comes_at_login() {
    for cores in CORES {
        let running = Running::start(cores);
        drop(Client::login(running.address, BOB));
        let mut alice = Client::login(running.address, ALICE);
        for sequence in 1..=5 {
            alice.send(sequence as u32, BOB, sequence, b"later");
            alice.expect::<Accepted>();
        }
        let mut bob = Client::connect(running.address);
        bob.say_hello(BOB, Hello { connection_counter: 2, ..hello(1) });
        let (_, welcome) = bob.expect::<Welcome>();
        assert_eq!(welcome.pending_count, 5);
        for sequence in 1..=5 {
            assert_eq!(bob.expect_message().1.sequence, sequence);
        }
        assert_eq!(bob.expect::<CaughtUp>().1.position, 5);
    }
}

#[test]
fn what_cannot_be_taken_is_refused_with_its_reason() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let _bob = Client::login(running.address, BOB);
        alice.send(5, 999, 1, b"to nobody");
        let (header, refused) = alice.expect::<Refused>();
        assert_eq!((header.tag, header.target), (5, 999));
        assert_eq!((refused.code, refused.sequence), (Code::UnknownUser.number(), 1));
        alice.send(6, BOB, 2, b"one is missing");
        let (header, answer) = alice.expect::<OutOfOrder>();
        assert_eq!((header.tag, answer.sequence, answer.expected), (6, 2, 1));
        alice.write(&frame(7, BOB, &Skip { from: 1, to: 1 }, &[]));
        let (header, skipped) = alice.expect::<Skipped>();
        assert_eq!((header.tag, skipped.from, skipped.to), (7, 1, 1));
    }
}

#[test]
fn the_longest_payload_passes() {
    let running = Running::start(2);
    let mut alice = Client::login(running.address, ALICE);
    let mut bob = Client::login(running.address, BOB);
    let overhead = send_frame(1, BOB, 1, b"").len();
    let payload: Vec<u8> = (0..65_536 - overhead).map(|index| index as u8).collect();
    alice.send(1, BOB, 1, &payload);
    alice.expect::<Accepted>();
    assert_eq!(bob.expect_message().2, payload);
    alice.send(2, BOB, 2, &vec![0; payload.len() + 1]);
    assert_eq!(alice.expect_error().0, Code::FrameTooLarge);
}

#[test]
fn answers_may_overtake_each_other_but_pings_are_answered_at_once() {
    let running = Running::start(1);
    let mut alice = Client::login(running.address, ALICE);
    let _bob = Client::login(running.address, BOB);
    let mut bytes = send_frame(1, BOB, 1, b"waits for the disk");
    bytes.extend_from_slice(&frame(2, 0, &Ping { echo: 9 }, &[]));
    alice.write(&bytes);
    assert_eq!(alice.expect::<Pong>().1.echo, 9);
    assert_eq!(alice.expect::<Accepted>().0.tag, 1);
}
