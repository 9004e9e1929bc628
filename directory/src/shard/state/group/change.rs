//! Groups are made, and change: each change is told to all whom it concerns, with the version
//! that it makes. What has been done already is answered as done, so that a repeat is
//! harmless; what is declined leaves everything as it was.

use answerback_proto::code::Code;
use answerback_proto::id::UserId;
use answerback_proto::kind::{action, change};
use answerback_proto::limits::GROUP_MEMBERS_MAX;
use answerback_proto::record::{
    GroupCreation, GroupGonePart, GroupReceiptsChange, GroupRenaming, MembersChange,
};
use bytes::Bytes;

use super::super::super::effect::Answer;
use super::super::super::group::{Group, GroupWord, Member, Role, Said, split_users, users};
use super::super::super::parts::PartNumbers;
use super::super::super::user::Existence;
use super::super::{Consequences, Missing, State, Verdict};

/// What is told of a change.
#[derive(Clone, Copy, Debug)]
struct Told<'a> {
    group: UserId,
    actor: UserId,
    change: u16,
    /// Users with their roles and slots, as tails have them.
    roles: &'a [u8],
    name: &'a [u8],
}

impl State {
    /// A group is made; the same one again is the same.
    pub(in super::super) fn create_group(
        &mut self,
        record: &GroupCreation,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (id, creator) = (UserId(record.group), UserId(record.creator));
        let now_ms = self.clock_ms;
        let user = self.user(id)?;
        if user.existence != Existence::Unknown {
            let made = user.group().filter(|group| group.creator == creator);
            return Ok(Verdict::Answer(match made {
                Some(group) => Answer::GroupCreated { group: id, at_ms: group.created_at_ms },
                None => declined(Code::UnknownGroup),
            }));
        }
        let (others, length) = split_users(payload, record.members_count);
        let name = payload.get(length..).unwrap_or_default();
        let group = Group::new(creator, now_ms, name, &others);
        let roles = group.roles();
        user.existence = Existence::Group;
        user.set_group(group);
        let told = Told { group: id, actor: creator, change: change::CREATED, roles: &roles, name };
        let all = others.into_iter().chain([creator]);
        self.tell(told, sorted(all), consequences);
        self.digest.mix(record.group as u64);
        self.list(id);
        Ok(Verdict::Answer(Answer::GroupCreated { group: id, at_ms: now_ms }))
    }

    /// Members are added, removed, or get a role.
    pub(in super::super) fn change_members(
        &mut self,
        record: &MembersChange,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (id, actor) = (UserId(record.group), UserId(record.actor));
        let listed = users(payload);
        let Some(group) = self.group(id)? else {
            return Ok(Verdict::Answer(declined(Code::UnknownGroup)));
        };
        let Some(role) = group.role(actor) else {
            return Ok(Verdict::Answer(declined(Code::NotMember)));
        };
        let changed = match record.action {
            action::ADD => self.add_members(id, (actor, role), &listed, consequences),
            action::REMOVE => self.remove_members(id, (actor, role), &listed, consequences),
            _ => self.set_roles(id, (actor, role), &listed, record.role, consequences),
        };
        Ok(self.answer_change(id, changed))
    }

    /// A group gets another name.
    pub(in super::super) fn rename_group(
        &mut self,
        record: &GroupRenaming,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (id, actor) = (UserId(record.group), UserId(record.actor));
        let Some(group) = self.group(id)? else {
            return Ok(Verdict::Answer(declined(Code::UnknownGroup)));
        };
        let changed = match group.role(actor) {
            None => Err(Code::NotMember),
            Some(Role::Member) => Err(Code::NotAdmin),
            Some(_) if *group.name == **payload => Ok(()),
            Some(_) => {
                group.version += 1;
                group.name = payload.as_ref().into();
                group.changed = true;
                let told =
                    Told { group: id, actor, change: change::RENAMED, roles: &[], name: payload };
                let all = self.member_ids(id);
                self.tell(told, all, consequences);
                Ok(())
            }
        };
        Ok(self.answer_change(id, changed))
    }

    /// A group's receipts are turned on or off, for what comes behind.
    pub(in super::super) fn change_receipts(
        &mut self,
        record: &GroupReceiptsChange,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (id, actor, is_on) = (UserId(record.group), UserId(record.actor), record.on != 0);
        let Some(group) = self.group(id)? else {
            return Ok(Verdict::Answer(declined(Code::UnknownGroup)));
        };
        let changed = match group.role(actor) {
            None => Err(Code::NotMember),
            Some(Role::Member) => Err(Code::NotAdmin),
            Some(_) if group.receipts == is_on => Ok(()),
            Some(_) => {
                group.version += 1;
                group.receipts = is_on;
                group.changed = true;
                let told =
                    Told { group: id, actor, change: change::RECEIPTS, roles: &[], name: &[] };
                let all = self.member_ids(id);
                self.tell(told, all, consequences);
                Ok(())
            }
        };
        Ok(self.answer_change(id, changed))
    }

    /// The home of members has no such users. All of them go at once: each change is told to
    /// everybody.
    pub(in super::super) fn group_gone_part(
        &mut self,
        part: &GroupGonePart,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (id, listed) = (UserId(part.group), users(payload));
        let gone = self.group(id)?.map(|group| group.present(&listed)).unwrap_or_default();
        let numbers = (part.source, PartNumbers::from(part));
        if self.takes_from(numbers, consequences) && !gone.is_empty() {
            self.drop_members(id, UserId(0), &gone, consequences);
            self.list(id);
        }
        Ok(Verdict::Silent)
    }

    fn add_members(
        &mut self,
        id: UserId,
        (actor, role): (UserId, Role),
        listed: &[UserId],
        consequences: &mut Consequences,
    ) -> Result<(), Code> {
        let Some(group) = self.known_group(id) else { return Err(Code::UnknownGroup) };
        if role == Role::Member {
            return Err(Code::NotAdmin);
        }
        let added = group.strangers(listed);
        if added.is_empty() {
            return Ok(());
        }
        if group.members().len() + added.len() > GROUP_MEMBERS_MAX {
            return Err(Code::GroupFull);
        }
        let before: Vec<_> = group.members().iter().map(|member| member.user).collect();
        group.version += 1;
        group.add(&added);
        let (all, name) = (group.roles(), group.name.clone());
        let roles = group.roles_where(|member| added.binary_search(&member.user).is_ok());
        let told = Told { group: id, actor, change: change::ADDED, roles: &roles, name: &[] };
        self.tell(told, before, consequences);
        let told = Told { group: id, actor, change: change::JOINED, roles: &all, name: &name };
        self.tell(told, added, consequences);
        Ok(())
    }

    fn remove_members(
        &mut self,
        id: UserId,
        (actor, role): (UserId, Role),
        listed: &[UserId],
        consequences: &mut Consequences,
    ) -> Result<(), Code> {
        let Some(group) = self.known_group(id) else { return Err(Code::UnknownGroup) };
        let removed = group.present(listed);
        let may_remove =
            |user: &UserId| *user == actor || role > group.role(*user).unwrap_or(Role::Member);
        if !removed.iter().all(may_remove) {
            return Err(Code::NotAdmin);
        }
        if !removed.is_empty() {
            self.drop_members(id, actor, &removed, consequences);
        }
        Ok(())
    }

    /// Members go; those who stay and those who go are told. Somebody owns the group then.
    fn drop_members(
        &mut self,
        id: UserId,
        actor: UserId,
        removed: &[UserId],
        consequences: &mut Consequences,
    ) {
        let before = self.member_ids(id);
        let Some(group) = self.known_group(id) else { return };
        group.version += 1;
        let roles = group.roles_where(|member| removed.binary_search(&member.user).is_ok());
        group.remove(removed);
        let heir = group.heir();
        let told = Told { group: id, actor, change: change::REMOVED, roles: &roles, name: &[] };
        self.tell(told, before, consequences);
        if let Some(heir) = heir {
            self.give_roles(id, actor, &[(heir, Role::Owner)], consequences);
        }
    }

    fn set_roles(
        &mut self,
        id: UserId,
        (actor, role): (UserId, Role),
        listed: &[UserId],
        number: u16,
        consequences: &mut Consequences,
    ) -> Result<(), Code> {
        let Some(group) = self.known_group(id) else { return Err(Code::UnknownGroup) };
        let Some(given) = Role::of(number) else { return Err(Code::FrameMalformed) };
        if role != Role::Owner {
            return Err(Code::NotAdmin);
        }
        if !group.strangers(listed).is_empty() {
            return Err(Code::NotMember);
        }
        let mut roles: Vec<_> = listed.iter().map(|user| (*user, given)).collect();
        match given {
            // There is one owner, who is an admin afterwards.
            Role::Owner if listed.len() != 1 => return Err(Code::RangeInvalid),
            Role::Owner if !listed.contains(&actor) => roles.push((actor, Role::Admin)),
            Role::Admin | Role::Member if listed.contains(&actor) => {
                return Err(Code::NotAdmin);
            }
            _ => {}
        }
        roles.retain(|(user, role)| group.role(*user) != Some(*role));
        if !roles.is_empty() {
            self.give_roles(id, actor, &roles, consequences);
        }
        Ok(())
    }

    fn give_roles(
        &mut self,
        id: UserId,
        actor: UserId,
        roles: &[(UserId, Role)],
        consequences: &mut Consequences,
    ) {
        let Some(group) = self.known_group(id) else { return };
        group.version += 1;
        roles.iter().for_each(|(user, role)| group.set_role(*user, *role));
        let is_given = |member: &Member| roles.iter().any(|(user, _)| *user == member.user);
        let tail = group.roles_where(is_given);
        let told = Told { group: id, actor, change: change::ROLE, roles: &tail, name: &[] };
        let all = self.member_ids(id);
        self.tell(told, all, consequences);
    }

    /// Tells a change as of the group's version now.
    fn tell(&mut self, told: Told<'_>, users: Vec<UserId>, consequences: &mut Consequences) {
        let Told { group: id, actor, change, roles, name } = told;
        let known = self.known_group(id);
        let (version, receipts) = known.map_or((0, false), |group| (group.version, group.receipts));
        let members_count = (roles.len() / answerback_proto::kind::NUMBERED_USER_BYTES) as u16;
        let word = GroupWord {
            group: id,
            sender: actor,
            version,
            at_ms: self.clock_ms,
            receipts,
            said: Said::Change { change, members_count, name_length: name.len() as u16 },
            payload: Bytes::from([roles, name].concat()),
            ..GroupWord::default()
        };
        self.digest.mix(u64::from(version));
        self.tell_change(word, users.into_iter(), consequences);
    }

    fn member_ids(&mut self, id: UserId) -> Vec<UserId> {
        let members = self.known_group(id).map(|group| group.members());
        members.unwrap_or_default().iter().map(|member| member.user).collect()
    }

    fn answer_change(&mut self, id: UserId, changed: Result<(), Code>) -> Verdict {
        let at_ms = self.clock_ms;
        if changed.is_ok() {
            self.list(id);
        }
        Verdict::Answer(changed.map_or_else(declined, |()| Answer::Done { at_ms }))
    }
}

fn declined(code: Code) -> Answer {
    Answer::Declined { code, retry_after_ms: 0 }
}

fn sorted(users: impl Iterator<Item = UserId>) -> Vec<UserId> {
    let mut users: Vec<_> = users.collect();
    users.sort_unstable();
    users
}
