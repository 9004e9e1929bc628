//! A live connection of a device: what it was offered, what it took.

use std::collections::VecDeque;

use answerback_proto::id::{DeviceId, Position, UserId};
use answerback_proto::limits::CREDIT_FRAMES_MAX;

use super::effect::{Effect, Entry, Opening, SessionRef};
use super::report::SessionReport;
use super::user::User;
use crate::limits::{ACK_TIMEOUT_MS, ATTEMPT_PAUSE_MAX_MS, PAGE_ENTRIES_MAX};

/// A live connection of a device. A box may hold a million of them.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    pub(crate) session: SessionRef,
    pub(crate) acknowledgement_waits: bool,
    /// More waited than there was room for, or than was in memory: an acknowledgement is the
    /// time to look again.
    pub(crate) is_held: bool,
    /// Who looks is to see when others are there.
    pub(crate) takes_presence: bool,
    /// Who looks is to see that others write.
    pub(crate) takes_typing: bool,
    pub(crate) watch: Watch,
    /// Attempts with the first entry in flight, as far as the pause between them goes.
    attempts: u8,
    credit_frames: u16,
    /// The last entry that was offered, else where the session, or its last resync, began.
    offered: Position,
    /// Entries up to here were offered, or are no matter of this device's.
    scanned: Position,
    /// The greatest position that it was ever offered, or began at: what it may acknowledge,
    /// also where the session has gone back since.
    sent: Position,
    /// Acknowledged in this session; steers only what is pushed.
    pub(crate) acknowledged: Position,
    /// Where `CaughtUp` belongs; `CAUGHT_UP` once it was said.
    catching_up_to: Position,
    credit_bytes: u32,
    /// Made with the first entry that is offered.
    in_flight: Option<Box<InFlight>>,
}

/// Whether a session is looked at because it owes an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// It is not.
    None,
    /// It will be.
    Waiting,
    /// It was probed.
    Probed,
    /// It answered.
    Alive,
}

/// How far a push came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// As far as there is anything, or room.
    All,
    /// The entries of `(after, to]` are on the disk alone.
    Unread { after: Position, to: Position },
}

/// What a session was offered and has not acknowledged.
#[derive(Debug, Default)]
struct InFlight {
    /// Position and bytes of each entry.
    entries: VecDeque<(Position, u32)>,
    bytes: u32,
    /// When the first of them became the first, monotonic ms.
    since_ms: u64,
    /// The first of them when it was last looked at.
    watched_at: Position,
}

/// Entries under way that a session at rest keeps room for.
const IN_FLIGHT_KEPT: usize = 8;
const CAUGHT_UP: Position = Position(u64::MAX);
const _: () = assert!(CREDIT_FRAMES_MAX <= u16::MAX as u32);

impl Session {
    pub(crate) fn new(opening: &Opening, base: Position, last: Position) -> Self {
        Self {
            user: opening.origin.user,
            device: opening.origin.device,
            session: opening.origin.session,
            acknowledgement_waits: false,
            is_held: false,
            takes_presence: opening.takes_presence,
            takes_typing: opening.takes_typing,
            watch: Watch::None,
            attempts: 0,
            credit_frames: opening.credit_frames.min(CREDIT_FRAMES_MAX) as u16,
            offered: base,
            scanned: base,
            sent: base,
            acknowledged: base,
            catching_up_to: last,
            credit_bytes: opening.credit_bytes,
            in_flight: None,
        }
    }

    /// Offers the entries for which there is room.
    pub(crate) fn push(&mut self, user: &User, effects: &mut VecDeque<Effect>) -> Pushed {
        let left_up_to = user.left_up_to();
        self.scanned = self.scanned.max(left_up_to);
        if left_up_to > self.acknowledged {
            // What has left is owed no more: its acknowledgement would say nothing new.
            self.acknowledged = left_up_to;
            self.count_out(left_up_to);
        }
        let is_all_offered = self.offer_following(user, effects);
        self.is_held = true;
        match user.inbox.unread_behind(self.scanned) {
            Some((after, to)) if user.live > 0 => {
                let ahead = user.inbox.following(self.scanned).take(PAGE_ENTRIES_MAX / 2);
                let is_near = ahead.count() < PAGE_ENTRIES_MAX / 2;
                if is_near { Pushed::Unread { after, to } } else { Pushed::All }
            }
            _ if is_all_offered => {
                self.is_held = false;
                self.scanned = self.scanned.max(user.inbox.last_position());
                self.say_caught_up(user.inbox.next_position(), effects);
                Pushed::All
            }
            _ => Pushed::All,
        }
    }

    /// Offers what is in memory; whether that was all of it.
    fn offer_following(&mut self, user: &User, effects: &mut VecDeque<Effect>) -> bool {
        for (position, entry) in user.inbox.following(self.scanned) {
            if entry.body.origin_device() == Some(self.device) && !planted!(CopyToSender) {
                self.scanned = position;
                continue;
            }
            if !self.has_room_for(entry.payload_bytes) {
                return false;
            }
            self.say_caught_up(position, effects);
            let (after, peer, body) = (self.offered, entry.peer, entry.body.clone());
            let bytes = entry.payload_bytes;
            let entry = Entry { position, after, peer, body };
            effects.push_back(Effect::Entry { to: self.session, entry });
            self.count_in(position, bytes);
        }
        true
    }

    /// Takes an acknowledgement; whether it said anything new.
    pub(crate) fn acknowledge(&mut self, up_to: Position) -> bool {
        if up_to <= self.acknowledged {
            return false;
        }
        self.acknowledged = up_to;
        self.offered = self.offered.max(up_to);
        self.scanned = self.scanned.max(up_to);
        self.count_out(up_to);
        true
    }

    /// Whether it was offered what lies up to a position.
    pub(crate) fn was_sent(&self, up_to: Position) -> bool {
        up_to <= self.sent
    }

    /// What lies behind a position is offered again.
    pub(crate) fn go_back(&mut self, cursor: Position) {
        self.offered = cursor;
        self.scanned = cursor;
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.entries.clear();
            in_flight.bytes = 0;
        }
    }

    /// Whether entries that are no matter of this device's lie behind all that it took: they
    /// count as acknowledged then, which this notes.
    pub(crate) fn passed_over_its_own(&mut self) -> bool {
        let passed = self.first_in_flight().is_none() && self.scanned > self.acknowledged;
        if passed {
            self.acknowledged = self.scanned;
        }
        passed
    }

    /// Whether it owes an acknowledgement and nobody looks at it, which this notes.
    pub(crate) fn begins_to_owe(&mut self) -> bool {
        let Some(first) = self.first_in_flight().filter(|_| self.watch == Watch::None) else {
            return false;
        };
        self.watch = Watch::Waiting;
        self.has_moved_to(first);
        true
    }

    /// Notes the first entry in flight at a look; whether it was another at the last.
    pub(crate) fn has_moved_to(&mut self, first: Position) -> bool {
        let Some(in_flight) = &mut self.in_flight else { return true };
        std::mem::replace(&mut in_flight.watched_at, first) != first
    }

    /// The first entry that it was offered and has not acknowledged.
    pub(crate) fn first_in_flight(&self) -> Option<Position> {
        self.in_flight.as_ref()?.entries.front().map(|(position, _)| *position)
    }

    /// Whether it owes nothing. What is offered once more after an attempt is still owed.
    pub(crate) fn owes_nothing(&self) -> bool {
        self.attempts == 0 && self.first_in_flight().is_none()
    }

    /// It took something, or what it is offered is the first since it owed nothing.
    pub(crate) fn note_progress(&mut self, now_ms: u64) {
        self.attempts = 0;
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.since_ms = now_ms;
        }
    }

    /// For how long it has been offered something and taken nothing, ms.
    pub(crate) fn unacknowledged_ms(&self, now_ms: u64) -> u64 {
        let owed = self.in_flight.as_ref().filter(|in_flight| !in_flight.entries.is_empty());
        owed.map_or(0, |in_flight| now_ms.saturating_sub(in_flight.since_ms))
    }

    /// How it is.
    pub(crate) fn report(&self, now_ms: u64) -> SessionReport {
        let in_flight = self.in_flight.as_ref();
        SessionReport {
            device: self.device,
            session: self.session,
            acknowledged: self.acknowledged,
            offered: self.offered,
            in_flight: in_flight.map_or(0, |in_flight| in_flight.entries.len() as u64),
            in_flight_bytes: in_flight.map_or(0, |in_flight| u64::from(in_flight.bytes)),
            unacknowledged_ms: self.unacknowledged_ms(now_ms),
        }
    }

    /// How long to wait before the next look; longer with each attempt.
    pub(crate) fn pause_ms(&mut self, has_moved: bool) -> u64 {
        self.attempts = if has_moved { 0 } else { self.attempts.saturating_add(1) };
        let pause_ms = ACK_TIMEOUT_MS.checked_shl(u32::from(self.attempts).min(16));
        pause_ms.unwrap_or(ATTEMPT_PAUSE_MAX_MS).min(ATTEMPT_PAUSE_MAX_MS)
    }

    /// One larger entry goes alone.
    fn has_room_for(&self, bytes: u32) -> bool {
        let Some(in_flight) = &self.in_flight else { return true };
        in_flight.entries.is_empty()
            || in_flight.entries.len() < usize::from(self.credit_frames)
                && in_flight.bytes.saturating_add(bytes) <= self.credit_bytes
    }

    fn count_in(&mut self, position: Position, bytes: u32) {
        self.offered = position;
        self.scanned = position;
        self.sent = self.sent.max(position);
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

    /// Once, before the first entry that was not there at `Hello`.
    fn say_caught_up(&mut self, next: Position, effects: &mut VecDeque<Effect>) {
        if next > self.catching_up_to {
            self.catching_up_to = CAUGHT_UP;
            let (to, user, position) = (self.session, self.user, self.offered);
            effects.push_back(Effect::CaughtUp { to, user, position });
        }
    }
}
