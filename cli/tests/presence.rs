//! When users were there, through the built command.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use common::{Place, Server, answerback, json_lines};
use serde_json::Value;

/// What user 1 is told of another.
fn look(place: &Place, server: &Server, of: &str) -> Value {
    let mut command = place.client("presence", &server.address, 1);
    let output = command.args(["--of", of, "--timeout", "60"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    json_lines(&output).remove(0)
}

fn show_to(place: &Place, server: &Server, user: u32, who: &str) {
    let mut command = place.client("presence", &server.address, user);
    let output = command.args(["--visible-to", who, "--timeout", "60"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn send(place: &Place, server: &Server, from: u32, to: &str) {
    let mut command = place.client("send", &server.address, from);
    assert!(command.args(["--to", to, "hello"]).status().unwrap().success());
}

#[test]
fn who_sent_something_is_there_and_still_was_after_a_restart() {
    let place = Place::new();
    let mut server = Server::serve(&place, 2);
    place.log_in_once(&server, 1);
    place.log_in_once(&server, 2);
    let unseen = look(&place, &server, "2");
    assert_eq!((&unseen["user"], &unseen["online"]), (&"2".into(), &false.into()));
    assert_eq!(unseen["last_seen_ms"], Value::Null, "to log in is no person's doing");
    send(&place, &server, 2, "1");
    let seen = look(&place, &server, "2");
    assert_eq!(seen["online"], true, "{seen}");
    assert!(seen["last_seen_ms"].as_u64().unwrap() > 1_700_000_000_000, "{seen}");
    assert!(server.stop().success());
    let server = Server::serve(&place, 2);
    assert_eq!(look(&place, &server, "2")["last_seen_ms"], seen["last_seen_ms"]);
}

#[test]
fn who_hides_is_as_nobody_also_after_a_kill() {
    let place = Place::new();
    let mut server = Server::serve(&place, 1);
    place.log_in_once(&server, 1);
    place.log_in_once(&server, 2);
    show_to(&place, &server, 2, "nobody");
    server.kill();
    let server = Server::serve(&place, 1);
    send(&place, &server, 2, "1");
    let hidden = look(&place, &server, "2");
    assert_eq!((&hidden["online"], &hidden["last_seen_ms"]), (&false.into(), &Value::Null));
    assert_eq!(look(&place, &server, "77")["last_seen_ms"], Value::Null);
    show_to(&place, &server, 2, "everybody");
    assert_eq!(look(&place, &server, "2")["online"], true);
}

#[test]
fn who_shows_himself_to_contacts_is_seen_by_them_alone() {
    let place = Place::new();
    let mut server = Server::serve(&place, 2);
    place.log_in_once(&server, 1);
    place.log_in_once(&server, 2);
    show_to(&place, &server, 2, "contacts");
    assert_eq!(look(&place, &server, "2")["online"], false);
    let contacts = |server: &Server, words: &[&str]| {
        let mut command = answerback();
        command.args(["account", "contacts", "--keys"]).arg(place.keys()).arg("--state");
        command.arg(place.path("state")).args(["--addr", &server.address, "--user", "2"]);
        command.args(words).output().unwrap()
    };
    assert!(contacts(&server, &["add", "1", "77", "1"]).status.success());
    let oneself = contacts(&server, &["add", "2"]);
    assert_eq!(oneself.status.code(), Some(1), "{oneself:?}");
    assert_eq!(look(&place, &server, "2")["online"], true);
    server.kill();
    let server = Server::serve(&place, 2);
    send(&place, &server, 2, "1");
    assert_eq!(look(&place, &server, "2")["online"], true);
    assert!(contacts(&server, &["set", "77"]).status.success());
    assert_eq!(look(&place, &server, "2")["last_seen_ms"], Value::Null);
}
