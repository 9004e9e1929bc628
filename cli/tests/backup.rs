//! A backup of a box, running or stopped, becomes a box again, and nobody's messages are in
//! the way of what comes after it.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use common::{Place, Server, answerback, failure, json_lines, mode};

const ANY_PORT: &str = "127.0.0.1:0";

fn backup(place: &Place, to: &str) -> Command {
    let mut command = answerback();
    command.arg("backup").arg("--data").arg(place.path("data")).arg("--to").arg(place.path(to));
    command
}

fn restore(place: &Place, from: &str, to: &str) -> Command {
    let mut command = answerback();
    command.arg("restore").arg("--backup").arg(place.path(from)).arg("--data").arg(place.path(to));
    command
}

fn is_done(output: &Output) {
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

fn send(place: &Place, server: &Server, text: &str) {
    send_until("accepted", place, server, text);
}

fn send_until(state: &str, place: &Place, server: &Server, text: &str) {
    let mut sending = place.client("send", &server.address, 1);
    is_done(&sending.args(["--to", "2", "--wait", state, text]).output().unwrap());
}

/// Receives the next messages of user 2.
fn receive(place: &Place, server: &Server, count: usize) -> Command {
    let mut receiving = place.client("recv", &server.address, 2);
    receiving.args(["--count", &count.to_string(), "--timeout", "30"]);
    receiving
}

fn texts(output: &Output) -> Vec<String> {
    is_done(output);
    let lines = json_lines(output).into_iter();
    lines.map(|line| line.get("text").unwrap().as_str().unwrap().into()).collect()
}

fn received(place: &Place, server: &Server, count: usize) -> Vec<String> {
    texts(&receive(place, server, count).output().unwrap())
}

/// Sends the numbers of a range, a message each; they are accepted.
fn send_numbers(place: &Place, server: &Server, numbers: RangeInclusive<u32>) -> Child {
    let mut sending = place.client("send", &server.address, 1);
    sending.args(["--to", "2", "--stdin"]).stdin(Stdio::piped());
    let mut child = sending.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines: String = numbers.map(|number| format!("{number}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child
}

/// Other users who chat meanwhile.
fn load(place: &Place, server: &Server) -> Child {
    let mut bench = answerback();
    bench.args([
        "bench",
        "chat",
        "--pairs",
        "5",
        "--warmup",
        "0",
        "--seconds",
        "2",
        "--rate",
        "500",
    ]);
    bench.args(["--addr", &server.address, "--server-pid", &server.child.id().to_string()]);
    bench.arg("--keys").arg(place.keys()).stdout(Stdio::piped()).stderr(Stdio::piped());
    bench.spawn().unwrap()
}

fn serve_restored(place: &Place) -> Server {
    is_done(&restore(place, "monday", "restored").output().unwrap());
    Server::start(&mut place.serve_with_data(ANY_PORT, &place.path("restored")))
}

#[test]
fn a_backup_of_a_running_box_has_what_was_accepted_before_it() {
    let place = Place::new();
    let mut server = Server::serve(&place, 2);
    place.log_in_once(&server, 2);
    send(&place, &server, "before");
    is_done(&backup(&place, "monday").output().unwrap());
    assert!(!place.path("monday").join("control.sock").exists());
    send(&place, &server, "after");
    server.kill();

    let restored = serve_restored(&place);
    assert_eq!(received(&place, &restored, 1), ["before"]);
}

#[test]
fn a_device_that_is_ahead_of_the_backup_misses_nothing_that_comes_later() {
    let place = Place::new();
    let mut server = Server::serve(&place, 1);
    place.log_in_once(&server, 2);
    is_done(&backup(&place, "monday").output().unwrap());
    let receiving =
        receive(&place, &server, 2).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    // Known as delivered, so that they are not sent again: the places that they had in the
    // inbox are given to others.
    send_until("delivered", &place, &server, "one");
    send_until("delivered", &place, &server, "two");
    assert_eq!(texts(&receiving.unwrap().wait_with_output().unwrap()), ["one", "two"]);
    server.kill();

    let restored = serve_restored(&place);
    send(&place, &restored, "three");
    assert_eq!(received(&place, &restored, 1), ["three"]);
}

/// Of the last 50 numbers the backup has some or none, and 20 are delivered. What its sender
/// knows of that it gives up after the restore; the others it sends anew.
#[test]
fn after_a_restore_everything_is_there_once_and_in_order() {
    let place = Place::new();
    let mut server = Server::serve(&place, 2);
    place.log_in_once(&server, 2);
    let others = load(&place, &server);
    is_done(&send_numbers(&place, &server, 1..=100).wait_with_output().unwrap());
    let sending = send_numbers(&place, &server, 101..=250);
    is_done(&backup(&place, "monday").output().unwrap());
    is_done(&sending.wait_with_output().unwrap());
    let mut texts = received(&place, &server, 120);
    place.log_in_once(&server, 1);
    let others = others.wait_with_output().unwrap();
    assert!(others.status.success(), "{others:?}");
    server.kill();

    let restored = serve_restored(&place);
    send(&place, &restored, "151");
    texts.append(&mut received(&place, &restored, 31));
    let numbers: Vec<_> = (1..=151).map(|number| number.to_string()).collect();
    assert_eq!(texts, numbers);
}

#[test]
fn what_came_after_the_backup_is_lost_where_its_sender_is() {
    let place = Place::new();
    let mut server = Server::serve(&place, 1);
    place.log_in_once(&server, 2);
    send(&place, &server, "before");
    is_done(&backup(&place, "monday").output().unwrap());
    send(&place, &server, "after");
    server.kill();
    let files = fs::read_dir(place.path("state")).unwrap().map(|entry| entry.unwrap().path());
    let is_senders = |path: &PathBuf| path.to_string_lossy().contains("user-1-device");
    files.filter(is_senders).for_each(|path| fs::remove_file(path).unwrap());

    let restored = serve_restored(&place);
    send(&place, &restored, "from another device");
    assert_eq!(received(&place, &restored, 2), ["before", "from another device"]);
}

#[test]
fn a_backup_of_a_stopped_box_is_the_same() {
    let place = Place::new();
    let mut server = Server::serve(&place, 1);
    place.log_in_once(&server, 2);
    send(&place, &server, "before");
    assert!(server.stop().success());
    is_done(&backup(&place, "monday").output().unwrap());
    let restored = serve_restored(&place);
    assert_eq!(received(&place, &restored, 1), ["before"]);
    let status = answerback().args(["status", "--data"]).arg(place.path("restored")).output();
    let status = String::from_utf8(status.unwrap().stdout).unwrap();
    assert!(status.contains("generation 2"), "{status}");
}

/// All paths at and below one.
fn tree(path: PathBuf) -> Vec<PathBuf> {
    let below = fs::read_dir(&path).into_iter().flatten().map(|entry| entry.unwrap().path());
    let below: Vec<_> = below.flat_map(tree).collect();
    [vec![path], below].concat()
}

/// Whatever the umask is of whoever starts it, and whichever library writes.
#[test]
fn what_a_box_writes_nobody_else_may_read() {
    let place = Place::new();
    let mut server = Server::serve(&place, 1);
    place.log_in_once(&server, 2);
    send(&place, &server, "a secret");
    is_done(&backup(&place, "monday").output().unwrap());
    assert!(server.stop().success());
    is_done(&restore(&place, "monday", "restored").output().unwrap());
    for directory in ["data", "monday", "restored"] {
        let paths = tree(place.path(directory));
        assert!(paths.len() > 5, "{paths:?}");
        for path in paths {
            assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
        }
    }
}

#[test]
fn what_is_there_is_never_written_over() {
    let place = Place::new();
    let server = Server::serve(&place, 1);
    let letter = |directory: &str| {
        fs::create_dir(place.path(directory)).unwrap();
        fs::write(place.path(directory).join("letter.txt"), b"dear aunt").unwrap();
    };
    letter("monday");
    letter("restored");
    let (_, of_running) = failure(&backup(&place, "monday").output().unwrap());
    drop(server);
    let (code, of_stopped) = failure(&backup(&place, "monday").output().unwrap());
    assert_eq!(code, 1);
    assert_eq!(of_running, of_stopped, "the same line, whoever says it");
    is_done(&backup(&place, "tuesday").output().unwrap());
    let (_, line) = failure(&restore(&place, "tuesday", "restored").output().unwrap());
    assert_eq!(line.replace("restored", "monday"), of_stopped);
    for directory in ["monday", "restored"] {
        assert_eq!(fs::read_dir(place.path(directory)).unwrap().count(), 1, "nothing was added");
    }
}

#[test]
fn what_is_no_backup_is_not_restored() {
    let place = Place::new();
    let nothing = |path: &Path| assert!(!path.exists(), "nothing is made");
    let (code, line) = failure(&restore(&place, "nowhere", "restored").output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("nowhere"), "{line}");
    nothing(&place.path("restored"));
    let (_, line) = failure(&backup(&place, "monday").output().unwrap());
    assert!(line.contains("holds no box's data"), "{line}");
    nothing(&place.path("monday"));
}
