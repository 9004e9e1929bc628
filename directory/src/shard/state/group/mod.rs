//! Groups at their home: messages and changes in one order; and what comes of both at the
//! members' homes.

mod change;
mod failures;
mod parts;
mod post;
mod receipts;

use answerback_proto::id::{PartitionId, UserId};

use super::super::group::Group;
use super::super::user::User;
use super::{Missing, State};

impl State {
    /// A group that is in memory; none where this is a user, or nobody.
    pub(super) fn group(&mut self, group: UserId) -> Result<Option<&mut Group>, Missing> {
        Ok(self.user(group)?.group_mut())
    }

    /// As above, where it was looked for before.
    pub(super) fn known_group(&mut self, group: UserId) -> Option<&mut Group> {
        self.users.get_mut(group).and_then(User::group_mut)
    }

    /// A group's home.
    pub(super) fn home_of(&self, group: UserId) -> PartitionId {
        self.table.home_of_group(group)
    }
}
