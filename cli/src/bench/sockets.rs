//! The connections of a load: who is logged in on each, and what goes out on it.

use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::kind::{Ack, End, Envelope, Hello, Kind, Resync};
use answerback_proto::limits::{CREDIT_BYTES_MAX, CREDIT_FRAMES_MAX};
use mio::net::TcpStream;

use super::pair::Inbox;
use super::users::Login;
use crate::exit::Failure;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    HelloSent,
    Open,
}

/// A connection of the run.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) login: Login,
    pub(super) state: State,
    pub(super) frames: FrameBuffer,
    pub(super) out: Vec<u8>,
    pub(super) is_dirty: bool,
    /// The socket took no more: writing waits until it says that it does.
    pub(super) is_full: bool,
}

/// The connections of a run, as a job sees them: buffers to write to.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) connections: Vec<Option<Connection>>,
    pub(super) dirty: Vec<usize>,
    pub(super) closing: Vec<usize>,
    pub(super) opening: Vec<(usize, Login)>,
}

impl Sockets {
    /// A connection, while it is there.
    pub(super) fn connection(&mut self, at: usize) -> Option<&mut Connection> {
        self.connections.get_mut(at)?.as_mut()
    }

    /// Connects and logs in at the end of the turn.
    pub(super) fn open(&mut self, at: usize, login: Login) {
        self.opening.push((at, login));
    }

    /// Resets a connection at the end of the turn, before others are opened.
    pub(super) fn close(&mut self, at: usize) {
        self.closing.push(at);
    }

    /// Appends a frame to what goes out on a connection at the end of the turn.
    pub(super) fn send<E: Envelope>(
        &mut self,
        at: usize,
        address: Address,
        envelope: &E,
        payload: &[u8],
    ) {
        if let Some(out) = self.out(at) {
            append_frame(out, address, envelope, &[], payload);
        }
    }

    fn out(&mut self, at: usize) -> Option<&mut Vec<u8>> {
        let connection = self.connections.get_mut(at)?.as_mut()?;
        if !connection.is_dirty {
            connection.is_dirty = true;
            self.dirty.push(at);
        }
        Some(&mut connection.out)
    }

    /// Who is logged in on a connection.
    pub(super) fn login(&self, at: usize) -> Option<&Login> {
        self.connections.get(at)?.as_ref().map(|connection| &connection.login)
    }

    /// Acknowledges what a connection's inbox took, and asks for what it lacks.
    pub(super) fn acknowledge(&mut self, at: usize, inbox: &mut Inbox) {
        let Some(target) = self.login(at).map(|login| login.user.0) else { return };
        let address = Address { flags: 0, tag: 0, target };
        if let Some(up_to) = inbox.take_ack() {
            self.send(at, address, &Ack { up_to }, &[]);
        }
        if let Some(cursor) = inbox.take_resync() {
            self.send(at, address, &Resync { cursor }, &[]);
        }
    }

    /// The first frame of a connection.
    pub(super) fn send_hello(&mut self, at: usize) -> Result<(), Failure> {
        let Some(login) = self.login(at).cloned() else { return Ok(()) };
        let Login { user, device, token, connection_counter } = login;
        let hello = Hello {
            version_min: 1,
            version_max: 1,
            kinds_count: 0,
            token_length: 0,
            device: device.0,
            app_build: 0,
            mode: 0,
            credit_frames: CREDIT_FRAMES_MAX,
            credit_bytes: CREDIT_BYTES_MAX,
            connection_counter,
            generation: 0,
            cursor: 0,
        };
        let address = Address { flags: 0, tag: 1, target: user.0 };
        let Some(out) = self.out(at) else { return Ok(()) };
        let kinds: Vec<Kind> =
            Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Server)).collect();
        hello.append(out, address, &kinds, token.as_bytes()).map_err(bad_login)
    }
}

fn bad_login(code: Code) -> Failure {
    Failure::new(format_args!(
        "no server would read this login ({}): is the token too long?",
        code.name()
    ))
}
