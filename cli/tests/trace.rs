//! `trace` says where a message is, of a box that runs and of one that is stopped.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::process::Command;

use common::{Place, Server, answerback, failure, json_lines};
use serde_json::Value;

fn trace(place: &Place, message: [&str; 4]) -> Command {
    let mut command = answerback();
    command.arg("trace").args(message).arg("--data").arg(place.path("data"));
    command
}

/// What it says as JSON, and as text.
fn traced(place: &Place, message: [&str; 4]) -> (Value, String) {
    let output = trace(place, message).arg("--json").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = trace(place, message).output().unwrap();
    (json_lines(&output).remove(0), String::from_utf8(text.stdout).unwrap())
}

/// The device that a command keeps for a user: the only one that the box knows of.
fn device_of(place: &Place, user: &str) -> String {
    let mut command = answerback();
    command.args(["inspect", "user", user, "--json", "--data"]).arg(place.path("data"));
    let user = json_lines(&command.output().unwrap()).remove(0);
    let device = user.pointer("/found/devices/0/device").unwrap();
    device.as_str().unwrap().to_owned()
}

fn send(place: &Place, server: &Server, to: &str, more: &[&str]) {
    let mut sending = place.client("send", &server.address, 1);
    let sent = sending.args(["--to", to]).args(more).arg("a secret word").output().unwrap();
    assert!(sent.status.success() || to == "77", "{sent:?}");
}

#[test]
fn a_message_is_found_at_every_station() {
    let place = Place::new();
    let mut server = Server::serve(&place, 2);
    place.log_in_once(&server, 2);
    send(&place, &server, "2", &[]);
    let device = device_of(&place, "1");
    let first = ["1", &device, "2", "1"];

    let (waiting, text) = traced(&place, first);
    assert_eq!((&waiting["place"], &waiting["position"]), (&"waiting".into(), &1.into()));
    assert_eq!((&waiting["is_delivered"], &waiting["records_behind"]), (&false.into(), &0.into()));
    assert_eq!(waiting["devices"][0]["has_it"], false);
    assert!(text.contains("not delivered: in the inbox of user 2 at position 1"), "{text}");
    assert!(text.contains("has not taken it"), "{text}");

    let (unseen, text) = traced(&place, ["1", &device, "2", "2"]);
    assert_eq!((&unseen["place"], &unseen["expected"]), (&"unseen".into(), &2.into()));
    assert!(text.contains("number 2 is expected next"), "{text}");
    let (unknown, text) = traced(&place, ["1", &device, "77", "1"]);
    assert_eq!(unknown["place"], "unknown_recipient");
    assert!(text.contains("there is no user 77"), "{text}");

    let mut receiving = place.client("recv", &server.address, 2);
    assert!(receiving.args(["--count", "1"]).output().unwrap().status.success());
    let (delivered, text) = traced(&place, first);
    assert_eq!((&delivered["place"], &delivered["is_read"]), (&"delivered".into(), &false.into()));
    assert!(text.contains("delivered; nothing of it is kept"), "{text}");
    assert!(!text.contains("secret") && !delivered.to_string().contains("secret"));

    assert!(server.stop().success());
    let (stopped, _) = traced(&place, first);
    assert_eq!(stopped, delivered, "a stopped box says the same");
}

#[test]
fn what_the_tables_lack_is_said() {
    let place = Place::new();
    let mut serve = place.serve("127.0.0.1:0");
    let mut server = Server::start(serve.args(["--cores", "1", "--checkpoint-ms", "3600000"]));
    place.log_in_once(&server, 2);
    send(&place, &server, "2", &[]);
    server.kill();
    let (told, text) = traced(&place, ["1", "5", "2", "1"]);
    assert!(told["records_behind"].as_u64() > Some(0), "{told}");
    assert!(text.contains("records of the journal are not in the tables yet"), "{text}");
}

#[test]
fn what_is_no_message_is_refused() {
    let place = Place::new();
    assert_eq!(trace(&place, ["1", "5", "2", "0"]).output().unwrap().status.code(), Some(2));
    assert_eq!(trace(&place, ["0", "5", "2", "1"]).output().unwrap().status.code(), Some(2));
    let (code, line) = failure(&trace(&place, ["1", "5", "2", "1"]).output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("holds no box's data; check the path"), "{line}");
}
