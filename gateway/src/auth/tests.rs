//! Tokens that are good, and one of each kind that is not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

const NOW_S: u64 = 1_800_000_000;

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn jwk(seed: u8, id: &str) -> Value {
    let x = URL_SAFE_NO_PAD.encode(signing_key(seed).verifying_key().as_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": x})
}

fn verifier(keys: &[Value]) -> Verifier {
    Verifier::from_jwks(&json!({ "keys": keys }).to_string()).unwrap()
}

fn claims() -> Value {
    json!({"sub": "1", "device": "7", "aud": "answerback", "iat": NOW_S, "exp": NOW_S + 60})
}

/// The usual claims but for one.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

fn token(seed: u8, id: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = id.map(str::to_owned);
    let key = EncodingKey::from_ed_der(signing_key(seed).to_pkcs8_der().unwrap().as_bytes());
    encode(&header, claims, &key).unwrap()
}

fn verify(token: &str) -> Result<Identity, Code> {
    verify_with(&verifier(&[jwk(1, "a"), jwk(2, "b")]), token)
}

fn verify_with(verifier: &Verifier, token: &str) -> Result<Identity, Code> {
    let (identity, proof) = verifier.read(token.as_bytes(), NOW_S)?;
    if check(&[&proof]) == [true] { Ok(identity) } else { Err(Code::TokenInvalid) }
}

#[test]
fn a_token_speaks_for_its_user_and_device() {
    let identity = Identity { user: UserId(1), device: DeviceId(7) };
    assert_eq!(verify(&token(1, Some("a"), &claims())), Ok(identity));
    assert_eq!(verify(&token(2, Some("b"), &claims())), Ok(identity));
    let uuid = claims_with("sub", json!("00000000-0000-0000-0000-00000000000f"));
    assert_eq!(verify(&token(1, Some("a"), &uuid)).unwrap().user, UserId(15));
    let several = claims_with("aud", json!(["other", "answerback"]));
    assert_eq!(verify(&token(1, Some("a"), &several)), Ok(identity));
}

#[test]
fn a_token_without_a_key_id_is_for_the_only_key() {
    let anonymous = token(1, None, &claims());
    assert!(verify_with(&verifier(&[jwk(1, "a")]), &anonymous).is_ok());
    assert_eq!(verify(&anonymous), Err(Code::TokenInvalid));
}

#[test]
fn another_key_or_algorithm_is_refused() {
    assert_eq!(verify(&token(3, Some("a"), &claims())), Err(Code::TokenInvalid));
    assert_eq!(verify(&token(1, Some("b"), &claims())), Err(Code::TokenInvalid));
    assert_eq!(verify(&token(1, Some("c"), &claims())), Err(Code::TokenInvalid));
    // The public key as the secret of a symmetric signature: a classic.
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("a".to_owned());
    let public = EncodingKey::from_secret(signing_key(1).verifying_key().as_bytes());
    let forged = encode(&header, &claims(), &public).unwrap();
    assert_eq!(verify(&forged), Err(Code::TokenInvalid));
    let unsigned = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"a"}"#),
        URL_SAFE_NO_PAD.encode(claims().to_string())
    );
    assert_eq!(verify(&unsigned), Err(Code::TokenInvalid));
}

#[test]
fn a_changed_or_cut_token_is_refused() {
    let whole = token(1, Some("a"), &claims());
    let other = token(1, Some("a"), &claims_with("sub", json!("2")));
    let (signed, _) = whole.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{signed}.{signature}")), Err(Code::TokenInvalid));
    for length in 0..whole.len() {
        assert_eq!(verify(&whole[..length]), Err(Code::TokenInvalid), "{length}");
    }
}

#[test]
fn wrong_claims_are_refused() {
    for (name, value) in [
        ("aud", json!("another")),
        ("aud", Value::Null),
        ("sub", Value::Null),
        ("sub", json!("0")),
        ("sub", json!("007")),
        ("sub", json!(1)),
        ("device", Value::Null),
        ("device", json!("phone")),
        ("exp", Value::Null),
        ("exp", json!("soon")),
    ] {
        let wrong = token(1, Some("a"), &claims_with(name, value.clone()));
        assert_eq!(verify(&wrong), Err(Code::TokenInvalid), "{name} {value}");
    }
}

#[test]
fn a_token_has_its_time() {
    for (name, time, expected) in [
        ("exp", NOW_S + 1, Ok(())),
        ("exp", NOW_S, Err(Code::TokenExpired)),
        ("nbf", NOW_S, Ok(())),
        ("nbf", NOW_S + 1, Err(Code::TokenExpired)),
    ] {
        let timed = token(1, Some("a"), &claims_with(name, json!(time)));
        assert_eq!(verify(&timed).map(|_| ()), expected, "{name} {time}");
    }
}

#[test]
fn a_forged_token_harms_nobody_who_is_checked_with_it() {
    let verifier = verifier(&[jwk(1, "a"), jwk(2, "b")]);
    // The stranger, seed 3, claims to be the first key.
    for seeds in [&[1, 2, 1][..], &[3, 1, 2, 2], &[1, 3], &[2, 3, 1, 3], &[3, 3], &[3], &[]] {
        let proof = |&seed: &u8| {
            let id = if seed == 2 { "b" } else { "a" };
            verifier.read(token(seed, Some(id), &claims()).as_bytes(), NOW_S).unwrap().1
        };
        let proofs: Vec<_> = seeds.iter().map(proof).collect();
        let expected: Vec<_> = seeds.iter().map(|&seed| seed != 3).collect();
        assert_eq!(check(&proofs.iter().collect::<Vec<_>>()), expected, "{seeds:?}");
    }
}

#[test]
fn key_sets_of_no_use_are_refused() {
    let refused = |text: &str| Verifier::from_jwks(text).map(|_| ()).unwrap_err();
    assert!(matches!(refused("{}"), KeySetError::Form(_)));
    assert_eq!(refused(r#"{"keys": []}"#), KeySetError::NoKey);
    let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"});
    assert_eq!(refused(&json!({"keys": [symmetric]}).to_string()), KeySetError::NoKey);
    let with_x = |x: &str| {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        refused(&json!({ "keys": [key] }).to_string())
    };
    assert_eq!(with_x("c2hvcnQ"), KeySetError::KeyLength);
    let identity_point = URL_SAFE_NO_PAD.encode([&[1][..], &[0; 31]].concat());
    assert_eq!(with_x(&identity_point), KeySetError::KeyWeak);
    let no_point = URL_SAFE_NO_PAD.encode([&[2][..], &[0; 31]].concat());
    assert_eq!(with_x(&no_point), KeySetError::KeyWeak);
}
