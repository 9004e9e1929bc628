//! The admin listener where others can reach it: TLS, a token, and files that change.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::http::{connect, exchange_bytes, get};
use common::log::Log;
use common::{Place, Server, answerback, failure, json_lines};
use rustix::process::Signal;
use rustls::crypto::aws_lc_rs;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// `serve` with a certificate and a token for its admin listener.
fn command(place: &Place) -> Command {
    let token = place.path("token");
    write_secret(&token, TOKEN);
    let mut command = place.serve_with_admin("127.0.0.1:0", &place.path("data"), "127.0.0.1:0");
    let (keys, token) = (place.keys(), token.display().to_string());
    command.args(["--set", &format!("admin.tls_certificate={}/tls.crt", keys.display())]);
    command.args(["--set", &format!("admin.tls_key={}/tls.key", keys.display())]);
    command.args(["--set", &format!("admin.token={token}")]);
    command
}

fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn serve(place: &Place) -> (Server, Log, String) {
    let mut command = command(place);
    command.args(["--log-format", "json"]).stderr(Stdio::piped());
    let mut server = Server::start(&mut command);
    let log = Log::of(&mut server);
    let mut status = answerback();
    status.args(["status", "--json", "--data"]).arg(place.path("data"));
    let status = json_lines(&status.output().unwrap()).remove(0);
    let address = status.get("admin_listen").unwrap().as_str().unwrap().to_owned();
    (server, log, address)
}

/// A client that trusts this certificate and no other.
fn client(certificate: &Path) -> Agent {
    let pem = fs::read(certificate).unwrap();
    let roots = RootCerts::new_with_certs(&[Certificate::from_pem(&pem).unwrap()]);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider).root_certs(roots);
    let config = Agent::config_builder().tls_config(tls.build()).http_status_as_error(false);
    config.proxy(None).max_idle_connections(0).build().new_agent()
}

/// Status and body, over TLS.
fn ask(agent: &Agent, address: &str, path: &str, authorization: &str) -> (u16, String) {
    let mut request = agent.get(format!("https://{address}{path}"));
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    let mut response = request.call().unwrap();
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
}

fn replace_pair(place: &Place, by: &Place) {
    for name in ["tls.crt", "tls.key"] {
        fs::rename(by.keys().join(name), place.keys().join(name)).unwrap();
    }
}

#[test]
fn figures_are_for_who_has_the_token_and_probes_for_all() {
    let place = Place::new();
    let (mut server, _log, address) = serve(&place);
    let agent = client(&place.keys().join("tls.crt"));
    let bearer = format!("Bearer {TOKEN}");
    let (status, text) = ask(&agent, &address, "/metrics", &bearer);
    assert!(status == 200 && text.contains("answerback_ready 1"), "{status} {text}");
    for wrong in ["", "Bearer ", "Bearer 0123456789abcdef", &format!("Basic {TOKEN}"), TOKEN] {
        let (status, text) = ask(&agent, &address, "/metrics", wrong);
        assert!(status == 401 && !text.contains("answerback_"), "{wrong:?}: {status} {text}");
    }
    assert_eq!(ask(&agent, &address, "/live", ""), (200, "live\n".to_owned()));
    assert_eq!(ask(&agent, &address, "/ready", ""), (200, "serving\n".to_owned()));
    assert_eq!(ask(&agent, &address, "/other", "").0, 404);
    assert!(server.stop().success());
}

#[test]
fn who_talks_no_tls_or_never_ends_gets_nothing_and_disturbs_nobody() {
    let place = Place::new();
    let (mut server, _log, address) = serve(&place);
    let plain = exchange_bytes(&address, b"GET /metrics HTTP/1.1\r\nHost: box\r\n\r\n");
    assert!(!plain.contains("HTTP/1.1") && !plain.contains("answerback_"), "{plain:?}");
    // More than have room: the first bytes of a handshake, and nothing behind them.
    let mut silent: Vec<_> = (0..100).map(|_| connect(&address)).collect();
    for stream in &mut silent {
        // Those that had to make room are closed.
        let _ = std::io::Write::write_all(stream, b"\x16\x03\x01\x02\x00\x01");
    }
    let agent = client(&place.keys().join("tls.crt"));
    assert_eq!(ask(&agent, &address, "/live", "").0, 200);
    for stream in &mut silent {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "closed without a word: {rest:?}");
    }
    assert_eq!(ask(&agent, &address, "/live", "").0, 200);
    assert!(server.stop().success());
}

#[test]
fn another_certificate_and_token_are_taken_while_it_runs_and_bad_ones_are_not() {
    let (place, next) = (Place::new(), Place::new());
    let (mut server, mut log, address) = serve(&place);
    let first = client(&place.keys().join("tls.crt"));
    let second = client(&next.keys().join("tls.crt"));
    assert!(second.get(format!("https://{address}/live")).call().is_err());

    replace_pair(&place, &next);
    let other = TOKEN.replace('0', "f");
    write_secret(&place.path("token"), &other);
    server.signal(Signal::HUP);
    log.event("goes by: read again");
    // The certificate is another one at once, and so is the token.
    assert!(first.get(format!("https://{address}/live")).call().is_err());
    assert_eq!(ask(&second, &address, "/metrics", &format!("Bearer {TOKEN}")).0, 401);
    assert_eq!(ask(&second, &address, "/metrics", &format!("Bearer {other}")).0, 200);

    // Half of another pair: the key does not belong to the certificate.
    let third = Place::new();
    fs::rename(third.keys().join("tls.crt"), place.keys().join("tls.crt")).unwrap();
    server.signal(Signal::HUP);
    let alarm = log.event("stays as it was");
    assert_eq!(alarm["alarm"], "credentials_refused");
    let (status, text) = ask(&second, &address, "/metrics", &format!("Bearer {other}"));
    assert_eq!(status, 200);
    assert!(text.contains("answerback_stale_credentials"), "{text}");
    assert!(server.stop().success());
}

#[test]
fn a_secret_that_others_may_read_keeps_a_box_from_starting() {
    let place = Place::new();
    for (name, key) in [("keys/tls.key", "admin.tls_key"), ("token", "admin.token")] {
        let mut command = command(&place);
        let path = place.path(name);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let (code, line) = failure(&command.args(["--log-format", "json"]).output().unwrap());
        let advice = format!("`chmod 600 {}`", path.display());
        assert!(code == 1 && line.contains(key) && line.contains(&advice), "{line}");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    let mut beyond = place.serve_with_admin("127.0.0.1:0", &place.path("data"), "0.0.0.0:0");
    let (code, line) = failure(&beyond.output().unwrap());
    assert!(code == 1 && line.contains("set admin.tls_certificate"), "{line}");
    assert!(!place.path("data").exists(), "nothing was made");
}

/// On a loopback address nothing is asked of anybody, unless it is configured.
#[test]
fn a_plain_listener_is_as_it_was() {
    let place = Place::new();
    let data = place.path("data");
    let mut server =
        Server::start(&mut place.serve_with_admin("127.0.0.1:0", &data, "127.0.0.1:0"));
    let mut status = answerback();
    let output = status.args(["status", "--json", "--data"]).arg(&data).output().unwrap();
    let address = json_lines(&output)[0]["admin_listen"].as_str().unwrap().to_owned();
    assert_eq!(get(&address, "/metrics").status, 200);
    assert_eq!(get(&address, "/ready").body, "serving\n");
    assert!(server.stop().success());
}
