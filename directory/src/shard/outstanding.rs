//! How many of a user's messages wait in this partition, whoever they are for: each may end
//! as a failure in the sender's own inbox, where no quota holds it back.

use answerback_proto::id::UserId;

use super::by_user::OfUser;

/// The count of one sender.
#[derive(Debug)]
pub(crate) struct Outstanding {
    pub(crate) sender: UserId,
    /// Accepted, and neither acknowledged nor ended.
    pub(crate) count: u32,
    pub(crate) is_stored: bool,
    /// Since the last checkpoint; listed for the next.
    pub(crate) changed: bool,
    /// Since the last look at what may leave the memory.
    pub(crate) used: bool,
}

impl OfUser for Outstanding {
    fn user(&self) -> UserId {
        self.sender
    }
}
