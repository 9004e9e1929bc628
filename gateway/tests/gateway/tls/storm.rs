//! Handshakes without end: the dearest thing that a stranger can ask for, and the cheapest to
//! ask, since one recorded first flight is enough.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use answerback_gateway::GatewayConfig;

use super::{Bystanders, client_hello, login, start};
use crate::running::config;

const OFFERED_PER_S: u32 = 3000;
const SECONDS: u32 = 2;
/// What is offered in that time by a machine that is busy with other tests, too.
const OFFERED_MIN: usize = 1000;
/// Sockets that an attacker has open at a time.
const OPEN: usize = 256;
/// A message, its answer and its receipt: 0.1 s at worst where six other builds run beside it, and
/// 0.65 if all handshakes that wait were read in a tick.
const ROUND_MAX: Duration = Duration::from_millis(400);
/// How long an attacker waits for the kernel.
const CONNECT_MAX: Duration = Duration::from_millis(50);

#[expect(clippy::disallowed_methods, reason = "a load goes by the real time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a load goes by the real time")]
fn wait(time: Duration) {
    thread::sleep(time);
}

/// Says the first flight on one connection after the other; how many were taken.
fn offer(address: SocketAddr, hello: &[u8]) -> usize {
    let (begun, mut offered, mut open) = (now(), 0, VecDeque::new());
    for number in 0..OFFERED_PER_S * SECONDS {
        let due = Duration::from_secs(1) * number / OFFERED_PER_S;
        wait(due.saturating_sub(begun.elapsed()));
        if begun.elapsed() > Duration::from_secs(SECONDS.into()) {
            break;
        }
        let Ok(mut socket) = TcpStream::connect_timeout(&address, CONNECT_MAX) else { continue };
        offered += usize::from(socket.write_all(hello).is_ok());
        open.push_back(socket);
        if open.len() > OPEN {
            open.pop_front();
        }
    }
    offered
}

#[test]
fn who_is_in_chats_on_while_handshakes_pour_in() {
    let (running, clients) = start(1, GatewayConfig { handshakes_max: 512, ..config() });
    let mut bystanders = Bystanders::new(&running, &clients);
    let (address, hello) = (running.address, client_hello(&clients));
    let attacker = thread::spawn(move || offer(address, &hello));
    let (mut rounds, mut longest) = (0, Duration::ZERO);
    while !attacker.is_finished() {
        let begun = now();
        bystanders.chat();
        longest = longest.max(begun.elapsed());
        rounds += 1;
    }
    let offered = attacker.join().unwrap();
    println!("{offered} handshakes beside {rounds} rounds, the longest took {longest:?}");
    assert!(offered >= OFFERED_MIN, "{offered}");
    assert!(longest < ROUND_MAX, "{longest:?}");
    login(&running, &clients, 77).ping(1);
    bystanders.chat();
}

/// In a storm those who gave up would be most of what is read.
#[test]
fn who_is_gone_before_his_turn_is_not_answered() {
    let (running, clients) = start(1, GatewayConfig { handshakes_max: 1, ..config() });
    let silent = TcpStream::connect(running.address).unwrap();
    let mut gone = TcpStream::connect(running.address).unwrap();
    gone.write_all(&client_hello(&clients)).unwrap();
    gone.shutdown(Shutdown::Write).unwrap();
    // It is taken when the silent one has had its second.
    assert_eq!(gone.read_to_end(&mut Vec::new()).unwrap_or(0), 0);
    drop(silent);
    login(&running, &clients, 77).ping(1);
}
