//! A message, a recall or a skip is decided: accepted, rejected, given up, or kept until its
//! turn comes. Whatever is decided consumes the number.

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_proto::record::{GroupPost, GroupSkipRange, Message, Post, RecallPost, SkipRange};
use bytes::Bytes;

use super::super::chat::{Chat, Parked, Sender};
use super::super::effect::{Answer, EntryBody};
use super::super::parts::{About, PartBody};
use super::super::sequence::{Decision, Standing};
use super::super::user::{Existence, User};
use super::withheld::CAME_BLOCKED;
use super::{Consequences, Missing, State, Verdict, chat_of, require_known};
use crate::limits::GAPS_MAX;

/// A message as a record holds it, whichever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Posted {
    pub(super) recipient: UserId,
    pub(super) sender: UserId,
    pub(super) device: DeviceId,
    pub(super) sequence: Sequence,
    /// The number that it takes back, 0 for none.
    pub(super) recalled: Sequence,
    pub(super) seen_ms: u64,
    pub(super) life_s: u32,
    pub(super) content_type: u16,
    pub(super) flags: u16,
    /// The recipient is a group.
    pub(super) to_group: bool,
}

/// Numbers that a device gives up, as a record holds them, whichever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skipped {
    recipient: UserId,
    sender: UserId,
    device: DeviceId,
    from: Sequence,
    to: Sequence,
    to_group: bool,
}

macro_rules! posted {
    ($record:ident, $value:ident, $recipient:ident, $recalled:expr, $flags:expr, $to_group:expr) => {
        impl From<&$record> for Posted {
            fn from($value: &$record) -> Self {
                Self {
                    recipient: UserId($value.$recipient),
                    sender: UserId($value.sender),
                    device: DeviceId($value.device),
                    sequence: Sequence($value.sequence),
                    recalled: Sequence($recalled),
                    seen_ms: $value.seen_ms,
                    life_s: $value.life_s,
                    content_type: $value.content_type,
                    flags: $flags,
                    to_group: $to_group,
                }
            }
        }
    };
}

posted!(Message, record, recipient, 0, 0, false);
posted!(Post, record, recipient, 0, record.flags, false);
posted!(RecallPost, record, recipient, record.recalled, record.flags, false);
posted!(GroupPost, record, group, 0, record.flags, true);

macro_rules! skipped {
    ($record:ident, $recipient:ident, $to_group:expr) => {
        impl From<&$record> for Skipped {
            fn from(record: &$record) -> Self {
                Self {
                    recipient: UserId(record.$recipient),
                    sender: UserId(record.sender),
                    device: DeviceId(record.device),
                    from: Sequence(record.from),
                    to: Sequence(record.to),
                    to_group: $to_group,
                }
            }
        }
    };
}

skipped!(SkipRange, recipient, false);
skipped!(GroupSkipRange, group, true);

impl State {
    pub(super) fn post(
        &mut self,
        posted: &Posted,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let &Posted { recipient, sender, device, sequence, to_group, .. } = posted;
        let user = self.user(recipient)?;
        let exists = takes_from(user, sender, to_group);
        if is_none(user, to_group) || !exists && planted!(PurgeForgetsDecisions) {
            return Ok(refused(sequence, unknown(to_group)));
        }
        let chat = chat_of(user, sender)?;
        let known = chat.sender(device);
        let expected = known.map_or(Sequence(1), |known| known.decisions.expected());
        let is_waited_for = known.is_some_and(Sender::is_waiting);
        match chat.standing(device, sequence) {
            Standing::Repeat(Some(decision)) => {
                Ok(Verdict::Answer(answer(device, sequence, decision)))
            }
            Standing::Repeat(None) => Ok(refused(sequence, Code::DecisionForgotten)),
            Standing::Next | Standing::Ahead | Standing::TooFar if !exists => {
                Ok(refused(sequence, if to_group { Code::NotMember } else { Code::UnknownUser }))
            }
            Standing::Next => {
                if is_waited_for || posted.recalled != Sequence(0) {
                    self.require_for_decisions(posted)?;
                }
                let decision = self.decide_next(posted, payload, consequences)?;
                if is_waited_for {
                    self.drain_parked(recipient, sender, device, consequences);
                }
                Ok(Verdict::Answer(answer(device, sequence, decision)))
            }
            Standing::Ahead => {
                self.require_writer(recipient, sender)?;
                self.park(posted, payload);
                Ok(Verdict::Answer(Answer::OutOfOrder { sequence, expected }))
            }
            // A restored home lacks more than a window of what its senders know as decided.
            Standing::TooFar => Ok(Verdict::Answer(Answer::OutOfOrder { sequence, expected })),
        }
    }

    pub(super) fn skip(
        &mut self,
        range: &Skipped,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let &Skipped { recipient, sender, device, from, to, to_group } = range;
        let user = self.user(recipient)?;
        let exists = takes_from(user, sender, to_group);
        if is_none(user, to_group) {
            return Ok(refused(from, unknown(to_group)));
        }
        let expected = chat_of(user, sender)?.expected(device);
        if !exists && to >= expected {
            return Ok(refused(from, if to_group { Code::NotMember } else { Code::UnknownUser }));
        }
        if from > expected {
            return Ok(Verdict::Answer(Answer::OutOfOrder { sequence: from, expected }));
        }
        self.require_for_parked(recipient, sender, device)?;
        if let Some(chat) = self.chat_mut(recipient, sender) {
            chat.sender_or_new(device).drop_parked_up_to(to);
            for _ in expected.0..=to.0 {
                chat.decide(device, Decision::Skipped);
            }
        }
        self.drain_parked(recipient, sender, device, consequences);
        let decisions = self.chat_mut(recipient, sender);
        let accepted = decisions
            .and_then(|chat| chat.sender(device))
            .map_or(0, |known| known.decisions.accepted_between(from, to));
        self.digest.mix(to.0);
        self.list(recipient);
        Ok(Verdict::Answer(Answer::Skipped { from, to, accepted }))
    }

    /// Closes a gap: the missing numbers are rejected, and what waited behind them decided.
    /// All that needs is in memory.
    pub(super) fn close_gap(
        &mut self,
        recipient: UserId,
        sender: UserId,
        device: DeviceId,
        consequences: &mut Consequences,
    ) {
        while let Some(chat) = self.chat_mut(recipient, sender)
            && let Some(known) = chat.sender_mut(device)
            && let Some((&first, _)) = known.parked.first_key_value()
        {
            let (missing, code) = (known.decisions.expected(), Code::GapClosed);
            for number in missing.0..first.0 {
                if let Some(chat) = self.chat_mut(recipient, sender) {
                    chat.decide(device, Decision::Rejected(code));
                }
                self.tell_failed(recipient, sender, device, Sequence(number), code);
            }
            self.drain_parked(recipient, sender, device, consequences);
        }
    }

    /// Before anything is decided: the sender's count, and the entries that recalls among
    /// what is decided now look for.
    fn require_for_decisions(&mut self, posted: &Posted) -> Result<(), Missing> {
        let &Posted { recipient, sender, device, .. } = posted;
        if posted.recalled != Sequence(0) {
            require_undelivered(self.user(recipient)?, sender)?;
        }
        self.require_for_parked(recipient, sender, device)
    }

    /// As above, for what is parked.
    pub(super) fn require_for_parked(
        &mut self,
        recipient: UserId,
        sender: UserId,
        device: DeviceId,
    ) -> Result<(), Missing> {
        self.require_writer(recipient, sender)?;
        let user = self.user(recipient)?;
        let known = chat_of(user, sender)?.sender(device);
        let recalls = |parked: &Parked| parked.recalled != Sequence(0);
        if known.is_some_and(|known| known.parked.values().any(recalls)) {
            require_undelivered(user, sender)?;
        }
        Ok(())
    }

    /// The message that is taken back leaves, where nobody has it; its sender is told.
    pub(super) fn recall(&mut self, posted: &Posted) {
        let &Posted { recipient, sender, device, recalled, .. } = posted;
        let Some(user) = self.users.get(recipient) else { return };
        let is_it = |body: &EntryBody| {
            matches!(body, EntryBody::Message { device: of, sequence, .. }
                if *of == device && *sequence == recalled)
        };
        let found = {
            let mut waiting = user.inbox.known(user.floor, user.inbox.last_position());
            let found = waiting.find(|(_, entry)| entry.peer == sender && is_it(&entry.body));
            found.map(|(position, entry)| (position, entry.clone()))
        };
        let Some((position, entry)) = found else { return self.recall_withheld(posted) };
        self.end_undelivered(recipient, position, &entry);
        if !planted!(RecallUntold) {
            self.tell_failed(recipient, sender, device, recalled, Code::Recalled);
        }
    }

    /// Keeps what came early, where its sender may keep anything here.
    fn park(&mut self, posted: &Posted, payload: &Bytes) {
        let &Posted { recipient, sender, device, sequence, .. } = posted;
        let is_kept = self.version > 1
            && self.rejects(posted, payload.len()) == Ok(None)
            && self
                .users
                .get(recipient)
                .is_some_and(|user| user.gaps().len() < GAPS_MAX || user.gaps().contains(&sender));
        if !is_kept {
            return;
        }
        let (now_ms, gap_ms) = (self.clock_ms, u64::from(self.settings.gap_s) * 1000);
        let Some(user) = self.users.get_mut(recipient) else { return };
        let Some(chat) = user.chats.get_mut(&sender) else { return };
        let came_blocked = if chat.settings().is_blocked() { CAME_BLOCKED } else { 0 };
        let known = chat.sender_or_new(device);
        known.changed = true;
        if known.parked.is_empty() {
            known.gap_since_ms = now_ms;
        }
        known.parked.entry(sequence).or_insert_with(|| Parked {
            recalled: posted.recalled,
            seen_ms: posted.seen_ms,
            life_s: posted.life_s,
            content_type: posted.content_type,
            flags: posted.flags | came_blocked,
            payload: Bytes::copy_from_slice(payload),
            is_stored: false,
        });
        user.note_gap(sender, true);
        user.due_by(now_ms.saturating_add(gap_ms));
        self.digest.mix(sequence.0);
        self.list(recipient);
    }

    /// Decides what is parked, as far as its turn has come.
    fn drain_parked(
        &mut self,
        recipient: UserId,
        sender: UserId,
        device: DeviceId,
        consequences: &mut Consequences,
    ) {
        let now_ms = self.clock_ms;
        loop {
            let Some(user) = self.users.get_mut(recipient) else { return };
            let to_group = user.existence == Existence::Group;
            let Some(chat) = user.chats.get_mut(&sender) else { return };
            let Some(known) = chat.sender_mut(device) else { return };
            let Some((sequence, parked)) = known.unpark_next() else {
                if known.gap_since_ms > 0 {
                    known.gap_since_ms = if known.parked.is_empty() { 0 } else { now_ms };
                    let is_open = chat.has_gap();
                    user.note_gap(sender, is_open);
                }
                return;
            };
            let posted = Posted {
                recipient,
                sender,
                device,
                sequence,
                recalled: parked.recalled,
                seen_ms: parked.seen_ms,
                life_s: parked.life_s,
                content_type: parked.content_type,
                flags: parked.flags,
                to_group,
            };
            let decided = self.decide_next(&posted, &parked.payload, consequences);
            debug_assert!(decided.is_ok(), "all that it needs was required before");
        }
    }

    /// A durable failure: a part to the sender's home.
    pub(super) fn tell_failed(
        &mut self,
        recipient: UserId,
        sender: UserId,
        device: DeviceId,
        sequence: Sequence,
        code: Code,
    ) {
        let about = About { user: sender, peer: recipient, device };
        let (sequence, code) = (sequence.0, code.number());
        self.outgoing_to(sender).push(PartBody::Failed { about, sequence, code });
        self.totals.failed += 1;
        self.digest.mix(sequence ^ u64::from(code) << 48);
    }

    pub(super) fn chat_mut(&mut self, user: UserId, peer: UserId) -> Option<&mut Chat> {
        self.users.get_mut(user)?.chats.get_mut(&peer)
    }
}

/// All entries above the floor have to be known, where any of them is a sender's.
fn require_undelivered(user: &mut User, sender: UserId) -> Result<(), Missing> {
    if chat_of(user, sender)?.waiting == 0 {
        return Ok(());
    }
    require_known(user, user.floor, user.inbox.last_position())
}

/// Whether whoever a message is for takes any of this sender.
pub(super) fn takes_from(user: &User, sender: UserId, to_group: bool) -> bool {
    match to_group {
        true => user.group().is_some_and(|group| group.role(sender).is_some()),
        false => user.exists(),
    }
}

/// Whether there never was such a user, or such a group.
fn is_none(user: &User, to_group: bool) -> bool {
    user.existence == Existence::Unknown || to_group != (user.existence == Existence::Group)
}

fn unknown(to_group: bool) -> Code {
    if to_group { Code::UnknownGroup } else { Code::UnknownUser }
}

fn refused(sequence: Sequence, code: Code) -> Verdict {
    Verdict::Answer(Answer::Refused { sequence, code, retry_after_ms: 0 })
}

/// The answer that a decision makes.
fn answer(device: DeviceId, sequence: Sequence, decision: Decision) -> Answer {
    match decision {
        Decision::Accepted { at_ms } => Answer::Accepted { sequence, accepted_at_ms: at_ms },
        Decision::Rejected(code) => Answer::Failed { device, sequence, code },
        Decision::Skipped => Answer::Failed { device, sequence, code: Code::Skipped },
    }
}
