//! Who is let in, and who is closed unheard.

use std::net::{Ipv4Addr, SocketAddr};

use answerback_gateway::GatewayConfig;
use answerback_proto::code::Code;
use answerback_proto::kind::Welcome;
use socket2::{Domain, Socket, Type};

use crate::client::{Client, hello, hello_frame};
use crate::running::{Running, config};
use crate::token::token;

const ALICE: u128 = 1;
const BOB: u128 = 2;
/// Far more than it takes.
const TRIES_MAX: usize = 100_000;

/// A connection from another address of this machine.
fn connect_from(last: u8, address: SocketAddr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    Client::on(socket.into())
}

/// Whether the box answers there.
fn is_let_in(mut client: Client) -> Option<Client> {
    client.try_write(&hello_frame(ALICE, hello(1), b"no token"));
    let answer = client.next()?;
    assert_eq!(answer.read::<answerback_proto::kind::Error>().code, Code::TokenInvalid.number());
    Some(client)
}

fn shed(running: &Running, why: &str) -> u64 {
    *running.control.stats().unwrap().shed_total.get(why).unwrap()
}

/// Wherever their sockets are meanwhile, they count to where they come from.
#[test]
fn a_network_has_so_many_connections_and_others_have_theirs() {
    let running = Running::configured(4, GatewayConfig { connections_per_prefix: 3, ..config() });
    let held: Vec<_> = (1..=3).map(|user| Client::login(running.address, user)).collect();
    assert!(Client::try_login(running.address, 4).is_none(), "a fourth");
    assert_eq!(shed(&running, "prefix"), 1);
    let mut other = connect_from(2, running.address);
    other.say_hello(5, hello(1));
    other.expect::<Welcome>();
    drop(held);
    let mut returned = Vec::new();
    // Until the box has seen that they are gone.
    let are_three_back = (0..TRIES_MAX).any(|_| {
        returned.extend(is_let_in(Client::connect(running.address)));
        returned.len() == 3
    });
    assert!(are_three_back);
    assert_eq!(shed(&running, "seats"), 0);
}

#[test]
fn a_box_takes_so_many_connections_in_a_second() {
    let running = Running::configured(4, GatewayConfig { accepts_per_s: 1, ..config() });
    let mut first = Client::login(running.address, ALICE);
    let is_one_shed = (0..TRIES_MAX).any(|_| {
        drop(Client::try_login(running.address, BOB));
        first.ping(1);
        shed(&running, "rate") > 0
    });
    assert!(is_one_shed);
    running.control.reload(config()).unwrap();
    running.control.stats().unwrap();
    let _second = Client::login(running.address, 3);
    first.ping(2);
}

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a proxy says of a client.
fn header(source: Ipv4Addr) -> Vec<u8> {
    let addresses = [&source.octets()[..], &[10, 0, 0, 1, 200, 1, 0, 5]].concat();
    let tail = [4, 0, 1, 0];
    [SIGNATURE, &[0x21, 0x11, 0, 16], &addresses, &tail].concat()
}

fn proxied(running: &Running, source: [u8; 4], user: u128) -> Client {
    let mut client = Client::connect(running.address);
    client.try_write(&header(source.into()));
    client.try_write(&hello_frame(user, hello(1), &token(user, 1)));
    client
}

fn behind_proxy() -> GatewayConfig {
    let proxy_from = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.1/32".parse().unwrap()];
    GatewayConfig { proxy_from, connections_per_prefix: 2, ..config() }
}

#[test]
fn a_proxy_says_whom_it_connects() {
    let running = Running::configured(4, behind_proxy());
    let mut held = Vec::new();
    for user in 1..=6 {
        let mut client = proxied(&running, [192, 0, 2, user as u8 % 3], user);
        client.expect::<Welcome>();
        held.push(client);
    }
    assert!(proxied(&running, [192, 0, 2, 1], 7).next().is_none(), "a third of one network");
    assert_eq!(shed(&running, "prefix"), 1);
    // Who is no listed proxy is what he is, and what he says is no header.
    let mut direct = connect_from(2, running.address);
    direct.say_hello(8, hello(1));
    direct.expect::<Welcome>();
    let mut liar = connect_from(2, running.address);
    liar.write(&header([192, 0, 2, 9].into()));
    assert_eq!(liar.expect_error().0, Code::FrameTooLarge);
}

#[test]
fn a_header_may_come_in_pieces_and_its_proxy_may_speak_for_itself() {
    let running = Running::configured(4, behind_proxy());
    let hello = hello_frame(ALICE, hello(1), &token(ALICE, 1));
    let mut client = Client::connect(running.address);
    let bytes = [header([192, 0, 2, 1].into()), hello].concat();
    let mut other = connect_from(2, running.address);
    other.say_hello(BOB, crate::client::hello(1));
    other.expect::<Welcome>();
    for piece in bytes.chunks(5) {
        client.write(piece);
        running.control.stats().unwrap();
    }
    client.expect::<Welcome>();
    let local = [SIGNATURE, &[0x20, 0, 0, 0]].concat();
    // More of them at once than may come from one network.
    let checks = (10..13).map(|user| {
        let mut check = Client::connect(running.address);
        check.write(&local);
        check.say_hello(user, crate::client::hello(1));
        check.expect::<Welcome>();
        check
    });
    assert_eq!(checks.collect::<Vec<_>>().len(), 3);
    assert_eq!(shed(&running, "prefix"), 0, "they count to nobody");
}

#[test]
fn a_listed_proxy_without_a_header_is_closed() {
    let running = Running::configured(4, behind_proxy());
    assert!(Client::try_login(running.address, ALICE).is_none(), "frames are no header");
    let too_long = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
    let mut client = Client::connect(running.address);
    client.write(&too_long);
    client.expect_end();
    assert_eq!(shed(&running, "proxy_header"), 2);
    let mut ended = Client::connect(running.address);
    ended.write(&header(Ipv4Addr::LOCALHOST)[..20]);
    ended.finish();
    ended.expect_end();
    running.control.reload(GatewayConfig { hello_deadline_ms: 100, ..behind_proxy() }).unwrap();
    running.control.stats().unwrap();
    let mut last = Client::connect(running.address);
    last.write(&header(Ipv4Addr::LOCALHOST)[..20]);
    assert_eq!(last.expect_error().0, Code::HelloExpected);
}
