//! Chats that the user has deleted, as long as the server has not noted it.
//!
//! One is under way at a time, in their order. It goes again on every connection until it is
//! noted. The server takes no position that it has not sent in this session: where a lost
//! tail set the home back, a deletion waits until the entries came once more.

use std::collections::VecDeque;

use answerback_proto::access::read;
use answerback_proto::code::Class;
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::header::USER_ACTION;
use answerback_proto::id::{Generation, Position, UserId};
use answerback_proto::kind::{ChatDeleted, Declined, DeleteChat, DeviceMark, Done, Kind};

use super::chat::Request;
use super::{ClientSession, EntryBody, Event, Limits, SessionError};

/// A deletion as it is stored, and told to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatDeletion {
    /// Its own, among those of this device.
    pub number: i64,
    /// The other end of the chat.
    pub peer: UserId,
    /// What `cursor` belongs to.
    pub generation: Generation,
    /// What came from the peer is deleted up to here.
    pub cursor: Position,
    /// What the user's devices had sent is deleted up to these numbers; at most
    /// [`CHAT_MARKS_MAX`](answerback_proto::limits::CHAT_MARKS_MAX).
    pub marks: Vec<DeviceMark>,
}

/// The deletions that the server has not noted.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    waiting: VecDeque<ChatDeletion>,
    is_asked: bool,
    held_until_ms: Option<u64>,
    has_caught_up: bool,
}

impl Deletions {
    pub(super) fn push(&mut self, deletion: ChatDeletion) {
        self.waiting.push_back(deletion);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The next one to be written, with the position that the server can take; it is under way
    /// from now on.
    fn take_due(&mut self, generation: Generation, stored: Position) -> Option<ChatDeletion> {
        let first = self.waiting.front().filter(|_| !self.is_asked)?;
        let is_ahead = first.generation == generation && first.cursor > stored;
        if self.held_until_ms.is_some() || is_ahead && !self.has_caught_up {
            return None;
        }
        self.is_asked = true;
        let is_void = first.generation != generation;
        let cursor = if is_void { Position(0) } else { first.cursor.min(stored) };
        Some(ChatDeletion { cursor, ..first.clone() })
    }

    fn settle(&mut self) -> Option<ChatDeletion> {
        self.is_asked = false;
        self.waiting.pop_front()
    }

    fn hold(&mut self, until_ms: u64) {
        self.is_asked = false;
        self.held_until_ms = Some(until_ms);
    }

    pub(super) fn held_until_ms(&self) -> Option<u64> {
        self.held_until_ms
    }

    pub(super) fn handle_timeout(&mut self, now_ms: u64) {
        self.held_until_ms.take_if(|until_ms| *until_ms <= now_ms);
    }

    pub(super) fn handle_caught_up(&mut self) {
        self.has_caught_up = true;
    }

    pub(super) fn forget_connection(&mut self) {
        self.is_asked = false;
        self.held_until_ms = None;
        self.has_caught_up = false;
    }
}

impl ClientSession {
    /// The user has deleted a chat: say so until [`Event::DeletionNoted`]. It must be stored
    /// already, and the chat's messages erased.
    pub fn delete_chat(&mut self, deletion: ChatDeletion) {
        self.deletions.push(deletion);
    }

    /// Deletions that the server has not noted.
    pub fn unnoted_deletions(&self) -> usize {
        self.deletions.len()
    }

    /// Behind the acknowledgements: what is not delivered does not count as deleted.
    pub(super) fn transmit_deletions(&mut self, limits: Limits, out: &mut Vec<u8>) {
        if !limits.takes_deletions {
            return;
        }
        let (generation, stored) = (self.inbox.generation(), self.inbox.stored());
        while let Some(due) = self.deletions.take_due(generation, stored) {
            let tag = self.new_tag(Request::DeleteChat);
            let address = Address { flags: USER_ACTION, tag, target: self.user.0 };
            let (peer, cursor) = (due.peer.0, due.cursor.0);
            let delete = DeleteChat { peer, cursor, marks_count: 0 };
            if delete.append(out, address, &due.marks).is_err() {
                self.requests.remove(&tag);
                self.settle_deletion();
            }
        }
    }

    /// Whether a request of this tag is one.
    pub(super) fn is_deletion(&self, tag: u32) -> bool {
        self.requests.get(&tag) == Some(&Request::DeleteChat)
    }

    /// A `Done` or a `Declined`. What would be declined again is given up: it is erased here.
    pub(super) fn handle_deletion_answer(
        &mut self,
        kind: Kind,
        frame: Frame<'_>,
    ) -> Result<(), SessionError> {
        self.take_request(frame.header, |request| request == Request::DeleteChat)?;
        if kind == Kind::Done {
            read::<Done>(frame.envelope)?;
            self.settle_deletion();
            return Ok(());
        }
        let Declined { retry_after_ms, code } = read(frame.envelope)?;
        match Class::of(code) {
            Some(Class::RetrySame | Class::RetryAfter) => {
                let until_ms = self.retry_at_ms(retry_after_ms);
                self.deletions.hold(until_ms);
            }
            _ => self.settle_deletion(),
        }
        Ok(())
    }

    pub(super) fn handle_chat_deleted(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let (deleted, marks) = ChatDeleted::read(frame.envelope)?;
        let up_to = Position(deleted.up_to);
        let body = EntryBody::ChatDeleted { up_to, marks: marks.iter().collect() };
        self.handle_entry(deleted.position, deleted.after, frame.header, body);
        Ok(())
    }

    fn settle_deletion(&mut self) {
        if let Some(ChatDeletion { number, .. }) = self.deletions.settle() {
            self.events.push_back(Event::DeletionNoted { number });
        }
    }
}
