//! What a box logs, in both forms, and what never.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::process::{Command, Stdio};

use common::log::{Log, parse};
use common::raw::Raw;
use common::{Place, Server, answerback};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;
use serde_json::Value;

const ANY_PORT: &str = "127.0.0.1:0";
/// What users write, and what nobody else may read.
const PAYLOAD: &str = "meet-me-at-the-lighthouse";
/// A token that is none.
const BAD_TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.bm90LWEtdG9rZW4.bm90LWEtc2lnbmF0dXJl";

fn serve(place: &Place, arguments: &[&str]) -> (Server, Log) {
    let mut server = Server::start(place.serve(ANY_PORT).args(arguments).stderr(Stdio::piped()));
    let log = Log::of(&mut server);
    (server, log)
}

/// A client's command with a token of its own.
fn with_token(place: &Place, server: &Server, name: &str, user: u32, token: &str) -> Command {
    let mut command = place.client(name, &server.address, user);
    command.args(["--device", "1"]).env("ANSWERBACK_TOKEN", token);
    command
}

/// Messages, deliveries, refusals, garbage, a reload, and a stop.
fn all_sorts_of_traffic(place: &Place, server: &mut Server, tokens: &[String; 2]) {
    let receive = |arguments: &[&str]| {
        let mut receiving = with_token(place, server, "recv", 2, &tokens[1]);
        receiving.args(arguments).output().unwrap()
    };
    receive(&["--timeout", "0"]);
    let mut sending = with_token(place, server, "send", 1, &tokens[0]);
    let sent = sending.args(["--to", "2", PAYLOAD]).output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    let mut sending = with_token(place, server, "send", 1, &tokens[0]);
    let refused = sending.args(["--to", "3", PAYLOAD]).output().unwrap();
    assert!(!refused.status.success(), "{refused:?}");
    let mut sending = with_token(place, server, "send", 1, BAD_TOKEN);
    let refused = sending.args(["--to", "2", PAYLOAD]).output().unwrap();
    assert!(!refused.status.success(), "{refused:?}");
    let received = receive(&["--count", "1", "--timeout", "30"]);
    assert!(String::from_utf8(received.stdout).unwrap().contains(PAYLOAD), "it was there");
    let raw = Raw::log_in(place, server, 4, 4);
    raw.say_last(PAYLOAD.repeat(100).as_bytes());
    server.signal(Signal::HUP);
    assert!(server.stop().success());
}

/// The parts of a token that tell something: all but its header.
fn secrets(tokens: &[String]) -> Vec<String> {
    let parts = tokens.iter().flat_map(|token| token.split('.').skip(1));
    parts.chain([PAYLOAD]).map(str::to_owned).collect()
}

#[test]
fn no_payload_and_no_token_is_logged_in_any_form() {
    for format in ["json", "human"] {
        let place = Place::new();
        let (mut server, log) =
            serve(&place, &["--log-level", "trace", "--log-format", format, "--cores", "2"]);
        let tokens = [place.token(1, 1), place.token(2, 1)];
        all_sorts_of_traffic(&place, &mut server, &tokens);
        let lines = log.rest();
        assert!(lines.iter().any(|line| line.contains("listening")), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains("stopped")), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains("a session is open")), "{lines:#?}");
        let tokens = [tokens.to_vec(), vec![BAD_TOKEN.to_owned()]].concat();
        for (line, secret) in
            lines.iter().flat_map(|line| secrets(&tokens).into_iter().map(move |s| (line, s)))
        {
            assert!(!line.contains(&secret), "{secret} in {line}");
        }
    }
}

#[test]
fn json_is_an_object_a_line_with_what_a_collector_needs() {
    let place = Place::new();
    let (mut server, log) = serve(&place, &[]);
    place.log_in_once(&server, 1);
    assert!(server.stop().success());
    let events: Vec<Value> = log.rest().iter().map(|line| parse(line)).collect();
    for event in &events {
        let text = |field: &str| event[field].as_str().unwrap().to_owned();
        let (time, zone) = (text("timestamp"), text("timestamp").pop());
        assert_eq!((time.as_bytes()[10], zone), (b'T', Some('Z')), "{event}");
        assert_eq!(text("level"), "INFO");
        assert!(text("target").starts_with("answerback"), "{event}");
        assert!(!text("message").is_empty(), "{event}");
        assert!(event.get("user").is_none() && event.get("device").is_none(), "{event}");
    }
    let listening = &events[0];
    assert_eq!(listening["message"], "listening");
    assert_eq!(listening["listen"].as_str().unwrap(), server.address);
    assert_eq!(listening["partitions"], 16);
    assert!(server.first_line.starts_with("listening on "), "scripts read the line on stdout");
}

#[test]
fn people_get_lines_without_escapes_where_there_is_no_terminal() {
    let place = Place::new();
    let (mut server, log) = serve(&place, &["--log-format", "human"]);
    assert!(server.stop().success());
    let lines = log.rest();
    assert!(lines[0].contains("INFO answerback::serve: listening listen="), "{lines:#?}");
    assert!(!lines.concat().contains('\u{1b}'), "{lines:#?}");
}

#[test]
fn the_level_is_that_of_the_filter() {
    let place = Place::new();
    for (filter, is_logged) in
        [("off", false), ("error", false), ("warn,answerback::serve=info", true), ("info", true)]
    {
        let (mut server, log) = serve(&place, &["--log-level", filter]);
        assert!(server.stop().success());
        let lines = log.rest();
        assert_eq!(lines.iter().any(|line| line.contains("listening")), is_logged, "{filter}");
    }
}

#[test]
fn a_start_that_fails_is_an_alarm() {
    let place = Place::new();
    let mut command = answerback();
    command.args(["serve", "--data"]).arg(place.path("data")).args(["--jwks", "none.json"]);
    command.args(["--admin-listen", "none"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let line = String::from_utf8(output.stderr).unwrap();
    let event = parse(&line);
    assert_eq!((&event["level"], &event["alarm"]), (&"ERROR".into(), &"start_failed".into()));
    assert!(event["message"].as_str().unwrap().contains("answerback dev-keys"), "{event}");
}

/// A pipe that takes nothing more, and whose other end nobody reads.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'.'; 4096]).is_ok() {}
    while writer.write(b".").is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

#[test]
fn nobody_waits_for_a_log_that_nobody_reads() {
    let place = Place::new();
    let (_reader, stderr) = full_pipe();
    let mut serving = place.serve(ANY_PORT);
    let mut server = Server::start(serving.args(["--log-level", "trace"]).stderr(stderr));
    place.log_in_once(&server, 2);
    let sent = place.client("send", &server.address, 1).args(["--to", "2", "hello"]).output();
    assert!(sent.unwrap().status.success(), "messages are taken");
    assert!(server.stop().success(), "it stops all the same");
}
