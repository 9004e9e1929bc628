//! Users delete chats: only what both have deleted leaves, and marks only rise.

use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::kind::{DeviceMark, DeviceMarks};
use answerback_proto::record::EraseChat;

use super::account::{Body, Chat, Direction, Standing};
use super::message::Exit;
use super::parts::{About, PartBody};
use super::{Breach, Model, require};

/// Marks of a deletion: where they stand in the model's list of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks(usize);

impl Marks {
    /// None that were ever made.
    const NONE_KNOWN: Self = Self(usize::MAX);
}

impl Model {
    /// Equal marks are the same marks.
    pub(super) fn marks(&mut self, marks: &[DeviceMark]) -> Marks {
        if self.known_marks(marks) == Marks::NONE_KNOWN {
            self.marks.push(marks.to_vec());
        }
        self.known_marks(marks)
    }

    /// As above, of marks that a device is told.
    pub(super) fn known_marks(&self, marks: &[DeviceMark]) -> Marks {
        let found = self.marks.iter().position(|known| known == marks);
        found.map_or(Marks::NONE_KNOWN, Marks)
    }

    fn list_of(&self, Marks(at): Marks) -> Vec<DeviceMark> {
        self.marks.get(at).cloned().unwrap_or_default()
    }

    /// A user has deleted a chat, on one device.
    pub(super) fn erase_chat(&mut self, record: &EraseChat, payload: &[u8]) -> Result<(), Breach> {
        let (user, peer) = (UserId(record.user), UserId(record.peer));
        let device = DeviceId(record.device);
        let known = self.device(device);
        let is_there = matches!(known.standing, Standing::Active | Standing::Lapsed);
        let up_to = record.cursor.min(known.cursor);
        if !self.account(user).exists || !is_there {
            return Ok(());
        }
        let chat = self.account_mut(user).chat(peer);
        if chat.has_come() {
            chat.deleted_up_to = chat.deleted_up_to.max(up_to);
        }
        self.end_deleted(user, peer)?;
        let marks: Vec<_> = DeviceMarks::of(payload).iter().collect();
        let marks = self.marks(&marks);
        let about = About { user: peer, peer: user, device };
        let source = self.account(user).partition;
        self.make_part(source, peer, PartBody::Erase { about, marks });
        Ok(())
    }

    /// The peer has: as far as the numbers are decided here.
    pub(super) fn take_erase(&mut self, about: About, marks: Marks) -> Result<(), Breach> {
        let About { user, peer, device } = about;
        let mut erased = Vec::new();
        for DeviceMark { device, up_to } in self.list_of(marks) {
            let directions = &mut self.account_mut(user).chat(peer).directions;
            let Some(known) = directions.iter_mut().find(|known| known.device == device) else {
                continue;
            };
            known.erased_up_to = known.erased_up_to.max(up_to.0.min(known.last));
            if known.erased_up_to > 0 {
                erased.push(device);
            }
        }
        self.end_deleted(user, peer)?;
        let chat = self.account_mut(user).chat(peer);
        let marks: Vec<_> = erased.into_iter().map(|device| chat.mark_of(device)).collect();
        let marks = self.marks(&marks);
        let about = About { user: peer, peer: user, device };
        let source = self.account(user).partition;
        self.make_part(source, peer, PartBody::Erased { about, marks });
        Ok(())
    }

    /// The deleter's copies leave, and the other devices are told.
    pub(super) fn take_erased(&mut self, about: About, marks: Marks) {
        let About { user, peer, device } = about;
        let covering = self.list_of(marks);
        let account = self.account(user);
        let is_covered = |body: Body| match body {
            Body::Copied(number) => {
                let message = self.message(number);
                let covers = |mark: &DeviceMark| {
                    mark.device == message.device && message.sequence <= mark.up_to
                };
                message.recipient == peer && covering.iter().any(covers)
            }
            _ => false,
        };
        let alive = account.alive(0, account.last_position());
        let leaving: Vec<_> =
            alive.filter(|(_, entry)| is_covered(entry.body)).map(|(at, _)| at).collect();
        leaving.into_iter().for_each(|position| self.account_mut(user).die(position));
        let up_to = self.account_mut(user).chat(peer).deleted_up_to;
        let has_others = self.active_devices(user).count() > 1;
        if has_others && (up_to > 0 || !covering.is_empty()) {
            self.put(user, peer, Body::ChatDeleted { device, up_to, marks }, 0, 0);
        }
    }

    /// What both have deleted is there no more. Somebody had it, and its sender was told so.
    fn end_deleted(&mut self, user: UserId, peer: UserId) -> Result<(), Breach> {
        let account = self.account(user);
        let chat = &account.chats[peer.0 as usize - 1];
        let mut covered = Vec::new();
        for (position, entry) in account.alive(0, chat.deleted_up_to) {
            let Body::Message(number) = entry.body else { continue };
            let message = self.message(number);
            if entry.peer != peer || message.sequence > chat.mark_of(message.device).up_to {
                continue;
            }
            require(message.exit == Some(Exit::Delivered), || {
                format!("{message} was deleted, and is {:?}", message.exit)
            })?;
            covered.push(position);
        }
        covered.into_iter().for_each(|position| self.account_mut(user).die(position));
        Ok(())
    }
}

impl Chat {
    /// Whether anything came from the other end, or waits for its turn.
    fn has_come(&self) -> bool {
        let came = |known: &Direction| known.last > 0 || !known.parked.is_empty();
        self.directions.iter().any(came)
    }

    /// How far the other end has deleted what a device of it sent.
    fn mark_of(&self, device: DeviceId) -> DeviceMark {
        let known = self.directions.iter().find(|known| known.device == device);
        let up_to = known.map_or(0, |known| known.erased_up_to);
        DeviceMark { device, up_to: answerback_proto::id::Sequence(up_to) }
    }
}
