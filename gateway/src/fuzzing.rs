//! What fuzzing calls of the gateway: the check of a connection's first frame, and tickets.

use answerback_directory::shard::Grant;
use answerback_proto::code::Code;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::{DeviceId, TokenId, UserId};

use crate::auth::{self, Pass, SealingKeys, Verifier};
use crate::session::handshake::{Claim, Unfit};

/// Whom a `Hello` is from, where it is good.
///
/// # Errors
/// As the box tells the client before it closes.
pub fn greet(
    frame: &Frame<'_>,
    verifier: &Verifier,
    unix_s: u64,
) -> Result<(UserId, DeviceId), Code> {
    let claim = Claim::by_token(frame, verifier, unix_s).map_err(Unfit::code)?;
    let Pass { user, device, .. } = claim.greeting.pass;
    let proofs: Vec<_> = claim.proof.iter().collect();
    if auth::check(&proofs) == [true] { Ok((user, device)) } else { Err(Code::TokenInvalid) }
}

/// Whom a `Resume` is from, where it is good.
///
/// # Errors
/// As the box tells the client before it closes.
pub fn resume(
    frame: &Frame<'_>,
    keys: (&SealingKeys, &Verifier),
    exported: &[u8; 32],
    unix_s: u64,
) -> Result<(UserId, DeviceId), Code> {
    let claim = Claim::by_ticket(frame, keys, exported, unix_s)?;
    let Pass { user, device, .. } = claim.greeting.pass;
    Ok((user, device))
}

/// The ticket of a session of a device, by a token that expires then.
pub fn ticket(
    (keys, verifier): (&SealingKeys, &Verifier),
    (user, device): (UserId, DeviceId),
    expires_s: u64,
) -> Vec<u8> {
    let grant = Grant { issued_s: 0, expires_s, token: TokenId(0), ticket: None };
    let mut ticket = Vec::new();
    if let Some(key) = verifier.any_mark() {
        auth::issue(keys, &Pass { user, device, grant, key }, 1, &mut ticket);
    }
    ticket
}

/// Whom a ticket with this content would be of, were it sealed.
pub fn open_sealed(keys: &SealingKeys, content: &[u8]) -> Option<(UserId, DeviceId)> {
    let mut sealed = Vec::new();
    keys.seal(content, &mut sealed)?;
    let pass = auth::Ticketed::open(keys, &sealed)?.pass;
    Some((pass.user, pass.device))
}

/// What a client proves a `Resume` by.
pub fn prove(secret: &[u8; 32], message: &[u8]) -> [u8; 32] {
    use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
    let mut proof = [0; 32];
    proof.copy_from_slice(sign(&Key::new(HMAC_SHA256, secret), message).as_ref());
    proof
}
