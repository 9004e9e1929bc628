//! A built box has users woken, by a server of the operator's and through all that may be wrong
//! with it.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use answerback_proto::kind::Kind;
use common::hook_server::{Answer, HookServer, Told};
use common::http::Metrics;
use common::log::Log;
use common::raw::Raw;
use common::{Place, Server, answerback, json_lines};
use rustix::process::Signal;
use serde_json::json;

const SECRET: &str = "a secret of at least 32 bytes ...";
const CONTENT: &[u8] = b"for your eyes only";

fn secret_file(place: &Place, secret: &str) -> PathBuf {
    let path = place.path("hook.secret");
    fs::write(&path, secret).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// `serve` that tells a URL, soon.
fn command(place: &Place, url: &str, settings: &[&str]) -> Command {
    command_with_admin(place, url, settings, "none")
}

fn command_with_admin(place: &Place, url: &str, settings: &[&str], admin: &str) -> Command {
    let secret = secret_file(place, &format!("{SECRET}\n"));
    let mut command = place.serve_with_admin("127.0.0.1:0", &place.path("data"), admin);
    let of_hooks = [
        format!("hooks.push_url={url}"),
        format!("hooks.secret_file={}", secret.display()),
        "hooks.push_after_ms=200".to_owned(),
        "hooks.timeout_ms=500".to_owned(),
    ];
    for setting in of_hooks.iter().map(String::as_str).chain(settings.iter().copied()) {
        command.args(["--set", setting]);
    }
    command.args(["--log-format", "json"]).stderr(Stdio::piped());
    command
}

fn serve(mut command: Command) -> (Server, Log) {
    let mut server = Server::start(&mut command);
    let log = Log::of(&mut server);
    (server, log)
}

/// User 1 sends to those who are away; each answer has come.
fn send_to(place: &Place, server: &Server, users: RangeInclusive<u32>) {
    send_on(place, server, 1, users);
}

/// The same, on its `counter`th connection.
fn send_on(place: &Place, server: &Server, counter: u64, users: RangeInclusive<u32>) {
    for user in users.clone() {
        drop(Raw::log_in(place, server, user, 1));
    }
    let mut sender = Raw::log_in(place, server, 1, counter);
    for user in users {
        sender.send(user, 1, CONTENT);
        assert_eq!(sender.any_answer(101).0, Kind::Accepted);
    }
}

fn users(told: &Told) -> Vec<String> {
    let told = told.json();
    let wakes = told.get("wakes").unwrap().as_array().unwrap().iter();
    wakes.map(|wake| wake.get("user").unwrap().as_str().unwrap().to_owned()).collect()
}

#[test]
fn who_is_away_is_told_of_signed_and_without_content() {
    let (place, push) = (Place::new(), HookServer::start());
    let (mut server, _log) = serve(command(&place, &push.url(), &[]));
    send_to(&place, &server, 2..=2);
    let told = push.told();
    assert_eq!(told.line, "POST /hook HTTP/1.1");
    assert_eq!(told.header("content-type"), "application/json");
    let delivery = told.header("answerback-delivery");
    let wakes = json!([{ "user": "2", "messages": 1 }]);
    assert_eq!(told.json(), json!({ "hook": "push", "delivery": delivery, "wakes": wakes }));
    assert!(told.is_signed_with(SECRET) && !told.is_signed_with("another"));
    let whole = format!("{told:?}");
    assert!(!whole.contains(std::str::from_utf8(CONTENT).unwrap()) && !whole.contains(SECRET));

    let mut there = Raw::log_in(&place, &server, 2, 2);
    assert_eq!(there.any_answer(0).0, Kind::Deliver);
    let more = push.told_within(Duration::from_secs(1));
    assert!(more.is_none(), "one wake: {more:?}");
    assert!(server.stop().success());
}

#[test]
fn a_server_that_fails_is_told_again_and_holds_up_nobody() {
    let (place, push, stranger) = (Place::new(), HookServer::start(), HookServer::start());
    for answer in [
        Answer::Status(500),
        Answer::Redirect(stranger.url()),
        Answer::Status(401),
        Answer::Nothing,
        Answer::Silence,
    ] {
        push.answer_next(answer);
    }
    let (mut server, mut log) = serve(command(&place, &push.url(), &[]));
    send_to(&place, &server, 2..=2);
    let first = push.told();
    let alarm = log.event("the push service takes nothing");
    assert_eq!(alarm["alarm"], "push_failing");
    assert!(alarm["message"].as_str().unwrap().contains("500"), "{alarm}");
    for attempt in 2..=6 {
        let again = push.told();
        assert_eq!(again.text, first.text, "{attempt}");
        assert_eq!(again.header("answerback-delivery"), first.header("answerback-delivery"));
        assert!(again.is_signed_with(SECRET), "{attempt}");
    }
    log.event("is told again who has to be woken");
    assert!(stranger.told_within(Duration::ZERO).is_none(), "no redirection is followed");
    assert!(server.stop().success());
}

#[test]
fn a_server_that_is_down_is_told_when_it_is_back() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/hook");
    let (mut server, mut log) = serve(command(&place, &url, &["hooks.push_batch_max=3"]));
    send_to(&place, &server, 2..=2);
    log.event("the push service takes nothing");
    // Messages go on meanwhile, and so do those who are to be woken.
    let mut sender = Raw::log_in(&place, &server, 1, 2);
    for user in 3..=9 {
        drop(Raw::log_in(&place, &server, user, 1));
        sender.send(user, 1, CONTENT);
        assert_eq!(sender.any_answer(101).0, Kind::Accepted);
    }
    let push = HookServer::on(TcpListener::bind(address).unwrap());
    let (mut woken, mut requests) = (BTreeSet::new(), 0);
    while woken.len() < 8 {
        let told = users(&push.told());
        assert!(told.len() <= 3, "{told:?}");
        assert!(told.iter().all(|user| woken.insert(user.clone())), "twice: {told:?}");
        requests += 1;
    }
    assert!(requests <= 6, "each user has a request of his own: {requests}");
    assert!(server.stop().success());
}

#[test]
fn a_box_that_stops_tells_whom_it_looked_for() {
    let (place, push) = (Place::new(), HookServer::start());
    let settings = ["hooks.push_after_ms=600000"];
    let (mut server, _log) = serve(command(&place, &push.url(), &settings));
    send_to(&place, &server, 2..=2);
    assert!(push.told_within(Duration::from_millis(300)).is_none());
    assert!(server.stop().success());
    assert_eq!(users(&push.told()), ["2"]);

    // Nor does a service that takes nothing keep it from its end.
    push.answer_next(Answer::Silence);
    let (mut server, _log) = serve(command(&place, &push.url(), &settings));
    send_on(&place, &server, 2, 3..=3);
    assert!(server.stop().success());
}

/// The example of docs/HOOKS.md, run by Python.
#[test]
fn the_receiver_of_the_page_takes_what_is_told() {
    let place = Place::new();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/HOOKS.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, code) = page.split_once("<!-- receiver -->\n```python\n").unwrap();
    let (code, _) = code.split_once("```\n<!-- end of receiver -->").unwrap();
    fs::write(place.path("receiver.py"), code).unwrap();
    let secret = secret_file(&place, SECRET);
    let mut receiver = Command::new("python3")
        .arg(place.path("receiver.py"))
        .arg("0")
        .env("HOOK_SECRET_FILE", &secret)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(receiver.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let port = first.strip_prefix("listening on ").unwrap();
    let (mut server, _log) = serve(command(&place, &format!("http://127.0.0.1:{port}/"), &[]));
    send_to(&place, &server, 2..=2);
    assert_eq!(lines.next().unwrap().unwrap(), "wake 2 for 1");
    assert!(server.stop().success());
    receiver.kill().unwrap();
    receiver.wait().unwrap();
}

#[test]
fn what_was_told_is_counted() {
    let (place, push) = (Place::new(), HookServer::start());
    push.answer_next(Answer::Status(503));
    let (server, _log) = serve(command_with_admin(&place, &push.url(), &[], "127.0.0.1:0"));
    let output =
        answerback().args(["status", "--json", "--data"]).arg(place.path("data")).output().unwrap();
    let address = json_lines(&output).remove(0)["admin_listen"].as_str().unwrap().to_owned();
    send_to(&place, &server, 2..=3);
    let metrics = loop {
        let metrics = Metrics::of(&address);
        if metrics.samples.get("answerback_push_woken_total") == Some(&2.0) {
            break metrics;
        }
        std::thread::park_timeout(Duration::from_millis(100));
    };
    assert!(metrics.value("answerback_push_failures_total") >= 1.0);
    assert_eq!(metrics.value("answerback_push_dropped_total"), 0.0);
    assert_eq!(metrics.value("answerback_push_waiting"), 0.0);
    assert_eq!(metrics.value("answerback_push_failing_seconds"), 0.0);
}

#[test]
fn the_secret_is_exchanged_without_a_restart() {
    let (place, push) = (Place::new(), HookServer::start());
    let (mut server, mut log) = serve(command(&place, &push.url(), &[]));
    let other = "another secret of at least 32 bytes";
    secret_file(&place, "too short");
    server.signal(Signal::HUP);
    assert_eq!(log.event("it stays as it was")["alarm"], "credentials_refused");
    send_to(&place, &server, 2..=2);
    assert!(push.told().is_signed_with(SECRET));
    secret_file(&place, other);
    server.signal(Signal::HUP);
    log.event("what requests to hooks are signed with: read again");
    drop(Raw::log_in(&place, &server, 3, 1));
    let mut sender = Raw::log_in(&place, &server, 1, 2);
    sender.send(3, 1, CONTENT);
    assert!(push.told().is_signed_with(other));
    assert!(server.stop().success());
}

#[test]
fn what_is_of_no_use_keeps_a_box_from_starting() {
    let place = Place::new();
    let good = "https://push.example.org/wake";
    let started = |settings: &[&str]| {
        let mut command = place.serve("127.0.0.1:0");
        for setting in settings {
            command.args(["--set", setting]);
        }
        command.args(["--log-format", "json"]).output().unwrap()
    };
    let of = |path: &Path| format!("hooks.secret_file={}", path.display());
    let url = format!("hooks.push_url={good}");

    let unsigned = started(&[&url]);
    assert_eq!(unsigned.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unsigned.stderr).contains("hooks.secret_file is missing"));

    let secret = secret_file(&place, SECRET);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let open = started(&[&url, &of(&secret)]);
    assert_eq!(open.status.code(), Some(1));
    let line = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(line.contains("hooks.secret_file") && line.contains("chmod 600"), "{line}");

    let short = started(&[&url, &of(&secret_file(&place, "short"))]);
    assert_eq!(short.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&short.stderr).contains("openssl rand"));

    for bad in ["http://push.example.org/", "ftp://127.0.0.1/", "push"] {
        let output = started(&[&format!("hooks.push_url={bad}")]);
        assert_eq!(output.status.code(), Some(2), "{bad}");
    }
}
