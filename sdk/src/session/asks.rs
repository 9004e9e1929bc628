//! Requests about the user's own things and groups: asked on every connection until they are
//! answered.
//!
//! They mean the same however often they come, so whatever was under way when a connection ended
//! goes again on the next. One is forgotten once it is answered, or when the app ends.

use std::collections::{BTreeMap, BTreeSet};

use answerback_proto::access::read;
use answerback_proto::code::{Class, Code};
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::{GroupId, UserId};
use answerback_proto::kind::{
    Chats, Contacts, Declined, Devices, Done, GroupCreated, GroupDescribed, Kind, ListedChat,
    ListedDevice, RECEIPTS_ON,
};

use super::ask::{Ask, AskId, Outcome};
use super::chat::Request;
use super::contacts::ContactList;
use super::{ClientSession, Event, SessionError};

/// Requests that may be under way at once.
const UNDER_WAY_MAX: usize = 16;

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

    /// Takes a later read of a group in the place of one that waits.
    fn replace_read(&mut self, ask: &Ask) -> Option<AskId> {
        let Ask::ReadGroup { group, up_to } = *ask else { return None };
        self.pending.iter_mut().find_map(|(id, pending)| match &mut pending.ask {
            Ask::ReadGroup { group: of, up_to: waiting }
                if *of == group && !pending.is_under_way =>
            {
                *waiting = up_to.max(*waiting);
                Some(*id)
            }
            _ => None,
        })
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
        if let Some(waiting) = self.asks.replace_read(&ask) {
            return waiting;
        }
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
            has_receipts: described.flags & RECEIPTS_ON != 0,
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
