//! The client with its thread, against a server that answers by script over loopback.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by it"
)]

mod certificates;
mod connection;
mod exchange;
mod fetch;
mod server;
mod tickets;
mod tls;

use std::path::PathBuf;

use answerback_sdk::{
    Client, ClientEvent, ConnectionState, DeviceId, Message, MessageId, MessageState, Options,
    Sequence, TokenSource, UserId,
};
use tempfile::TempDir;

const ALICE: UserId = UserId(1);
const BOB: UserId = UserId(2);
const PHONE: DeviceId = DeviceId(11);
const LONG_MS: u64 = 30_000;

/// Always the same token.
struct Token;

impl TokenSource for Token {
    fn token(&self) -> Result<String, String> {
        Ok("token".to_owned())
    }
}

/// Where a device's file lies.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("alice.sqlite")
    }

    fn options(&self, address: &str) -> Options {
        Options::new(address.to_owned(), ALICE, PHONE, self.path())
    }

    fn open(&self, address: &str) -> Client {
        Client::open(self.options(address), Box::new(Token)).unwrap()
    }
}

/// An address where nobody listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Takes events until something is as it should be.
fn wait_until(client: &Client, is_so: impl Fn(&Client) -> bool) {
    while !is_so(client) {
        let event = client.next_event(LONG_MS);
        assert!(event.is_some(), "nothing happens: {:?}", client.connection());
    }
}

fn wait_for_state(client: &Client, message: MessageId, state: MessageState) {
    wait_until(client, |client| of(client, message).state == state);
}

fn wait_for_connection(
    client: &Client,
    is_it: impl Fn(&ConnectionState) -> bool,
) -> ConnectionState {
    let mut state = client.connection().unwrap();
    while !is_it(&state) {
        match client.next_event(LONG_MS) {
            Some(ClientEvent::ConnectionChanged { state: next }) => state = next,
            Some(_) => {}
            None => panic!("nothing happens: {state:?}"),
        }
    }
    state
}

fn of(client: &Client, message: MessageId) -> Message {
    client.message(message).unwrap().unwrap()
}

fn own(sequence: u64) -> MessageId {
    MessageId { peer: BOB, sender: ALICE, device: PHONE, sequence: Sequence(sequence) }
}
