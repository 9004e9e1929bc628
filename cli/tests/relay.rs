//! The bare relay: a load runs against it, and a message goes through it.

mod common;

use std::process::{Command, Stdio};

use common::{Place, Server, answerback, failure, json_lines};

#[test]
fn both_loops_count_every_message_once() {
    let relay = Server::relay();
    for pace in [["--inflight", "4"], ["--rate", "2000"]] {
        let output = answerback()
            .args(["bench", "chat", "--pairs", "5", "--warmup", "0", "--seconds", "1", "--json"])
            .args(["--addr", &relay.address, "--server-pid", &relay.child.id().to_string()])
            .args(pace)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let report = &json_lines(&output)[0];
        for fault in ["lost", "doubled", "reordered", "undecided", "failed"] {
            assert_eq!(report[fault], 0, "{report}");
        }
        assert!(report["messages"].as_u64().unwrap() > 100, "{report}");
        assert!(report["receipt"]["p50_us"].as_f64().unwrap() > 0.0, "{report}");
        assert!(report["server"]["rss_bytes_after"].as_u64().unwrap() > 0, "{report}");
    }
}

#[test]
fn a_generator_sleeps_until_a_message_is_due() {
    let relay = Server::relay();
    let output = answerback()
        .args(["bench", "chat", "--pairs", "5", "--warmup", "0", "--seconds", "1", "--json"])
        .args(["--addr", &relay.address, "--rate", "100"])
        .output()
        .unwrap();
    let report = &json_lines(&output)[0];
    assert!(report["messages"].as_u64().unwrap().abs_diff(100) <= 1, "{report}");
    assert!(report["generator"]["cpu_share"].as_f64().unwrap() < 0.5, "{report}");
}

#[test]
fn idle_users_log_in() {
    let relay = Server::relay();
    let output = answerback()
        .args(["bench", "idle", "--clients", "200", "--settle", "0", "--json"])
        .args(["--addr", &relay.address, "--server-pid", &relay.child.id().to_string()])
        .output()
        .unwrap();
    let report = &json_lines(&output)[0];
    assert_eq!(report["clients"], 200, "{report}");
    assert!(report["rss_bytes_per_connection"].is_number(), "{report}");
}

#[test]
fn a_group_hears_every_message_once() {
    let relay = Server::relay();
    let output = answerback()
        .args(["bench", "fanout", "--groups", "3", "--members", "20", "--msgs", "50", "--json"])
        .args(["--addr", &relay.address])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let report = &json_lines(&output)[0];
    assert_eq!(report["deliveries"], 3 * 19 * 50, "{report}");
}

#[test]
fn a_message_goes_through_it() {
    let (place, relay) = (Place::new(), Server::relay());
    let mut receiving = place
        .client("recv", &relay.address, 2)
        .args(["--count", "1", "--timeout", "60"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The relay keeps nothing: the receiver may be too late for the first ones.
    let mut sending = place.client("send", &relay.address, 1);
    sending.args(["--to", "2", "hello"]);
    while receiving.try_wait().unwrap().is_none() {
        sending.output().unwrap();
    }
    let lines = json_lines(&receiving.wait_with_output().unwrap());
    assert_eq!((&lines[0]["from"], &lines[0]["text"]), (&"1".into(), &"hello".into()));
}

/// A client that was written from the documents alone, in another language.
#[test]
fn the_python_client_exchanges_a_message_through_it() {
    let (place, relay) = (Place::new(), Server::relay());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../python/answerback_client.py");
    let output = Command::new("python3")
        .args([script, "exchange", "--addr", &relay.address])
        .args(["--token-a", &place.token(1, 5), "--token-b", &place.token(2, 6)])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_taken_port_is_one_line() {
    let relay = Server::relay();
    let output =
        answerback().args(["bench", "relay", "--listen", &relay.address]).output().unwrap();
    let (code, line) = failure(&output);
    assert_eq!(code, 1);
    assert!(line.contains("cannot listen on"), "{line}");
}

#[test]
fn nobody_there_is_one_line() {
    let place = Place::new();
    let mut relay = Server::relay();
    relay.kill();
    let output = place.client("send", &relay.address, 1).args(["--to", "2", "x"]).output().unwrap();
    let (code, line) = failure(&output);
    assert_eq!(code, 1);
    assert!(line.contains("is the box running?"), "{line}");
    let output =
        answerback().args(["bench", "chat", "--inflight", "1", "--addr", &relay.address]).output();
    assert!(failure(&output.unwrap()).1.contains("is the server running?"));
}
