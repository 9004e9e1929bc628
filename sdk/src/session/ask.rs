//! What an app may ask, and what comes of it.

use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::header::USER_ACTION;
use answerback_proto::id::{DeviceId, GroupId, Position, Sequence, UserId};
use answerback_proto::kind::{
    Kind, ListChats, ListContacts, ListDevices, ListedChat, ListedDevice, NameDevice, ReadGroup,
    Report, RevokeDevice, SetChat, SetContacts, SetVisibility, SetWriters,
};

use super::GroupRequest;
use super::contacts::{ContactList, ContactsChange, Writers};
use super::presence::Visibility;
use crate::storage::ChatChange;

/// What an app may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The user's devices.
    Devices,
    /// A device has another name; an empty one for none.
    NameDevice {
        /// Which.
        device: DeviceId,
        /// At most 64 bytes, without control characters.
        name: String,
    },
    /// A device is the user's no more, for good.
    RevokeDevice {
        /// Which; also this one.
        device: DeviceId,
    },
    /// A chat is to be treated otherwise.
    SetChat(ChatChange),
    /// The chats that are treated otherwise than at first.
    Chats,
    /// The operator is told of another user. Where no answer came it is told again.
    Report {
        /// Whom.
        user: UserId,
        /// Of a message of that user: the device that had sent it, and its number.
        message: Option<(DeviceId, Sequence)>,
        /// Why, see the registry of the protocol.
        reason: u16,
        /// What the user chose to show of it, at most 4096 bytes.
        excerpt: Vec<u8>,
    },
    /// The user has these among his contacts, or no longer: at most 2048 at once, and 4096 in all.
    SetContacts {
        /// What becomes of them.
        change: ContactsChange,
        /// Whom.
        users: Vec<UserId>,
    },
    /// The user's contacts, and what is theirs alone.
    Contacts,
    /// Who may write to the user first. Of others a message fails (`ContactsOnly`).
    SetWriters(Writers),
    /// Who may see when the user was there; whom he does not show himself to, he does not see.
    SetVisibility(Visibility),
    /// Something is to be done with a group.
    Group(GroupRequest),
    /// The user has read a group. Of several that wait only the last is asked.
    ReadGroup {
        /// Which.
        group: GroupId,
        /// All of it up to this position of the user's inbox.
        up_to: Position,
    },
}

/// Which request an answer answers: its number in this run of the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and durable.
    Done {
        /// When it took effect, by the server's clock.
        at_ms: u64,
    },
    /// It is not done, and asking again does not help.
    Declined {
        /// Why.
        code: u16,
    },
    /// The user's devices that are not revoked, by id.
    Devices(Vec<ListedDevice>),
    /// The chats that are treated otherwise than at first, by the other end.
    Chats(Vec<ListedChat>),
    /// The user's contacts, and what is theirs alone.
    Contacts(ContactList),
    /// The group is there.
    GroupCreated {
        /// Its id.
        group: GroupId,
    },
    /// Who is in a group.
    GroupDescribed {
        /// Which.
        group: GroupId,
        /// Of the list of members.
        version: u32,
        /// The members, each with the number of his role and slot.
        members: Vec<(UserId, u16)>,
        /// The group's name.
        name: String,
        /// Whether messages to it have receipts.
        has_receipts: bool,
    },
}

impl Ask {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Devices => Kind::ListDevices,
            Self::NameDevice { .. } => Kind::NameDevice,
            Self::RevokeDevice { .. } => Kind::RevokeDevice,
            Self::SetChat(_) => Kind::SetChat,
            Self::Chats => Kind::ListChats,
            Self::Report { .. } => Kind::Report,
            Self::SetContacts { .. } => Kind::SetContacts,
            Self::Contacts => Kind::ListContacts,
            Self::SetWriters(_) => Kind::SetWriters,
            Self::SetVisibility(_) => Kind::SetVisibility,
            Self::Group(request) => request.kind(),
            Self::ReadGroup { .. } => Kind::ReadGroup,
        }
    }

    /// Whom it is about.
    pub(super) fn target(&self, own: UserId) -> u128 {
        match self {
            Self::Report { user, .. } => user.0,
            Self::Group(request) => request.group().map_or(own.0, |group| group.0),
            _ => own.0,
        }
    }

    /// What it is about: of several about the same the next waits for the answer to the one
    /// before, or a refusal would turn their order round.
    pub(super) fn subject(&self) -> (Kind, u128) {
        let about = match self {
            Self::NameDevice { device, .. } | Self::RevokeDevice { device } => device.0,
            Self::SetChat(change) => change.peer.0,
            Self::Group(request) => request.group().map_or(0, |group| group.0),
            Self::ReadGroup { group, .. } => group.0,
            Self::Devices
            | Self::Chats
            | Self::Report { .. }
            | Self::SetContacts { .. }
            | Self::Contacts
            | Self::SetWriters(_)
            | Self::SetVisibility(_) => 0,
        };
        (self.kind(), about)
    }

    /// Appends the frame; `behind` is the last id that a list has already.
    pub(super) fn append_to(
        &self,
        out: &mut Vec<u8>,
        address: Address,
        behind: u128,
    ) -> Result<(), Code> {
        let by_user = Address { flags: USER_ACTION, ..address };
        match self {
            Self::Devices => append_checked(out, by_user, &ListDevices { behind }),
            Self::Chats => append_checked(out, address, &ListChats { behind }),
            Self::SetChat(change) => {
                let (peer, changes, flags) = (change.peer.0, change.changes, change.flags());
                let muted_until_ms = change.muted_until_ms();
                append_checked(out, by_user, &SetChat { peer, changes, flags, muted_until_ms })
            }
            Self::NameDevice { device, name } => {
                let named = NameDevice { device: device.0, name_length: 0 };
                named.append(out, by_user, name)
            }
            Self::RevokeDevice { device } => {
                append_checked(out, by_user, &RevokeDevice { device: device.0 })
            }
            Self::Report { message, reason, excerpt, .. } => {
                let (device, sequence) = message.unwrap_or((DeviceId(0), Sequence(0)));
                let (device, sequence, reason) = (device.0, sequence.0, *reason);
                let report = Report { device, sequence, reason, excerpt_length: 0 };
                report.append(out, by_user, excerpt)
            }
            Self::SetContacts { change, users } => {
                let mut users = users.clone();
                users.sort_unstable();
                users.dedup();
                let mode = change.mode();
                SetContacts { mode, users_count: 0 }.append(out, by_user, &users)
            }
            Self::Contacts => append_checked(out, address, &ListContacts { behind }),
            Self::SetWriters(writers) => {
                append_checked(out, by_user, &SetWriters { who: writers.who() })
            }
            Self::SetVisibility(visibility) => {
                append_checked(out, by_user, &SetVisibility { visibility: visibility.number() })
            }
            Self::Group(request) => request.append_to(out, address),
            Self::ReadGroup { group, up_to } => {
                append_checked(out, by_user, &ReadGroup { group: group.0, up_to: up_to.0 })
            }
        }
    }
}

fn append_checked<E: answerback_proto::kind::Envelope>(
    out: &mut Vec<u8>,
    address: Address,
    envelope: &E,
) -> Result<(), Code> {
    envelope.check()?;
    append_frame(out, address, envelope, &[], &[]);
    Ok(())
}
