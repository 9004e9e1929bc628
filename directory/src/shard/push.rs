//! Who is online, and what each session should be sent next: a function of (state,
//! sessions, now) that decides nothing. All of it may be lost; what an inbox holds is offered
//! again.

use std::collections::{BTreeSet, VecDeque};

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Generation, Position, UserId};
use answerback_proto::kind::Kind;

use super::by_user::{ByUser, OfUser};
use super::effect::{Effect, Entry, EntryBody, Opened, Opening, SessionRef};
use super::load::Wanted;
use super::report::SessionReport;
use super::session::{Pushed, Session, Watch};
use super::user::{Standing, User};
use crate::limits::{ACK_TIMEOUT_MS, PAGED_ENTRIES_MAX, PROBE_TIMEOUT_MS};

/// The live sessions of a partition's users.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// A user may have several, one a device.
    live: ByUser<Session>,
    /// Sessions whose acknowledgement waits to be journaled.
    acknowledging: Vec<(UserId, SessionRef)>,
    /// Users who may have something to be pushed.
    to_push: Vec<UserId>,
    /// When to look whether a session still takes what it is offered.
    watched: BTreeSet<(u64, UserId, SessionRef)>,
    now_ms: u64,
}

/// An entry that a living session was offered and did not acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unacknowledged {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    pub(crate) position: Position,
}

impl Sessions {
    /// The time is at least this, on the driver's monotonic clock.
    pub(crate) fn advance(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    /// The latest time that the driver told.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// A login took effect: an older session of the device gives way.
    pub(crate) fn open(
        &mut self,
        opening: &Opening,
        user: &User,
        generation: Generation,
        lapsed: bool,
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
        let base = if planted!(HelloMovesCursor) { stored } else { committed.min(stored) };
        let pending_count = u64::from(if base >= user.floor { user.above } else { user.live });
        let opened = Opened {
            generation,
            cursor: base,
            pending_count,
            pending_bytes: user.bytes,
            lapsed,
            copies: user.has_several_devices(),
            notes_writing: user.is_for_contacts(),
        };
        let (to, tag) = (origin.session, origin.tag);
        effects.push_back(Effect::Opened { to, tag, user: origin.user, opened });
        self.live.insert(Session::new(opening, base, user.inbox.last_position()));
        self.to_push.push(origin.user);
    }

    /// Whether a session is live.
    pub(crate) fn has(&self, user: UserId, session: SessionRef) -> bool {
        self.live.of(user).any(|known| known.session == session)
    }

    /// Whether any session of a user is.
    pub(crate) fn has_any(&self, user: UserId) -> bool {
        self.live.get(user).is_some()
    }

    /// Whether a device of a user has a session.
    pub(crate) fn has_device(&self, user: UserId, device: DeviceId) -> bool {
        self.live.of(user).any(|known| known.device == device)
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
        let Some(known) = find(&mut self.live, user, session) else { return Ok(()) };
        if !known.was_sent(up_to) {
            return Err(Code::AckBeyondSent);
        }
        if known.acknowledge(up_to) {
            // What lies behind may be its own, and nothing else would say that it has it.
            known.passed_over_its_own();
            known.note_progress(self.now_ms);
            if !std::mem::replace(&mut known.acknowledgement_waits, true) {
                self.acknowledging.push((user, session));
            }
            if known.is_held {
                self.to_push.push(user);
            }
        }
        Ok(())
    }

    /// Whether a session was offered what lies up to a position.
    pub(crate) fn was_sent(&mut self, user: UserId, session: SessionRef, up_to: Position) -> bool {
        find(&mut self.live, user, session).is_none_or(|known| known.was_sent(up_to))
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
        let Some(known) = find(&mut self.live, user, session) else { return Ok(()) };
        if !known.was_sent(cursor) {
            return Err(Code::AckBeyondSent);
        }
        known.go_back(cursor);
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
            if let Some(known) = find(&mut self.live, user, session)
                && std::mem::take(&mut known.acknowledgement_waits)
            {
                each(user, known.device, known.acknowledged);
            }
        }
        self.acknowledging = waiting;
    }

    /// The acknowledgement of one session, where it waits.
    pub(crate) fn take_acknowledgement(
        &mut self,
        user: UserId,
        session: SessionRef,
    ) -> Option<Position> {
        let known = find(&mut self.live, user, session)?;
        std::mem::take(&mut known.acknowledgement_waits).then_some(known.acknowledged)
    }

    /// A user's inbox got an entry, or what was read for it.
    pub(crate) fn touch(&mut self, user: UserId) {
        if self.has_any(user) {
            self.to_push.push(user);
        }
    }

    /// A user's devices changed: sessions of those that are revoked end, and of those that
    /// lapsed, which may come back; the others are told what is done with all that they send.
    pub(crate) fn handle_devices(&mut self, user: &User, effects: &mut VecDeque<Effect>) {
        let (copies, notes_writing) = (user.has_several_devices(), user.is_for_contacts());
        let mut ended = Vec::new();
        for session in self.live.of(user.id) {
            let to = session.session;
            match user.device(session.device).map(|device| device.standing) {
                Some(Standing::Active | Standing::Returned) => {
                    effects.push_back(Effect::Copies { to, copies, notes_writing })
                }
                Some(Standing::Lapsed) => ended.push((to, Code::SessionMoved)),
                Some(Standing::Revoked) | None => ended.push((to, Code::DeviceRevoked)),
            }
        }
        for (to, code) in ended {
            self.live.take(user.id, |known| known.session == to);
            effects.push_back(Effect::Close { to, tag: 0, kind: None, code });
        }
    }

    /// All sessions of a user end, and may come back with what is still good.
    pub(crate) fn recheck(&mut self, user: UserId, effects: &mut VecDeque<Effect>) {
        while let Some(ended) = self.live.take(user, |_| !planted!(RevokedGoesOn)) {
            let (to, code) = (ended.session, Code::SessionRecheck);
            effects.push_back(Effect::Close { to, tag: 0, kind: None, code });
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

    /// The sessions of a user.
    pub(crate) fn of(&self, user: UserId) -> impl Iterator<Item = SessionRef> {
        self.live.of(user).map(|session| session.session)
    }

    /// Whether a session is live, and shown when others are there.
    pub(crate) fn takes_presence(&self, user: UserId, session: SessionRef) -> bool {
        self.live.of(user).any(|known| known.session == session && known.takes_presence)
    }

    /// The sessions of a user that are shown who writes.
    pub(crate) fn that_take_typing(&self, user: UserId) -> impl Iterator<Item = SessionRef> {
        let takes = |session: &&Session| session.takes_typing || planted!(TypingToAll);
        let takers = self.live.of(user).filter(takes);
        takers.map(|session| session.session)
    }

    /// Pushes to one user who may have something to be pushed; false where none is left.
    /// `wanted` is told what has to be read before there can be more.
    pub(crate) fn push_next(
        &mut self,
        users: &mut ByUser<User>,
        effects: &mut VecDeque<Effect>,
        mut wanted: impl FnMut(Wanted),
    ) -> bool {
        let Some(user_id) = self.to_push.pop() else { return false };
        let Some(user) = users.get_mut(user_id) else { return true };
        self.live.each_mut(user_id, |session| {
            let owed_nothing = session.owes_nothing();
            let pushed = session.push(user, effects);
            if owed_nothing {
                session.note_progress(self.now_ms);
            }
            match pushed {
                Pushed::All => {}
                Pushed::Unread { after, to } => {
                    if user.inbox.paged_entries() > PAGED_ENTRIES_MAX {
                        user.inbox.forget_page_before(session.acknowledged.next());
                    }
                    wanted(Wanted::Page { user: user_id, after, to });
                }
            }
            if session.passed_over_its_own() && !session.acknowledgement_waits {
                session.acknowledgement_waits = true;
                self.acknowledging.push((user_id, session.session));
            }
            if session.begins_to_owe() {
                let due_ms = self.now_ms + ACK_TIMEOUT_MS;
                self.watched.insert((due_ms, user_id, session.session));
            }
        });
        true
    }

    /// How many sessions are live.
    pub(crate) fn count(&self) -> usize {
        self.live.len()
    }

    /// For how long a session has been offered something and taken nothing, at most, ms. Each
    /// session that owes an acknowledgement is watched.
    pub(crate) fn unacknowledged_ms(&self, now_ms: u64) -> u64 {
        let owing = self.watched.iter().filter_map(|&(_, user, session)| {
            let known = self.live.of(user).find(|known| known.session == session)?;
            Some(known.unacknowledged_ms(now_ms))
        });
        owing.max().unwrap_or(0)
    }

    /// How the sessions of a user are.
    pub(crate) fn report(&self, user: UserId, now_ms: u64) -> Vec<SessionReport> {
        self.live.of(user).map(|session| session.report(now_ms)).collect()
    }

    /// A frame came from a session that was probed.
    pub(crate) fn handle_alive(&mut self, user: UserId, session: SessionRef) {
        if let Some(known) = find(&mut self.live, user, session)
            && known.watch == Watch::Probed
        {
            known.watch = Watch::Alive;
        }
    }

    /// When a session is to be looked at.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        self.watched.first().map(|(due_ms, ..)| *due_ms)
    }

    /// Looks at the sessions that should have acknowledged something by now: probes them,
    /// offers again what a living one did not take, and ends those that do not answer.
    pub(crate) fn handle_timeout(
        &mut self,
        effects: &mut VecDeque<Effect>,
        mut unacknowledged: impl FnMut(Unacknowledged),
    ) {
        while let Some(&(due_ms, user, session)) = self.watched.first()
            && due_ms <= self.now_ms
        {
            self.watched.pop_first();
            let Some(known) = find(&mut self.live, user, session) else { continue };
            let Some(first) = known.first_in_flight() else {
                known.watch = Watch::None;
                continue;
            };
            let has_moved = known.has_moved_to(first);
            let pause_ms = match known.watch {
                _ if has_moved => {
                    known.watch = Watch::Waiting;
                    known.pause_ms(true)
                }
                Watch::None | Watch::Waiting => {
                    known.watch = Watch::Probed;
                    effects.push_back(Effect::Probe { to: session });
                    PROBE_TIMEOUT_MS
                }
                Watch::Probed => {
                    let (to, code) = (session, Code::ProbeUnanswered);
                    effects.push_back(Effect::Close { to, tag: 0, kind: None, code });
                    continue;
                }
                Watch::Alive => {
                    unacknowledged(Unacknowledged { user, device: known.device, position: first });
                    known.watch = Watch::Waiting;
                    known.go_back(known.acknowledged);
                    self.to_push.push(user);
                    known.pause_ms(false)
                }
            };
            self.watched.insert((self.now_ms + pause_ms, user, session));
        }
    }
}

fn find(live: &mut ByUser<Session>, user: UserId, session: SessionRef) -> Option<&mut Session> {
    live.find_mut(user, |known| known.session == session)
}

/// Refuses a login.
pub(crate) fn refused(opening: &Opening, code: Code) -> Effect {
    let Opening { origin, grant, .. } = opening;
    let kind = if grant.ticket.is_some() { Kind::Resume } else { Kind::Hello };
    Effect::Close { to: origin.session, tag: origin.tag, kind: Some(kind), code }
}

impl OfUser for Session {
    fn user(&self) -> UserId {
        self.user
    }
}
