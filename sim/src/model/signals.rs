//! What users do just now: shown to whom it is for, where somebody may be looking.

use answerback_proto::id::UserId;

use super::{Breach, Model, require};

impl Model {
    /// A user writes to another.
    pub(crate) fn handle_typed(&mut self, user: UserId, peer: UserId) {
        self.typed.insert((user, peer));
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
