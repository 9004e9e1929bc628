//! A user's ordered queue of all that is not yet acknowledged by all the user's devices.
//!
//! Nothing ever changes under a position: an entry that leaves from the middle (a receipt
//! folded into a newer one) leaves its place empty, and the newer one gets a place at the
//! end. Places are found by position, so holes cost room but never a search.

use std::collections::{BTreeMap, VecDeque};

use answerback_proto::id::{DeviceId, Position, UserId};

use super::effect::EntryBody;

/// One item of an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InboxEntry {
    /// The other end of the chat.
    pub(crate) peer: UserId,
    /// What it is.
    pub(crate) body: EntryBody,
}

impl InboxEntry {
    /// Bytes of payload.
    pub(crate) fn payload_bytes(&self) -> usize {
        match &self.body {
            EntryBody::Message { payload, .. } => payload.len(),
            EntryBody::Delivered { .. } | EntryBody::Failed { .. } => 0,
        }
    }
}

/// The entries of one user, and which rows of them the disk holds. Most users are at rest,
/// so what only a busy inbox needs is not there without entries.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// The position that the next entry gets.
    next: Position,
    /// None after a checkpoint that found no entry.
    queue: Option<Box<Queue>>,
}

#[derive(Debug)]
struct Queue {
    /// Rows of positions below this are on disk, but for those that left since.
    stored_below: Position,
    /// Position and entry, ascending; `None` where an entry left from the middle.
    slots: VecDeque<(Position, Option<InboxEntry>)>,
    /// Entries in `slots`.
    live: usize,
    /// Positions that left since the last checkpoint and have a row.
    removed: Vec<Position>,
    /// Where the newest receipt of (peer, own device) lies.
    receipts: BTreeMap<(UserId, DeviceId), Position>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { next: Position(1), queue: None }
    }
}

/// Empty places are cleared away once they are more than the entries and this many.
const HOLES_MAX: usize = 64;

impl Inbox {
    /// The position that the next entry gets.
    pub(crate) fn next_position(&self) -> Position {
        self.next
    }

    /// The last position given, 0 for none.
    pub(crate) fn last_position(&self) -> Position {
        Position(self.next.0 - 1)
    }

    /// Puts an entry at the end; a receipt takes the place of the one that it contains.
    pub(crate) fn push(&mut self, entry: InboxEntry) -> Position {
        let position = self.next;
        self.next = position.next();
        let queue = self.queue.get_or_insert_with(|| Queue::from_next(position));
        if let Some(older) = queue.append(position, entry) {
            queue.remove(older);
        }
        position
    }

    /// Takes out all entries up to a position.
    pub(crate) fn remove_up_to(&mut self, up_to: Position) {
        if let Some(queue) = &mut self.queue {
            queue.remove_up_to(up_to);
        }
    }

    /// The entries behind a position, in order.
    pub(crate) fn behind(
        &self,
        position: Position,
    ) -> impl DoubleEndedIterator<Item = (Position, &InboxEntry)> {
        self.queue.iter().flat_map(move |queue| queue.behind(position))
    }

    /// The last entry at or before a position.
    pub(crate) fn last_until(&self, position: Position) -> Option<Position> {
        self.queue.as_ref()?.last_until(position)
    }

    /// The entries in `(after, up_to]`, in order.
    pub(crate) fn between(
        &self,
        after: Position,
        up_to: Position,
    ) -> impl Iterator<Item = (Position, &InboxEntry)> {
        self.behind(after).take_while(move |&(position, _)| position <= up_to)
    }

    /// Positions that left since the last checkpoint and have a row.
    pub(crate) fn removed(&self) -> &[Position] {
        self.queue.as_ref().map_or(&[], |queue| &queue.removed)
    }

    /// Entries behind this have no row yet.
    pub(crate) fn stored_up_to(&self) -> Position {
        let stored_below = self.queue.as_ref().map_or(self.next, |queue| queue.stored_below);
        Position(stored_below.0 - 1)
    }

    /// A checkpoint has all of it.
    pub(crate) fn forget_changes(&mut self) {
        self.queue.take_if(|queue| queue.live == 0);
        if let Some(queue) = &mut self.queue {
            queue.stored_below = self.next;
            queue.removed = Vec::new();
        }
    }

    /// Takes the next position that the disk holds; before any entry.
    pub(crate) fn load_next(&mut self, next: Position) {
        self.next = next;
    }

    /// Takes an entry that the disk holds; in ascending order.
    pub(crate) fn load(&mut self, position: Position, entry: InboxEntry) {
        let next = self.next;
        self.queue.get_or_insert_with(|| Queue::from_next(next)).append(position, entry);
    }
}

impl Queue {
    /// A queue of an inbox at rest.
    fn from_next(next: Position) -> Box<Self> {
        Box::new(Self {
            stored_below: next,
            slots: VecDeque::new(),
            live: 0,
            removed: Vec::new(),
            receipts: BTreeMap::new(),
        })
    }

    /// Puts an entry at the end; returns the place of the receipt that it contains.
    fn append(&mut self, position: Position, entry: InboxEntry) -> Option<Position> {
        let older = match &entry.body {
            EntryBody::Delivered { device, .. } => {
                self.receipts.insert((entry.peer, *device), position)
            }
            EntryBody::Message { .. } | EntryBody::Failed { .. } => None,
        };
        self.slots.push_back((position, Some(entry)));
        self.live += 1;
        older
    }

    /// Takes an entry out, wherever it is.
    fn remove(&mut self, position: Position) {
        let slot = self.index_behind(position).checked_sub(1);
        let slot = slot.and_then(|index| self.slots.get_mut(index));
        if let Some((found, entry)) = slot
            && *found == position
            && entry.take().is_some()
        {
            self.left(position);
            self.clear_holes();
        }
    }

    fn remove_up_to(&mut self, up_to: Position) {
        while let Some(&(position, ref entry)) = self.slots.front()
            && position <= up_to
        {
            if entry.is_some() {
                self.left(position);
            }
            self.slots.pop_front();
        }
        if !self.receipts.is_empty() {
            self.receipts.retain(|_, position| *position > up_to);
        }
    }

    fn behind(
        &self,
        position: Position,
    ) -> impl DoubleEndedIterator<Item = (Position, &InboxEntry)> {
        live(self.slots.range(self.index_behind(position)..))
    }

    fn last_until(&self, position: Position) -> Option<Position> {
        live(self.slots.range(..self.index_behind(position))).next_back().map(|(at, _)| at)
    }

    fn left(&mut self, position: Position) {
        self.live -= 1;
        if position < self.stored_below {
            self.removed.push(position);
        }
    }

    /// The index of the first slot behind a position.
    fn index_behind(&self, position: Position) -> usize {
        self.slots.partition_point(|&(at, _)| at <= position)
    }

    fn clear_holes(&mut self) {
        if self.slots.len() > 2 * self.live + HOLES_MAX {
            self.slots.retain(|(_, entry)| entry.is_some());
        }
    }
}

fn live<'a>(
    slots: impl DoubleEndedIterator<Item = &'a (Position, Option<InboxEntry>)>,
) -> impl DoubleEndedIterator<Item = (Position, &'a InboxEntry)> {
    slots.filter_map(|(position, entry)| Some((*position, entry.as_ref()?)))
}
