//! Who may see when others were there. What is on its way to a device when that ends may still
//! come; but once the box had come to rest and nothing was on its way, nothing may.

use answerback_proto::id::UserId;
use answerback_proto::record::VisibilityChange;

use super::{Breach, Model, require};

impl Model {
    pub(super) fn set_visibility(&mut self, record: &VisibilityChange) {
        let account = self.account_mut(UserId(record.user));
        if account.exists {
            account.visibility = record.visibility;
        }
    }

    /// A frame of a user reaches the box that a person caused.
    pub(crate) fn handle_acted(&mut self, user: UserId, wall_ms: u64) {
        self.acts.insert((user, wall_ms));
    }

    /// Whom a user may see has changed.
    pub(super) fn note_shown(&mut self, user: UserId) {
        for other in (1..=self.users as u128).map(UserId) {
            if self.see_each_other(user, other) {
                self.hidden.remove(&(user, other));
                self.hidden.remove(&(other, user));
            }
        }
    }

    /// The box is at rest, and nothing is on its way to a user.
    pub(crate) fn handle_rest(&mut self, watcher: UserId) {
        for other in (1..=self.users as u128).map(UserId) {
            if !self.see_each_other(watcher, other) {
                self.hidden.insert((watcher, other));
            }
        }
    }

    /// A device of `watcher` is shown when a user was there last; 0 is nothing at all.
    pub(crate) fn check_presence(
        &self,
        watcher: UserId,
        peer: UserId,
        last_action_ms: u64,
        is_in_background: bool,
    ) -> Result<(), Breach> {
        require(!is_in_background, || format!("user {peer} is shown where nobody looks"))?;
        if last_action_ms == 0 {
            return Ok(());
        }
        require(self.acts.contains(&(peer, last_action_ms)), || {
            format!("user {peer} is shown to have acted at {last_action_ms}, and did not")
        })?;
        require(!self.hidden.contains(&(watcher, peer)), || {
            format!("user {watcher} is shown when user {peer} was there, and may not see it")
        })
    }

    /// Whom one does not show oneself to, one does not see.
    fn see_each_other(&self, one: UserId, other: UserId) -> bool {
        self.shows(one, other) && self.shows(other, one)
    }

    fn shows(&self, whose: UserId, who: UserId) -> bool {
        let account = self.account(whose);
        let is_for_him = match account.visibility {
            0 => true,
            1 => account.contacts.contains(&who),
            _ => false,
        };
        account.exists && is_for_him && !self.blocks(whose, who)
    }
}
