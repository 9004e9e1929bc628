//! Entries come into inboxes and leave them, and what counts them is kept.

use answerback_proto::id::{Position, UserId};

use super::super::chat::ReceiptKind;
use super::super::effect::EntryBody;
use super::super::inbox::InboxEntry;
use super::super::outstanding::Outstanding;
use super::super::user::User;
use super::{Consequences, Missing, State};

impl State {
    /// Puts an entry that is no message at the end of an inbox that is in memory.
    pub(super) fn put(
        &mut self,
        user_id: UserId,
        peer: UserId,
        body: EntryBody,
        consequences: &mut Consequences,
    ) -> Position {
        let (put_at_ms, lapse_ms) = (self.clock_ms, self.lapse_ms());
        let Some(user) = self.users.get_mut(user_id) else { return Position(0) };
        let payload_bytes = body.payload_bytes();
        let entry = InboxEntry { peer, put_at_ms, expires_at_ms: 0, payload_bytes, body };
        let position = user.put(entry, lapse_ms);
        list(user, &mut self.changed_users);
        self.digest.mix(position.0);
        consequences.touch(user_id);
        position
    }

    /// As above, a receipt: the older one that it contains leaves. The chat is in memory.
    pub(super) fn put_receipt(
        &mut self,
        user_id: UserId,
        peer: UserId,
        kind: ReceiptKind,
        body: EntryBody,
        consequences: &mut Consequences,
    ) {
        let device = body.device();
        let position = self.put(user_id, peer, body, consequences);
        let Some(user) = self.users.get_mut(user_id) else { return };
        let Some(chat) = user.chats.get_mut(&peer) else { return };
        if let Some(older) = chat.note_receipt(kind, device, position)
            && older > user.left_up_to()
        {
            user.inbox.remove(older);
            user.live -= 1;
            user.above -= u32::from(older > user.floor);
        }
    }

    /// Whatever the entries of `(after, up_to]`, which are known, refer to is in memory: they
    /// may leave.
    pub(super) fn require_bodies(
        &self,
        user_id: UserId,
        after: Position,
        up_to: Position,
    ) -> Result<(), Missing> {
        let Some(user) = self.users.get(user_id) else { return Err(Missing::Head(user_id)) };
        let mut words = user.inbox.known(after, up_to).filter_map(|(_, entry)| entry.body.word());
        match words.all(|word| self.bodies.knows(word.place)) {
            true => Ok(()),
            false => Err(Missing::Holders { user: user_id, after, to: up_to }),
        }
    }

    /// A message above the floor ends without having been delivered. The chat and the
    /// sender's count are in memory.
    pub(super) fn end_undelivered(
        &mut self,
        user_id: UserId,
        position: Position,
        entry: &InboxEntry,
    ) {
        let Some(user) = self.users.get_mut(user_id) else { return };
        user.inbox.remove(position);
        user.live -= 1;
        user.above -= 1;
        user.messages -= 1;
        user.bytes -= u64::from(entry.payload_bytes);
        if let Some(chat) = user.chats.get_mut(&entry.peer) {
            chat.waiting -= 1;
            chat.changed = true;
        }
        list(user, &mut self.changed_users);
        self.count_out(entry.peer, 1);
        if let Some(word) = entry.body.word() {
            self.bodies.release(word.place, user_id);
        }
        self.digest.mix(position.0);
    }

    /// As many of a sender's messages wait here no longer.
    pub(super) fn count_out(&mut self, sender: UserId, count: u32) {
        if let Some(counted) = self.outstanding.get_mut(sender) {
            counted.count = counted.count.saturating_sub(count);
            list_sender(counted, &mut self.changed_senders);
        }
    }

    /// How long a device may owe an acknowledgement, ms.
    pub(super) fn lapse_ms(&self) -> u64 {
        u64::from(self.settings.lapse_s) * 1000
    }

    /// Lists a user for the next checkpoint.
    pub(super) fn list(&mut self, user_id: UserId) {
        if let Some(user) = self.users.get_mut(user_id) {
            list(user, &mut self.changed_users);
        }
    }
}

/// Lists a user for the next checkpoint.
pub(super) fn list(user: &mut User, changed_users: &mut Vec<UserId>) {
    user.used = true;
    if !std::mem::replace(&mut user.listed, true) {
        changed_users.push(user.id);
    }
}

/// Lists a sender's count for the next checkpoint.
pub(super) fn list_sender(counted: &mut Outstanding, changed_senders: &mut Vec<UserId>) {
    if !std::mem::replace(&mut counted.changed, true) {
        changed_senders.push(counted.sender);
    }
}
