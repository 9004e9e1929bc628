//! The account service of these tests.

use answerback_gateway::Verifier;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// Far in the future.
const EXPIRY_S: u64 = 32_503_680_000;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

/// Knows the key.
pub(crate) fn verifier() -> Verifier {
    let x = URL_SAFE_NO_PAD.encode(key().verifying_key().as_bytes());
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]});
    Verifier::from_jwks(&keys.to_string()).unwrap()
}

/// A good token.
pub(crate) fn token(user: u128, device: u128) -> Vec<u8> {
    token_with(user, device, "exp", json!(EXPIRY_S))
}

/// A token with one claim of one's own.
pub(crate) fn token_with(user: u128, device: u128, name: &str, value: Value) -> Vec<u8> {
    let mut claims = json!({
        "sub": user.to_string(),
        "device": device.to_string(),
        "aud": "answerback",
        "exp": EXPIRY_S,
    });
    claims.as_object_mut().unwrap().insert(name.to_owned(), value);
    let key = EncodingKey::from_ed_der(key().to_pkcs8_der().unwrap().as_bytes());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &key).unwrap();
    token.into_bytes()
}
