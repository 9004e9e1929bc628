//! Tokens that were stolen are declared void, whether the box runs or not, and stay so.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use common::{Place, Server, answerback, failure, json_lines};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

const HOUR_S: u64 = 3600;

fn user(place: &Place, words: &[&str]) -> Command {
    let mut command = answerback();
    let (verb, arguments) = words.split_first().unwrap();
    command.args(["user", verb, "--data"]).arg(place.path("data")).args(arguments);
    command
}

/// What a command says that succeeds.
fn said(place: &Place, words: &[&str]) -> String {
    let output = user(place, words).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "tokens are made by the wall clock")]
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A token of user 2's device 7, as the account service made it so long ago.
fn token(place: &Place, jti: &str, age_s: u64) -> String {
    let pem = fs::read(place.keys().join("dev.pem")).unwrap();
    let keys: serde_json::Value =
        serde_json::from_slice(&fs::read(place.keys().join("jwks.json")).unwrap()).unwrap();
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = keys.pointer("/keys/0/kid").unwrap().as_str().map(str::to_owned);
    let claims = json!({
        "sub": "2", "device": "7", "aud": "answerback", "jti": jti,
        "iat": now_s() - age_s, "exp": now_s() + HOUR_S,
    });
    encode(&header, &claims, &EncodingKey::from_ed_pem(&pem).unwrap()).unwrap()
}

/// What device 7 of user 2 is told that comes with a token, and has nothing to receive.
fn log_in(place: &Place, server: &Server, token: &str) -> Output {
    let mut receiving = place.client("recv", &server.address, 2);
    receiving.args(["--device", "7", "--timeout", "0", "--token", token]).output().unwrap()
}

fn is_let_in(place: &Place, server: &Server, token: &str) {
    let output = log_in(place, server, token);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

fn is_refused(place: &Place, server: &Server, token: &str) {
    let (code, line) = failure(&log_in(place, server, token));
    assert!(code == 1 && line.contains("TokenRevoked"), "{line}");
}

/// A box, running or stopped, that user 2's device 7 has logged in at.
fn box_of_a_user(is_running: bool) -> (Place, Server) {
    let place = Place::new();
    let mut server = Server::serve(&place, 2);
    is_let_in(&place, &server, &token(&place, "first", 300));
    if !is_running {
        assert!(server.stop().success());
    }
    (place, server)
}

#[test]
fn older_tokens_are_void() {
    for is_running in [true, false] {
        let (place, mut server) = box_of_a_user(is_running);
        let moment = (now_s() - 100).to_string();
        let words = ["revoke-tokens", "2", "--issued-before", &moment];
        assert!(said(&place, &words).ends_with(" are void\n"));
        assert!(said(&place, &words).ends_with(" were void already\n"));
        if !is_running {
            server = Server::serve(&place, 2);
        }
        is_refused(&place, &server, &token(&place, "first", 300));
        is_refused(&place, &server, &token(&place, "second", 200));
        is_let_in(&place, &server, &token(&place, "third", 50));
        said(&place, &["revoke-tokens", "2"]);
        is_refused(&place, &server, &token(&place, "third", 50));
        is_let_in(&place, &server, &token(&place, "fourth", 0));
        server.kill();
        let server = Server::serve(&place, 2);
        is_refused(&place, &server, &token(&place, "third", 50));
        is_let_in(&place, &server, &token(&place, "fifth", 0));
    }
}

#[test]
fn one_token_is_void() {
    for is_running in [true, false] {
        let (place, mut server) = box_of_a_user(is_running);
        let expires = (now_s() + HOUR_S).to_string();
        let words = ["revoke-token", "2", "--jti", "first", "--expires", &expires];
        assert_eq!(said(&place, &words), "token first of user 2 is void\n");
        assert_eq!(said(&place, &words), "token first of user 2 was void already\n");
        if !is_running {
            server = Server::serve(&place, 2);
        }
        is_refused(&place, &server, &token(&place, "first", 300));
        is_let_in(&place, &server, &token(&place, "second", 300));
        server.kill();
        is_refused(&place, &Server::serve(&place, 2), &token(&place, "first", 300));
    }
}

#[test]
fn a_session_ends_whose_token_is_void_and_another_comes_back() {
    let (place, server) = box_of_a_user(true);
    let mut sending = place.client("send", &server.address, 1);
    let receive = |token: &str| {
        let mut receiving = place.client("recv", &server.address, 2);
        receiving.args(["--device", "7", "--count", "1", "--timeout", "30", "--token", token]);
        receiving.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        receiving.spawn().unwrap()
    };
    let stolen = receive(&token(&place, "first", 300));
    said(&place, &["revoke-tokens", "2"]);
    let stolen = stolen.wait_with_output().unwrap();
    let said = String::from_utf8(stolen.stderr).unwrap();
    assert_eq!(stolen.status.code(), Some(1), "{said}");
    assert!(said.lines().last().unwrap().contains("TokenRevoked"), "{said}");
    let good = receive(&token(&place, "second", 0));
    assert!(sending.args(["--to", "2", "hello"]).output().unwrap().status.success());
    let received = good.wait_with_output().unwrap();
    assert_eq!(json_lines(&received).first().unwrap()["text"], "hello");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let (place, server) = box_of_a_user(true);
    let refused = |words: &[&str]| failure(&user(&place, words).output().unwrap());
    let (code, line) = refused(&["revoke-tokens", "2", "--issued-before", "2999-01-01T00:00:00Z"]);
    assert!(code == 1 && line.contains("2999-01-01T00:00:00Z is to come"), "{line}");
    let (code, line) = refused(&["revoke-token", "2", "--jti", "first", "--expires", "1000"]);
    assert!(code == 1 && line.contains("expired at 1970-01-01T00:16:40Z"), "{line}");
    for words in [
        &["revoke-tokens", "9"][..],
        &["revoke-token", "9", "--jti", "first", "--expires", "2999-01-01T00:00:00Z"],
    ] {
        let (code, line) = refused(words);
        assert!(code == 1 && line.contains("there is no user 9: check the id; one that"), "{line}");
    }
    let words = &["revoke-tokens", "2", "--issued-before", "yesterday"];
    assert_eq!(user(&place, words).output().unwrap().status.code(), Some(2));
    is_let_in(&place, &server, &token(&place, "first", 300));
}
