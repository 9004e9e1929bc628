//! What entries of several members refer to: each body once a partition, and the set of those
//! who still hold it.
//!
//! A body's place is the offset of the record that brought it: no two have the same, and a
//! replay gives the same again. The last holder takes it along.

use std::collections::BTreeMap;
use std::sync::Arc;

use answerback_proto::id::UserId;

use super::GroupWord;

/// A body and its holders.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// Until it has a row.
    pub(crate) word: Option<Arc<GroupWord>>,
    /// Ascending.
    pub(crate) holders: Vec<UserId>,
    /// Who holds it no more and has a row that says so.
    pub(crate) removed: Vec<UserId>,
    /// Since the last checkpoint.
    changed: bool,
}

/// The bodies that are in memory.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    by_place: BTreeMap<u64, Body>,
}

impl Bodies {
    /// A new body.
    pub(crate) fn put(&mut self, word: Arc<GroupWord>, holders: Vec<UserId>) {
        if !holders.is_empty() {
            let place = word.place;
            let body = Body { word: Some(word), holders, changed: true, ..Body::default() };
            self.by_place.insert(place, body);
        }
    }

    /// Takes what the disk says of one that is not in memory.
    pub(crate) fn load(&mut self, place: u64, holders: Vec<UserId>) {
        self.by_place.entry(place).or_insert_with(|| Body { holders, ..Body::default() });
    }

    /// Whether it is in memory.
    pub(crate) fn knows(&self, place: u64) -> bool {
        self.by_place.contains_key(&place)
    }

    /// A user holds it no more.
    pub(crate) fn release(&mut self, place: u64, user: UserId) {
        let Some(body) = self.by_place.get_mut(&place) else { return };
        let Ok(index) = body.holders.binary_search(&user) else { return };
        body.holders.remove(index);
        if body.word.is_none() && !planted!(BodyStays) {
            body.removed.push(user);
        }
        body.changed = true;
    }

    /// What a checkpoint has to write.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (u64, &Body)> {
        let changed = self.by_place.iter().filter(|(_, body)| body.changed);
        changed.map(|(place, body)| (*place, body))
    }

    /// A checkpoint has all of it.
    pub(crate) fn handle_frozen(&mut self) {
        for body in self.by_place.values_mut().filter(|body| body.changed) {
            body.word = None;
            body.removed = Vec::new();
            body.changed = false;
        }
    }

    /// That checkpoint is written. While anything of bodies is being read none may leave the
    /// memory: what was read would come behind what has changed meanwhile.
    pub(crate) fn handle_stored(&mut self, is_being_read: bool) {
        if !is_being_read {
            self.by_place.retain(|_, body| body.changed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(bodies: &mut Bodies, place: u64, holders: &[u128]) {
        let holders = holders.iter().copied().map(UserId).collect();
        bodies.put(Arc::new(GroupWord::at(place)), holders);
    }

    fn changed(bodies: &Bodies) -> Vec<(u64, bool, usize, usize)> {
        let bodies = bodies.changed();
        bodies
            .map(|(place, body)| {
                (place, body.word.is_some(), body.holders.len(), body.removed.len())
            })
            .collect()
    }

    #[test]
    fn what_all_let_go_before_a_checkpoint_has_no_row() {
        let mut bodies = Bodies::default();
        put(&mut bodies, 7, &[1, 2]);
        bodies.release(7, UserId(1));
        bodies.release(7, UserId(1));
        assert_eq!(changed(&bodies), [(7, true, 1, 0)], "a repeat says nothing");
        bodies.release(7, UserId(2));
        assert_eq!(changed(&bodies), [(7, true, 0, 0)]);
        bodies.handle_frozen();
        bodies.handle_stored(false);
        assert!(!bodies.knows(7));
    }

    #[test]
    fn who_lets_go_of_a_stored_one_loses_his_row() {
        let mut bodies = Bodies::default();
        put(&mut bodies, 7, &[1, 2]);
        bodies.handle_frozen();
        bodies.release(7, UserId(2));
        bodies.handle_stored(false);
        assert_eq!(changed(&bodies), [(7, false, 1, 1)]);
        bodies.handle_frozen();
        bodies.handle_stored(true);
        assert!(bodies.knows(7), "it is being read");
        bodies.load(7, vec![UserId(1), UserId(2)]);
        assert_eq!(bodies.by_place[&7].holders, [UserId(1)], "memory knows it better");
    }
}
