//! Things that each have a row of their own, so that a checkpoint writes those that changed and
//! no others.

use std::collections::BTreeMap;

/// Such things by their keys.
#[derive(Debug)]
pub(crate) struct Rowed<K, V> {
    items: BTreeMap<K, Item<V>>,
    /// Keys whose row the next checkpoint deletes.
    removed: Vec<K>,
}

#[derive(Debug)]
struct Item<V> {
    value: V,
    /// Whether it has a row.
    is_stored: bool,
    /// Since the last checkpoint.
    is_changed: bool,
}

impl<K, V> Default for Rowed<K, V> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), removed: Vec::new() }
    }
}

impl<K: Copy + Ord, V> Rowed<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All of them, by their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.items.iter().map(|(key, item)| (*key, &item.value))
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.items.get(&key).map(|item| &item.value)
    }

    /// To change it.
    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let item = self.items.get_mut(&key)?;
        item.is_changed = true;
        Some(&mut item.value)
    }

    /// A new one.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.items.insert(key, Item { value, is_stored: false, is_changed: true });
    }

    /// One that has a row.
    pub(crate) fn load(&mut self, key: K, value: V) {
        self.items.insert(key, Item { value, is_stored: true, is_changed: false });
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let removed = self.items.remove(&key)?;
        if removed.is_stored {
            self.removed.push(key);
        }
        Some(removed.value)
    }

    /// The first goes.
    pub(crate) fn pop_first(&mut self) -> Option<(K, V)> {
        let key = *self.items.first_key_value()?.0;
        self.remove(key).map(|value| (key, value))
    }

    /// Only these stay.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&V) -> bool) {
        let Self { items, removed } = self;
        items.retain(|key, item| {
            let stays = stays(&item.value);
            removed.extend((!stays && item.is_stored).then_some(*key));
            stays
        });
    }

    /// Those that a checkpoint has to write.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (K, &V)> {
        let changed = self.items.iter().filter(|(_, item)| item.is_changed);
        changed.map(|(key, item)| (*key, &item.value))
    }

    /// Keys whose row it deletes, before it writes any.
    pub(crate) fn removed(&self) -> &[K] {
        &self.removed
    }

    /// A checkpoint has all of it.
    pub(crate) fn forget_changes(&mut self) {
        self.removed = Vec::new();
        for item in self.items.values_mut() {
            (item.is_stored, item.is_changed) = (true, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_without_a_row_leaves_none_to_delete() {
        let mut rowed = Rowed::default();
        rowed.insert(1, 'a');
        rowed.load(2, 'b');
        assert_eq!(rowed.changed().collect::<Vec<_>>(), [(1, &'a')]);
        assert_eq!((rowed.remove(1), rowed.remove(1)), (Some('a'), None));
        assert!(rowed.removed().is_empty());
        rowed.retain(|_| false);
        assert_eq!(rowed.removed(), [2]);
        rowed.insert(2, 'c');
        assert_eq!((rowed.pop_first(), rowed.removed()), (Some((2, 'c')), [2].as_slice()));
        rowed.forget_changes();
        assert!(rowed.removed().is_empty() && rowed.is_empty());
    }

    #[test]
    fn what_changes_is_written_again() {
        let mut rowed = Rowed::default();
        rowed.insert(1, 'a');
        rowed.insert(2, 'b');
        rowed.forget_changes();
        assert_eq!(rowed.changed().count(), 0);
        *rowed.get_mut(2).unwrap() = 'c';
        assert_eq!((rowed.changed().collect::<Vec<_>>(), rowed.len()), (vec![(2, &'c')], 2));
        assert_eq!((rowed.get(1), rowed.iter().count()), (Some(&'a'), 2));
    }
}
