//! Whom the user watches.
//!
//! A list belongs to a connection, so it goes again on each; only while somebody may be looking
//! does the server have one. What was asked once, a look, is dropped where there is no session.

use answerback_proto::access::read;
use answerback_proto::code::Class;
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::header::{HEADER_BYTES, USER_ACTION};
use answerback_proto::id::UserId;
use answerback_proto::kind::{Declined, Done, Envelope, Kind, Presence, Watch};
use answerback_proto::limits::WATCHED_MAX;

use super::chat::Request;
use super::{ClientSession, Event, Limits, Mode, SessionError};

/// Looks that wait to be sent; further ones are dropped.
const LOOKS_MAX: usize = WATCHED_MAX;

/// Who may see when a user was there. Whom the user does not show himself to, he does not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// Everybody may.
    #[default]
    Everybody,
    /// Those whom the user has among his contacts.
    Contacts,
    /// Nobody may, and the user sees nobody.
    Nobody,
}

impl Visibility {
    /// By its number, which was checked.
    pub(super) fn of(number: u16) -> Self {
        match number {
            0 => Self::Everybody,
            1 => Self::Contacts,
            _ => Self::Nobody,
        }
    }

    pub(super) fn number(self) -> u16 {
        match self {
            Self::Everybody => 0,
            Self::Contacts => 1,
            Self::Nobody => 2,
        }
    }
}

/// What is to be said of it on this connection.
#[derive(Debug, Default)]
pub(super) struct Watching {
    users: Vec<UserId>,
    /// What the server has, as far as it was told on this connection.
    told: Vec<UserId>,
    /// It was declined on this connection, for good.
    is_declined: bool,
    /// A person changed the list, and no frame has said so.
    is_by_person: bool,
    looks: Vec<UserId>,
    held_until_ms: Option<u64>,
}

impl Watching {
    pub(super) fn forget_connection(&mut self) {
        self.told.clear();
        self.looks.clear();
        self.is_declined = false;
        self.held_until_ms = None;
    }

    pub(super) fn held_until_ms(&self) -> Option<u64> {
        self.held_until_ms
    }

    pub(super) fn handle_timeout(&mut self, now_ms: u64) {
        self.held_until_ms = self.held_until_ms.filter(|until_ms| *until_ms > now_ms);
    }
}

impl ClientSession {
    /// The user wants to see when these users are there, in place of the earlier ones; the first
    /// 256 of them, or as many as the server takes in a frame. Goes again on each connection, and ends while nobody may be looking.
    pub fn watch(&mut self, users: Vec<UserId>) {
        let watching = &mut self.watching;
        watching.users = users;
        watching.users.retain(|user| *user != UserId(0));
        watching.users.truncate(WATCHED_MAX);
        watching.is_declined = false;
        watching.is_by_person = true;
    }

    /// The user wants to see once when another was there. [`Event::Presence`] tells, or nothing
    /// does: ask again after a while.
    pub fn look(&mut self, user: UserId) {
        if self.is_open() && user != UserId(0) && self.watching.looks.len() < LOOKS_MAX {
            self.watching.looks.push(user);
        }
    }

    pub(super) fn transmit_watches(&mut self, limits: Limits, out: &mut Vec<u8>) {
        let is_held = self.watching.held_until_ms.is_some();
        if limits.takes_watches && !is_held && self.told_mode == Mode::Active {
            let fixed = HEADER_BYTES + Watch::BYTES;
            let users_max = limits.frame_bytes_max.saturating_sub(fixed) / size_of::<u128>();
            self.transmit_list(users_max, out);
            self.transmit_looks(users_max, out);
        }
    }

    /// While nobody may be looking the server is to have none.
    fn transmit_list(&mut self, users_max: usize, out: &mut Vec<u8>) {
        let users: Vec<_> = match self.mode {
            Mode::Active => self.watching.users.iter().take(users_max).copied().collect(),
            Mode::Background | Mode::Fetch => Vec::new(),
        };
        if users == self.watching.told || self.watching.is_declined {
            return;
        }
        let is_by_person = std::mem::take(&mut self.watching.is_by_person);
        let address = self.own_request(Request::Watch, is_by_person);
        let appended = Watch { once: 0, users_count: 0 }.append(out, address, &users);
        debug_assert_eq!(appended, Ok(()));
        self.watching.told = users;
    }

    fn transmit_looks(&mut self, users_max: usize, out: &mut Vec<u8>) {
        for users in std::mem::take(&mut self.watching.looks).chunks(users_max.max(1)) {
            let address = self.own_request(Request::Look, true);
            let appended = Watch { once: 1, users_count: 0 }.append(out, address, users);
            debug_assert_eq!(appended, Ok(()));
        }
    }

    fn own_request(&mut self, request: Request, is_by_person: bool) -> Address {
        let flags = if is_by_person { USER_ACTION } else { 0 };
        Address { flags, tag: self.new_tag(request), target: self.user.0 }
    }

    /// Whether a request of this tag is one.
    pub(super) fn is_watch(&self, tag: u32) -> bool {
        self.requests.get(&tag).is_some_and(|request| is_watch(*request))
    }

    pub(super) fn handle_watch_answer(
        &mut self,
        kind: Kind,
        frame: Frame<'_>,
    ) -> Result<(), SessionError> {
        let declined = match kind {
            Kind::Declined => Some(read::<Declined>(frame.envelope)?),
            _ => read::<Done>(frame.envelope).map(|_| None)?,
        };
        let request = self.take_request(frame.header, is_watch)?;
        if UserId(frame.header.target) != self.user {
            return Err(SessionError::AnswerMismatch(frame.header.tag));
        }
        if let Some(Declined { retry_after_ms, code }) = declined {
            self.handle_watch_declined(request, code, retry_after_ms);
        }
        Ok(())
    }

    /// A look that is declined is not repeated: the person looks again.
    fn handle_watch_declined(&mut self, request: Request, code: u16, retry_after_ms: u32) {
        let is_for_now = matches!(Class::of(code), Some(Class::RetrySame | Class::RetryAfter));
        if is_for_now {
            self.watching.held_until_ms = Some(self.retry_at_ms(retry_after_ms));
        } else {
            self.events.push_back(Event::WatchRefused { code });
        }
        if request == Request::Watch {
            self.watching.told.clear();
            self.watching.is_declined = !is_for_now;
        }
    }

    pub(super) fn handle_presence(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Presence { last_action_ms, online_for_ms } = read(frame.envelope)?;
        let peer = UserId(frame.header.target);
        self.events.push_back(Event::Presence { peer, last_action_ms, online_for_ms });
        Ok(())
    }
}

fn is_watch(request: Request) -> bool {
    matches!(request, Request::Watch | Request::Look)
}
