//! A server that answers by script, over a loopback socket.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use answerback_proto::access::decode;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::header::Header;
use answerback_proto::id::UserId;
use answerback_proto::kind::{Accepted, Deliver, End, Envelope, Hello, Kind, Resume, Welcome};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;
use answerback_proto::ticket::EXPORTER_LABEL;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{ALICE, BOB};

/// Longer than anything that a test waits for.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// One connection, seen from the server.
pub(crate) struct Peer {
    stream: Stream,
    frames: FrameBuffer,
    received: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// What a server does on its connections, one after the other.
pub(crate) type Script = Box<dyn FnOnce(&mut Peer) + Send>;

/// A server, and what became of its scripts.
pub(crate) struct Server {
    pub(crate) address: String,
    thread: JoinHandle<()>,
}

impl Server {
    /// Runs a script on each connection in turn; a connection closes behind its script.
    pub(crate) fn run(scripts: Vec<Script>) -> Self {
        Self::run_with(None, scripts)
    }

    /// The same, over TLS where that is set up.
    pub(crate) fn run_with(tls: Option<Arc<ServerConfig>>, scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let thread = thread::spawn(move || {
            for script in scripts {
                let (socket, _) = listener.accept().unwrap();
                socket.set_read_timeout(Some(LONG)).unwrap();
                let stream = Stream::open(socket, tls.clone());
                let frames = FrameBuffer::default();
                script(&mut Peer { stream, frames, received: Vec::new() });
            }
        });
        Self { address, thread }
    }

    /// Waits until all scripts were played; fails where one did.
    pub(crate) fn finish(self) {
        self.thread.join().unwrap();
    }
}

impl Stream {
    /// A handshake that fails is for the client to tell of.
    fn open(mut socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> Self {
        let Some(config) = tls else { return Self::Plain(socket) };
        let mut tls = ServerConnection::new(config).unwrap();
        while tls.is_handshaking() && tls.complete_io(&mut socket).is_ok() {}
        Self::Tls(Box::new(StreamOwned::new(tls, socket)))
    }

    fn write_all(&mut self, bytes: &[u8]) {
        match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes),
        }
        .unwrap();
    }

    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Peer {
    /// The server's end of TLS.
    pub(crate) fn tls(&self) -> &ServerConnection {
        match &self.stream {
            Stream::Plain(_) => panic!("this connection is plain"),
            Stream::Tls(stream) => &stream.conn,
        }
    }

    /// Writes whole frames.
    pub(crate) fn write_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes);
    }

    pub(crate) fn write<E: Envelope>(&mut self, tag: u32, target: UserId, envelope: &E) {
        let mut bytes = Vec::new();
        let address = Address { flags: 0, tag, target: target.0 };
        append_frame(&mut bytes, address, envelope, &[], b"");
        self.stream.write_all(&bytes);
    }

    /// Passes over frames until one of `kind`: its header and envelope.
    pub(crate) fn read_frame(&mut self, kind: Kind) -> (Header, Vec<u8>) {
        loop {
            let (header, envelope) = self.next_frame().unwrap();
            if header.kind() == Some(kind) {
                return (header, envelope);
            }
        }
    }

    /// Passes over frames until one of its kind: its tag and what it says.
    pub(crate) fn read<E: Envelope>(&mut self) -> (u32, E) {
        let (header, envelope) = self.read_frame(E::KIND);
        (header.tag, decode(&envelope).unwrap())
    }

    /// Passes over all that comes until the client closes; the kinds.
    pub(crate) fn read_to_end(&mut self) -> Vec<Kind> {
        let frames = std::iter::from_fn(|| self.next_frame());
        frames.filter_map(|(header, _)| header.kind()).collect()
    }

    pub(crate) fn hello(&mut self) -> (u32, Hello, String) {
        let (header, envelope) = self.read_frame(Kind::Hello);
        let (hello, tail) = Hello::read(&envelope).unwrap();
        (header.tag, hello, String::from_utf8(tail.secret().to_vec()).unwrap())
    }

    /// Opens the session: what `Hello` said.
    pub(crate) fn welcome(&mut self, cursor: u64) -> Hello {
        self.welcome_with(|welcome| welcome.cursor = cursor)
    }

    pub(crate) fn welcome_with(&mut self, change: impl FnOnce(&mut Welcome)) -> Hello {
        let (tag, hello, _) = self.hello();
        self.answer_greeting(tag, b"", change);
        hello
    }

    pub(crate) fn resume(&mut self) -> (u32, Resume, Vec<u8>) {
        let (header, envelope) = self.next_frame().unwrap();
        assert_eq!(header.kind(), Some(Kind::Resume), "the first frame of all");
        let (resume, tail) = Resume::read(&envelope).unwrap();
        (header.tag, resume, tail.secret().to_vec())
    }

    /// Opens the session that a first frame with this tag asked for.
    pub(crate) fn answer_greeting(
        &mut self,
        tag: u32,
        ticket: &[u8],
        change: impl FnOnce(&mut Welcome),
    ) {
        let mut welcome = Welcome {
            version: 1,
            kinds_count: 0,
            ticket_length: 0,
            lapsed: 0,
            server_time_ms: 0,
            session: 1,
            generation: 1,
            cursor: 0,
            pending_count: 0,
            pending_bytes: 0,
            frame_bytes_max: 65_536,
            undecided_max: 64,
            heartbeat_min_s: 30,
            heartbeat_max_s: 300,
        };
        change(&mut welcome);
        // Of ListChats none, which a new device would begin with.
        let is_taken = |kind: &Kind| kind.is_sent_by(End::Client) && *kind != Kind::ListChats;
        let kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(is_taken).collect();
        let mut bytes = Vec::new();
        let address = Address { flags: 0, tag, target: ALICE.0 };
        welcome.append(&mut bytes, address, &kinds, ticket).unwrap();
        self.stream.write_all(&bytes);
    }

    /// What the two ends of a connection alone know; zeros where it is plain.
    pub(crate) fn exported(&self) -> [u8; 32] {
        match &self.stream {
            Stream::Plain(_) => [0; 32],
            Stream::Tls(stream) => {
                stream.conn.export_keying_material([0; 32], EXPORTER_LABEL, None).unwrap()
            }
        }
    }

    pub(crate) fn accept(&mut self, tag: u32, sequence: u64) {
        self.write(tag, BOB, &Accepted { sequence, accepted_at_ms: 8 + sequence });
    }

    pub(crate) fn deliver(&mut self, position: u64) {
        self.deliver_payload(position, b"");
    }

    pub(crate) fn deliver_payload(&mut self, position: u64, payload: &[u8]) {
        let deliver = Deliver {
            position,
            after: position - 1,
            device: 22,
            sequence: position,
            accepted_at_ms: position,
            content_type: 1,
        };
        let mut bytes = Vec::new();
        let address = Address { flags: 0, tag: 0, target: BOB.0 };
        append_frame(&mut bytes, address, &deliver, &[], payload);
        self.stream.write_all(&bytes);
    }

    /// None once the client has closed.
    fn next_frame(&mut self) -> Option<(Header, Vec<u8>)> {
        loop {
            let mut rest = self.received.as_slice();
            let frame = self.frames.next_frame(&mut rest, FRAME_BYTES_HARD_MAX).unwrap();
            let frame = frame.map(|frame| (frame.header, frame.envelope.to_vec()));
            let used = self.received.len() - rest.len();
            self.received.drain(..used);
            if frame.is_some() {
                return frame;
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(length) => self.received.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }
}
