//! A flood of handshakes: whoever is there goes on, and who comes gets in.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection};

use crate::running::config;
use crate::tls::{Bystanders, login, start};

/// Offered in a second, for so many seconds.
const HANDSHAKES_PER_S: u32 = 3000;
const SECONDS: u32 = 2;
/// Ends that the flood holds open at a time; of older ones the box learns that they are gone.
const HELD: usize = 256;
/// As long as no chat may take; without a budget of their own, handshakes that wait take seconds.
const CHAT_MAX: Duration = Duration::from_secs(1);

/// The first bytes of a client: a whole `ClientHello`, which a box has to answer with a signature.
fn client_hello(clients: &Arc<ClientConfig>) -> Vec<u8> {
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(Arc::clone(clients), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

#[expect(clippy::disallowed_methods, reason = "a flood has a pace, and a chat a patience")]
fn now() -> Instant {
    Instant::now()
}

/// Offers them by the clock; says how many.
fn flood(address: SocketAddr, hello: &[u8]) -> u32 {
    let (began, mut held, mut offered) = (now(), VecDeque::new(), 0);
    while began.elapsed() < Duration::from_secs(SECONDS.into()) {
        let due = (began.elapsed().as_secs_f64() * f64::from(HANDSHAKES_PER_S)) as u32;
        for _ in offered..due {
            let Ok(mut socket) = TcpStream::connect(address) else { continue };
            let _ = socket.write_all(hello);
            held.push_back(socket);
            if held.len() > HELD {
                held.pop_front();
            }
        }
        offered = due;
        thread::park_timeout(Duration::from_millis(1));
    }
    offered
}

#[test]
fn with_3000_handshakes_a_second_pairs_go_on_and_who_comes_gets_in() {
    let (running, clients) = start(1, config());
    let mut bystanders = Bystanders::new(&running, &clients);
    let (address, hello) = (running.address, client_hello(&clients));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let flooding = scope.spawn(|| {
            let offered = flood(address, &hello);
            is_over.store(true, Ordering::Relaxed);
            offered
        });
        let coming = scope.spawn(|| login(&running, &clients, 77).ping(1));
        let (mut chats, mut longest) = (0, Duration::ZERO);
        while !is_over.load(Ordering::Relaxed) {
            let began = now();
            bystanders.chat();
            longest = longest.max(began.elapsed());
            chats += 1;
        }
        println!("{} offered, {chats} chats, {longest:?} the longest", flooding.join().unwrap());
        assert!(chats > 5 && longest < CHAT_MAX, "{chats} {longest:?}");
        coming.join().unwrap();
    });
    bystanders.chat();
}
