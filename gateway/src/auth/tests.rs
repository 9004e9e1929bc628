//! Tokens that are good, and one of each kind that is not.

use answerback_proto::id::TokenId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::{Signer, SigningKey};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

pub(super) const NOW_S: u64 = 1_800_000_000;

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn jwk(seed: u8, id: &str) -> Value {
    let x = URL_SAFE_NO_PAD.encode(signing_key(seed).verifying_key().as_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": x})
}

/// A key's JSON with one member of another value, or none.
fn jwk_with(seed: u8, id: &str, name: &str, value: Value) -> Value {
    with(jwk(seed, id), name, value)
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
        value => object[name] = value,
    }
    object
}

fn verifier(keys: &[Value]) -> Verifier {
    Verifier::from_jwks(&json!({ "keys": keys }).to_string()).unwrap()
}

fn claims() -> Value {
    json!({"sub": "1", "device": "7", "aud": "answerback", "iat": NOW_S - 5, "exp": NOW_S + 60})
}

/// The usual claims but for one.
fn claims_with(name: &str, value: Value) -> Value {
    with(claims(), name, value)
}

/// As a library of others' writes it.
fn token(seed: u8, id: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = id.map(str::to_owned);
    let key = EncodingKey::from_ed_der(signing_key(seed).to_pkcs8_der().unwrap().as_bytes());
    encode(&header, claims, &key).unwrap()
}

/// Whatever header it is, signed by the first key.
fn token_of(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = signing_key(1).sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn verify(token: &str) -> Result<Pass, Code> {
    verify_with(&verifier(&[jwk(1, "a"), jwk(2, "b")]), token)
}

fn verify_with(verifier: &Verifier, token: &str) -> Result<Pass, Code> {
    let (pass, proof) = verifier.read(token.as_bytes(), NOW_S).map_err(TokenFault::code)?;
    if check(&[&proof]) == [true] { Ok(pass) } else { Err(Code::TokenInvalid) }
}

#[test]
fn a_token_speaks_for_its_user_and_device() {
    let whom = |token: &str| verify(token).map(|pass| (pass.user, pass.device));
    let expected = Ok((UserId(1), DeviceId(7)));
    assert_eq!(whom(&token(1, Some("a"), &claims())), expected);
    assert_eq!(whom(&token(2, Some("b"), &claims())), expected);
    let uuid = claims_with("sub", json!("00000000-0000-0000-0000-00000000000f"));
    assert_eq!(verify(&token(1, Some("a"), &uuid)).unwrap().user, UserId(15));
    let several = claims_with("aud", json!(["other", "answerback"]));
    assert_eq!(whom(&token(1, Some("a"), &several)), expected);
    let more = claims_with("roles", json!({"deep": [[[1, {"x": null}]]]}));
    assert_eq!(whom(&token(1, Some("a"), &more)), expected);
}

#[test]
fn a_token_says_what_it_may_be_revoked_by() {
    let named = claims_with("jti", json!("3f6c"));
    let grant = Grant {
        issued_s: NOW_S - 5,
        expires_s: NOW_S + 60,
        token: TokenId::of("3f6c"),
        ticket: None,
    };
    assert_eq!(verify(&token(1, Some("a"), &named)).unwrap().grant, grant);
    let nameless = verify(&token(1, Some("a"), &claims())).unwrap().grant;
    assert_eq!(nameless, Grant { token: TokenId(0), ..grant });
}

#[test]
fn both_names_of_the_algorithm_are_good_and_no_other() {
    for (header, is_good) in [
        (r#"{"alg":"EdDSA","kid":"a"}"#, true),
        (r#"{"alg":"Ed25519","kid":"a","typ":"JWT"}"#, true),
        (r#"{"alg":"ed25519","kid":"a"}"#, false),
        (r#"{"alg":"Ed448","kid":"a"}"#, false),
        (r#"{"alg":"none","kid":"a"}"#, false),
        (r#"{"alg":null,"kid":"a"}"#, false),
        (r#"{"kid":"a"}"#, false),
        (r#"{"alg":"HS256","alg":"EdDSA","kid":"a"}"#, false),
        (r#"{"alg":"EdDSA","kid":"a","crit":["exp"]}"#, false),
        (r#"{"alg":"EdDSA","kid":"a","b64":false,"crit":["b64"]}"#, false),
        (r#"{"alg":"EdDSA","kid":["a"]}"#, false),
        (r#"["EdDSA"]"#, false),
        ("", false),
    ] {
        let verdict = verify(&token_of(header, &claims().to_string())).map(|_| ());
        let expected = if is_good { Ok(()) } else { Err(Code::TokenInvalid) };
        assert_eq!(verdict, expected, "{header}");
    }
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

/// The set may have changed: then it is worth fetching again.
#[test]
fn an_unknown_key_is_told_from_other_faults() {
    let verifier = verifier(&[jwk(1, "a"), jwk(2, "b")]);
    let fault = |token: &str| verifier.read(token.as_bytes(), NOW_S).map(|_| ()).unwrap_err();
    assert_eq!(fault(&token(1, Some("c"), &claims())), TokenFault::UnknownKey);
    assert_eq!(fault(&token(1, None, &claims())), TokenFault::UnknownKey);
    let expired = claims_with("exp", json!(1));
    assert_eq!(fault(&token(1, Some("c"), &expired)), TokenFault::UnknownKey);
    assert_eq!(fault(&token(1, Some("a"), &expired)), TokenFault::Expired);
    assert_eq!(fault("no token"), TokenFault::Invalid);
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
    for more in [format!("{whole}="), format!("{whole}."), format!("x.{whole}"), whole.repeat(2)] {
        assert_eq!(verify(&more), Err(Code::TokenInvalid), "{more}");
    }
}

#[test]
fn wrong_claims_are_refused() {
    for (name, value) in [
        ("aud", json!("another")),
        ("aud", json!(["another"])),
        ("aud", Value::Null),
        ("sub", Value::Null),
        ("sub", json!("0")),
        ("sub", json!("007")),
        ("sub", json!(1)),
        ("device", Value::Null),
        ("device", json!("phone")),
        ("exp", Value::Null),
        ("exp", json!("soon")),
        ("exp", json!(-1)),
        ("exp", json!(1.9e9)),
        ("iat", Value::Null),
        ("iat", json!("now")),
        ("nbf", json!("now")),
        ("jti", json!("")),
        ("jti", json!("x".repeat(129))),
        ("jti", json!(7)),
    ] {
        let wrong = token(1, Some("a"), &claims_with(name, value.clone()));
        assert_eq!(verify(&wrong), Err(Code::TokenInvalid), "{name} {value}");
    }
    let longest = claims_with("jti", json!("x".repeat(128)));
    assert!(verify(&token(1, Some("a"), &longest)).is_ok());
    let double = claims().to_string().replace('{', r#"{"sub":"2","#);
    let header = r#"{"alg":"EdDSA","kid":"a"}"#;
    assert_eq!(verify(&token_of(header, &double)), Err(Code::TokenInvalid), "two users");
}

/// The clock of the account service may be a minute ahead, and none when it ends.
#[test]
fn a_token_has_its_time() {
    for (name, time, expected) in [
        ("exp", NOW_S + 1, Ok(())),
        ("exp", NOW_S, Err(Code::TokenExpired)),
        ("exp", 0, Err(Code::TokenExpired)),
        ("exp", u64::MAX, Ok(())),
        ("nbf", NOW_S + 60, Ok(())),
        ("nbf", NOW_S + 61, Err(Code::TokenExpired)),
        ("nbf", u64::MAX, Err(Code::TokenExpired)),
        ("iat", 0, Ok(())),
        ("iat", NOW_S + 60, Ok(())),
        ("iat", NOW_S + 61, Err(Code::TokenExpired)),
    ] {
        let timed = token(1, Some("a"), &claims_with(name, json!(time)));
        assert_eq!(verify(&timed).map(|_| ()), expected, "{name} {time}");
    }
}

/// What a token says is looked at before its signature, which costs much more.
#[test]
fn a_forged_token_that_has_expired_has_expired() {
    let forged = token(3, Some("a"), &claims_with("exp", json!(NOW_S)));
    assert_eq!(verify(&forged), Err(Code::TokenExpired));
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
fn other_keys_of_a_set_are_passed_over() {
    let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "a", "alg": "RS256"});
    let unheard_of = json!({"kty": "PQ", "kid": ["a"], "x": 7});
    let curve = jwk_with(3, "a", "crv", json!("X25519"));
    let for_encryption = jwk_with(3, "a", "use", json!("enc"));
    let other_algorithm = jwk_with(3, "a", "alg", json!("Ed448"));
    let signs_only = jwk_with(3, "a", "key_ops", json!(["sign"]));
    let plain = with(jwk_with(1, "a", "use", Value::Null), "alg", Value::Null);
    let modern = jwk_with(2, "b", "alg", json!("Ed25519"));
    let modern = with(modern, "key_ops", json!(["verify"]));
    let others = [rsa, unheard_of, curve, for_encryption, other_algorithm, signs_only];
    let verifier = verifier(&[&others[..], &[plain, modern]].concat());
    assert_eq!(verifier.key_count(), 2);
    assert!(verify_with(&verifier, &token(1, Some("a"), &claims())).is_ok());
    assert!(verify_with(&verifier, &token(2, Some("b"), &claims())).is_ok());
    assert!(verify_with(&verifier, &token(3, Some("a"), &claims())).is_err());
}

#[test]
fn a_key_that_left_the_set_is_known_no_more_whatever_its_id() {
    let pass = verify(&token(1, Some("a"), &claims())).unwrap();
    assert!(verifier(&[jwk(1, "renamed"), jwk(2, "b")]).has(pass.key));
    assert!(!verifier(&[jwk(3, "a"), jwk(2, "b")]).has(pass.key));
}

#[test]
fn key_sets_of_no_use_are_refused() {
    let refused = |text: &str| Verifier::from_jwks(text).map(|_| ()).unwrap_err();
    let of = |keys: &[Value]| refused(&json!({ "keys": keys }).to_string());
    assert!(matches!(refused("{}"), KeySetError::Form(_)));
    assert!(matches!(refused("[]"), KeySetError::Form(_)));
    assert_eq!(of(&[]), KeySetError::NoKey);
    let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"});
    assert_eq!(of(&[symmetric]), KeySetError::NoKey);
    let with_x = |x: &str| of(&[json!({"kty": "OKP", "crv": "Ed25519", "x": x})]);
    assert_eq!(with_x("c2hvcnQ"), KeySetError::KeyLength);
    let identity_point = URL_SAFE_NO_PAD.encode([&[1][..], &[0; 31]].concat());
    assert_eq!(with_x(&identity_point), KeySetError::KeyWeak);
    let no_point = URL_SAFE_NO_PAD.encode([&[2][..], &[0; 31]].concat());
    assert_eq!(with_x(&no_point), KeySetError::KeyWeak);
    assert!(matches!(of(&[jwk_with(1, "a", "x", json!(7))]), KeySetError::Form(_)));
    assert_eq!(of(&[jwk_with(1, "a", "d", json!("secret"))]), KeySetError::PrivateKey);
    assert_eq!(of(&[jwk(1, "a"), jwk(2, "b"), jwk_with(3, "", "kid", Value::Null)]), {
        KeySetError::NoId
    });
    let double = of(&[jwk(1, "a"), jwk(2, "b"), jwk(3, "a")]);
    assert_eq!(double, KeySetError::DuplicateId("a".to_owned()));
    let many: Vec<_> = (1..=65).map(|seed| jwk(seed, &seed.to_string())).collect();
    assert_eq!(of(&many), KeySetError::TooMany);
}
