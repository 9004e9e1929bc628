//! One connection's cover.

use std::fmt;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{Error, HandshakeKind, ServerConfig};

use super::PROTOCOL;
use super::exporter::{Exporter, ExporterTap};
use crate::transport::{Received, plain};

/// An unfinished record, or an unfinished message of a handshake, is no longer.
const KEPT_BYTES_MAX: usize = 20 * 1024;
/// What a record may hold.
const RECORD_BYTES_MAX: usize = 16 * 1024;
/// What a record adds to that: header, type, tag.
const RECORD_EXTRA_BYTES: usize = 5 + 1 + 16;
/// An alert that says good-bye.
const CLOSE_NOTIFY_BYTES: usize = 2 + RECORD_EXTRA_BYTES;

/// A connection's cover. At rest it holds no buffer.
pub(crate) struct TlsStream {
    connection: UnbufferedServerConnection,
    tap: Arc<ExporterTap>,
    /// The beginning of a record.
    pub(super) kept: Vec<u8>,
    /// Until the session is open.
    exporter: Option<Box<Exporter>>,
    is_close_said: bool,
    is_broken: bool,
}

/// The peer broke the rules, or the keys are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

impl From<Error> for Broken {
    fn from(_: Error) -> Self {
        Self
    }
}

impl From<EncodeError> for Broken {
    fn from(_: EncodeError) -> Self {
        Self
    }
}

impl From<EncryptError> for Broken {
    fn from(_: EncryptError) -> Self {
        Self
    }
}

impl TlsStream {
    pub(super) fn new(config: Arc<ServerConfig>, tap: Arc<ExporterTap>) -> Result<Self, Error> {
        let connection = UnbufferedServerConnection::new(config)?;
        let (kept, exporter) = (Vec::new(), None);
        Ok(Self { connection, tap, kept, exporter, is_close_said: false, is_broken: false })
    }

    /// Reads once, by way of `buffer`, which is longer than any record. What the peer says is
    /// appended to `plain`, what it must be told of the cover itself to `sealed`.
    pub(crate) fn receive(
        &mut self,
        socket: &mut TcpStream,
        buffer: &mut [u8],
        plain: &mut Vec<u8>,
        sealed: &mut Vec<u8>,
    ) -> Received {
        let kept = self.kept.len();
        let Some((front, rest)) = buffer.split_at_mut_checked(kept) else {
            return Received::Broken;
        };
        let received = plain::receive(socket, rest);
        let Received::Bytes { length, .. } = received else { return received };
        front.copy_from_slice(&self.kept);
        self.kept = Vec::new();
        let Some(records) = buffer.get_mut(..kept + length) else { return Received::Broken };
        match self.open_tapped(records, plain, sealed) {
            Ok(()) => received,
            Err(Broken) => {
                self.is_broken = true;
                self.append_alert(sealed);
                Received::Broken
            }
        }
    }

    /// Whether it keeps the beginning of a record.
    pub(crate) fn has_begun(&self) -> bool {
        !self.kept.is_empty()
    }

    /// As [`TlsStream::open`], with what the tap caught meanwhile: it is this connection's, and
    /// must be out before another uses the tap, also where a rule was broken behind it. Once
    /// secured a connection may be on another core, whose tap this is not.
    fn open_tapped(
        &mut self,
        records: &mut [u8],
        plain: &mut Vec<u8>,
        sealed: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        if self.is_secured() {
            return self.open(records, plain, sealed);
        }
        let opened = self.open(records, plain, sealed);
        if let Some(exporter) = self.tap.take()
            && opened.is_ok()
        {
            self.exporter = Some(Box::new(exporter));
        }
        opened
    }

    /// Takes the records that are whole.
    fn open(
        &mut self,
        mut records: &mut [u8],
        plain: &mut Vec<u8>,
        sealed: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(records);
            let is_done = match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                    false
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    append(sealed, |out| data.encode(out).map_err(Wanted::of_encode))?;
                    false
                }
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    false
                }
                // The end of the socket follows.
                ConnectionState::PeerClosed => false,
                // Early data is not on offer.
                ConnectionState::ReadEarlyData(_) => return Err(Broken),
                _ => true,
            };
            records = records.get_mut(discard..).ok_or(Broken)?;
            if is_done {
                break;
            }
        }
        if records.len() > KEPT_BYTES_MAX {
            return Err(Broken);
        }
        self.kept = records.to_vec();
        Ok(())
    }

    /// Appends as few records as hold `plain` to `sealed`, and a good-bye behind them if they
    /// are the last. Before the handshake is done there is no way to say anything.
    pub(crate) fn seal(
        &mut self,
        plain: &[u8],
        is_last: bool,
        sealed: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        loop {
            let UnbufferedStatus { state, .. } = self.connection.process_tls_records(&mut []);
            match state? {
                ConnectionState::EncodeTlsData(mut data) => {
                    append(sealed, |out| data.encode(out).map_err(Wanted::of_encode))?;
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => {}
                ConnectionState::WriteTraffic(mut traffic) => {
                    if !plain.is_empty() {
                        append_bounded(sealed, sealed_bytes(plain.len()), |out| {
                            traffic.encrypt(plain, out)
                        })?;
                    }
                    if is_last && !self.is_close_said {
                        self.is_close_said = true;
                        append_bounded(sealed, CLOSE_NOTIFY_BYTES, |out| {
                            traffic.queue_close_notify(out)
                        })?;
                    }
                    return Ok(());
                }
                _ => return Err(Broken),
            }
        }
    }

    /// What the peer is told of its mistake.
    fn append_alert(&mut self, sealed: &mut Vec<u8>) {
        let UnbufferedStatus { state, .. } = self.connection.process_tls_records(&mut []);
        if let Ok(ConnectionState::EncodeTlsData(mut data)) = state {
            let _ = append(sealed, |out| data.encode(out).map_err(Wanted::of_encode));
        }
    }

    /// Whether the handshake is done.
    pub(crate) fn is_secured(&self) -> bool {
        !self.connection.is_handshaking()
    }

    /// Whether anything can be said: the handshake is done, and no rule was broken.
    pub(crate) fn may_seal(&self) -> bool {
        self.is_secured() && !self.is_broken
    }

    /// Whether the peer asked for this protocol. One that asks for others alone fails in its
    /// handshake; one may also ask for none.
    pub(crate) fn speaks_protocol(&self) -> bool {
        self.connection.alpn_protocol() == Some(PROTOCOL)
    }

    /// Whether it came back with a ticket of an earlier connection.
    pub(crate) fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// What only the two ends of this connection know; until the session is open.
    pub(crate) fn exporter(&self) -> Option<Exporter> {
        self.exporter.as_deref().copied()
    }

    /// Nobody needs the exporter any more.
    pub(crate) fn forget_exporter(&mut self) {
        self.exporter = None;
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("is_secured", &self.is_secured()).finish_non_exhaustive()
    }
}

/// Bytes of records that hold so many.
fn sealed_bytes(plain: usize) -> usize {
    plain + plain.div_ceil(RECORD_BYTES_MAX) * RECORD_EXTRA_BYTES
}

/// Lets `write` append at most so many bytes.
fn append_bounded<E>(
    out: &mut Vec<u8>,
    bytes_max: usize,
    write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
) -> Result<(), E> {
    let start = out.len();
    out.resize(start + bytes_max, 0);
    let written = write(out.get_mut(start..).unwrap_or_default());
    out.truncate(start + written.as_ref().copied().unwrap_or(0));
    written.map(|_| ())
}

/// Why something was not appended.
enum Wanted {
    Room(usize),
    Never,
}

impl Wanted {
    fn of_encode(error: EncodeError) -> Self {
        match error {
            EncodeError::InsufficientSize(size) => Self::Room(size.required_size),
            EncodeError::AlreadyEncoded => Self::Never,
        }
    }
}

/// Lets `write` append, once it has said how much room it wants.
fn append(
    out: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Wanted>,
) -> Result<(), Broken> {
    match append_bounded(out, 0, &mut write) {
        Ok(()) => Ok(()),
        Err(Wanted::Room(bytes)) => append_bounded(out, bytes, &mut write).map_err(|_| Broken),
        Err(Wanted::Never) => Err(Broken),
    }
}
