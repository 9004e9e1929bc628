//! The account service's keys.
//!
//! The algorithm belongs to the key, not to the token: only Ed25519 keys are taken from the
//! set, and what else is in it is passed over.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;
use serde::Deserialize;
use serde_json::Value;

use super::KeyMark;
use crate::limits::KEYS_MAX;

/// What tokens and keys may call Ed25519: as RFC 8037 has it, and as RFC 9864.
pub(super) const ALGORITHMS: [&str; 2] = ["EdDSA", "Ed25519"];

/// Checks tokens.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<Key>,
}

/// A key, decoded once: that is a tenth of what a signature costs.
#[derive(Clone, Debug)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) key: VerifyingKey,
    pub(super) mark: KeyMark,
}

/// A key set that is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// Not a JSON Web Key Set.
    Form(String),
    /// There is no Ed25519 key for signatures in it.
    NoKey,
    /// There are more of them than may be.
    TooMany,
    /// An Ed25519 key in it is not 32 bytes long.
    KeyLength,
    /// An Ed25519 key in it is no point of the curve, or one that proves nothing.
    KeyWeak,
    /// An Ed25519 key in it comes with its private half.
    PrivateKey,
    /// Two of them have the same id.
    DuplicateId(String),
    /// One of several has no id, so no token could be for it.
    NoId,
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(error) => write!(f, "no JSON Web Key Set: {error}"),
            Self::NoKey => f.write_str("the key set has no Ed25519 key (kty OKP, crv Ed25519)"),
            Self::TooMany => write!(f, "the key set has more than {KEYS_MAX} Ed25519 keys"),
            Self::KeyLength => f.write_str("an Ed25519 key in the key set has not 32 bytes"),
            Self::KeyWeak => {
                f.write_str("an Ed25519 key in the key set is none that proves anything")
            }
            Self::PrivateKey => f.write_str(
                "the key set has a private key (d): keep that secret, give the public half",
            ),
            Self::DuplicateId(id) => write!(f, "the key set has two keys with the kid {id:?}"),
            Self::NoId => {
                f.write_str("a key in the key set has no kid, which each of several needs")
            }
        }
    }
}

impl std::error::Error for KeySetError {}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    x: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    d: Option<Value>,
}

impl Verifier {
    /// A verifier with the Ed25519 keys of a JSON Web Key Set; keys of other kinds, and for
    /// other purposes than signatures, are passed over.
    ///
    /// # Errors
    /// See [`KeySetError`].
    pub fn from_jwks(text: &str) -> Result<Self, KeySetError> {
        let set: KeySet = serde_json::from_str(text).map_err(form)?;
        let mut keys: Vec<Key> = Vec::new();
        for value in set.keys.into_iter().filter(is_ed25519) {
            let jwk: Jwk = serde_json::from_value(value).map_err(form)?;
            if jwk.signs() {
                keys.push(Key::new(jwk)?);
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::NoKey);
        }
        require_distinct(&keys)?;
        Ok(Self { keys })
    }

    /// How many keys there are.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// The key that a token names; one that names none is for the only one.
    pub(super) fn key(&self, id: Option<&str>) -> Option<&Key> {
        match (id, self.keys.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(_), keys) => keys.iter().find(|key| key.id.as_deref() == id),
        }
    }

    /// The mark of the first key.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn any_mark(&self) -> Option<KeyMark> {
        self.keys.first().map(|key| key.mark)
    }

    /// Whether a key is still in the set.
    pub(crate) fn has(&self, mark: KeyMark) -> bool {
        self.keys.iter().any(|key| key.mark == mark)
    }
}

impl KeyMark {
    fn of(key: &VerifyingKey) -> Self {
        let hash = digest(&SHA256, key.as_bytes());
        Self(hash.as_ref().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }
}

impl Jwk {
    fn signs(&self) -> bool {
        let is_for = |purpose: &Option<String>| purpose.as_deref().is_none_or(|it| it == "sig");
        let verifies = |operations: &Vec<String>| operations.iter().any(|it| it == "verify");
        self.alg.as_deref().is_none_or(|alg| ALGORITHMS.contains(&alg))
            && is_for(&self.purpose)
            && self.key_ops.as_ref().is_none_or(verifies)
    }
}

impl Key {
    fn new(jwk: Jwk) -> Result<Self, KeySetError> {
        if jwk.d.is_some() {
            return Err(KeySetError::PrivateKey);
        }
        let bytes = URL_SAFE_NO_PAD.decode(&jwk.x).map_err(|_| KeySetError::KeyLength)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| KeySetError::KeyLength)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeySetError::KeyWeak)?;
        if key.is_weak() {
            return Err(KeySetError::KeyWeak);
        }
        Ok(Self { id: jwk.kid, mark: KeyMark::of(&key), key })
    }
}

fn is_ed25519(key: &Value) -> bool {
    let is = |name: &str, value: &str| key.get(name).is_some_and(|it| it == value);
    is("kty", "OKP") && is("crv", "Ed25519")
}

/// Tokens name a key by its id.
fn require_distinct(keys: &[Key]) -> Result<(), KeySetError> {
    if keys.len() > KEYS_MAX {
        return Err(KeySetError::TooMany);
    }
    if keys.len() > 1 && keys.iter().any(|key| key.id.is_none()) {
        return Err(KeySetError::NoId);
    }
    let mut ids: Vec<_> = keys.iter().filter_map(|key| key.id.as_ref()).collect();
    ids.sort_unstable();
    let double = ids.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some((*one).clone()),
        _ => None,
    });
    double.map_or(Ok(()), |id| Err(KeySetError::DuplicateId(id)))
}

fn form(error: serde_json::Error) -> KeySetError {
    KeySetError::Form(error.to_string())
}
