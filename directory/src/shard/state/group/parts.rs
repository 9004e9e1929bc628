//! A group's word comes to the home of members: an entry each, which refer to one body.

use std::sync::Arc;

use answerback_proto::code::Code;
use answerback_proto::id::{Offset, UserId};
use answerback_proto::record::{COPIES, GroupPart};
use bytes::Bytes;

use super::super::super::effect::EntryBody;
use super::super::super::group::{GroupWord, Membership, split_users};
use super::super::super::inbox::InboxEntry;
use super::super::super::parts::{About, PartBody, PartNumbers};
use super::super::super::user::Existence;
use super::super::accept::over_quota;
use super::super::entries::list;
use super::super::{Consequences, Missing, State, Verdict, chat_of};

/// What becomes of a part's members.
#[derive(Debug, Default)]
struct Outcome {
    /// Who got an entry.
    holders: Vec<UserId>,
    /// Who does not get the message, and why: a code's number.
    failed: Vec<(UserId, u16)>,
    /// Who does not exist.
    gone: Vec<UserId>,
}

impl State {
    pub(in super::super) fn group_part(
        &mut self,
        part: &GroupPart,
        place: Offset,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let group = UserId(part.group);
        let (members, length) = split_users(payload, part.members_count);
        for member in &members {
            let user = self.user(*member)?;
            if user.exists() {
                chat_of(user, group)?;
            }
        }
        if !self.takes_from((part.source, PartNumbers::from(part)), consequences) {
            return Ok(Verdict::Silent);
        }
        let content = payload.slice(length..);
        let word = Arc::new(GroupWord::of_part(part, place.0, self.clock_ms, content));
        let mut outcome = Outcome::default();
        for member in members {
            self.put_word(member, &word, part.flags, &mut outcome, consequences);
        }
        self.tell_outcome(&word, &outcome);
        self.bodies.put(word, outcome.holders);
        Ok(Verdict::Silent)
    }

    /// One member's entry. All that it needs is in memory.
    fn put_word(
        &mut self,
        member: UserId,
        word: &Arc<GroupWord>,
        flags: u16,
        outcome: &mut Outcome,
        consequences: &mut Consequences,
    ) {
        let lapse_ms = self.lapse_ms();
        let Some(user) = self.users.get_mut(member) else { return };
        let is_own = word.is_message() && member == word.sender;
        if is_own && flags & COPIES == 0 {
            return;
        }
        if !user.exists() {
            outcome.gone.push(member);
            let is_purged = matches!(user.existence, Existence::Purging | Existence::Purged);
            let code = if is_purged { Code::UserPurged } else { Code::UnknownUser };
            // What is his own fails for nobody.
            outcome.failed.extend((!is_own).then_some((member, code.number())));
            return;
        }
        if let Some(membership) = word.membership_of(member)
            && let Some(chat) = user.chats.get_mut(&word.group)
        {
            let group = chat.group_or_new();
            match membership {
                Membership::Joined(seat) => group.seat = Some(seat),
                Membership::Left => group.leave(),
            }
        }
        let is_counted = word.is_message() && !is_own;
        let mut is_muted = false;
        if is_counted {
            let length = word.payload.len();
            if let Some(code) = over_quota(&self.settings, user, word.group, 0, length) {
                outcome.failed.push((member, code.number()));
                return;
            }
            if let Some(chat) = user.chats.get_mut(&word.group) {
                chat.waiting += 1;
                chat.changed = true;
                is_muted = chat.settings().muted_until_ms > self.clock_ms;
            }
        }
        let word_of = Arc::clone(word);
        let body = match is_own {
            true => EntryBody::GroupCopied(word_of),
            false if is_counted => EntryBody::GroupMessage(word_of),
            false => EntryBody::GroupChanged(word_of),
        };
        let position = user.put(InboxEntry::of_word(body, word), lapse_ms);
        list(user, &mut self.changed_users);
        self.digest.mix(position.0);
        consequences.touch(member);
        if is_counted && !is_muted {
            consequences.wait(member, position);
        }
        outcome.holders.push(member);
    }

    /// Tells the sender who does not get it, and the group who does not exist.
    fn tell_outcome(&mut self, word: &GroupWord, outcome: &Outcome) {
        if word.is_message() && !outcome.failed.is_empty() {
            self.tell_group_failed(word, outcome.failed.as_slice().into());
        }
        if !outcome.gone.is_empty() {
            let home = self.home_of(word.group);
            let users = outcome.gone.as_slice().into();
            let part = PartBody::GroupGone { group: word.group, users };
            self.outgoing.entry(home).or_default().push(part);
        }
    }

    /// Members that do not get a message: a part to its sender's home.
    pub(in super::super) fn tell_group_failed(
        &mut self,
        word: &GroupWord,
        members: Arc<[(UserId, u16)]>,
    ) {
        let (device, sequence) = word.about();
        let about = About { user: word.sender, peer: word.group, device };
        self.totals.failed += members.len() as u64;
        self.digest.mix(sequence.0);
        if !planted!(MemberFailureUntold) {
            let part = PartBody::GroupFailed { about, sequence: sequence.0, members };
            self.outgoing_to(word.sender).push(part);
        }
    }
}
