//! One connection of a core.

use answerback_proto::frame_buffer::FrameBuffer;
use mio::net::TcpStream;

use crate::limits::{OUT_BYTES_MAX, OUT_BYTES_RESUME, REQUESTS_UNANSWERED_MAX};
use crate::session::Session;

/// A socket and what belongs to it. A box may hold a million of them at rest, so nothing
/// is here that a connection at rest does not need.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The socket.
    pub(crate) socket: TcpStream,
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
    /// It is on the ready list.
    pub(crate) is_listed: bool,
    /// There may be something to read, but it is not read for now.
    pub(crate) has_unread: bool,
    /// Too much is unsent or unanswered: it is not read until half of that is gone.
    pub(crate) is_paused: bool,
    /// It is on the list of those with something to send.
    pub(crate) is_dirty: bool,
    /// The kernel took no more: an event will say when it does.
    pub(crate) is_write_blocked: bool,
    /// The peer will send no more, so after the last bytes there is no further event.
    pub(crate) is_read_closed: bool,
}

/// Frames on their way out.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// All of them; what is sent already stands in front.
    pub(crate) bytes: Vec<u8>,
    sent: u32,
}

impl Connection {
    /// A connection at rest.
    pub(crate) fn new(
        socket: TcpStream,
        session: Session,
        frames: Option<Box<FrameBuffer>>,
        heard_s: u32,
    ) -> Self {
        Self {
            socket,
            session,
            frames,
            output: None,
            unanswered: 0,
            heard_s,
            is_listed: false,
            has_unread: false,
            is_paused: false,
            is_dirty: false,
            is_write_blocked: false,
            is_read_closed: false,
        }
    }

    /// Bytes that are not sent.
    pub(crate) fn unsent(&self) -> usize {
        self.output.as_ref().map_or(0, |output| output.unsent())
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

impl Output {
    /// Bytes that are not sent.
    pub(crate) fn unsent(&self) -> usize {
        self.bytes.len() - self.sent as usize
    }

    /// What to send next.
    pub(crate) fn unsent_bytes(&self) -> &[u8] {
        self.bytes.get(self.sent as usize..).unwrap_or_default()
    }

    /// As many bytes are sent. What was sent is moved away once it is more than the rest,
    /// so that no byte is moved twice on average.
    pub(crate) fn handle_sent(&mut self, length: usize) {
        let sent = self.sent as usize + length;
        if sent >= self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        } else if sent > self.bytes.len() - sent {
            self.bytes.drain(..sent);
            self.sent = 0;
        } else {
            self.sent = sent as u32;
        }
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
        Connection::new(socket, Session::new(), None, 0)
    }

    /// Of the 400 bytes that an idle connection may cost, its entry in the directory
    /// included, this is the gateway's share.
    #[test]
    fn a_connection_at_rest_is_small() {
        let slot = SlotTable::<Connection>::SLOT_BYTES;
        println!("a connection: {} bytes, its slot: {slot}", size_of::<Connection>());
        // A build with debug assertions has bigger sockets.
        assert!(slot <= if cfg!(debug_assertions) { 96 } else { 80 }, "{slot}");
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

    #[test]
    fn output_leaves_in_order_whatever_is_taken_at_once() {
        for step in [1, 3, 7, 50, 100] {
            let mut output = Output { bytes: (0..100).collect(), sent: 0 };
            let mut sent = Vec::new();
            while output.unsent() > 0 {
                let bytes = output.unsent_bytes();
                let taken = step.min(bytes.len());
                sent.extend_from_slice(&bytes[..taken]);
                output.handle_sent(taken);
            }
            assert_eq!(sent, (0..100).collect::<Vec<u8>>(), "{step}");
            assert!(output.bytes.is_empty());
        }
    }
}
