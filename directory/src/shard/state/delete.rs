//! Users delete chats: what both ends of a chat have deleted leaves their inboxes.
//!
//! ```text
//! the deleter's home ──ErasePart──► the peer's home: marks of the deleter's devices, as far
//!   mark: a position ◄─ErasedPart── as their numbers were decided here
//! ```
//! A message to a user is covered by the user's own mark, a position of the inbox, and by the
//! peer's, a number of each of the peer's devices. Marks only rise, and the two are never
//! mixed: what the peer sent between the two deletions lies beyond the first mark and is
//! delivered. A position counts only as far as the deleting device has acknowledged it, so
//! whatever is covered was delivered and told; what leaves is owed to other devices alone.
//!
//! Copies lie in the deleter's own inbox. They leave with the answer of the peer's home, which
//! comes behind all of them in the same queue, and so does the word to the user's other devices.

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, PartitionId, Position, UserId};
use answerback_proto::kind::{DeviceMark, DeviceMarks};
use answerback_proto::record::{EraseChat, ErasePart, ErasedPart};
use bytes::Bytes;

use super::super::chat::Chat;
use super::super::effect::{Answer, EntryBody};
use super::super::inbox::InboxEntry;
use super::super::parts::{About, PartBody, PartNumbers};
use super::super::user::Standing;
use super::{Consequences, Missing, State, Verdict, chat_of, require_known};

impl State {
    /// A user has deleted a chat.
    pub(super) fn erase_chat(
        &mut self,
        record: &EraseChat,
        marks: &Bytes,
    ) -> Result<Verdict, Missing> {
        let (acting, peer) = (UserId(record.user), UserId(record.peer));
        let (device, at_ms) = (DeviceId(record.device), self.clock_ms);
        let user = self.user(acting)?;
        if !user.exists() {
            return Ok(declined(Code::UnknownUser));
        }
        let known = user.device(device).filter(|known| known.standing != Standing::Revoked);
        let Some(cursor) = known.map(|known| known.cursor) else {
            return Ok(declined(Code::DeviceRevoked));
        };
        let up_to = cursor.min(Position(record.cursor));
        let chat = chat_of(user, peer)?;
        let before = chat.deleted_up_to;
        // Of a peer who never sent anything nothing is kept, or any id would make a row.
        let rises = up_to > before && !chat.senders.is_empty();
        if rises {
            require_known(user, before, up_to)?;
        }
        if (rises || planted!(MarkFalls))
            && let Some(chat) = self.chat_mut(acting, peer)
        {
            chat.deleted_up_to = up_to;
            chat.changed = true;
        }
        if rises {
            self.remove_covered(acting, peer, before, up_to);
            self.list(acting);
        }
        let about = About { user: peer, peer: acting, device };
        self.outgoing_to(peer).push(PartBody::Erase { about, marks: marks.clone() });
        self.digest.mix(up_to.0);
        Ok(Verdict::Answer(Answer::Done { at_ms }))
    }

    /// The peer of a user has deleted the chat.
    pub(super) fn erase_part(
        &mut self,
        part: &ErasePart,
        marks: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let About { user: acting, peer, device } = About::from(part);
        let user = self.user(acting)?;
        let chat = chat_of(user, peer)?;
        let deleted_up_to = chat.deleted_up_to;
        let rises = raised(chat, marks).next().is_some();
        if rises {
            require_known(user, Position(0), deleted_up_to)?;
        }
        if !self.takes((PartitionId(part.source), PartNumbers::from(part)), consequences) {
            return Ok(Verdict::Silent);
        }
        if rises {
            self.raise_marks(acting, peer, marks);
            self.remove_covered(acting, peer, Position(0), deleted_up_to);
            self.list(acting);
        }
        let chat = self.chat_mut(acting, peer);
        let erased = chat.map_or_else(Vec::new, |chat| erased(chat, marks));
        let about = About { user: peer, peer: acting, device };
        self.outgoing_to(peer).push(PartBody::Erased { about, marks: Bytes::from(erased) });
        Ok(Verdict::Silent)
    }

    /// The peer's home has answered the deletion of a user.
    pub(super) fn erased_part(
        &mut self,
        part: &ErasedPart,
        marks: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let About { user: acting, peer, device } = About::from(part);
        let user = self.user(acting)?;
        let (exists, has_others) = (user.exists(), user.has_several_devices());
        let (after, last) = (user.left_up_to(), user.inbox.last_position());
        let up_to = chat_of(user, peer)?.deleted_up_to;
        if !marks.is_empty() {
            require_known(user, after, last)?;
        }
        if !self.takes((PartitionId(part.source), PartNumbers::from(part)), consequences) {
            return Ok(Verdict::Silent);
        }
        if !exists {
            return Ok(Verdict::Silent);
        }
        if !marks.is_empty() {
            self.remove_where(acting, after, last, |entry| is_copy_of(entry, peer, marks));
            self.list(acting);
        }
        if has_others && (up_to > Position(0) || !marks.is_empty()) {
            let marks = Bytes::copy_from_slice(marks);
            let body = EntryBody::ChatDeleted { device, up_to, marks };
            self.put(acting, peer, body, consequences);
        }
        Ok(Verdict::Silent)
    }

    /// The marks of the peer's devices rise, as far as their numbers are decided.
    fn raise_marks(&mut self, acting: UserId, peer: UserId, marks: &Bytes) {
        let Some(chat) = self.chat_mut(acting, peer) else { return };
        let raised: Vec<_> = raised(chat, marks).collect();
        for DeviceMark { device, up_to } in &raised {
            if let Some(sender) = chat.sender_mut(*device) {
                sender.erased_up_to = sender.erased_up_to.max(*up_to);
                sender.changed = true;
            }
        }
        raised.iter().for_each(|mark| self.digest.mix(mark.up_to.0));
    }

    /// What both marks cover leaves, of `(after, up_to]`, which is known.
    fn remove_covered(&mut self, acting: UserId, peer: UserId, after: Position, up_to: Position) {
        let Some(user) = self.users.get(acting) else { return };
        let Some(chat) = user.chats.get(&peer) else { return };
        let left_up_to = user.left_up_to();
        let covered: Vec<_> = user
            .inbox
            .known(after.max(left_up_to), up_to)
            .filter(|(_, entry)| entry.peer == peer && is_erased(chat, entry))
            .map(|(position, _)| position)
            .collect();
        covered.into_iter().for_each(|position| self.remove(acting, position));
    }

    fn remove_where(
        &mut self,
        acting: UserId,
        after: Position,
        up_to: Position,
        leaves: impl Fn(&InboxEntry) -> bool,
    ) {
        let Some(user) = self.users.get(acting) else { return };
        let known = user.inbox.known(after, up_to).filter(|(_, entry)| leaves(entry));
        let leaving: Vec<_> = known.map(|(position, _)| position).collect();
        leaving.into_iter().for_each(|position| self.remove(acting, position));
    }
}

/// The marks that lie above those of their devices, cut at the last decided number.
fn raised<'a>(chat: &'a Chat, marks: &'a Bytes) -> impl Iterator<Item = DeviceMark> + 'a {
    DeviceMarks::of(marks).iter().filter_map(|DeviceMark { device, up_to }| {
        let sender = chat.sender(device)?;
        let up_to = up_to.min(sender.decisions.last());
        (up_to > sender.erased_up_to).then_some(DeviceMark { device, up_to })
    })
}

/// Where the devices that marks name stand now; those that never sent here are left out.
fn erased(chat: &Chat, marks: &Bytes) -> Vec<u8> {
    let named = DeviceMarks::of(marks).iter().filter_map(|mark| chat.sender(mark.device));
    let risen = named.filter(|sender| sender.erased_up_to.0 > 0);
    DeviceMarks::pack(
        risen.map(|sender| DeviceMark { device: sender.device, up_to: sender.erased_up_to }),
    )
}

/// Whether the peer has deleted a message.
fn is_erased(chat: &Chat, entry: &InboxEntry) -> bool {
    let &EntryBody::Message { device, sequence, .. } = &entry.body else { return false };
    let is_marked = |erased_up_to| sequence <= erased_up_to || planted!(ErasedByOneMark);
    chat.sender(device).is_some_and(|sender| is_marked(sender.erased_up_to))
}

/// Whether it is a copy of what the user has deleted.
fn is_copy_of(entry: &InboxEntry, peer: UserId, marks: &Bytes) -> bool {
    let &EntryBody::Copied { device, sequence, .. } = &entry.body else { return false };
    let covers = |mark: DeviceMark| mark.device == device && sequence <= mark.up_to;
    entry.peer == peer && DeviceMarks::of(marks).iter().any(covers)
}

fn declined(code: Code) -> Verdict {
    Verdict::Answer(Answer::Declined { code, retry_after_ms: 0 })
}
