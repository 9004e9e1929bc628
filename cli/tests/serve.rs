//! A box that cannot start says so in one line, with what to do about it, and leaves
//! whatever it found as it was.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;

use common::{Place, Server, failure};

/// How `serve` ends at once: its one line, after exit code 1.
fn refused(place: &Place, listen: &str) -> String {
    let output = place.serve(listen).output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    let (code, line) = failure(&output);
    assert_eq!(code, 1, "{line}");
    line
}

const ANY_PORT: &str = "127.0.0.1:0";

#[test]
fn data_in_use_by_another_box() {
    let place = Place::new();
    let mut server = Server::serve(&place, 1);
    let line = refused(&place, ANY_PORT);
    assert!(line.contains("in use by another process: stop that one"), "{line}");
    place.log_in_once(&server, 1);
    assert!(server.stop().success(), "the first goes on, and ends well");
}

#[test]
fn data_at_or_below_a_regular_file() {
    let place = Place::new();
    fs::write(place.path("data"), b"a letter to my aunt").unwrap();
    let line = refused(&place, ANY_PORT);
    assert!(line.contains("cannot be used") && line.contains("check the path"), "{line}");
    let mut below = place.serve_with_data(ANY_PORT, &place.path("data/below"));
    let (code, line) = failure(&below.output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("cannot be used") && line.contains("check the path"), "{line}");
    assert_eq!(fs::read(place.path("data")).unwrap(), b"a letter to my aunt");
}

#[test]
fn data_of_a_newer_version() {
    let place = Place::new();
    assert!(Server::serve(&place, 1).stop().success());
    let mark = place.path("data").join("answerback.format");
    fs::write(&mark, "answerback data 999\n").unwrap();
    let line = refused(&place, ANY_PORT);
    assert!(line.contains("version 999") && line.contains("start a newer binary"), "{line}");
    assert_eq!(fs::read_to_string(&mark).unwrap(), "answerback data 999\n");
}

#[test]
fn a_directory_that_is_somebody_elses() {
    let place = Place::new();
    let letter = place.path("data").join("letter.txt");
    fs::create_dir(place.path("data")).unwrap();
    fs::write(&letter, b"dear aunt").unwrap();
    let line = refused(&place, ANY_PORT);
    assert!(line.contains("holds no Answerback data"), "{line}");
    assert_eq!(fs::read_dir(place.path("data")).unwrap().count(), 1, "nothing was added");
}

#[test]
fn a_port_that_is_taken() {
    let (place, other) = (Place::new(), Place::new());
    let server = Server::serve(&place, 1);
    let line = refused(&other, &server.address);
    assert!(line.contains("is taken: stop what listens there, or choose another"), "{line}");
}

#[test]
fn keys_that_are_missing_or_none() {
    let place = Place::new();
    let keys = place.keys().join("jwks.json");
    fs::write(&keys, "{\"keys\": []}").unwrap();
    assert!(refused(&place, ANY_PORT).contains("is of no use"));
    fs::write(&keys, "not JSON").unwrap();
    assert!(refused(&place, ANY_PORT).contains("is of no use"));
    fs::remove_file(&keys).unwrap();
    let line = refused(&place, ANY_PORT);
    assert!(line.contains("cannot read the key set") && line.contains("dev-keys"), "{line}");
    assert!(!place.path("data").exists(), "without keys no data is made");
}

#[test]
fn an_existing_box_keeps_its_partitions() {
    let place = Place::new();
    let mut server = Server::start(place.serve(ANY_PORT).args(["--partitions", "4"]));
    assert!(server.first_line.contains("4 partitions"), "{}", server.first_line);
    assert!(server.stop().success());
    let server = Server::start(place.serve(ANY_PORT).args(["--partitions", "32"]));
    assert!(server.first_line.contains("4 partitions"), "{}", server.first_line);
}
