//! A device that says exactly what a test wants it to.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use answerback_proto::access::{access, access_exact};
use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::header::Header;
use answerback_proto::kind::{
    Accepted, Ack, CaughtUp, Deliver, Delivered, End, Envelope, Error, Hello, Kind, Ping, Pong,
    Probe, Send, Welcome,
};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;
use rustls::{ClientConfig, ClientConnection, Stream};

use answerback_proto::ticket::EXPORTER_LABEL;

use crate::token::token;

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection.
pub(crate) struct Client {
    /// Its socket.
    pub(crate) socket: TcpStream,
    /// Its cover.
    pub(crate) cover: Option<ClientConnection>,
    frames: FrameBuffer,
    received: VecDeque<Received>,
    user: u128,
    device: u128,
}

/// A frame that came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Its header.
    pub(crate) header: Header,
    /// Envelope and tail.
    pub(crate) envelope: Vec<u8>,
    /// Its payload.
    pub(crate) payload: Vec<u8>,
}

/// A `Hello` as a good client sends it.
pub(crate) fn hello(device: u128) -> Hello {
    Hello {
        version_min: 1,
        version_max: 1,
        kinds_count: 0,
        token_length: 0,
        device,
        app_build: 1,
        mode: 0,
        credit_frames: 256,
        credit_bytes: 1 << 20,
        connection_counter: 1,
        generation: 0,
        cursor: 0,
    }
}

/// The kinds that a good client understands.
pub(crate) fn server_kinds() -> Vec<Kind> {
    Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Server)).collect()
}

/// A frame's bytes.
pub(crate) fn frame<E: Envelope>(tag: u32, target: u128, envelope: &E, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_frame(&mut bytes, Address { flags: 0, tag, target }, envelope, &[], payload);
    bytes
}

/// A whole `Hello`.
pub(crate) fn hello_frame(user: u128, hello: Hello, token: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag: 1, target: user };
    hello.append(&mut bytes, address, &server_kinds(), token).unwrap();
    bytes
}

/// A whole `Send`.
pub(crate) fn send_frame(tag: u32, to: u128, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let send = Send { sequence, seen_ms: 0, life_s: 0, content_type: 1 };
    frame(tag, to, &send, payload)
}

impl Client {
    /// A connection that has said nothing.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).unwrap())
    }

    /// The same, on a socket that is connected.
    pub(crate) fn on(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        let (frames, received) = (FrameBuffer::default(), VecDeque::new());
        Self { socket, cover: None, frames, received, user: 0, device: 0 }
    }

    /// A connection that has said nothing, under a cover whose handshake is done.
    pub(crate) fn connect_covered(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let mut client = Self::connect(address);
        client.cover(config);
        client
    }

    /// Goes on under a cover, whose handshake is done then.
    pub(crate) fn cover(&mut self, config: &Arc<ClientConfig>) {
        let name = "localhost".try_into().unwrap();
        let mut cover = ClientConnection::new(Arc::clone(config), name).unwrap();
        while cover.is_handshaking() {
            cover.complete_io(&mut self.socket).unwrap();
        }
        self.cover = Some(cover);
    }

    /// The records of bytes that are to be sent, for whoever sends them himself.
    pub(crate) fn records(&mut self, bytes: &[u8]) -> Vec<u8> {
        let cover = self.cover.as_mut().expect("a cover");
        cover.writer().write_all(bytes).unwrap();
        let mut records = Vec::new();
        while cover.wants_write() {
            cover.write_tls(&mut records).unwrap();
        }
        records
    }

    /// The same, of which the box has not yet heard the last word: it goes out with the next
    /// bytes.
    pub(crate) fn connect_half_covered(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let mut client = Self::connect(address);
        let name = "localhost".try_into().unwrap();
        let mut cover = ClientConnection::new(Arc::clone(config), name).unwrap();
        cover.write_tls(&mut client.socket).unwrap();
        while cover.is_handshaking() {
            cover.read_tls(&mut client.socket).unwrap();
            cover.process_new_packets().unwrap();
        }
        client.cover = Some(cover);
        client
    }

    /// A session of a user's first device.
    pub(crate) fn login(address: SocketAddr, user: u128) -> Self {
        let mut client = Self::connect(address);
        client.say_hello(user, hello(1));
        let (_, welcome) = client.expect::<Welcome>();
        assert_eq!(welcome.pending_count, 0, "a login of a user for whom nothing waits");
        client.expect::<CaughtUp>();
        client
    }

    /// A session, unless the box closes the connection unheard.
    pub(crate) fn try_login(address: SocketAddr, user: u128) -> Option<Self> {
        let mut client = Self::connect(address);
        client.try_write(&hello_frame(user, hello(1), &token(user, 1)));
        client.next().map(|_| client)
    }

    /// Sends a `Hello` with a good token.
    pub(crate) fn say_hello(&mut self, user: u128, hello: Hello) {
        (self.user, self.device) = (user, hello.device);
        let token = token(user, hello.device);
        self.write(&hello_frame(user, hello, &token));
    }

    /// Sends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        match &mut self.cover {
            Some(cover) => {
                let mut stream = Stream::new(cover, &mut self.socket);
                stream.write_all(bytes).unwrap();
                stream.flush().unwrap();
            }
            None => self.socket.write_all(bytes).unwrap(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.cover {
            Some(cover) => Stream::new(cover, &mut self.socket).read(buffer),
            None => self.socket.read(buffer),
        }
    }

    /// Sends bytes to a box that may have closed the connection.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, tag: u32, to: u128, sequence: u64, payload: &[u8]) {
        self.write(&send_frame(tag, to, sequence, payload));
    }

    /// Acknowledges.
    pub(crate) fn ack(&mut self, up_to: u64) {
        self.write(&frame(0, self.user, &Ack { up_to }, &[]));
    }

    /// Sends a `Ping` and takes its `Pong`, which must be the next frame.
    pub(crate) fn ping(&mut self, echo: u64) {
        self.write(&frame(99, 0, &Ping { echo }, &[]));
        let (header, pong) = self.expect::<Pong>();
        assert_eq!((header.tag, pong.echo), (99, echo));
    }

    /// The next frame; none at the end.
    pub(crate) fn next(&mut self) -> Option<Received> {
        let mut buffer = [0; 16 * 1024];
        while self.received.is_empty() {
            match self.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => self.cut(buffer.get(..length).unwrap()),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing came: {error}"),
            }
        }
        self.received.pop_front()
    }

    fn cut(&mut self, mut bytes: &[u8]) {
        while let Some(frame) = self.frames.next_frame(&mut bytes, FRAME_BYTES_HARD_MAX).unwrap() {
            self.received.push_back(Received {
                header: frame.header,
                envelope: frame.envelope.to_vec(),
                payload: frame.payload.to_vec(),
            });
        }
    }

    /// The next frame, of this kind.
    pub(crate) fn expect<E: Envelope>(&mut self) -> (Header, E) {
        let received = self.next().expect("a frame");
        (received.header, received.read())
    }

    /// What TLS exports for a proof; zeros on plain TCP.
    pub(crate) fn exported(&self) -> [u8; 32] {
        let exported = self.cover.as_ref().map_or(Ok([0; 32]), |cover| {
            cover.export_keying_material([0; 32], EXPORTER_LABEL, None)
        });
        exported.unwrap()
    }

    /// The next frame is a `Welcome`: the ticket of the session.
    pub(crate) fn expect_ticket(&mut self) -> Vec<u8> {
        let received = self.next().expect("a frame");
        assert_eq!(received.header.kind(), Some(Kind::Welcome), "{received:?}");
        Welcome::read(&received.envelope).unwrap().1.secret().to_vec()
    }

    /// The next frame, if it is of this kind; it waits otherwise.
    pub(crate) fn next_of<E: Envelope>(&mut self) -> Option<E> {
        let received = self.next().expect("a frame");
        if received.header.kind() == Some(E::KIND) {
            return Some(received.read());
        }
        self.received.push_front(received);
        None
    }

    /// The next frame is an `Error`, and it is the last.
    pub(crate) fn expect_error(&mut self) -> (Code, u16, u32) {
        let (header, error) = self.expect::<Error>();
        assert_eq!(header.target, 0);
        self.expect_end();
        (Code::from_number(error.code).unwrap(), error.kind, header.tag)
    }

    /// No more frames come.
    pub(crate) fn expect_end(&mut self) {
        let next = self.next();
        assert!(next.is_none(), "{next:?}");
    }

    /// No more comes, and the other end did not just drop the connection.
    pub(crate) fn expect_orderly_end(&mut self) {
        assert_eq!(self.received.len(), 0);
        assert_eq!(self.read(&mut [0; 1]).unwrap(), 0);
    }

    /// The next frame is a message: sender, its envelope, its payload. On a busy machine a box
    /// may ask before whether anybody is there, which whatever comes next answers.
    pub(crate) fn expect_message(&mut self) -> (u128, Deliver, Vec<u8>) {
        while self.next_of::<Probe>().is_some() {}
        let received = self.next().expect("a message");
        (received.header.target, received.read(), received.payload)
    }

    /// Takes frames until both the answer to `tag` and a `Delivered` up to `sequence` came.
    pub(crate) fn expect_accepted_and_delivered(&mut self, tag: u32, sequence: u64) {
        let (mut is_accepted, mut is_delivered) = (false, false);
        while !(is_accepted && is_delivered) {
            let received = self.next().expect("an answer or a receipt");
            match received.header.kind() {
                Some(Kind::Accepted) if received.header.tag == tag => {
                    assert_eq!(received.read::<Accepted>().sequence, sequence);
                    is_accepted = true;
                }
                Some(Kind::Delivered) => {
                    let delivered: Delivered = received.read();
                    assert_eq!(delivered.device, self.device);
                    is_delivered |= delivered.up_to >= sequence;
                    if delivered.position > 0 {
                        self.ack(delivered.position);
                    }
                }
                Some(Kind::CaughtUp) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Sends no more.
    pub(crate) fn finish(&mut self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }
}

impl Received {
    /// Its envelope, which must be of this kind.
    pub(crate) fn read<E: Envelope>(&self) -> E {
        assert_eq!(self.header.kind(), Some(E::KIND), "{self:?}");
        let has_tail = matches!(
            E::KIND,
            Kind::Welcome | Kind::Delivered | Kind::Renewed | Kind::Devices | Kind::Chats
        );
        let archived = if has_tail {
            access::<E>(&self.envelope).unwrap().0
        } else {
            access_exact::<E>(&self.envelope).unwrap()
        };
        E::from_archived(archived)
    }
}
