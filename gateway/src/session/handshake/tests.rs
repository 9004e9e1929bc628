//! When a ticket is good.

use answerback_directory::shard::Grant;
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::id::TokenId;
use answerback_proto::limits::FRAME_BYTES_BEFORE_AUTH_MAX;
use answerback_proto::ticket::{Ticket, proof_message};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use serde_json::json;

use super::*;
use crate::auth::issue;

const EXPIRES_S: u64 = 1_800_000_000;
const USER: UserId = UserId(1);
const DEVICE: DeviceId = DeviceId(7);

fn verifier(seed: u8) -> Verifier {
    let key = SigningKey::from_bytes(&[seed; 32]).verifying_key();
    let x = URL_SAFE_NO_PAD.encode(key.as_bytes());
    let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]});
    Verifier::from_jwks(&set.to_string()).unwrap()
}

/// A `Resume` by the ticket of a session whose token was signed by the first key.
fn resume(keys: &SealingKeys) -> Vec<u8> {
    let grant = Grant { issued_s: 0, expires_s: EXPIRES_S, token: TokenId(9), ticket: None };
    let pass = Pass { user: USER, device: DEVICE, grant, key: verifier(1).any_mark().unwrap() };
    let mut ticket = Vec::new();
    issue(keys, &pass, 3, &mut ticket);
    let ticket = Ticket::read(&ticket).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &ticket.secret);
    let proof = hmac::sign(&key, &proof_message(&[5; 32], USER, DEVICE, 4));
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        kinds_count: 0,
        token_length: 0,
        device: DEVICE.0,
        app_build: 0,
        mode: 0,
        credit_frames: 16,
        credit_bytes: u32::MAX >> 10,
        connection_counter: 4,
        generation: 2,
        cursor: 8,
    };
    let kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Server)).collect();
    let mut wire = Vec::new();
    let address = Address { flags: 0, tag: 6, target: USER.0 };
    let resume = Resume::new(&hello, proof.as_ref().try_into().unwrap());
    resume.append(&mut wire, address, &kinds, ticket.sealed).unwrap();
    wire
}

fn read(wire: &[u8], keys: &SealingKeys, seed: u8, unix_s: u64) -> Result<Greeting, Code> {
    let mut frames = FrameBuffer::default();
    let mut received = wire;
    let frame = frames.next_frame(&mut received, FRAME_BYTES_BEFORE_AUTH_MAX).unwrap().unwrap();
    let claim = Claim::by_ticket(&frame, (keys, &verifier(seed)), &[5; 32], unix_s)?;
    assert!(claim.proof.is_none());
    Ok(claim.greeting)
}

#[test]
fn a_ticket_is_good_until_its_token_expires_and_while_its_key_is_known() {
    let keys = SealingKeys::random().unwrap();
    let wire = resume(&keys);
    let greeting = read(&wire, &keys, 1, EXPIRES_S - 1).unwrap();
    assert_eq!((greeting.kind, greeting.tag, greeting.connection_counter), (Kind::Resume, 6, 4));
    assert!(greeting.pass.is_for(USER, DEVICE));
    let Grant { ticket, token, expires_s, .. } = greeting.pass.grant;
    assert_eq!((ticket, token, expires_s), (Some(3), TokenId(9), EXPIRES_S));
    assert_eq!(read(&wire, &keys, 1, EXPIRES_S), Err(Code::TicketInvalid));
    assert_eq!(read(&wire, &keys, 2, EXPIRES_S - 1), Err(Code::TicketInvalid));
    let others = SealingKeys::random().unwrap();
    assert_eq!(read(&wire, &others, 1, EXPIRES_S - 1), Err(Code::TicketInvalid));
}
