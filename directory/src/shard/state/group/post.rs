//! A message to a group is decided: whoever is a member at its place gets it.

use std::sync::Arc;

use answerback_proto::code::Code;
use answerback_proto::id::UserId;
use answerback_proto::record::COPIES;
use bytes::Bytes;

use super::super::super::group::{GroupWord, Said};
use super::super::super::parts::PartBody;
use super::super::super::sequence::Decision;
use super::super::accept::SEEN_AHEAD_MAX_MS;
use super::super::message::Posted;
use super::super::{Consequences, Missing, State};

impl State {
    /// Decides the next number of a member's device.
    pub(in super::super) fn decide_group(
        &mut self,
        posted: &Posted,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Decision, Missing> {
        let &Posted { recipient, sender, device, seen_ms, .. } = posted;
        let now_ms = self.clock_ms;
        let Some(group) = self.group(recipient)?.filter(|group| group.role(sender).is_some())
        else {
            return Ok(self.reject_next(posted, Code::NotMember));
        };
        let answer_ms = seen_ms.saturating_add(1).min(now_ms + SEEN_AHEAD_MAX_MS);
        let at_ms = now_ms.max(group.last_accepted_ms).max(answer_ms);
        group.last_accepted_ms = at_ms;
        let word = GroupWord {
            group: recipient,
            sender,
            version: group.version,
            receipts: group.receipts,
            at_ms,
            expires_at_ms: now_ms.saturating_add(u64::from(posted.life_s) * 1000),
            said: Said::Message {
                device,
                sequence: posted.sequence,
                content_type: posted.content_type,
            },
            payload: payload.clone(),
            ..GroupWord::default()
        };
        let decision = Decision::Accepted { at_ms };
        if let Some(chat) = self.chat_mut(recipient, sender) {
            chat.decide(device, decision);
        }
        self.fan_out(word, posted.flags, consequences);
        self.list(recipient);
        self.digest.mix(at_ms);
        self.totals.accepted += 1;
        Ok(decision)
    }

    /// One part for each home of members.
    fn fan_out(&mut self, word: GroupWord, flags: u16, consequences: &mut Consequences) {
        let word = Arc::new(word);
        let Self { users, outgoing, table, .. } = self;
        let Some(group) = users.get_mut(word.group).and_then(|user| user.group_mut()) else {
            return;
        };
        let is_copied = flags & COPIES != 0;
        for (home, members) in group.by_home(table) {
            if members.iter().all(|member| *member == word.sender) && !is_copied {
                continue;
            }
            let (word, members) = (Arc::clone(&word), Arc::clone(members));
            outgoing.entry(*home).or_default().push(PartBody::Group { word, members, flags });
            consequences.hurry(*home);
        }
    }

    /// A change, for some users.
    pub(super) fn tell_change(
        &mut self,
        word: GroupWord,
        users: impl Iterator<Item = UserId>,
        consequences: &mut Consequences,
    ) {
        let word = Arc::new(word);
        for (home, members) in super::super::super::group::by_home(users, &self.table) {
            let word = Arc::clone(&word);
            let part = PartBody::Group { word, members, flags: 0 };
            self.outgoing.entry(home).or_default().push(part);
            consequences.hurry(home);
        }
    }
}
