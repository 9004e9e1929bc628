//! The client's own thread: it waits for the socket, the bell and the link's times, and
//! moves bytes between socket and link. Nobody else touches the socket.
//!
//! It holds the device only while it neither waits nor dials, so that the app's threads are
//! held up by the disk alone.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use answerback_proto::ticket::proof_message;
use aws_lc_rs::hmac;

use super::device::Device;
use super::shared::Shared;
use super::{Options, TokenSource};
use crate::clock::unix_ms;
use crate::link::{Halt, Step};
use crate::session::Ticket;
use crate::transport::{ConnectError, Connector, Sleeper, Stream, wait};

/// What to do outside of the lock.
enum Plan {
    /// With the ticket, where there is one.
    Dial(Option<Ticket>),
    Renew,
    Wait(Option<Duration>),
}

/// What opens a session.
enum Credential {
    Token(String),
    Ticket(Ticket),
}

/// The thread's belongings.
pub(super) struct Worker {
    shared: Arc<Shared>,
    address: String,
    connector: Connector,
    tokens: Box<dyn TokenSource>,
    sleeper: Sleeper,
    stream: Option<Stream>,
    /// Bytes on their way out.
    out: Vec<u8>,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        connector: Connector,
        options: &Options,
        tokens: Box<dyn TokenSource>,
        sleeper: Sleeper,
    ) -> Self {
        Self {
            shared,
            address: options.address.clone(),
            connector,
            tokens,
            sleeper,
            stream: None,
            out: Vec::new(),
        }
    }

    /// Until the client is closed.
    pub(super) fn run(mut self) {
        while self.turn(None) {}
    }

    /// One step, which waits for at most so long; whether the client is still open.
    pub(super) fn turn(&mut self, at_most: Option<Duration>) -> bool {
        match self.plan() {
            None => return false,
            Some(Plan::Dial(ticket)) => self.dial(ticket),
            Some(Plan::Renew) => self.renew(),
            Some(Plan::Wait(timeout)) => {
                self.exchange(timeout.into_iter().chain(at_most).min());
            }
        }
        true
    }

    fn plan(&mut self) -> Option<Plan> {
        let mut device = self.shared.lock();
        let device = device.as_mut()?;
        let now_ms = self.shared.clock.now_ms();
        device.handle_timeout(now_ms);
        device.settle(now_ms);
        let mut plan = None;
        while let Some(step) = device.link.poll_step(now_ms) {
            match step {
                Step::Close => {
                    self.stream = None;
                    self.out.clear();
                }
                Step::Dial => {
                    plan = Some(Plan::Dial(device.link.ticket(unix_ms()).cloned()));
                    break;
                }
                Step::Renew => {
                    plan = Some(Plan::Renew);
                    break;
                }
            }
        }
        if self.stream.is_some() && !self.has_bytes_out() {
            device.link.poll_transmit(&mut self.out);
        }
        device.has_bytes_out = self.has_bytes_out();
        device.tell_state(now_ms);
        self.shared.tell(device);
        let timeout = device.poll_timeout();
        let left = timeout.map(|due_ms| Duration::from_millis(due_ms.saturating_sub(now_ms)));
        Some(plan.unwrap_or(Plan::Wait(left)))
    }

    fn dial(&mut self, ticket: Option<Ticket>) {
        let credential = match ticket {
            Some(ticket) => Ok(Credential::Ticket(ticket)),
            None => self.token().map(Credential::Token),
        };
        let dialled =
            credential.map_err(|reason| format!("no token: {reason}")).map(|credential| {
                let stream = self.connector.dial(&self.sleeper, &|| self.shared.is_dialing());
                stream.map(|stream| (stream, credential))
            });
        let mut device = self.shared.lock();
        let Some(device) = device.as_mut().filter(|device| device.link.is_dialing()) else {
            return;
        };
        let now_ms = self.shared.clock.now_ms();
        match dialled {
            Ok(Ok((stream, credential))) => {
                match device.storage.raise_connection_counter() {
                    Ok(counter) => open(device, now_ms, counter, &stream, &credential),
                    Err(error) => device.link.stop(Halt::Storage(error.to_string())),
                }
                self.stream = Some(stream);
            }
            Ok(Err(ConnectError::Unwanted)) => {}
            Ok(Err(error)) => {
                let reason = format!("cannot connect to {}: {error}", self.address);
                match error {
                    ConnectError::Untrusted(_) => device.link.handle_untrusted(now_ms, reason),
                    _ => device.link.handle_dial_failed(now_ms, reason),
                }
            }
            Err(reason) => device.link.handle_dial_failed(now_ms, reason),
        }
    }

    fn renew(&mut self) {
        let token = self.token();
        if let Some(device) = self.shared.lock().as_mut() {
            let now_ms = self.shared.clock.now_ms();
            match token {
                Ok(token) => device.link.handle_token(now_ms, &token),
                Err(_) => device.link.handle_no_token(now_ms),
            }
        }
    }

    /// The app's code runs here: where it panics there is no token, and still a client.
    fn token(&self) -> Result<String, String> {
        panic::catch_unwind(AssertUnwindSafe(|| self.tokens.token()))
            .unwrap_or_else(|_| Err("the token source panicked".to_owned()))
    }

    fn exchange(&mut self, timeout: Option<Duration>) {
        if let Err(error) = self.try_exchange(timeout) {
            self.disconnected(&error);
        }
    }

    fn try_exchange(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let had_bytes = self.has_bytes_out();
        self.write()?;
        let wants_to_write = self.has_bytes_out();
        // What is written is followed by more, or by nothing: the next turn knows.
        let timeout = if had_bytes && !wants_to_write { Some(Duration::ZERO) } else { timeout };
        let woken = wait(&self.sleeper, self.stream.as_ref(), wants_to_write, timeout)?;
        if woken.is_readable { self.read() } else { Ok(()) }
    }

    /// Whether anything waits for the socket, here or in the stream.
    fn has_bytes_out(&self) -> bool {
        !self.out.is_empty() || self.stream.as_ref().is_some_and(Stream::wants_to_write)
    }

    fn write(&mut self) -> io::Result<()> {
        if !self.has_bytes_out() {
            return Ok(());
        }
        if let Some(stream) = &mut self.stream {
            let written = stream.write(&self.out)?;
            self.out.drain(..written);
        }
        Ok(())
    }

    fn read(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let received = stream.read()?;
        if received.is_empty() {
            return Ok(());
        }
        if let Some(device) = self.shared.lock().as_mut() {
            let now_ms = self.shared.clock.now_ms();
            device.link.handle_received(now_ms, received);
            device.settle(now_ms);
            self.shared.tell(device);
        }
        Ok(())
    }

    fn disconnected(&mut self, error: &io::Error) {
        if let Some(device) = self.shared.lock().as_mut() {
            let reason = format!("the connection ended: {error}");
            device.link.handle_disconnected(self.shared.clock.now_ms(), reason);
        }
    }
}

/// Says hello through a stream that was just opened.
fn open(device: &mut Device, now_ms: u64, counter: u64, stream: &Stream, credential: &Credential) {
    match credential {
        Credential::Token(token) => device.link.handle_dialled(now_ms, counter, token),
        Credential::Ticket(ticket) => {
            let (user, of) = (device.storage.user(), device.storage.device());
            let message = proof_message(&stream.exporter(), user, of, counter);
            let key = hmac::Key::new(hmac::HMAC_SHA256, &ticket.secret);
            let mut proof = [0; 32];
            proof.copy_from_slice(hmac::sign(&key, &message).as_ref());
            device.link.handle_dialled_by_ticket(now_ms, counter, proof);
        }
    }
}
