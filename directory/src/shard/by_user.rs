//! A hash table of what knows whose it is.
//!
//! Half of a hash table's places are empty, and a box may hold a million users at rest: a
//! place is four bytes and one, and says where in a list the value is; the key stands only
//! there. The hash is fixed, since only logins add to these tables.
//!
//! The list has no holes, and room for [`FIRST`] values from the beginning: so large a piece
//! is a mapping of its own, which takes real memory only as far as it is used and grows where
//! it lies. Lists that began small left 130 B a user of what they had outgrown.

use std::hash::BuildHasher;

use answerback_proto::id::UserId;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// Values of a list that begins.
const FIRST: usize = 1024;

/// What belongs to a user.
pub(crate) trait OfUser {
    /// Whose it is; never changes.
    fn user(&self) -> UserId;
}

/// The values; a user may have several.
#[derive(Debug)]
pub(crate) struct ByUser<T> {
    places: HashTable<u32>,
    values: Vec<T>,
    hasher: FixedState,
}

impl<T> Default for ByUser<T> {
    fn default() -> Self {
        let (places, values) = (HashTable::new(), Vec::new());
        Self { places, values, hasher: FixedState::default() }
    }
}

impl<T: OfUser> ByUser<T> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// What belongs to a user.
    pub(crate) fn of(&self, user: UserId) -> impl Iterator<Item = &T> {
        let candidates = self.places.iter_hash(self.hasher.hash_one(user));
        let values = candidates.filter_map(|&place| self.values.get(place as usize));
        values.filter(move |value| value.user() == user)
    }

    /// Has all that belongs to a user changed.
    pub(crate) fn each_mut(&mut self, user: UserId, mut change: impl FnMut(&mut T)) {
        for &place in self.places.iter_hash(self.hasher.hash_one(user)) {
            if let Some(value) =
                self.values.get_mut(place as usize).filter(|value| value.user() == user)
            {
                change(value);
            }
        }
    }

    /// The one that belongs to a user.
    #[inline]
    pub(crate) fn get(&self, user: UserId) -> Option<&T> {
        let (hash, values) = (self.hasher.hash_one(user), &self.values);
        let place = self.places.find(hash, |&place| is_at(values, place, user, |_| true))?;
        self.values.get(*place as usize)
    }

    /// The one that belongs to a user, to change it.
    #[inline]
    pub(crate) fn get_mut(&mut self, user: UserId) -> Option<&mut T> {
        self.find_mut(user, |_| true)
    }

    /// One of a user's, to change it.
    #[inline]
    pub(crate) fn find_mut(&mut self, user: UserId, is_it: impl Fn(&T) -> bool) -> Option<&mut T> {
        let (hash, values) = (self.hasher.hash_one(user), &self.values);
        let place = self.places.find(hash, |&place| is_at(values, place, user, &is_it))?;
        self.values.get_mut(*place as usize)
    }

    /// The one that belongs to a user, made where it is missing.
    pub(crate) fn get_or_insert_with(
        &mut self,
        user: UserId,
        make: impl FnOnce(UserId) -> T,
    ) -> Option<&mut T> {
        let (hash, values) = (self.hasher.hash_one(user), &self.values);
        let found = self.places.find(hash, |&place| is_at(values, place, user, |_| true));
        let place = found.copied().unwrap_or_else(|| self.insert(make(user)));
        self.values.get_mut(place as usize)
    }

    /// Adds one; says where.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let hash = self.hasher.hash_one(value.user());
        if self.values.capacity() == 0 {
            self.values.reserve_exact(FIRST);
        }
        let place = self.values.len() as u32;
        self.values.push(value);
        let (hasher, values) = (&self.hasher, &self.values);
        self.places.insert_unique(hash, place, |&place| hash_at(hasher, values, place));
        place
    }

    /// Takes one of a user's out.
    pub(crate) fn take(&mut self, user: UserId, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let (hash, values) = (self.hasher.hash_one(user), &self.values);
        let found = self.places.find_entry(hash, |&place| is_at(values, place, user, &is_it));
        let (place, _) = found.ok()?.remove();
        self.take_at(place)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    /// Lets go of those that are not kept, asked in no order that means anything.
    pub(crate) fn retain(&mut self, mut is_kept: impl FnMut(&mut T) -> bool) {
        let mut place = 0;
        while let Some(value) = self.values.get_mut(place as usize) {
            if is_kept(value) {
                place += 1;
                continue;
            }
            let hash = hash_at(&self.hasher, &self.values, place);
            if let Ok(found) = self.places.find_entry(hash, |&known| known == place) {
                found.remove();
            }
            self.take_at(place);
        }
    }

    /// Takes out what no place in the table says any more; what comes into its place is said
    /// there.
    fn take_at(&mut self, place: u32) -> Option<T> {
        if place as usize >= self.values.len() {
            return None;
        }
        let taken = self.values.swap_remove(place as usize);
        let hash = hash_at(&self.hasher, &self.values, place);
        // One was removed before: what was the last is at the place of the table's length.
        let last = self.places.len() as u32;
        if let Some(moved) = self.places.find_mut(hash, |&known| known == last) {
            *moved = place;
        }
        Some(taken)
    }
}

fn is_at<T: OfUser>(values: &[T], place: u32, user: UserId, is_it: impl Fn(&T) -> bool) -> bool {
    values.get(place as usize).is_some_and(|value| value.user() == user && is_it(value))
}

/// Of a place with nothing, a hash that finds nothing.
fn hash_at<T: OfUser>(hasher: &FixedState, values: &[T], place: u32) -> u64 {
    values.get(place as usize).map_or(0, |value| hasher.hash_one(value.user()))
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
            assert_eq!(things.take(user, |thing| thing.1 == 1), Some(Thing(user, 1)));
            assert_eq!(things.take(user, |thing| thing.1 == 1), None);
            assert_eq!(things.get(user), Some(&Thing(user, 2)));
        }
        assert_eq!(things.get(UserId(1001)), None);
        assert_eq!(things.count(), 1000);
    }

    #[test]
    fn one_is_made_where_it_is_missing_and_only_there() {
        let mut things = ByUser::default();
        things.get_or_insert_with(UserId(7), |user| Thing(user, 1)).unwrap().1 = 5;
        assert_eq!(things.get_or_insert_with(UserId(7), |user| Thing(user, 9)).unwrap().1, 5);
        things.get_mut(UserId(7)).unwrap().1 += 1;
        assert_eq!(things.get(UserId(7)), Some(&Thing(UserId(7), 6)));
        things.retain(|thing| thing.1 > 6);
        assert_eq!(things.count(), 0);
    }
    #[test]
    fn all_that_are_kept_are_found_whoever_goes() {
        for keeps in [1, 2, 3, 7, 100] {
            let mut things = ByUser::default();
            for user in 1..=500_u32 {
                things.insert(Thing(UserId(user.into()), user));
            }
            things.retain(|thing| thing.1 % keeps == 0);
            assert_eq!(things.count(), 500 / keeps as usize);
            for user in 1..=500 {
                let thing = things.get(UserId(user.into())).map(|thing| thing.1);
                assert_eq!(thing, (user % keeps == 0).then_some(user));
            }
        }
    }

    #[test]
    fn all_of_a_user_are_changed_and_nobody_elses() {
        let mut things = ByUser::default();
        for (user, number) in [(1, 1), (1, 2), (2, 3)] {
            things.insert(Thing(UserId(user), number));
        }
        things.each_mut(UserId(1), |thing| thing.1 += 10);
        things.find_mut(UserId(1), |thing| thing.1 == 12).unwrap().1 = 20;
        let of = |user| things.of(UserId(user)).map(|thing| thing.1).sum::<u32>();
        assert_eq!((of(1), of(2)), (11 + 20, 3));
    }
}
