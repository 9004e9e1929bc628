//! Groups: who is in them, what each change and each message is told to whom, and how it ends
//! for each member.
//!
//! A group counts as one more account behind those of the users, so that its numbers, gaps and
//! early ones are those of any other.

use std::collections::BTreeMap;

use answerback_proto::code::Code;
use answerback_proto::id::UserId;
use answerback_proto::kind::{action, append_numbered_user, change, role};
use answerback_proto::limits::GROUP_MEMBERS_MAX;
use answerback_proto::record::{GroupCreation, GroupRenaming, MembersChange};
use answerback_sdk::session::Outcome;

use super::account::Posted;
use super::message::{Decision, Exit, MemberFate, MessageNumber};
use super::parts::PartBody;
use super::{Breach, Model, require};

/// How far an answer may be sorted ahead of the clock.
const AHEAD_MAX_MS: u64 = 10_000;

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    /// As the box calls it.
    pub(super) id: UserId,
    creator: UserId,
    pub(super) exists: bool,
    version: u32,
    name: Vec<u8>,
    last_accepted_ms: u64,
    /// Role, and since which version.
    members: BTreeMap<UserId, (u16, u32)>,
    slots: BTreeMap<UserId, u16>,
    receipts: bool,
    /// What it was in each version.
    rosters: BTreeMap<u32, Roster>,
}

/// What a group was in a version.
#[derive(Debug)]
struct Roster {
    /// With role and slot.
    members: Vec<(UserId, u16)>,
    name: Vec<u8>,
    has_receipts: bool,
}

/// What a part brings to members of one home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// As the model calls it.
    pub(super) group: UserId,
    pub(super) message: Option<MessageNumber>,
    pub(super) actor: UserId,
    pub(super) at_ms: u64,
    pub(super) expires_at_ms: u64,
    pub(super) version: u32,
    pub(super) change: u16,
    /// Roles and slots, then the name.
    pub(super) tail: Vec<u8>,
    pub(super) members: Vec<UserId>,
    pub(super) is_copied: bool,
    pub(super) has_receipts: bool,
}

/// Members who do not get a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failures {
    pub(super) message: MessageNumber,
    pub(super) members: Vec<(UserId, u16)>,
}

impl Group {
    pub(super) fn new(id: UserId, creator: UserId) -> Self {
        Self {
            id,
            creator,
            exists: false,
            version: 0,
            name: Vec::new(),
            last_accepted_ms: 0,
            members: BTreeMap::new(),
            slots: BTreeMap::new(),
            receipts: false,
            rosters: BTreeMap::new(),
        }
    }

    pub(super) fn has(&self, user: UserId) -> bool {
        self.members.contains_key(&user)
    }

    fn role(&self, user: UserId) -> Option<u16> {
        self.members.get(&user).map(|(role, _)| *role)
    }

    fn ids(&self) -> Vec<UserId> {
        self.members.keys().copied().collect()
    }

    fn tail(&self, users: &[UserId]) -> Vec<u8> {
        let mut tail = Vec::new();
        for user in users {
            append_numbered_user(&mut tail, *user, self.number(*user));
        }
        tail
    }

    fn number(&self, user: UserId) -> u16 {
        self.role(user).unwrap_or_default() + 16 * self.slots[&user]
    }

    /// Who was in it in a version.
    pub(super) fn roster(&self, version: u32) -> Option<&[(UserId, u16)]> {
        self.rosters.get(&version).map(|roster| roster.members.as_slice())
    }

    /// Who has come gets the lowest slot that is free, in the order of ids; who has gone has
    /// none.
    fn give_slots(&mut self) {
        self.slots.retain(|user, _| self.members.contains_key(user));
        for user in self
            .members
            .keys()
            .filter(|user| !self.slots.contains_key(user))
            .copied()
            .collect::<Vec<_>>()
        {
            let free = (0..).find(|slot| !self.slots.values().any(|taken| taken == slot));
            self.slots.insert(user, free.unwrap_or_default());
        }
    }

    fn heir(&self) -> Option<UserId> {
        let has_owner = self.members.values().any(|(given, _)| *given == role::OWNER);
        let order = |(user, (given, since)): (&UserId, &(u16, u32))| {
            (std::cmp::Reverse(*given), *since, *user)
        };
        let first = self.members.iter().map(order).min();
        first.filter(|_| !has_owner).map(|(.., user)| user)
    }
}

impl Model {
    /// What the model calls a user, or a group.
    pub(crate) fn alias(&self, id: UserId) -> UserId {
        let index = self.groups.iter().position(|group| group.id == id);
        index.map_or(id, |index| UserId((self.users + index) as u128 + 1))
    }

    /// A group, as the model calls it; none where this is a user.
    pub(super) fn group(&self, alias: UserId) -> Option<&Group> {
        self.groups.get((alias.0 as usize).checked_sub(self.users + 1)?)
    }

    fn group_mut(&mut self, alias: UserId) -> &mut Group {
        let index = alias.0 as usize - self.users - 1;
        &mut self.groups[index]
    }

    /// A user was told what a group is: as it was in that version.
    pub(super) fn check_described(&self, outcome: &Outcome) -> Result<(), Breach> {
        let Outcome::GroupDescribed { group, version, members, name, has_receipts } = outcome
        else {
            return Ok(());
        };
        let known = self.group(self.alias(group.as_peer()));
        let roster = known.and_then(|known| known.rosters.get(version));
        let is_so = roster.is_some_and(|roster| {
            (&roster.members, &roster.name[..], roster.has_receipts)
                == (members, name.as_bytes(), *has_receipts)
        });
        require(is_so, || format!("{outcome:?}, and the group was {roster:?}"))
    }

    /// Whether whoever a message is for takes any of this sender.
    pub(super) fn takes_from(&self, recipient: UserId, sender: UserId) -> bool {
        match self.group(recipient) {
            Some(group) => group.exists && group.has(sender),
            None => self.account(recipient).exists,
        }
    }

    pub(super) fn create_group(&mut self, record: &GroupCreation, payload: &[u8]) {
        let alias = self.alias(UserId(record.group));
        let creator = UserId(record.creator);
        if self.group(alias).is_none_or(|group| group.exists || group.creator != creator) {
            return;
        }
        let (listed, name) = payload.split_at(16 * usize::from(record.members_count));
        let now_ms = self.home(alias).clock_ms;
        let group = self.group_mut(alias);
        (group.exists, group.version, group.name) = (true, 1, name.to_vec());
        group.members = users(listed).into_iter().map(|user| (user, (role::MEMBER, 1))).collect();
        group.members.insert(creator, (role::OWNER, 1));
        group.give_slots();
        let all = group.ids();
        let tail = [group.tail(&all).as_slice(), name].concat();
        self.tell_change(alias, creator, change::CREATED, now_ms, &tail, &all);
    }

    pub(super) fn change_members(&mut self, record: &MembersChange, payload: &[u8]) {
        let (alias, actor) = (self.alias(UserId(record.group)), UserId(record.actor));
        let Some(given) = self.group(alias).and_then(|group| group.role(actor)) else { return };
        let listed = users(payload);
        match record.action {
            action::ADD if given > role::MEMBER => self.add(alias, actor, &listed),
            action::REMOVE => {
                let group = self.group_mut(alias);
                let removed: Vec<_> = listed.into_iter().filter(|user| group.has(*user)).collect();
                let may = |user: &UserId| *user == actor || given > group.role(*user).unwrap_or(0);
                if !removed.is_empty() && removed.iter().all(may) {
                    self.remove(alias, actor, &removed);
                }
            }
            action::SET_ROLE if given == role::OWNER => {
                self.set_roles(alias, actor, &listed, record.role);
            }
            _ => {}
        }
    }

    pub(super) fn rename_group(&mut self, record: &GroupRenaming, payload: &[u8]) {
        let (alias, actor) = (self.alias(UserId(record.group)), UserId(record.actor));
        let now_ms = self.home(alias).clock_ms;
        let group = self.group_mut(alias);
        let may = group.role(actor).is_some_and(|given| given > role::MEMBER);
        if !may || group.name == payload {
            return;
        }
        group.version += 1;
        group.name = payload.to_vec();
        let all = group.ids();
        self.tell_change(alias, actor, change::RENAMED, now_ms, payload, &all);
    }

    pub(super) fn set_receipts(&mut self, alias: UserId, actor: UserId, is_on: bool) {
        let now_ms = self.home(alias).clock_ms;
        let group = self.group_mut(alias);
        let may = group.role(actor).is_some_and(|given| given > role::MEMBER);
        if !may || group.receipts == is_on {
            return;
        }
        group.version += 1;
        group.receipts = is_on;
        let all = group.ids();
        self.tell_change(alias, actor, change::RECEIPTS, now_ms, &[], &all);
    }

    pub(super) fn members_gone(&mut self, alias: UserId, users: &[UserId]) {
        let group = self.group_mut(alias);
        let gone: Vec<_> = users.iter().copied().filter(|user| group.has(*user)).collect();
        if !gone.is_empty() {
            self.remove(alias, UserId(0), &gone);
        }
    }

    fn add(&mut self, alias: UserId, actor: UserId, listed: &[UserId]) {
        let now_ms = self.home(alias).clock_ms;
        let group = self.group_mut(alias);
        let added: Vec<_> = listed.iter().copied().filter(|user| !group.has(*user)).collect();
        if added.is_empty() || group.members.len() + added.len() > GROUP_MEMBERS_MAX {
            return;
        }
        let before = group.ids();
        group.version += 1;
        let since = group.version;
        group.members.extend(added.iter().map(|user| (*user, (role::MEMBER, since))));
        group.give_slots();
        let tail = group.tail(&added);
        let whole = [group.tail(&group.ids()), group.name.clone()].concat();
        self.tell_change(alias, actor, change::ADDED, now_ms, &tail, &before);
        self.tell_change(alias, actor, change::JOINED, now_ms, &whole, &added);
    }

    fn remove(&mut self, alias: UserId, actor: UserId, removed: &[UserId]) {
        let now_ms = self.home(alias).clock_ms;
        let group = self.group_mut(alias);
        let (before, tail) = (group.ids(), group.tail(removed));
        group.version += 1;
        group.members.retain(|user, _| !removed.contains(user));
        group.give_slots();
        let heir = group.heir();
        self.tell_change(alias, actor, change::REMOVED, now_ms, &tail, &before);
        if let Some(heir) = heir {
            self.give(alias, actor, &[(heir, role::OWNER)]);
        }
    }

    fn set_roles(&mut self, alias: UserId, actor: UserId, listed: &[UserId], given: u16) {
        let group = self.group_mut(alias);
        let is_wrong = !listed.iter().all(|user| group.has(*user))
            || (given == role::OWNER && listed.len() != 1)
            || (given < role::OWNER && listed.contains(&actor));
        if is_wrong {
            return;
        }
        let mut roles: Vec<_> = listed.iter().map(|user| (*user, given)).collect();
        if given == role::OWNER && !listed.contains(&actor) {
            roles.push((actor, role::ADMIN));
        }
        roles.retain(|(user, given)| group.role(*user) != Some(*given));
        if !roles.is_empty() {
            self.give(alias, actor, &roles);
        }
    }

    fn give(&mut self, alias: UserId, actor: UserId, roles: &[(UserId, u16)]) {
        let now_ms = self.home(alias).clock_ms;
        let group = self.group_mut(alias);
        group.version += 1;
        for (user, given) in roles {
            if let Some((role, _)) = group.members.get_mut(user) {
                *role = *given;
            }
        }
        let mut listed: Vec<_> = roles.iter().map(|(user, _)| *user).collect();
        listed.sort_unstable();
        let (tail, all) = (group.tail(&listed), group.ids());
        self.tell_change(alias, actor, change::ROLE, now_ms, &tail, &all);
    }

    fn tell_change(
        &mut self,
        group: UserId,
        actor: UserId,
        change: u16,
        at_ms: u64,
        tail: &[u8],
        users: &[UserId],
    ) {
        let known = self.group_mut(group);
        let (version, has_receipts) = (known.version, known.receipts);
        let members = known.ids().into_iter().map(|user| (user, known.number(user))).collect();
        let roster = Roster { members, name: known.name.clone(), has_receipts };
        known.rosters.insert(version, roster);
        let word = Word {
            group,
            message: None,
            actor,
            at_ms,
            expires_at_ms: 0,
            version,
            change,
            tail: tail.to_vec(),
            members: Vec::new(),
            is_copied: false,
            has_receipts,
        };
        self.fan_out(&word, users);
    }

    /// One part for each home of users.
    fn fan_out(&mut self, word: &Word, users: &[UserId]) {
        let source = self.account(word.group).partition;
        let mut homes: BTreeMap<usize, Vec<UserId>> = BTreeMap::new();
        for &user in users {
            homes.entry(self.account(user).partition).or_default().push(user);
        }
        for (home, members) in homes {
            let is_for_none = word.message.is_some()
                && !word.is_copied
                && members.iter().all(|member| *member == word.actor);
            if !is_for_none {
                self.words.push(Word { members, ..word.clone() });
                let body = PartBody::Group { word: self.words.len() - 1 };
                self.make_part_to(source, home, body);
            }
        }
    }

    /// The next number of a device in a group is decided.
    pub(super) fn decide_group(&mut self, posted: &Posted) -> Result<(), Breach> {
        let &Posted { message, recipient, sender, .. } = posted;
        if !self.takes_from(recipient, sender) {
            self.decide(message, Decision::Rejected(Code::NotMember))?;
            self.tell_failed(message, Code::NotMember.number());
            return Ok(());
        }
        let now_ms = self.home(recipient).clock_ms;
        let group = self.group_mut(recipient);
        let answer_ms = (posted.seen_ms + 1).min(now_ms + AHEAD_MAX_MS);
        let at_ms = now_ms.max(group.last_accepted_ms).max(answer_ms);
        group.last_accepted_ms = at_ms;
        let (all, version, has_receipts) = (group.ids(), group.version, group.receipts);
        self.decide(message, Decision::Accepted { at_ms })?;
        self.end(message, Exit::FannedOut)?;
        let others = all.iter().copied().filter(|user| *user != sender);
        let known = self.message_mut(message);
        known.members = others.map(|user| (user, MemberFate::Waiting)).collect();
        (known.version, known.has_receipts) = (version, has_receipts);
        let word = Word {
            group: recipient,
            message: Some(message),
            actor: sender,
            at_ms,
            expires_at_ms: now_ms + u64::from(posted.life_s) * 1000,
            version,
            change: 0,
            tail: Vec::new(),
            members: Vec::new(),
            is_copied: posted.is_copied,
            has_receipts,
        };
        self.fan_out(&word, &all);
        Ok(())
    }
}

pub(super) fn users(listed: &[u8]) -> Vec<UserId> {
    let (ids, _) = listed.as_chunks::<16>();
    ids.iter().map(|id| UserId(u128::from_le_bytes(*id))).collect()
}
