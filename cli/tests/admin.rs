//! The admin listener of a real box: probes through a whole life, metrics that say what was
//! done, and clients that do not keep to HTTP.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use common::http::{Metrics, connect, exchange_bytes, get, metrics_when, request};
use common::{Place, Server, admin_address, answerback, failure, json_lines};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// A box whose admin listener is somewhere, and where.
fn serve(place: &Place) -> (Server, String) {
    let data = place.path("data");
    let server = Server::start(&mut place.serve_with_admin("127.0.0.1:0", &data, "127.0.0.1:0"));
    (server, admin_address(&data))
}

/// A port that nobody listens on, most likely.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn send(place: &Place, server: &Server, to: u32, text: &str) {
    let mut sending = place.client("send", &server.address, 1);
    let sent = sending.args(["--to", &to.to_string(), text]).output().unwrap();
    assert!(sent.status.success() || to == 77, "{sent:?}");
}

#[test]
fn counters_move_by_what_was_done() {
    let place = Place::new();
    let (server, address) = serve(&place);
    place.log_in_once(&server, 2);
    let before = metrics_when(&address, |metrics| {
        metrics.samples.get("answerback_logins_total") == Some(&1.0)
    });
    for text in ["one", "two", "three"] {
        send(&place, &server, 2, text);
    }
    send(&place, &server, 77, "nobody");
    let refused = "answerback_refused_requests_total{code=\"UnknownUser\"}";
    let waiting = metrics_when(&address, |metrics| {
        metrics.value(refused) > 0.0 && metrics.value("answerback_outbox_entries") > 2.0
    });
    let moved = |after: &Metrics, name: &str| after.value(name) - before.value(name);
    assert!((moved(&waiting, "answerback_messages_accepted_total") - 3.0).abs() < 1e-9);
    assert!((moved(&waiting, "answerback_logins_total") - 4.0).abs() < 1e-9);
    // The message, and the Skip by which its number is given up, if it was sent before the end.
    assert!((1.0..=2.0).contains(&moved(&waiting, refused)));
    assert!(moved(&waiting, "answerback_messages_delivered_total").abs() < 1e-9);
    assert!((waiting.value("answerback_outbox_entries") - 3.0).abs() < 1e-9);
    assert!((waiting.value("answerback_outbox_undelivered_messages") - 3.0).abs() < 1e-9);
    assert!((waiting.value("answerback_outbox_undelivered_bytes") - 11.0).abs() < 1e-9);
    assert!(waiting.value("answerback_outbox_oldest_age_seconds") > 0.0);
    assert!(moved(&waiting, "answerback_received_bytes_total") > 0.0);
    let commits = waiting.value("answerback_commit_seconds_count");
    assert!(commits > 0.0);
    let last_bucket = waiting.value("answerback_commit_seconds_bucket{le=\"+Inf\"}");
    assert!((last_bucket - commits).abs() < 1e-9);

    let mut receiving = place.client("recv", &server.address, 2);
    assert!(receiving.args(["--count", "3"]).output().unwrap().status.success());
    let delivered = metrics_when(&address, |metrics| {
        moved(metrics, "answerback_messages_delivered_total") > 2.0
            && metrics.value("answerback_outbox_undelivered_messages") < 1.0
    });
    assert!((moved(&delivered, "answerback_messages_delivered_total") - 3.0).abs() < 1e-9);
    assert!((moved(&delivered, "answerback_messages_accepted_total") - 3.0).abs() < 1e-9);
}

#[test]
fn metrics_have_base_units_and_no_ids() {
    let place = Place::new();
    let (server, address) = serve(&place);
    let user = 491_701_234;
    let mut sending = place.client("send", &server.address, user);
    let sent = sending.args(["--to", &user.to_string(), "to myself"]).output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    let metrics =
        metrics_when(&address, |metrics| metrics.samples.contains_key("answerback_users"));
    for (name, value) in &metrics.samples {
        let labels = name.split_once('{').map_or("", |(_, labels)| labels);
        assert!(
            ["", "code=", "le=", "reason=", "version="].iter().any(|label| match *label {
                "" => labels.is_empty(),
                label => labels.starts_with(label) && !labels.contains(','),
            }),
            "{name}"
        );
        assert!(!name.contains(&user.to_string()) && value.is_finite(), "{name}");
    }
    for name in metrics.kinds.keys() {
        assert!(name.starts_with("answerback_") || name.starts_with("process_"), "{name}");
        for unit in ["_ms", "_millis", "_us", "_kb", "_mib", "_minutes", "_percent", "_total"] {
            assert!(!name.ends_with(unit), "{name} has no base unit, or a suffix of its own");
        }
    }
    assert!(metrics.value("process_resident_memory_bytes") > 1e6);
    assert!(metrics.value("process_open_fds") > 3.0);
    let age = metrics.value("answerback_sample_age_seconds");
    assert!((0.0..30.0).contains(&age), "{age}");
}

/// A box whose keys come from a pipe starts when somebody writes them.
#[test]
fn a_box_is_ready_only_while_it_serves() {
    let place = Place::new();
    let (keys, pipe) = (place.keys().join("jwks.json"), place.path("pipe"));
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let address = free_address();
    let mut command = answerback();
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", &address, "--jwks"]);
    command.arg(&pipe).arg("--data").arg(place.path("data")).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    while std::net::TcpStream::connect(&address).is_err() {
        assert!(child.try_wait().unwrap().is_none(), "it runs");
        std::thread::yield_now();
    }
    let starting = get(&address, "/ready");
    assert_eq!((starting.status, &starting.body[..9]), (503, "starting:"), "{starting:?}");
    assert_eq!(get(&address, "/live").status, 200);
    assert!(Metrics::of(&address).value("answerback_ready").abs() < 1e-9);

    fs::write(&pipe, fs::read(&keys).unwrap()).unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on"), "{line}");
    assert_eq!(get(&address, "/ready").status, 200);
    assert!((Metrics::of(&address).value("answerback_ready") - 1.0).abs() < 1e-9);

    // A command that is half said holds the end up for its few seconds of patience.
    let mut slow = UnixStream::connect(place.path("data").join("control.sock")).unwrap();
    slow.write_all(b"{").unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&child),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    let draining = loop {
        let response = get(&address, "/ready");
        if response.status != 200 {
            break response;
        }
    };
    assert_eq!((draining.status, &draining.body[..9]), (503, "draining:"), "{draining:?}");
    assert_eq!(get(&address, "/live").status, 200);
    drop(slow);
    assert!(child.wait().unwrap().success());
    assert!(std::net::TcpStream::connect(&address).is_err(), "nobody answers any more");
}

#[test]
fn other_paths_and_methods_are_told_what_there_is() {
    let place = Place::new();
    let (_server, address) = serve(&place);
    let missing = get(&address, "/metrics/");
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("/metrics, /live and /ready"), "{missing:?}");
    assert_eq!(get(&address, "/").status, 404);
    for method in ["POST", "PUT", "DELETE"] {
        let refused = request(&address, method, "/metrics");
        assert_eq!(refused.status, 405, "{refused:?}");
        assert!(refused.head.contains("allow: get,head"), "{refused:?}");
    }
    let head = request(&address, "HEAD", "/live");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn clients_that_are_slow_or_talk_rubbish_disturb_nobody() {
    let place = Place::new();
    let (mut server, address) = serve(&place);
    // More than have room: they say nothing, or half a request, and never go.
    let mut idle: Vec<_> = (0..100).map(|_| connect(&address)).collect();
    for stream in idle.iter_mut().step_by(2) {
        // Those that had to make room are closed.
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ");
    }
    assert_eq!(get(&address, "/live").status, 200);
    for rubbish in [&b"\0\xff\x16\x03\x01 hello\r\n\r\n"[..], b"GET\r\n\r\n", b"\r\n\r\n\r\n"] {
        let answer = exchange_bytes(&address, rubbish);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer:?}");
    }
    let endless = format!("GET /live HTTP/1.1\r\nX: {}", "x".repeat(1 << 20));
    let answer = exchange_bytes(&address, endless.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer:?}");
    let many = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
    let answer = exchange_bytes(&address, many.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer:?}");
    // Each of the silent ones is closed in the end.
    for stream in &mut idle {
        let mut rest = Vec::new();
        if stream.read_to_end(&mut rest).is_ok() {
            let text = String::from_utf8_lossy(&rest);
            assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
        }
    }
    assert_eq!(get(&address, "/ready").status, 200);
    place.log_in_once(&server, 1);
    assert!(server.stop().success());
}

#[test]
fn a_port_that_is_taken_is_named_with_its_flag() {
    let (place, other) = (Place::new(), Place::new());
    let (server, address) = serve(&place);
    let mut second = other.serve_with_admin("127.0.0.1:0", &other.path("data"), &address);
    let (code, line) = failure(&second.output().unwrap());
    assert_eq!(code, 1);
    let port = address.rsplit(':').next().unwrap();
    assert!(line.contains(&format!("port {port}")) && line.contains("--admin-listen"), "{line}");
    assert!(!other.path("data").exists(), "nothing was made");
    drop(server);
}

#[test]
fn a_box_without_one_serves_all_the_same() {
    let place = Place::new();
    let mut server = Server::serve(&place, 1);
    place.log_in_once(&server, 1);
    let mut command: Command = answerback();
    let output = command.args(["status", "--json", "--data"]).arg(place.path("data")).output();
    let status = json_lines(&output.unwrap()).remove(0);
    assert!(status["admin_listen"].is_null(), "{status}");
    assert_eq!(status["phase"], "serving");
    assert!(server.stop().success());
}
