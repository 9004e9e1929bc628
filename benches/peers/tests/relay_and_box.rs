//! The comparison, end to end and very short, with the peers that this workspace builds.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The command, and the folder of the profile that it and `answerback` were built with.
fn peers() -> (Command, PathBuf) {
    let program = Path::new(env!("CARGO_BIN_EXE_answerback-peers"));
    (Command::new(program), program.parent().unwrap().to_path_buf())
}

/// One short round; what came on the standard outputs, and the lines of the results.
fn run(directory: &Path, arguments: &[&str]) -> (Output, Vec<Value>) {
    let (mut command, built) = peers();
    let answerback = built.join("answerback");
    assert!(answerback.exists(), "build it first: cargo build -p answerback-cli");
    let results = directory.join("results.jsonl");
    command.args(["run", "--unpinned", "--quick", "--pairs", "5", "--seconds", "0.3"]);
    command.args(["--warm-up", "0.1", "--messages", "200", "--connections", "20", "--profile"]);
    command.arg(built.file_name().unwrap()).arg("--target").arg(built.parent().unwrap());
    command.arg("--results").arg(&results).args(arguments);
    let output = command.output().unwrap();
    let lines = std::fs::read_to_string(&results).unwrap();
    (output, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn every_message_counts_once_and_the_tables_can_be_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let picture = directory.path().join("peers.svg");
    let (output, results) = run(
        directory.path(),
        &[
            "--peers",
            "relay,relay-receipts,answerback",
            "--jobs",
            "window-8,rate-2000,offline",
            "--svg",
            picture.to_str().unwrap(),
        ],
    );
    assert!(output.status.success(), "{output:?}");
    assert_eq!(results.len(), 7, "a relay stores nothing: {results:?}");
    for result in &results {
        let figures = &result["figures"];
        for fault in ["lost", "doubled", "reordered", "unconfirmed"] {
            assert_eq!(figures[fault], 0.0, "{fault}: {result}");
        }
        let has_receipts = result["peer"] != "relay" && result["job"] != "offline";
        let missing = figures["receipts_missing"].as_f64();
        assert_eq!(missing, has_receipts.then_some(0.0), "{result}");
        if result["job"] == "offline" {
            assert_eq!(figures["stored"], 200.0, "{result}");
        } else {
            assert!(figures["server_us"].as_f64().unwrap() > 0.0, "{result}");
        }
    }
    assert!(std::fs::read_to_string(picture).unwrap().contains("Answerback"));
    let (mut table, _) = peers();
    let again = table.arg("table").arg(directory.path().join("results.jsonl")).output().unwrap();
    assert_eq!(String::from_utf8(again.stdout).unwrap(), String::from_utf8(output.stdout).unwrap());
}

#[test]
fn logins_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (output, results) = run(directory.path(), &["--peers", "answerback", "--jobs", "idle"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(results[0]["figures"]["connections"], 20.0, "{results:?}");
    assert!(results[0]["figures"]["login_us"].as_f64().unwrap() > 0.0, "{results:?}");
}

#[test]
fn a_peer_that_does_not_start_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--peers", "relay", "--jobs", "window-8", "--profile", "no-such-profile"];
    let (mut command, built) = peers();
    command.arg("run").args(arguments).arg("--target").arg(built.parent().unwrap());
    command.arg("--unpinned").arg("--results").arg(directory.path().join("results.jsonl"));
    let output = command.arg("--quick").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("failed: cannot start relay; benches/peers/install"), "{told}");
    assert!(told.ends_with("error: 1 runs failed\n"), "{told}");
}
