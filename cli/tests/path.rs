//! The path of a message, through the built command, real sockets and a real disk.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{Place, Server, answerback, failure, json_lines};
use jsonwebtoken::EncodingKey;

/// `answerback send`, to its end.
fn send(place: &Place, server: &Server, from: u32, to: u32, more: &[&str]) -> Output {
    let mut command = place.client("send", &server.address, from);
    command.args(["--to", &to.to_string()]).args(more).output().unwrap()
}

/// `answerback recv`, to its end: exit code, and who wrote what.
fn recv(place: &Place, server: &Server, user: u32, more: &[&str]) -> (i32, Vec<String>) {
    let output = place.client("recv", &server.address, user).args(more).output().unwrap();
    let told = |line: &serde_json::Value| {
        format!("{}: {}", line["from"].as_str().unwrap(), line["text"].as_str().unwrap())
    };
    (output.status.code().unwrap(), json_lines(&output).iter().map(told).collect())
}

const ONE: &[&str] = &["--count", "1", "--timeout", "60"];
const LOOK: &[&str] = &["--count", "1", "--timeout", "60", "--no-ack"];
/// Nothing that waits takes so long to come.
const NOTHING: &[&str] = &["--timeout", "1"];

fn from_1(text: &str) -> (i32, Vec<String>) {
    (0, vec![format!("1: {text}")])
}

#[test]
fn accepted_is_one_line_with_its_time() {
    let place = Place::new();
    let server = Server::serve(&place, 1);
    place.log_in_once(&server, 2);
    let output = send(&place, &server, 1, 2, &["hello"]);
    let line = &json_lines(&output)[0];
    assert_eq!((output.status.code(), &line["state"]), (Some(0), &"accepted".into()), "{line}");
    assert!(line["accepted_at_ms"].as_u64().unwrap() > 1_700_000_000_000, "{line}");
}

/// A look leaves it there; once it was acknowledged its sender is told, and not even a new
/// device is offered it.
#[test]
fn a_message_is_kept_until_it_is_acknowledged_and_then_gone() {
    let place = Place::new();
    let server = Server::serve(&place, 1);
    place.log_in_once(&server, 2);
    let mut sending = place.client("send", &server.address, 1);
    sending.args(["--to", "2", "--wait", "delivered", "--timeout", "60", "hello"]);
    let mut sending = sending.stdout(Stdio::piped()).spawn().unwrap();
    for _ in 0..2 {
        assert_eq!(recv(&place, &server, 2, LOOK), from_1("hello"), "looked at");
    }
    assert!(sending.try_wait().unwrap().is_none(), "a look is no delivery");
    assert_eq!(recv(&place, &server, 2, ONE), from_1("hello"), "and still there");
    let output = sending.wait_with_output().unwrap();
    let line = &json_lines(&output)[0];
    assert_eq!((output.status.code(), &line["state"]), (Some(0), &"delivered".into()), "{line}");

    assert_eq!(recv(&place, &server, 2, NOTHING), (3, vec![]));
    assert!(send(&place, &server, 1, 2, &["next"]).status.success());
    let other = [LOOK, &["--device", "99"]].concat();
    assert_eq!(recv(&place, &server, 2, &other), from_1("next"));
}

#[test]
fn a_message_that_nobody_fetches_is_not_delivered_in_time() {
    let place = Place::new();
    let server = Server::serve(&place, 1);
    place.log_in_once(&server, 2);
    let output = send(&place, &server, 1, 2, &["--wait", "delivered", "--timeout", "1", "hello"]);
    let (code, line) = failure(&output);
    assert_eq!(code, 3);
    assert!(line.contains("not delivered in time; they stay queued"), "{line}");
    assert_eq!(recv(&place, &server, 2, ONE), from_1("hello"));
}

#[test]
fn an_orderly_stop_keeps_everything() {
    let place = Place::new();
    let mut server = Server::serve(&place, 2);
    for user in 2..=5 {
        place.log_in_once(&server, user);
        assert!(send(&place, &server, 1, user, &["kept"]).status.success());
    }
    assert!(server.stop().success());
    let server = Server::serve(&place, 2);
    for user in 2..=5 {
        assert_eq!(recv(&place, &server, user, ONE), from_1("kept"));
    }
}

#[test]
fn what_was_accepted_survives_a_kill_right_behind_it() {
    let place = Place::new();
    let mut server = Server::serve(&place, 1);
    place.log_in_once(&server, 2);
    for number in 1..=3 {
        let text = format!("before kill {number}");
        assert!(send(&place, &server, 1, 2, &[&text]).status.success());
        server.kill();
        server = Server::serve(&place, 1);
    }
    let (code, lines) = recv(&place, &server, 2, &["--count", "3", "--timeout", "60"]);
    assert_eq!(code, 0);
    assert_eq!(lines, [1, 2, 3].map(|number| format!("1: before kill {number}")));
    assert_eq!(recv(&place, &server, 2, NOTHING), (3, vec![]));
}

#[test]
fn users_reach_each_other_on_any_number_of_cores() {
    for cores in [1, 2, 4] {
        let place = Place::new();
        let server = Server::serve(&place, cores);
        assert!(server.first_line.contains(&format!("on {cores} cores")), "{}", server.first_line);
        let users = || 1..=8;
        users().for_each(|user| place.log_in_once(&server, user));
        for user in users() {
            let output = send(&place, &server, user, user % 8 + 1, &["round we go"]);
            assert!(output.status.success(), "{cores} cores: {output:?}");
        }
        for user in users() {
            let line = format!("{}: round we go", (user + 6) % 8 + 1);
            assert_eq!(recv(&place, &server, user, ONE), (0, vec![line]), "{cores} cores");
        }
    }
}

#[test]
fn nobody_is_an_outcome_with_its_reason() {
    let place = Place::new();
    let server = Server::serve(&place, 1);
    let output = send(&place, &server, 1, 99, &["is anybody there"]);
    let line = &json_lines(&output)[0];
    assert_eq!((&line["state"], &line["reason"]), (&"failed".into(), &"UnknownUser".into()));
    assert_eq!(failure(&output).0, 1);
}

#[test]
fn a_token_that_is_not_good_is_refused_with_its_reason() {
    let (place, other) = (Place::new(), Place::new());
    let server = Server::serve(&place, 1);
    let with = |token: &str| {
        let mut command = place.client("recv", &server.address, 2);
        command.args(["--device", "7", "--timeout", "0", "--token", token]).output().unwrap()
    };
    assert_eq!(with(&place.token(2, 7)).status.code(), Some(3), "the good one");
    let wrong = [
        (other.token(2, 7), "TokenInvalid"),
        (place.token(3, 7), "TokenInvalid"),
        (place.token(2, 8), "TokenInvalid"),
        (expired(&place), "TokenExpired"),
        ("no.token.this".to_owned(), "TokenInvalid"),
    ];
    for (token, reason) in wrong {
        let (code, line) = failure(&with(&token));
        assert_eq!(code, 1);
        assert!(line.contains(reason), "{reason}: {line}");
    }
}

/// A token of user 2's device 7 that was good long ago.
fn expired(place: &Place) -> String {
    let claims = serde_json::json!({
        "sub": "2", "device": "7", "aud": "answerback", "iat": 1_600_000_000, "exp": 1_600_003_600
    });
    let pem = fs::read(place.keys().join("dev.pem")).unwrap();
    let key = EncodingKey::from_ed_pem(&pem).unwrap();
    let header = jsonwebtoken::decode_header(place.token(2, 7)).unwrap();
    jsonwebtoken::encode(&header, &claims, &key).unwrap()
}

#[test]
fn a_client_written_from_the_protocol_alone_exchanges_a_message() {
    let place = Place::new();
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/answerback_client.py");
    for cores in [1, 2] {
        let server = Server::serve(&place, cores);
        for pair in 0..4 {
            let (a, b) = (1 + 2 * pair, 2 + 2 * pair);
            let device = u32::from(cores) * 100;
            let output = Command::new("python3")
                .arg(&client)
                .args(["exchange", "--addr", &server.address])
                .args(["--token-a", &place.token(a, device)])
                .args(["--token-b", &place.token(b, device)])
                .output()
                .unwrap();
            assert!(output.status.success(), "{cores} cores: {output:?}");
            assert!(String::from_utf8_lossy(&output.stdout).contains("delivered"), "{output:?}");
        }
    }
}

#[test]
fn a_load_loses_doubles_and_reorders_nothing() {
    let place = Place::new();
    let server = Server::serve(&place, 2);
    for pace in [["--inflight", "8"], ["--rate", "1000"]] {
        let output = answerback()
            .args(["bench", "chat", "--pairs", "5", "--warmup", "0", "--seconds", "1", "--json"])
            .args(["--addr", &server.address, "--server-pid", &server.child.id().to_string()])
            .arg("--keys")
            .arg(place.keys())
            .args(pace)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let report = &json_lines(&output)[0];
        for fault in ["lost", "doubled", "reordered", "undecided", "failed", "out_of_order"] {
            assert_eq!(report[fault], 0, "{report}");
        }
        assert!(report["messages"].as_u64().unwrap() > 100, "{report}");
        assert!(report["receipt"]["p50_us"].as_f64().unwrap() > 0.0, "{report}");
    }
    let output = answerback()
        .args(["bench", "idle", "--clients", "100", "--settle", "0", "--json"])
        .args(["--addr", &server.address, "--server-pid", &server.child.id().to_string()])
        .arg("--keys")
        .arg(place.keys())
        .output()
        .unwrap();
    assert_eq!(json_lines(&output)[0]["clients"], 100);
}
