//! Tickets: the right to open the next session without a token. The home of the user still
//! has its say, as for a token.
//!
//! ```text
//! sealed │ user 16 │ device 16 │ issued_s 8 │ expires_s 8 │ token 16 │
//!        │ connection counter 8 │ key 8 │ secret 32 │
//! ```

use answerback_directory::shard::Grant;
use answerback_proto::id::{DeviceId, TokenId, UserId};
use answerback_proto::ticket::{SEALED_BYTES_MAX, SECRET_BYTES, Ticket, proof_message};
use aws_lc_rs::{hmac, rand};

use super::seal::SEAL_BYTES;
use super::{KeyMark, Pass, SealingKeys};

/// What TLS exports for a proof; zeros on plain TCP.
pub(crate) type Exported = [u8; SECRET_BYTES];

const CONTENT_BYTES: usize = 3 * 16 + 4 * 8 + SECRET_BYTES;
const _: () = assert!(CONTENT_BYTES + SEAL_BYTES <= SEALED_BYTES_MAX);

/// What a sealed ticket holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Ticketed {
    /// What it is good for.
    pub(crate) pass: Pass,
    secret: [u8; SECRET_BYTES],
}

/// Appends the ticket of a session, opened with this counter by a pass; nothing where the
/// system has no random numbers.
pub(crate) fn issue(keys: &SealingKeys, pass: &Pass, connection_counter: u64, out: &mut Vec<u8>) {
    let mut secret = [0; SECRET_BYTES];
    if rand::fill(&mut secret).is_err() {
        return;
    }
    let mut sealed = Vec::with_capacity(CONTENT_BYTES + SEAL_BYTES);
    if keys.seal(&content(pass, connection_counter, &secret), &mut sealed).is_some() {
        let expires_at_ms = pass.grant.expires_s.saturating_mul(1000);
        Ticket { expires_at_ms, secret, sealed: &sealed }.append(out);
    }
}

fn content(pass: &Pass, connection_counter: u64, secret: &[u8; SECRET_BYTES]) -> Vec<u8> {
    let Grant { issued_s, expires_s, token, .. } = pass.grant;
    let mut content = Vec::with_capacity(CONTENT_BYTES + SEAL_BYTES);
    for number in [pass.user.0, pass.device.0] {
        content.extend_from_slice(&number.to_le_bytes());
    }
    content.extend_from_slice(&issued_s.to_le_bytes());
    content.extend_from_slice(&expires_s.to_le_bytes());
    content.extend_from_slice(&token.0.to_le_bytes());
    content.extend_from_slice(&connection_counter.to_le_bytes());
    content.extend_from_slice(&pass.key.0.to_le_bytes());
    content.extend_from_slice(secret);
    content
}

impl Ticketed {
    /// Opens a sealed ticket; none for one that none of these keys has sealed.
    pub(crate) fn open(keys: &SealingKeys, sealed: &[u8]) -> Option<Self> {
        let content = keys.open(sealed)?;
        let mut rest = content.as_slice();
        let (user, device) = (take_u128(&mut rest)?, take_u128(&mut rest)?);
        let (issued_s, expires_s) = (take_u64(&mut rest)?, take_u64(&mut rest)?);
        let token = TokenId(take_u128(&mut rest)?);
        let (counter, key) = (take_u64(&mut rest)?, take_u64(&mut rest)?);
        let grant = Grant { issued_s, expires_s, token, ticket: Some(counter) };
        let pass = Pass { user: UserId(user), device: DeviceId(device), grant, key: KeyMark(key) };
        Some(Self { pass, secret: rest.try_into().ok()? })
    }
}

/// Whether who resumes was given the ticket, and proves it on this very connection.
pub(crate) fn has_proven(
    ticketed: &Ticketed,
    exported: &Exported,
    connection_counter: u64,
    proof: &[u8; 32],
) -> bool {
    let Pass { user, device, .. } = ticketed.pass;
    let message = proof_message(exported, user, device, connection_counter);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &ticketed.secret);
    hmac::verify(&key, &message, proof).is_ok()
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    take(bytes).map(u64::from_le_bytes)
}

fn take_u128(bytes: &mut &[u8]) -> Option<u128> {
    take(bytes).map(u128::from_le_bytes)
}

fn take<const LENGTH: usize>(bytes: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

/// Without the secret, which belongs into no log.
impl std::fmt::Debug for Ticketed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticketed").field("pass", &self.pass).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
