//! What clients know a built box by, and what it keeps secret.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use common::log::Log;
use common::{Place, Server, failure, mode};
use rustix::process::Signal;

/// A core takes another certificate within a tick of it.
const TRIES_MAX: usize = 50;

/// `serve` with the certificate of its place, whose files are looked at every second.
fn command(place: &Place) -> Command {
    let mut command = place.serve("127.0.0.1:0");
    command.arg("--tls-certificate").arg(place.keys().join("tls.crt"));
    command.arg("--tls-key").arg(place.keys().join("tls.key"));
    command.args(["--set", "box.jwks_period_s=1", "--log-format", "json"]).stderr(Stdio::piped());
    command
}

fn serve(place: &Place) -> (Server, Log) {
    let mut server = Server::start(&mut command(place));
    let log = Log::of(&mut server);
    (server, log)
}

/// Whether who trusts `authority` alone gets a session: its time runs out then, and not earlier.
fn is_trusted(place: &Place, server: &Server, authority: &Place) -> bool {
    let mut receiving = place.client("recv", &server.address, 1);
    receiving.arg("--tls").arg("--ca").arg(authority.keys().join("tls.crt"));
    let output = receiving.args(["--timeout", "0"]).output().unwrap();
    output.status.code() == Some(3) && !String::from_utf8_lossy(&output.stderr).contains("ertif")
}

#[test]
fn a_certificate_that_changes_is_shown_to_who_comes_from_then_on() {
    let (place, next) = (Place::new(), Place::new());
    let own = Place::new();
    for name in ["tls.crt", "tls.key"] {
        fs::copy(place.keys().join(name), own.keys().join(name)).unwrap();
    }
    let (mut server, mut log) = serve(&place);
    assert!(is_trusted(&place, &server, &own) && !is_trusted(&place, &server, &next));

    for name in ["tls.crt", "tls.key"] {
        fs::copy(next.keys().join(name), place.keys().join(name)).unwrap();
    }
    log.event("the certificate that clients see: read again");
    let is_shown = || is_trusted(&place, &server, &next);
    assert!((0..TRIES_MAX).any(|_| is_shown()));
    assert!(!is_trusted(&place, &server, &own));

    // A key that others may read, or that belongs to no such certificate, changes nothing.
    let key = place.keys().join("tls.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    server.signal(Signal::HUP);
    let alarm = log.event("it stays as it was");
    assert_eq!(alarm["alarm"], "credentials_refused");
    assert!(alarm["message"].as_str().unwrap().contains("chmod 600"), "{alarm}");
    assert!(is_trusted(&place, &server, &next));
    assert!(server.stop().success());
    let (code, line) = failure(&command(&place).output().unwrap());
    assert!(code == 1 && line.contains("gateway.tls_key") && line.contains("chmod 600"), "{line}");
}

#[test]
fn what_seals_tickets_survives_a_restart_and_is_nobody_elses() {
    let place = Place::new();
    let path = place.path("data").join("ticket.keys");
    let (mut server, _log) = serve(&place);
    let first = fs::read(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(server.stop().success());
    let (mut server, _log) = serve(&place);
    assert_eq!(fs::read(&path).unwrap(), first);
    assert!(server.stop().success());
    fs::write(&path, "password\n").unwrap();
    let (code, line) = failure(&command(&place).output().unwrap());
    assert!(
        code == 1 && line.contains("line 1 is no secret") && !line.contains("password"),
        "{line}"
    );
}
