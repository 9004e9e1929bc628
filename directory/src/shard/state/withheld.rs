//! What a blocked user sends: decided as anybody's, kept without its payload, offered to
//! nobody, until its life ends or its sender takes it back. Whoever sends it is told what he
//! would be told of a user who is away.

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_proto::record::COPIES;
use bytes::Bytes;

use super::super::chat::Chat;
use super::super::parts::{About, PartBody};
use super::super::user::User;
use super::super::withheld::WithheldMessage;
use super::accept::{over_quota, stamp};
use super::entries::{list, list_sender};
use super::message::Posted;
use super::{Missing, State, chat_of};
use crate::limits::{WITHHELD_CHATS_PER_DUE_MAX, WITHHELD_PER_STEP_MAX};

/// Of a parked message's flags: its sender was blocked when it came. It is withheld when its
/// turn comes, also where the sender is not blocked any more.
pub(super) const CAME_BLOCKED: u16 = 1 << 15;

/// Withheld messages of a peer that end: by device and number.
pub(super) type Ended = (UserId, Vec<(DeviceId, Sequence)>);

impl State {
    /// Accepts a message that nobody will see, unless a quota is in the way.
    pub(super) fn withhold(
        &mut self,
        posted: &Posted,
        payload: &Bytes,
    ) -> Result<Result<u64, Code>, Missing> {
        let &Posted { recipient, sender, device, sequence, .. } = posted;
        let now_ms = self.clock_ms;
        let user = self.users.get_mut(recipient).ok_or(Missing::Head(recipient))?;
        let counted = self.outstanding.get_mut(sender).ok_or(Missing::Outstanding(sender))?;
        chat_of(user, sender)?;
        let over = over_quota(&self.settings, user, sender, counted.count, payload.len());
        if let Some(code) = over {
            return Ok(Err(code));
        }
        let expires_at_ms = now_ms.saturating_add(u64::from(posted.life_s) * 1000);
        let bytes = payload.len() as u32;
        let chat = chat_of(user, sender)?;
        let at_ms = stamp(chat, posted, now_ms);
        chat.withhold(device, sequence, WithheldMessage { expires_at_ms, bytes, is_stored: false });
        let known = user.withheld().find(|(peer, _)| *peer == sender);
        let due_ms = known.map_or(expires_at_ms, |(_, due_ms)| due_ms.min(expires_at_ms));
        user.note_withheld(sender, Some(due_ms));
        user.due_by(expires_at_ms);
        list(user, &mut self.changed_users);
        counted.count += 1;
        list_sender(counted, &mut self.changed_senders);
        self.digest.mix(at_ms);
        self.digest.mix(sequence.0);
        self.totals.accepted += 1;
        if posted.flags & COPIES != 0 {
            self.copy(posted, at_ms, payload);
        }
        Ok(Ok(at_ms))
    }

    /// The withheld messages that have ended, as many as one record takes, with their chats
    /// and senders in memory.
    pub(super) fn require_withheld(
        &mut self,
        acting: UserId,
        now_ms: u64,
    ) -> Result<Vec<Ended>, Missing> {
        let is_over = |(_, due_ms): &(UserId, u64)| *due_ms <= now_ms;
        let over = self.user(acting)?.withheld().filter(is_over);
        let peers: Vec<_> = over.take(WITHHELD_CHATS_PER_DUE_MAX).map(|(peer, _)| peer).collect();
        let mut room = WITHHELD_PER_STEP_MAX;
        let mut all = Vec::new();
        for peer in peers {
            let ended = self.require_withheld_of(acting, peer, now_ms, room)?;
            room -= ended.1.len();
            all.push(ended);
        }
        Ok(all)
    }

    /// As above, of one peer.
    pub(super) fn require_withheld_of(
        &mut self,
        acting: UserId,
        peer: UserId,
        now_ms: u64,
        count_max: usize,
    ) -> Result<Ended, Missing> {
        self.require_outstanding(peer)?;
        let chat = chat_of(self.user(acting)?, peer)?;
        Ok((peer, chat.withheld_by(now_ms).take(count_max).collect()))
    }

    /// Withheld messages end, and their sender is told. All that needs is in memory.
    pub(super) fn end_withheld(&mut self, acting: UserId, (peer, ended): Ended, code: Code) {
        let short = self.chat_mut(acting, peer).map(|chat| chat.devices_with_short_receipts());
        for (device, sequence) in ended {
            let chat = self.chat_mut(acting, peer);
            if chat.is_some_and(|chat| chat.end_withheld(device, sequence)) {
                self.count_out(peer, 1);
                self.tell_failed(acting, peer, device, sequence, code);
            }
        }
        if let Some(user) = self.users.get_mut(acting) {
            note_withheld(user, peer);
        }
        self.list(acting);
        // What had no room for all exceptions may say more now.
        for device in short.unwrap_or_default() {
            self.tell_delivered_again(acting, peer, device);
        }
    }

    /// A withheld message is taken back, where there is one.
    pub(super) fn recall_withheld(&mut self, posted: &Posted) {
        let &Posted { recipient, sender, device, recalled, .. } = posted;
        let known = self.chat_mut(recipient, sender).and_then(|chat| chat.sender(device));
        if known.is_some_and(|known| known.withheld.contains(recalled)) {
            self.end_withheld(recipient, (sender, vec![(device, recalled)]), Code::Recalled);
        }
    }

    fn tell_delivered_again(&mut self, acting: UserId, peer: UserId, device: DeviceId) {
        let delivered_at_ms = self.clock_ms;
        let Some(chat) = self.chat_mut(acting, peer) else { return };
        let Some(sender) = chat.sender(device) else { return };
        let (up_to, except) = sender.withheld.receipt(sender.delivered_up_to);
        let (about, up_to) = (About { user: peer, peer: acting, device }, up_to.0);
        let part = PartBody::Delivered { about, up_to, delivered_at_ms, except };
        self.outgoing_to(peer).push(part);
    }
}

/// Notes when the first of what is still withheld in a chat ends.
fn note_withheld(user: &mut User, peer: UserId) {
    let due_ms = user.chats.get(&peer).and_then(Chat::withheld_due_ms);
    user.note_withheld(peer, due_ms);
}
