//! Where to connect, and the way there: a socket, then the handshake.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::security::host_of;
use super::socket::{self, Sleeper, bell, wait};
use super::stream::HandshakeError;
use super::{Distrust, Security, Stream, Tls, UnusableSecurity, tls};
use crate::clock::Clock;

/// A server that does not finish its handshake within this time is given up.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// Where to connect, how protected, and what earlier connections left for the next.
#[derive(Debug)]
pub struct Connector {
    address: String,
    security: Security,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectError {
    /// It was not wanted any more.
    Unwanted,
    /// What the system said.
    Failed(io::Error),
    /// Somebody is there, and is not the box that was meant.
    Untrusted(Distrust),
}

impl Connector {
    /// To `host:port`.
    ///
    /// # Errors
    /// Authorities that cannot be read, pins that are missing, a name that none can have.
    pub fn new(address: &str, security: &Security) -> Result<Self, UnusableSecurity> {
        let tls = match security {
            Security::Loopback | Security::Plaintext => None,
            Security::Tls(options) => Some((tls::config(options)?, name_of(address, options)?)),
        };
        let (address, security) = (address.to_owned(), security.clone());
        Ok(Self { address, security, tls })
    }

    /// Where to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Opens a connection, however long that takes.
    ///
    /// # Errors
    /// Nobody answers, or somebody who is not trusted.
    pub fn connect(&self) -> Result<Stream, ConnectError> {
        let (_bell, sleeper) = bell()?;
        self.dial(&sleeper, &|| true)
    }

    /// Opens a connection to the first address of the host that answers; rung while it waits, it
    /// asks whether that is still wanted.
    pub(crate) fn dial(
        &self,
        sleeper: &Sleeper,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Stream, ConnectError> {
        let mut last = io::Error::new(ErrorKind::NotFound, "no such address");
        for address in self.address.to_socket_addrs()? {
            if !is_wanted() {
                return Err(ConnectError::Unwanted);
            }
            match self.dial_one(address, sleeper, is_wanted) {
                Err(ConnectError::Failed(error)) => last = error,
                outcome => return outcome,
            }
        }
        Err(ConnectError::Failed(last))
    }

    fn dial_one(
        &self,
        address: SocketAddr,
        sleeper: &Sleeper,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Stream, ConnectError> {
        if !self.security.allows(address.ip()) {
            let host = host_of(&self.address).to_owned();
            return Err(ConnectError::Untrusted(Distrust::Plain(host)));
        }
        let socket = socket::open(address, sleeper, is_wanted)?;
        let begin = |(config, name): &(Arc<_>, ServerName<'static>)| {
            ClientConnection::new(Arc::clone(config), name.clone()).map_err(io::Error::other)
        };
        let mut stream = Stream::new(socket, self.tls.as_ref().map(begin).transpose()?);
        shake_hands(&mut stream, sleeper, is_wanted, HANDSHAKE_TIMEOUT)?;
        stream.check_protocol().map_err(ConnectError::Untrusted)?;
        Ok(stream)
    }
}

/// What ends the handshake waits in the stream, to go with the first frame.
fn shake_hands(
    stream: &mut Stream,
    sleeper: &Sleeper,
    is_wanted: &dyn Fn() -> bool,
    timeout: Duration,
) -> Result<(), ConnectError> {
    let clock = Clock::new();
    while stream.is_handshaking() {
        stream.flush()?;
        let left = timeout.saturating_sub(clock.elapsed());
        if left.is_zero() {
            let late = "it did not finish the TLS handshake";
            return Err(io::Error::new(ErrorKind::TimedOut, late).into());
        }
        let wants_to_write = stream.wants_to_write();
        let woken = wait(sleeper, Some(stream.socket()), wants_to_write, Some(left))?;
        if woken.is_rung && !is_wanted() {
            return Err(ConnectError::Unwanted);
        }
        if woken.is_readable {
            stream.receive()?;
        }
    }
    Ok(())
}

fn name_of(address: &str, options: &Tls) -> Result<ServerName<'static>, UnusableSecurity> {
    let name = options.server_name.as_deref().unwrap_or_else(|| host_of(address));
    ServerName::try_from(name.to_owned())
        .map_err(|_| UnusableSecurity(format!("{name:?} is no name that a certificate can have")))
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<HandshakeError> for ConnectError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Socket(error) if error.kind() == ErrorKind::UnexpectedEof => {
                let early = "it closed the connection in the TLS handshake";
                Self::Failed(io::Error::new(ErrorKind::UnexpectedEof, early))
            }
            HandshakeError::Socket(error) => Self::Failed(error),
            HandshakeError::Tls(error) => match Distrust::of(&error) {
                Some(distrust) => Self::Untrusted(distrust),
                None => Self::Failed(io::Error::other(error)),
            },
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unwanted => f.write_str("it was not wanted any more"),
            Self::Failed(error) => error.fmt(f),
            Self::Untrusted(distrust) => distrust.fmt(f),
        }
    }
}

impl std::error::Error for ConnectError {}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    /// It takes the first flight, begins a `ServerHello` of 16 KiB and goes on with it a byte at a time.
    fn drip(mut socket: TcpStream) {
        socket.read_exact(&mut [0; 512]).unwrap();
        let record = [0x16, 3, 3, 0x40, 0];
        let hello = [2, 0, 0x3f, 0xfc];
        for byte in record.into_iter().chain(hello).chain(std::iter::repeat_n(0, 0x3fff)) {
            if socket.write_all(&[byte]).is_err() {
                return;
            }
        }
    }

    #[test]
    fn a_handshake_has_its_time_however_busy_the_server_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || drip(listener.accept().unwrap().0));
        let connector =
            Connector::new(&address.to_string(), &Security::Tls(Tls::default())).unwrap();
        let (config, name) = connector.tls.unwrap();
        let (_bell, sleeper) = bell().unwrap();
        let socket = socket::open(address, &sleeper, &|| true).unwrap();
        let tls = ClientConnection::new(config, name).unwrap();
        let mut stream = Stream::new(socket, Some(tls));
        let outcome = shake_hands(&mut stream, &sleeper, &|| true, Duration::from_millis(1));
        assert!(
            matches!(&outcome, Err(ConnectError::Failed(error)) if error.kind() == ErrorKind::TimedOut),
            "{outcome:?}"
        );
        drop(stream);
        server.join().unwrap();
    }

    /// Zeros, which stand for a plain connection, would make a proof that is good on all of them.
    #[test]
    fn a_stream_without_a_secret_of_its_own_gives_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connector =
            Connector::new(&address.to_string(), &Security::Tls(Tls::default())).unwrap();
        let (config, name) = connector.tls.unwrap();
        let tls = ClientConnection::new(config, name).unwrap();
        let socket = || TcpStream::connect(address).unwrap();
        assert!(Stream::new(socket(), Some(tls)).exporter().is_err(), "before the handshake");
        assert_eq!(Stream::new(socket(), None).exporter().unwrap(), [0; 32]);
    }
}
