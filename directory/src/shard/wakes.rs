//! Who has to be woken: users for whom a message waits that no session took in time.
//!
//! ```text
//!            a message waits          after_ms, not taken              again_s
//!  nothing ─────────────────► looked for ──────────────► woken ──────────────────► nothing
//!     ▲                          │  ▲                      │ newer ones wait: looked for
//!     └───── taken, all of it ───┘  └── a session took something, and a newer one came
//! ```
//! A function of (state, sessions' acknowledgements as applied, now). It decides nothing and
//! stands in no journal: a wake may be lost or come twice. After a restart nobody is looked for
//! until the next message: a search of all inboxes would wake again whoever is away and was
//! woken long ago. What waited when the box stopped in order was handed over before.
//!
//! A flood makes one wake, since a user is looked for once, whatever comes meanwhile.

use std::collections::BTreeSet;

use answerback_proto::id::{Position, UserId};

use super::by_user::{ByUser, OfUser};
use super::load::Wanted;
use super::{Effect, Shard};
use crate::limits::{ACK_TIMEOUT_MS, WAKES_MAX, WAKES_PER_LOOK_MAX};

/// When users are woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakePolicy {
    /// So long a session has to take a message, ms.
    pub after_ms: u64,
    /// So long a user who was woken is left alone while no session takes anything, s.
    pub again_s: u64,
}

impl Default for WakePolicy {
    fn default() -> Self {
        Self { after_ms: ACK_TIMEOUT_MS, again_s: 15 * 60 }
    }
}

/// A user who has to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Who.
    pub user: UserId,
    /// Messages that no device of the user's has acknowledged.
    pub messages: u32,
}

/// Users for whom something waits.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    /// None where nobody would wake them.
    policy: Option<WakePolicy>,
    waiting: ByUser<Waiting>,
    /// When to look whether each of them has taken it, but for those who are being read.
    due: BTreeSet<(u64, UserId)>,
    /// Messages that found no room.
    overlooked: u64,
}

#[derive(Debug)]
struct Waiting {
    user: UserId,
    /// The message that is looked for; of a user who was woken, the last one before that.
    position: Position,
    /// The newest message, and when it came.
    newest: Position,
    newest_at_ms: u64,
    due_ms: u64,
    /// The floor when the user was woken, where that is so.
    woken_at: Option<Position>,
}

/// What a look finds of a user.
#[derive(Clone, Copy, Debug)]
struct Seen {
    floor: Position,
    /// Messages above it.
    messages: u32,
}

impl OfUser for Waiting {
    fn user(&self) -> UserId {
        self.user
    }
}

impl Wakes {
    /// A message waits from now on; `floor` is the user's, where that is in memory.
    fn note(&mut self, user: UserId, position: Position, floor: Option<Position>, now_ms: u64) {
        let Some(policy) = self.policy else { return };
        let due_ms = now_ms.saturating_add(policy.after_ms);
        let Some(known) = self.waiting.get_mut(user) else {
            if self.waiting.len() >= WAKES_MAX {
                self.overlooked += 1;
                return;
            }
            let (newest, newest_at_ms, woken_at) = (position, now_ms, None);
            let new = Waiting { user, position, newest, newest_at_ms, due_ms, woken_at };
            self.waiting.insert(new);
            self.due.insert((due_ms, user));
            return;
        };
        if !planted!(WakeForgotten) {
            (known.newest, known.newest_at_ms) = (position, now_ms);
        }
        let has_taken = |woken_at| floor.is_some_and(|floor| floor > woken_at);
        if known.woken_at.is_some_and(|at| has_taken(at) || planted!(WokenForEach)) {
            self.due.remove(&(known.due_ms, user));
            (known.position, known.woken_at, known.due_ms) = (position, None, due_ms);
            self.due.insert((due_ms, user));
        }
    }

    fn poll_timeout(&self) -> Option<u64> {
        self.due.first().map(|(due_ms, _)| *due_ms)
    }

    /// The next whose time has come; it is looked at, or read first.
    fn take_due(&mut self, now_ms: u64) -> Option<UserId> {
        let &(_, user) = self.due.first().filter(|(due_ms, _)| *due_ms <= now_ms)?;
        self.due.pop_first();
        Some(user)
    }

    /// Whether a user's time has come, and the user had to be read.
    fn is_awaited(&self, user: UserId, now_ms: u64) -> bool {
        self.waiting.get(user).is_some_and(|known| {
            known.due_ms <= now_ms && !self.due.contains(&(known.due_ms, user))
        })
    }

    /// A user's time has come.
    fn look(&mut self, user: UserId, seen: Seen, now_ms: u64) -> Option<Wake> {
        let (policy, known) = (self.policy?, self.waiting.get_mut(user)?);
        let is_looked_for = known.woken_at.is_none() && seen.floor < known.position;
        if seen.messages == 0 && !planted!(WokenThoughTaken) {
            self.forget(user);
            return None;
        }
        if !is_looked_for && !planted!(WokenThoughTaken) {
            if known.newest <= known.position.max(seen.floor) {
                self.forget(user);
                return None;
            }
            (known.position, known.woken_at) = (known.newest, None);
            known.due_ms = known.newest_at_ms.saturating_add(policy.after_ms);
            if known.due_ms > now_ms {
                self.due.insert((known.due_ms, user));
                return None;
            }
        }
        (known.position, known.woken_at) = (known.newest, Some(seen.floor));
        known.due_ms = now_ms.saturating_add(policy.again_s.saturating_mul(1000));
        self.due.insert((known.due_ms, user));
        Some(Wake { user, messages: seen.messages })
    }

    fn forget(&mut self, user: UserId) {
        if let Some(known) = self.waiting.take(user, |_| true) {
            self.due.remove(&(known.due_ms, user));
        }
    }

    /// How many users are looked for, or left alone for a while.
    pub(crate) fn count(&self) -> usize {
        self.waiting.len()
    }

    /// Messages that found no room here: nobody is woken for them.
    pub(crate) fn overlooked(&self) -> u64 {
        self.overlooked
    }
}

impl Shard {
    /// From now on users are woken so; none: nobody is, and who was looked for is not any more.
    pub fn handle_wake_policy(&mut self, policy: Option<WakePolicy>) {
        if policy.is_none() {
            self.wakes = Wakes { overlooked: self.wakes.overlooked, ..Wakes::default() };
        }
        self.wakes.policy = policy;
    }

    /// The box stops in order: whoever is looked for and has no session is woken at once, since
    /// nobody looks for them afterwards.
    pub fn handle_stopping(&mut self) {
        let waiting: Vec<_> = self.wakes.due.iter().map(|(_, user)| *user).collect();
        for user in waiting {
            let is_looked_for =
                self.wakes.waiting.get(user).is_some_and(|known| known.woken_at.is_none());
            if is_looked_for && !self.sessions.has_any(user) {
                let known = self.state.users.get(user);
                let messages = known.map_or(1, |known| known.messages);
                self.wakes.forget(user);
                if messages > 0 {
                    self.effects.push_back(Effect::Wake(Wake { user, messages }));
                }
            }
        }
    }

    /// Notes the messages that the records just applied brought.
    pub(super) fn note_waiting(&mut self) {
        if self.consequences.waiting.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.consequences.waiting);
        for (user, position) in waiting.drain(..) {
            let floor = self.state.users.get(user).map(|user| user.floor);
            self.wakes.note(user, position, floor, self.sessions.now_ms());
        }
        self.consequences.waiting = waiting;
    }

    /// When the next has to be looked at, monotonic ms.
    pub(super) fn wakes_due_ms(&self) -> Option<u64> {
        self.wakes.poll_timeout()
    }

    /// Looks after those whose time has come.
    pub(super) fn look_after_wakes(&mut self) {
        for _ in 0..WAKES_PER_LOOK_MAX {
            let Some(user) = self.wakes.take_due(self.sessions.now_ms()) else { return };
            self.look_whether_to_wake(user);
        }
    }

    /// A user was read, perhaps to be looked at.
    pub(super) fn handle_read_for_wake(&mut self, user: UserId) {
        if self.wakes.is_awaited(user, self.sessions.now_ms()) {
            self.look_whether_to_wake(user);
        }
    }

    /// Whoever is not in memory is read first: a session may have come and gone.
    fn look_whether_to_wake(&mut self, user_id: UserId) {
        let Some(user) = self.state.users.get(user_id) else {
            return self.load(Wanted::Head(user_id));
        };
        let messages = if user.exists() { user.messages } else { 0 };
        let seen = Seen { floor: user.floor, messages };
        let wake = self.wakes.look(user_id, seen, self.sessions.now_ms());
        self.effects.extend(wake.map(Effect::Wake));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_and_the_next_message_finds_what_became_free() {
        let mut wakes = Wakes { policy: Some(WakePolicy::default()), ..Wakes::default() };
        let users = || (0..=WAKES_MAX as u128).map(UserId);
        users().for_each(|user| wakes.note(user, Position(1), None, 0));
        assert_eq!((wakes.count(), wakes.overlooked()), (WAKES_MAX, 1));
        wakes.forget(UserId(0));
        users().for_each(|user| wakes.note(user, Position(2), None, 1));
        assert_eq!((wakes.count(), wakes.overlooked()), (WAKES_MAX, 2));
        let seen = Seen { floor: Position(0), messages: 1 };
        let woken = users().filter_map(|user| wakes.look(user, seen, ACK_TIMEOUT_MS + 1));
        assert_eq!(woken.count(), WAKES_MAX);
    }
}
