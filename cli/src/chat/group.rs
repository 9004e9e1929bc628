//! Groups, as the chat shows them.

use answerback_proto::id::UserId;
use answerback_proto::kind::role;

use super::text::inert;

/// A group that the user is in, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Its number, where a user's stands in a chat of two.
    pub(super) peer: UserId,
    /// Made inert.
    pub(super) name: String,
    pub(super) is_member: bool,
    pub(super) members: Vec<Member>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) user: UserId,
    pub(super) role: u16,
}

/// What is asked of the open group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Add(Vec<UserId>),
    Remove(Vec<UserId>),
    Admin(Vec<UserId>),
    Rename(String),
    Receipts(bool),
    Leave,
}

impl Group {
    pub(super) fn of_stored(stored: answerback_sdk::StoredGroup) -> Self {
        let member =
            |member: &answerback_sdk::GroupMember| Member { user: member.user, role: member.role };
        Self {
            peer: stored.group.as_peer(),
            name: inert(&stored.name),
            is_member: stored.is_member,
            members: stored.members.iter().map(member).collect(),
        }
    }

    /// How many are in it, where the user is.
    pub(super) fn size(&self) -> String {
        match (self.is_member, self.members.len()) {
            (false, _) => "you are no member any more".to_owned(),
            (true, 1) => "you alone".to_owned(),
            (true, count) => format!("{count} members"),
        }
    }

    /// Who is in it, in a line.
    pub(super) fn members_in_words(&self) -> String {
        let words = self.members.iter().map(|Member { user, role }| match *role {
            role::OWNER => format!("{user} (owner)"),
            role::ADMIN => format!("{user} (admin)"),
            _ => user.to_string(),
        });
        format!("members: {}", words.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_says_who_is_in_it() {
        let member = |user, role| Member { user: UserId(user), role };
        let members = vec![member(1, role::OWNER), member(2, role::ADMIN), member(3, role::MEMBER)];
        let group = Group { peer: UserId(9), name: "w".to_owned(), is_member: true, members };
        assert_eq!(group.members_in_words(), "members: 1 (owner), 2 (admin), 3");
        assert_eq!(group.size(), "3 members");
        let alone = Group { members: vec![member(1, role::OWNER)], ..group.clone() };
        assert_eq!(alone.size(), "you alone");
        assert_eq!(Group { is_member: false, ..group }.size(), "you are no member any more");
    }
}
