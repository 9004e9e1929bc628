//! Members' failures come back to the sender's home: one entry a message names them all.

use std::sync::Arc;

use answerback_proto::id::{DeviceId, Position, Sequence, UserId};
use answerback_proto::record::GroupFailedPart;
use bytes::Bytes;

use super::super::super::effect::EntryBody;
use super::super::super::parts::PartNumbers;
use super::super::{Consequences, Missing, State, Verdict, chat_of, require_range};
use crate::shard::group::numbered_users;

/// Where what waits already lies, and whom it names.
type Older = (Position, Arc<[(UserId, u16)]>);

impl State {
    pub(in super::super) fn group_failed_part(
        &mut self,
        part: &GroupFailedPart,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (sender, group) = (UserId(part.user), UserId(part.group));
        let (device, sequence) = (DeviceId(part.device), Sequence(part.sequence));
        let exists = self.user(sender)?.exists();
        let older =
            if exists { self.older_failure(sender, group, device, sequence)? } else { None };
        if !self.takes_from((part.source, PartNumbers::from(part)), consequences) || !exists {
            return Ok(Verdict::Silent);
        }
        let mut members = numbered_users(payload);
        if let Some((position, known)) = older {
            members = join(&known, &members);
            self.remove_folded(sender, position);
        }
        let members = Arc::from(members);
        let body = EntryBody::GroupFailed { device, sequence, members };
        let position = self.put(sender, group, body, consequences);
        let Some(user) = self.users.get_mut(sender) else { return Ok(Verdict::Silent) };
        let left_up_to = user.left_up_to();
        if let Some(chat) = user.chats.get_mut(&group) {
            chat.forget_failures(left_up_to);
            chat.note_failure(device, sequence, position);
        }
        Ok(Verdict::Silent)
    }

    /// What waits for the sender of the same message already.
    fn older_failure(
        &mut self,
        sender: UserId,
        group: UserId,
        device: DeviceId,
        sequence: Sequence,
    ) -> Result<Option<Older>, Missing> {
        let user = self.user(sender)?;
        let known = chat_of(user, group)?.failure(device, sequence);
        let left_up_to = user.left_up_to();
        let Some(position) = known.filter(|position| *position > left_up_to) else {
            return Ok(None);
        };
        let before = Position(position.0 - 1);
        require_range(user, before, position)?;
        let mut there = user.inbox.known(before, position);
        Ok(there.find_map(|(_, entry)| match &entry.body {
            EntryBody::GroupFailed { members, .. } => Some((position, Arc::clone(members))),
            _ => None,
        }))
    }

    pub(super) fn remove_folded(&mut self, user_id: UserId, older: Position) {
        let Some(user) = self.users.get_mut(user_id) else { return };
        user.inbox.remove(older);
        user.live -= 1;
        user.above -= u32::from(older > user.floor);
    }
}

/// Both, ascending; the first word on a member stands.
fn join(known: &[(UserId, u16)], news: &[(UserId, u16)]) -> Vec<(UserId, u16)> {
    let mut both = known.to_vec();
    both.extend_from_slice(news);
    both.sort_by_key(|(user, _)| *user);
    both.dedup_by_key(|(user, _)| *user);
    both
}
