//! Which groups the user is in, for a device that was not told: it is new, or has lapsed.
//!
//! What `Chats` lists, and what the device took for the user's groups before, is asked of the
//! groups' homes; once all of them have answered, the file says that nothing is lacking.

use answerback_proto::id::GroupId;
use answerback_proto::kind::ListedChat;

use super::device::Device;
use crate::session::{Ask, AskId, GroupRequest, Mode, Outcome};
use crate::storage::StorageError;

impl Device {
    /// What came meanwhile will not come to this device.
    pub(super) fn handle_lapsed(&mut self) -> Result<(), StorageError> {
        self.storage.set_lacks_groups(true)?;
        if self.mode != Mode::Fetch {
            self.link.session().ask_for(Ask::Chats);
        }
        Ok(())
    }

    /// The server has listed the user's chats, groups among them.
    pub(super) fn ask_who_is_in(&mut self, listed: &[ListedChat]) -> Result<(), StorageError> {
        if !self.storage.lacks_groups()? {
            return Ok(());
        }
        let known = self.storage.own_groups()?;
        let listed = listed.iter().filter(|chat| chat.is_group).map(|chat| GroupId(chat.peer.0));
        let is_new = |group: &GroupId| !known.iter().any(|(known, _)| known == group);
        let new: Vec<_> = listed.filter(is_new).map(|group| (group, 0)).collect();
        for (group, version) in known.into_iter().chain(new) {
            let describe = Ask::Group(GroupRequest::Describe { group, version });
            self.describing.insert(self.link.session().ask_for(describe), group);
        }
        if self.describing.is_empty() {
            self.storage.set_lacks_groups(false)?;
        }
        Ok(())
    }

    /// An answer to that, where it is one. Who is declined is no member there.
    pub(super) fn take_description(
        &mut self,
        ask: AskId,
        outcome: &Outcome,
    ) -> Result<(), StorageError> {
        let Some(group) = self.describing.remove(&ask) else { return Ok(()) };
        if matches!(outcome, Outcome::Declined { .. }) {
            self.storage.leave_group(group)?;
        }
        if self.describing.is_empty() {
            self.storage.set_lacks_groups(false)?;
        }
        self.tell_of_chat(group.as_peer());
        Ok(())
    }
}
