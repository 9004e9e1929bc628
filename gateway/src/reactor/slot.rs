//! A table of slots: what is in one is found by index, and never mistaken for what was
//! there before.
//!
//! A key is an index and a generation. A slot's generation rises when it is emptied, so a
//! late event, answer or deadline that carries the old key finds nothing.

/// Where something is, and which user of the slot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SlotKey {
    /// The slot.
    pub(crate) index: u32,
    /// Counts the slot's users.
    pub(crate) generation: u32,
}

/// The table.
#[derive(Debug)]
pub(crate) struct SlotTable<T> {
    slots: Vec<Slot<T>>,
    /// The first empty slot; each empty slot names the next.
    first_empty: u32,
    count: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    content: Content<T>,
}

#[derive(Debug)]
enum Content<T> {
    Full(T),
    Empty { next: u32 },
}

/// No slot has this index: a table is full before.
const NONE: u32 = u32::MAX;

impl<T> SlotTable<T> {
    /// Bytes of a slot.
    #[cfg(test)]
    pub(crate) const SLOT_BYTES: usize = size_of::<Slot<T>>();

    /// An empty table.
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), first_empty: NONE, count: 0 }
    }

    /// How many slots are full.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// How many slots there are, full or empty.
    pub(crate) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// The key that the next [`SlotTable::insert`] gives.
    pub(crate) fn next_key(&self) -> SlotKey {
        match self.slots.get(self.first_empty as usize) {
            Some(slot) => SlotKey { index: self.first_empty, generation: slot.generation },
            None => SlotKey { index: self.slots.len() as u32, generation: 0 },
        }
    }

    /// Puts something into an empty slot.
    pub(crate) fn insert(&mut self, value: T) -> SlotKey {
        let key = self.next_key();
        self.count += 1;
        match self.slots.get_mut(key.index as usize) {
            Some(slot) => {
                if let Content::Empty { next } = slot.content {
                    self.first_empty = next;
                }
                slot.content = Content::Full(value);
            }
            None => self.slots.push(Slot { generation: 0, content: Content::Full(value) }),
        }
        key
    }

    /// What the key names, if it is still there.
    #[inline]
    pub(crate) fn find(&mut self, key: SlotKey) -> Option<&mut T> {
        match self.slots.get_mut(key.index as usize) {
            Some(Slot { generation, content: Content::Full(value) })
                if *generation == key.generation =>
            {
                Some(value)
            }
            _ => None,
        }
    }

    /// Takes out what the key names, if it is still there.
    pub(crate) fn remove(&mut self, key: SlotKey) -> Option<T> {
        self.find(key)?;
        let slot = self.slots.get_mut(key.index as usize)?;
        let empty = Content::Empty { next: self.first_empty };
        slot.generation = slot.generation.wrapping_add(1);
        self.first_empty = key.index;
        self.count -= 1;
        match std::mem::replace(&mut slot.content, empty) {
            Content::Full(value) => Some(value),
            Content::Empty { .. } => None,
        }
    }

    /// The key and content of a slot, where it is full.
    pub(crate) fn at(&self, index: usize) -> Option<(SlotKey, &T)> {
        let Slot { generation, content: Content::Full(value) } = self.slots.get(index)? else {
            return None;
        };
        Some((SlotKey { index: index as u32, generation: *generation }, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_finds_what_was_put_there_and_nothing_later() {
        let mut table = SlotTable::new();
        let first = table.insert("first");
        assert_eq!(table.find(first), Some(&mut "first"));
        assert_eq!(table.remove(first), Some("first"));
        let second = table.insert("second");
        assert_eq!(second.index, first.index);
        assert_eq!(table.find(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.find(second), Some(&mut "second"));
        assert_eq!(table.count(), 1);
    }

    #[test]
    fn empty_slots_are_used_again_before_the_table_grows() {
        let mut table = SlotTable::new();
        let keys: Vec<_> = (0..10).map(|number| table.insert(number)).collect();
        for key in &keys[2..7] {
            table.remove(*key);
        }
        for number in 0..5 {
            let expected = table.next_key();
            assert_eq!(table.insert(number), expected);
        }
        assert_eq!((table.count(), table.slot_count()), (10, 10));
        table.insert(10);
        assert_eq!((table.count(), table.slot_count()), (11, 11));
        let found: Vec<_> = (0..11).filter_map(|index| table.at(index)).collect();
        assert_eq!(found.len(), 11);
    }
}
