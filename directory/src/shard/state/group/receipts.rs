//! Who has a message of a group, and who has read it: told by each member's home, counted by
//! the sender's.

use std::sync::Arc;

use answerback_proto::id::{DeviceId, Position, Sequence, UserId};
use answerback_proto::record::{GroupReadUpTo, GroupReceiptPart};
use bytes::Bytes;

use super::super::super::chat::{Chat, ReceiptKind};
use super::super::super::effect::{Answer, EntryBody};
use super::super::super::group::{Counted, GroupChat, GroupWord, SlotBits, Tally, Unread};
use super::super::super::parts::{About, PartBody, PartNumbers};
use super::super::{Consequences, Missing, State, Verdict, chat_of};
use crate::limits::{RECEIPT_CHATS_PER_DUE_MAX, RECEIPTS_PER_DUE_MAX};

/// Messages of the user's to a group, by device and number.
pub(in super::super) type Due = (UserId, Vec<(DeviceId, Sequence)>);

impl State {
    /// A member has a message, for the first time. The chat is in memory.
    pub(in super::super) fn tell_has(
        &mut self,
        acting: UserId,
        position: Position,
        word: &GroupWord,
    ) {
        let Some(chat) = self.chat_mut(acting, word.group) else { return };
        let hides_reads = chat.settings().hides_reads();
        let received = chat.group_mut().and_then(|group| group.receive(position, word));
        let Some((slot, is_read)) = received else { return };
        let (device, sequence) = word.about();
        let message = Unread { sender: word.sender, device, sequence, version: word.version };
        self.tell_receipt_part(word.group, message, SlotBits::of(slot, is_read && !hides_reads));
    }

    /// A user has read a group: the senders are told, and his other devices.
    pub(in super::super) fn read_group(
        &mut self,
        record: &GroupReadUpTo,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (acting, group) = (UserId(record.user), UserId(record.group));
        let (reader, read_at_ms) = (DeviceId(record.reader_device), self.clock_ms);
        let done = Verdict::Answer(Answer::Done { at_ms: read_at_ms });
        let user = self.user(acting)?;
        let up_to = Position(record.up_to).min(user.inbox.last_position());
        let has_others = user.has_several_devices();
        if !user.exists() {
            return Ok(done);
        }
        let chat = chat_of(user, group)?;
        let hides_reads = chat.settings().hides_reads();
        let Some((slot, read)) = chat.group_mut().and_then(|group| group.read(up_to)) else {
            return Ok(done);
        };
        for message in read.into_iter().filter(|_| !hides_reads) {
            self.tell_receipt_part(group, message, SlotBits::of(slot, true));
        }
        if has_others {
            let body = EntryBody::GroupReadElsewhere { reader, up_to, read_at_ms };
            self.put_receipt(acting, group, ReceiptKind::GroupReadElsewhere, body, consequences);
        }
        self.digest.mix(up_to.0);
        self.list(acting);
        Ok(done)
    }

    fn tell_receipt_part(&mut self, group: UserId, message: Unread, bits: SlotBits) {
        let Unread { sender, device, sequence, version } = message;
        let about = About { user: sender, peer: group, device };
        let part = PartBody::GroupReceipt { about, sequence: sequence.0, version, bits };
        self.outgoing_to(sender).push(part);
        self.digest.mix(sequence.0);
    }

    /// Members have a message of a user's, or have read it.
    pub(in super::super) fn group_receipt_part(
        &mut self,
        part: &GroupReceiptPart,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (sender, group) = (UserId(part.user), UserId(part.group));
        let of = (DeviceId(part.device), Sequence(part.sequence));
        let (bits, now_ms) = (SlotBits::from_bytes(payload, part.delivered_bytes), self.clock_ms);
        let user = self.user(sender)?;
        let (exists, left_up_to) = (user.exists(), user.left_up_to());
        if exists {
            chat_of(user, group)?;
        }
        if !self.takes_from((part.source, PartNumbers::from(part)), consequences) || !exists {
            return Ok(Verdict::Silent);
        }
        let Some(chat) = self.chat_mut(sender, group) else { return Ok(Verdict::Silent) };
        match chat.group_or_new().count(of, part.version, &bits, now_ms, left_up_to) {
            Counted::Nothing => {}
            Counted::Now => self.tell_receipt(sender, group, of, consequences),
            Counted::At(due_ms) => self.note_untold(sender, group, due_ms),
        }
        self.list(sender);
        Ok(Verdict::Silent)
    }

    /// The receipts that wait and may be told by now, as many as one record takes, with their
    /// chats in memory.
    pub(in super::super) fn require_untold(
        &mut self,
        acting: UserId,
        now_ms: u64,
    ) -> Result<Vec<Due>, Missing> {
        let due = self.user(acting)?.untold().filter(|(_, due_ms)| *due_ms <= now_ms);
        let groups: Vec<_> = due.take(RECEIPT_CHATS_PER_DUE_MAX).map(|(group, _)| group).collect();
        let mut all = Vec::new();
        for group in groups {
            let chat = chat_of(self.user(acting)?, group)?;
            let due = chat.group().into_iter().flat_map(|group| group.due(now_ms));
            all.push((group, due.take(RECEIPTS_PER_DUE_MAX).collect()));
        }
        Ok(all)
    }

    /// They are told.
    pub(in super::super) fn tell_receipts(
        &mut self,
        acting: UserId,
        group: UserId,
        due: Vec<(DeviceId, Sequence)>,
        consequences: &mut Consequences,
    ) {
        for of in due {
            self.tell_receipt(acting, group, of, consequences);
        }
        if let Some(user) = self.users.get_mut(acting) {
            let due_ms = user.chats.get(&group).and_then(Chat::group).and_then(GroupChat::due_ms);
            user.note_untold(group, due_ms);
        }
    }

    fn note_untold(&mut self, sender: UserId, group: UserId, due_ms: u64) {
        let Some(user) = self.users.get_mut(sender) else { return };
        let known = user.untold().find(|(known, _)| *known == group);
        let first_ms = known.map_or(due_ms, |(_, known_ms)| known_ms.min(due_ms));
        user.note_untold(group, Some(first_ms));
        self.digest.mix(due_ms);
    }

    /// An entry says all that is known of a message; the older one leaves.
    fn tell_receipt(
        &mut self,
        sender: UserId,
        group: UserId,
        of: (DeviceId, Sequence),
        consequences: &mut Consequences,
    ) {
        let now_ms = self.clock_ms;
        let Some(tally) = self.tally_mut(sender, group, of) else { return };
        let (version, bits) = (tally.version, Arc::new(tally.bits.clone()));
        let (device, sequence) = of;
        let body = EntryBody::GroupReceipt { device, sequence, version, bits };
        let position = self.put(sender, group, body, consequences);
        let Some(tally) = self.tally_mut(sender, group, of) else { return };
        (tally.told_ms, tally.is_untold) = (now_ms, false);
        let older = std::mem::replace(&mut tally.position, position);
        let left_up_to = self.users.get(sender).map(|user| user.left_up_to());
        if left_up_to.is_some_and(|left_up_to| older > left_up_to) {
            self.remove_folded(sender, older);
        }
    }

    fn tally_mut(
        &mut self,
        sender: UserId,
        group: UserId,
        of: (DeviceId, Sequence),
    ) -> Option<&mut Tally> {
        self.chat_mut(sender, group)?.group_mut()?.tallies.get_mut(of)
    }
}
