//! Sessions that are opened by a ticket, and go on with a newer token.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::kind::{Error as ErrorFrame, Kind, Renew, Renewed};
use answerback_proto::ticket::{Ticket, proof_message};
use answerback_sdk::storage::Storage;
use answerback_sdk::{Roots, Security, Tls};
use aws_lc_rs::hmac;

use super::certificates::{Authority, PROTOCOL};
use super::server::{Peer, Script, Server};
use super::*;

const SECRET: [u8; 32] = [5; 32];
/// Beyond any clock on a wall.
const LATE_MS: u64 = u64::MAX / 2;

/// Counts how often the app is asked for a token.
#[derive(Clone, Default)]
struct Tokens(Arc<AtomicU32>);

impl TokenSource for Tokens {
    fn token(&self) -> Result<String, String> {
        Ok(format!("token {}", self.0.fetch_add(1, Ordering::Relaxed) + 1))
    }
}

impl Tokens {
    fn asked_count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

fn ticket(sealed: &[u8], expires_at_ms: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    Ticket { expires_at_ms, secret: SECRET, sealed }.append(&mut bytes);
    bytes
}

/// Takes a token, gives a ticket.
fn welcome_by_token(peer: &mut Peer, token: &str, sealed: &[u8]) {
    let (tag, _, presented) = peer.hello();
    assert_eq!(presented, token);
    peer.answer_greeting(tag, &ticket(sealed, LATE_MS), |_| {});
}

/// Takes a ticket, if its proof is that of this connection, gives another.
fn welcome_by_ticket(peer: &mut Peer, sealed: &[u8], next: &[u8]) {
    let (tag, resume, presented) = peer.resume();
    assert_eq!(presented, sealed);
    let message = proof_message(&peer.exported(), ALICE, PHONE, resume.connection_counter);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    hmac::verify(&key, &message, &resume.proof()).unwrap();
    peer.answer_greeting(tag, &ticket(next, LATE_MS), |_| {});
}

fn wait_until_opened(client: &Client, count: u64) {
    wait_until(client, |client| client.statistics().unwrap().opened_count == count);
}

/// Three connections, over a restart of the app, and one token.
fn resume_twice(place: &Place, security: &Security, server: Server) {
    let tokens = Tokens::default();
    let options = Options { security: security.clone(), ..place.options(&server.address) };
    let client = Client::open(options.clone(), Box::new(tokens.clone())).unwrap();
    wait_until_opened(&client, 2);
    client.close();
    let client = Client::open(options, Box::new(tokens.clone())).unwrap();
    wait_until_opened(&client, 1);
    client.close();
    server.finish();
    assert_eq!(tokens.asked_count(), 1);
}

fn scripts() -> Vec<Script> {
    vec![
        Box::new(|peer| welcome_by_token(peer, "token 1", b"one")),
        Box::new(|peer| {
            welcome_by_ticket(peer, b"one", b"two");
            peer.read_to_end();
        }),
        Box::new(|peer| {
            welcome_by_ticket(peer, b"two", b"three");
            peer.read_to_end();
        }),
    ]
}

#[test]
fn a_ticket_opens_the_next_session_after_a_restart_too() {
    resume_twice(&Place::new(), &Security::Loopback, Server::run(scripts()));
}

#[test]
fn over_tls_the_proof_is_that_of_the_new_connection() {
    let authority = Authority::new();
    let config = authority.sign("box.example").server(&[PROTOCOL]);
    let (name, roots) = ("box.example".to_owned(), Roots::Pem(authority.pem()));
    let security = Security::Tls(Tls { server_name: Some(name), roots, pins: Vec::new() });
    resume_twice(&Place::new(), &security, Server::run_with(Some(config), scripts()));
}

#[test]
fn a_refused_ticket_is_thrown_away_and_a_token_asked_for() {
    let server = Server::run(vec![
        Box::new(|peer| welcome_by_token(peer, "token 1", b"one")),
        Box::new(|peer| {
            let (tag, ..) = peer.resume();
            let code = Code::TicketInvalid.number();
            peer.write(tag, UserId(0), &ErrorFrame { code, kind: 5, retry_after_ms: 0 });
        }),
        Box::new(|peer| {
            let (tag, _, token) = peer.hello();
            assert_eq!(token, "token 2");
            peer.answer_greeting(tag, b"", |_| {});
            peer.read_to_end();
        }),
    ]);
    let place = Place::new();
    let tokens = Tokens::default();
    let client = Client::open(place.options(&server.address), Box::new(tokens.clone())).unwrap();
    wait_until_opened(&client, 2);
    client.close();
    server.finish();
    let storage = Storage::open(&place.path(), ALICE, PHONE).unwrap();
    assert_eq!(storage.device_state().unwrap().ticket, None);
}

#[test]
fn an_expired_ticket_stays_at_home() {
    let server = Server::run(vec![
        Box::new(|peer| {
            let (tag, ..) = peer.hello();
            // Days from now for this server, and long ago for the device.
            let expires_at_ms = 1_000_000_000;
            peer.answer_greeting(tag, &ticket(b"old", expires_at_ms), |_| {});
        }),
        Box::new(|peer| {
            welcome_by_token(peer, "token 2", b"new");
            peer.read_to_end();
        }),
    ]);
    let place = Place::new();
    let tokens = Tokens::default();
    let client = Client::open(place.options(&server.address), Box::new(tokens)).unwrap();
    wait_until_opened(&client, 2);
    client.close();
    server.finish();
}

/// Its token is good for 2 s more: the app is asked for another after one.
#[test]
fn a_session_goes_on_with_a_newer_token() {
    let server = Server::run(vec![
        Box::new(|peer| {
            let (tag, ..) = peer.hello();
            let server_time_ms = 1_000_000;
            peer.answer_greeting(tag, &ticket(b"one", server_time_ms + 2_000), |welcome| {
                welcome.server_time_ms = server_time_ms;
            });
            let (header, envelope) = peer.read_frame(Kind::Renew);
            assert_eq!(UserId(header.target), ALICE);
            assert_eq!(Renew::read(&envelope).unwrap().1, b"token 2");
            let mut bytes = Vec::new();
            let address = Address { flags: 0, tag: header.tag, target: ALICE.0 };
            let renewed = Renewed { expires_at_ms: LATE_MS, ticket_length: 0 };
            renewed.append(&mut bytes, address, &ticket(b"two", LATE_MS)).unwrap();
            peer.write_bytes(&bytes);
            peer.deliver(1);
            peer.read_frame(Kind::Ack);
        }),
        Box::new(|peer| {
            welcome_by_ticket(peer, b"two", b"three");
            peer.read_to_end();
        }),
    ]);
    let place = Place::new();
    let tokens = Tokens::default();
    let client = Client::open(place.options(&server.address), Box::new(tokens.clone())).unwrap();
    wait_until_opened(&client, 2);
    client.close();
    server.finish();
    assert_eq!(tokens.asked_count(), 2);
}
