//! From `Hello` or `Resume` to the user's home, and to `Welcome`.
//!
//! Those who greet in a tick wait until all of them are read, since their tokens are checked
//! together. Until then nothing of them is known to anybody else.

use answerback_directory::limits::OPEN_BYTES_MAX;
use answerback_directory::shard::{Opened, SessionRef};
use answerback_proto::code::Code;
use answerback_proto::frame_buffer::{Frame, FrameBuffer};
use answerback_proto::kind::Kind;
use tracing::debug;

use super::Core;
use super::mesh::Arrival;
use super::stop::Phase;
use crate::auth::{self, Pass, TokenFault};
use crate::clock::unix_ms;
use crate::random;
use crate::reactor::slot::SlotKey;
use crate::session::handshake::{Claim, Greeting, Unfit};
use crate::session::reply::WelcomeWords;
use crate::session::{Fault, Session, State, reply};

/// Who greeted in this tick.
#[derive(Debug)]
pub(super) struct Greeter {
    /// The connection.
    pub(super) key: SlotKey,
    /// What it says, and by which proof.
    pub(super) claim: Claim,
    /// What came behind that.
    pub(super) frames: Option<Box<FrameBuffer>>,
}

impl Core {
    /// What a client is told whose token is not taken. Those that name an unknown key are
    /// counted: the account service may have a new one.
    pub(super) fn note_unfit(&mut self, unfit: Unfit) -> Code {
        self.counts.unknown_keys += u64::from(unfit == Unfit::Token(TokenFault::UnknownKey));
        unfit.code()
    }

    /// Reads a `Hello`.
    pub(super) fn read_hello(&mut self, frame: &Frame<'_>) -> Result<Claim, Code> {
        let read = Claim::by_token(frame, &self.verifier, unix_ms() / 1000);
        read.map_err(|unfit| self.note_unfit(unfit))
    }

    /// Reads a `Resume`.
    pub(super) fn read_resume(&mut self, key: SlotKey, frame: &Frame<'_>) -> Result<Claim, Code> {
        let exported = self.connections.find(key).and_then(|connection| connection.exporter());
        let exported = exported.ok_or(Code::TicketInvalid)?;
        let keys = (&self.sealing_keys, self.verifier.as_ref());
        Claim::by_ticket(frame, keys, &exported, unix_ms() / 1000)
    }

    /// Lets those in, and go on, whose tokens are good.
    pub(super) fn check_tokens(&mut self) {
        let mut greeters = std::mem::take(&mut self.greeters);
        let renewals = self.renewals.take();
        let of_greeters = greeters.iter().filter_map(|greeter| greeter.claim.proof.as_ref());
        let of_renewals = renewals.iter().map(|(_, renewal)| &renewal.proof);
        let proofs: Vec<_> = of_greeters.chain(of_renewals).collect();
        let mut verdicts = auth::check(&proofs).into_iter();
        for Greeter { key, claim: Claim { greeting, proof }, frames } in greeters.drain(..) {
            if proof.is_none() || verdicts.next() == Some(true) {
                self.open(key, greeting, frames);
            } else {
                self.fail_greeting(key, &greeting, Code::TokenInvalid);
            }
        }
        for ((key, renewal), is_genuine) in renewals.iter().zip(verdicts) {
            self.end_renewal(*key, renewal, is_genuine);
        }
        self.greeters = greeters;
    }

    /// Asks the home of the user, on this core or by moving to another.
    fn open(&mut self, key: SlotKey, greeting: Greeting, frames: Option<Box<FrameBuffer>>) {
        let Some(connection) = self.connections.find(key) else { return };
        let Pass { user, device, .. } = greeting.pass;
        connection.session = Session::opening(user, device);
        let core = self.shared.table.core_of(self.shared.table.partition_of(user));
        if core == self.core {
            self.keep(key, frames);
            self.open_here(key, &greeting);
        } else if self.mesh.has_room_for_arrival(core) {
            self.move_socket(key, core, greeting, frames);
        } else {
            self.fail_greeting(key, &greeting, Code::Busy);
        }
    }

    /// Asks the home of the user, which is on this core.
    pub(super) fn open_here(&mut self, key: SlotKey, greeting: &Greeting) {
        if self.phase != Phase::Serving {
            return self.fail_greeting(key, greeting, Code::Draining);
        }
        let partition = self.shared.table.partition_of(greeting.pass.user);
        let opening = greeting.opening(self.session_ref(key));
        let shard = self.shards.touch(partition);
        // A login is a record like others, but no shard refuses it.
        match shard.filter(|shard| shard.pending().bytes < OPEN_BYTES_MAX) {
            Some(shard) => {
                shard.handle_opening(opening);
                self.openings.insert(key, *greeting);
            }
            None => self.fail_greeting(key, greeting, Code::Busy),
        }
    }

    fn move_socket(
        &mut self,
        key: SlotKey,
        core: u16,
        greeting: Greeting,
        frames: Option<Box<FrameBuffer>>,
    ) {
        let Some(mut connection) = self.connections.remove(key) else { return };
        let prefix = self.entrance.take_prefix(key);
        if self.reactor.release(&mut connection.socket).is_err() {
            return self.let_out(prefix);
        }
        // Made anew, it may be registered with another poll.
        let socket = mio::net::TcpStream::from_std(connection.socket.into());
        let cover = connection.cover;
        self.mesh.move_there(core, Arrival { socket, cover, prefix, frames, greeting });
    }

    fn fail_greeting(&mut self, key: SlotKey, greeting: &Greeting, code: Code) {
        let fault = Fault { code, kind: greeting.kind.number(), tag: greeting.tag };
        self.fail(key, fault);
    }

    /// The home let a device in: it is told, and gets its next ticket.
    pub(super) fn welcome(&mut self, to: SessionRef, tag: u32, opened: &Opened) {
        let Some(key) = self.key_of(to) else { return };
        let Some(greeting) = self.openings.remove(&key) else { return };
        let Some(connection) = self.connections.find(key) else { return };
        if connection.session.state != State::Opening {
            return;
        }
        connection.session.state = State::Open;
        connection.session.copies = opened.copies;
        connection.session.notes_writing = opened.notes_writing;
        connection.session.is_active = greeting.is_active;
        if let Some(cover) = &mut connection.cover {
            cover.tls.forget_exporter();
        }
        let (pass, counter) = (greeting.pass, greeting.connection_counter);
        let session = random::number();
        debug!(user = %pass.user, device = %pass.device, session, "a session is open");
        self.counts.logins += 1;
        self.counts.resumed += u64::from(greeting.kind == Kind::Resume);
        self.set_expiry(key, pass.grant.expires_s);
        let mut ticket = Vec::new();
        auth::issue(&self.sealing_keys, &pass, counter, &mut ticket);
        let words =
            WelcomeWords { config: &self.config, unix_ms: unix_ms(), session, ticket: &ticket };
        let user = pass.user;
        self.connections.append(key, |out| reply::append_welcome(out, tag, user, opened, words));
    }
}
