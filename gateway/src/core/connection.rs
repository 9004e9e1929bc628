//! One connection of a core.

use answerback_proto::frame_buffer::FrameBuffer;
use mio::net::TcpStream;

use super::output::Output;
use super::slow::Progress;
use crate::limits::{OUT_BYTES_MAX, OUT_BYTES_RESUME, REQUESTS_UNANSWERED_MAX};
use crate::session::Session;
use crate::transport::tls::{Exporter, TlsStream};

/// A socket and what belongs to it. A box may hold a million of them at rest, so nothing
/// is here that a connection at rest does not need.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The socket.
    pub(crate) socket: TcpStream,
    /// Its cover; none where clients come over plain TCP.
    pub(crate) cover: Option<Box<Cover>>,
    /// Who it is and where it stands.
    pub(crate) session: Session,
    /// The beginning of a frame, where there is one.
    pub(crate) frames: Option<Box<FrameBuffer>>,
    /// What is not yet sent; none at rest.
    pub(crate) output: Option<Box<Output>>,
    /// Requests that a shard has not answered.
    pub(crate) unanswered: u16,
    /// When something came last, s.
    pub(crate) heard_s: u32,
    /// When the token behind its session expires, s since 1970; the greatest number for never.
    pub(crate) expires_s: u32,
    /// It is on the ready list.
    pub(crate) is_listed: bool,
    /// There may be something to read, but it is not read for now.
    pub(crate) has_unread: bool,
    /// Too much is unsent or unanswered: it is not read until half of that is gone.
    pub(crate) is_paused: bool,
    /// It is on the list of those with something to send.
    pub(crate) is_dirty: bool,
    /// The peer will send no more, so after the last bytes there is no further event.
    pub(crate) is_read_closed: bool,
    /// Whether the kernel took no more for it, and whether it goes on, where it may be slow.
    pub(crate) progress: Progress,
}

/// TLS over a socket, and what it has encrypted.
#[derive(Debug)]
pub(crate) struct Cover {
    /// The TLS connection.
    pub(crate) tls: TlsStream,
    /// Records that are not sent; none at rest.
    pub(crate) sealed: Option<Box<Output>>,
    /// In its handshake: since when it is the peer's turn, ms.
    pub(crate) awaited_since_ms: u64,
}

impl Connection {
    /// A connection at rest.
    pub(crate) fn new(
        socket: TcpStream,
        cover: Option<Box<Cover>>,
        session: Session,
        heard_s: u32,
    ) -> Self {
        Self {
            socket,
            cover,
            session,
            frames: None,
            output: None,
            unanswered: 0,
            heard_s,
            expires_s: u32::MAX,
            is_listed: false,
            has_unread: false,
            is_paused: false,
            is_dirty: false,
            is_read_closed: false,
            progress: Progress::default(),
        }
    }

    /// Bytes that are not sent.
    pub(crate) fn unsent(&self) -> usize {
        let sealed = self.cover.as_ref().and_then(|cover| cover.sealed.as_ref());
        [self.output.as_ref(), sealed].into_iter().flatten().map(|output| output.unsent()).sum()
    }

    /// What only the two ends of this connection know, before its session is open; zeros on
    /// plain TCP, none where the cover does not say.
    pub(crate) fn exporter(&self) -> Option<Exporter> {
        self.cover.as_ref().map_or(Some(Exporter::default()), |cover| cover.tls.exporter())
    }

    /// Whether the dear part of its handshake is done, and its session not yet open.
    pub(crate) fn is_answered(&self) -> bool {
        self.cover.as_ref().is_some_and(|cover| cover.tls.exporter().is_some())
    }

    /// Whether it keeps the beginning of a frame, or of a record.
    pub(crate) fn has_begun(&self) -> bool {
        self.frames.is_some() || self.cover.as_ref().is_some_and(|cover| cover.tls.has_begun())
    }

    /// Whether it is read now; it pauses with a full output, or too many open requests.
    pub(crate) fn may_read(&mut self) -> bool {
        self.is_paused = if self.is_paused {
            !self.is_half_empty()
        } else {
            self.unsent() > OUT_BYTES_MAX || self.unanswered >= REQUESTS_UNANSWERED_MAX
        };
        !self.is_paused
    }

    fn is_half_empty(&self) -> bool {
        self.unsent() < OUT_BYTES_RESUME && self.unanswered < REQUESTS_UNANSWERED_MAX / 2
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream as StdStream};

    use super::*;
    use crate::reactor::slot::SlotTable;

    fn connection() -> Connection {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let socket = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = TcpStream::from_std(socket);
        Connection::new(socket, None, Session::new(), 0)
    }

    /// Of the 400 bytes that an idle connection may cost, its entry in the directory
    /// included, this is the gateway's share.
    #[test]
    fn a_connection_at_rest_is_small() {
        let slot = SlotTable::<Connection>::SLOT_BYTES;
        println!("a connection: {} bytes, its slot: {slot}", size_of::<Connection>());
        // A build with debug assertions has bigger sockets.
        assert!(slot <= if cfg!(debug_assertions) { 104 } else { 88 }, "{slot}");
        let connection = connection();
        assert!(connection.output.is_none() && connection.frames.is_none());
    }

    #[test]
    fn a_full_output_pauses_until_half_of_it_is_gone() {
        let mut connection = connection();
        connection.output = Some(Box::new(Output { bytes: vec![0; OUT_BYTES_MAX], sent: 0 }));
        let mut may_read_after = |change: fn(&mut Output)| {
            change(connection.output.as_mut().unwrap());
            connection.may_read()
        };
        assert!(may_read_after(|_| {}));
        assert!(!may_read_after(|output| output.bytes.push(0)));
        assert!(!may_read_after(|output| output.handle_sent(OUT_BYTES_MAX / 2)));
        assert!(may_read_after(|output| output.handle_sent(2)));
    }

    #[test]
    fn too_many_open_requests_pause_until_half_are_answered() {
        let mut connection = connection();
        connection.unanswered = REQUESTS_UNANSWERED_MAX;
        assert!(!connection.may_read());
        connection.unanswered = REQUESTS_UNANSWERED_MAX / 2;
        assert!(!connection.may_read());
        connection.unanswered -= 1;
        assert!(connection.may_read());
    }
}
