//! A cover against a client of rustls, over a real socket.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream as StdStream};

use answerback_proto::ticket::EXPORTER_LABEL;
use rcgen::generate_simple_self_signed;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;
use crate::limits::READ_BUFFER_BYTES;
use crate::transport::Received;

/// A client and its server's end, the bytes of one call after the other.
struct Pair {
    client: ClientConnection,
    client_socket: StdStream,
    server: TlsStream,
    socket: mio::net::TcpStream,
    buffer: Vec<u8>,
    plain: Vec<u8>,
}

fn server_and_roots() -> (TlsServer, RootCertStore) {
    let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()).unwrap();
    (TlsServer::new(&certificate, TlsTickets::new().unwrap()).unwrap(), roots)
}

fn client_config(roots: RootCertStore, protocols: &[&[u8]]) -> ClientConfig {
    client_config_with(aws_lc_rs::default_provider(), roots, protocols)
}

fn client_config_with(
    provider: CryptoProvider,
    roots: RootCertStore,
    protocols: &[&[u8]],
) -> ClientConfig {
    let provider = Arc::new(provider);
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]);
    let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config
}

impl Pair {
    fn new(server: &TlsServer, config: &Arc<ClientConfig>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client_socket = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let client =
            ClientConnection::new(Arc::clone(config), "localhost".try_into().unwrap()).unwrap();
        let (server, socket) = (server.accept().unwrap(), mio::net::TcpStream::from_std(socket));
        let (buffer, plain) = (vec![0; READ_BUFFER_BYTES], Vec::new());
        Self { client, client_socket, server, socket, buffer, plain }
    }

    /// What the client has to say, taken by the server, and its words brought back.
    fn client_to_server(&mut self) -> Received {
        while self.client.wants_write() {
            self.client.write_tls(&mut self.client_socket).unwrap();
        }
        let mut sealed = Vec::new();
        let received = loop {
            let (socket, buffer) = (&mut self.socket, &mut self.buffer);
            match self.server.receive(socket, buffer, &mut self.plain, &mut sealed) {
                Received::Nothing => std::thread::yield_now(),
                received => break received,
            }
        };
        self.hear(&sealed);
        received
    }

    fn hear(&mut self, mut sealed: &[u8]) {
        while !sealed.is_empty() {
            self.client.read_tls(&mut sealed).unwrap();
            let _ = self.client.process_new_packets();
        }
    }

    fn shake_hands(&mut self) {
        while !self.server.is_secured() {
            assert!(matches!(self.client_to_server(), Received::Bytes { .. }));
        }
    }
}

#[test]
fn both_ends_export_the_same_and_no_two_connections_do() {
    let (server, roots) = server_and_roots();
    let config = Arc::new(client_config(roots, &[PROTOCOL]));
    let exports = [false, true].map(|is_resumed| {
        let mut pair = Pair::new(&server, &config);
        pair.shake_hands();
        assert_eq!(pair.server.is_resumed(), is_resumed);
        let at_client = pair.client.export_keying_material([0; 32], EXPORTER_LABEL, None).unwrap();
        assert_eq!(pair.server.exporter(), Some(at_client));
        pair.server.forget_exporter();
        assert_eq!(pair.server.exporter(), None);
        at_client
    });
    assert_ne!(exports[0], exports[1]);
}

#[test]
fn every_suite_exports_alike() {
    for suite in aws_lc_rs::ALL_CIPHER_SUITES.iter().filter(|suite| suite.tls13().is_some()) {
        let (server, roots) = server_and_roots();
        let cipher_suites = vec![*suite];
        let provider = CryptoProvider { cipher_suites, ..aws_lc_rs::default_provider() };
        let config = client_config_with(provider, roots, &[PROTOCOL]);
        let mut pair = Pair::new(&server, &Arc::new(config));
        pair.shake_hands();
        let mut at_client = [0; 32];
        let label = EXPORTER_LABEL;
        pair.client.export_keying_material(&mut at_client, label, None).unwrap();
        assert_eq!(pair.server.exporter(), Some(at_client), "{suite:?}");
    }
}

/// What a broken handshake has led to is not taken for another connection's, which would make
/// its good proof a wrong one.
#[test]
fn a_broken_handshake_leaves_no_exporter_behind() {
    let (server, roots) = server_and_roots();
    let config = Arc::new(client_config(roots, &[PROTOCOL]));
    let (mut good, mut broken) = (Pair::new(&server, &config), Pair::new(&server, &config));
    good.client_to_server();
    let mut hello = Vec::new();
    broken.client.write_tls(&mut hello).unwrap();
    broken.client_socket.write_all(&[&hello[..], b"rubbish, and no record"].concat()).unwrap();
    assert_eq!(broken.client_to_server(), Received::Broken);
    assert_eq!(broken.server.exporter(), None);
    good.shake_hands();
    let at_client = good.client.export_keying_material([0; 32], EXPORTER_LABEL, None).unwrap();
    assert_eq!(good.server.exporter(), Some(at_client));
}

#[test]
fn words_of_any_length_come_whole_in_both_directions() {
    let (server, roots) = server_and_roots();
    let mut pair = Pair::new(&server, &Arc::new(client_config(roots, &[PROTOCOL])));
    pair.shake_hands();
    assert!(pair.server.speaks_protocol());
    for length in [1, 100, 16 * 1024, 16 * 1024 + 1, 50_000] {
        let said: Vec<u8> = (0..length).map(|at| at as u8).collect();
        pair.plain.clear();
        pair.client.writer().write_all(&said).unwrap();
        while pair.plain.len() < length {
            pair.client_to_server();
        }
        assert_eq!(pair.plain, said);
        let mut sealed = Vec::new();
        pair.server.seal(&said, false, &mut sealed).unwrap();
        assert_eq!(sealed.len(), length + length.div_ceil(16 * 1024) * 22, "as few records");
        let mut heard = Vec::new();
        for piece in sealed.chunks(1000) {
            pair.hear(piece);
            let mut reader = pair.client.reader();
            let _ = std::io::Read::read_to_end(&mut reader, &mut heard);
        }
        assert_eq!(heard, said);
    }
}

#[test]
fn a_record_in_pieces_is_kept_and_nothing_is_kept_at_rest() {
    let (server, roots) = server_and_roots();
    let mut pair = Pair::new(&server, &Arc::new(client_config(roots, &[PROTOCOL])));
    pair.shake_hands();
    let mut record = Vec::new();
    pair.client.writer().write_all(&[7; 300]).unwrap();
    pair.client.write_tls(&mut record).unwrap();
    let (half, rest) = record.split_at(100);
    for (piece, kept, said) in [(half, 100, 0), (rest, 0, 300)] {
        pair.client_socket.write_all(piece).unwrap();
        pair.client_to_server();
        assert_eq!((pair.server.kept.len(), pair.plain.len()), (kept, said));
    }
    assert_eq!(pair.server.kept.capacity(), 0);
}

#[test]
fn rubbish_is_answered_by_an_alert_before_and_after_the_handshake() {
    let (server, roots) = server_and_roots();
    let config = Arc::new(client_config(roots, &[PROTOCOL]));
    for is_secured in [false, true] {
        let mut pair = Pair::new(&server, &config);
        if is_secured {
            pair.shake_hands();
        }
        pair.client_socket.write_all(b"GET / HTTP/1.1\r\nHost: answerback\r\n\r\n").unwrap();
        let mut sealed = Vec::new();
        let received = loop {
            let (socket, buffer) = (&mut pair.socket, &mut pair.buffer);
            match pair.server.receive(socket, buffer, &mut pair.plain, &mut sealed) {
                Received::Nothing => std::thread::yield_now(),
                received => break received,
            }
        };
        assert_eq!(received, Received::Broken);
        assert!(!sealed.is_empty(), "an alert");
        assert!(pair.plain.is_empty());
        assert!(!pair.server.may_seal());
    }
}

#[test]
fn who_asks_for_no_protocol_is_known_by_it() {
    let (server, roots) = server_and_roots();
    let mut pair = Pair::new(&server, &Arc::new(client_config(roots, &[])));
    pair.shake_hands();
    assert!(!pair.server.speaks_protocol());
}
