//! What only boxes with the same secrets can read or make: the sealed part of a ticket.
//!
//! ```text
//! │ key id 8 │ nonce 12 │ AES-256-GCM-SIV of the content │ tag 16 │
//! ```
//! Each secret makes a key and its id (HKDF-SHA256), so a secret alone says all. The newest
//! seals; all of them open, so that tickets outlive a change of secrets. A nonce that came
//! twice, once in 2^48 tickets or so, would show of two tickets no more than whether they are
//! the same.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand;

use crate::hkdf::Length;
use crate::limits::SEALING_KEYS_MAX;

const ID_BYTES: usize = 8;
const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
/// A later layout of what is sealed takes another: its keys and ids are others then.
const PURPOSE: &[u8] = b"answerback ticket 1";

/// Bytes that sealing adds.
pub(super) const SEAL_BYTES: usize = ID_BYTES + NONCE_LEN + TAG_BYTES;

/// The keys that tickets are sealed with; clones are the same keys.
#[derive(Clone)]
pub struct SealingKeys {
    /// The newest first.
    keys: Arc<[SealingKey]>,
}

struct SealingKey {
    id: [u8; ID_BYTES],
    key: LessSafeKey,
}

/// Why there are no keys to seal with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealingError {
    /// No secret was given.
    None,
    /// More were given than may be.
    TooMany,
    /// The same one was given twice.
    Duplicate,
    /// The system gave no random bytes, or the cipher refused its key.
    System,
}

impl fmt::Display for SealingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("there is no secret to seal tickets with"),
            Self::TooMany => write!(f, "there are more than {SEALING_KEYS_MAX} secrets"),
            Self::Duplicate => f.write_str("the same secret stands there twice"),
            Self::System => f.write_str("the system has no random numbers"),
        }
    }
}

impl std::error::Error for SealingError {}

impl From<Unspecified> for SealingError {
    fn from(_: Unspecified) -> Self {
        Self::System
    }
}

impl SealingKeys {
    /// Keys of these secrets, the newest first: it seals, all of them open.
    ///
    /// # Errors
    /// See [`SealingError`].
    pub fn from_secrets(secrets: &[[u8; 32]]) -> Result<Self, SealingError> {
        if secrets.is_empty() {
            return Err(SealingError::None);
        }
        if secrets.len() > SEALING_KEYS_MAX {
            return Err(SealingError::TooMany);
        }
        let keys: Vec<_> = secrets.iter().map(SealingKey::new).collect::<Result<_, _>>()?;
        let is_double = |(at, key): (usize, &SealingKey)| {
            keys.iter().take(at).any(|earlier| earlier.id == key.id)
        };
        if keys.iter().enumerate().any(is_double) {
            return Err(SealingError::Duplicate);
        }
        Ok(Self { keys: keys.into() })
    }

    /// A key that nobody else has: what it sealed is lost with it.
    ///
    /// # Errors
    /// [`SealingError::System`].
    pub fn random() -> Result<Self, SealingError> {
        let mut secret = [0; 32];
        rand::fill(&mut secret)?;
        Self::from_secrets(&[secret])
    }

    /// Appends the content, sealed. None where the system has no random numbers; nothing is
    /// appended then.
    pub(crate) fn seal(&self, content: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let [newest, ..] = self.keys.as_ref() else { return None };
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut sealed = content.to_vec();
        let nonce_of = Nonce::assume_unique_for_key(nonce);
        newest.key.seal_in_place_append_tag(nonce_of, Aad::empty(), &mut sealed).ok()?;
        out.extend_from_slice(&newest.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Some(())
    }

    /// The content of what one of the keys has sealed.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = sealed.split_first_chunk::<ID_BYTES>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let key = self.keys.iter().find(|key| key.id == *id)?;
        let mut content = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key.key.open_in_place(nonce, Aad::empty(), &mut content).ok()?.len();
        content.truncate(length);
        Some(content)
    }
}

impl SealingKey {
    fn new(secret: &[u8; 32]) -> Result<Self, Unspecified> {
        let secret = Salt::new(HKDF_SHA256, PURPOSE).extract(secret);
        let (mut id, mut key) = ([0; ID_BYTES], [0; KEY_BYTES]);
        secret.expand(&[b"id"], Length(ID_BYTES))?.fill(&mut id)?;
        secret.expand(&[b"key"], Length(KEY_BYTES))?.fill(&mut key)?;
        Ok(Self { id, key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &key)?) })
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKeys").field("count", &self.keys.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secrets: &[u8]) -> SealingKeys {
        let secrets: Vec<_> = secrets.iter().map(|&secret| [secret; 32]).collect();
        SealingKeys::from_secrets(&secrets).unwrap()
    }

    fn sealed(keys: &SealingKeys) -> Vec<u8> {
        let mut out = Vec::new();
        keys.seal(b"content", &mut out).unwrap();
        out
    }

    #[test]
    fn what_is_sealed_is_opened_by_whoever_has_the_secret() {
        let content = Some(b"content".to_vec());
        let by_old = sealed(&keys(&[1]));
        assert_eq!(by_old.len(), SEAL_BYTES + 7);
        assert_eq!(keys(&[1]).open(&by_old), content);
        assert_eq!(keys(&[2, 1]).open(&by_old), content);
        assert_eq!(keys(&[2]).open(&by_old), None);
        assert_eq!(keys(&[1]).open(&sealed(&keys(&[2, 1]))), None, "the newest seals");
        assert_ne!(by_old, sealed(&keys(&[1])));
    }

    #[test]
    fn whatever_was_changed_or_cut_is_not_opened() {
        let keys = keys(&[1]);
        let whole = sealed(&keys);
        for at in 0..whole.len() {
            assert_eq!(keys.open(&whole[..at]), None, "{at}");
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(keys.open(&changed), None, "{at} {bit}");
            }
        }
        assert_eq!(keys.open(&[&whole[..], &[0]].concat()), None);
    }

    #[test]
    fn random_keys_are_nobody_else_s() {
        let keys = SealingKeys::random().unwrap();
        assert!(keys.open(&sealed(&keys)).is_some());
        assert_eq!(SealingKeys::random().unwrap().open(&sealed(&keys)), None);
    }

    #[test]
    fn secrets_of_no_use_are_refused() {
        let refused = |secrets: &[[u8; 32]]| SealingKeys::from_secrets(secrets).unwrap_err();
        assert_eq!(refused(&[]), SealingError::None);
        assert_eq!(refused(&[[1; 32], [2; 32], [1; 32]]), SealingError::Duplicate);
        let many: Vec<_> = (0..=SEALING_KEYS_MAX as u8).map(|secret| [secret; 32]).collect();
        assert_eq!(refused(&many), SealingError::TooMany);
    }
}
