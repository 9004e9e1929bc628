//! A connection without a client library behind it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use answerback_proto::access::{access, access_exact};
use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::kind::{End, Envelope, Error, Hello, Kind, Send, Welcome};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;

use super::{Place, Server};

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);
const DEVICE: u32 = 7;

/// A connection that says whatever a test wants.
pub(crate) struct Raw {
    socket: TcpStream,
    frames: FrameBuffer,
    received: Vec<u8>,
}

/// Header tag, kind and envelope.
type Told = (u32, Option<Kind>, Vec<u8>);

impl Raw {
    pub(crate) fn connect(server: &Server) -> Self {
        let socket = TcpStream::connect(&server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { socket, frames: FrameBuffer::default(), received: Vec::new() }
    }

    /// A session of a user's device, its `counter`th.
    pub(crate) fn log_in(place: &Place, server: &Server, user: u32, counter: u64) -> Self {
        let mut raw = Self::connect(server);
        raw.socket.write_all(&hello_frame(place, user, counter)).unwrap();
        let envelope = raw.answer(1, Kind::Welcome);
        assert_eq!(access::<Welcome>(&envelope).unwrap().0.version, 1);
        raw
    }

    pub(crate) fn send(&mut self, to: u32, sequence: u64, payload: &[u8]) {
        self.socket.write_all(&send_frame(to, sequence, payload)).unwrap();
    }

    /// Says whole frames.
    pub(crate) fn say(&mut self, frames: &[u8]) {
        self.socket.write_all(frames).unwrap();
    }

    /// The answer to a tag, which must be of this kind.
    pub(crate) fn answer(&mut self, tag: u32, kind: Kind) -> Vec<u8> {
        loop {
            let (its_tag, its_kind, envelope) = self.next().unwrap();
            if its_tag == tag {
                assert_eq!(its_kind, Some(kind));
                return envelope;
            }
        }
    }

    /// The answer to a tag, of whatever kind.
    pub(crate) fn any_answer(&mut self, tag: u32) -> (Kind, Vec<u8>) {
        loop {
            if let (its_tag, Some(kind), envelope) = self.next().unwrap()
                && its_tag == tag
            {
                return (kind, envelope);
            }
        }
    }

    /// The next frame; none at the end.
    fn next(&mut self) -> Option<Told> {
        loop {
            let mut rest = self.received.as_slice();
            let frame = self.frames.next_frame(&mut rest, FRAME_BYTES_HARD_MAX).unwrap();
            let told =
                frame.map(|frame| (frame.header.tag, frame.header.kind(), frame.envelope.to_vec()));
            self.received = rest.to_vec();
            if told.is_some() {
                return told;
            }
            let mut buffer = [0; 4096];
            match self.socket.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => self.received.extend_from_slice(buffer.get(..length).unwrap()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                    return None;
                }
            }
        }
    }

    /// Says it and no more; the error that comes before the end, where one does.
    pub(crate) fn say_last(mut self, bytes: &[u8]) -> Option<Code> {
        // The box may be through with it before all of it is taken.
        let _ = self.socket.write_all(bytes);
        let _ = self.socket.shutdown(Shutdown::Write);
        let mut code = None;
        while let Some((_, kind, envelope)) = self.next() {
            assert_eq!(code, None, "nothing comes behind an error");
            if kind == Some(Kind::Error) {
                code = Code::from_number(read::<Error>(&envelope).code);
            }
        }
        code
    }
}

pub(crate) fn read<E: Envelope>(envelope: &[u8]) -> E {
    E::from_archived(access_exact::<E>(envelope).unwrap())
}

/// A whole `Hello` of a user's device, for its `counter`th session.
pub(crate) fn hello_frame(place: &Place, user: u32, counter: u64) -> Vec<u8> {
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        kinds_count: 0,
        token_length: 0,
        device: u128::from(DEVICE),
        app_build: 1,
        mode: 0,
        credit_frames: 256,
        credit_bytes: 1 << 20,
        connection_counter: counter,
        generation: 0,
        cursor: 0,
    };
    let kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Server)).collect();
    let (mut bytes, token) = (Vec::new(), place.token(user, DEVICE));
    let address = Address { flags: 0, tag: 1, target: u128::from(user) };
    hello.append(&mut bytes, address, &kinds, token.as_bytes()).unwrap();
    bytes
}

/// A whole `Send`, its sequence its tag.
pub(crate) fn send_frame(to: u32, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let send = Send { sequence, seen_ms: 0, life_s: 0, content_type: 1 };
    let tag = u32::try_from(sequence).unwrap() + 100;
    let mut bytes = Vec::new();
    append_frame(
        &mut bytes,
        Address { flags: 0, tag, target: u128::from(to) },
        &send,
        &[],
        payload,
    );
    bytes
}
