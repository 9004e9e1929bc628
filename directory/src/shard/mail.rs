//! What partitions say to each other: parts of the numbered queues, confirmations, first words.

use std::sync::Arc;

use answerback_proto::id::{PartNumber, PartitionId, UserId};
use answerback_proto::record::{
    CopyPart, DeliveredButPart, DeliveredPart, ErasePart, ErasedPart, FailedPart, FixedRecord,
    GroupFailedPart, GroupGonePart, GroupPart, GroupReceiptPart, ReadPart,
};
use bytes::Bytes;

use super::chat::Chat;
use super::group::{list_numbered, list_users};
use super::parts::PartNumbers;
use super::presence::Sight;
use super::{Effect, EntryBody, SessionRef, Shard};
use crate::limits::OPEN_BYTES_MAX;

/// What one partition says to another, through memory: all of it may be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mail {
    /// A part of the numbered queue: messages were delivered.
    Delivered(DeliveredPart),
    /// A part of the numbered queue: messages were delivered, but for some before them.
    DeliveredBut(DeliveredButPart, Bytes),
    /// A part of the numbered queue: messages were read.
    Read(ReadPart),
    /// A part of the numbered queue: a message will not be delivered.
    Failed(FailedPart),
    /// A part of the numbered queue: a message, for its sender's other devices.
    Copy(CopyPart, Bytes),
    /// A part of the numbered queue: the other user has deleted the chat, with marks.
    Erase(ErasePart, Bytes),
    /// A part of the numbered queue: what of the own messages that covers, as marks.
    Erased(ErasedPart, Bytes),
    /// A part of the numbered queue: a group's word, for these members.
    Group(Box<GroupPart>, Arc<[UserId]>, Bytes),
    /// A part of the numbered queue: members that a message will not be delivered to.
    GroupFailed(GroupFailedPart, Arc<[(UserId, u16)]>),
    /// A part of the numbered queue: members who have a message to a group, or have read it.
    GroupReceipt(GroupReceiptPart, Bytes),
    /// A part of the numbered queue: members of a group do not exist.
    GroupGone(GroupGonePart, Arc<[UserId]>),
    /// The partition `by` has committed all parts up to a number.
    Confirm {
        /// Who has them.
        by: PartitionId,
        /// The greatest number.
        up_to: PartNumber,
    },
    /// A first word to the sessions of a user; its durable entry follows as a part.
    Show {
        /// Whose sessions.
        user: UserId,
        /// The other end of the chat.
        peer: UserId,
        /// What to show.
        body: EntryBody,
    },
    /// A signal to the sessions of a user.
    Typing {
        /// Whose sessions.
        user: UserId,
        /// Who writes.
        peer: UserId,
        /// What `peer` does.
        state: u16,
    },
    /// A session watches users: its whole list of this partition's, or a single look at them.
    Watch {
        /// Whose session.
        watcher: UserId,
        /// Which.
        session: SessionRef,
        /// Whom; nobody ends it.
        users: Box<[UserId]>,
        /// Whether the list stays as it is.
        once: bool,
    },
    /// What sessions are to see of users.
    Sights(Box<[Sight]>),
}

impl Mail {
    /// Whether it is dropped before anything else is.
    pub fn is_signal(&self) -> bool {
        matches!(self, Self::Typing { .. } | Self::Sights(_))
    }
}

impl Shard {
    /// A word of another partition.
    pub fn handle_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Delivered(part) => self.take_part(&part, part.source, &[], part.user),
            Mail::DeliveredBut(part, ranges) => {
                self.take_part(&part, part.source, &ranges, part.user);
            }
            Mail::Read(part) => self.take_part(&part, part.source, &[], part.user),
            Mail::Failed(part) => self.take_part(&part, part.source, &[], part.user),
            Mail::Copy(part, payload) => self.take_part(&part, part.source, &payload, part.user),
            Mail::Erase(part, marks) => self.take_part(&part, part.source, &marks, part.user),
            Mail::Erased(part, marks) => self.take_part(&part, part.source, &marks, part.user),
            Mail::Group(part, members, payload) => {
                let listed = list_users(&members);
                if self.is_new_part(part.source, PartNumbers::from(&*part)) {
                    self.builder().push_joined(&*part, &listed, &payload);
                    for member in members.iter() {
                        self.preload_chat(*member, UserId(part.group));
                    }
                }
            }
            Mail::GroupFailed(part, members) => {
                let user = part.user;
                self.take_part(&part, part.source, &list_numbered(&members), user);
            }
            Mail::GroupReceipt(part, bits) => {
                self.take_part(&part, part.source, &bits, part.user);
            }
            Mail::GroupGone(part, users) => {
                self.take_part(&part, part.source, &list_users(&users), part.group);
            }
            Mail::Confirm { by, up_to } => {
                if let Some(outgoing) = self.state.outgoing.get(&by) {
                    self.courier.handle_confirmed(by, up_to, outgoing);
                }
            }
            Mail::Show { user, peer, body } => {
                if self.may_tell(user, peer, &body) {
                    self.sessions.show(user, peer, &body, &mut self.effects);
                }
            }
            Mail::Typing { user, peer, state } => self.show_typing(user, peer, state),
            Mail::Watch { watcher, session, users, once } => {
                self.take_watch(watcher, session, users, once);
            }
            Mail::Sights(sights) => self.show_sights(&sights),
        }
    }

    /// Whether a first word is for the user's eyes. What memory does not know of a user who
    /// has any chat treated otherwise is not shown; its entry is, or is not.
    fn may_tell(&self, user: UserId, peer: UserId, body: &EntryBody) -> bool {
        let user = self.state.users.get(user).filter(|user| user.set_chats() > 0);
        match user {
            Some(user) if matches!(body, EntryBody::ReadBy { .. }) => {
                user.chats.get(&peer).is_some_and(Chat::tells_reads)
            }
            _ => true,
        }
    }

    /// Journals a part, unless it was taken before: then it is confirmed at once.
    fn take_part<P: FixedRecord>(&mut self, part: &P, source: u16, payload: &[u8], user: u128)
    where
        for<'a> PartNumbers: From<&'a P>,
    {
        if self.is_new_part(source, PartNumbers::from(part)) {
            self.builder().push(part, payload);
            self.preload(UserId(user), None);
        }
    }

    /// Whether a part is to be journaled: it was not taken before, and there is room for it.
    fn is_new_part(&mut self, source: u16, numbers: PartNumbers) -> bool {
        let source = PartitionId(source);
        let known = self.state.incoming.get(&source).copied().unwrap_or_default();
        if known.has(numbers) {
            self.confirm(source, known.taken);
            return false;
        }
        self.open.byte_length() < OPEN_BYTES_MAX
    }

    pub(super) fn confirm(&mut self, source: PartitionId, up_to: PartNumber) {
        let mail = Mail::Confirm { by: self.state.partition, up_to };
        self.effects.push_back(Effect::Mail { to: source, mail });
    }
}
