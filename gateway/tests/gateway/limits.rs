//! What a box takes of a peer who asks too much, and that nobody else notices.

use std::io::{ErrorKind, Write};

use answerback_gateway::{GatewayConfig, RateConfig};
use answerback_proto::code::Code;
use answerback_proto::kind::{
    Accepted, CaughtUp, Delivered, Error, Kind, OutOfOrder, Ping, Read, ReadNoted, Refused, Welcome,
};

use crate::client::{Client, frame, hello, send_frame};
use crate::running::{Running, config};

const ALICE: u128 = 1;
const BOB: u128 = 2;
const CAROL: u128 = 3;

/// 20 messages at once, and one more each second.
fn slow_rates() -> RateConfig {
    RateConfig { burst_s: 20, device_messages_per_s: 1, ..RateConfig::default() }
}

/// The first is refused and keeps its number; what was pipelined behind it is taken by nobody
/// before it; and with its number it is taken, in order, once there is room.
#[test]
fn who_sends_too_much_is_told_when_to_go_on_and_loses_nothing() {
    let running = Running::configured(2, GatewayConfig { rates: slow_rates(), ..config() });
    let mut bob = Client::login(running.address, BOB);
    let mut alice = Client::login(running.address, ALICE);
    let mut carol = Client::login(running.address, CAROL);
    let frames: Vec<_> =
        (1..=40).map(|number| send_frame(number as u32, BOB, number, b"!")).collect();
    alice.write(&frames.concat());
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for _ in 1..=40 {
        let answer = alice.next().unwrap();
        match answer.header.kind() {
            Some(Kind::Accepted) => accepted.push(answer.read::<Accepted>().sequence),
            Some(Kind::Refused) => {
                let Refused { sequence, retry_after_ms, code } = answer.read();
                assert_eq!(code, Code::RateLimited.number());
                assert!((100..=60_000).contains(&retry_after_ms), "{retry_after_ms}");
                refused.push(sequence);
            }
            // A second went by meanwhile.
            Some(Kind::OutOfOrder) => assert_eq!(answer.read::<OutOfOrder>().expected, refused[0]),
            other => panic!("{other:?}"),
        }
    }
    assert!(accepted.iter().copied().eq(1..refused[0]), "{accepted:?} {refused:?}");
    assert!(accepted.len() >= 20 && refused.len() >= 10, "{accepted:?} {refused:?}");
    carol.send(1, BOB, 1, b"a bystander");
    carol.expect::<Accepted>();
    let stats = running.control.stats().unwrap();
    assert_eq!(stats.refused_total[Code::RateLimited.name()], refused.len() as u64);

    running.control.reload(config()).unwrap();
    running.control.stats().unwrap();
    for number in refused[0]..=40 {
        alice.send(1, BOB, number, b"!");
        assert_eq!(alice.expect::<Accepted>().1.sequence, number);
    }
    let of_alice = (1..=41).map(|_| bob.expect_message()).filter(|(from, ..)| *from == ALICE);
    assert!(of_alice.map(|(_, deliver, _)| deliver.sequence).eq(1..=40));
}

/// It is counted as a message is, and answered as one.
#[test]
fn a_read_of_who_sends_too_much_is_refused_and_noted_afterwards() {
    let running = Running::configured(2, GatewayConfig { rates: slow_rates(), ..config() });
    let mut alice = Client::login(running.address, ALICE);
    let read = Read { peer: BOB, device: 1, up_to: 5 };
    let frames = (1..=40).map(|tag| frame(tag, ALICE, &read, &[]));
    alice.write(&frames.collect::<Vec<_>>().concat());
    let mut refused = 0;
    for _ in 1..=40 {
        let answer = alice.next().unwrap();
        assert_eq!(answer.header.target, ALICE);
        if answer.header.kind() == Some(Kind::ReadNoted) {
            continue;
        }
        let told: Refused = answer.read();
        assert_eq!((told.code, told.sequence), (Code::RateLimited.number(), 5));
        assert!((100..=60_000).contains(&told.retry_after_ms), "{told:?}");
        refused += 1;
    }
    assert!((10..=20).contains(&refused), "{refused}");
    running.control.reload(config()).unwrap();
    running.control.stats().unwrap();
    alice.write(&frame(50, ALICE, &read, &[]));
    assert_eq!(alice.expect::<ReadNoted>().0.tag, 50);
}

#[test]
fn who_takes_nothing_is_closed() {
    let running = Running::configured(2, GatewayConfig { write_stall_ms: 400, ..config() });
    let mut greedy = Client::login(running.address, ALICE);
    let mut other = Client::login(running.address, BOB);
    greedy.socket.set_nonblocking(true).unwrap();
    let pings = frame(99, 0, &Ping { echo: 1 }, &[]).repeat(1000);
    let mut unsent = pings.as_slice();
    let ended = loop {
        if unsent.is_empty() {
            unsent = &pings;
        }
        match greedy.socket.write(unsent) {
            Ok(length) => unsent = unsent.split_at(length).1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => other.ping(1),
            Err(error) => break error.kind(),
        }
    };
    assert!(matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended:?}");
    other.ping(2);
    let stats = running.control.stats().unwrap();
    assert_eq!((stats.stalled_total, stats.connections), (1, 1));
}

/// A byte now and then keeps a connection alive, but no frame.
#[test]
fn a_frame_that_does_not_end_is_told_so() {
    let running = Running::configured(2, GatewayConfig { frame_deadline_ms: 400, ..config() });
    let mut slow = Client::login(running.address, ALICE);
    let mut other = Client::login(running.address, BOB);
    let bytes = send_frame(1, BOB, 1, &[7; 60_000]);
    slow.socket.set_nonblocking(true).unwrap();
    for byte in bytes.chunks(1) {
        if slow.socket.peek(&mut [0]).is_ok() {
            break;
        }
        slow.write(byte);
        other.ping(1);
    }
    slow.socket.set_nonblocking(false).unwrap();
    assert_eq!(slow.expect_error(), (Code::FrameTooSlow, 0, 0));
    let stats = running.control.stats().unwrap();
    assert_eq!(stats.closed_total, [(Code::FrameTooSlow.name(), 1)].into());
    other.ping(2);
}

#[test]
fn a_box_without_memory_goes_on_with_what_it_has() {
    let running = Running::configured(2, config());
    let mut bob = Client::login(running.address, BOB);
    let mut alice = Client::login(running.address, ALICE);
    alice.send(1, BOB, 1, b"before");
    alice.expect::<Accepted>();
    running.control.set_memory_low(true);
    alice.send(2, BOB, 2, b"meanwhile");
    let (_, refused) = alice.expect::<Refused>();
    assert_eq!((refused.code, refused.sequence), (Code::MemoryReserve.number(), 2));
    assert!(refused.retry_after_ms >= 1000);
    let mut carol = Client::connect(running.address);
    carol.say_hello(CAROL, hello(1));
    let (_, error) = carol.expect::<Error>();
    assert_eq!(error.code, Code::MemoryReserve.number());
    assert!(error.retry_after_ms >= 1000);
    assert!(running.control.stats().unwrap().is_memory_low);

    bob.expect_message();
    bob.ack(1);
    assert_eq!(alice.expect::<Delivered>().1.up_to, 1);
    alice.ping(1);
    running.control.set_memory_low(false);
    alice.send(3, BOB, 2, b"afterwards");
    while alice.next().unwrap().header.kind() != Some(Kind::Accepted) {}
    let mut carol = Client::connect(running.address);
    carol.say_hello(CAROL, hello(1));
    carol.expect::<Welcome>();
    assert!(!running.control.stats().unwrap().is_memory_low);
}

/// They are counted apart, and what one is refused for is not the other's.
#[test]
fn another_device_of_the_user_has_its_own_messages() {
    let running = Running::configured(2, GatewayConfig { rates: slow_rates(), ..config() });
    let mut first = Client::login(running.address, BOB);
    let mut second = Client::connect(running.address);
    second.say_hello(BOB, hello(2));
    second.expect::<Welcome>();
    second.expect::<CaughtUp>();
    drop(Client::login(running.address, ALICE));
    let send = |client: &mut Client, number| {
        client.send(1, ALICE, number, b"!");
        let mut kinds = std::iter::from_fn(|| client.next()?.header.kind());
        kinds.find(|kind| matches!(kind, Kind::Refused | Kind::Accepted)).unwrap()
    };
    let refused = (1..=60).find(|&number| send(&mut first, number) == Kind::Refused);
    assert!(refused.is_some());
    assert_eq!(send(&mut second, 1), Kind::Accepted);
}
