//! Who watches the users of a partition. A session's list comes whole, one for each partition
//! that has somebody of it, and comes again now and then: one that stays away is forgotten, since
//! the word that it ended may have been lost.

use answerback_proto::id::UserId;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::super::effect::SessionRef;
use crate::limits::{WATCH_FORGOTTEN_MS, WATCHES_MAX};

/// The watchers of a partition's users.
#[derive(Debug, Default)]
pub(super) struct Watched {
    watchers: HashMap<SessionRef, Watcher, FixedState>,
    by_user: HashMap<UserId, Vec<SessionRef>, FixedState>,
    /// Pairs of a watcher and a user.
    count: usize,
}

/// A session that watches.
#[derive(Debug)]
struct Watcher {
    user: UserId,
    users: Box<[UserId]>,
    /// When its list came last, monotonic ms.
    came_ms: u64,
}

impl Watched {
    /// A session's list takes the place of the earlier one; those who are new in it.
    pub(super) fn replace(
        &mut self,
        user: UserId,
        session: SessionRef,
        users: Box<[UserId]>,
        now_ms: u64,
    ) -> Vec<UserId> {
        if let Some(known) = self.watchers.get_mut(&session)
            && known.users == users
        {
            known.came_ms = now_ms;
            return Vec::new();
        }
        let before = self.remove(session);
        if users.is_empty() || self.count + users.len() > WATCHES_MAX {
            return Vec::new();
        }
        for user in &users {
            self.by_user.entry(*user).or_default().push(session);
        }
        self.count += users.len();
        let new = users.iter().copied().filter(|user| !before.contains(user)).collect();
        self.watchers.insert(session, Watcher { user, users, came_ms: now_ms });
        new
    }

    /// A session watches nobody any more; whom it watched.
    pub(super) fn remove(&mut self, session: SessionRef) -> Box<[UserId]> {
        let Some(watcher) = self.watchers.remove(&session) else { return Box::default() };
        self.count -= watcher.users.len();
        for user in &watcher.users {
            if let Some(sessions) = self.by_user.get_mut(user) {
                sessions.retain(|known| *known != session);
                if sessions.is_empty() {
                    self.by_user.remove(user);
                }
            }
        }
        watcher.users
    }

    /// Whether anybody watches a user.
    pub(super) fn has(&self, user: UserId) -> bool {
        self.by_user.contains_key(&user)
    }

    /// Who watches a user, in the order in which they began to.
    pub(super) fn watchers_of(&self, user: UserId) -> impl Iterator<Item = (UserId, SessionRef)> {
        let sessions = self.by_user.get(&user).into_iter().flatten();
        sessions.filter_map(|session| Some((self.watchers.get(session)?.user, *session)))
    }

    /// How many pairs of a watcher and a user there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Forgets those whose list has not come for too long.
    pub(super) fn forget_silent(&mut self, now_ms: u64) {
        let is_silent = |watcher: &Watcher| now_ms >= watcher.came_ms + WATCH_FORGOTTEN_MS;
        let silent = self.watchers.iter().filter(|(_, watcher)| is_silent(watcher));
        let silent: Vec<_> = silent.map(|(session, _)| *session).collect();
        for session in silent {
            self.remove(session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(slot: u32) -> SessionRef {
        SessionRef { core: 0, slot, generation: 1 }
    }

    fn replace(watched: &mut Watched, by: u128, users: &[u128], now_ms: u64) -> Vec<u128> {
        let users = users.iter().copied().map(UserId).collect();
        let new = watched.replace(UserId(by), session(by as u32), users, now_ms);
        new.into_iter().map(|user| user.0).collect()
    }

    fn watchers(watched: &Watched, of: u128) -> Vec<u128> {
        watched.watchers_of(UserId(of)).map(|(user, _)| user.0).collect()
    }

    #[test]
    fn a_list_takes_the_place_of_the_one_before() {
        let mut watched = Watched::default();
        assert_eq!(replace(&mut watched, 1, &[7, 8], 0), [7, 8]);
        assert_eq!(replace(&mut watched, 2, &[8], 0), [8]);
        assert_eq!(watchers(&watched, 8), [1, 2]);
        assert_eq!(replace(&mut watched, 1, &[8, 9], 0), [9], "who is new in it");
        assert_eq!(replace(&mut watched, 1, &[8, 9], 0), [0; 0], "the same again");
        assert_eq!((watchers(&watched, 7), watchers(&watched, 8)), (vec![], vec![2, 1]));
        assert!(!watched.has(UserId(7)) && watched.has(UserId(9)));
        assert_eq!(replace(&mut watched, 1, &[], 0), [0; 0]);
        assert_eq!((watchers(&watched, 8), watched.count()), (vec![2], 1));
        watched.remove(session(2));
        assert_eq!((watched.count(), watched.by_user.len(), watched.watchers.len()), (0, 0, 0));
    }

    #[test]
    fn who_does_not_come_again_is_forgotten() {
        let mut watched = Watched::default();
        replace(&mut watched, 1, &[7], 0);
        replace(&mut watched, 2, &[7], 0);
        replace(&mut watched, 1, &[7], WATCH_FORGOTTEN_MS - 1);
        watched.forget_silent(WATCH_FORGOTTEN_MS);
        assert_eq!(watchers(&watched, 7), [1]);
    }

    #[test]
    fn there_are_no_more_than_may_be() {
        let mut watched = Watched::default();
        let mut by = 0;
        while watched.count() + 256 <= WATCHES_MAX {
            by += 1;
            replace(&mut watched, by, &(0..256).collect::<Vec<_>>(), 0);
        }
        let before = watched.count();
        assert_eq!(replace(&mut watched, by + 1, &(0..256).collect::<Vec<_>>(), 0), [0; 0]);
        assert_eq!(watched.count(), before);
    }
}
