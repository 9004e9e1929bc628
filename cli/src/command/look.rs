//! A session that takes nothing: what waits is shown, and waits on.
//!
//! The session is driven here, without the library's client, since that stores and acknowledges
//! all that comes.

use std::time::Duration;

use answerback_proto::code::Code;
use answerback_sdk::session::{ClientSession, DeviceState, Entry, Event};
use answerback_sdk::transport::Stream;

use super::device::DeviceArguments;
use crate::clock::Clock;
use crate::exit::Failure;

/// An open session.
pub(crate) struct Look {
    session: ClientSession,
    stream: Stream,
    out: Vec<u8>,
    clock: Clock,
}

impl Look {
    /// Connects.
    pub(crate) fn open(device: &DeviceArguments) -> Result<Self, Failure> {
        let (connector, mut storage, token) = device.without_client()?;
        // What this device has to send waits for a client.
        let state = storage.device_state()?;
        let state = DeviceState { undecided: Vec::new(), unnoted_reads: Vec::new(), ..state };
        let stream = connector.connect().map_err(|error| {
            let address = connector.address();
            Failure::new(format_args!("cannot connect to {address}: {error}; is the box running?"))
        })?;
        let mut session = ClientSession::new(state);
        session.handle_connected(storage.raise_connection_counter()?, &token);
        Ok(Self { session, stream, out: Vec::new(), clock: Clock::new() })
    }

    /// Waits for entries, at most so long.
    pub(crate) fn next_entries(&mut self, timeout: Duration) -> Result<Vec<Entry>, Failure> {
        let now_ms = self.clock.elapsed().as_millis() as u64;
        self.session.handle_timeout(now_ms);
        while self.session.poll_transmit(&mut self.out) {}
        let written = self.stream.write(&self.out)?;
        self.out.drain(..written);
        let until_timeout = self.session.poll_timeout().map_or(Duration::MAX, |due_ms| {
            Duration::from_millis(due_ms.saturating_sub(now_ms).max(1))
        });
        self.read(timeout.min(until_timeout))?;
        let mut entries = Vec::new();
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Entry(entry) => entries.push(entry),
                Event::Closed { code, .. } | Event::GoAway { code, .. } => {
                    return Err(closed(code));
                }
                Event::Silent => {
                    return Err(Failure::new("the box does not answer any more; try again"));
                }
                _ => {}
            }
        }
        Ok(entries)
    }

    fn read(&mut self, timeout: Duration) -> Result<(), Failure> {
        self.stream.wait(!self.out.is_empty(), timeout)?;
        let received = self.stream.read()?;
        if !received.is_empty() {
            let now_ms = self.clock.elapsed().as_millis() as u64;
            self.session.handle_received(now_ms, received)?;
        }
        Ok(())
    }
}

fn closed(code: u16) -> Failure {
    let name = Code::from_number(code).map_or("no code of this version", Code::name);
    Failure::new(format_args!("the box closed the session: {name} ({code})"))
}
