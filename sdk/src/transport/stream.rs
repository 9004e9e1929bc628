//! An open connection, plain or over TLS: it blocks nobody, and reads and writes once a call.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use answerback_proto::ticket::{EXPORTER_LABEL, SECRET_BYTES};
use rustls::ClientConnection;

use super::Distrust;
use super::socket::wait_for;
use super::tls::PROTOCOL;

/// One read takes this much at most: a transaction for each, and little memory for a fetch.
const READ_BYTES: usize = 64 * 1024;

/// An open connection. Dropped, it says good-bye where TLS wants that.
pub struct Stream {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    read: Vec<u8>,
    plaintext: Vec<u8>,
}

/// Why a step of a handshake failed.
#[derive(Debug)]
pub(super) enum HandshakeError {
    Socket(io::Error),
    Tls(rustls::Error),
}

impl Stream {
    pub(super) fn new(socket: TcpStream, tls: Option<ClientConnection>) -> Self {
        let (read, plaintext) = (vec![0; READ_BYTES], Vec::new());
        Self { socket, tls: tls.map(Box::new), read, plaintext }
    }

    /// One read: what came, nothing where that is nothing yet.
    ///
    /// # Errors
    /// The connection is over.
    pub fn read(&mut self) -> io::Result<&[u8]> {
        let length = match self.receive() {
            Ok(length) => length,
            Err(HandshakeError::Socket(error)) => return Err(error),
            Err(HandshakeError::Tls(error)) => return Err(io::Error::other(error)),
        };
        match &self.tls {
            Some(_) => Ok(&self.plaintext),
            None => Ok(self.read.split_at(length).0),
        }
    }

    /// One write; how much was taken. Over TLS some of it may wait here: see `wants_to_write`.
    ///
    /// # Errors
    /// The connection is over.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => match self.socket.write(bytes) {
                Ok(length) => Ok(length),
                Err(error) if is_nothing_yet(&error) => Ok(0),
                Err(error) => Err(error),
            },
            Some(tls) => {
                let taken = tls.writer().write(bytes)?;
                self.flush()?;
                Ok(taken)
            }
        }
    }

    /// Whether what was taken still waits for the socket: then `write`, with nothing or more,
    /// once the socket takes it.
    pub fn wants_to_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Waits until something came, or something can be written where that is wanted; at most so
    /// long.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait(&self, wants_to_write: bool, timeout: Duration) -> io::Result<()> {
        wait_for(&self.socket, wants_to_write || self.wants_to_write(), timeout)
    }

    /// What only the two ends of this connection know, for the proof of a resume ticket; zeros
    /// where it is plain.
    ///
    /// # Errors
    /// TLS gives nothing: a proof over zeros would be good on any plain connection.
    pub fn exporter(&self) -> io::Result<[u8; SECRET_BYTES]> {
        let Some(tls) = &self.tls else { return Ok([0; SECRET_BYTES]) };
        tls.export_keying_material([0; SECRET_BYTES], EXPORTER_LABEL, None)
            .map_err(io::Error::other)
    }

    /// One write of what waits.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(tls) = self.tls.as_mut().filter(|tls| tls.wants_write()) else { return Ok(()) };
        match tls.write_tls(&mut self.socket) {
            Ok(_) => Ok(()),
            Err(error) if is_nothing_yet(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// A server that chose no protocol may be any: what it would be told is not for it.
    pub(super) fn check_protocol(&self) -> Result<(), Distrust> {
        match &self.tls {
            Some(tls) if tls.alpn_protocol() != Some(PROTOCOL) => Err(Distrust::no_protocol()),
            _ => Ok(()),
        }
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// One read of the socket, into `read`, and over TLS from there into `plaintext`.
    pub(super) fn receive(&mut self) -> Result<usize, HandshakeError> {
        self.plaintext.clear();
        let length = match self.socket.read(&mut self.read) {
            Ok(0) => return Err(end().into()),
            Ok(length) => length,
            Err(error) if is_nothing_yet(&error) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        if let Some(tls) = &mut self.tls {
            let (received, _) = self.read.split_at(length);
            let outcome = decrypt(tls, received, &mut self.plaintext);
            if outcome.is_err() && tls.wants_write() {
                // The alert; the error says all that can be done about this connection.
                let _ = tls.write_tls(&mut self.socket);
            }
            outcome?;
        }
        Ok(length)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = tls.write_tls(&mut self.socket);
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("socket", &self.socket)
            .field("is_tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

/// Takes all of what a socket gave, which may be several records and a part of one.
fn decrypt(
    tls: &mut ClientConnection,
    mut received: &[u8],
    plaintext: &mut Vec<u8>,
) -> Result<(), HandshakeError> {
    while !received.is_empty() {
        let taken = tls.read_tls(&mut received)?;
        let state = tls.process_new_packets().map_err(HandshakeError::Tls)?;
        let start = plaintext.len();
        plaintext.resize(start + state.plaintext_bytes_to_read(), 0);
        tls.reader().read_exact(plaintext.split_at_mut(start).1)?;
        if state.peer_has_closed() || taken == 0 {
            // What came before the good-bye counts; the next read finds the end.
            return if plaintext.is_empty() { Err(end().into()) } else { Ok(()) };
        }
    }
    Ok(())
}

fn end() -> io::Error {
    ErrorKind::UnexpectedEof.into()
}

fn is_nothing_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
