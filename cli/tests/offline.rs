//! `bench offline`: what was stored for users who are away comes once and in order when
//! they are back, also when the box was killed in between; what does not come is counted.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::process::Output;

use common::{Place, Server, answerback, failure, json_lines};

/// So few messages to each that some senders have none for some recipients.
const MESSAGES: u64 = 400;
const FAULTS: [&str; 5] = ["lost", "doubled", "reordered", "damaged", "unfinished"];

fn offline(place: &Place, server: &Server, messages: u64, more: &[&str]) -> Output {
    answerback()
        .args(["bench", "offline", "--json", "--senders", "7", "--recipients", "90"])
        .args(["--user-base", "1000", "--device-base", "5000", "--patience", "1"])
        .args(["--addr", &server.address, "--msgs", &messages.to_string()])
        .args(["--server-pid", &server.child.id().to_string(), "--server-data"])
        .arg(place.path("data"))
        .arg("--keys")
        .arg(place.keys())
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn what_was_stored_before_a_kill_is_drained_after_it() {
    let place = Place::new();
    let mut server = Server::serve(&place, 2);
    let stored = offline(&place, &server, MESSAGES, &["--inflight", "3"]);
    assert!(stored.status.success(), "{stored:?}");
    let report = &json_lines(&stored)[0];
    assert_eq!((&report["messages"], &report["undecided"]), (&MESSAGES.into(), &0.into()));
    assert!(report["server"]["disk_bytes_after"].as_u64().unwrap() > 0, "{report}");
    assert!(report["accepted"]["p50_us"].as_f64().unwrap() > 0.0, "{report}");

    server.kill();
    let server = Server::serve(&place, 2);
    let drained = offline(&place, &server, MESSAGES, &["--drain"]);
    assert!(drained.status.success(), "{drained:?}");
    let report = &json_lines(&drained)[0];
    assert_eq!((&report["messages"], &report["pending"]), (&MESSAGES.into(), &MESSAGES.into()));
    for fault in FAULTS {
        assert_eq!(report[fault], 0, "{report}");
    }

    let again = offline(&place, &server, MESSAGES, &["--drain"]);
    let report = &json_lines(&again)[0];
    assert_eq!((&report["pending"], &report["lost"]), (&0.into(), &MESSAGES.into()), "{report}");
}

#[test]
fn what_does_not_come_is_counted() {
    let place = Place::new();
    let server = Server::serve(&place, 1);
    assert!(offline(&place, &server, MESSAGES, &[]).status.success());
    let drained = offline(&place, &server, MESSAGES + 1, &["--drain"]);
    assert_eq!(json_lines(&drained)[0]["lost"], 1);
    let (code, line) = failure(&drained);
    assert_eq!(code, 1);
    assert!(line.contains("1 lost, 0 doubled, 0 reordered, 0 damaged, 1 users"), "{line}");
}
