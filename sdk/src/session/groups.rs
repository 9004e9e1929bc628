//! What the user wants done with groups, and what comes of them. To ask twice does nothing
//! twice.

use answerback_proto::access::read;
use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::Frame;
use answerback_proto::header::USER_ACTION;
use answerback_proto::id::{DeviceId, GroupId, Position, Sequence, UserId};
use answerback_proto::kind::{
    ChangeMembers, CreateGroup, DescribeGroup, GroupChanged, GroupDeliver, GroupFailed,
    GroupReadElsewhere, GroupReceipt, Kind, RECEIPTS_ON, RenameGroup, SetGroupReceipts,
};

use super::{ClientSession, EntryBody, SessionError};

/// Something to be done with a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRequest {
    /// Make one, with these other members.
    Create {
        /// A number of the user's own for it, random, not 0.
        nonce: u128,
        /// At most 1023, in any order.
        members: Vec<UserId>,
        /// Of 1 to 256 bytes.
        name: String,
    },
    /// Add members, remove them, or give them a role.
    Change {
        /// Which group.
        group: GroupId,
        /// Of [`answerback_proto::kind::action`].
        action: u16,
        /// Of [`answerback_proto::kind::role`].
        role: u16,
        /// At most 1024, in any order.
        members: Vec<UserId>,
    },
    /// Give it another name.
    Rename {
        /// Which group.
        group: GroupId,
        /// Of 1 to 256 bytes.
        name: String,
    },
    /// Have its messages tell who has them, and who has read them; or no longer.
    SetReceipts {
        /// Which group.
        group: GroupId,
        /// Whether they do.
        is_on: bool,
    },
    /// Say who is in it, where there is anything newer.
    Describe {
        /// Which group.
        group: GroupId,
        /// The version of the list of members that this device has, 0 for none.
        version: u32,
    },
}

impl GroupRequest {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Create { .. } => Kind::CreateGroup,
            Self::Change { .. } => Kind::ChangeMembers,
            Self::Rename { .. } => Kind::RenameGroup,
            Self::SetReceipts { .. } => Kind::SetGroupReceipts,
            Self::Describe { .. } => Kind::DescribeGroup,
        }
    }

    /// Which group it is about; none where it is only to be made.
    pub(super) fn group(&self) -> Option<GroupId> {
        match self {
            Self::Create { .. } => None,
            Self::Change { group, .. }
            | Self::Rename { group, .. }
            | Self::SetReceipts { group, .. }
            | Self::Describe { group, .. } => Some(*group),
        }
    }

    pub(super) fn append_to(&self, out: &mut Vec<u8>, address: Address) -> Result<(), Code> {
        let by_user = Address { flags: USER_ACTION, ..address };
        match self {
            Self::Create { nonce, members, name } => {
                let create = CreateGroup { nonce: *nonce, members_count: 0, name_length: 0 };
                create.append(out, by_user, &sorted(members), name.as_bytes())
            }
            Self::Change { action, role, members, .. } => {
                let change = ChangeMembers { action: *action, role: *role, members_count: 0 };
                change.append(out, by_user, &sorted(members))
            }
            Self::Describe { version, .. } => {
                append_frame(out, address, &DescribeGroup { version: *version }, &[], &[]);
                Ok(())
            }
            Self::Rename { name, .. } => RenameGroup::append(out, by_user, name.as_bytes()),
            Self::SetReceipts { is_on, .. } => {
                let on = u16::from(*is_on);
                append_frame(out, by_user, &SetGroupReceipts { on }, &[], &[]);
                Ok(())
            }
        }
    }
}

fn sorted(users: &[UserId]) -> Vec<UserId> {
    let mut users = users.to_vec();
    users.sort_unstable();
    users.dedup();
    users
}

impl ClientSession {
    pub(super) fn handle_group_deliver(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let deliver: GroupDeliver = read(frame.envelope)?;
        let body = EntryBody::GroupMessage {
            sender: UserId(deliver.sender),
            device: DeviceId(deliver.device),
            sequence: Sequence(deliver.sequence),
            accepted_at_ms: deliver.accepted_at_ms,
            version: deliver.version,
            content_type: deliver.content_type,
            payload: frame.payload.to_vec(),
        };
        self.handle_entry(deliver.position, deliver.after, frame.header, body);
        Ok(())
    }

    pub(super) fn handle_group_changed(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let (changed, members, name) = GroupChanged::read(frame.envelope)?;
        let body = EntryBody::GroupChanged {
            actor: UserId(changed.actor),
            at_ms: changed.at_ms,
            version: changed.version,
            change: changed.change,
            members: members.iter().collect(),
            name: String::from_utf8_lossy(name).into_owned(),
            has_receipts: changed.flags & RECEIPTS_ON != 0,
        };
        self.handle_entry(changed.position, changed.after, frame.header, body);
        Ok(())
    }

    pub(super) fn handle_group_failed(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let (failed, members) = GroupFailed::read(frame.envelope)?;
        let body = EntryBody::GroupFailed {
            device: DeviceId(failed.device),
            sequence: Sequence(failed.sequence),
            members: members.iter().collect(),
        };
        self.handle_entry(failed.position, failed.after, frame.header, body);
        Ok(())
    }

    pub(super) fn handle_group_receipt(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let (receipt, delivered, read) = GroupReceipt::read(frame.envelope)?;
        let body = EntryBody::GroupReceipt {
            device: DeviceId(receipt.device),
            sequence: Sequence(receipt.sequence),
            version: receipt.version,
            delivered: delivered.to_vec(),
            read: read.to_vec(),
        };
        self.handle_entry(receipt.position, receipt.after, frame.header, body);
        Ok(())
    }

    pub(super) fn handle_group_read_elsewhere(
        &mut self,
        frame: Frame<'_>,
    ) -> Result<(), SessionError> {
        let elsewhere: GroupReadElsewhere = read(frame.envelope)?;
        let body = EntryBody::GroupReadElsewhere {
            up_to: Position(elsewhere.up_to),
            read_at_ms: elsewhere.read_at_ms,
        };
        self.handle_entry(elsewhere.position, elsewhere.after, frame.header, body);
        Ok(())
    }
}
