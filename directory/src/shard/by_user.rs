//! A hash table of boxes that know whose they are.
//!
//! Half of a hash table's places are empty, and a box may hold a million users at rest: a
//! place is a pointer and a byte, and the key stands only in what it points to. The hash is
//! fixed, since only logins add to these tables.

use std::hash::BuildHasher;

use answerback_proto::id::UserId;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// What belongs to a user.
pub(crate) trait OfUser {
    /// Whose it is; never changes.
    fn user(&self) -> UserId;
}

/// The boxes; a user may have several.
#[derive(Debug)]
pub(crate) struct ByUser<T> {
    table: HashTable<Box<T>>,
    hasher: FixedState,
}

impl<T> Default for ByUser<T> {
    fn default() -> Self {
        Self { table: HashTable::new(), hasher: FixedState::default() }
    }
}

impl<T: OfUser> ByUser<T> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// What belongs to a user.
    pub(crate) fn of(&self, user: UserId) -> impl Iterator<Item = &T> {
        let candidates = self.table.iter_hash(self.hasher.hash_one(user));
        candidates.map(AsRef::as_ref).filter(move |value| value.user() == user)
    }

    /// What belongs to a user, to change it.
    pub(crate) fn of_mut(&mut self, user: UserId) -> impl Iterator<Item = &mut T> {
        let candidates = self.table.iter_hash_mut(self.hasher.hash_one(user));
        candidates.map(AsMut::as_mut).filter(move |value| value.user() == user)
    }

    /// The one that belongs to a user.
    pub(crate) fn get(&self, user: UserId) -> Option<&T> {
        self.of(user).next()
    }

    /// The one that belongs to a user, to change it.
    pub(crate) fn get_mut(&mut self, user: UserId) -> Option<&mut T> {
        self.of_mut(user).next()
    }

    /// The one that belongs to a user, made where it is missing.
    pub(crate) fn get_or_insert_with(
        &mut self,
        user: UserId,
        make: impl FnOnce(UserId) -> T,
    ) -> &mut T {
        let hasher = &self.hasher;
        let entry = self.table.entry(
            hasher.hash_one(user),
            |value| value.user() == user,
            |value| hasher.hash_one(value.user()),
        );
        entry.or_insert_with(|| Box::new(make(user))).into_mut()
    }

    /// Adds one.
    pub(crate) fn insert(&mut self, value: T) {
        let hasher = &self.hasher;
        let hash = hasher.hash_one(value.user());
        self.table.insert_unique(hash, Box::new(value), |value| hasher.hash_one(value.user()));
    }

    /// Takes one of a user's out.
    pub(crate) fn take(&mut self, user: UserId, is_it: impl Fn(&T) -> bool) -> Option<Box<T>> {
        let hash = self.hasher.hash_one(user);
        let found = self.table.find_entry(hash, |value| value.user() == user && is_it(value));
        Some(found.ok()?.remove().0)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.table.len()
    }

    /// Lets go of those that are not kept, asked in no order that means anything.
    pub(crate) fn retain(&mut self, mut is_kept: impl FnMut(&mut T) -> bool) {
        self.table.retain(|value| is_kept(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Thing(UserId, u32);

    impl OfUser for Thing {
        fn user(&self) -> UserId {
            self.0
        }
    }

    #[test]
    fn each_user_has_his_own_through_any_growth() {
        let mut things = ByUser::default();
        let users = || (1..=1000).map(UserId);
        for user in users() {
            things.insert(Thing(user, 1));
            things.insert(Thing(user, 2));
        }
        for user in users() {
            assert_eq!(things.of(user).count(), 2);
            assert_eq!(things.take(user, |thing| thing.1 == 1).as_deref(), Some(&Thing(user, 1)));
            assert_eq!(things.take(user, |thing| thing.1 == 1), None);
            assert_eq!(things.get(user), Some(&Thing(user, 2)));
        }
        assert_eq!(things.get(UserId(1001)), None);
        assert_eq!(things.count(), 1000);
    }

    #[test]
    fn one_is_made_where_it_is_missing_and_only_there() {
        let mut things = ByUser::default();
        things.get_or_insert_with(UserId(7), |user| Thing(user, 1)).1 = 5;
        assert_eq!(things.get_or_insert_with(UserId(7), |user| Thing(user, 9)).1, 5);
        things.get_mut(UserId(7)).unwrap().1 += 1;
        assert_eq!(things.get(UserId(7)), Some(&Thing(UserId(7), 6)));
        things.retain(|thing| thing.1 > 6);
        assert_eq!(things.count(), 0);
    }
}
