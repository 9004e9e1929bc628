//! Storms, long runs, the bare log: what they report, and when they fail.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::process::Output;

use common::{Place, Server, answerback, failure, json_lines};

#[test]
fn a_bare_log_writes_all_that_is_due_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let mut command = answerback();
    command.args(["bench", "log", "--rate", "2000", "--size", "200", "--json"]);
    command.args(["--warmup", "0", "--duration", "1s", "--linger-us", "2000"]);
    let output = command.arg("--dir").arg(place.path()).output().unwrap();
    let report = &json_lines(&output)[0];
    assert_eq!(report["messages"], 2000, "{report}");
    assert!(report["syncs"].as_u64().unwrap() <= 500, "a sync in 2 ms at most: {report}");
    assert!(report["durable"]["p99_us"].as_f64().unwrap() > 2000.0, "they waited: {report}");
    assert_eq!(place.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_log_without_a_place_is_one_line() {
    let output =
        answerback().args(["bench", "log", "--rate", "10", "--dir", "/nowhere"]).output().unwrap();
    let (code, line) = failure(&output);
    assert_eq!(code, 1);
    assert!(line.contains("cannot make /nowhere/answerback-bench.log"), "{line}");
}

fn storm(place: &Place, server: &Server, more: &[&str]) -> Output {
    let mut command = answerback();
    command.args(["bench", "storm", "--json", "--clients", "40", "--inflight", "8"]);
    command.args(["--addr", &server.address, "--server-pid", &server.child.id().to_string()]);
    command.arg("--keys").arg(place.keys()).args(more).output().unwrap()
}

#[test]
fn users_come_and_go_again_and_again_beside_a_chat() {
    let place = Place::new();
    let server = Server::serve(&place, 2);
    let chat = ["--chat-rate", "200", "--chat-pairs", "3"];
    for more in [&["--new-users"][..], &chat] {
        let output = storm(&place, &server, &[&["--duration", "1"], more].concat());
        assert!(output.status.success(), "{output:?}");
        let report = &json_lines(&output)[0];
        assert!(report["logins"].as_u64().unwrap() > 80, "more often than there are: {report}");
        assert!(report["login"]["p999_us"].as_f64().unwrap() > 0.0, "{report}");
        assert!(report["cpu_us_per_login"].as_f64().unwrap() > 0.0, "{report}");
        assert_eq!(report["refusals"], serde_json::json!({}), "{report}");
        assert_eq!(report["chat"].is_null(), more.len() == 1, "{report}");
    }
}

#[test]
fn all_who_watch_each_other_go_and_come_back() {
    let place = Place::new();
    let server = Server::serve(&place, 2);
    let mut command = answerback();
    command.args(["bench", "presence", "--json", "--clients", "40", "--watched", "5"]);
    command.args(["--addr", &server.address, "--server-pid", &server.child.id().to_string()]);
    let output = command.args(["--settle", "1"]).arg("--keys").arg(place.keys()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report = &json_lines(&output)[0];
    for told in ["told_at_first", "told"] {
        let words = report[told].as_u64().unwrap();
        assert!((200..=400).contains(&words), "of each who is watched once or twice: {report}");
    }
}

/// Whatever becomes of those before.
#[test]
fn logins_are_offered_by_the_clock() {
    let place = Place::new();
    let server = Server::serve(&place, 2);
    let paced = ["--login-rate", "100", "--duration", "2"];
    let output = storm(&place, &server, &paced);
    assert!(output.status.success(), "{output:?}");
    let report = &json_lines(&output)[0];
    let of = |name: &str| report["offered"][name].as_u64().unwrap();
    assert!((195..=205).contains(&of("logins")), "{report}");
    let done = report["logins"].as_u64().unwrap();
    assert_eq!(of("logins"), done + of("shed") + of("under_way") + of("missed"), "{report}");
    // Those who come again are seldom all there at once.
    assert!(done > 0 && of("shed") == 0, "{report}");
}

#[test]
fn all_come_at_one_blow_and_stay_until_all_are_in() {
    let place = Place::new();
    let server = Server::serve(&place, 2);
    let output = storm(&place, &server, &["--rounds", "3"]);
    let report = &json_lines(&output)[0];
    assert_eq!((&report["logins"], &report["clients"]), (&120.into(), &40.into()), "{report}");
    assert_eq!(report["rounds_s"].as_array().unwrap().len(), 3, "{report}");
}

/// A box that knows none of the keys refuses everybody: that is said, and the run ends.
#[test]
fn a_storm_that_nobody_gets_through_says_why() {
    let (place, other) = (Place::new(), Place::new());
    let server = Server::serve(&place, 1);
    let output = storm(&other, &server, &["--patience", "1"]);
    let (code, line) = failure(&output);
    assert_eq!(code, 1);
    assert!(line.contains("nobody gets in any more: the server closed a session"), "{line}");
}

#[test]
fn a_long_run_tells_samples_and_a_verdict_and_draws_them() {
    let place = Place::new();
    let server = Server::serve(&place, 1);
    let plot = place.path("soak.svg");
    let mut command = answerback();
    command.args(["bench", "soak", "--json", "--pairs", "4", "--rate", "400", "--warmup", "0"]);
    command.args(["--duration", "2s", "--every", "200ms", "--addr", &server.address]);
    command.args(["--server-pid", &server.child.id().to_string(), "--server-data"]);
    command.arg(place.path("data")).arg("--keys").arg(place.keys()).arg("--plot").arg(&plot);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = json_lines(&output);
    let (verdict, samples) = lines.split_last().unwrap();
    assert_eq!((samples.len(), &verdict["samples"]), (10, &10.into()));
    for sample in samples {
        for figure in ["rss_bytes", "descriptors", "disk_bytes"] {
            assert!(sample[figure].as_u64().unwrap() > 0, "{figure}: {sample}");
        }
    }
    let drifts = verdict["drifts"].as_array().unwrap();
    let descriptors = drifts.iter().find(|drift| drift["name"] == "descriptors").unwrap();
    assert_eq!(descriptors["is_flat"], true, "{verdict}");
    assert_eq!((&verdict["lost"], &verdict["doubled"]), (&0.into(), &0.into()));
    assert!(std::fs::read_to_string(plot).unwrap().contains("<polyline"));
}
