//! Whom the client trusts, and what a connection over TLS does.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use answerback_sdk::transport::{ConnectError, Connector, Distrust};
use answerback_sdk::{ErrorClass, Pin, Roots, Security, Tls};
use rustls::{HandshakeKind, ServerConfig, ServerConnection};

use super::certificates::{Authority, Certificate, PROTOCOL};
use super::server::Server;
use super::*;

const NAME: &str = "box.example";

/// A client's options: who may have signed, which keys.
fn tls(roots: Roots, pins: &[Pin]) -> Tls {
    Tls { server_name: Some(NAME.to_owned()), roots, pins: pins.to_vec() }
}

fn signed_by(authority: &Authority) -> Tls {
    tls(Roots::Pem(authority.pem()), &[])
}

/// What a client says of a server that it meets once.
fn meet(certificate: &Certificate, protocols: &[&[u8]], tls: Tls) -> Result<(), Distrust> {
    let config = certificate.server(protocols);
    let server = Server::run_with(Some(config), vec![Box::new(|_| {})]);
    let connector = Connector::new(&server.address, &Security::Tls(tls)).unwrap();
    let outcome = match connector.connect() {
        Ok(_) => Ok(()),
        Err(ConnectError::Untrusted(distrust)) => Err(distrust),
        Err(error) => panic!("{error:?}"),
    };
    server.finish();
    outcome
}

/// What a client says of a server that answers the first flight with these bytes, and closes.
fn meet_raw(answer: &'static [u8]) -> ConnectError {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 512]).unwrap();
        stream.write_all(answer).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let security = Security::Tls(Tls::default());
    let outcome = Connector::new(&address, &security).unwrap().connect();
    server.join().unwrap();
    outcome.unwrap_err()
}

#[test]
fn messages_go_over_tls_as_they_do_without() {
    let authority = Authority::new();
    let config = authority.sign(NAME).server(&[PROTOCOL]);
    let server = Server::run_with(
        Some(config),
        vec![Box::new(|peer| {
            peer.welcome(0);
            for sequence in 1..=200 {
                let (tag, send) = peer.read::<answerback_proto::kind::Send>();
                assert_eq!(send.sequence, sequence);
                peer.accept(tag, sequence);
                peer.deliver_payload(sequence, &[7; 3_000]);
            }
            peer.read_to_end();
        })],
    );
    let place = Place::new();
    let security = Security::Tls(signed_by(&authority));
    let options = Options { security, ..place.options(&server.address) };
    let client = Client::open(options, Box::new(Token)).unwrap();
    // Longer than the socket and the TLS library hold between them.
    let drafts = (0..200).map(|_| answerback_sdk::Draft::new(BOB, 1, vec![9; 20_000])).collect();
    let sent = client.send_all(drafts).unwrap();
    wait_for_state(&client, sent[199], MessageState::Accepted);
    wait_until(&client, |client| client.to_hand_over(200).unwrap().len() == 200);
    assert_eq!(client.statistics().unwrap().opened_count, 1);
    client.close();
    server.finish();
}

#[test]
fn a_certificate_is_for_the_name_that_was_meant_and_from_who_is_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    let good = authority.sign(NAME);
    assert_eq!(meet(&good, &[PROTOCOL], signed_by(&authority)), Ok(()));
    let words = |certificate: &Certificate, tls| {
        let distrust = meet(certificate, &[PROTOCOL], tls).unwrap_err();
        assert!(matches!(distrust, Distrust::Certificate(_)), "{distrust:?}");
        distrust.to_string()
    };
    let unknown = words(&good, signed_by(&other));
    assert!(unknown.contains("nobody whom this app trusts"), "{unknown}");
    let unknown = words(&good, tls(Roots::WebPki, &[]));
    assert!(unknown.contains("nobody whom this app trusts"), "{unknown}");
    let another = words(&authority.sign("other.example"), signed_by(&authority));
    assert!(another.contains("other.example") && another.contains(NAME), "{another}");
    let expired = words(&authority.sign_expired(NAME), signed_by(&authority));
    assert!(expired.contains("expired") && expired.contains("clock"), "{expired}");
}

#[test]
fn without_a_server_name_the_certificate_is_for_the_host_of_the_address() {
    let authority = Authority::new();
    let of_address = |tls: Tls| Tls { server_name: None, ..tls };
    let good = authority.sign("127.0.0.1");
    assert_eq!(meet(&good, &[PROTOCOL], of_address(signed_by(&authority))), Ok(()));
    let named = meet(&authority.sign(NAME), &[PROTOCOL], of_address(signed_by(&authority)));
    assert!(matches!(named, Err(Distrust::Certificate(_))), "{named:?}");
}

#[test]
fn a_pin_is_asked_for_beside_the_signature_or_alone() {
    let authority = Authority::new();
    let (certificate, next) = (authority.sign(NAME), authority.sign(NAME));
    let roots = || Roots::Pem(authority.pem());
    let both = [next.pin(), certificate.pin()];
    assert_eq!(meet(&certificate, &[PROTOCOL], tls(roots(), &both)), Ok(()));
    let other = meet(&certificate, &[PROTOCOL], tls(roots(), &[next.pin()]));
    assert_eq!(other, Err(Distrust::OtherKey(certificate.pin())));
    // The authority's own key is none of the box's.
    let of_authority = Pin::of_pem(&authority.pem()).unwrap();
    let of_above = meet(&certificate, &[PROTOCOL], tls(roots(), &[of_authority]));
    assert_eq!(of_above, Err(Distrust::OtherKey(certificate.pin())));
    // A good pin mends no bad chain, unless pins alone decide.
    let strange = Authority::new().sign_expired("other.example");
    let pins = [strange.pin()];
    let beside = meet(&strange, &[PROTOCOL], tls(roots(), &pins));
    assert!(matches!(beside, Err(Distrust::Certificate(_))), "{beside:?}");
    assert_eq!(meet(&strange, &[PROTOCOL], tls(Roots::PinnedOnly, &pins)), Ok(()));
    let other = meet(&certificate, &[PROTOCOL], tls(Roots::PinnedOnly, &pins));
    assert_eq!(other, Err(Distrust::OtherKey(certificate.pin())));
}

#[test]
fn the_pin_that_a_server_has_can_be_asked() {
    let certificate = Authority::new().sign_expired(NAME);
    let config = certificate.server(&[PROTOCOL]);
    let server = Server::run_with(Some(config), vec![Box::new(|_| {})]);
    assert_eq!(Pin::of_server(&server.address, None).unwrap(), certificate.pin());
    server.finish();
    assert!(Pin::of_server(&nowhere(), None).is_err());
}

#[test]
fn a_server_of_another_protocol_is_refused_before_it_is_told_anything() {
    let authority = Authority::new();
    let certificate = authority.sign(NAME);
    let names: [&[&[u8]]; 2] = [&[], &[b"h2", b"http/1.1"]];
    for protocols in names {
        let distrust = meet(&certificate, protocols, signed_by(&authority)).unwrap_err();
        assert!(matches!(distrust, Distrust::Protocol(_)), "{distrust:?}");
        assert!(distrust.to_string().contains("not this protocol"), "{distrust}");
    }
}

#[test]
fn a_server_without_tls_or_with_an_older_one_is_refused() {
    let words = |answer| match meet_raw(answer) {
        ConnectError::Untrusted(distrust) => distrust.to_string(),
        other => panic!("{other:?}"),
    };
    let plain = words(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(plain.contains("does not speak TLS"), "{plain}");
    // A fatal alert: what is offered is no version of this server's.
    let older = words(&[0x15, 3, 3, 0, 2, 2, 70]);
    assert!(older.contains("no TLS 1.3"), "{older}");
}

#[test]
fn a_server_that_closes_in_the_handshake_may_have_no_room() {
    for half in [&b""[..], &[0x16, 3, 3, 0, 100, 2]] {
        let ConnectError::Failed(error) = meet_raw(half) else { panic!() };
        assert!(error.to_string().contains("in the TLS handshake"), "{error}");
    }
}

/// The first connection pays for the certificate, the second does not.
#[test]
fn what_one_connection_leaves_the_next_one_uses() {
    let authority = Authority::new();
    let config = authority.sign(NAME).server(&[PROTOCOL]);
    let kinds = [HandshakeKind::Full, HandshakeKind::Resumed];
    let server = Server::run_with(
        Some(config),
        kinds
            .into_iter()
            .map(|kind| -> server::Script {
                Box::new(move |peer| {
                    peer.welcome(0);
                    assert_eq!(peer.tls().handshake_kind(), Some(kind));
                    peer.deliver(1);
                })
            })
            .collect(),
    );
    let place = Place::new();
    let security = Security::Tls(signed_by(&authority));
    let options = Options { security, ..place.options(&server.address) };
    let client = Client::open(options, Box::new(Token)).unwrap();
    wait_until(&client, |client| client.statistics().unwrap().opened_count == 2);
    client.close();
    server.finish();
}

#[test]
fn both_ends_know_a_secret_of_each_connection_and_of_no_other() {
    let authority = Authority::new();
    let config = authority.sign(NAME).server(&[PROTOCOL]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server =
        thread::spawn(move || [exported(&listener, &config), exported(&listener, &config)]);
    let security = Security::Tls(signed_by(&authority));
    let connector = Connector::new(&address, &security).unwrap();
    let secrets = [0, 1].map(|_| {
        let mut stream = connector.connect().unwrap();
        stream.write(b"x").unwrap();
        stream.exporter().unwrap()
    });
    assert_eq!(server.join().unwrap(), secrets);
    assert_ne!(secrets[0], secrets[1]);
    assert_ne!(secrets[0], [0; 32]);
}

/// The server's end of the secret of the next connection, which sends a byte.
fn exported(listener: &TcpListener, config: &Arc<ServerConfig>) -> [u8; 32] {
    let (mut socket, _): (TcpStream, _) = listener.accept().unwrap();
    let mut tls = ServerConnection::new(Arc::clone(config)).unwrap();
    rustls::Stream::new(&mut tls, &mut socket).read_exact(&mut [0]).unwrap();
    tls.export_keying_material([0; 32], b"EXPORTER-answerback-resume", None).unwrap()
}

#[test]
fn an_app_is_told_of_a_server_that_is_not_trusted_and_tries_again_later() {
    let authority = Authority::new();
    let config = authority.sign("other.example").server(&[PROTOCOL]);
    let server = Server::run_with(Some(config), vec![Box::new(|_| {})]);
    let place = Place::new();
    let security = Security::Tls(signed_by(&authority));
    let options = Options { security, ..place.options(&server.address) };
    let client = Client::open(options, Box::new(Token)).unwrap();
    let state =
        wait_for_connection(&client, |state| matches!(state, ConnectionState::Offline { .. }));
    let ConnectionState::Offline { retry_in_ms, reason, is_untrusted } = state else { panic!() };
    assert!(is_untrusted && reason.contains("its certificate is not trusted"), "{reason}");
    assert!(retry_in_ms > 20_000, "{retry_in_ms}");
    client.close();
    server.finish();
}

/// A close waits for no server.
#[test]
fn a_client_is_closed_in_the_middle_of_a_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::new();
    let security = Security::Tls(Tls::default());
    let address = listener.local_addr().unwrap().to_string();
    let options = Options { security, ..place.options(&address) };
    let client = Client::open(options, Box::new(Token)).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_exact(&mut [0; 512]).unwrap();
    client.close();
    // The client closes its end: that is all that is waited for.
    stream.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn options_that_trust_nobody_are_told_at_the_opening() {
    let place = Place::new();
    let bad_name = Tls { server_name: Some("no name".to_owned()), ..Tls::default() };
    for bad in [tls(Roots::PinnedOnly, &[]), tls(Roots::Pem(b"x".to_vec()), &[]), bad_name] {
        let options = Options { security: Security::Tls(bad), ..place.options(&nowhere()) };
        let error = Client::open(options, Box::new(Token)).unwrap_err();
        assert_eq!(error.class, ErrorClass::Usage, "{error}");
    }
}
