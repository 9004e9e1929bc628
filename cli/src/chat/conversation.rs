//! The open chat: its messages, and which of them are in sight.
//!
//! Who looks at the end stays at the end when a message comes; who looks at something older
//! keeps it in sight: the place is a message's, since numbers of rows change.

use answerback_proto::id::UserId;

use super::layout::{self, Look, Place, Row};
use super::message::{Message, MessageId};

/// Messages that are asked of the store at once; more when one scrolls up.
const PAGE: u32 = 200;
/// All that is ever shown of a chat: its rows are made anew for each key.
const MESSAGES_MAX: u32 = 2_000;

/// An open chat.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    pub(super) peer: UserId,
    messages: Vec<Message>,
    asked_count: u32,
    is_waiting: bool,
    sight: Sight,
    unread_from: Option<MessageId>,
}

/// What is in sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// Not settled: the first messages have not come.
    New,
    /// The end.
    End,
    /// This is the topmost row.
    From(Place),
}

impl Conversation {
    /// A chat that is opened; it begins with what is unread, as far as the list knows.
    pub(super) fn new(peer: UserId, unread_count: u64) -> Self {
        let unread_count = u32::try_from(unread_count).unwrap_or(u32::MAX);
        Self {
            peer,
            messages: Vec::new(),
            asked_count: PAGE.saturating_add(unread_count).min(MESSAGES_MAX),
            is_waiting: true,
            sight: Sight::New,
            unread_from: None,
        }
    }

    pub(super) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// How many messages it wants to be handed.
    pub(super) fn asked_count(&self) -> u32 {
        self.asked_count
    }

    /// Whether it wants more than it was handed.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Messages below what is in sight, as far as the user has not read them.
    pub(super) fn unread_below(&self, look: Look<'_>, height: usize) -> usize {
        let rows = self.rows(look);
        let end = self.top(&rows, height) + height;
        let below = rows.get(end..).unwrap_or_default();
        let is_below = |id| below.iter().any(|row| row.place.message == id);
        self.messages.iter().filter(|message| message.is_unread() && is_below(message.id)).count()
    }

    /// The messages as they are now. A chat that is opened shows where the unread ones begin.
    pub(super) fn handle_messages(
        &mut self,
        messages: Vec<Message>,
        is_watched: bool,
        look: Look<'_>,
        height: usize,
    ) {
        self.messages = messages;
        self.is_waiting = false;
        let is_new = self.sight == Sight::New;
        if self.unread_from.is_none() && (is_new || !is_watched || self.sight != Sight::End) {
            let is_new = |message: &&Message| message.is_unread() && message.is_shown();
            let first = self.messages.iter().find(is_new);
            self.unread_from = first.map(|message| message.id);
        }
        if is_new {
            self.sight = Sight::End;
            self.show_unread(look, height);
        }
    }

    /// The user has answered, or gone away: what comes from now on is new.
    pub(super) fn forget_unread_line(&mut self) {
        self.unread_from = None;
    }

    /// The end comes in sight.
    pub(super) fn show_end(&mut self) {
        self.sight = Sight::End;
    }

    /// Moves the sight by so many rows, up where they are negative; older messages are asked
    /// for at the top.
    pub(super) fn scroll(&mut self, rows: isize, look: Look<'_>, height: usize) {
        let all = self.rows(look);
        let top = self.top(&all, height).saturating_add_signed(rows);
        self.look_from(&all, top, height);
        let is_full = self.messages.len() >= self.asked_count as usize;
        if top == 0 && is_full && self.asked_count < MESSAGES_MAX {
            self.asked_count = (self.asked_count + PAGE).min(MESSAGES_MAX);
            self.is_waiting = true;
        }
    }

    /// The rows in sight, the first and last of them in `height`.
    pub(super) fn rows_in_sight(&self, look: Look<'_>, height: usize) -> Vec<Row> {
        let rows = self.rows(look);
        let top = self.top(&rows, height);
        rows.into_iter().skip(top).take(height).collect()
    }

    /// Of each of the peer's devices the last unread message that is in sight or above.
    pub(super) fn read_in_sight(&self, look: Look<'_>, height: usize) -> Vec<MessageId> {
        let rows = self.rows(look);
        let end = self.top(&rows, height) + height;
        let below = rows.get(end).map(|row| row.place.message);
        let reached = self.messages.iter().take_while(|message| Some(message.id) != below);
        let mut last: Vec<MessageId> = Vec::new();
        for id in reached.filter(|message| message.is_unread()).map(|message| message.id) {
            match last.iter_mut().find(|known| known.device == id.device) {
                Some(known) => known.sequence = known.sequence.max(id.sequence),
                None => last.push(id),
            }
        }
        last
    }

    fn rows(&self, look: Look<'_>) -> Vec<Row> {
        layout::rows(&self.messages, self.unread_from, look)
    }

    /// The topmost row in sight.
    fn top(&self, rows: &[Row], height: usize) -> usize {
        let last = rows.len().saturating_sub(height);
        match self.sight {
            Sight::New | Sight::End => last,
            Sight::From(place) => {
                let first = Place { row: 0, ..place };
                let first = rows.iter().position(|row| row.place == first);
                first.map_or(last, |first| first.saturating_add_signed(place.row).min(last))
            }
        }
    }

    fn look_from(&mut self, rows: &[Row], top: usize, height: usize) {
        let is_end = top + height >= rows.len();
        let place = rows.get(top).filter(|_| !is_end).map(|row| row.place);
        self.sight = place.map_or(Sight::End, Sight::From);
    }

    /// Begins a little above the line of unread messages, where they have no room otherwise.
    fn show_unread(&mut self, look: Look<'_>, height: usize) {
        let Some(unread_from) = self.unread_from else { return };
        let rows = self.rows(look);
        let first = rows.iter().position(|row| row.place.message == unread_from);
        let first = first.unwrap_or(rows.len());
        if first < self.top(&rows, height) {
            self.look_from(&rows, first, height);
        }
    }
}

#[cfg(test)]
mod tests;
