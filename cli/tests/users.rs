//! Users are listed, revoked and purged, whether the box runs or not.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::process::{Command, Output};

use common::{Place, Server, answerback, failure, json_lines};
use serde_json::{Value, json};

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

/// Lists until it is as expected: what is listed is as of the last checkpoint.
fn list_becomes(place: &Place, expected: &[Value]) {
    let lists = || json_lines(&user(place, &["list", "--json"]).output().unwrap());
    let mut listed = Vec::new();
    let is_so = (0..2_000).any(|_| {
        listed = lists();
        listed == expected
    });
    assert!(is_so, "{listed:?}, not {expected:?}");
}

fn line(user: &str, devices: u64, undelivered: u64, bytes: u64, entries: u64) -> Value {
    json!({
        "user": user, "devices": devices, "undelivered": undelivered,
        "undelivered_bytes": bytes, "entries": entries, "is_purging": false,
    })
}

fn send(place: &Place, server: &Server, to: u32) -> Output {
    let mut sending = place.client("send", &server.address, 1);
    sending.args(["--to", &to.to_string(), "hello"]).output().unwrap()
}

/// What a device of user 2 is told that has nothing to receive.
fn log_in(place: &Place, server: &Server, device: &str) -> Output {
    let mut receiving = place.client("recv", &server.address, 2);
    receiving.args(["--device", device, "--timeout", "0"]).output().unwrap()
}

/// A box that user 1 has sent a message to user 2 with, who has a device.
fn box_with_a_message() -> (Place, Server) {
    let place = Place::new();
    let server = Server::serve(&place, 2);
    assert_eq!(log_in(&place, &server, "7").status.code(), Some(3), "nothing came");
    assert!(send(&place, &server, 2).status.success());
    (place, server)
}

#[test]
fn users_are_listed_in_order_and_in_pages() {
    let place = Place::new();
    assert!(
        user(&place, &["add", "--create", "30", "2", "100"]).output().unwrap().status.success()
    );
    let expected = ["2", "30", "100"].map(|user| line(user, 0, 0, 0, 0));
    for is_running in [true, false] {
        let _server = is_running.then(|| Server::serve(&place, 2));
        list_becomes(&place, &expected);
        let page = user(&place, &["list", "--json", "--count", "1", "--after", "2"]).output();
        assert_eq!(json_lines(&page.unwrap()), expected[1..2], "running: {is_running}");
        let text = said(&place, &["list", "--count", "2"]);
        let words: Vec<_> =
            text.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
        assert_eq!(words, ["user", "2", "30", "more"]);
        assert!(text.ends_with("more follow: --after 30\n"), "{text}");
    }
}

#[test]
fn a_revoked_user_gets_what_waits_on_a_new_device() {
    for is_running in [true, false] {
        let (place, mut server) = box_with_a_message();
        list_becomes(&place, &[line("1", 1, 0, 0, 0), line("2", 1, 1, 5, 1)]);
        if !is_running {
            assert!(server.stop().success());
        }
        assert_eq!(said(&place, &["revoke", "2"]), "all devices of user 2 are revoked\n");
        assert_eq!(said(&place, &["revoke", "2"]), "user 2 has no device that is not revoked\n");
        let (code, refusal) = failure(&user(&place, &["revoke", "9"]).output().unwrap());
        assert!(code == 1 && refusal.contains("there is no user 9"), "{refusal}");
        if !is_running {
            server = Server::serve(&place, 1);
        }
        let (code, refusal) = failure(&log_in(&place, &server, "7"));
        assert!(code == 1 && refusal.contains("DeviceRevoked"), "{refusal}");
        let mut receiving = place.client("recv", &server.address, 2);
        let received =
            receiving.args(["--device", "8", "--count", "1", "--timeout", "30"]).output().unwrap();
        assert_eq!(json_lines(&received)[0]["text"], "hello");
    }
}

#[test]
fn a_purged_user_is_gone_and_the_sender_is_told() {
    for is_running in [true, false] {
        let (place, mut server) = box_with_a_message();
        let (code, refusal) = failure(&user(&place, &["purge", "2"]).output().unwrap());
        assert!(code == 1 && refusal.contains("say --yes"), "{refusal}");
        if !is_running {
            assert!(server.stop().success());
        }
        let purged = said(&place, &["purge", "2", "--yes"]);
        assert_eq!(purged, "user 2 is purged: what waited is leaving\n");
        if !is_running {
            server = Server::serve(&place, 1);
        }
        list_becomes(&place, &[line("1", 1, 0, 0, 1)]);
        let refused = json_lines(&send(&place, &server, 2));
        assert_eq!(refused[0]["reason"], "UnknownUser");
        let (code, refusal) = failure(&log_in(&place, &server, "7"));
        assert!(code == 1 && refusal.contains("DeviceRevoked"), "{refusal}");
        let (code, refusal) = failure(&user(&place, &["purge", "2", "--yes"]).output().unwrap());
        assert!(code == 1 && refusal.contains("there is no user 2"), "{refusal}");
        assert_eq!(log_in(&place, &server, "8").status.code(), Some(3), "nothing is there");
        assert!(send(&place, &server, 2).status.success());
    }
}
