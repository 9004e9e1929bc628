//! What a box logs as JSON.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::Server;

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lines of a box whose stderr is piped, as they come.
pub(crate) struct Log {
    lines: Receiver<String>,
}

impl Log {
    pub(crate) fn of(server: &mut Server) -> Self {
        let stderr = BufReader::new(server.child.stderr.take().unwrap());
        let (told, lines) = channel();
        thread::spawn(move || {
            // Once the test is over nobody takes them, and that ends it.
            stderr.lines().try_for_each(|line| told.send(line.unwrap()))
        });
        Self { lines }
    }

    /// The next event with this in its message; the test fails where none comes.
    pub(crate) fn event(&mut self, text: &str) -> Value {
        let mut seen = Vec::new();
        while let Some(line) = self.line() {
            let event = parse(&line);
            let message = event.get("message").and_then(Value::as_str).unwrap();
            if message.contains(text) {
                return event;
            }
            seen.push(event);
        }
        panic!("no {text:?} among {seen:#?}");
    }

    /// All lines that are left, once the box has ended.
    pub(crate) fn rest(mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }

    fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing is logged for {PATIENCE:?}"),
        }
    }
}

/// A line of the JSON form.
pub(crate) fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}
