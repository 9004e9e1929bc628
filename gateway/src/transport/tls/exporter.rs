//! The exporter of a connection: a secret that only its two ends know, and no other
//! connection has (RFC 8446, section 7.5).
//!
//! The unbuffered connection of rustls 0.23 does not export. It tells the secret from which
//! exports are derived to the key log of its configuration, in the call that makes it, so each
//! core has a tap there, and the derivation is done here.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use answerback_proto::ticket::{EXPORTER_LABEL, SECRET_BYTES};
use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, digest};
use aws_lc_rs::hkdf::{self, HKDF_SHA256, HKDF_SHA384, Prk};
use rustls::KeyLog;

use crate::hkdf::Length;

/// By this name rustls tells the secret.
const SECRET: &str = "EXPORTER_SECRET";

/// Bytes that both ends of one connection derive.
pub(crate) type Exporter = [u8; SECRET_BYTES];

/// Catches the secret of the handshake that a core works on.
#[derive(Default)]
pub(crate) struct ExporterTap(Mutex<Option<Exporter>>);

impl ExporterTap {
    /// What the last call on a handshake of this core led to, once.
    pub(super) fn take(&self) -> Option<Exporter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl KeyLog for ExporterTap {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        if label == SECRET {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = export(secret);
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == SECRET
    }
}

impl fmt::Debug for ExporterTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExporterTap")
    }
}

/// `TLS-Exporter(EXPORTER_LABEL, "", SECRET_BYTES)`, by the hash that is as long as the secret.
fn export(secret: &[u8]) -> Option<Exporter> {
    let (hash, hkdf): (&Algorithm, _) = match secret.len() {
        32 => (&SHA256, HKDF_SHA256),
        48 => (&SHA384, HKDF_SHA384),
        _ => return None,
    };
    let nothing = digest(hash, b"");
    let mut derived = [0; 48];
    let derived = derived.get_mut(..secret.len())?;
    expand(hkdf, secret, EXPORTER_LABEL, nothing.as_ref(), derived)?;
    let mut exporter = Exporter::default();
    expand(hkdf, derived, b"exporter", nothing.as_ref(), &mut exporter)?;
    Some(exporter)
}

/// `HKDF-Expand-Label(secret, label, context, out.len())`.
fn expand(
    hkdf: hkdf::Algorithm,
    secret: &[u8],
    label: &[u8],
    context: &[u8],
    out: &mut [u8],
) -> Option<()> {
    let length = u16::try_from(out.len()).ok()?.to_be_bytes();
    let label_length = [u8::try_from(b"tls13 ".len() + label.len()).ok()?];
    let context_length = [u8::try_from(context.len()).ok()?];
    let info = [&length, &label_length[..], b"tls13 ", label, &context_length, context];
    let expanded = Prk::new_less_safe(hkdf, secret);
    expanded.expand(&info, Length(out.len())).ok()?.fill(out).ok()
}
