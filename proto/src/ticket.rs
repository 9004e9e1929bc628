//! What a resume ticket says to the device that holds it, and what a `Resume` proves.
//!
//! ```text
//! │ expires_at_ms u64 │ secret 32 bytes │ sealed: for the server alone to read │
//! ```
//! The secret never travels again: `Resume` carries the sealed part and an HMAC-SHA256 under
//! the secret, over what [`proof_message`] says. On TLS that includes a value that only the
//! two ends of this one connection have, so neither a ticket nor a proof that somebody saw is
//! of use on another.

use crate::id::{DeviceId, UserId};
use crate::limits::TICKET_BYTES_MAX;

/// Bytes of a secret, of a proof, and of what TLS exports for it.
pub const SECRET_BYTES: usize = 32;
/// The label of what TLS exports for a proof; there is no context.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-answerback-resume";
/// Sealed bytes of a ticket that the limit of a whole one leaves room for.
pub const SEALED_BYTES_MAX: usize = TICKET_BYTES_MAX - HEAD_BYTES;

const HEAD_BYTES: usize = 8 + SECRET_BYTES;
const PROOF_PREFIX: &[u8; 17] = b"answerback resume";
const PROOF_BYTES: usize = PROOF_PREFIX.len() + SECRET_BYTES + 16 + 16 + 8;

/// A resume ticket, in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ticket<'a> {
    /// When the token behind it expires, ms since 1970, and it with that.
    pub expires_at_ms: u64,
    /// What proves that a `Resume` is by who was given it.
    pub secret: [u8; SECRET_BYTES],
    /// What a `Resume` carries.
    pub sealed: &'a [u8],
}

/// Without the secret, which belongs into no log.
impl std::fmt::Debug for Ticket<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket")
            .field("expires_at_ms", &self.expires_at_ms)
            .field("sealed", &self.sealed)
            .finish_non_exhaustive()
    }
}

impl<'a> Ticket<'a> {
    /// Reads the ticket of a `Welcome` or a `Renewed`; none where there are too few bytes.
    pub fn read(ticket: &'a [u8]) -> Option<Self> {
        let (expires_at_ms, rest) = ticket.split_first_chunk()?;
        let (secret, sealed) = rest.split_first_chunk()?;
        let expires_at_ms = u64::from_le_bytes(*expires_at_ms);
        (!sealed.is_empty()).then_some(Self { expires_at_ms, secret: *secret, sealed })
    }

    /// Appends it.
    pub fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.expires_at_ms.to_le_bytes());
        out.extend_from_slice(&self.secret);
        out.extend_from_slice(self.sealed);
    }
}

/// What the proof of a `Resume` is the HMAC-SHA256 of, under the ticket's secret. `exported`
/// is what TLS exports for [`EXPORTER_LABEL`] on this connection, zeros on plain TCP.
pub fn proof_message(
    exported: &[u8; SECRET_BYTES],
    user: UserId,
    device: DeviceId,
    connection_counter: u64,
) -> [u8; PROOF_BYTES] {
    let mut message = [0; PROOF_BYTES];
    let mut rest = message.as_mut_slice();
    for part in [
        &PROOF_PREFIX[..],
        exported,
        &user.0.to_le_bytes(),
        &device.0.to_le_bytes(),
        &connection_counter.to_le_bytes(),
    ] {
        let (place, behind) = rest.split_at_mut(part.len());
        place.copy_from_slice(part);
        rest = behind;
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_read_as_it_was_written() {
        let ticket = Ticket { expires_at_ms: 1 << 40, secret: [7; 32], sealed: &[1, 2, 3] };
        let mut bytes = Vec::new();
        ticket.append(&mut bytes);
        assert_eq!(Ticket::read(&bytes), Some(ticket));
        assert_eq!(bytes.len(), HEAD_BYTES + 3);
        for length in 0..=HEAD_BYTES {
            assert_eq!(Ticket::read(&bytes[..length]), None, "{length}");
        }
    }

    #[test]
    fn a_secret_is_in_no_log() {
        let ticket = Ticket { expires_at_ms: 1, secret: [77; 32], sealed: &[1] };
        assert!(!format!("{ticket:?}").contains("77"));
    }

    #[test]
    fn a_proof_s_message_holds_all_that_it_proves() {
        let message = proof_message(&[9; 32], UserId(1), DeviceId(2), 3);
        let expected =
            [&b"answerback resume"[..], &[9; 32], &[1], &[0; 15], &[2], &[0; 15], &[3], &[0; 7]];
        assert_eq!(message.as_slice(), expected.concat());
    }
}
