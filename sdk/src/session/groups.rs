//! What the user wants done with groups: asked until it is answered, on any number of
//! connections. To ask twice does nothing twice.

use std::collections::VecDeque;

use answerback_proto::access::read;
use answerback_proto::code::{Class, Code};
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::Frame;
use answerback_proto::header::USER_ACTION;
use answerback_proto::id::{DeviceId, GroupId, Sequence, UserId};
use answerback_proto::kind::{
    ChangeMembers, CreateGroup, Declined, DescribeGroup, Done, GroupChanged, GroupCreated,
    GroupDeliver, GroupDescribed, GroupFailed, RenameGroup,
};

use super::chat::Request;
use super::{ClientSession, EntryBody, Event, SessionError};

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
    /// Say who is in it: [`Event::GroupDescribed`] comes before the answer, where there is
    /// anything newer.
    Describe {
        /// Which group.
        group: GroupId,
        /// The version of the list of members that this device has, 0 for none.
        version: u32,
    },
}

/// What is asked, and how far it is.
#[derive(Debug)]
struct Asked {
    ticket: u64,
    request: GroupRequest,
    /// The request under way, 0 for none.
    tag: u32,
    /// Not before this time.
    held_until_ms: u64,
}

/// All that is asked and not answered.
#[derive(Debug, Default)]
pub(super) struct GroupRequests {
    asked: VecDeque<Asked>,
}

impl GroupRequests {
    pub(super) fn forget_connection(&mut self) {
        for asked in &mut self.asked {
            (asked.tag, asked.held_until_ms) = (0, 0);
        }
    }

    /// When something is to be asked again.
    pub(super) fn held_until_ms(&self) -> Option<u64> {
        let waiting = self.asked.iter().filter(|asked| asked.tag == 0 && asked.held_until_ms > 0);
        waiting.map(|asked| asked.held_until_ms).min()
    }
}

impl GroupRequest {
    fn append_to(&self, out: &mut Vec<u8>, tag: u32, user: UserId) -> Result<(), Code> {
        let of = |target: u128| Address { flags: USER_ACTION, tag, target };
        match self {
            Self::Create { nonce, members, name } => {
                let create = CreateGroup { nonce: *nonce, members_count: 0, name_length: 0 };
                create.append(out, of(user.0), &sorted(members), name.as_bytes())
            }
            Self::Change { group, action, role, members } => {
                let change = ChangeMembers { action: *action, role: *role, members_count: 0 };
                change.append(out, of(group.0), &sorted(members))
            }
            Self::Describe { group, version } => {
                let address = Address { flags: 0, tag, target: group.0 };
                append_frame(out, address, &DescribeGroup { version: *version }, &[], &[]);
                Ok(())
            }
            Self::Rename { group, name } => RenameGroup::append(out, of(group.0), name.as_bytes()),
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
    /// Asks for something to be done with a group, until [`Event::GroupAnswered`] with this
    /// ticket. It is not stored: after a restart the app asks again.
    pub fn ask_group(&mut self, ticket: u64, request: GroupRequest) {
        self.groups.asked.push_back(Asked { ticket, request, tag: 0, held_until_ms: 0 });
    }

    /// Writes what is to be asked.
    pub(super) fn transmit_groups(&mut self, takes_groups: bool, out: &mut Vec<u8>) {
        let (now_ms, user) = (self.now_ms, self.user);
        let mut left = VecDeque::new();
        for mut asked in std::mem::take(&mut self.groups.asked) {
            if asked.tag == 0 && asked.held_until_ms <= now_ms {
                let tag = self.new_tag(Request::Group { ticket: asked.ticket });
                let written = match takes_groups {
                    true => asked.request.append_to(out, tag, user),
                    false => Err(Code::UnknownKind),
                };
                if let Err(code) = written {
                    self.requests.remove(&tag);
                    let (ticket, answer) = (asked.ticket, Err(code.number()));
                    self.events.push_back(Event::GroupAnswered { ticket, answer });
                    continue;
                }
                asked.tag = tag;
            }
            left.push_back(asked);
        }
        self.groups.asked = left;
    }

    pub(super) fn handle_group_done(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        read::<Done>(frame.envelope)?;
        let ticket = self.take_group_request(frame)?;
        self.answer_group(ticket, Ok(None));
        Ok(())
    }

    pub(super) fn handle_group_created(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let created: GroupCreated = read(frame.envelope)?;
        let ticket = self.take_group_request(frame)?;
        self.answer_group(ticket, Ok(Some(GroupId(created.group))));
        Ok(())
    }

    pub(super) fn handle_group_described(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let (described, members, name) = GroupDescribed::read(frame.envelope)?;
        let ticket = self.take_group_request(frame)?;
        self.events.push_back(Event::GroupDescribed {
            group: GroupId(frame.header.target),
            version: described.version,
            members: members.iter().collect(),
            name: String::from_utf8_lossy(name).into_owned(),
        });
        self.answer_group(ticket, Ok(None));
        Ok(())
    }

    pub(super) fn handle_group_declined(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Declined { retry_after_ms, code } = read(frame.envelope)?;
        let ticket = self.take_group_request(frame)?;
        let is_for_later = matches!(Class::of(code), Some(Class::RetrySame | Class::RetryAfter));
        if !is_for_later {
            self.answer_group(ticket, Err(code));
            return Ok(());
        }
        let again_ms = self.retry_at_ms(retry_after_ms);
        let mut asked = self.groups.asked.iter_mut();
        if let Some(asked) = asked.find(|asked| asked.ticket == ticket) {
            (asked.tag, asked.held_until_ms) = (0, again_ms);
        }
        Ok(())
    }

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

    /// Whether a request is about a group.
    pub(super) fn asks_of_group(&self, tag: u32) -> bool {
        matches!(self.requests.get(&tag), Some(Request::Group { .. }))
    }

    fn take_group_request(&mut self, frame: Frame<'_>) -> Result<u64, SessionError> {
        let is_right = |request| matches!(request, Request::Group { .. });
        match self.take_request(frame.header, is_right)? {
            Request::Group { ticket } => Ok(ticket),
            _ => Err(SessionError::AnswerMismatch(frame.header.tag)),
        }
    }

    fn answer_group(&mut self, ticket: u64, answer: Result<Option<GroupId>, u16>) {
        self.groups.asked.retain(|asked| asked.ticket != ticket);
        self.events.push_back(Event::GroupAnswered { ticket, answer });
    }
}
