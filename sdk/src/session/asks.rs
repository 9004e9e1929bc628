//! Requests about the user's own things and groups: asked on every connection until they are
//! answered.
//!
//! They mean the same however often they come, so whatever was under way when a connection ended
//! goes again on the next. One is forgotten once it is answered, or when the app ends.

use std::collections::{BTreeMap, BTreeSet};

use answerback_proto::access::read;
use answerback_proto::code::{Class, Code};
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::Frame;
use answerback_proto::header::USER_ACTION;
use answerback_proto::id::{DeviceId, GroupId, Sequence, UserId};
use answerback_proto::kind::{
    Chats, Contacts, Declined, Devices, Done, GroupCreated, GroupDescribed, Kind, ListChats,
    ListContacts, ListDevices, ListedChat, ListedDevice, NameDevice, Report, RevokeDevice, SetChat,
    SetContacts, SetVisibility, SetWriters,
};

use super::chat::Request;
use super::contacts::{ContactList, ContactsChange, Writers};
use super::presence::Visibility;
use super::{ClientSession, Event, GroupRequest, SessionError};
use crate::storage::ChatChange;

/// Requests that may be under way at once.
const UNDER_WAY_MAX: usize = 16;

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
        /// The members, each with his role.
        members: Vec<(UserId, u16)>,
        /// The group's name.
        name: String,
    },
}

#[derive(Debug)]
struct Pending {
    ask: Ask,
    is_under_way: bool,
    /// Not before this time.
    held_until_ms: Option<u64>,
    /// Of a list: what came so far, and what the next page lies behind.
    found: Found,
}

#[derive(Debug, Default)]
struct Found {
    devices: Vec<ListedDevice>,
    chats: Vec<ListedChat>,
    contacts: Vec<UserId>,
    behind: u128,
}

/// The requests without an answer, in the order in which the app made them.
#[derive(Debug, Default)]
pub(super) struct Asks {
    pending: BTreeMap<AskId, Pending>,
    last: u64,
    /// The kinds that the server takes.
    taken: BTreeSet<u16>,
}

impl Ask {
    fn kind(&self) -> Kind {
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
        }
    }

    /// Whom it is about.
    fn target(&self, own: UserId) -> u128 {
        match self {
            Self::Report { user, .. } => user.0,
            Self::Group(request) => request.group().map_or(own.0, |group| group.0),
            _ => own.0,
        }
    }

    /// What it is about: of several about the same the next waits for the answer to the one
    /// before, or a refusal would turn their order round.
    fn subject(&self) -> (Kind, u128) {
        let about = match self {
            Self::NameDevice { device, .. } | Self::RevokeDevice { device } => device.0,
            Self::SetChat(change) => change.peer.0,
            Self::Group(request) => request.group().map_or(0, |group| group.0),
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
    fn append_to(&self, out: &mut Vec<u8>, address: Address, behind: u128) -> Result<(), Code> {
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
        }
    }
}

impl Asks {
    /// When one that was put off is to go again.
    pub(super) fn held_until_ms(&self) -> Option<u64> {
        self.pending.values().filter_map(|pending| pending.held_until_ms).min()
    }

    pub(super) fn handle_timeout(&mut self, now_ms: u64) {
        for pending in self.pending.values_mut() {
            pending.held_until_ms.take_if(|until_ms| *until_ms <= now_ms);
        }
    }

    /// What the server takes, as its `Welcome` says.
    pub(super) fn handle_welcome(&mut self, kinds: impl Iterator<Item = u16>) {
        self.taken = kinds.filter(|number| Kind::from_number(*number).is_some()).collect();
    }

    pub(super) fn forget_connection(&mut self) {
        for pending in self.pending.values_mut() {
            pending.is_under_way = false;
            pending.held_until_ms = None;
            pending.found = Found::default();
        }
    }

    fn is_about(&self, id: AskId, own: UserId, target: u128) -> bool {
        self.pending.get(&id).is_none_or(|pending| pending.ask.target(own) == target)
    }

    fn next_due(&self) -> Option<AskId> {
        let under_way = self.pending.values().filter(|pending| pending.is_under_way).count();
        let is_due = |pending: &Pending| !pending.is_under_way && pending.held_until_ms.is_none();
        let mut before = BTreeSet::new();
        let mut due = self.pending.iter().filter(|(_, pending)| {
            let (kind, about) = pending.ask.subject();
            before.insert((kind.number(), about)) && is_due(pending)
        });
        due.next().map(|(id, _)| *id).filter(|_| under_way < UNDER_WAY_MAX)
    }
}

impl ClientSession {
    /// Asks for something, now or when there is a connection;
    /// [`Event::Answered`] says what became of it.
    pub fn ask_for(&mut self, ask: Ask) -> AskId {
        self.asks.last += 1;
        let id = AskId(self.asks.last);
        let (is_under_way, held_until_ms, found) = (false, None, Found::default());
        self.asks.pending.insert(id, Pending { ask, is_under_way, held_until_ms, found });
        id
    }

    pub(super) fn transmit_asks(&mut self, out: &mut Vec<u8>) {
        while let Some(id) = self.asks.next_due() {
            let tag = self.new_tag(Request::Ask(id));
            let Some(pending) = self.asks.pending.get_mut(&id) else { return };
            let behind = pending.found.behind;
            let address = Address { flags: 0, tag, target: pending.ask.target(self.user) };
            let appended = match self.asks.taken.contains(&pending.ask.kind().number()) {
                true => pending.ask.append_to(out, address, behind),
                false => Err(Code::UnknownKind),
            };
            pending.is_under_way = true;
            if let Err(code) = appended {
                self.requests.remove(&tag);
                self.answer_ask(id, Outcome::Declined { code: code.number() });
            }
        }
    }

    pub(super) fn handle_done(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Done { at_ms } = read(frame.envelope)?;
        let id = self.take_ask(frame)?;
        self.answer_ask(id, Outcome::Done { at_ms });
        Ok(())
    }

    pub(super) fn handle_declined(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Declined { retry_after_ms, code } = read(frame.envelope)?;
        let id = self.take_ask(frame)?;
        match Class::of(code) {
            Some(Class::RetrySame | Class::RetryAfter) => {
                let retry_at_ms = self.retry_at_ms(retry_after_ms);
                if let Some(pending) = self.asks.pending.get_mut(&id) {
                    pending.held_until_ms = Some(retry_at_ms);
                    pending.is_under_way = false;
                }
            }
            _ => self.answer_ask(id, Outcome::Declined { code }),
        }
        Ok(())
    }

    pub(super) fn handle_devices(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let (page, listed) = Devices::read(frame.envelope)?;
        let id = self.take_ask(frame)?;
        let Some(pending) = self.asks.pending.get_mut(&id) else { return Ok(()) };
        let goes_on = listed.first().is_none_or(|first| first.device.0 > pending.found.behind);
        if pending.ask != Ask::Devices || !goes_on || page.has_more == 1 && listed.is_empty() {
            return Err(SessionError::OutOfPlace(Kind::Devices));
        }
        pending.found.behind = listed.last().map_or(0, |last| last.device.0);
        pending.found.devices.extend(listed);
        pending.is_under_way = false;
        if page.has_more == 0 {
            let found = std::mem::take(&mut pending.found.devices);
            self.answer_ask(id, Outcome::Devices(found));
        }
        Ok(())
    }

    pub(super) fn handle_chats(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let (page, listed) = Chats::read(frame.envelope)?;
        let id = self.take_ask(frame)?;
        let Some(pending) = self.asks.pending.get_mut(&id) else { return Ok(()) };
        let behind = pending.found.behind;
        let goes_on = listed.first().is_none_or(|first| first.peer.0 > behind)
            && (page.next_behind == 0 || page.next_behind > behind);
        if pending.ask != Ask::Chats || !goes_on {
            return Err(SessionError::OutOfPlace(Kind::Chats));
        }
        pending.found.behind = page.next_behind;
        pending.found.chats.extend(listed);
        pending.is_under_way = false;
        if page.next_behind == 0 {
            let found = std::mem::take(&mut pending.found.chats);
            self.answer_ask(id, Outcome::Chats(found));
        }
        Ok(())
    }

    pub(super) fn handle_contacts(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let (page, users) = Contacts::read(frame.envelope)?;
        let id = self.take_ask(frame)?;
        let Some(pending) = self.asks.pending.get_mut(&id) else { return Ok(()) };
        let behind = pending.found.behind;
        let goes_on = users.iter().next().is_none_or(|first| first.0 > behind)
            && (page.next_behind == 0 || page.next_behind > behind);
        if pending.ask != Ask::Contacts || !goes_on {
            return Err(SessionError::OutOfPlace(Kind::Contacts));
        }
        pending.found.behind = page.next_behind;
        pending.found.contacts.extend(users.iter());
        pending.is_under_way = false;
        if page.next_behind == 0 {
            let users = std::mem::take(&mut pending.found.contacts);
            self.answer_ask(id, Outcome::Contacts(ContactList::new(page, users)));
        }
        Ok(())
    }

    pub(super) fn handle_group_created(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let created: GroupCreated = read(frame.envelope)?;
        let id = self.take_ask(frame)?;
        self.answer_ask(id, Outcome::GroupCreated { group: GroupId(created.group) });
        Ok(())
    }

    pub(super) fn handle_group_described(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let (described, members, name) = GroupDescribed::read(frame.envelope)?;
        let id = self.take_ask(frame)?;
        let outcome = Outcome::GroupDescribed {
            group: GroupId(frame.header.target),
            version: described.version,
            members: members.iter().collect(),
            name: String::from_utf8_lossy(name).into_owned(),
        };
        self.answer_ask(id, outcome);
        Ok(())
    }

    pub(super) fn answer_ask(&mut self, ask: AskId, outcome: Outcome) {
        if self.asks.pending.remove(&ask).is_some() {
            self.events.push_back(Event::Answered { ask, outcome });
        }
    }

    fn take_ask(&mut self, frame: Frame<'_>) -> Result<AskId, SessionError> {
        let is_ask = |request| matches!(request, Request::Ask(_));
        match self.take_request(frame.header, is_ask)? {
            Request::Ask(id) if self.asks.is_about(id, self.user, frame.header.target) => Ok(id),
            _ => Err(SessionError::AnswerMismatch(frame.header.tag)),
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
