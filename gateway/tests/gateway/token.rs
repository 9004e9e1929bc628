//! The account service of these tests.

use answerback_gateway::{SealingKeys, Verifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// Long ago.
const ISSUE_S: u64 = 1_700_000_000;
/// Far in the future.
const EXPIRY_S: u64 = 32_503_680_000;
/// The key of most tests.
const USUAL: u8 = 42;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// Knows the usual key.
pub(crate) fn verifier() -> Verifier {
    verifier_of(&[USUAL])
}

/// Knows these keys, each by its seed.
pub(crate) fn verifier_of(seeds: &[u8]) -> Verifier {
    let jwk = |seed: &u8| {
        let x = URL_SAFE_NO_PAD.encode(key(*seed).verifying_key().as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": seed.to_string(), "x": x})
    };
    let keys: Vec<_> = seeds.iter().map(jwk).collect();
    Verifier::from_jwks(&json!({ "keys": keys }).to_string()).unwrap()
}

/// What boxes with this secret seal tickets with.
pub(crate) fn sealing_keys(secret: u8) -> SealingKeys {
    SealingKeys::from_secrets(&[[secret; 32]]).unwrap()
}

/// A good token.
pub(crate) fn token(user: u128, device: u128) -> Vec<u8> {
    token_with(user, device, "exp", json!(EXPIRY_S))
}

/// A token with one claim of one's own.
pub(crate) fn token_with(user: u128, device: u128, name: &str, value: Value) -> Vec<u8> {
    let mut claims = claims(user, device);
    claims.as_object_mut().unwrap().insert(name.to_owned(), value);
    sign(USUAL, &claims)
}

/// A token by another key, which it names.
pub(crate) fn token_by(seed: u8, user: u128, device: u128) -> Vec<u8> {
    sign(seed, &claims(user, device))
}

fn claims(user: u128, device: u128) -> Value {
    json!({
        "sub": user.to_string(),
        "device": device.to_string(),
        "aud": "answerback",
        "iat": ISSUE_S,
        "exp": EXPIRY_S,
    })
}

fn sign(seed: u8, claims: &Value) -> Vec<u8> {
    let encoding = EncodingKey::from_ed_der(key(seed).to_pkcs8_der().unwrap().as_bytes());
    let header = Header { kid: Some(seed.to_string()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, &encoding).unwrap().into_bytes()
}
