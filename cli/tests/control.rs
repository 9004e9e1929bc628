//! A running box is asked through its control socket, which is its own user's alone.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{Place, Server, answerback, exchange, failure, json_lines, mode};

fn status(data: &Path) -> Command {
    let mut command = answerback();
    command.args(["status", "--data"]).arg(data);
    command
}

fn socket(place: &Place) -> PathBuf {
    place.path("data").join("control.sock")
}

fn is_done(output: &Output) -> bool {
    output.status.success() && output.stderr.is_empty()
}

#[test]
fn a_box_says_how_it_is() {
    let place = Place::new();
    let mut server = Server::serve(&place, 2);
    let output = status(&place.path("data")).arg("--json").output().unwrap();
    assert!(is_done(&output), "{output:?}");
    let said = &json_lines(&output)[0];
    assert_eq!(said["listen"], server.address.as_str());
    assert_eq!((&said["cores"], &said["partitions"]), (&2.into(), &16.into()));
    assert_eq!(said["process"], server.child.id());
    let text = status(&place.path("data")).output().unwrap();
    assert!(String::from_utf8(text.stdout).unwrap().contains(&server.address));

    assert_eq!(mode(&socket(&place)), 0o600);
    assert!(server.stop().success());
    assert!(!socket(&place).exists(), "an orderly stop leaves none");
    let (code, line) = failure(&status(&place.path("data")).output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("no box serves") && line.contains("answerback serve"), "{line}");
}

#[test]
fn the_socket_of_a_killed_box_is_nobodys_and_is_replaced() {
    let place = Place::new();
    Server::serve(&place, 1).kill();
    assert!(socket(&place).exists());
    let (_, line) = failure(&status(&place.path("data")).output().unwrap());
    assert!(line.contains("no box serves"), "{line}");
    let server = Server::serve(&place, 1);
    let output = status(&place.path("data")).arg("--json").output().unwrap();
    assert_eq!(json_lines(&output)[0]["process"], server.child.id());
}

#[test]
fn another_file_of_its_name_stays() {
    let place = Place::new();
    assert!(Server::serve(&place, 1).stop().success());
    fs::write(socket(&place), b"dear aunt").unwrap();
    let (_, line) = failure(&place.serve("127.0.0.1:0").output().unwrap());
    assert!(line.contains("another file has its name"), "{line}");
    assert_eq!(fs::read(socket(&place)).unwrap(), b"dear aunt");
}

#[test]
fn a_data_directory_may_have_a_long_path() {
    let place = Place::new();
    let data = place.path(&"d".repeat(200));
    let server = Server::start(&mut place.serve_with_data("127.0.0.1:0", &data));
    let output = status(&data).arg("--json").output().unwrap();
    assert_eq!(json_lines(&output)[0]["process"], server.child.id(), "{output:?}");
}

#[test]
fn what_is_no_request_is_answered_with_the_reason() {
    let place = Place::new();
    let server = Server::serve(&place, 1);
    for (line, reason) in [
        (&b"{\"request\":\"dance\"}\n"[..], "unknown variant `dance`, expected"),
        (b"{\"request\":\"status\",\"loud\":true}\n", "unknown field `loud`"),
        (b"{}\n", "missing field `request`"),
        (b"how are you?\n", "expected value"),
        (b"\n", "EOF"),
        (b"\xff\xfe\n", "expected value"),
    ] {
        let answer = exchange(&socket(&place), line);
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains("does not understand") && error.contains(reason), "{answer}");
    }
    let answer = exchange(&socket(&place), b"{\"request\":\"status\"}\n");
    assert_eq!(answer["done"]["listen"], server.address.as_str());
}

#[test]
fn what_a_request_may_not_say_is_answered_too() {
    let place = Place::new();
    let _server = Server::serve(&place, 1);
    let answer = exchange(&socket(&place), b"{\"request\":\"backup\",\"to\":\"monday\"}\n");
    assert_eq!(answer["error"], "a backup goes to an absolute path");
    let answer = exchange(&socket(&place), b"{\"request\":\"inspect_user\",\"user\":\"two\"}\n");
    assert!(answer["error"].as_str().unwrap().contains("\"two\" is no user's id"), "{answer}");
}

#[test]
fn a_command_that_goes_away_harms_nobody() {
    let place = Place::new();
    let server = Server::serve(&place, 1);
    let mut gone = UnixStream::connect(socket(&place)).unwrap();
    gone.write_all(b"{\"request\":").unwrap();
    drop(gone);
    drop(UnixStream::connect(socket(&place)).unwrap());
    let answer = exchange(&socket(&place), b"{\"request\":\"status\"}\n");
    assert_eq!(answer["done"]["process"], server.child.id());
}

/// Each waits for a checkpoint that does not come, until its patience ends.
#[test]
fn slow_commands_keep_no_other_waiting() {
    let place = Place::new();
    let mut serve = place.serve("127.0.0.1:0");
    let server = Server::start(serve.args(["--cores", "1", "--checkpoint-ms", "3600000"]));
    place.log_in_once(&server, 2);
    // Whichever comes last of them finds all places taken, and none is free again before the
    // patience of the others ends.
    let slow: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = UnixStream::connect(socket(&place)).unwrap();
            stream.write_all(b"{\"request\":\"inspect_user\",\"user\":\"2\"}\n").unwrap();
            stream
        })
        .collect();
    let answer = exchange(&socket(&place), b"{\"request\":\"status\"}\n");
    assert_eq!(answer["done"]["process"], server.child.id());
    let answers = slow.into_iter().map(|stream| {
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer
    });
    let (refused, done): (Vec<_>, Vec<_>) =
        answers.partition(|answer| answer.contains("under way: try again"));
    assert_eq!((refused.len(), done.len()), (1, 3), "{refused:?} {done:?}");
    assert!(done.iter().all(|answer| answer.contains("\"records_behind\":")), "{done:?}");
    let answer = exchange(&socket(&place), b"{\"request\":\"inspect\"}\n");
    assert!(answer["error"].is_null(), "their places are free again: {answer}");
}
