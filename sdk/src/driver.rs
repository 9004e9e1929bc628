//! A session and its database on a blocking socket, driven by the caller's thread.
//!
//! Nothing happens between two calls: a program that waits for messages calls
//! [`Client::receive`] again and again. What it returns is stored already.
//!
//! ```no_run
//! use std::path::Path;
//! use std::time::Duration;
//!
//! use answerback_proto::id::{DeviceId, UserId};
//! use answerback_sdk::driver::{Client, ClientError};
//! use answerback_sdk::storage::{Draft, Storage};
//!
//! # fn show(_: &[u8]) {}
//! # fn main() -> Result<(), ClientError> {
//! let (alice, bob) = (UserId(1), UserId(2));
//! let storage = Storage::open(Path::new("phone.sqlite"), alice, DeviceId(11))?;
//! let mut client = Client::connect("127.0.0.1:7400", "a token", storage)?;
//! client.send([Draft::new(bob, 1, "dinner at eight?").with_life_s(3600)])?;
//! loop {
//!     client.receive(Duration::from_secs(60))?;
//!     for message in client.storage().to_hand_over(100)? {
//!         show(&message.payload);
//!         client.storage().handed_over(message.row)?;
//!         client.read(message.sender, message.device, message.sequence)?;
//!     }
//! }
//! # }
//! ```

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Sequence, UserId};

use crate::clock::Clock;
use crate::session::{ClientSession, Event, SessionError};
use crate::storage::{Draft, Storage, StorageError};

/// A server that says nothing for so long while a session is opened is not there.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// One read takes this much: about what a credit lets the server send.
const READ_BYTES: usize = 256 * 1024;

/// Why a client cannot go on.
#[derive(Debug)]
pub enum ClientError {
    /// No connection came to be.
    Connect {
        /// Where to.
        address: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The connection ended; what is undecided goes again after `reconnect`.
    Disconnected(io::Error),
    /// The server did not open the session, for this code.
    Closed(u16),
    /// The server broke the protocol.
    Server(SessionError),
    /// The device's file failed.
    Storage(StorageError),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { address, cause } => {
                write!(f, "cannot connect to {address}: {cause}; is the box running?")
            }
            Self::Disconnected(cause) => write!(f, "the connection ended: {cause}"),
            Self::Closed(number) => match Code::from_number(*number) {
                Some(code) => write!(
                    f,
                    "the box closed the session: {} ({number}, {})",
                    code.name(),
                    code.class().name()
                ),
                None => write!(f, "the box closed the session with code {number}"),
            },
            Self::Server(error) => error.fmt(f),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<StorageError> for ClientError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// A device that is connected.
#[derive(Debug)]
pub struct Client {
    address: String,
    token: String,
    storage: Storage,
    session: ClientSession,
    stream: TcpStream,
    clock: Clock,
    leaves_entries: bool,
    /// What came together with `Welcome`.
    early: Vec<Event>,
    out: Vec<u8>,
    received: Vec<u8>,
}

impl Client {
    /// Connects a device to a box at `address` ("host:port") and opens its session.
    ///
    /// # Errors
    /// No connection, no `Welcome`, a file that fails.
    pub fn connect(address: &str, token: &str, storage: Storage) -> Result<Self, ClientError> {
        let session = ClientSession::new(storage.device_state()?);
        let mut client = Self {
            address: address.to_owned(),
            token: token.to_owned(),
            storage,
            session,
            stream: dial(address)?,
            clock: Clock::new(),
            leaves_entries: false,
            early: Vec::new(),
            out: Vec::new(),
            received: vec![0; READ_BYTES],
        };
        client.open()?;
        Ok(client)
    }

    /// Connects again after the connection ended.
    ///
    /// # Errors
    /// As for `connect`.
    pub fn reconnect(&mut self) -> Result<(), ClientError> {
        self.stream = dial(&self.address)?;
        self.open()
    }

    /// From now on entries are returned, but neither stored nor acknowledged.
    pub fn leave_entries(&mut self) {
        self.leaves_entries = true;
    }

    /// Stores messages, then sends them: drafts, or (recipient, content type, payload).
    /// Returns their numbers; what became of them comes as events, or from the storage.
    ///
    /// # Errors
    /// A file that fails, a connection that ended: then they go after `reconnect`.
    ///
    /// ```no_run
    /// # use answerback_proto::id::UserId;
    /// # use answerback_sdk::driver::{Client, ClientError};
    /// # use answerback_sdk::storage::Draft;
    /// # fn example(client: &mut Client, bob: UserId) -> Result<(), ClientError> {
    /// client.send([(bob, 1, b"whenever he is there".to_vec())])?;
    /// client.send([Draft::new(bob, 1, "only if he is there within a minute").with_life_s(60)])?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn send(
        &mut self,
        messages: impl IntoIterator<Item: Into<Draft>>,
    ) -> Result<Vec<Sequence>, ClientError> {
        let queued = self.storage.queue(messages)?;
        let sequences = queued.iter().map(|message| message.sequence).collect();
        queued.into_iter().for_each(|message| self.session.send(message));
        self.transmit()?;
        Ok(sequences)
    }

    /// Takes back what this device sent to `peer` as number `recalled`, and tells `peer` so by
    /// a message, whose number is returned. Where nobody had the recalled one yet, nobody
    /// gets it, and it becomes [`SentState::Recalled`](crate::storage::SentState::Recalled).
    ///
    /// # Errors
    /// As for `send`; a number that this device never sent.
    ///
    /// ```no_run
    /// # use answerback_proto::id::UserId;
    /// # use answerback_sdk::driver::{Client, ClientError};
    /// # fn example(client: &mut Client, bob: UserId) -> Result<(), ClientError> {
    /// let numbers = client.send([(bob, 1, b"not meant for you".to_vec())])?;
    /// client.recall(bob, numbers[0], 1, "forget the last one")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn recall(
        &mut self,
        peer: UserId,
        recalled: Sequence,
        content_type: u16,
        payload: impl Into<Vec<u8>>,
    ) -> Result<Sequence, ClientError> {
        let sequences = self.send([Draft::recall(peer, recalled, content_type, payload)])?;
        Ok(sequences.first().copied().unwrap_or_default())
    }

    /// The user has read all messages of one of `peer`'s devices up to a number: stores it,
    /// then says so until the server has noted it.
    ///
    /// # Errors
    /// A file that fails, a connection that ended: then it goes after `reconnect`.
    ///
    /// ```no_run
    /// # use answerback_sdk::driver::{Client, ClientError};
    /// # fn example(client: &mut Client) -> Result<(), ClientError> {
    /// for message in client.storage().to_hand_over(100)? {
    ///     client.read(message.sender, message.device, message.sequence)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn read(
        &mut self,
        peer: UserId,
        device: DeviceId,
        up_to: Sequence,
    ) -> Result<(), ClientError> {
        if let Some(mark) = self.storage.read(peer, device, up_to)? {
            self.session.read(mark.peer, mark.device, mark.up_to);
            self.transmit()?;
        }
        Ok(())
    }

    /// Waits until something happened, or for `timeout`; it is stored on return.
    ///
    /// # Errors
    /// A connection that ended, a server that breaks the protocol, a file that fails.
    pub fn receive(&mut self, timeout: Duration) -> Result<Vec<Event>, ClientError> {
        if !self.early.is_empty() {
            return Ok(std::mem::take(&mut self.early));
        }
        self.wait_for_events(timeout)
    }

    /// Messages without a decision.
    pub fn undecided(&self) -> usize {
        self.session.undecided()
    }

    /// The device's file.
    pub fn storage(&mut self) -> &mut Storage {
        &mut self.storage
    }

    fn open(&mut self) -> Result<(), ClientError> {
        let counter = self.storage.raise_connection_counter()?;
        self.session.handle_connected(counter, &self.token);
        let deadline = self.clock.elapsed() + WELCOME_TIMEOUT;
        while !self.session.is_open() {
            let left = deadline.saturating_sub(self.clock.elapsed());
            if left.is_zero() {
                let silence = "the server did not open the session";
                return Err(ClientError::Disconnected(io::Error::new(
                    ErrorKind::TimedOut,
                    silence,
                )));
            }
            let events = self.wait_for_events(left)?;
            for event in &events {
                if let Event::Closed { code, .. } = *event {
                    return Err(ClientError::Closed(code));
                }
            }
            self.early.extend(events);
        }
        Ok(())
    }

    fn wait_for_events(&mut self, timeout: Duration) -> Result<Vec<Event>, ClientError> {
        let deadline = self.clock.elapsed().saturating_add(timeout);
        loop {
            self.session.handle_timeout(self.clock.now_ms());
            self.transmit()?;
            let left = deadline.saturating_sub(self.clock.elapsed());
            self.read_socket(left.min(self.until_session_timeout()))?;
            let events = self.store_events()?;
            self.transmit()?;
            if !events.is_empty() || left.is_zero() {
                return Ok(events);
            }
        }
    }

    fn transmit(&mut self) -> Result<(), ClientError> {
        while self.session.poll_transmit(&mut self.out) {
            let written = self.stream.write_all(&self.out);
            self.out.clear();
            written.map_err(|cause| self.disconnected(cause))?;
        }
        Ok(())
    }

    /// One read; nothing within `timeout` is no error.
    fn read_socket(&mut self, timeout: Duration) -> Result<(), ClientError> {
        let at_least_a_moment = timeout.max(Duration::from_millis(1));
        let length = self
            .stream
            .set_read_timeout(Some(at_least_a_moment))
            .and_then(|()| self.stream.read(&mut self.received));
        match length {
            Ok(0) => Err(self.disconnected(ErrorKind::UnexpectedEof.into())),
            Ok(length) => {
                let (received, _) = self.received.split_at(length);
                let taken = self.session.handle_received(self.clock.now_ms(), received);
                taken.map_err(ClientError::Server)
            }
            Err(error) if is_nothing_yet(error.kind()) => Ok(()),
            Err(error) => Err(self.disconnected(error)),
        }
    }

    fn store_events(&mut self) -> Result<Vec<Event>, ClientError> {
        let mut burst = self.storage.burst()?;
        let mut events = Vec::new();
        while let Some(event) = self.session.poll_event() {
            if !(self.leaves_entries && matches!(event, Event::Entry(_))) {
                burst.record(&event)?;
            }
            events.push(event);
        }
        if let Some(position) = burst.commit()? {
            self.session.handle_stored(position);
        }
        for event in &events {
            if let Event::Missing { peer, from, to } = *event {
                self.fill(peer, from, to)?;
            }
        }
        events.retain(|event| !matches!(event, Event::Missing { .. }));
        Ok(events)
    }

    /// Answers `Missing`: what is kept goes again, the other numbers are given up.
    fn fill(&mut self, peer: UserId, from: Sequence, to: Sequence) -> Result<(), ClientError> {
        let kept = self.storage.kept(peer, from, to)?;
        kept.into_iter().for_each(|message| self.session.send(message));
        (from.0..=to.0).for_each(|number| self.session.skip(peer, Sequence(number)));
        Ok(())
    }

    fn until_session_timeout(&self) -> Duration {
        self.session.poll_timeout().map_or(Duration::MAX, |due_ms| {
            Duration::from_millis(due_ms.saturating_sub(self.clock.now_ms()))
        })
    }

    fn disconnected(&mut self, cause: io::Error) -> ClientError {
        self.session.handle_disconnected();
        ClientError::Disconnected(cause)
    }
}

fn dial(address: &str) -> Result<TcpStream, ClientError> {
    let connect = || {
        let mut last = io::Error::new(ErrorKind::NotFound, "no such address");
        for address in address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, WELCOME_TIMEOUT) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    };
    connect().map_err(|cause| ClientError::Connect { address: address.to_owned(), cause })
}

fn is_nothing_yet(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
