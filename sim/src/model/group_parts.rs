//! Words of groups at the homes of members, and what comes back of them.

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_proto::kind::change;
use answerback_proto::record::{COPIES, GroupFailedPart, GroupGonePart, GroupPart, RECEIPTS};

use super::account::Body;
use super::group::{Failures, Word, users};
use super::message::{MemberFate, MessageNumber};
use super::parts::{Numbers, PartBody};
use super::{Breach, Model, require};

macro_rules! numbers {
    ($part:ident) => {
        Numbers { source: $part.source, number: $part.number, previous: $part.previous }
    };
}

impl Model {
    pub(super) fn group_part(
        &mut self,
        at: usize,
        part: &GroupPart,
        payload: &[u8],
    ) -> Result<(), Breach> {
        let (listed, content) = payload.split_at(16 * usize::from(part.members_count));
        let message = match part.change {
            0 => Some(self.checked_payload(content)?),
            _ => None,
        };
        let came = Word {
            group: self.alias(UserId(part.group)),
            message,
            actor: UserId(part.sender),
            at_ms: part.at_ms,
            expires_at_ms: part.expires_at_ms,
            version: part.version,
            change: part.change,
            tail: if message.is_some() { Vec::new() } else { content.to_vec() },
            members: users(listed),
            is_copied: part.flags & COPIES != 0,
            has_receipts: part.flags & RECEIPTS != 0,
        };
        let made = self.made(at, part.source, part.number);
        let Some(PartBody::Group { word }) = made else {
            return Err(Breach(format!("a part of a group came, and {made:?} was made")));
        };
        require(self.words[word] == came, || {
            format!("{came:?} came, and {:?} was made", self.words[word])
        })?;
        if self.takes(at, numbers!(part), &PartBody::Group { word })? {
            self.put_word(at, word);
        }
        Ok(())
    }

    pub(super) fn group_failed_part(
        &mut self,
        at: usize,
        part: &GroupFailedPart,
        payload: &[u8],
    ) -> Result<(), Breach> {
        let (pairs, _) = payload.as_chunks::<18>();
        let members = pairs.iter().map(|[id @ .., low, high]| {
            (UserId(u128::from_le_bytes(*id)), u16::from_le_bytes([*low, *high]))
        });
        let group = UserId(part.group);
        let message = self.sent(DeviceId(part.device), group, Sequence(part.sequence))?;
        let came = Failures { message, members: members.collect() };
        let made = self.made(at, part.source, part.number);
        let Some(PartBody::GroupFailed { failures }) = made else {
            return Err(Breach(format!("members fail, and {made:?} was made")));
        };
        require(self.failures[failures] == came, || {
            format!("{came:?} came, and {:?} was made", self.failures[failures])
        })?;
        let takes = self.takes(at, numbers!(part), &PartBody::GroupFailed { failures })?;
        if takes && self.account(UserId(part.user)).exists {
            self.put_failures(UserId(part.user), &came);
        }
        Ok(())
    }

    pub(super) fn group_gone_part(
        &mut self,
        at: usize,
        part: &GroupGonePart,
        payload: &[u8],
    ) -> Result<(), Breach> {
        let made = self.made(at, part.source, part.number);
        let Some(PartBody::GroupGone { group, gone }) = made else {
            return Err(Breach(format!("members are gone, and {made:?} was made")));
        };
        let came = (self.alias(UserId(part.group)), users(payload));
        require(came == (group, self.gone[gone].clone()), || {
            format!("{came:?} came, and {:?} was made", self.gone[gone])
        })?;
        if self.takes(at, numbers!(part), &PartBody::GroupGone { group, gone })? {
            self.members_gone(group, &came.1);
        }
        Ok(())
    }

    /// An entry for each member; who gets none of a message is told to its sender.
    fn put_word(&mut self, at: usize, index: usize) {
        let word = self.words[index].clone();
        let (mut failed, mut gone) = (Vec::new(), Vec::new());
        for &member in &word.members {
            let Some(message) = word.message else {
                match self.account(member).exists {
                    true => {
                        self.note_membership(member, &word);
                        self.put(member, word.group, Body::GroupChange(index), 0, 0);
                    }
                    false => gone.push(member),
                }
                continue;
            };
            let is_own = member == word.actor;
            if is_own && !word.is_copied {
                continue;
            }
            if let Err(code) = self.put_member(member, &word, message) {
                failed.extend((!is_own).then_some((member, code.number())));
                if !self.account(member).exists {
                    gone.push(member);
                }
            }
        }
        if let Some(message) = word.message.filter(|_| !failed.is_empty()) {
            self.fail_members(at, message, failed);
        }
        let group_home = self.account(word.group).partition;
        if !gone.is_empty() {
            self.gone.push(gone);
            let gone = self.gone.len() - 1;
            self.make_part_to(at, group_home, PartBody::GroupGone { group: word.group, gone });
        }
    }

    /// What a change makes of one whom it is told.
    fn note_membership(&mut self, member: UserId, word: &Word) {
        let (group, version) = (word.group, word.version);
        let chat = self.account_mut(member).chat(group);
        match word.change {
            change::CREATED | change::JOINED => chat.member_since = Some(version),
            change::REMOVED if lists(&word.tail, member) => {
                chat.member_since = None;
                chat.unread.clear();
            }
            _ => {}
        }
    }

    fn put_member(
        &mut self,
        member: UserId,
        word: &Word,
        message: MessageNumber,
    ) -> Result<(), Code> {
        let account = self.account(member);
        if !account.exists {
            return Err(if account.was_purged { Code::UserPurged } else { Code::UnknownUser });
        }
        let bytes = self.message(message).payload_bytes;
        if member == word.actor {
            self.put(member, word.group, Body::GroupCopied(message), bytes, 0);
            return Ok(());
        }
        if let Some(code) = self.over_quota(member, word.group, bytes) {
            return Err(code);
        }
        self.put(member, word.group, Body::GroupMessage(message), bytes, 0);
        let account = self.account_mut(member);
        if let Some(entry) = account.entries.last_mut() {
            entry.expires_at_ms = word.expires_at_ms;
        }
        account.due_by(word.expires_at_ms);
        Ok(())
    }

    /// Members do not get a message: its sender's home is told.
    pub(super) fn fail_members(
        &mut self,
        source: usize,
        message: MessageNumber,
        members: Vec<(UserId, u16)>,
    ) {
        for (user, code) in &members {
            self.set_fate(message, *user, MemberFate::Failed(*code));
        }
        self.failures.push(Failures { message, members });
        let body = PartBody::GroupFailed { failures: self.failures.len() - 1 };
        let home = self.account(self.message(message).sender).partition;
        self.make_part_to(source, home, body);
    }

    /// How a message ends for a member.
    pub(super) fn set_fate(&mut self, message: MessageNumber, user: UserId, fate: MemberFate) {
        let mut members = self.message_mut(message).members.iter_mut();
        if let Some((_, known)) = members.find(|(member, _)| *member == user) {
            *known = fate;
        }
    }

    /// One entry a message names all who fail: the older one leaves.
    fn put_failures(&mut self, user: UserId, failures: &Failures) {
        let message = self.message(failures.message);
        let (group, device) = (message.recipient, message.device);
        let number = (device, message.sequence.0);
        let left_up_to = self.left_up_to(user);
        let mut members = failures.members.clone();
        let notes = &mut self.account_mut(user).chat(group).failures;
        notes.retain(|(_, position, _)| *position > left_up_to);
        let older = notes.iter().position(|(known, ..)| *known == number);
        let older = older.map(|index| notes.remove(index));
        if let Some((_, position, known)) = older {
            members = [known, members].concat();
            members.sort_by_key(|(user, _)| *user);
            members.dedup_by_key(|(user, _)| *user);
            self.account_mut(user).die(position);
        }
        self.failures.push(Failures { message: failures.message, members: members.clone() });
        let body = Body::GroupFailed(self.failures.len() - 1);
        let position = self.put(user, group, body, 0, 0);
        self.account_mut(user).chat(group).failures.push((number, position, members));
    }
}

fn lists(tail: &[u8], user: UserId) -> bool {
    tail.as_chunks::<18>().0.iter().any(|pair| pair.starts_with(&user.0.to_le_bytes()))
}
