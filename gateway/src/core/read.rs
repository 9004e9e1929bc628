//! From bytes to shards: what connections say.

use std::sync::atomic::Ordering;

use answerback_directory::limits::BUSY_RETRY_AFTER_MS;
use answerback_directory::shard::Origin;
use answerback_directory::shard::reply::append_answer;
use answerback_proto::code::Code;
use answerback_proto::frame_buffer::{Frame, FrameBuffer};
use answerback_proto::id::UserId;
use answerback_proto::kind::Kind;

use super::Core;
use super::connections::ReadBuffers;
use super::greet::Greeter;
use super::slow::Mark;
use super::stop::Phase;
use crate::admission::Sender;
use crate::limits::{
    DISK_RETRY_AFTER_MS, DRAINING_DELAY_MS, GREETINGS_PER_TICK, MEMORY_RETRY_AFTER_MS,
    READ_BYTES_PER_TICK,
};
use crate::reactor::slot::SlotKey;
use crate::session::handshake::Claim;
use crate::session::reply::Refusal;
use crate::session::{Fault, Request, Session, State, reply};
use crate::transport::Received;

impl Core {
    /// Reads connections of the ready lists, once each and as many as a tick may.
    pub(super) fn read_ready(&mut self) {
        if self.phase.is_reading() {
            self.read_sessions();
            self.read_handshakes();
            self.read_greetings();
            self.check_tokens();
        }
    }

    fn read_sessions(&mut self) {
        let mut left = READ_BYTES_PER_TICK;
        for _ in 0..self.connections.ready_count() {
            if left == 0 {
                return;
            }
            if let Some(key) = self.connections.next_ready() {
                left = left.saturating_sub(self.read(key));
            }
        }
    }

    fn read_greetings(&mut self) {
        // One that is listed again waits: its end must not be read before it is answered.
        for _ in 0..self.connections.greeting_count().min(GREETINGS_PER_TICK) {
            if let Some(key) = self.connections.next_greeting() {
                self.read(key);
            }
        }
    }

    /// Reads once; says how many bytes came.
    pub(super) fn read(&mut self, key: SlotKey) -> usize {
        if !self.has_begun(key) {
            return 0;
        }
        let mut buffers = std::mem::take(&mut self.read_buffers);
        let length = self.read_into(key, &mut buffers);
        self.read_buffers = buffers;
        length
    }

    fn read_into(&mut self, key: SlotKey, buffers: &mut ReadBuffers) -> usize {
        match self.connections.receive(key, buffers) {
            Received::Bytes { length, is_full } => {
                self.counts.received_bytes += length as u64;
                let Some(connection) = self.connections.find(key) else { return length };
                connection.heard_s = (self.now_us / 1_000_000) as u32;
                let (is_covered, is_read_closed) =
                    (connection.cover.is_some(), connection.is_read_closed);
                // There is more, or the end, and no event will say so.
                if is_full || is_read_closed {
                    self.connections.list(key);
                }
                if is_covered {
                    self.handle_uncovered(key, &buffers.plain);
                } else {
                    let (received, _) = buffers.raw.split_at(length);
                    self.handle_received(key, received);
                }
                length
            }
            Received::Nothing => 0,
            Received::Again => {
                self.connections.list(key);
                0
            }
            Received::Ended => {
                self.close(key);
                0
            }
            Received::Broken => {
                self.handle_broken(key);
                0
            }
        }
    }

    pub(super) fn handle_received(&mut self, key: SlotKey, mut received: &[u8]) {
        let Some(connection) = self.connections.find(key) else { return };
        // What comes behind the last word is read and dropped: a close with unread bytes
        // would be a reset, and a reset can overtake the last word.
        if connection.session.state == State::Closing {
            return;
        }
        if std::mem::take(&mut connection.session.is_probed) {
            self.tell_alive(key);
        }
        let Some(connection) = self.connections.find(key) else { return };
        let mut frames = connection.frames.take().map_or_else(FrameBuffer::default, |kept| *kept);
        let (kept, length) = (frames.kept(), received.len());
        let mut claim = None;
        let handled = self.handle_frames(key, &mut frames, &mut received, &mut claim);
        if let Err(fault) = handled {
            return self.fail(key, fault);
        }
        if frames.kept() != kept + length
            && let Some(connection) = self.connections.find(key)
        {
            connection.progress.set(Mark::Framed, true);
        }
        // A connection at rest keeps nothing, not even the last frame's memory.
        let frames = (frames.kept() > 0).then(|| Box::new(frames));
        match claim {
            Some(claim) => self.greeters.push(Greeter { key, claim, frames }),
            None => self.keep(key, frames),
        }
    }

    /// Who was asked whether anybody is there has answered.
    fn tell_alive(&mut self, key: SlotKey) {
        let Some(connection) = self.connections.find(key) else { return };
        let (session, session_ref) = (connection.session, self.session_ref(key));
        if let Some(shard) = self.shards.touch(self.home_of(session)) {
            shard.handle_alive(session.user, session_ref);
        }
    }

    pub(super) fn keep(&mut self, key: SlotKey, frames: Option<Box<FrameBuffer>>) {
        self.connections.keep(key, frames);
    }

    fn handle_frames(
        &mut self,
        key: SlotKey,
        frames: &mut FrameBuffer,
        received: &mut &[u8],
        claim: &mut Option<Claim>,
    ) -> Result<(), Fault> {
        loop {
            let Some(connection) = self.connections.find(key) else { return Ok(()) };
            let mut session = connection.session;
            if claim.is_some() {
                session.state = State::Opening;
            }
            let frame_bytes_max = session.frame_bytes_max(self.config.frame_bytes_max);
            let next = frames.next_frame(received, frame_bytes_max);
            let Some(frame) = next.map_err(Fault::of_connection)? else { return Ok(()) };
            let handled = match session.admit(&frame) {
                Ok(Request::Hello | Request::Resume) if self.is_memory_low() => {
                    Err(Code::MemoryReserve)
                }
                Ok(Request::Hello) => self.read_hello(&frame).map(|hello| *claim = Some(hello)),
                Ok(Request::Resume) => {
                    self.read_resume(key, &frame).map(|resume| *claim = Some(resume))
                }
                Ok(request) => self.handle_request(key, session, &frame, request),
                Err(code) => Err(code),
            };
            handled.map_err(|code| Fault::of_frame(code, &frame.header))?;
        }
    }

    #[inline]
    fn handle_request(
        &mut self,
        key: SlotKey,
        session: Session,
        frame: &Frame<'_>,
        request: Request,
    ) -> Result<(), Code> {
        let tag = frame.header.tag;
        if frame.header.is_user_action() {
            self.note_action(key, session, frame);
        }
        let origin = Origin {
            session: self.session_ref(key),
            tag,
            user: session.user,
            device: session.device,
            copies: session.copies,
        };
        match request {
            Request::Send => return self.ask_home(key, &session, origin, frame, Kind::Send),
            Request::Recall => return self.ask_home(key, &session, origin, frame, Kind::Recall),
            Request::Skip => return self.ask_home(key, &session, origin, frame, Kind::Skip),
            Request::Read => return self.ask_home(key, &session, origin, frame, Kind::Read),
            Request::Report => return self.ask_home(key, &session, origin, frame, Kind::Report),
            Request::Own(kind) => return self.ask_home(key, &session, origin, frame, kind),
            Request::Group(kind) => return self.ask_home(key, &session, origin, frame, kind),
            Request::Ack => {
                if let Some(shard) = self.shards.touch(self.home_of(session)) {
                    shard.handle_ack(origin, frame.envelope);
                }
            }
            Request::Resync => {
                if let Some(shard) = self.shards.touch(self.home_of(session)) {
                    shard.handle_resync(origin, frame.envelope);
                }
            }
            Request::Typing => return self.pass_typing(key, session, frame),
            Request::Ping(echo) => {
                self.connections.append(key, |out| reply::append_pong(out, tag, echo));
            }
            Request::Renew => return self.begin_renewal(key, &session, frame),
            Request::Hello | Request::Resume | Request::Nothing => {}
        }
        Ok(())
    }

    /// Why a request is not taken, whoever is its target.
    #[inline]
    fn refusal(&mut self, origin: &Origin, frame: &Frame<'_>, takes_room: bool) -> Option<Refusal> {
        let sender = Sender { user: origin.user, device: origin.device };
        let (code, retry_after_ms) = if self.phase != Phase::Serving {
            (Code::Draining, DRAINING_DELAY_MS)
        } else if takes_room && self.is_memory_low() {
            (Code::MemoryReserve, MEMORY_RETRY_AFTER_MS)
        } else if takes_room && self.shared.is_disk_low.load(Ordering::Relaxed) {
            (Code::DiskReserve, DISK_RETRY_AFTER_MS)
        } else if let Err(wait_ms) = self.rates.admit(sender, frame.header.length, self.now_us) {
            (Code::RateLimited, wait_ms)
        } else {
            return None;
        };
        Some(Refusal { code, retry_after_ms })
    }

    /// Whether nothing is taken that needs more memory.
    pub(super) fn is_memory_low(&self) -> bool {
        self.shared.is_memory_low.load(Ordering::Relaxed)
    }

    /// A user's own home notes to whom he writes, before that one's home hears of it; `false` where
    /// it has no room for that.
    fn note_writing(&mut self, session: &Session, kind: Kind, peer: UserId) -> bool {
        if !matches!(kind, Kind::Send | Kind::Recall) {
            return true;
        }
        let shard = self.shards.touch(self.home_of(*session));
        shard.is_some_and(|shard| shard.note_writing(session.user, peer))
    }

    /// Hands a request to the home of its target, here or on another core, or refuses it.
    #[inline]
    fn ask_home(
        &mut self,
        key: SlotKey,
        session: &Session,
        origin: Origin,
        frame: &Frame<'_>,
        kind: Kind,
    ) -> Result<(), Code> {
        let target = UserId(frame.header.target);
        let table = &self.shared.table;
        let partition = table.home_of_request(kind, origin.user, target, frame.envelope);
        let home = self.shared.table.core_of(partition);
        let takes_room = kind.carries_payload();
        let asked = if let Some(refusal) = self.refusal(&origin, frame, takes_room) {
            Err(refusal)
        } else if session.notes_writing && !self.note_writing(session, kind, target) {
            Err(Refusal::busy(BUSY_RETRY_AFTER_MS))
        } else if home == self.core {
            let asked = self.shards.handle_request(partition, kind, origin, frame);
            asked.map_err(Refusal::busy)
        } else if self.mesh.forward(home, &origin, frame) {
            Ok(())
        } else {
            Err(Refusal::busy(BUSY_RETRY_AFTER_MS))
        };
        match asked {
            Ok(()) => {
                if let Some(connection) = self.connections.find(key) {
                    connection.unanswered += 1;
                }
            }
            Err(refusal) => {
                self.counts.refused.count(refusal.code);
                let refusal = reply::refusal(frame, kind, refusal)?;
                self.connections
                    .append(key, |out| append_answer(out, origin.tag, target, &refusal));
            }
        }
        Ok(())
    }
}
