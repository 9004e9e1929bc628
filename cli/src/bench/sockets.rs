//! The connections of a load: who is logged in on each, and what goes out on it.

use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::header::USER_ACTION;
use answerback_proto::id::UserId;
use answerback_proto::kind::{Ack, End, Envelope, Hello, Kind, Resume, Resync, Watch};
use answerback_proto::limits::{CREDIT_BYTES_MAX, CREDIT_FRAMES_MAX};
use answerback_proto::ticket::{SECRET_BYTES, proof_message};
use aws_lc_rs::hmac;

use super::connection::Connection;
use super::pair::Inbox;
use super::users::{Login, ResumeTicket};
use crate::exit::Failure;

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

    /// A person opens the app, and watches others from now on.
    pub(super) fn watch(&mut self, at: usize, users: &[UserId]) {
        let Some(target) = self.login(at).map(|login| login.user.0) else { return };
        let address = Address { flags: USER_ACTION, tag: 2, target };
        if let Some(out) = self.out(at) {
            let appended = Watch { once: 0, users_count: 0 }.append(out, address, users);
            debug_assert_eq!(appended, Ok(()));
        }
    }

    /// What goes out on a connection at the end of the turn.
    pub(super) fn out(&mut self, at: usize) -> Option<&mut Vec<u8>> {
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

    /// What a connection's cover has to say goes out at the end of the turn.
    pub(super) fn mark(&mut self, at: usize) {
        self.out(at);
    }

    /// The first frame of a connection: by ticket, where its device has one.
    pub(super) fn send_hello(&mut self, at: usize) -> Result<(), Failure> {
        let Some(Some(connection)) = self.connections.get(at) else { return Ok(()) };
        let exported = match &connection.cover {
            Some(cover) => cover.exported()?,
            None => [0; SECRET_BYTES],
        };
        let mut login = connection.login.clone();
        let ticket = login.ticket.take();
        let address = Address { flags: 0, tag: 1, target: login.user.0 };
        let kinds: Vec<Kind> =
            Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Server)).collect();
        let Some(out) = self.out(at) else { return Ok(()) };
        match ticket {
            Some(ticket) => {
                let resume = resume(&login, &ticket, &exported);
                resume.append(out, address, &kinds, &ticket.sealed)
            }
            None => hello(&login).append(out, address, &kinds, login.token.as_bytes()),
        }
        .map_err(bad_login)
    }
}

fn hello(login: &Login) -> Hello {
    Hello {
        version_min: 1,
        version_max: 1,
        kinds_count: 0,
        token_length: 0,
        device: login.device.0,
        app_build: 0,
        mode: 0,
        credit_frames: CREDIT_FRAMES_MAX,
        credit_bytes: CREDIT_BYTES_MAX,
        connection_counter: login.connection_counter,
        generation: 0,
        cursor: 0,
    }
}

fn resume(login: &Login, ticket: &ResumeTicket, exported: &[u8; SECRET_BYTES]) -> Resume {
    let message = proof_message(exported, login.user, login.device, login.connection_counter);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &ticket.secret);
    let proof = hmac::sign(&key, &message);
    let (low, high) = proof.as_ref().split_at(SECRET_BYTES / 2);
    let half = |bytes: &[u8]| u128::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 16]));
    Resume {
        version_min: 1,
        version_max: 1,
        kinds_count: 0,
        ticket_length: 0,
        device: login.device.0,
        app_build: 0,
        mode: 0,
        credit_frames: CREDIT_FRAMES_MAX,
        credit_bytes: CREDIT_BYTES_MAX,
        connection_counter: login.connection_counter,
        generation: 0,
        cursor: 0,
        proof_low: half(low),
        proof_high: half(high),
    }
}

fn bad_login(code: Code) -> Failure {
    Failure::new(format_args!(
        "no server would read this login ({}): is the token too long?",
        code.name()
    ))
}
