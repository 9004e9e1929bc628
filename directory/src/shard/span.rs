//! Entries of a range of positions, without gaps in what is known: what is not in it and
//! lies in its range does not exist.

use std::collections::VecDeque;

use answerback_proto::id::Position;

use super::inbox::InboxEntry;

/// All live entries in `(from, to]`. The empty one covers nothing.
#[derive(Debug, Default)]
pub(crate) struct Span {
    from: Position,
    to: Position,
    /// Position and entry, ascending; `None` where an entry left from the middle.
    slots: VecDeque<(Position, Option<InboxEntry>)>,
    live: usize,
}

/// Empty places are cleared away once they are more than the entries and this many.
const HOLES_MAX: usize = 64;

impl Span {
    /// The span that covers nothing.
    pub(crate) const fn nothing() -> Self {
        Self { from: Position(0), to: Position(0), slots: VecDeque::new(), live: 0 }
    }

    /// All entries of a range, ascending.
    pub(crate) fn new(from: Position, to: Position, entries: Vec<(Position, InboxEntry)>) -> Self {
        let live = entries.len();
        let slots = entries.into_iter().map(|(position, entry)| (position, Some(entry)));
        Self { from, to, slots: slots.collect(), live }
    }

    /// The range that has no end, still without entries.
    pub(crate) fn open_behind(from: Position) -> Self {
        Self { from, to: Position(u64::MAX), slots: VecDeque::new(), live: 0 }
    }

    /// The range begins behind this.
    pub(crate) fn from(&self) -> Position {
        self.from
    }

    /// The range's last position.
    pub(crate) fn to(&self) -> Position {
        self.to
    }

    /// Entries in it.
    pub(crate) fn count(&self) -> usize {
        self.live
    }

    /// Whether it knows of all of `(after, up_to]`.
    pub(crate) fn covers(&self, after: Position, up_to: Position) -> bool {
        self.from <= after && up_to <= self.to
    }

    /// Puts an entry at the end.
    pub(crate) fn push(&mut self, position: Position, entry: InboxEntry) {
        self.slots.push_back((position, Some(entry)));
        self.live += 1;
    }

    /// The entries in `(after, up_to]`, in order.
    pub(crate) fn between(
        &self,
        after: Position,
        up_to: Position,
    ) -> impl Iterator<Item = (Position, &InboxEntry)> {
        let begin = self.index_behind(after);
        let slots = self.slots.range(begin..).take_while(move |(position, _)| *position <= up_to);
        slots.filter_map(|(position, entry)| Some((*position, entry.as_ref()?)))
    }

    /// Takes an entry out, where it is here.
    pub(crate) fn remove(&mut self, position: Position) {
        let index = self.index_behind(position).checked_sub(1);
        let slot = index.and_then(|index| self.slots.get_mut(index));
        if let Some((found, entry)) = slot
            && *found == position
            && entry.take().is_some()
        {
            self.live -= 1;
            self.clear_holes();
        }
    }

    /// Takes all entries up to a position out.
    pub(crate) fn remove_up_to(&mut self, up_to: Position) {
        while let Some((_, entry)) = self.slots.pop_front_if(|(position, _)| *position <= up_to) {
            self.live -= usize::from(entry.is_some());
        }
    }

    /// Knows no more of what lies before a position.
    pub(crate) fn drop_before(&mut self, position: Position) {
        let last = Position(position.0.saturating_sub(1)).min(self.to);
        self.remove_up_to(last);
        self.from = self.from.max(last);
    }

    /// Knows no more of what lies behind a position.
    pub(crate) fn cut_behind(&mut self, last: Position) {
        while let Some((_, entry)) = self.slots.pop_back_if(|(position, _)| *position > last) {
            self.live -= usize::from(entry.is_some());
        }
        self.to = self.to.min(last);
    }

    /// Goes on with what follows it.
    pub(crate) fn append(&mut self, mut next: Self) {
        next.drop_before(self.to.next());
        self.to = self.to.max(next.to);
        self.live += next.live;
        self.slots.append(&mut next.slots);
    }

    /// Takes what lies before a position off.
    pub(crate) fn split_before(&mut self, position: Position) -> Self {
        let last = Position(position.0 - 1);
        let from = self.from;
        self.from = from.max(last);
        let rest = self.slots.split_off(self.index_behind(last));
        let slots = std::mem::replace(&mut self.slots, rest);
        let live = slots.iter().filter(|(_, entry)| entry.is_some()).count();
        self.live -= live;
        Self { from, to: last.max(from), slots, live }
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
