//! Who somebody is: tokens of the operator's account service, checked against its keys.
//!
//! A token is a JSON Web Token signed with Ed25519. The algorithm belongs to the key, not
//! to the token: only Ed25519 keys are taken from the set, and a token that names another
//! algorithm fails with all of them. Times are compared with the caller's clock.

use std::fmt;

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, UserId};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

/// Whom tokens must be for.
const AUDIENCE: &str = "answerback";
/// Bytes of an Ed25519 public key.
const KEY_BYTES: usize = 32;

/// Checks tokens.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<Key>,
    validation: Validation,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    key: DecodingKey,
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
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(error) => write!(f, "no JSON Web Key Set: {error}"),
            Self::NoKey => f.write_str("the key set has no Ed25519 key (kty OKP, crv Ed25519)"),
            Self::KeyLength => f.write_str("an Ed25519 key in the key set has not 32 bytes"),
        }
    }
}

impl std::error::Error for KeySetError {}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    device: String,
    exp: u64,
    nbf: Option<u64>,
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
        Ok(Self { keys, validation: validation() })
    }

    /// Whom a token speaks for.
    ///
    /// # Errors
    /// `TokenInvalid`; `TokenExpired` also for one that is not valid yet.
    pub(crate) fn verify(&self, token: &[u8], unix_s: u64) -> Result<Identity, Code> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Code::TokenInvalid)?;
        let key = self.key(header.kid.as_deref()).ok_or(Code::TokenInvalid)?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .map_err(|_| Code::TokenInvalid)?
            .claims;
        if claims.exp <= unix_s || claims.nbf.is_some_and(|from_s| unix_s < from_s) {
            return Err(Code::TokenExpired);
        }
        Ok(Identity {
            user: claims.sub.parse().map_err(|_| Code::TokenInvalid)?,
            device: claims.device.parse().map_err(|_| Code::TokenInvalid)?,
        })
    }

    /// The key that a token names; one that names none is for the only one.
    fn key(&self, id: Option<&str>) -> Option<&DecodingKey> {
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
        // The verification takes 32 bytes without asking whether they are there.
        match key.try_get_as_bytes() {
            Ok(bytes) if bytes.len() == KEY_BYTES => {
                Ok(Self { id: jwk.common.key_id.clone(), key })
            }
            _ => Err(KeySetError::KeyLength),
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

/// Signature, algorithm and audience; the times are compared here, with the caller's clock.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["aud", "exp", "sub"]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

#[cfg(test)]
mod tests;
