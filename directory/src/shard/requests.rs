//! What sessions ask for: it is checked, refused without a trace, or journaled.

use answerback_proto::access;
use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Position, Sequence, UserId};
use answerback_proto::kind::{Ack, Kind, Read, Recall, Resync, Send, Skip};
use answerback_proto::limits::{LIFE_MAX_S, LIFE_MIN_S};
use answerback_proto::record::{Acknowledge, COPIES, Post, ReadUpTo, RecallPost, SkipRange};

use super::chat::Chat;
use super::residency::Lacks;
use super::state::over_quota;
use super::user::User;
use super::{Answer, Asked, Effect, EntryBody, Mail, Origin, SessionRef, Shard};
use crate::limits::{
    BUSY_RETRY_AFTER_MS, OPEN_BYTES_MAX, QUOTA_RETRY_AFTER_MS, UNDECIDED_RECORDS_MAX,
};

impl Shard {
    /// A `Send` for a user of this partition: envelope as it came, payload.
    pub fn handle_send(
        &mut self,
        origin: Origin,
        recipient: UserId,
        envelope: &[u8],
        payload: &[u8],
    ) {
        let send = match access::read::<Send>(envelope) {
            Ok(send) => send,
            Err(code) => return self.close(origin, Kind::Send, code),
        };
        let sequence = Sequence(send.sequence);
        if is_too_short(send.life_s) {
            return self.refuse(origin, recipient, sequence, Code::LifeTooShort);
        }
        let lacks = match self.takes_message(origin, recipient, sequence, payload.len()) {
            Ok(lacks) => lacks,
            Err(code) => return self.refuse(origin, recipient, sequence, code),
        };
        let post = Post {
            recipient: recipient.0,
            sender: origin.user.0,
            device: origin.device.0,
            sequence: send.sequence,
            seen_ms: send.seen_ms,
            life_s: life(send.life_s),
            content_type: send.content_type,
            flags: flags(origin),
        };
        self.append(&post, payload, Asked::Request { origin, peer: recipient });
        self.load_lacking(lacks, recipient, origin.user);
    }

    /// A `Recall` for a user of this partition: envelope as it came, payload.
    pub fn handle_recall(
        &mut self,
        origin: Origin,
        recipient: UserId,
        envelope: &[u8],
        payload: &[u8],
    ) {
        let recall = match access::read::<Recall>(envelope) {
            Ok(recall) => recall,
            Err(code) => return self.close(origin, Kind::Recall, code),
        };
        let sequence = Sequence(recall.sequence);
        if is_too_short(recall.life_s) {
            return self.refuse(origin, recipient, sequence, Code::LifeTooShort);
        }
        let lacks = match self.takes_message(origin, recipient, sequence, payload.len()) {
            Ok(lacks) => lacks,
            Err(code) => return self.refuse(origin, recipient, sequence, code),
        };
        let post = RecallPost {
            recipient: recipient.0,
            sender: origin.user.0,
            device: origin.device.0,
            sequence: recall.sequence,
            recalled: recall.recalled,
            seen_ms: recall.seen_ms,
            life_s: life(recall.life_s),
            content_type: recall.content_type,
            flags: flags(origin),
        };
        self.append(&post, payload, Asked::Request { origin, peer: recipient });
        self.load_lacking(lacks, recipient, origin.user);
    }

    /// A `Skip` for a chat with a user of this partition.
    pub fn handle_skip(&mut self, origin: Origin, recipient: UserId, envelope: &[u8]) {
        let Skip { from, to } = match access::read::<Skip>(envelope) {
            Ok(skip) => skip,
            Err(code) => return self.close(origin, Kind::Skip, code),
        };
        if let Err(code) = self.takes_request(recipient) {
            return self.refuse(origin, recipient, Sequence(from), code);
        }
        let range = SkipRange {
            recipient: recipient.0,
            sender: origin.user.0,
            device: origin.device.0,
            from,
            to,
        };
        self.append(&range, &[], Asked::Request { origin, peer: recipient });
        self.preload(recipient, Some(origin.user));
    }

    /// A `Read` of a user of this partition. What its session has acknowledged is journaled
    /// before it: a device acknowledges first, and only what is delivered can be read.
    pub fn handle_read(&mut self, origin: Origin, envelope: &[u8]) {
        let read = match access::read::<Read>(envelope) {
            Ok(read) => read,
            Err(code) => return self.close(origin, Kind::Read, code),
        };
        if self.is_busy() {
            return self.refuse(origin, origin.user, Sequence(read.up_to), Code::Busy);
        }
        if let Some(up_to) = self.sessions.take_acknowledgement(origin.user, origin.session) {
            let (user, device) = (origin.user.0, origin.device.0);
            self.builder().push(&Acknowledge { user, device, up_to: up_to.0 }, &[]);
        }
        let record = ReadUpTo {
            user: origin.user.0,
            reader_device: origin.device.0,
            peer: read.peer,
            device: read.device,
            up_to: read.up_to,
        };
        self.append(&record, &[], Asked::Request { origin, peer: origin.user });
        self.preload(origin.user, Some(UserId(read.peer)));
    }

    /// An `Ack` of a user of this partition.
    pub fn handle_ack(&mut self, origin: Origin, envelope: &[u8]) {
        if planted!(AckActs) {
            self.handle_action(origin.user, self.state.clock_ms);
        }
        let acknowledged = access::read::<Ack>(envelope).and_then(|ack| {
            self.sessions.acknowledge(origin.user, origin.session, Position(ack.up_to))
        });
        if let Err(code) = acknowledged {
            self.close(origin, Kind::Ack, code);
        } else if planted!(ShownUncommitted)
            && let Some(user) = self.state.users.get(origin.user)
            && let Some((_, entry)) = user.inbox.known(user.floor, Position(u64::MAX)).next()
            && let &EntryBody::Message { device, sequence: up_to, .. } = &entry.body
        {
            let body =
                EntryBody::Delivered { device, up_to, delivered_at_ms: 0, except: Vec::new() };
            let mail = Mail::Show { user: entry.peer, peer: origin.user, body };
            let to = self.state.table.partition_of(entry.peer);
            self.effects.push_back(Effect::Mail { to, mail });
        }
    }

    /// A `Resync` of a user of this partition.
    pub fn handle_resync(&mut self, origin: Origin, envelope: &[u8]) {
        let resynced = access::read::<Resync>(envelope).and_then(|resync| {
            self.sessions.resync(origin.user, origin.session, Position(resync.cursor))
        });
        if let Err(code) = resynced {
            self.close(origin, Kind::Resync, code);
        }
    }

    /// A frame came from a session after [`Effect::Probe`].
    pub fn handle_alive(&mut self, user: UserId, session: SessionRef) {
        self.sessions.handle_alive(user, session);
    }

    /// Whether a message may be journaled: all that can be refused without a trace is
    /// refused here. Says what is not in memory of what it concerns.
    fn takes_message(
        &self,
        origin: Origin,
        recipient: UserId,
        sequence: Sequence,
        payload_bytes: usize,
    ) -> Result<Lacks, Code> {
        let (user, sender) = (self.takes_request(recipient)?, origin.user);
        let counted = self.state.outstanding.get(sender);
        if let Some(user) = user {
            let outstanding = counted.map_or(0, |counted| counted.count);
            let settings = &self.state.settings;
            let code = over_quota(settings, user, sender, outstanding, payload_bytes);
            if let Some(code) = code.filter(|_| user.exists())
                && last_decided(user.chats.get(&sender), origin.device) < sequence
            {
                return Err(code);
            }
        }
        Ok(Lacks {
            head: user.is_none(),
            chat: user.is_some_and(|user| user.lacks_chat(sender)),
            sender: counted.is_none(),
        })
    }

    /// Whether a request may be journaled; says what memory knows of whom it is for. Whether
    /// there is such a user says apply alone, also where memory knows of none: a refusal that
    /// comes sooner would tell a sender whether somebody else tried that id lately.
    fn takes_request(&self, recipient: UserId) -> Result<Option<&User>, Code> {
        if self.is_busy() { Err(Code::Busy) } else { Ok(self.state.users.get(recipient)) }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.waiting_records() >= UNDECIDED_RECORDS_MAX || self.open.byte_length() >= OPEN_BYTES_MAX
    }

    /// Records that somebody waits for.
    pub(super) fn waiting_records(&self) -> usize {
        let taken = self.taken.iter().map(|taken| taken.askers.len()).sum::<usize>();
        self.open_askers.len() + taken
    }

    pub(super) fn refuse(&mut self, origin: Origin, peer: UserId, sequence: Sequence, code: Code) {
        let retry_after_ms = match code {
            Code::Busy => BUSY_RETRY_AFTER_MS,
            Code::InboxFull | Code::SenderQuota => QUOTA_RETRY_AFTER_MS,
            _ => 0,
        };
        let answer = Answer::Refused { sequence, code, retry_after_ms };
        let (to, tag) = (origin.session, origin.tag);
        self.effects.push_back(Effect::Answer { to, tag, peer, answer });
    }

    pub(super) fn close(&mut self, origin: Origin, kind: Kind, code: Code) {
        let (to, tag, kind) = (origin.session, origin.tag, Some(kind));
        self.effects.push_back(Effect::Close { to, tag, kind, code });
    }
}

/// The last number of a device that was decided in a chat, 0 for none.
fn last_decided(chat: Option<&Chat>, device: DeviceId) -> Sequence {
    let sender = chat.and_then(|chat| chat.sender(device));
    sender.map_or(Sequence(0), |sender| sender.decisions.last())
}

pub(super) fn is_too_short(life_s: u32) -> bool {
    (1..LIFE_MIN_S).contains(&life_s)
}

pub(super) fn life(asked_s: u32) -> u32 {
    if asked_s == 0 { LIFE_MAX_S } else { asked_s }
}

pub(super) fn flags(origin: Origin) -> u16 {
    if origin.copies { COPIES } else { 0 }
}
