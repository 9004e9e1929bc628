//! Groups, as an app makes and changes them.

use answerback_proto::id::{DeviceId, GroupId, UserId};
use answerback_proto::kind::{action, role};
use answerback_proto::limits::{GROUP_MEMBERS_MAX, GROUP_NAME_BYTES_MAX};

use super::message::failure;
use super::{Client, Error, Failure, MessageId};
use crate::session::{Ask, AskId, GroupRequest};
use crate::storage::{Draft, MemberReceipt, StoredGroup};

impl Client {
    /// Makes a group with these other members, as soon as there is a connection.
    /// [`ClientEvent::Answered`](super::ClientEvent::Answered) says which it is; what is asked is
    /// not stored.
    ///
    /// # Errors
    /// `Usage`: a name of 0 or more than 256 bytes, too many members, the user himself.
    pub fn create_group(&self, name: &str, members: Vec<UserId>) -> Result<AskId, Error> {
        check_name(name)?;
        check_members(&members, GROUP_MEMBERS_MAX - 1)?;
        let nonce = fastrand::u128(1..);
        self.ask_group(GroupRequest::Create { nonce, members, name: name.to_owned() })
    }

    /// Adds members.
    ///
    /// # Errors
    /// `Usage`: nobody, or too many.
    pub fn add_members(&self, group: GroupId, members: Vec<UserId>) -> Result<AskId, Error> {
        self.change_members(group, action::ADD, role::MEMBER, members)
    }

    /// Removes members.
    ///
    /// # Errors
    /// `Usage`: nobody, or too many.
    pub fn remove_members(&self, group: GroupId, members: Vec<UserId>) -> Result<AskId, Error> {
        self.change_members(group, action::REMOVE, role::MEMBER, members)
    }

    /// Gives members a role, of [`answerback_proto::kind::role`].
    ///
    /// # Errors
    /// `Usage`: nobody, or too many, or no role.
    pub fn set_role(
        &self,
        group: GroupId,
        members: Vec<UserId>,
        given: u16,
    ) -> Result<AskId, Error> {
        if given > role::OWNER {
            return Err(Error::usage("there is no such role"));
        }
        self.change_members(group, action::SET_ROLE, given, members)
    }

    /// Leaves a group. Messages from before may still come.
    ///
    /// # Errors
    /// `Usage`: the client is closed.
    pub fn leave_group(&self, group: GroupId) -> Result<AskId, Error> {
        let own = self.options().user;
        self.change_members(group, action::REMOVE, role::MEMBER, vec![own])
    }

    /// Has the messages to a group tell who has them, and who has read them: see
    /// [`Client::member_receipts`]. Or no longer.
    ///
    /// # Errors
    /// `Usage`: the client is closed.
    pub fn set_group_receipts(&self, group: GroupId, is_on: bool) -> Result<AskId, Error> {
        self.ask_group(GroupRequest::SetReceipts { group, is_on })
    }

    /// Gives a group another name.
    ///
    /// # Errors
    /// `Usage`: a name of 0 or more than 256 bytes.
    pub fn rename_group(&self, group: GroupId, name: &str) -> Result<AskId, Error> {
        check_name(name)?;
        self.ask_group(GroupRequest::Rename { group, name: name.to_owned() })
    }

    /// Stores a message to a group and sends it as soon as there is a connection.
    ///
    /// # Errors
    /// `Storage`, `Usage`.
    pub fn send_to_group(
        &self,
        group: GroupId,
        content_type: u16,
        payload: Vec<u8>,
    ) -> Result<MessageId, Error> {
        let sent = self.send_all(vec![Draft::to_group(group, content_type, payload)])?;
        sent.first().copied().ok_or_else(|| Error::usage("nothing to send"))
    }

    /// A group as this device knows it; none where it was told nothing of it.
    ///
    /// # Errors
    /// `Storage`.
    pub fn group(&self, group: GroupId) -> Result<Option<StoredGroup>, Error> {
        self.shared().with(|device| Ok(device.storage.group(group)?))
    }

    /// Whether all that waited at the server when the connection was opened is here.
    ///
    /// # Errors
    /// `Usage`: the client is closed.
    pub fn is_caught_up(&self) -> Result<bool, Error> {
        self.shared().with(|device| Ok(device.is_caught_up))
    }

    /// Whether this device knows which groups the user is in: one that is new, or has lapsed,
    /// has to ask first.
    ///
    /// # Errors
    /// `Storage`.
    pub fn knows_groups(&self) -> Result<bool, Error> {
        self.shared().with(|device| Ok(!device.storage.lacks_groups()?))
    }

    /// All groups that this device knows, by number.
    ///
    /// # Errors
    /// `Storage`.
    pub fn groups(&self) -> Result<Vec<GroupId>, Error> {
        self.shared().with(|device| Ok(device.storage.groups()?))
    }

    /// Members who will not get one of the user's messages, and why.
    ///
    /// # Errors
    /// `Storage`.
    pub fn member_failures(&self, message: MessageId) -> Result<Vec<(UserId, Failure)>, Error> {
        let (group, of): (_, DeviceId) = (GroupId(message.peer.0), message.device);
        self.shared().with(|device| {
            let failed = device.storage.member_failures(group, of, message.sequence)?;
            Ok(failed.into_iter().map(|(user, code)| (user, failure(code))).collect())
        })
    }

    /// What became of one of the user's messages for each member that it went to; nothing before
    /// the first of them has it, and where the group has no receipts.
    ///
    /// # Errors
    /// `Storage`.
    pub fn member_receipts(&self, message: MessageId) -> Result<Vec<MemberReceipt>, Error> {
        let (group, of) = (GroupId(message.peer.0), message.device);
        self.shared()
            .with(|device| Ok(device.storage.member_receipts(group, of, message.sequence)?))
    }

    fn change_members(
        &self,
        group: GroupId,
        action: u16,
        role: u16,
        members: Vec<UserId>,
    ) -> Result<AskId, Error> {
        if members.is_empty() {
            return Err(Error::usage("nobody is named"));
        }
        check_members(&members, GROUP_MEMBERS_MAX)?;
        self.ask_group(GroupRequest::Change { group, action, role, members })
    }

    fn ask_group(&self, request: GroupRequest) -> Result<AskId, Error> {
        self.ask(Ask::Group(request))
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    if (1..=GROUP_NAME_BYTES_MAX).contains(&name.len()) {
        Ok(())
    } else {
        Err(Error::usage(format!("a group's name has 1 to {GROUP_NAME_BYTES_MAX} bytes")))
    }
}

fn check_members(members: &[UserId], count_max: usize) -> Result<(), Error> {
    if members.len() > count_max {
        return Err(Error::usage(format!("at most {count_max} members at once")));
    }
    if members.contains(&UserId(0)) {
        return Err(Error::usage("nobody has the id 0"));
    }
    Ok(())
}
