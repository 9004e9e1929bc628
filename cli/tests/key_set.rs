//! Key sets of a built box: from a server and from a file, at the start and while it runs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use common::key_server::{KeyServer, ok};
use common::log::Log;
use common::{Place, Server, answerback};
use rustix::process::Signal;

/// A core takes another set within a tick of it.
const TRIES_MAX: usize = 50;

/// `serve` with the key set of a place or a URL, looked for every second.
fn command(place: &Place, jwks: &str) -> Command {
    let mut command = answerback();
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "none", "--data"]);
    command.arg(place.path("data")).args(["--jwks", jwks, "--log-format", "json"]);
    command.args(["--set", "box.jwks_period_s=1"]).stderr(Stdio::piped());
    command
}

fn serve(mut command: Command) -> (Server, Log) {
    let mut server = Server::start(&mut command);
    let log = Log::of(&mut server);
    (server, log)
}

fn set_of(place: &Place) -> String {
    fs::read_to_string(place.keys().join("jwks.json")).unwrap()
}

/// Whether a token that a place signs lets in; a device of its own for each try.
fn lets_in(server: &Server, place: &Place) -> bool {
    let mut receiving = place.client("recv", &server.address, 1);
    // Not 3, that the time ran out, when the token is refused.
    receiving.args(["--timeout", "0"]).output().unwrap().status.code() == Some(3)
}

fn is_soon(server: &Server, place: &Place, wanted: bool) -> bool {
    (0..TRIES_MAX).any(|_| lets_in(server, place) == wanted)
}

#[test]
fn keys_are_rotated_without_a_restart() {
    let (old, new) = (Place::new(), Place::new());
    let keys = KeyServer::plain(&set_of(&old));
    let (mut server, mut log) = serve(command(&old, &keys.url()));
    assert!(lets_in(&server, &old) && !lets_in(&server, &new));
    keys.publish(&set_of(&new));
    assert_eq!(log.event("there is another key set")["keys"], 1);
    assert!(is_soon(&server, &new, true));
    assert!(!lets_in(&server, &old), "a key that left lets nobody in");
    assert!(server.stop().success());
}

#[test]
fn what_is_no_key_set_changes_nothing() {
    let place = Place::new();
    let keys = KeyServer::plain(&set_of(&place));
    let (mut server, mut log) = serve(command(&place, &keys.url()));
    let long = format!("{{\"keys\": [], \"x\": \"{}\"}}", "x".repeat(1 << 20));
    // A good set of somebody else's, in an answer that is none.
    let stranger = Place::new();
    let with_status = |status: &str| ok(&set_of(&stranger)).replacen("200 OK", status, 1);
    let moved = format!("302 Found\r\nlocation: {}", keys.url());
    for bad in [
        ok("{\"keys\": []}"),
        ok("not JSON"),
        ok(""),
        ok(&long),
        with_status("500 Oh"),
        with_status("203 Changed"),
        with_status(&moved),
        "rubbish\r\n\r\n".to_owned(),
        String::new(),
    ] {
        keys.answer_with(&bad);
        server.signal(Signal::HUP);
        let alarm = log.event("the key set stays as it is");
        assert_eq!(alarm["alarm"], "keys_stale", "{alarm}");
        assert!(lets_in(&server, &place) && !lets_in(&server, &stranger), "{bad:?}");
    }
    keys.publish(&set_of(&place));
    server.signal(Signal::HUP);
    log.event("the key set is the newest again");
    assert!(server.stop().success());
}

#[test]
fn a_box_starts_with_the_last_set_while_the_account_service_is_down() {
    let place = Place::new();
    let keys = KeyServer::plain(&set_of(&place));
    let url = keys.url();
    let (mut server, _log) = serve(command(&place, &url));
    keys.wait_until_asked();
    keys.wait_until_asked();
    assert!(server.stop().success());
    keys.answer_with("");

    let (mut server, mut log) = serve(command(&place, &url));
    assert_eq!(log.event("starts with the last one")["alarm"], "keys_stale");
    assert!(lets_in(&server, &place));
    keys.publish(&set_of(&place));
    server.signal(Signal::HUP);
    log.event("the key set is the newest again");
    assert!(server.stop().success());

    // The last one of another service is not to be trusted.
    let other = KeyServer::plain("");
    other.answer_with("");
    let (code, line) = refused(command(&place, &other.url()));
    assert!(
        code == 1 && line.contains("cannot be fetched") && line.contains(&other.url()),
        "{line}"
    );
}

#[test]
fn a_server_has_to_prove_itself() {
    let (place, stranger) = (Place::new(), Place::new());
    let keys = KeyServer::secure(&set_of(&place), &place.keys());
    let trusting = |place: &Place, authority: &Path| {
        let mut command = command(place, &keys.url());
        command.args(["--set", &format!("box.jwks_ca={}", authority.display())]);
        command
    };
    let (mut server, _log) = serve(trusting(&place, &place.keys().join("tls.crt")));
    assert!(lets_in(&server, &place));
    assert!(server.stop().success());

    let data = place.path("data");
    fs::remove_dir_all(&data).unwrap();
    let (code, line) = refused(trusting(&place, &stranger.keys().join("tls.crt")));
    assert!(code == 1 && line.contains("certificate"), "{line}");
    let (code, line) = refused(command(&place, &keys.url()));
    assert!(code == 1 && line.contains("certificate"), "the web does not know it: {line}");
    assert!(!data.exists(), "nothing was made");
}

#[test]
fn a_file_that_changes_is_read_again() {
    let (old, new) = (Place::new(), Place::new());
    let path = old.path("set.json");
    fs::write(&path, set_of(&old)).unwrap();
    let (mut server, mut log) = serve(command(&old, path.to_str().unwrap()));
    assert!(lets_in(&server, &old) && !lets_in(&server, &new));
    fs::write(&path, "half a fi").unwrap();
    log.event("the key set stays as it is");
    assert!(lets_in(&server, &old));
    fs::write(old.path("next.json"), set_of(&new)).unwrap();
    fs::rename(old.path("next.json"), &path).unwrap();
    log.event("there is another key set");
    assert!(is_soon(&server, &new, true));
    assert!(server.stop().success());
}

/// The failure of a box that does not start, which is the last line of its log.
fn refused(mut command: Command) -> (i32, String) {
    let mut child = command.spawn().unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    let last = log.lines().map(Result::unwrap).inspect(|line| {
        if line.contains("\"listening\"") {
            child.kill().unwrap();
        }
    });
    let last = last.last().unwrap();
    (child.wait().unwrap().code().unwrap_or_else(|| panic!("it started: {last}")), last)
}
