//! What sessions ask for of groups: it is checked, refused without a trace, or journaled.

use answerback_proto::access;
use answerback_proto::code::Code;
use answerback_proto::id::{Sequence, UserId};
use answerback_proto::kind::{
    ChangeMembers, CreateGroup, GroupSend, GroupSkip, Kind, RenameGroup, SetGroupReceipts, action,
};
use answerback_proto::record::{
    FixedRecord, GroupCreation, GroupPost, GroupReceiptsChange, GroupRenaming, GroupSkipRange,
    MembersChange,
};

use super::requests::{flags, is_too_short, life};
use super::user::User;
use super::{Answer, Asked, Effect, Origin, Shard};
use crate::limits::BUSY_RETRY_AFTER_MS;

impl Shard {
    /// A request about a group of this partition, or one that makes one: envelope and payload
    /// as they came.
    pub fn handle_group_request(
        &mut self,
        kind: Kind,
        origin: Origin,
        target: UserId,
        envelope: &[u8],
        payload: &[u8],
    ) {
        let handled = match kind {
            Kind::GroupSend => self.handle_group_send(origin, target, envelope, payload),
            Kind::GroupSkip => self.handle_group_skip(origin, target, envelope),
            Kind::CreateGroup => self.handle_create_group(origin, envelope),
            Kind::DescribeGroup => self.describe_group(origin, target, envelope),
            Kind::SetGroupReceipts => self.handle_set_receipts(origin, target, envelope),
            Kind::ChangeMembers => self.handle_change_members(origin, target, envelope),
            _ => self.handle_rename_group(origin, target, envelope),
        };
        if let Err(code) = handled {
            self.close(origin, kind, code);
        }
    }

    fn handle_group_send(
        &mut self,
        origin: Origin,
        group: UserId,
        envelope: &[u8],
        payload: &[u8],
    ) -> Result<(), Code> {
        let send = access::read::<GroupSend>(envelope)?;
        let sequence = Sequence(send.sequence);
        if is_too_short(send.life_s) {
            self.refuse(origin, group, sequence, Code::LifeTooShort);
            return Ok(());
        }
        if let Err(code) = self.takes_group_message(group) {
            self.refuse(origin, group, sequence, code);
            return Ok(());
        }
        let post = GroupPost {
            group: group.0,
            sender: origin.user.0,
            device: origin.device.0,
            sequence: send.sequence,
            seen_ms: send.seen_ms,
            life_s: life(send.life_s),
            content_type: send.content_type,
            flags: flags(origin),
        };
        self.append(&post, payload, Asked::Request { origin, peer: group });
        self.preload_member(group, origin.user);
        Ok(())
    }

    fn handle_group_skip(
        &mut self,
        origin: Origin,
        group: UserId,
        envelope: &[u8],
    ) -> Result<(), Code> {
        let GroupSkip { from, to } = access::read::<GroupSkip>(envelope)?;
        if self.is_busy() {
            self.refuse(origin, group, Sequence(from), Code::Busy);
            return Ok(());
        }
        let (device, sender, group_id) = (origin.device.0, origin.user.0, group.0);
        let range = GroupSkipRange { group: group_id, sender, device, from, to };
        self.append(&range, &[], Asked::Request { origin, peer: group });
        self.preload_member(group, origin.user);
        Ok(())
    }

    fn handle_create_group(&mut self, origin: Origin, envelope: &[u8]) -> Result<(), Code> {
        let (create, members, name) = CreateGroup::read(envelope)?;
        let creator = origin.user;
        if members.iter().any(|member| member == creator) {
            self.decline_group(origin, creator, Code::AddsOneself);
            return Ok(());
        }
        let group = self.state.table.group_of(creator, create.nonce).as_peer();
        let record = GroupCreation {
            group: group.0,
            creator: creator.0,
            device: origin.device.0,
            members_count: create.members_count,
        };
        let payload = [members.as_bytes(), name].concat();
        self.ask_group(origin, creator, group, &record, &payload);
        Ok(())
    }

    fn handle_change_members(
        &mut self,
        origin: Origin,
        group: UserId,
        envelope: &[u8],
    ) -> Result<(), Code> {
        let (change, members) = ChangeMembers::read(envelope)?;
        if change.action == action::ADD && members.iter().any(|member| member == origin.user) {
            self.decline_group(origin, group, Code::AddsOneself);
            return Ok(());
        }
        let record = MembersChange {
            group: group.0,
            actor: origin.user.0,
            device: origin.device.0,
            action: change.action,
            role: change.role,
        };
        self.ask_group(origin, group, group, &record, members.as_bytes());
        Ok(())
    }

    fn handle_rename_group(
        &mut self,
        origin: Origin,
        group: UserId,
        envelope: &[u8],
    ) -> Result<(), Code> {
        let (_, name) = RenameGroup::read(envelope)?;
        let (actor, device) = (origin.user.0, origin.device.0);
        let record = GroupRenaming { group: group.0, actor, device };
        self.ask_group(origin, group, group, &record, name);
        Ok(())
    }

    fn handle_set_receipts(
        &mut self,
        origin: Origin,
        group: UserId,
        envelope: &[u8],
    ) -> Result<(), Code> {
        let SetGroupReceipts { on } = access::read(envelope)?;
        let (actor, device) = (origin.user.0, origin.device.0);
        let record = GroupReceiptsChange { group: group.0, actor, device, on };
        self.ask_group(origin, group, group, &record, &[]);
        Ok(())
    }

    /// Journals what changes a group, unless there is too much to do; the answer's target is
    /// that of the request.
    fn ask_group<R: FixedRecord>(
        &mut self,
        origin: Origin,
        target: UserId,
        group: UserId,
        record: &R,
        payload: &[u8],
    ) {
        if self.is_busy() || self.is_full_of_groups(group) {
            return self.decline_group(origin, target, Code::Busy);
        }
        self.append(record, payload, Asked::Request { origin, peer: target });
        self.preload(group, None);
    }

    /// Whether a message to a group may be journaled. Who is in it, and whether there is such a
    /// group, is said where the message has its place: memory may be behind the journal, in which
    /// the same message stands already, to be accepted.
    fn takes_group_message(&self, group: UserId) -> Result<(), Code> {
        let is_full = self.is_busy() || self.is_full_of_groups(group);
        if is_full { Err(Code::Busy) } else { Ok(()) }
    }

    /// Whether too much waits for a home of members.
    fn is_full_of_groups(&self, group: UserId) -> bool {
        let full = self.state.outgoing.iter().filter(|(_, queue)| queue.is_full_of_groups());
        let mut full = full.map(|(home, _)| *home).peekable();
        if full.peek().is_none() {
            return false;
        }
        let known = self.state.users.get(group).and_then(User::group);
        // Of one that is not in memory nobody knows where its members are.
        known.is_none_or(|group| {
            let members = group.members().iter();
            let homes: Vec<_> =
                members.map(|member| self.state.table.partition_of(member.user)).collect();
            full.any(|home| homes.contains(&home))
        })
    }

    fn preload_member(&mut self, group: UserId, member: UserId) {
        match self.state.users.get(group) {
            None => self.preload(group, None),
            Some(user) if !user.chats.contains_key(&member) => {
                self.load(super::Wanted::Chat(group, member));
            }
            Some(_) => {}
        }
    }

    pub(super) fn decline_group(&mut self, origin: Origin, peer: UserId, code: Code) {
        let retry_after_ms = if code == Code::Busy { BUSY_RETRY_AFTER_MS } else { 0 };
        let answer = Answer::Declined { code, retry_after_ms };
        let (to, tag) = (origin.session, origin.tag);
        self.effects.push_back(Effect::Answer { to, tag, peer, answer });
    }
}
