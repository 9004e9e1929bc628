//! Many at once, and one who does not read.

use std::io::{ErrorKind, Write};

use answerback_gateway::{GatewayConfig, RateConfig};
use answerback_proto::code::Code;
use answerback_proto::kind::{Hello, Kind, Ping, Refused, Welcome};

use crate::client::{Client, frame, hello, send_frame};
use crate::running::{Running, config};

#[test]
fn many_connections_are_served() {
    let running = Running::start(2);
    let mut clients: Vec<_> = (1..=300).map(|user| Client::login(running.address, user)).collect();
    for (client, echo) in clients.iter_mut().zip(0..) {
        client.write(&frame(99, 0, &Ping { echo }, &[]));
    }
    for (client, echo) in clients.iter_mut().zip(300..) {
        assert_eq!(client.next().unwrap().header.kind(), Some(Kind::Pong));
        client.ping(echo);
    }
}

/// Bob's kernel, his output and his credit fill up. His messages wait in his inbox; the
/// sender and everybody else go on; and when he reads at last, all is there, in order.
#[test]
fn a_slow_reader_slows_nobody_and_loses_nothing() {
    let rates = RateConfig { burst_s: 0, ..RateConfig::default() };
    let config = GatewayConfig { rates, write_stall_ms: 600_000, ..config() };
    let running = Running::with(2, config, Default::default());
    let (alice, bob, carol) = (1, 2, 3);
    let mut slow = Client::login(running.address, bob);
    let mut sender = Client::login(running.address, alice);
    let mut other = Client::login(running.address, carol);
    for sequence in 1..=2000 {
        sender.send(1, bob, sequence, &[sequence as u8; 10_000]);
        assert_eq!(sender.next().unwrap().header.kind(), Some(Kind::Accepted), "{sequence}");
        if sequence % 100 == 0 {
            other.ping(sequence);
        }
    }
    for sequence in 1..=2000 {
        let (_, deliver, payload) = slow.expect_message();
        assert_eq!(deliver.sequence, sequence);
        assert_eq!(payload, [sequence as u8; 10_000]);
        slow.ack(deliver.position);
    }
}

/// Who asks and does not read the answers is not read any more; his requests wait in the
/// kernel, and he alone stands still.
#[test]
fn who_does_not_read_his_answers_is_not_read() {
    let config = GatewayConfig { write_stall_ms: 600_000, ..config() };
    let running = Running::with(1, config, Default::default());
    let mut greedy = Client::login(running.address, 1);
    let mut other = Client::login(running.address, 2);
    greedy.socket.set_nonblocking(true).unwrap();
    let pings = frame(99, 0, &Ping { echo: 1 }, &[]).repeat(1000);
    let (mut written, mut refusals) = (0, 0);
    // Once the kernel takes nothing through many turns of the box, it reads nothing.
    while refusals < 200 && written < 1 << 30 {
        match greedy.socket.write(pings.split_at(written % 40).1) {
            Ok(length) => {
                written += length;
                refusals = 0;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                refusals += 1;
                other.ping(1);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(written < 1 << 30, "the box takes it all");
    greedy.socket.set_nonblocking(false).unwrap();
    for _ in 0..written / 40 {
        assert_eq!(greedy.next().unwrap().header.kind(), Some(Kind::Pong));
    }
    other.ping(2);
}

#[test]
fn requests_of_one_read_are_all_served() {
    let running = Running::start(1);
    let mut alice = Client::login(running.address, 1);
    let _bob = Client::login(running.address, 2);
    let mut bytes = Vec::new();
    for sequence in 1..=60 {
        bytes.extend_from_slice(&send_frame(sequence as u32, 2, sequence, &[1; 3000]));
    }
    for cut in [1000, 60_000, 100_000] {
        let (first, second) = bytes.split_at(cut);
        alice.write(first);
        alice.write(second);
        for _ in 0..60 {
            assert_eq!(alice.next().unwrap().header.kind(), Some(Kind::Accepted));
        }
    }
}

/// While the disk stands still, logins may not pile up either: whoever comes when the next
/// batch is full is told to come again, and then may.
#[test]
fn a_login_that_finds_its_partition_full_is_refused_as_busy() {
    let running = Running::start(1);
    let (alice, bob) = (1, 2);
    drop(Client::login(running.address, bob));
    let mut sender = Client::login(running.address, alice);
    running.journal.hold();
    let frames = (1..=64).map(|sequence| send_frame(1, bob, sequence, &[7; 60_000]));
    sender.write(&frames.collect::<Vec<_>>().concat());
    let (_, refused) = sender.expect::<Refused>();
    assert_eq!(refused.code, Code::Busy.number());
    let again = |counter| {
        let mut client = Client::connect(running.address);
        client.say_hello(bob, Hello { connection_counter: counter, ..hello(1) });
        client
    };
    assert_eq!(again(2).expect_error(), (Code::Busy, Kind::Hello.number(), 1));
    running.journal.release();
    while sender.next().unwrap().header.kind() != Some(Kind::Accepted) {}
    again(2).expect::<Welcome>();
}
