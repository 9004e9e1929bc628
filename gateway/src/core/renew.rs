//! A new token for a session that is open.
//!
//! ```text
//! Renew ──read──► waits for its turn ──proof, with those of greeters──► the home's word ──► Renewed
//! ```
//! A connection may have one under way, so whoever sends many costs others a share of a tick.

use std::collections::VecDeque;

use answerback_proto::code::Code;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::kind::Kind;

use super::Core;
use crate::auth::{self, Pass};
use crate::clock::unix_ms;
use crate::limits::GREETINGS_PER_TICK;
use crate::reactor::slot::SlotKey;
use crate::session::renewal::Renewal;
use crate::session::{Fault, Session, State, reply};

/// Those that wait for a check of their proofs.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    waiting: VecDeque<(SlotKey, Renewal)>,
}

impl Renewals {
    /// Whether there are any.
    pub(super) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// As many as a tick may check.
    pub(super) fn take(&mut self) -> Vec<(SlotKey, Renewal)> {
        let count = self.waiting.len().min(GREETINGS_PER_TICK);
        let taken = self.waiting.drain(..count).collect();
        if self.waiting.is_empty() {
            self.waiting.shrink_to(GREETINGS_PER_TICK);
        }
        taken
    }
}

impl Core {
    /// Takes a `Renew`.
    ///
    /// # Errors
    /// As [`Renewal::read`]; `KindNotAllowed` before the answer to the last one.
    pub(super) fn begin_renewal(
        &mut self,
        key: SlotKey,
        session: &Session,
        frame: &Frame<'_>,
    ) -> Result<(), Code> {
        if session.is_renewing {
            return Err(Code::KindNotAllowed);
        }
        let read = Renewal::read(frame, session, &self.verifier, unix_ms() / 1000);
        let renewal = read.map_err(|unfit| self.note_unfit(unfit))?;
        if let Some(connection) = self.connections.find(key) {
            connection.session.is_renewing = true;
            self.renewals.waiting.push_back((key, renewal));
        }
        Ok(())
    }

    /// Its proof was checked: the session goes on with the new token, or ends.
    pub(super) fn end_renewal(&mut self, key: SlotKey, renewal: &Renewal, is_genuine: bool) {
        let Some(connection) = self.connections.find(key) else { return };
        if connection.session.state != State::Open {
            return;
        }
        connection.session.is_renewing = false;
        let told = if is_genuine { self.ask_grant(&renewal.pass) } else { Err(Code::TokenInvalid) };
        match told {
            Ok(counter) => self.renew(key, renewal, counter),
            Err(code) => {
                let kind = Kind::Renew.number();
                self.fail(key, Fault { code, kind, tag: renewal.tag });
            }
        }
    }

    /// What the home says to a pass: the counter of the device's session.
    fn ask_grant(&mut self, pass: &Pass) -> Result<u64, Code> {
        let partition = self.shared.table.partition_of(pass.user);
        let shard = self.shards.touch(partition).ok_or(Code::Busy)?;
        shard.check_grant(pass.user, pass.device, &pass.grant)
    }

    fn renew(&mut self, key: SlotKey, renewal: &Renewal, connection_counter: u64) {
        let Renewal { tag, pass, .. } = renewal;
        self.counts.renewed += 1;
        self.set_expiry(key, pass.grant.expires_s);
        let mut ticket = Vec::new();
        auth::issue(&self.sealing_keys, pass, connection_counter, &mut ticket);
        self.connections.append(key, |out| reply::append_renewed(out, *tag, pass, &ticket));
    }
}
