//! Who is in a group, and what each of them may do there.

use std::sync::Arc;

use answerback_proto::id::{PartitionId, UserId};
use answerback_proto::kind::{append_numbered_user, role};

use crate::partition_table::PartitionTable;

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Role {
    /// Send, leave.
    Member = role::MEMBER as u8,
    /// Add and remove members too, and rename.
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
}

/// What a group's home keeps of it.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) creator: UserId,
    pub(crate) created_at_ms: u64,
    /// Raised by each change.
    pub(crate) version: u32,
    pub(crate) name: Box<[u8]>,
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
        group.add(&[creator]);
        group.add(others);
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

    /// Adds users who are no members, as of this version.
    pub(crate) fn add(&mut self, users: &[UserId]) {
        let since = self.version;
        let added = users.iter().map(|&user| Member { user, role: Role::Member, since });
        self.members.extend(added);
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

    /// All members with their roles, as tails have them.
    pub(crate) fn roles(&self) -> Vec<u8> {
        self.roles_of(&self.members)
    }

    /// The roles of some members.
    pub(crate) fn roles_of(&self, members: &[Member]) -> Vec<u8> {
        let mut tail = Vec::new();
        for member in members {
            append_numbered_user(&mut tail, member.user, u16::from(member.role as u8));
        }
        tail
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
}
