//! A box with a certificate, and clients that trust it, or do not.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by it")]

mod common;

use std::fs;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use answerback_proto::id::{DeviceId, UserId};
use answerback_sdk::{Client, ConnectionState, Options, Pin, Roots, Security, Tls, TokenSource};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::log::Log;
use common::{Place, Server, answerback, failure, json_lines};
use jsonwebtoken::EncodingKey;
use rustix::process::Signal;
use serde_json::Value;

/// Longer than anything that a test waits for.
const LONG_MS: u64 = 60_000;
/// A core takes other secrets within a tick.
const TRIES_MAX: usize = 50;
/// Seconds for which a token is good that is not to outlive a test.
const SHORT_S: u64 = 8;

/// A box with the certificate of a place, on its data.
fn serve(place: &Place, listen: &str) -> Server {
    Server::start(&mut command(place, listen))
}

fn command(place: &Place, listen: &str) -> Command {
    let mut command = place.serve(listen);
    command.arg("--tls-certificate").arg(place.keys().join("tls.crt"));
    command.arg("--tls-key").arg(place.keys().join("tls.key"));
    command.args(["--cores", "2"]);
    command
}

/// What a client is told, to trust the certificate of a place.
fn trust(place: &Place) -> [String; 2] {
    ["--ca".to_owned(), place.keys().join("tls.crt").display().to_string()]
}

fn run(place: &Place, server: &Server, name: &str, user: u32, words: &[&str]) -> Output {
    let mut command = place.client(name, &server.address, user);
    command.args(words).args(["--timeout", "60"]).output().unwrap()
}

fn pin(words: &[&str]) -> Output {
    answerback().arg("pin").args(words).output().unwrap()
}

#[test]
fn words_go_from_user_to_user_over_tls() {
    let place = Place::new();
    let server = serve(&place, "127.0.0.1:0");
    let [flag, file] = trust(&place);
    let trust = [flag.as_str(), file.as_str()];
    let mut login = place.client("recv", &server.address, 2);
    assert_eq!(login.args(trust).args(["--timeout", "0"]).output().unwrap().status.code(), Some(3));
    let sent = run(&place, &server, "send", 1, &[&trust[..], &["--to", "2", "hello"]].concat());
    assert!(sent.status.success(), "{sent:?}");
    // A look, which goes by a way of its own, and the delivery.
    for more in [&["--count", "1", "--no-ack"][..], &["--count", "1"]] {
        let got = run(&place, &server, "recv", 2, &[&trust[..], more].concat());
        let lines = json_lines(&got);
        assert_eq!(lines.first().and_then(|line| line.get("text")), Some(&"hello".into()));
    }
}

#[test]
fn a_client_is_told_why_it_does_not_trust_a_box() {
    let (place, other) = (Place::new(), Place::new());
    let server = serve(&place, "127.0.0.1:0");
    let words = |more: &[&str]| {
        let output = run(&place, &server, "send", 1, &[more, &["--to", "2", "hello"]].concat());
        let (code, line) = failure(&output);
        assert_eq!(code, 1, "{line}");
        line
    };
    let unknown = words(&["--tls"]);
    assert!(
        unknown.contains("nobody whom this app trusts") && unknown.contains("--ca"),
        "{unknown}"
    );
    let [flag, stranger] = trust(&other);
    let stranger = words(&[&flag, &stranger]);
    assert!(stranger.contains("its certificate is not trusted"), "{stranger}");
    let [flag, file] = trust(&place);
    let name = words(&[&flag, &file, "--server-name", "chat.example"]);
    assert!(name.contains("chat.example") && name.contains("localhost"), "{name}");
    let key = words(&["--pin", &"00".repeat(32), "--pinned-only"]);
    assert!(key.contains("none of those given"), "{key}");
    let plain = words(&[]);
    assert!(plain.contains("connection"), "{plain}");

    let plain_server = Server::serve(&other, 1);
    let output = run(&other, &plain_server, "send", 1, &["--tls", "--to", "2", "hello"]);
    assert!(failure(&output).1.contains("does not speak TLS"), "{output:?}");
}

#[test]
fn another_machine_is_met_over_tls_or_when_plaintext_is_asked_for() {
    let place = Place::new();
    let mut command = place.client("send", "192.0.2.1:7400", 1);
    let (code, line) = failure(&command.args(["--to", "2", "hello"]).output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("192.0.2.1 is another machine"), "{line}");
}

#[test]
fn a_pin_is_the_same_in_the_file_and_on_the_wire_and_lets_in() {
    let place = Place::new();
    let server = serve(&place, "127.0.0.1:0");
    let file = place.keys().join("tls.crt").display().to_string();
    let (of_file, of_box) = (pin(&["--cert", &file]), pin(&["--connect", &server.address]));
    assert!(of_file.status.success(), "{of_file:?}");
    assert_eq!(of_file.stdout, of_box.stdout, "{of_box:?}");
    let pin_of_box = String::from_utf8(of_box.stdout).unwrap();
    let words = ["--pin", pin_of_box.trim(), "--pinned-only", "--timeout", "0"];
    let login = place.client("recv", &server.address, 1).args(words).output().unwrap();
    assert_eq!(login.status.code(), Some(3), "{login:?}");

    let key = place.keys().join("tls.key").display().to_string();
    assert!(failure(&pin(&["--cert", &key])).1.contains("no certificate in PEM"));
    let plain = Server::serve(&Place::new(), 1);
    assert!(failure(&pin(&["--connect", &plain.address])).1.contains("does not speak TLS"));
    assert_eq!(pin(&[]).status.code(), Some(2));
}

/// An account service whose tokens are good for so long, counted.
#[derive(Clone)]
struct Account {
    place: Arc<Place>,
    life_s: Option<u64>,
    asked: Arc<AtomicU32>,
}

impl Account {
    fn new(place: &Arc<Place>, life_s: Option<u64>) -> Self {
        Self { place: Arc::clone(place), life_s, asked: Arc::default() }
    }

    fn asked_count(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    /// The same claims with another end.
    fn shortened(&self, token: &str, life_s: u64) -> String {
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let mut claims: Value = serde_json::from_slice(&claims).unwrap();
        let issued_s = claims["iat"].as_u64().unwrap();
        claims["exp"] = (issued_s + life_s).into();
        let pem = fs::read(self.place.keys().join("dev.pem")).unwrap();
        let header = jsonwebtoken::decode_header(token).unwrap();
        let key = EncodingKey::from_ed_pem(&pem).unwrap();
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    }
}

impl TokenSource for Account {
    fn token(&self) -> Result<String, String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let token = self.place.token(1, 11);
        Ok(self.life_s.map_or(token.clone(), |life_s| self.shortened(&token, life_s)))
    }
}

/// User 1 with the library, over TLS.
fn open(place: &Place, address: &str, account: &Account) -> Client {
    let pem = fs::read(place.keys().join("tls.crt")).unwrap();
    let pins = vec![Pin::of_pem(&pem).unwrap()];
    let path = place.path("phone.sqlite");
    let mut options = Options::new(address.to_owned(), UserId(1), DeviceId(11), path);
    options.security = Security::Tls(Tls { server_name: None, roots: Roots::Pem(pem), pins });
    Client::open(options, Box::new(account.clone())).unwrap()
}

fn wait_until(client: &Client, is_so: impl Fn(&Client) -> bool) {
    while !is_so(client) {
        assert!(client.next_event(LONG_MS).is_some(), "{:?}", client.connection());
    }
}

fn wait_until_online(client: &Client, opened_count: u64) {
    wait_until(client, |client| {
        let is_online = client.connection().unwrap() == ConnectionState::Online;
        is_online && client.statistics().unwrap().opened_count == opened_count
    });
}

#[test]
fn a_ticket_lets_in_after_the_box_was_killed_and_the_app_too() {
    let place = Arc::new(Place::new());
    let mut server = serve(&place, "127.0.0.1:0");
    let account = Account::new(&place, None);
    let client = open(&place, &server.address, &account);
    wait_until_online(&client, 1);
    server.kill();
    wait_until(&client, |client| client.connection().unwrap() != ConnectionState::Online);
    let server = serve(&place, &server.address);
    client.network_changed();
    wait_until_online(&client, 2);
    client.close();
    let client = open(&place, &server.address, &account);
    wait_until_online(&client, 1);
    client.close();
    assert_eq!(account.asked_count(), 1);
}

/// As an operator does it: the new secret comes before the old one, which goes later.
#[test]
fn tickets_outlive_a_change_of_their_secrets_while_the_old_one_is_there() {
    let place = Arc::new(Place::new());
    let mut command = command(&place, "127.0.0.1:0");
    command.args(["--set", "box.jwks_period_s=1", "--log-format", "json"]).stderr(Stdio::piped());
    let mut server = Server::start(&mut command);
    let mut log = Log::of(&mut server);
    let account = Account::new(&place, None);
    let come = || {
        let client = open(&place, &server.address, &account);
        wait_until_online(&client, 1);
        client.close();
        account.asked_count()
    };
    let path = place.path("data").join("ticket.keys");
    let old = fs::read_to_string(&path).unwrap();
    let [new, newest] = ["ab", "cd"].map(|byte| format!("{}\n", byte.repeat(32)));
    assert_eq!(come(), 1, "the first time by a token");

    // The thread sees it by itself.
    fs::write(&path, format!("{new}{old}")).unwrap();
    log.event("what tickets are sealed with: read again");
    assert_eq!(come(), 1, "by a ticket that the old one sealed");
    fs::write(&path, "no secret\n").unwrap();
    log.event("it stays as it was");
    assert_eq!(come(), 1, "by another, which the new one sealed, or the old one");

    fs::write(&path, newest).unwrap();
    server.signal(Signal::HUP);
    log.event("what tickets are sealed with: read again");
    // A core takes it within a tick.
    assert!((0..TRIES_MAX).any(|_| come() == 2), "and then by a token");
}

/// The first token is good for seconds; the session outlives it, and the next.
#[test]
fn a_session_outlives_its_tokens() {
    let place = Arc::new(Place::new());
    let server = serve(&place, "127.0.0.1:0");
    let account = Account::new(&place, Some(SHORT_S));
    let client = open(&place, &server.address, &account);
    wait_until_online(&client, 1);
    while account.asked_count() < 4 {
        client.next_event(100);
    }
    wait_until_online(&client, 1);
    client.close();
}
