//! Who somebody is: tokens of the operator's account service, checked against its keys.
//!
//! A token is a JSON Web Token signed with Ed25519. The algorithm belongs to the key, not
//! to the token: only Ed25519 keys are taken from the set, and a token that names another
//! algorithm fails with all of them. Times are compared with the caller's clock.
//!
//! ```text
//! token ──read──► what it claims + Proof ──proof::check, all of a tick at once──► it holds, or not
//! ```
//! What a token claims is worth nothing before its proof was checked. It is read first all
//! the same: what claims nothing useful costs no check.

mod proof;

use std::fmt;

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, UserId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, decode_header};
use serde::Deserialize;

pub(crate) use proof::{Proof, check};

/// Whom tokens must be for.
const AUDIENCE: &str = "answerback";

/// Checks tokens.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<Key>,
}

/// A key, decoded once: that is a tenth of what a signature costs.
#[derive(Debug)]
struct Key {
    id: Option<String>,
    key: VerifyingKey,
}

/// Whom a token speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Claim `sub`.
    pub(crate) user: UserId,
    /// Claim `device`.
    pub(crate) device: DeviceId,
}

/// A key set that is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// Not a JSON Web Key Set.
    Form(String),
    /// There is no Ed25519 key for signatures in it.
    NoKey,
    /// An Ed25519 key in it is not 32 bytes long.
    KeyLength,
    /// An Ed25519 key in it is no point of the curve, or one that proves nothing.
    KeyWeak,
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(error) => write!(f, "no JSON Web Key Set: {error}"),
            Self::NoKey => f.write_str("the key set has no Ed25519 key (kty OKP, crv Ed25519)"),
            Self::KeyLength => f.write_str("an Ed25519 key in the key set has not 32 bytes"),
            Self::KeyWeak => {
                f.write_str("an Ed25519 key in the key set is none that proves anything")
            }
        }
    }
}

impl std::error::Error for KeySetError {}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    device: String,
    aud: Audience,
    exp: u64,
    nbf: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Verifier {
    /// A verifier with the Ed25519 keys of a JSON Web Key Set; keys of other kinds are
    /// passed over.
    ///
    /// # Errors
    /// See [`KeySetError`].
    pub fn from_jwks(text: &str) -> Result<Self, KeySetError> {
        let set: JwkSet =
            serde_json::from_str(text).map_err(|error| KeySetError::Form(error.to_string()))?;
        let keys: Vec<_> = set
            .keys
            .iter()
            .filter(|key| is_ed25519(key))
            .map(Key::new)
            .collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(KeySetError::NoKey);
        }
        Ok(Self { keys })
    }

    /// Whom a token speaks for, if its proof holds.
    ///
    /// # Errors
    /// `TokenInvalid`; `TokenExpired` also for one that is not valid yet.
    pub(crate) fn read(&self, token: &[u8], unix_s: u64) -> Result<(Identity, Proof), Code> {
        let proof = self.proof(token).ok_or(Code::TokenInvalid)?;
        let claims: Claims = insecure_decode_claims(token).map_err(|_| Code::TokenInvalid)?;
        if !claims.aud.includes(AUDIENCE) {
            return Err(Code::TokenInvalid);
        }
        let identity = Identity {
            user: claims.sub.parse().map_err(|_| Code::TokenInvalid)?,
            device: claims.device.parse().map_err(|_| Code::TokenInvalid)?,
        };
        if claims.exp <= unix_s || claims.nbf.is_some_and(|from_s| unix_s < from_s) {
            return Err(Code::TokenExpired);
        }
        Ok((identity, proof))
    }

    /// What a token was signed with, by the key that it names and that key's algorithm.
    fn proof(&self, token: &[u8]) -> Option<Proof> {
        let header = decode_header(token).ok().filter(|header| header.alg == Algorithm::EdDSA)?;
        let key = *self.key(header.kid.as_deref())?;
        let end = token.iter().rposition(|&byte| byte == b'.')?;
        let (message, signature) = token.split_at_checked(end)?;
        let signature = URL_SAFE_NO_PAD.decode(signature.get(1..)?).ok()?;
        let signature = Signature::from_slice(&signature).ok()?;
        Some(Proof { key, message: message.to_vec(), signature })
    }

    /// The key that a token names; one that names none is for the only one.
    fn key(&self, id: Option<&str>) -> Option<&VerifyingKey> {
        let found = match (id, self.keys.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(_), keys) => keys.iter().find(|key| key.id.as_deref() == id),
        };
        found.map(|key| &key.key)
    }
}

impl Key {
    fn new(jwk: &Jwk) -> Result<Self, KeySetError> {
        let key =
            DecodingKey::from_jwk(jwk).map_err(|error| KeySetError::Form(error.to_string()))?;
        let bytes = key.try_get_as_bytes().map_err(|_| KeySetError::KeyLength)?;
        let bytes = bytes.try_into().map_err(|_| KeySetError::KeyLength)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeySetError::KeyWeak)?;
        if key.is_weak() {
            return Err(KeySetError::KeyWeak);
        }
        Ok(Self { id: jwk.common.key_id.clone(), key })
    }
}

impl Audience {
    fn includes(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

fn is_ed25519(key: &Jwk) -> bool {
    let has_curve = matches!(
        &key.algorithm,
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519
    );
    has_curve && matches!(key.common.key_algorithm, None | Some(KeyAlgorithm::EdDSA))
}

#[cfg(test)]
mod tests;
