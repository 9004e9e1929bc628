//! A user's ordered queue of all that is not yet acknowledged by all the user's devices.
//!
//! ```text
//!  positions ──►  left │ on the disk alone │ page: a copy │ on the disk alone │ fresh: here alone
//!                      │                   │ of rows      │                   │ until a checkpoint
//!                                          from        to                   fresh_from        next
//! ```
//! Nothing ever changes under a given position: an entry that leaves from the middle (a
//! receipt folded into a newer one) leaves its place empty, and the newer one gets a place
//! at the end. What memory holds is a matter of who is online; what there is, is not: apply
//! asks [`Inbox::knows`] first, and has the rest read.

use answerback_proto::id::{Position, UserId};

use super::effect::EntryBody;
use super::group::GroupWord;
use super::span::Span;

/// One item of an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InboxEntry {
    /// The other end of the chat.
    pub(crate) peer: UserId,
    /// When it was put here, by the partition's clock.
    pub(crate) put_at_ms: u64,
    /// When it ends undelivered; 0 for what is no message.
    pub(crate) expires_at_ms: u64,
    /// Bytes of its payload, also where only its head was read.
    pub(crate) payload_bytes: u32,
    /// What it is.
    pub(crate) body: EntryBody,
}

impl InboxEntry {
    /// Whether its delivery is told to its sender.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self.body, EntryBody::Message { .. } | EntryBody::GroupMessage(_))
    }

    /// What refers to a group's word, which knows the rest.
    pub(crate) fn of_word(body: EntryBody, word: &GroupWord) -> Self {
        let is_message = matches!(body, EntryBody::GroupMessage(_));
        Self {
            peer: word.group,
            put_at_ms: word.put_at_ms,
            expires_at_ms: if is_message { word.expires_at_ms } else { 0 },
            payload_bytes: word.payload.len() as u32,
            body,
        }
    }
}

/// The entries of one user. Most users are at rest, so what only a busy inbox needs is not
/// there without entries.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// The position that the next entry gets.
    next: Position,
    queue: Option<Box<Queue>>,
}

#[derive(Debug)]
struct Queue {
    /// Entries without a row, or with one in a checkpoint that is not yet written.
    fresh: Span,
    /// Entries whose rows are on disk, for the user's sessions.
    page: Span,
    /// Heads of entries whose rows are on disk, for the records that wait for them.
    heads: Option<Span>,
    /// Rows of positions below this are on disk, or in the checkpoint under way.
    stored_below: Position,
    /// Positions that left since the last checkpoint and have a row.
    removed: Vec<Position>,
    /// Positions that leave with the checkpoint under way.
    removing: Vec<Position>,
    /// Reads under way, and what left meanwhile.
    reads: u32,
    left_during_reads: Vec<Position>,
}

/// What an inbox without a queue has in memory.
static NOTHING: Span = Span::nothing();

impl Default for Inbox {
    fn default() -> Self {
        Self { next: Position(1), queue: None }
    }
}

impl Inbox {
    /// An inbox whose entries are all on disk.
    pub(crate) fn stored(next: Position) -> Self {
        Self { next, queue: None }
    }

    /// An inbox of which no row is on disk; its entries follow, ascending.
    pub(crate) fn restore(&mut self, next: Position) {
        self.next = next;
        self.queue = Some(Queue::behind(Position(0)));
    }

    /// An entry of it.
    pub(crate) fn restore_entry(&mut self, position: Position, entry: InboxEntry) {
        self.queue().fresh.push(position, entry);
    }

    /// The position that the next entry gets.
    pub(crate) fn next_position(&self) -> Position {
        self.next
    }

    /// The last position given, 0 for none.
    pub(crate) fn last_position(&self) -> Position {
        Position(self.next.0 - 1)
    }

    /// All entries from here on are in memory.
    pub(crate) fn fresh_from(&self) -> Position {
        self.queue.as_ref().map_or(self.next, |queue| queue.fresh.from().next())
    }

    /// Puts an entry at the end.
    pub(crate) fn push(&mut self, entry: InboxEntry) -> Position {
        let position = self.next;
        self.queue().fresh.push(position, entry);
        self.next = position.next();
        position
    }

    /// An entry leaves, wherever it is.
    pub(crate) fn remove(&mut self, position: Position) {
        let queue = self.queue();
        queue.spans_mut().for_each(|span| span.remove(position));
        queue.note_left(position);
    }

    /// All entries in `(after, up_to]` leave, which is known, and are handed to `left`; returns how
    /// many there were.
    pub(crate) fn leave(
        &mut self,
        after: Position,
        up_to: Position,
        mut left: impl FnMut(&InboxEntry),
    ) -> u32 {
        let Some(queue) = &mut self.queue else { return 0 };
        let (stored_below, is_read) = (queue.stored_below, queue.reads > 0);
        let mut removed = std::mem::take(&mut queue.removed);
        let mut left_during_reads = std::mem::take(&mut queue.left_during_reads);
        let mut count = 0;
        for (position, entry) in self.known(after, up_to) {
            count += 1;
            left(entry);
            removed.extend((position < stored_below).then_some(position));
            left_during_reads.extend(is_read.then_some(position));
        }
        if let Some(queue) = &mut self.queue {
            queue.spans_mut().for_each(|span| span.remove_up_to(up_to));
            queue.removed = removed;
            queue.left_during_reads = left_during_reads;
        }
        count
    }

    /// Whether all entries in `(after, up_to]` are in memory, their heads at least.
    pub(crate) fn knows(&self, after: Position, up_to: Position) -> bool {
        let Some(queue) = &self.queue else { return after >= self.last_position() };
        let fresh = queue.fresh.from();
        let stored_to = up_to.min(fresh);
        after >= stored_to
            || queue.page.covers(after, stored_to)
            || queue.heads.as_ref().is_some_and(|heads| heads.covers(after, stored_to))
    }

    /// The entries in `(after, up_to]`, in order, of a range that is known.
    pub(crate) fn known(
        &self,
        after: Position,
        up_to: Position,
    ) -> impl Iterator<Item = (Position, &InboxEntry)> {
        let (stored, fresh) = match &self.queue {
            Some(queue) => (queue.stored(after, up_to), &queue.fresh),
            None => (&NOTHING, &NOTHING),
        };
        let stored = stored.between(after, up_to.min(fresh.from()));
        stored.chain(fresh.between(after.max(fresh.from()), up_to))
    }

    /// The entries behind a position, as far as they follow it without anything that would
    /// have to be read first.
    pub(crate) fn following(
        &self,
        after: Position,
    ) -> impl Iterator<Item = (Position, &InboxEntry)> {
        let (page, fresh) = match &self.queue {
            Some(queue) => (&queue.page, &queue.fresh),
            None => (&NOTHING, &NOTHING),
        };
        let is_paged = after >= page.from() && after <= page.to();
        let page_to = if is_paged { page.to() } else { after };
        let fresh_to = if page_to >= fresh.from() { Position(u64::MAX) } else { fresh.from() };
        page.between(after, page_to).chain(fresh.between(after.max(fresh.from()), fresh_to))
    }

    /// What has to be read before `following` can go on behind `after`: the range's ends.
    pub(crate) fn unread_behind(&self, after: Position) -> Option<(Position, Position)> {
        let fresh = Position(self.fresh_from().0 - 1);
        let page = self.queue.as_ref().map(|queue| &queue.page);
        let from = match page {
            Some(page) if after >= page.from() && after <= page.to() => page.to(),
            _ => after,
        };
        (from < fresh).then_some((from, fresh))
    }

    /// Entries that are kept of the disk's.
    pub(crate) fn paged_entries(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.page.count())
    }

    /// Whether entries are being read.
    pub(crate) fn is_being_read(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.reads > 0)
    }

    /// A read of entries begins.
    pub(crate) fn handle_reading(&mut self) {
        let queue = self.queue();
        if queue.reads == 0 {
            queue.left_during_reads = [queue.removed.as_slice(), &queue.removing].concat();
        }
        queue.reads += 1;
    }

    /// A page was read: it continues the one that there is, or takes its place.
    pub(crate) fn handle_page(&mut self, mut page: Span) {
        let Some(queue) = self.queue.as_mut().filter(|queue| queue.reads > 0) else { return };
        queue.end_read(&mut page);
        page.cut_behind(queue.fresh.from());
        if page.from() == queue.page.to() {
            queue.page.append(page);
        } else {
            queue.page = page;
        }
    }

    /// Heads were read, for the records that wait for them.
    pub(crate) fn handle_heads(&mut self, mut heads: Span) {
        let Some(queue) = self.queue.as_mut().filter(|queue| queue.reads > 0) else { return };
        queue.end_read(&mut heads);
        heads.cut_behind(queue.fresh.from());
        queue.heads = Some(heads);
    }

    /// No record waits for heads any more.
    pub(crate) fn forget_heads(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.heads = None;
        }
    }

    /// Nobody wants what the page has before a position.
    pub(crate) fn forget_page_before(&mut self, position: Position) {
        if let Some(queue) = &mut self.queue {
            queue.page.drop_before(position);
        }
    }

    /// Positions that left since the last checkpoint and have a row.
    pub(crate) fn removed(&self) -> &[Position] {
        self.queue.as_ref().map_or(&[], |queue| &queue.removed)
    }

    /// The entries without a row.
    pub(crate) fn unstored(&self) -> impl Iterator<Item = (Position, &InboxEntry)> {
        self.queue.iter().flat_map(|queue| {
            queue.fresh.between(Position(queue.stored_below.0 - 1), Position(u64::MAX))
        })
    }

    /// All of it is in the checkpoint that is about to be written.
    pub(crate) fn handle_frozen(&mut self) {
        let next = self.next;
        if let Some(queue) = &mut self.queue {
            queue.stored_below = next;
            queue.removing.append(&mut queue.removed);
        }
    }

    /// That checkpoint is written: what it holds is on disk, and stays here as a page where
    /// somebody is about to need it.
    pub(crate) fn handle_stored(&mut self, keep: bool) {
        let Some(queue) = &mut self.queue else { return };
        queue.removing = Vec::new();
        let stored = queue.fresh.split_before(queue.stored_below);
        let continues = queue.page.to() >= stored.from() || queue.page.count() == 0;
        if keep && continues && stored.count() > 0 {
            if queue.page.count() == 0 {
                queue.page = stored;
            } else {
                queue.page.append(stored);
            }
        }
        if !keep {
            queue.page = Span::default();
        }
        let is_idle = queue.reads == 0 && queue.heads.is_none() && queue.removed.is_empty();
        if is_idle && queue.fresh.count() == 0 && queue.page.count() == 0 {
            self.queue = None;
        }
    }

    fn queue(&mut self) -> &mut Queue {
        let next = self.next;
        self.queue.get_or_insert_with(|| Queue::behind(Position(next.0 - 1)))
    }
}

impl Queue {
    /// A queue of an inbox whose entries up to `last` are on disk.
    fn behind(last: Position) -> Box<Self> {
        Box::new(Self {
            fresh: Span::open_behind(last),
            page: Span::default(),
            heads: None,
            stored_below: last.next(),
            removed: Vec::new(),
            removing: Vec::new(),
            reads: 0,
            left_during_reads: Vec::new(),
        })
    }

    /// What knows of the stored entries of a range.
    fn stored(&self, after: Position, up_to: Position) -> &Span {
        let stored_to = up_to.min(self.fresh.from());
        match &self.heads {
            Some(heads) if !self.page.covers(after, stored_to) => heads,
            _ => &self.page,
        }
    }

    fn spans_mut(&mut self) -> impl Iterator<Item = &mut Span> {
        [&mut self.fresh, &mut self.page].into_iter().chain(&mut self.heads)
    }

    fn note_left(&mut self, position: Position) {
        if position < self.stored_below {
            self.removed.push(position);
        }
        if self.reads > 0 {
            self.left_during_reads.push(position);
        }
    }

    fn end_read(&mut self, read: &mut Span) {
        if planted!(ReadResurrects) {
            self.left_during_reads.clear();
        }
        self.left_during_reads.iter().for_each(|position| read.remove(*position));
        self.reads = self.reads.saturating_sub(1);
        if self.reads == 0 {
            self.left_during_reads = Vec::new();
        }
    }
}
