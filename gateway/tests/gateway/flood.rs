//! A flood of handshakes: whoever is there goes on, and who comes gets in.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use answerback_gateway::GatewayConfig;

use crate::running::config;
use crate::tls::{Bystanders, client_hello, login, start};

/// Offered in a second, for so many seconds.
const HANDSHAKES_PER_S: u32 = 3000;
const SECONDS: u32 = 2;
/// Ends that the flood holds open at a time; of older ones the box learns that they are gone.
const HELD: usize = 256;
/// Taken in that time also where the machine is busy with other tests.
const TAKEN_MIN: u32 = 1000;
/// As long as no chat may take: 0.1 s at worst where six builds run beside it, and 0.65 if all
/// handshakes that wait were read in a tick.
const CHAT_MAX: Duration = Duration::from_millis(400);

#[expect(clippy::disallowed_methods, reason = "a flood has a pace, and a chat a patience")]
fn now() -> Instant {
    Instant::now()
}

/// Offers one recorded first flight by the clock; says how often the box's kernel took it.
fn flood(address: SocketAddr, hello: &[u8]) -> u32 {
    let (began, mut held, mut offered, mut taken) = (now(), VecDeque::new(), 0, 0);
    while began.elapsed() < Duration::from_secs(SECONDS.into()) {
        let due = (began.elapsed().as_secs_f64() * f64::from(HANDSHAKES_PER_S)) as u32;
        for _ in offered..due {
            let Ok(mut socket) = TcpStream::connect(address) else { continue };
            taken += u32::from(socket.write_all(hello).is_ok());
            held.push_back(socket);
            if held.len() > HELD {
                held.pop_front();
            }
        }
        offered = due;
        thread::park_timeout(Duration::from_millis(1));
    }
    taken
}

#[test]
fn with_3000_handshakes_a_second_pairs_go_on_and_who_comes_gets_in() {
    let (running, clients) = start(1, config());
    let mut bystanders = Bystanders::new(&running, &clients);
    let (address, hello) = (running.address, client_hello(&clients));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let flooding = scope.spawn(|| {
            let taken = flood(address, &hello);
            is_over.store(true, Ordering::Relaxed);
            taken
        });
        let coming = scope.spawn(|| login(&running, &clients, 77).ping(1));
        let (mut chats, mut longest) = (0, Duration::ZERO);
        while !is_over.load(Ordering::Relaxed) {
            let began = now();
            bystanders.chat();
            longest = longest.max(began.elapsed());
            chats += 1;
        }
        let taken = flooding.join().unwrap();
        println!("{taken} handshakes beside {chats} chats, {longest:?} the longest");
        assert!(taken >= TAKEN_MIN, "{taken}: the flood was none");
        assert!(chats > 5 && longest < CHAT_MAX, "{chats} {longest:?}");
        coming.join().unwrap();
    });
    bystanders.chat();
}

/// In a flood those who gave up would be most of what is read.
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
