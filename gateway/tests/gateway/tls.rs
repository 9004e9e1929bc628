//! Clients under TLS.

mod wire;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use answerback_gateway::{Certificate, GatewayConfig, PROTOCOL};
use answerback_proto::code::Code;
use answerback_proto::kind::{Accepted, CaughtUp, Hello, Welcome};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore};

use crate::client::{Client, hello};
use crate::running::{Running, config};
use crate::ticket::Resumption;

const ALICE: u128 = 1;
const BOB: u128 = 2;

/// A certificate, and who trusts it.
fn made() -> (Certificate, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()).unwrap();
    (Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap(), roots)
}

fn client_config(roots: RootCertStore, protocol: Option<&[u8]>) -> Arc<ClientConfig> {
    client_config_with(aws_lc_rs::default_provider(), roots, protocol)
}

fn client_config_with(
    provider: CryptoProvider,
    roots: RootCertStore,
    protocol: Option<&[u8]>,
) -> Arc<ClientConfig> {
    let provider = Arc::new(provider);
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]);
    let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocol.into_iter().map(<[u8]>::to_vec).collect();
    Arc::new(config)
}

/// What a client says first.
pub(crate) fn client_hello(clients: &Arc<ClientConfig>) -> Vec<u8> {
    let name = "localhost".try_into().unwrap();
    let mut cover = ClientConnection::new(Arc::clone(clients), name).unwrap();
    let mut hello = Vec::new();
    cover.write_tls(&mut hello).unwrap();
    hello
}

pub(crate) fn start(cores: u16, config: GatewayConfig) -> (Running, Arc<ClientConfig>) {
    let (certificate, roots) = made();
    let clients = client_config(roots, Some(PROTOCOL));
    (Running::covered(cores, config, certificate), clients)
}

pub(crate) fn login(running: &Running, clients: &Arc<ClientConfig>, user: u128) -> Client {
    let mut client = Client::connect_covered(running.address, clients);
    client.say_hello(user, hello(1));
    client.expect::<Welcome>();
    client.expect::<CaughtUp>();
    client
}

/// Whoever was there before notices nothing.
pub(crate) struct Bystanders(Client, Client, u64);

impl Bystanders {
    pub(crate) fn new(running: &Running, clients: &Arc<ClientConfig>) -> Self {
        let (alice, bob) = (login(running, clients, ALICE), login(running, clients, BOB));
        Self(alice, bob, 0)
    }

    pub(crate) fn chat(&mut self) {
        self.2 += 1;
        let Self(alice, bob, sequence) = self;
        alice.send(5, BOB, *sequence, b"still here?");
        let (_, message, _) = bob.expect_message();
        bob.ack(message.position);
        alice.expect_accepted_and_delivered(5, *sequence);
    }
}

#[test]
fn users_of_several_cores_chat_under_cover() {
    for cores in [1, 4] {
        let (running, clients) = start(cores, config());
        let mut users: Vec<_> = (0..8).map(|at| login(&running, &clients, 100 + at)).collect();
        for at in 0..users.len() {
            let to = (at + 1) % users.len();
            let payload = vec![at as u8; 1 + at * 9000];
            let sender = &mut users[at];
            sender.send(7, 100 + to as u128, 1, &payload);
            let (from, envelope, received) = users[to].expect_message();
            assert_eq!((from, received), (100 + at as u128, payload));
            users[to].ack(envelope.position);
            users[at].expect_accepted_and_delivered(7, 1);
        }
        let handshakes = running.control.stats().unwrap().handshakes;
        assert_eq!((handshakes.done_total, handshakes.failed_total), (8, 0));
    }
}

#[test]
fn a_client_comes_back_with_a_ticket_to_any_core() {
    let (running, clients) = start(4, config());
    for round in 1..=8 {
        let mut client = Client::connect_covered(running.address, &clients);
        let kind = client.cover.as_ref().unwrap().handshake_kind();
        let expected = if round == 1 { HandshakeKind::Full } else { HandshakeKind::Resumed };
        assert_eq!(kind, Some(expected), "{round}");
        let hello = Hello { connection_counter: round, ..hello(1) };
        client.say_hello(ALICE, hello);
        client.expect::<Welcome>();
        client.expect::<CaughtUp>();
    }
    assert_eq!(running.control.stats().unwrap().handshakes.resumed_total, 7);
}

#[test]
fn who_breaks_the_rules_of_the_cover_is_closed_and_nobody_else_notices() {
    let (running, clients) = start(1, config());
    let mut bystanders = Bystanders::new(&running, &clients);
    let attacks: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        // A frame's header where a record's is expected.
        &[32, 0, 0, 0, 1, 0, 0, 0],
        // A record of a handshake with rubbish in it.
        &[22, 3, 1, 0, 5, 1, 0, 0, 1, 7],
        // One that is longer than any may be.
        &[22, 3, 1, 255, 255, 1, 0, 0, 1, 7],
        // An alert: the client does not like us.
        &[21, 3, 3, 0, 2, 2, 42],
    ];
    for bytes in attacks {
        let mut attacker = TcpStream::connect(running.address).unwrap();
        attacker.write_all(bytes).unwrap();
        let mut heard = Vec::new();
        let _ = attacker.read_to_end(&mut heard);
        bystanders.chat();
    }
    let handshakes = running.control.stats().unwrap().handshakes;
    assert_eq!(handshakes.failed_total, attacks.len() as u64);
}

#[test]
fn a_session_that_breaks_the_cover_is_closed_and_may_come_back() {
    let (running, clients) = start(1, config());
    let mut bystanders = Bystanders::new(&running, &clients);
    let mut broken = login(&running, &clients, 77);
    broken.socket.write_all(&[23, 3, 3, 0, 20, 1, 2, 3, 4, 5]).unwrap();
    broken.socket.write_all(&[0; 15]).unwrap();
    let mut heard = Vec::new();
    let _ = broken.socket.read_to_end(&mut heard);
    bystanders.chat();
    let mut back = Client::connect_covered(running.address, &clients);
    back.say_hello(77, Hello { connection_counter: 2, ..hello(1) });
    back.expect::<Welcome>();
}

/// Nor do older versions of TLS: what is compiled in is not what is offered.
#[test]
fn other_protocols_get_no_session() {
    let (certificate, roots) = made();
    let running = Running::covered(1, config(), certificate);
    let mut socket = TcpStream::connect(running.address).unwrap();
    let name = "localhost".try_into().unwrap();
    let other = client_config(roots.clone(), Some(b"h2"));
    let mut cover = ClientConnection::new(other, name).unwrap();
    let ended = loop {
        match cover.complete_io(&mut socket) {
            Ok(_) if cover.is_handshaking() => {}
            ended => break ended,
        }
    };
    assert!(ended.is_err(), "{ended:?}");
    // One that asks for none is done with its handshake before it is closed.
    let mut client = Client::connect_covered(running.address, &client_config(roots, None));
    client.expect_end();
    assert_eq!(running.control.stats().unwrap().handshakes.failed_total, 2);
}

#[test]
fn a_handshake_has_its_time_and_then_hello_has_its_own() {
    let config = GatewayConfig { tls_deadline_ms: 20, hello_deadline_ms: 30, ..config() };
    let (running, clients) = start(1, config);
    let mut silent = TcpStream::connect(running.address).unwrap();
    let mut half = TcpStream::connect(running.address).unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    for socket in [&mut silent, &mut half] {
        assert_eq!(socket.read_to_end(&mut Vec::new()).unwrap_or(0), 0, "closed unheard");
    }
    let mut quiet = Client::connect_covered(running.address, &clients);
    assert_eq!(quiet.expect_error(), (Code::HelloExpected, 0, 0));
    assert_eq!(running.control.stats().unwrap().handshakes.overdue_total, 2);
}

/// Those who say nothing keep nobody out for longer than a second.
#[test]
fn handshakes_that_do_not_go_on_make_room() {
    let config = GatewayConfig { handshakes_max: 3, tls_deadline_ms: 60_000, ..config() };
    let (running, clients) = start(1, config);
    let silent: Vec<_> = (0..6).map(|_| TcpStream::connect(running.address).unwrap()).collect();
    let mut client = login(&running, &clients, ALICE);
    client.ping(1);
    // As many of the silent ones as there were before the client, but for two.
    assert!(running.control.stats().unwrap().handshakes.shed_total >= 4);
    drop(silent);
}

#[test]
fn another_certificate_is_shown_to_those_who_come_later() {
    let (first, first_roots) = made();
    let (second, second_roots) = made();
    let running = Running::covered(2, config(), first);
    let before = client_config(first_roots, Some(PROTOCOL));
    let after = client_config(second_roots, Some(PROTOCOL));
    let mut bystanders = Bystanders::new(&running, &before);
    running.control.set_certificate(&second).unwrap();
    // The cores have taken it once they have answered what was asked behind it.
    running.control.stats().unwrap();
    let mut client = login(&running, &after, 77);
    client.ping(1);
    bystanders.chat();
}

#[test]
fn what_is_said_before_the_end_is_heard_under_cover_too() {
    let (running, clients) = start(2, config());
    let mut client = login(&running, &clients, ALICE);
    client.send(0, BOB, 1, b"a request without a tag");
    assert_eq!(client.expect_error().0, Code::TagMismatch);
    let mut alice = Client::connect_covered(running.address, &clients);
    alice.say_hello(ALICE, hello(1));
    assert_eq!(alice.expect_error().0, Code::DeviceRolledBack);
    // A good-bye, and not only the end of the socket: nothing was cut off.
    alice.expect_orderly_end();
}

#[test]
fn a_message_waits_for_a_client_that_was_not_there() {
    let (running, clients) = start(4, config());
    let mut bob = login(&running, &clients, BOB);
    bob.finish();
    let mut alice = login(&running, &clients, ALICE);
    alice.send(1, BOB, 1, b"for later");
    alice.expect::<Accepted>();
    let mut bob = Client::connect_covered(running.address, &clients);
    bob.say_hello(BOB, Hello { connection_counter: 2, ..hello(1) });
    bob.expect::<Welcome>();
    assert_eq!(bob.expect_message().2, b"for later");
}

/// A proof is for one connection under its cover, and a ticket alone is no proof.
#[test]
fn a_ticket_is_proven_on_each_connection_anew() {
    for cores in [1, 4] {
        let (running, clients) = start(cores, config());
        for user in ALICE..ALICE + 8 {
            let mut first = Client::connect_covered(running.address, &clients);
            first.say_hello(user, hello(1));
            let ticket = first.expect_ticket();
            let over = |exported| Resumption::over((user, 1), 2, &ticket, &exported);
            let mut good = Client::connect_covered(running.address, &clients);
            for wrong in [first.exported(), good.exported(), [0; 32]] {
                let mut another = Client::connect_covered(running.address, &clients);
                another.write(&over(wrong).frame());
                assert_eq!(another.expect_error().0, Code::TicketInvalid);
            }
            good.write(&over(good.exported()).frame());
            good.expect_ticket();
        }
    }
}

/// Between a handshake's two reads the core works on those of others.
#[test]
fn a_broken_handshake_spoils_no_proof_of_another() {
    let (running, clients) = start(1, config());
    let mut first = Client::connect_covered(running.address, &clients);
    first.say_hello(BOB, hello(1));
    let ticket = first.expect_ticket();
    let mut bob = Client::connect_half_covered(running.address, &clients);
    let mut attacker = TcpStream::connect(running.address).unwrap();
    attacker
        .write_all(&[client_hello(&clients), b"rubbish, and no record".to_vec()].concat())
        .unwrap();
    let _ = attacker.read_to_end(&mut Vec::new());
    bob.write(&Resumption::over((BOB, 1), 2, &ticket, &bob.exported()).frame());
    bob.expect_ticket();
}
