//! The first frame of a connection against a real key set: nobody gets in but by a token
//! that the account service has signed, for this user and device, at this time.
//!
//! ```text
//! input  │ 0 │ frame │                                    as it came from a socket
//!        │ who signs, else │ length of the header u8 │ header │ claims │   a token of them
//! ```
//! Nobody comes upon a signature by chance, so the second form signs what the input says,
//! and holds what the box makes of it against a plain reading of the claims.

use std::sync::LazyLock;

use answerback_gateway::{Verifier, fuzzing};
use answerback_proto::access::kind_of;
use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::kind::{End, Hello, Kind};
use answerback_proto::limits::FRAME_BYTES_BEFORE_AUTH_MAX;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

const NOW_S: u64 = 1_800_000_000;
/// The ids of the box's keys; a third key is a stranger's.
const KEY_IDS: [&str; 2] = ["a", "b"];

const HEADER: &str = r#"{"alg":"EdDSA","kid":"a"}"#;
const CLAIMS: &str =
    r#"{"sub":"1","device":"7","aud":"answerback","iat":1799999999,"exp":1800000060}"#;

/// Whom a token speaks for.
type Identity = (UserId, DeviceId);

/// The only token that an input as it came may get in by.
static ISSUED: LazyLock<String> = LazyLock::new(|| sign(0, HEADER.as_bytes(), CLAIMS.as_bytes()));

static VERIFIER: LazyLock<Option<Verifier>> = LazyLock::new(|| {
    let keys = (0..2_u8).zip(KEY_IDS).map(|(number, id)| {
        let x = URL_SAFE_NO_PAD.encode(key(number).verifying_key().as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x})
    });
    let set = json!({ "keys": keys.collect::<Vec<_>>() });
    Verifier::from_jwks(&set.to_string()).ok()
});

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    gets_in(input);
}

fn gets_in(input: &[u8]) -> bool {
    match input.split_first() {
        Some((0, wire)) => as_it_came(wire),
        Some((signer, rest)) => signed(*signer, rest),
        None => false,
    }
}

/// Who signs, as an input says it.
const A: u8 = 3;
const B: u8 = 1;
const STRANGER: u8 = 2;

/// Seeds: frames that are good, and claims that are.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut wire = vec![0];
    let good = append(&mut wire, UserId(1), DeviceId(7), ISSUED.as_bytes());
    assert_eq!(good, Ok(()), "the frame is within the limits");
    let of = |signer: u8, header: &str, claims: &str| {
        [&[signer, header.len() as u8][..], header.as_bytes(), claims.as_bytes()].concat()
    };
    let timed = r#"{"sub":"00000000-0000-0000-0000-00000000000f","device":"+7","aud":["x","answerback"],"exp":1800000001,"nbf":1800000060,"iat":1800000060,"jti":"x"}"#;
    // Each of them wrong in one thing, which only a check of that one notices.
    let wrong = [
        r#"{"sub":"1","device":"7","aud":"answerback","iat":1,"exp":1800000000}"#,
        r#"{"sub":"1","device":"7","aud":"answerback","iat":1,"exp":1800000060,"nbf":1800000061}"#,
        r#"{"sub":"1","device":"7","aud":"another","iat":1,"exp":1800000060}"#,
        r#"{"sub":"1","device":"7","iat":1,"exp":1800000060}"#,
        r#"{"sub":"0","device":"7","aud":"answerback","iat":1,"exp":1800000060}"#,
        r#"{"sub":"1","device":"x","aud":"answerback","iat":1,"exp":1800000060}"#,
        r#"{"sub":"1","device":"7","aud":"answerback","exp":1800000060}"#,
        r#"{"sub":"1","device":"7","aud":"answerback","iat":1800000061,"exp":1800000070}"#,
        r#"{"sub":"1","device":"7","aud":"answerback","iat":1,"exp":1800000060,"jti":""}"#,
    ];
    let mut seeds = vec![
        wire,
        of(A, HEADER, CLAIMS),
        of(B, r#"{"typ":"JWT","alg":"Ed25519","kid":"b"}"#, timed),
        of(STRANGER, HEADER, CLAIMS),
        of(A, r#"{"alg":"EdDSA","kid":"b"}"#, CLAIMS),
        of(A, r#"{"alg":"HS256","kid":"a"}"#, CLAIMS),
        of(A, r#"{"alg":"none"}"#, timed),
        of(A, r#"{"alg":"EdDSA","kid":"a","crit":["x"]}"#, CLAIMS),
        of(A | 16, HEADER, CLAIMS),
    ];
    seeds.extend(wrong.map(|claims| of(A, HEADER, claims)));
    seeds
}

fn as_it_came(wire: &[u8]) -> bool {
    let Some((Ok((user, device)), token)) = greet(wire) else { return false };
    assert_eq!(token, ISSUED.as_bytes(), "a token that nobody has signed");
    assert_eq!((user, device), (UserId(1), DeviceId(7)));
    true
}

/// `signer`: the key in its low bits, 3 and 0 the first; bit 4: the frame claims to be from
/// somebody else.
fn signed(signer: u8, input: &[u8]) -> bool {
    let Some((header_length, rest)) = input.split_first() else { return false };
    let (header, claims) = rest.split_at(usize::from(*header_length).min(rest.len()));
    let number = (signer & 3) % 3;
    let token = sign(number, header, claims);
    let (user, device) = named(claims);
    let claimed = UserId(user.0.wrapping_add(u128::from(signer >> 4 & 1)));
    let mut wire = Vec::new();
    if append(&mut wire, claimed, device, token.as_bytes()).is_err() {
        return false;
    }
    let Some((greeted, _)) = greet(&wire) else { return false };
    let is_good = KEY_IDS.get(usize::from(number)).is_some_and(|id| names_key(header, id));
    match greeted {
        Ok(identity) => {
            assert!(is_good, "signed by the key that the header names, with its algorithm");
            assert_eq!(identity, (user, device), "the token's user and device");
            assert_eq!(claimed, user, "the frame's user");
            assert!(holds_now(claims), "the claims");
        }
        Err(code) => assert!(matches!(code, Code::TokenInvalid | Code::TokenExpired), "{code:?}"),
    }
    greeted.is_ok()
}

/// What the box makes of the first frame, where there is one that may be `Hello`; and the
/// token in it.
fn greet(wire: &[u8]) -> Option<(Result<Identity, Code>, Vec<u8>)> {
    let mut received = wire;
    let mut frames = FrameBuffer::default();
    let frame = frames.next_frame(&mut received, FRAME_BYTES_BEFORE_AUTH_MAX).ok()??;
    if kind_of(&frame.header, End::Client) != Ok(Some(Kind::Hello)) {
        return None;
    }
    let greeted = fuzzing::greet(&frame, VERIFIER.as_ref()?, NOW_S);
    let token = Hello::read(frame.envelope).map(|(_, tail)| tail.secret().to_vec());
    assert!(token.is_ok() || greeted.is_err(), "a Hello that cannot be read");
    Some((greeted, token.unwrap_or_default()))
}

fn append(wire: &mut Vec<u8>, user: UserId, device: DeviceId, token: &[u8]) -> Result<(), Code> {
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        kinds_count: 0,
        token_length: 0,
        device: device.0,
        app_build: 0,
        mode: 0,
        credit_frames: 16,
        credit_bytes: 1024,
        connection_counter: 1,
        generation: 0,
        cursor: 0,
    };
    let kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Server)).collect();
    hello.append(wire, Address { flags: 0, tag: 1, target: user.0 }, &kinds, token)
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number + 1; 32])
}

fn sign(number: u8, header: &[u8], claims: &[u8]) -> String {
    let (header, claims) = (URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signed = format!("{header}.{claims}");
    let signature = key(number).sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// User and device of the claims; some of them where they name none.
fn named(claims: &[u8]) -> Identity {
    let claims = object(claims);
    let text = |name| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let user = text("sub").parse().unwrap_or(UserId(1));
    (user, text("device").parse().unwrap_or(DeviceId(7)))
}

fn names_key(header: &[u8], id: &str) -> bool {
    let header = object(header);
    let text = |name| header.get(name).and_then(Value::as_str);
    let is_ed25519 = matches!(text("alg"), Some("EdDSA" | "Ed25519"));
    is_ed25519 && text("kid") == Some(id) && header.get("crit").is_none_or(Value::is_null)
}

fn holds_now(claims: &[u8]) -> bool {
    let claims = object(claims);
    let text = |name| claims.get(name).and_then(Value::as_str);
    let is_for_us = match claims.get("aud") {
        Some(Value::Array(all)) => all.iter().any(|one| one == "answerback"),
        one => one.is_some_and(|one| one == "answerback"),
    };
    let is_past = |time: &Value| time.as_u64().is_some_and(|from_s| from_s <= NOW_S + 60);
    let given = |name| claims.get(name).filter(|value| !value.is_null());
    let is_named = |jti: &str| (1..=128).contains(&jti.len());
    is_for_us
        && given("nbf").is_none_or(is_past)
        && given("iat").is_some_and(is_past)
        && given("jti").is_none_or(|jti| jti.as_str().is_some_and(is_named))
        && claims.get("exp").and_then(Value::as_u64).is_some_and(|until_s| until_s > NOW_S)
        && text("sub").is_some_and(|user| user.parse::<UserId>().is_ok())
        && text("device").is_some_and(|device| device.parse::<DeviceId>().is_ok())
}

fn object(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise nothing behind the signature would be looked at.
    #[test]
    fn the_good_seeds_get_in_and_only_they() {
        let outcomes: Vec<_> = seeds().iter().map(|seed| gets_in(seed)).collect();
        let (good, bad) = outcomes.split_at(3);
        assert_eq!(good, [true; 3]);
        assert_eq!(bad, [false; 15]);
    }
}
