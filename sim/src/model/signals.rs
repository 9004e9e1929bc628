//! What users do just now: shown to whom it is for, where somebody may be looking.

use answerback_proto::id::UserId;

use super::{Breach, Model, require};

impl Model {
    /// A user writes to another.
    pub(crate) fn handle_typed(&mut self, user: UserId, peer: UserId) {
        self.typed.insert((user, peer));
    }

    /// A frame of a user reaches the box that a person caused.
    pub(crate) fn handle_acted(&mut self, user: UserId, wall_ms: u64) {
        self.acts.insert((user, wall_ms));
    }

    /// A device is shown when a user was there last; 0 is nothing at all.
    pub(crate) fn check_presence(
        &self,
        peer: UserId,
        last_action_ms: u64,
        is_in_background: bool,
    ) -> Result<(), Breach> {
        let has_acted = last_action_ms == 0 || self.acts.contains(&(peer, last_action_ms));
        require(has_acted, || {
            format!("user {peer} is shown to have acted at {last_action_ms}, and did not")
        })?;
        require(!is_in_background, || format!("user {peer} is shown where nobody looks"))
    }

    /// A device of `user` is shown that `peer` writes.
    pub(crate) fn check_typing(
        &self,
        peer: UserId,
        user: UserId,
        is_in_background: bool,
    ) -> Result<(), Breach> {
        require(self.typed.contains(&(peer, user)), || {
            format!("user {user} is shown that user {peer} writes, who does not")
        })?;
        require(!is_in_background, || {
            format!("user {peer} is shown to write to user {user}, and nobody looks")
        })
    }
}
