//! The next number of a chat is accepted, or rejected for a quota. Every message comes through
//! here, so the recipient, the chat and the sender's count are looked up once each.

use answerback_proto::code::Code;
use answerback_proto::id::{Sequence, UserId};
use answerback_proto::record::{COPIES, Settings};
use bytes::Bytes;

use super::super::chat::Chat;
use super::super::effect::EntryBody;
use super::super::inbox::InboxEntry;
use super::super::parts::{About, PartBody};
use super::super::sequence::Decision;
use super::super::user::User;
use super::entries::{list, list_sender};
use super::message::Posted;
use super::withheld::CAME_BLOCKED;
use super::{Consequences, Missing, State, chat_of, may_write};
use crate::limits::INBOX_SHARE_OF_A_SENDER;

/// How far an answer may be sorted ahead of this home's clock, so that it never sorts
/// above a question that another home's clock has stamped.
pub(super) const SEEN_AHEAD_MAX_MS: u64 = 10_000;

impl State {
    /// Decides the next number of a device.
    pub(super) fn decide_next(
        &mut self,
        posted: &Posted,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Decision, Missing> {
        if posted.to_group {
            return self.decide_group(posted, payload, consequences);
        }
        if posted.recalled != Sequence(0) && self.rejects(posted, payload.len())?.is_none() {
            self.recall(posted);
        }
        match self.accept(posted, payload, consequences)? {
            Ok(at_ms) => Ok(Decision::Accepted { at_ms }),
            Err(code) => Ok(self.reject_next(posted, code)),
        }
    }

    /// Accepts a message at its place in the shown order, unless a quota is in the way.
    fn accept(
        &mut self,
        posted: &Posted,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Result<u64, Code>, Missing> {
        let &Posted { recipient, sender, device, sequence, content_type, .. } = posted;
        let (now_ms, lapse_ms) = (self.clock_ms, self.lapse_ms());
        let user = self.users.get_mut(recipient).ok_or(Missing::Head(recipient))?;
        let counted = self.outstanding.get_mut(sender).ok_or(Missing::Outstanding(sender))?;
        counted.used = true;
        // Before all else: whether somebody may write does not depend on whether he is blocked,
        // or a block would take back what a stranger had been told.
        if !may_write(user, sender)? {
            return Ok(Err(Code::ContactsOnly));
        }
        // Most users have no chat set, and it is not looked up for that.
        if posted.flags & CAME_BLOCKED != 0
            || user.set_chats() > 0
                && chat_of(user, sender)?.settings().is_blocked()
                && !planted!(BlockIgnored)
        {
            return self.withhold(posted, payload);
        }
        if self.version > 1
            && let Some(code) =
                over_quota(&self.settings, user, sender, counted.count, payload.len())
        {
            return Ok(Err(code));
        }
        let chat = chat_of(user, sender)?;
        let at_ms = stamp(chat, posted, now_ms);
        let is_muted = chat.settings().muted_until_ms > now_ms;
        let life_ms = u64::from(posted.life_s) * 1000;
        let entry = InboxEntry {
            peer: sender,
            put_at_ms: now_ms,
            expires_at_ms: now_ms.saturating_add(life_ms),
            payload_bytes: payload.len() as u32,
            body: EntryBody::Message {
                device,
                sequence,
                accepted_at_ms: at_ms,
                content_type,
                payload: payload.clone(),
            },
        };
        let position = user.put(entry, lapse_ms);
        list(user, &mut self.changed_users);
        counted.count += 1;
        list_sender(counted, &mut self.changed_senders);
        self.digest.mix(at_ms);
        self.digest.mix(position.0);
        consequences.touch(recipient);
        if !is_muted {
            consequences.wait(recipient, position);
        }
        self.totals.accepted += 1;
        if posted.flags & COPIES != 0 {
            self.copy(posted, at_ms, payload);
        }
        Ok(Ok(at_ms))
    }

    /// For the other devices of the sender.
    pub(super) fn copy(&mut self, posted: &Posted, accepted_at_ms: u64, payload: &Bytes) {
        let &Posted { recipient, sender, device, sequence, content_type, .. } = posted;
        self.outgoing_to(sender).push(PartBody::Copy {
            about: About { user: sender, peer: recipient, device },
            sequence: sequence.0,
            accepted_at_ms,
            content_type,
            payload: payload.clone(),
        });
    }

    /// Decides against the next number, and tells its sender.
    pub(super) fn reject_next(&mut self, posted: &Posted, code: Code) -> Decision {
        let &Posted { recipient, sender, device, sequence, .. } = posted;
        let decision = Decision::Rejected(code);
        let is_kept = !planted!(RejectionForgotten);
        if let Some(chat) = self.chat_mut(recipient, sender).filter(|_| is_kept) {
            chat.decide(device, decision);
        }
        self.list(recipient);
        self.tell_failed(recipient, sender, device, sequence, code);
        decision
    }

    /// Why a message may not wait in an inbox.
    pub(super) fn rejects(
        &mut self,
        posted: &Posted,
        payload_bytes: usize,
    ) -> Result<Option<Code>, Missing> {
        let outstanding = self.require_outstanding(posted.sender)?;
        let user = self.users.get(posted.recipient).ok_or(Missing::Head(posted.recipient))?;
        if !may_write(user, posted.sender)? {
            return Ok(Some(Code::ContactsOnly));
        }
        let is_limited = self.version > 1;
        let code = over_quota(&self.settings, user, posted.sender, outstanding, payload_bytes);
        Ok(code.filter(|_| is_limited))
    }
}

/// Why one more message of a sender, of whom as many are `outstanding` in the partition, may
/// not wait here. A chat that is not in memory counts as empty.
pub(crate) fn over_quota(
    settings: &Settings,
    user: &User,
    sender: UserId,
    outstanding: u32,
    payload_bytes: usize,
) -> Option<Code> {
    // What is withheld of the sender's own counts for the sender, as it would if it waited; for
    // anybody else it is not there.
    let (withheld_count, withheld_bytes) = user.withheld_of(sender);
    let messages = user.messages.saturating_add(withheld_count);
    let bytes = user.bytes.saturating_add(withheld_bytes).saturating_add(payload_bytes as u64);
    if messages >= settings.inbox_messages_max || bytes > settings.inbox_bytes_max {
        return Some(Code::InboxFull);
    }
    let share_max = (settings.inbox_messages_max / INBOX_SHARE_OF_A_SENDER).max(1);
    // The chat is looked at only where it can matter: in an inbox of many senders it is cold.
    let is_share_taken = messages >= share_max
        && user.chats.get(&sender).is_some_and(|chat| chat.waiting >= share_max);
    let is_over = is_share_taken || outstanding >= settings.sender_messages_max;
    is_over.then_some(Code::SenderQuota)
}

/// Takes a message into a chat; returns its place in the shown order: not behind the clock,
/// the chat's last one, or what its sender had seen.
pub(super) fn stamp(chat: &mut Chat, posted: &Posted, now_ms: u64) -> u64 {
    let answer_ms = posted.seen_ms.saturating_add(1).min(now_ms + SEEN_AHEAD_MAX_MS);
    let at_ms = now_ms.max(chat.last_accepted_ms).max(answer_ms);
    chat.last_accepted_ms = at_ms;
    chat.waiting += 1;
    chat.changed = true;
    chat.decide(posted.device, Decision::Accepted { at_ms });
    at_ms
}
