//! What stands on the wire: records, versions, the key exchange.

use std::io::{Read, Write};
use std::net::TcpStream;

use answerback_gateway::PROTOCOL;
use answerback_proto::header::HEADER_BYTES;
use rustls::NamedGroup;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

use super::{ALICE, BOB, client_config_with, login, made, start};
use crate::client::{Client, send_frame};
use crate::running::{Running, config};

/// Records of TLS that came, and the frames in them.
#[derive(Debug, Default)]
struct Wire {
    records: Vec<u8>,
    frames: Vec<u8>,
}

impl Wire {
    /// Reads until as many frames are there.
    fn read(&mut self, client: &mut Client, frames: usize) {
        let cover = client.cover.as_mut().unwrap();
        while count(&self.frames, frame_bytes) < frames {
            let mut buffer = [0; 16 * 1024];
            let length = client.socket.read(&mut buffer).unwrap();
            assert!(length > 0, "it ended");
            let (mut rest, _) = buffer.split_at(length);
            self.records.extend_from_slice(rest);
            while !rest.is_empty() {
                cover.read_tls(&mut rest).unwrap();
                cover.process_new_packets().unwrap();
                let _ = cover.reader().read_to_end(&mut self.frames);
            }
        }
    }
}

fn record_bytes(bytes: &[u8]) -> Option<usize> {
    let &[_, _, _, high, low, ..] = bytes else { return None };
    Some(5 + usize::from(u16::from_be_bytes([high, low])))
}

fn frame_bytes(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk().filter(|_| bytes.len() >= HEADER_BYTES)?;
    Some(u32::from_le_bytes(*length) as usize)
}

/// How many are whole.
fn count(mut bytes: &[u8], length: impl Fn(&[u8]) -> Option<usize>) -> usize {
    let mut count = 0;
    while let Some((_, rest)) = length(bytes).and_then(|length| bytes.split_at_checked(length)) {
        (bytes, count) = (rest, count + 1);
    }
    assert!(bytes.len() < 64 * 1024);
    count
}

/// A record for each frame would be 22 bytes and a cipher's beginning for each.
#[test]
fn frames_of_a_tick_share_a_record() {
    const MESSAGES: u64 = 20;
    let (running, clients) = start(1, config());
    let mut bob = login(&running, &clients, BOB);
    let mut alice = login(&running, &clients, ALICE);
    let begun = running.journal.begun();
    running.journal.hold();
    alice.send(1, BOB, 1, b"alone in its batch");
    running.journal.wait_for_begun(begun + 1);
    let rest = (2..=MESSAGES).map(|sequence| send_frame(1, BOB, sequence, &[7; 100]));
    alice.write(&rest.collect::<Vec<_>>().concat());
    alice.ping(1);
    running.journal.release();
    for client in [&mut bob, &mut alice] {
        let mut wire = Wire::default();
        wire.read(client, MESSAGES as usize);
        assert_eq!(count(&wire.records, record_bytes), 2, "{:?}", wire.records.len());
    }
}

/// A session that is recorded today is not read by a quantum computer of later.
#[test]
fn the_key_exchange_is_hybrid_where_the_client_offers_it() {
    let (certificate, roots) = made();
    let running = Running::covered(1, config(), certificate);
    let hybrid = aws_lc_rs::default_provider();
    let kx_groups = vec![aws_lc_rs::kx_group::X25519];
    let older = CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() };
    for (user, provider, group) in
        [(ALICE, hybrid, NamedGroup::X25519MLKEM768), (BOB, older, NamedGroup::X25519)]
    {
        let config = client_config_with(provider, roots.clone(), Some(PROTOCOL));
        let mut client = login(&running, &config, user);
        client.ping(1);
        let cover = client.cover.as_ref().unwrap();
        assert_eq!(cover.negotiated_key_exchange_group().unwrap().name(), group);
    }
}

/// What a client of TLS 1.2 says first, as no library here would any more.
fn client_hello_of_1_2() -> Vec<u8> {
    let extensions = [
        // supported_groups: x25519, secp256r1.
        &[0, 10, 0, 6, 0, 4, 0, 29, 0, 23][..],
        // ec_point_formats: uncompressed.
        &[0, 11, 0, 2, 1, 0],
        // signature_algorithms: ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256.
        &[0, 13, 0, 6, 0, 4, 4, 3, 8, 4],
        // extended_master_secret.
        &[0, 23, 0, 0],
    ]
    .concat();
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    // No session; ECDHE with AES-128-GCM, by ECDSA and by RSA; no compression.
    body.extend_from_slice(&[0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
    body.extend_from_slice(&extensions);
    let mut record = vec![22, 3, 1];
    record.extend_from_slice(&(4 + body.len() as u16).to_be_bytes());
    record.extend_from_slice(&[1, 0]);
    record.extend_from_slice(&(body.len() as u16).to_be_bytes());
    record.extend_from_slice(&body);
    record
}

#[test]
fn an_older_version_of_tls_is_told_that_it_is() {
    let (running, _) = start(1, config());
    let mut old = TcpStream::connect(running.address).unwrap();
    old.write_all(&client_hello_of_1_2()).unwrap();
    let mut heard = Vec::new();
    let _ = old.read_to_end(&mut heard);
    // A fatal alert: protocol_version.
    assert_eq!(heard, [21, 3, 3, 0, 2, 2, 70]);
}
