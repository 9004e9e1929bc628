//! `scrub` finds a flipped bit in a box's files, and nothing where nothing is wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Place, Server, answerback, failure, json_lines};

const TEXT: &str = "a text that is easily found in a file";

fn scrub(place: &Place) -> Command {
    let mut command = answerback();
    command.arg("scrub").arg("--data").arg(place.path("data"));
    command
}

/// A box that keeps the text for user 2.
fn serve_with_text(place: &Place) -> Server {
    let server = Server::serve(place, 1);
    place.log_in_once(&server, 2);
    let mut sending = place.client("send", &server.address, 1);
    assert!(sending.args(["--to", "2", TEXT]).output().unwrap().status.success());
    server
}

/// Flips a bit of the text wherever a file of a table holds it; in how many that is.
fn flip_bits(database: &Path) -> usize {
    let files = fs::read_dir(database).unwrap().map(|entry| entry.unwrap().path());
    let tables = files.filter(|path| path.extension().is_some_and(|end| end == "sst"));
    let flip = |path: &std::path::PathBuf| {
        let mut bytes = fs::read(path).unwrap();
        let place = bytes.windows(TEXT.len()).position(|window| window == TEXT.as_bytes());
        let byte = place.and_then(|place| bytes.get_mut(place));
        let is_found = byte.map(|byte| *byte ^= 1).is_some();
        fs::write(path, bytes).unwrap();
        is_found
    };
    tables.filter(flip).count()
}

#[test]
fn a_box_without_damage_has_none_running_or_stopped() {
    let place = Place::new();
    let mut server = serve_with_text(&place);
    let whole = |text: &str| {
        let output = scrub(&place).arg("--json").output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{text}: {output:?}");
        assert_eq!(json_lines(&output), [serde_json::json!({ "damages": [] })], "{text}");
    };
    whole("running");
    assert!(server.stop().success());
    whole("stopped");
}

#[test]
fn a_flipped_bit_is_found_with_its_table() {
    let place = Place::new();
    assert!(serve_with_text(&place).stop().success());
    // Whoever opens it next brings the log into files.
    assert!(scrub(&place).output().unwrap().status.success());
    assert!(flip_bits(&place.path("data").join("db")) > 0);

    let output = scrub(&place).output().unwrap();
    let (code, line) = failure(&output);
    assert_eq!(code, 1);
    assert!(line.contains("damaged: keep a copy, then restore a backup"), "{line}");
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(found.contains("table inbox") && found.contains("checksum"), "{found}");
}
