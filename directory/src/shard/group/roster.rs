//! Who is in a group, and what each of them may do there.

use std::sync::Arc;

use answerback_proto::id::{PartitionId, UserId};
use answerback_proto::kind::{append_numbered_user, role, role_and_slot, role_of, slot_of};
use answerback_proto::limits::GROUP_MEMBERS_MAX;

use crate::partition_table::PartitionTable;

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Role {
    /// Send, leave.
    Member = role::MEMBER as u8,
    /// Add and remove members too, rename, turn receipts on and off.
    Admin = role::ADMIN as u8,
    /// All of it, and give roles.
    Owner = role::OWNER as u8,
}

impl Role {
    /// The role of a number.
    pub(crate) fn of(number: u16) -> Option<Self> {
        [Self::Member, Self::Admin, Self::Owner].get(usize::from(number)).copied()
    }
}

/// One member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) user: UserId,
    pub(crate) role: Role,
    /// The list's version that made him one.
    pub(crate) since: u32,
    /// His bit in receipts. Another may have had it in an earlier version.
    pub(crate) slot: u16,
}

impl Member {
    /// The number beside him in tails and rows.
    pub(crate) fn number(&self) -> u16 {
        role_and_slot(u16::from(self.role as u8), self.slot)
    }

    /// A member as `number` says.
    pub(crate) fn of(user: UserId, number: u16, since: u32) -> Option<Self> {
        Some(Self { user, role: Role::of(role_of(number))?, since, slot: slot_of(number) })
    }
}

/// What a group's home keeps of it.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) creator: UserId,
    pub(crate) created_at_ms: u64,
    /// Raised by each change.
    pub(crate) version: u32,
    pub(crate) name: Box<[u8]>,
    /// Whether messages get receipts.
    pub(crate) receipts: bool,
    /// The shown time of the last message accepted here.
    pub(crate) last_accepted_ms: u64,
    /// Ascending.
    members: Vec<Member>,
    /// The members by their homes; empty until it is needed.
    by_home: Vec<(PartitionId, Arc<[UserId]>)>,
    /// Whatever but the shown time, since the last checkpoint.
    pub(crate) changed: bool,
}

impl Group {
    /// A group as its row says.
    pub(crate) fn load(
        creator: UserId,
        created_at_ms: u64,
        version: u32,
        name: &[u8],
        members: Vec<Member>,
    ) -> Self {
        let (name, changed) = (name.into(), false);
        Self { creator, created_at_ms, version, name, members, changed, ..Self::default() }
    }

    /// A new group.
    pub(crate) fn new(creator: UserId, now_ms: u64, name: &[u8], others: &[UserId]) -> Self {
        let mut group = Self::load(creator, now_ms, 1, name, Vec::new());
        let mut all = [others, &[creator]].concat();
        all.sort_unstable();
        group.add(&all);
        group.set_role(creator, Role::Owner);
        group
    }

    /// The members, ascending.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// What a user may do; none for one who is no member.
    pub(crate) fn role(&self, user: UserId) -> Option<Role> {
        let index = self.members.binary_search_by_key(&user, |member| member.user).ok()?;
        self.members.get(index).map(|member| member.role)
    }

    /// Those of some users who are no members.
    pub(crate) fn strangers(&self, users: &[UserId]) -> Vec<UserId> {
        users.iter().copied().filter(|user| self.role(*user).is_none()).collect()
    }

    /// Those of some users who are members.
    pub(crate) fn present(&self, users: &[UserId]) -> Vec<UserId> {
        users.iter().copied().filter(|user| self.role(*user).is_some()).collect()
    }

    /// Adds users who are no members, ascending, as of this version; each gets the lowest slot
    /// that is free.
    pub(crate) fn add(&mut self, users: &[UserId]) {
        let (since, free) = (self.version, self.free_slots());
        let added = users.iter().zip(free);
        let role = Role::Member;
        self.members.extend(added.map(|(&user, slot)| Member { user, role, since, slot }));
        self.members.sort_unstable_by_key(|member| member.user);
        self.note_change();
    }

    /// Removes users.
    pub(crate) fn remove(&mut self, users: &[UserId]) {
        self.members.retain(|member| users.binary_search(&member.user).is_err());
        self.note_change();
    }

    /// Gives a member a role.
    pub(crate) fn set_role(&mut self, user: UserId, role: Role) {
        if let Some(member) = self.members.iter_mut().find(|member| member.user == user) {
            member.role = role;
        }
        self.note_change();
    }

    /// Who owns it next, where nobody does: the admin who has been there the longest, else
    /// the member.
    pub(crate) fn heir(&self) -> Option<UserId> {
        if self.members.iter().any(|member| member.role == Role::Owner) {
            return None;
        }
        let order = |member: &&Member| (std::cmp::Reverse(member.role), member.since, member.user);
        self.members.iter().min_by_key(order).map(|member| member.user)
    }

    /// The members by their homes.
    pub(crate) fn by_home(&mut self, table: &PartitionTable) -> &[(PartitionId, Arc<[UserId]>)] {
        if self.by_home.is_empty() {
            let users = self.members.iter().map(|member| member.user);
            self.by_home = by_home(users, table);
        }
        &self.by_home
    }

    /// All members with their roles and slots, as tails have them.
    pub(crate) fn roles(&self) -> Vec<u8> {
        self.roles_where(|_| true)
    }

    /// The same of some members.
    pub(crate) fn roles_where(&self, is_listed: impl Fn(&Member) -> bool) -> Vec<u8> {
        let mut tail = Vec::new();
        for member in self.members.iter().filter(|member| is_listed(member)) {
            append_numbered_user(&mut tail, member.user, member.number());
        }
        tail
    }

    fn free_slots(&self) -> impl Iterator<Item = u16> + use<> {
        let mut is_taken = [false; GROUP_MEMBERS_MAX];
        for member in &self.members {
            if let Some(is_taken) = is_taken.get_mut(usize::from(member.slot)) {
                *is_taken = true;
            }
        }
        (0_u16..).zip(is_taken).filter_map(|(slot, is_taken)| (!is_taken).then_some(slot))
    }

    fn note_change(&mut self) {
        if !planted!(MemberListStale) {
            self.by_home.clear();
        }
        self.changed = true;
    }
}

/// Users, ascending, by their homes.
pub(crate) fn by_home(
    users: impl Iterator<Item = UserId>,
    table: &PartitionTable,
) -> Vec<(PartitionId, Arc<[UserId]>)> {
    let mut homes = std::collections::BTreeMap::<_, Vec<_>>::new();
    for user in users {
        homes.entry(table.partition_of(user)).or_default().push(user);
    }
    homes.into_iter().map(|(home, users)| (home, users.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(ids: &[u128]) -> Vec<UserId> {
        ids.iter().copied().map(UserId).collect()
    }

    #[test]
    fn the_oldest_admin_inherits_else_the_oldest_member() {
        let mut group = Group::new(UserId(5), 1, b"a", &users(&[7]));
        group.version = 2;
        group.add(&users(&[3, 4]));
        assert_eq!(group.heir(), None, "it has an owner");
        group.remove(&users(&[5]));
        assert_eq!(group.heir(), Some(UserId(7)));
        group.set_role(UserId(4), Role::Admin);
        assert_eq!(group.heir(), Some(UserId(4)));
        group.remove(&users(&[3, 4, 7]));
        assert_eq!(group.heir(), None, "nobody is left");
    }

    #[test]
    fn members_stand_in_order_and_at_their_homes() {
        let table = PartitionTable::new(b"a test's secret!", 16, 1);
        let mut group = Group::new(UserId(5), 1, b"a", &users(&[1, 9]));
        let listed: Vec<_> = group.members().iter().map(|member| member.user.0).collect();
        assert_eq!(listed, [1, 5, 9]);
        let homes = group.by_home(&table).to_vec();
        assert_eq!(homes.iter().map(|(_, users)| users.len()).sum::<usize>(), 3);
        for (home, users) in homes {
            assert!(users.iter().all(|user| table.partition_of(*user) == home));
        }
        group.remove(&users(&[9]));
        assert_eq!(group.by_home(&table).iter().map(|(_, users)| users.len()).sum::<usize>(), 2);
    }

    #[test]
    fn each_member_has_the_lowest_slot_that_is_free_and_keeps_it() {
        let slots = |group: &Group| {
            let members = group.members().iter();
            members.map(|member| (member.user.0, member.slot)).collect::<Vec<_>>()
        };
        let mut group = Group::new(UserId(5), 1, b"a", &users(&[1, 9]));
        assert_eq!(slots(&group), [(1, 0), (5, 1), (9, 2)]);
        group.remove(&users(&[1, 5]));
        group.add(&users(&[2, 6, 7]));
        assert_eq!(slots(&group), [(2, 0), (6, 1), (7, 3), (9, 2)]);
        let members: Vec<_> = (10..1030).map(UserId).collect();
        group.add(&members);
        let mut all: Vec<_> = group.members().iter().map(|member| member.slot).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1024), "each once");
    }
}
