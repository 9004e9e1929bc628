//! Help, usage and keys: what needs no server.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Place, answerback, failure, mode};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

#[test]
fn every_command_explains_itself_with_an_example() {
    let commands: [&[&str]; 22] = [
        &[],
        &["dev-keys"],
        &["serve"],
        &["status"],
        &["inspect"],
        &["backup"],
        &["restore"],
        &["scrub"],
        &["repair"],
        &["user", "add"],
        &["device", "revoke"],
        &["clock", "confirm"],
        &["token"],
        &["send"],
        &["recv"],
        &["bench", "chat"],
        &["bench", "offline"],
        &["bench", "idle"],
        &["bench", "storm"],
        &["bench", "soak"],
        &["bench", "log"],
        &["bench", "relay"],
    ];
    for command in commands {
        let output = answerback().args(command).arg("--help").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("answerback ") && text.len() > 300, "{command:?}: {text}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let wrong: [&[&str]; 13] = [
        &[],
        &["chat"],
        &["send", "--user", "1", "--to", "2"],
        &["send", "--user", "one", "--to", "2", "hello"],
        &["bench", "chat", "--inflight", "8", "--rate", "10"],
        &["bench", "chat", "--rate", "0"],
        &["bench", "offline", "--drain", "--user-base", "7"],
        &["bench", "offline", "--senders", "3"],
        &["bench", "log", "--dir", ".", "--rate", "0"],
        &["bench", "storm", "--rounds", "2", "--new-users"],
        &["bench", "storm", "--rounds", "2", "--login-rate", "10"],
        &["bench", "soak", "--rate", "10", "--every", "0"],
        &["bench", "chat", "--inflight", "8", "--duration", "soon"],
    ];
    for arguments in wrong {
        let output = answerback().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_token_is_signed_by_the_key_of_the_set() {
    let place = Place::new();
    let printed = answerback()
        .args(["token", "--user", "1", "--device", "7", "--hours", "2", "--keys"])
        .arg(place.keys())
        .output()
        .unwrap();
    let token = String::from_utf8(printed.stdout).unwrap();
    let set = fs::read_to_string(place.keys().join("jwks.json")).unwrap();
    let set: JwkSet = serde_json::from_str(&set).unwrap();
    let key_id = jsonwebtoken::decode_header(token.trim()).unwrap().kid.unwrap();
    let key = DecodingKey::from_jwk(set.find(&key_id).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["answerback"]);
    validation.set_required_spec_claims(&["exp", "aud", "sub"]);
    let claims = jsonwebtoken::decode::<Value>(token.trim(), &key, &validation).unwrap().claims;
    assert_eq!((&claims["sub"], &claims["device"]), (&"1".into(), &"7".into()));
    let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(life, 2 * 3600);
    assert!(!claims["jti"].as_str().unwrap().is_empty());
}

#[test]
fn a_token_may_have_a_name_and_a_beginning() {
    let place = Place::new();
    let print = |jti: &str| {
        let arguments = ["token", "--user", "1", "--hours", "2", "--jti", jti];
        let mut command = answerback();
        command.args(arguments).args(["--not-before", "2100-01-01T00:00:00Z", "--keys"]);
        command.arg(place.keys()).output().unwrap()
    };
    let token = String::from_utf8(print("mine").stdout).unwrap();
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Value>(token.trim()).unwrap();
    let begins_s = 4_102_444_800_u64;
    assert_eq!((&claims["jti"], &claims["nbf"]), (&"mine".into(), &begins_s.into()));
    assert_eq!(claims["exp"], begins_s + 2 * 3600);
    assert_eq!(print("").status.code(), Some(2));
    assert_eq!(print(&"x".repeat(129)).status.code(), Some(2));
}

#[test]
fn keys_that_are_there_stay() {
    let place = Place::new();
    let private = place.keys().join("dev.pem");
    let first = fs::read(&private).unwrap();
    assert_eq!(mode(&private), 0o600);
    fs::remove_file(place.keys().join("jwks.json")).unwrap();
    let again = answerback().arg("dev-keys").arg("--dir").arg(place.keys()).output().unwrap();
    assert!(again.status.success());
    assert_eq!(fs::read(&private).unwrap(), first);
    assert!(place.keys().join("jwks.json").exists(), "the public half is made again from it");
}

#[test]
fn a_private_key_that_others_may_read_signs_nothing() {
    let place = Place::new();
    let private = place.keys().join("dev.pem");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o644)).unwrap();
    let token =
        answerback().args(["token", "--user", "1", "--keys"]).arg(place.keys()).output().unwrap();
    let made = answerback().arg("dev-keys").arg("--dir").arg(place.keys()).output().unwrap();
    for output in [token, made] {
        let (code, line) = failure(&output);
        assert_eq!(code, 1);
        assert!(output.stdout.is_empty() && line.contains("chmod 600"), "{line}");
    }
}

#[test]
fn a_missing_key_says_what_makes_it() {
    let place = Place::new();
    let nowhere = place.path("nowhere");
    let output =
        answerback().args(["token", "--user", "1", "--keys"]).arg(nowhere).output().unwrap();
    let (code, line) = failure(&output);
    assert_eq!(code, 1);
    assert!(line.contains("answerback dev-keys --dir"), "{line}");
}
