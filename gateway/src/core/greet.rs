//! From `Hello` to the user's home.
//!
//! Those who greet in a tick wait until all of them are read, since their tokens are checked
//! together. Until then nothing of them is known to anybody else.

use answerback_directory::limits::OPEN_BYTES_MAX;
use answerback_proto::code::Code;
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::kind::Kind;

use super::Core;
use super::mesh::Arrival;
use super::stop::Phase;
use crate::auth::{self, Pass, TokenFault};
use crate::reactor::slot::SlotKey;
use crate::session::handshake::{Claim, Greeting, Unfit};
use crate::session::{Fault, Session};

/// Who said `Hello` in this tick.
#[derive(Debug)]
pub(super) struct Greeter {
    /// The connection.
    pub(super) key: SlotKey,
    /// What it says, and by which proof.
    pub(super) claim: Claim,
    /// What came behind `Hello`.
    pub(super) frames: Option<Box<FrameBuffer>>,
}

impl Core {
    /// What a client is told whose token is not taken. Those that name an unknown key are
    /// counted: the account service may have a new one.
    pub(super) fn note_unfit(&mut self, unfit: Unfit) -> Code {
        self.counts.unknown_keys += u64::from(unfit == Unfit::Token(TokenFault::UnknownKey));
        unfit.code()
    }

    /// Lets those in whose tokens are good.
    pub(super) fn check_greetings(&mut self) {
        let mut greeters = std::mem::take(&mut self.greeters);
        let proofs: Vec<_> = greeters.iter().map(|greeter| &greeter.claim.proof).collect();
        let verdicts = auth::check(&proofs);
        for (greeter, is_genuine) in greeters.drain(..).zip(verdicts) {
            let Greeter { key, claim: Claim { greeting, .. }, frames } = greeter;
            if is_genuine {
                self.open(key, greeting, frames);
            } else {
                self.fail_greeting(key, &greeting, Code::TokenInvalid);
            }
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
            Some(shard) => shard.handle_opening(opening),
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
        if self.reactor.release(&mut connection.socket).is_err() {
            return self.shared.seats.give_back();
        }
        // Made anew, it may be registered with another poll.
        let socket = mio::net::TcpStream::from_std(connection.socket.into());
        let cover = connection.cover;
        self.mesh.move_there(core, Arrival { socket, cover, frames, greeting });
    }

    fn fail_greeting(&mut self, key: SlotKey, greeting: &Greeting, code: Code) {
        let fault = Fault { code, kind: Kind::Hello.number(), tag: greeting.tag };
        self.fail(key, fault);
    }
}
