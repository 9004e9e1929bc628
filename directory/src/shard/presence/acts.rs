//! When users acted last, as far as it is in memory, and which of it no row has.

use answerback_proto::id::UserId;

use super::super::by_user::{ByUser, OfUser};
use crate::limits::ACTS_AT_REST_MAX;

/// The last actions that are known, of users who acted lately, are watched, or were asked for.
#[derive(Debug, Default)]
pub(super) struct Acts {
    known: ByUser<Act>,
    /// Those of whom the rows say something else, each once.
    changed: Vec<UserId>,
}

#[derive(Debug)]
struct Act {
    user: UserId,
    /// The last action, ms since 1970; 0 for none.
    last_ms: u64,
    /// When watchers were told last; 0 for never.
    told_ms: u64,
    is_changed: bool,
}

impl OfUser for Act {
    fn user(&self) -> UserId {
        self.user
    }
}

impl Acts {
    /// The last action of a user, 0 for none; nothing where that has to be read.
    pub(super) fn last_ms(&self, user: UserId) -> Option<u64> {
        self.known.get(user).map(|act| act.last_ms)
    }

    /// A user acted; whether that is to be told: at once of who was not there for `away_ms`, of
    /// others as often as `refresh_ms` says.
    pub(super) fn note(
        &mut self,
        user: UserId,
        now_ms: u64,
        away_ms: u64,
        refresh_ms: u64,
    ) -> bool {
        let Some(act) = self.known.get_or_insert_with(user, Act::none) else { return false };
        let was_away = now_ms.saturating_sub(act.last_ms) >= away_ms;
        act.last_ms = act.last_ms.max(now_ms);
        let is_told = was_away || now_ms.saturating_sub(act.told_ms) >= refresh_ms;
        if is_told {
            act.told_ms = now_ms;
        }
        self.change(user);
        is_told
    }

    /// What a row says, where nothing newer is known.
    pub(super) fn insert_read(&mut self, user: UserId, last_ms: u64) {
        self.known.get_or_insert_with(user, |user| Act { last_ms, ..Act::none(user) });
    }

    /// There is no such user any more.
    pub(super) fn forget(&mut self, user: UserId) {
        self.known.take(user, |_| true);
    }

    /// Whether the rows say something else of anybody.
    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What no row has: user and last action.
    pub(super) fn take_changes(&mut self, mut each: impl FnMut(UserId, u64)) -> usize {
        let changed = std::mem::take(&mut self.changed);
        for user in &changed {
            if let Some(act) = self.known.get_mut(*user) {
                act.is_changed = false;
                each(*user, act.last_ms);
            }
        }
        changed.len()
    }

    /// Forgets those that are not kept, once there are many, and that a row has.
    pub(super) fn make_room(&mut self, is_kept: impl Fn(UserId) -> bool) {
        if self.known.count() > ACTS_AT_REST_MAX {
            self.known.retain(|act| act.is_changed || is_kept(act.user));
        }
    }

    fn change(&mut self, user: UserId) {
        if let Some(act) = self.known.get_mut(user)
            && !std::mem::replace(&mut act.is_changed, true)
        {
            self.changed.push(user);
        }
    }
}

impl Act {
    fn none(user: UserId) -> Self {
        Self { user, last_ms: 0, told_ms: 0, is_changed: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: UserId = UserId(1);

    #[test]
    fn who_comes_back_is_told_at_once_and_who_stays_now_and_then() {
        let mut acts = Acts::default();
        let mut note = |at_ms: u64| acts.note(A, 1_000_000 + at_ms, 20_000, 10_000);
        assert!(note(0));
        assert!(!note(5_000) && !note(9_999));
        assert!(note(10_000));
        assert!(!note(15_000));
        assert!(note(35_000), "away for 20 s");
    }

    #[test]
    fn each_change_is_written_once_and_an_older_row_changes_nothing() {
        let mut acts = Acts::default();
        acts.note(A, 1_000, 20_000, 10_000);
        acts.note(A, 2_000, 20_000, 10_000);
        acts.insert_read(A, 500);
        acts.insert_read(UserId(2), 700);
        let mut written = Vec::new();
        assert_eq!(acts.take_changes(|user, last_ms| written.push((user, last_ms))), 1);
        assert_eq!((written, acts.has_changes()), (vec![(A, 2_000)], false));
        assert_eq!((acts.last_ms(A), acts.last_ms(UserId(2))), (Some(2_000), Some(700)));
        acts.note(A, 3_000, 20_000, 10_000);
        acts.forget(A);
        acts.take_changes(|user, last_ms| panic!("{user} at {last_ms}"));
    }

    #[test]
    fn what_no_row_has_stays() {
        let mut acts = Acts::default();
        for user in 0..=ACTS_AT_REST_MAX as u128 {
            acts.insert_read(UserId(user), 1);
        }
        acts.note(A, 1_000, 20_000, 10_000);
        acts.make_room(|user| user == UserId(2));
        assert_eq!(acts.known.count(), 2);
    }
}
