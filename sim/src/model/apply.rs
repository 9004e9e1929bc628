//! Records, once they are durable, in the order of their journal.

use answerback_proto::id::{DeviceId, PartitionId, Sequence, UserId};
use answerback_proto::kind::{DeviceMark, DeviceMarks};
use answerback_proto::limits::LIFE_MAX_S;
use answerback_proto::record::{
    Batch, COPIES, GroupPost, GroupSkipRange, PlacedRecord, Post, RecallPost, Record, SkipRange,
};

use super::account::{Posted, Standing};
use super::message::MessageNumber;
use super::parts::{About, Numbers, PartBody};
use super::withheld::ranges_of;
use super::{Breach, Model, require};

macro_rules! about {
    ($part:ident) => {
        About { user: UserId($part.user), peer: UserId($part.peer), device: DeviceId($part.device) }
    };
}

macro_rules! numbers {
    ($part:ident) => {
        Numbers { source: $part.source, number: $part.number, previous: $part.previous }
    };
}

impl Model {
    /// A batch is durable.
    pub(crate) fn handle_durable(&mut self, batch: &Batch) -> Result<(), Breach> {
        let at = usize::from(batch.partition().0);
        let expected = self.homes[at].offset + 1;
        require(batch.first_offset().0 == expected, || {
            format!(
                "partition {at} has a batch at {} where {expected} comes next: a durable one is lost",
                batch.first_offset()
            )
        })?;
        for placed in batch.records() {
            let placed = placed.map_err(|corrupt| Breach(format!("a batch is {corrupt}")))?;
            self.apply(at, &placed)?;
        }
        self.homes[at].offset = batch.end().0 - 1;
        self.note_waiting(at, batch.end());
        Ok(())
    }

    fn apply(&mut self, at: usize, placed: &PlacedRecord) -> Result<(), Breach> {
        match &placed.record {
            Record::Tick(tick) => self.tick(at, tick.now_ms),
            Record::Settings(settings) => self.homes[at].settings = settings.clone(),
            Record::ConfirmClock(_) => self.homes[at].is_clock_doubted = false,
            Record::AddUser(add) => {
                let account = self.account_mut(UserId(add.user));
                account.exists |= !account.is_purging;
            }
            Record::RevokeUser(revoke) => self.revoke_user(UserId(revoke.user)),
            Record::PurgeUser(purge) => self.purge(UserId(purge.user)),
            Record::Login(login) => self.login(login),
            Record::RevokeTokens(record) => {
                self.revoke_tokens(UserId(record.user), record.issued_before_s);
            }
            Record::RevokeToken(record) => self.revoke_token(record),
            Record::Revoke(revoke) => self.revoke(UserId(revoke.user), DeviceId(revoke.device)),
            Record::ChatChanged(changed) => self.change_chat(changed),
            Record::DeviceNamed(named) => self.name_device(named, &placed.payload),
            Record::Post(post) => {
                let posted = self.posted(post, 0, &placed.payload)?;
                return self.post(&posted);
            }
            Record::RecallPost(recall) => {
                let posted = self.posted(&as_post(recall), recall.recalled, &placed.payload)?;
                return self.post(&posted);
            }
            Record::SkipRange(range) => return self.skip(range),
            Record::Acknowledge(record) => {
                let (user, device) = (UserId(record.user), DeviceId(record.device));
                return self.acknowledge(user, device, record.up_to);
            }
            Record::ReadUpTo(read) => return self.read(read),
            Record::Due(due) => return self.due(self.alias(UserId(due.user)), due.up_to_ms),
            Record::GroupPost(post) => {
                let posted = self.posted(&as_post_to_group(post), 0, &placed.payload)?;
                return self.post(&posted);
            }
            Record::GroupSkipRange(range) => return self.skip(&as_range(range)),
            Record::GroupCreation(record) => self.create_group(record, &placed.payload),
            Record::MembersChange(record) => self.change_members(record, &placed.payload),
            Record::GroupRenaming(record) => self.rename_group(record, &placed.payload),
            Record::GroupPart(part) => return self.group_part(at, part, &placed.payload),
            Record::GroupFailedPart(part) => {
                return self.group_failed_part(at, part, &placed.payload);
            }
            Record::GroupGonePart(part) => return self.group_gone_part(at, part, &placed.payload),
            Record::GroupReceiptsChange(record) => self.change_receipts(record),
            Record::GroupReadUpTo(record) => self.read_group(record),
            Record::GroupReceiptPart(part) => {
                return self.group_receipt_part(at, part, &placed.payload);
            }
            Record::Attempt(attempt) => return self.attempt(attempt),
            Record::Confirmed(confirmed) => {
                let destination = PartitionId(confirmed.destination);
                return self.confirm(at, destination, confirmed.up_to);
            }
            Record::DeliveredPart(part) => {
                let (about, at_ms) = (about!(part), part.delivered_at_ms);
                let except = self.exceptions.note(Vec::new());
                let body = PartBody::Delivered { about, up_to: part.up_to, at_ms, except };
                return self.take_part(at, numbers!(part), body, about.user);
            }
            Record::DeliveredButPart(part) => {
                let (about, at_ms) = (about!(part), part.delivered_at_ms);
                let except = self.exceptions.note(ranges_of(&placed.payload));
                let body = PartBody::Delivered { about, up_to: part.up_to, at_ms, except };
                return self.take_part(at, numbers!(part), body, about.user);
            }
            Record::ReadPart(part) => {
                let about = about!(part);
                let body = PartBody::Read { about, up_to: part.up_to, at_ms: part.read_at_ms };
                return self.take_part(at, numbers!(part), body, about.user);
            }
            Record::FailedPart(part) => {
                let about = about!(part);
                let message = self.failed_message(about, part.sequence)?;
                let body = PartBody::Failed { message, code: part.code };
                return self.take_part(at, numbers!(part), body, about.user);
            }
            Record::CopyPart(part) => {
                let about = about!(part);
                let message = self.checked_payload(&placed.payload)?;
                let is_it = self.sent(about.device, about.peer, Sequence(part.sequence))?;
                require(message == is_it, || "a copy has another's payload".into())?;
                let body = PartBody::Copy { message, at_ms: part.accepted_at_ms };
                return self.take_part(at, numbers!(part), body, about.user);
            }
            Record::EraseChat(record) => return self.erase_chat(record, &placed.payload),
            Record::ErasePart(part) => {
                let about = about!(part);
                let marks = self.marks(&marks_of(&placed.payload));
                let body = PartBody::Erase { about, marks };
                return self.take_part(at, numbers!(part), body, about.user);
            }
            Record::ErasedPart(part) => {
                let about = about!(part);
                let marks = self.marks(&marks_of(&placed.payload));
                let body = PartBody::Erased { about, marks };
                return self.take_part(at, numbers!(part), body, about.user);
            }
            Record::ContactsChange(change) => self.change_contacts(change, &placed.payload),
            Record::WritersChange(change) => self.set_writers(change),
            Record::WroteTo(wrote) => self.wrote_to(wrote),
            Record::VisibilityChange(change) => self.set_visibility(change),
            Record::ApplyVersion(_) | Record::StateDigest(_) | Record::NewGeneration(_) => {}
            Record::Message(_) | Record::Connect(_) | Record::Repair(_) => {
                return Err(Breach(format!("a record that nobody writes: {:?}", placed.record)));
            }
        }
        if let Some(user) = shown_otherwise(&placed.record) {
            self.note_shown(user);
        }
        Ok(())
    }

    fn tick(&mut self, at: usize, now_ms: u64) {
        let home = &mut self.homes[at];
        let before_ms = home.clock_ms;
        home.clock_ms = before_ms.max(now_ms);
        let jump_ms = u64::from(home.settings.clock_jump_s) * 1000;
        home.is_clock_doubted |= before_ms > 0 && home.clock_ms - before_ms > jump_ms;
    }

    fn revoke(&mut self, user: UserId, id: DeviceId) {
        let device = self.device(id);
        let is_there = matches!(device.standing, Standing::Active | Standing::Lapsed);
        if is_there && device.user == user {
            self.device_mut(id).revoke();
            self.let_leave(user);
        }
    }

    fn posted(&self, post: &Post, recalled: u64, payload: &[u8]) -> Result<Posted, Breach> {
        let (recipient, device) = (self.alias(UserId(post.recipient)), DeviceId(post.device));
        let message = self.sent(device, recipient, Sequence(post.sequence))?;
        let carried = self.checked_payload(payload)?;
        let known = self.message(message);
        // In a group a recall is a message like any other.
        let known_recalled = known.recalled.filter(|_| self.group(recipient).is_none());
        let is_right = carried == message
            && known.sender == UserId(post.sender)
            && known_recalled.unwrap_or_default() == Sequence(recalled)
            && post.life_s == if known.life_s == 0 { LIFE_MAX_S } else { known.life_s };
        require(is_right, || format!("{known} was journaled as another"))?;
        Ok(Posted {
            message,
            recipient,
            sender: known.sender,
            device,
            sequence: post.sequence,
            recalled,
            seen_ms: post.seen_ms,
            life_s: post.life_s,
            payload_bytes: payload.len(),
            is_copied: post.flags & COPIES != 0,
            came_blocked: false,
        })
    }

    /// The message whose payload this is, whole.
    pub(super) fn checked_payload(&self, payload: &[u8]) -> Result<MessageNumber, Breach> {
        let number = MessageNumber::of(payload);
        let known = number.and_then(|number| self.messages.get(number.0 as usize));
        match (number, known) {
            (Some(number), Some(known)) if payload == number.payload(known.payload_bytes) => {
                Ok(number)
            }
            _ => Err(Breach("a payload is damaged".into())),
        }
    }
}

fn marks_of(payload: &[u8]) -> Vec<DeviceMark> {
    DeviceMarks::of(payload).iter().collect()
}

/// A recall says the same as a message, and more.
fn as_post(recall: &RecallPost) -> Post {
    Post {
        recipient: recall.recipient,
        sender: recall.sender,
        device: recall.device,
        sequence: recall.sequence,
        seen_ms: recall.seen_ms,
        life_s: recall.life_s,
        content_type: recall.content_type,
        flags: recall.flags,
    }
}

/// What a group gets is posted as to anybody.
fn as_post_to_group(post: &GroupPost) -> Post {
    Post {
        recipient: post.group,
        sender: post.sender,
        device: post.device,
        sequence: post.sequence,
        seen_ms: post.seen_ms,
        life_s: post.life_s,
        content_type: post.content_type,
        flags: post.flags,
    }
}

fn as_range(range: &GroupSkipRange) -> SkipRange {
    let GroupSkipRange { group, sender, device, from, to } = range.clone();
    SkipRange { recipient: group, sender, device, from, to }
}

/// Whose record may change whom he sees, and who sees him.
fn shown_otherwise(record: &Record) -> Option<UserId> {
    match record {
        Record::AddUser(add) => Some(UserId(add.user)),
        Record::Login(login) => Some(UserId(login.user)),
        Record::ChatChanged(changed) => Some(UserId(changed.user)),
        Record::ContactsChange(change) => Some(UserId(change.user)),
        Record::VisibilityChange(change) => Some(UserId(change.user)),
        _ => None,
    }
}
