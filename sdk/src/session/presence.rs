//! Whom the user watches, and who may see when the user was there.
//!
//! A list belongs to a connection, so it goes again on each; only while somebody may be looking
//! does the server have one. What was asked once, a look, is dropped where there is no session.

use answerback_proto::access::read;
use answerback_proto::code::Class;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::Frame;
use answerback_proto::header::USER_ACTION;
use answerback_proto::id::UserId;
use answerback_proto::kind::{Declined, Done, Presence, SetVisibility, Watch};
use answerback_proto::limits::WATCHED_MAX;

use super::chat::Request;
use super::{ClientSession, Event, Limits, Mode, SessionError};

/// A refusal without a time of its own is tried again after this one.
const RETRY_MS_MIN: u32 = 100;
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
    fn number(self) -> u16 {
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
    /// A person changed the list, or who may see, and no frame has said so.
    is_by_person: bool,
    looks: Vec<UserId>,
    visibility: Option<Visibility>,
    /// It is under way.
    is_visibility_asked: bool,
    held_until_ms: Option<u64>,
}

impl Watching {
    pub(super) fn forget_connection(&mut self) {
        self.told.clear();
        self.looks.clear();
        self.is_declined = false;
        self.is_visibility_asked = false;
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
    /// 256 of them. Goes again on each connection, and ends while nobody may be looking.
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

    /// Who may see when the user was there: said until the server has noted it.
    pub fn set_visibility(&mut self, visibility: Visibility) {
        self.watching.visibility = Some(visibility);
        self.watching.is_visibility_asked = false;
        self.watching.is_by_person = true;
    }

    pub(super) fn transmit_presence(&mut self, limits: Limits, out: &mut Vec<u8>) {
        if !limits.takes_watches || self.watching.held_until_ms.is_some() {
            return;
        }
        if let Some(visibility) = self.watching.visibility.filter(|_| !self.watching.is_visibility_asked)
        {
            self.watching.is_visibility_asked = true;
            let visibility_number = SetVisibility { visibility: visibility.number() };
            let is_by_person = std::mem::take(&mut self.watching.is_by_person);
            let address = self.own_request(Request::SetVisibility(visibility), is_by_person);
            append_frame(out, address, &visibility_number, &[], &[]);
        }
        if self.told_mode == Mode::Active {
            self.transmit_list(out);
            self.transmit_looks(out);
        }
    }

    /// While nobody may be looking the server is to have none.
    fn transmit_list(&mut self, out: &mut Vec<u8>) {
        let users = match self.mode {
            Mode::Active => self.watching.users.clone(),
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

    fn transmit_looks(&mut self, out: &mut Vec<u8>) {
        let users = std::mem::take(&mut self.watching.looks);
        if users.is_empty() {
            return;
        }
        let address = self.own_request(Request::Look, true);
        let appended = Watch { once: 1, users_count: 0 }.append(out, address, &users);
        debug_assert_eq!(appended, Ok(()));
    }

    fn own_request(&mut self, request: Request, is_by_person: bool) -> Address {
        let flags = if is_by_person { USER_ACTION } else { 0 };
        Address { flags, tag: self.new_tag(request), target: self.user.0 }
    }

    pub(super) fn handle_done(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        read::<Done>(frame.envelope)?;
        if let Request::SetVisibility(visibility) =
            self.take_request(frame.header, is_of_own_things)?
            && self.watching.visibility == Some(visibility)
        {
            self.watching.visibility = None;
            self.events.push_back(Event::VisibilitySet { visibility });
        }
        Ok(())
    }

    pub(super) fn handle_declined(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Declined { retry_after_ms, code } = read(frame.envelope)?;
        let request = self.take_request(frame.header, is_of_own_things)?;
        let is_for_now = matches!(Class::of(code), Some(Class::RetrySame | Class::RetryAfter));
        if is_for_now {
            let until_ms = self.now_ms + u64::from(retry_after_ms.max(RETRY_MS_MIN));
            self.watching.held_until_ms = Some(until_ms);
        }
        match request {
            Request::SetVisibility(_) if is_for_now => self.watching.is_visibility_asked = false,
            Request::SetVisibility(visibility) => {
                self.watching.visibility.take_if(|wanted| *wanted == visibility);
                self.events.push_back(Event::VisibilityRefused { visibility, code });
            }
            Request::Watch => {
                self.watching.told.clear();
                self.watching.is_declined = !is_for_now;
                if !is_for_now {
                    self.events.push_back(Event::WatchRefused { code });
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn handle_presence(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Presence { last_action_ms, online_for_ms } = read(frame.envelope)?;
        let peer = UserId(frame.header.target);
        self.events.push_back(Event::Presence { peer, last_action_ms, online_for_ms });
        Ok(())
    }
}

/// What is answered by `Done` or `Declined`.
fn is_of_own_things(request: Request) -> bool {
    matches!(request, Request::Watch | Request::Look | Request::SetVisibility(_))
}
