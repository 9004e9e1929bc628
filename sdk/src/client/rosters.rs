//! Which groups the user is in, for a device that was not told: it is new, or has lapsed.
//!
//! What `Chats` lists, and what the device took for the user's groups before, is asked of the
//! groups' homes; once all of them have answered, the file says that nothing is lacking.

use answerback_proto::id::GroupId;
use answerback_proto::kind::ListedChat;

use super::device::{Device, OwnAsk};
use crate::session::{Ask, GroupRequest, Mode, Outcome};
use crate::storage::StorageError;

impl Device {
    /// What came meanwhile will not come to this device.
    pub(super) fn handle_lapsed(&mut self) -> Result<(), StorageError> {
        self.storage.set_lacks_groups(true)?;
        if self.mode != Mode::Fetch {
            let ask = self.link.session().ask_for(Ask::Chats);
            self.own_asks.insert(ask, OwnAsk::Chats);
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
            let ask = self.link.session().ask_for(describe);
            self.own_asks.insert(ask, OwnAsk::Describe(group));
        }
        self.lack_no_groups()
    }

    /// An answer to that. Who is declined is no member there.
    pub(super) fn take_description(
        &mut self,
        group: GroupId,
        outcome: &Outcome,
    ) -> Result<(), StorageError> {
        if matches!(outcome, Outcome::Declined { .. }) {
            self.storage.leave_group(group)?;
        }
        self.tell_of_chat(group.as_peer());
        self.lack_no_groups()
    }

    /// Once all are answered.
    fn lack_no_groups(&mut self) -> Result<(), StorageError> {
        let is_open = |ask: &OwnAsk| matches!(ask, OwnAsk::Describe(_));
        if !self.own_asks.values().any(is_open) {
            self.storage.set_lacks_groups(false)?;
        }
        Ok(())
    }
}
