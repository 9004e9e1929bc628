//! Who is online, and what each session should be sent next: a function of (state,
//! sessions) that decides nothing. All of it may be lost; what an inbox holds is offered
//! again.

use std::collections::VecDeque;

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Generation, Position, UserId};
use answerback_proto::kind::Kind;
use answerback_proto::limits::CREDIT_FRAMES_MAX;

use super::by_user::{ByUser, OfUser};
use super::effect::{Effect, Entry, EntryBody, Opened, Opening, SessionRef};
use super::user::User;

/// A live connection of a device. A box may hold a million of them.
#[derive(Debug)]
struct Session {
    user: UserId,
    device: DeviceId,
    session: SessionRef,
    acknowledgement_waits: bool,
    credit_frames: u16,
    /// All up to here were stored by the device when the session, or its last resync, began.
    base: Position,
    /// Entries up to here were offered in this session.
    sent: Position,
    /// Acknowledged in this session; steers only what is pushed.
    acknowledged: Position,
    /// Where `CaughtUp` belongs; `CAUGHT_UP` once it was said.
    catching_up_to: Position,
    credit_bytes: u32,
    /// Made with the first entry that is offered.
    in_flight: Option<Box<InFlight>>,
}

/// What a session was offered and has not acknowledged.
#[derive(Debug, Default)]
struct InFlight {
    /// Position and bytes of each entry.
    entries: VecDeque<(Position, u32)>,
    bytes: u32,
}

/// Entries under way that a session at rest keeps room for.
const IN_FLIGHT_KEPT: usize = 8;
const CAUGHT_UP: Position = Position(u64::MAX);
const _: () = assert!(CREDIT_FRAMES_MAX <= u16::MAX as u32);

impl OfUser for Session {
    fn user(&self) -> UserId {
        self.user
    }
}

impl Session {
    fn new(opening: &Opening, base: Position, last: Position) -> Self {
        Self {
            user: opening.origin.user,
            device: opening.origin.device,
            session: opening.origin.session,
            acknowledgement_waits: false,
            credit_frames: opening.credit_frames.min(CREDIT_FRAMES_MAX) as u16,
            base,
            sent: base,
            acknowledged: base,
            catching_up_to: last,
            credit_bytes: opening.credit_bytes,
            in_flight: None,
        }
    }

    /// One larger entry goes alone.
    fn has_room_for(&self, bytes: u32) -> bool {
        let Some(in_flight) = &self.in_flight else { return true };
        in_flight.entries.is_empty()
            || in_flight.entries.len() < usize::from(self.credit_frames)
                && in_flight.bytes.saturating_add(bytes) <= self.credit_bytes
    }

    fn count_in(&mut self, position: Position, bytes: u32) {
        self.sent = position;
        let in_flight = self.in_flight.get_or_insert_default();
        in_flight.entries.push_back((position, bytes));
        in_flight.bytes = in_flight.bytes.saturating_add(bytes);
    }

    fn count_out(&mut self, up_to: Position) {
        let Some(in_flight) = &mut self.in_flight else { return };
        while let Some((_, bytes)) =
            in_flight.entries.pop_front_if(|(position, _)| *position <= up_to)
        {
            in_flight.bytes = in_flight.bytes.saturating_sub(bytes);
        }
        if in_flight.entries.is_empty() && in_flight.entries.capacity() > IN_FLIGHT_KEPT {
            self.in_flight = None;
        }
    }

    /// Offers the entries for which there is room.
    fn push(&mut self, user: &User, effects: &mut VecDeque<Effect>) {
        let mut after = self.offered_before(user);
        for (position, entry) in user.inbox.behind(self.sent) {
            let bytes = entry.payload_bytes() as u32;
            if !self.has_room_for(bytes) {
                return;
            }
            self.say_caught_up(position, effects);
            let (peer, body) = (entry.peer, entry.body.clone());
            let entry = Entry { position, after, peer, body };
            effects.push_back(Effect::Entry { to: self.session, entry });
            self.count_in(position, bytes);
            after = position;
        }
        self.say_caught_up(user.inbox.next_position(), effects);
    }

    /// The place that the device surely has, or was offered and may still acknowledge.
    fn offered_before(&self, user: &User) -> Position {
        user.inbox.last_until(self.sent).unwrap_or_else(|| {
            let committed = user.device(self.device).map_or(Position(0), |device| device.cursor);
            committed.min(self.base)
        })
    }

    /// Once, before the first entry that was not there at `Hello`.
    fn say_caught_up(&mut self, next: Position, effects: &mut VecDeque<Effect>) {
        if next > self.catching_up_to {
            self.catching_up_to = CAUGHT_UP;
            let (to, user, position) = (self.session, self.user, self.sent);
            effects.push_back(Effect::CaughtUp { to, user, position });
        }
    }
}

/// The live sessions of a partition's users.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// A user may have several, one a device.
    live: ByUser<Session>,
    /// Sessions whose acknowledgement waits to be journaled.
    acknowledging: Vec<(UserId, SessionRef)>,
    /// Users who may have something to be pushed.
    to_push: Vec<UserId>,
}

impl Sessions {
    /// A login took effect: an older session of the device gives way.
    pub(crate) fn open(
        &mut self,
        opening: &Opening,
        user: &User,
        generation: Generation,
        effects: &mut VecDeque<Effect>,
    ) {
        let origin = opening.origin;
        let older = |session: &Session| session.device == origin.device;
        if let Some(older) = self.live.take(origin.user, older) {
            let (to, code) = (older.session, Code::SessionReplaced);
            effects.push_back(Effect::Close { to, tag: 0, kind: None, code });
        }
        let committed = user.device(origin.device).map_or(Position(0), |device| device.cursor);
        let stored = if opening.generation == generation { opening.cursor } else { committed };
        let base = committed.min(stored);
        let (pending_count, pending_bytes) = pending(user, base);
        let opened =
            Opened { generation, cursor: base, pending_count, pending_bytes, lapsed: false };
        let (to, tag) = (origin.session, origin.tag);
        effects.push_back(Effect::Opened { to, tag, user: origin.user, opened });
        self.live.insert(Session::new(opening, base, user.inbox.last_position()));
        self.to_push.push(origin.user);
    }

    /// Whether a session is live.
    pub(crate) fn has(&self, user: UserId, session: SessionRef) -> bool {
        self.live.of(user).any(|known| known.session == session)
    }

    /// A session is gone; returns what it had acknowledged and nobody has journaled.
    pub(crate) fn close(
        &mut self,
        user: UserId,
        session: SessionRef,
    ) -> Option<(DeviceId, Position)> {
        let closed = self.live.take(user, |known| known.session == session)?;
        closed.acknowledgement_waits.then_some((closed.device, closed.acknowledged))
    }

    /// A device has stored its inbox up to a position.
    ///
    /// # Errors
    /// `AckBeyondSent`: it was never offered that much in this session.
    pub(crate) fn acknowledge(
        &mut self,
        user: UserId,
        session: SessionRef,
        up_to: Position,
    ) -> Result<(), Code> {
        let Some(known) = self.find(user, session) else { return Ok(()) };
        if up_to > known.sent {
            return Err(Code::AckBeyondSent);
        }
        if up_to <= known.acknowledged {
            return Ok(());
        }
        known.acknowledged = up_to;
        known.count_out(up_to);
        if !std::mem::replace(&mut known.acknowledgement_waits, true) {
            self.acknowledging.push((user, session));
        }
        self.to_push.push(user);
        Ok(())
    }

    /// A device wants what is behind a position again.
    ///
    /// # Errors
    /// `AckBeyondSent`: it was never offered that much in this session.
    pub(crate) fn resync(
        &mut self,
        user: UserId,
        session: SessionRef,
        cursor: Position,
    ) -> Result<(), Code> {
        let Some(known) = self.find(user, session) else { return Ok(()) };
        if cursor > known.sent {
            return Err(Code::AckBeyondSent);
        }
        known.base = cursor;
        known.sent = cursor;
        known.in_flight = None;
        self.to_push.push(user);
        Ok(())
    }

    /// How many acknowledgements wait to be journaled.
    pub(crate) fn acknowledgements(&self) -> usize {
        self.acknowledging.len()
    }

    /// The acknowledgements that wait, each session's newest.
    pub(crate) fn take_acknowledgements(
        &mut self,
        mut each: impl FnMut(UserId, DeviceId, Position),
    ) {
        let mut waiting = std::mem::take(&mut self.acknowledging);
        for (user, session) in waiting.drain(..) {
            if let Some(known) = self.find(user, session) {
                known.acknowledgement_waits = false;
                each(user, known.device, known.acknowledged);
            }
        }
        self.acknowledging = waiting;
    }

    /// A user's inbox got an entry.
    pub(crate) fn touch(&mut self, user: UserId) {
        if self.live.get(user).is_some() {
            self.to_push.push(user);
        }
    }

    /// Shows something that is not in the inbox to all sessions of a user.
    pub(crate) fn show(
        &self,
        user: UserId,
        peer: UserId,
        body: &EntryBody,
        effects: &mut VecDeque<Effect>,
    ) {
        for session in self.live.of(user) {
            let (position, after) = (Position(0), Position(0));
            let entry = Entry { position, after, peer, body: body.clone() };
            effects.push_back(Effect::Entry { to: session.session, entry });
        }
    }

    /// Pushes to one user who may have something to be pushed; false where none is left.
    pub(crate) fn push_next(
        &mut self,
        users: &ByUser<User>,
        effects: &mut VecDeque<Effect>,
    ) -> bool {
        let Some(user_id) = self.to_push.pop() else { return false };
        if let Some(user) = users.get(user_id) {
            self.live.of_mut(user_id).for_each(|session| session.push(user, effects));
        }
        true
    }

    fn find(&mut self, user: UserId, session: SessionRef) -> Option<&mut Session> {
        self.live.of_mut(user).find(|known| known.session == session)
    }
}

/// Refuses a login whose counter went back.
pub(crate) fn rolled_back(opening: &Opening) -> Effect {
    Effect::Close {
        to: opening.origin.session,
        tag: opening.origin.tag,
        kind: Some(Kind::Hello),
        code: Code::DeviceRolledBack,
    }
}

fn pending(user: &User, base: Position) -> (u64, u64) {
    user.inbox.behind(base).fold((0, 0), |(count, bytes), (_, entry)| {
        (count + 1, bytes + entry.payload_bytes() as u64)
    })
}
