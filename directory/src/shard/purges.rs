//! Purges under way: one step after the other is journaled, as fast as senders are told.

use std::collections::BTreeSet;

use answerback_proto::id::UserId;
use answerback_proto::record::Due;

use super::Shard;
use super::parts::Outgoing;
use super::user::ALWAYS;
use crate::limits::{OPEN_BYTES_MAX, PURGE_PARTS_MAX};

/// Users of whom something is left. After a start they come by the table of due times.
#[derive(Debug, Default)]
pub(super) struct Purges {
    users: BTreeSet<UserId>,
    /// Whether a step is journaled that was not applied yet.
    is_under_way: bool,
}

impl Purges {
    /// Whether nobody is being purged, as far as memory tells.
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Whether a user's next step is seen to.
    pub(super) fn has(&self, user: UserId) -> bool {
        self.users.contains(&user)
    }

    /// A purge began, or a step of it was applied.
    pub(super) fn handle_applied(&mut self, user: UserId, is_left: bool) {
        self.is_under_way = false;
        if is_left {
            self.users.insert(user);
        } else {
            self.users.remove(&user);
        }
    }
}

impl Shard {
    /// Journals the next step, unless one is under way or too many senders wait to be told.
    pub(super) fn go_on_with_purges(&mut self) {
        let next = self.purges.users.first().copied();
        let Some(user) = next.filter(|_| !self.purges.is_under_way) else { return };
        let waiting: usize = self.state.outgoing.values().map(Outgoing::count).sum();
        if waiting < PURGE_PARTS_MAX && self.open.byte_length() < OPEN_BYTES_MAX {
            self.purges.is_under_way = true;
            self.builder().push(&Due { user: user.0, up_to_ms: ALWAYS }, &[]);
            self.preload(user, None);
        }
    }
}
