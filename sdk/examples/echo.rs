//! A chat bot: it reads every message and sends it back.
//!
//! ```text
//! cargo run --example echo -- 127.0.0.1:7400 USER DEVICE FILE TOKEN
//! cargo run --example echo -- chat.example:7400 USER DEVICE FILE TOKEN tls
//! ```
//! Messages that came while it was away are answered at the next start, each once: a message
//! counts as done only when its answer is in the file.

use std::path::PathBuf;
use std::process::ExitCode;

use answerback_sdk::{
    Client, ClientEvent, ConnectionState, Error, Options, Security, Tls, TokenSource,
};

/// Messages that are taken at a time.
const TOGETHER: u32 = 64;

struct Given(String);

impl TokenSource for Given {
    fn token(&self) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, user, device, file, token, more @ ..] = arguments.as_slice() else {
        eprintln!("usage: echo HOST:PORT USER DEVICE FILE TOKEN [tls]");
        return ExitCode::from(2);
    };
    let (Ok(user), Ok(device)) = (user.parse(), device.parse()) else {
        eprintln!("user and device are numbers, or UUIDs");
        return ExitCode::from(2);
    };
    let mut options = Options::new(address.clone(), user, device, PathBuf::from(file));
    if more.iter().any(|word| word == "tls") {
        options.security = Security::Tls(Tls::default());
    }
    match Client::open(options, Box::new(Given(token.clone()))).and_then(|client| echo(&client)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error} ({:?})", error.class);
            ExitCode::FAILURE
        }
    }
}

fn echo(client: &Client) -> Result<(), Error> {
    loop {
        answer_all(client)?;
        match client.next_event(u64::MAX) {
            Some(ClientEvent::ConnectionChanged { state }) => show(state)?,
            Some(_) => {}
            None => return Ok(()),
        }
    }
}

fn answer_all(client: &Client) -> Result<(), Error> {
    loop {
        let waiting = client.to_hand_over(TOGETHER)?;
        if waiting.is_empty() {
            return Ok(());
        }
        for received in waiting {
            let message = received.message;
            client.read(message.id)?;
            client.send(message.id.sender, message.content_type, message.payload)?;
            client.done(received.row)?;
        }
    }
}

fn show(state: ConnectionState) -> Result<(), Error> {
    match state {
        ConnectionState::Connecting => {}
        ConnectionState::Online => eprintln!("online"),
        ConnectionState::Offline { retry_in_ms, reason, .. } => {
            eprintln!("{reason}; trying again in {retry_in_ms} ms");
        }
        ConnectionState::Stopped { error } => return Err(error),
    }
    Ok(())
}
