//! Why the server lets this device in, and for how long: the resume ticket that it gave, when the
//! token behind it expires, and the token that takes its place.

use std::fmt;

use answerback_proto::code::{Class, Code};
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::kind::{Hello, Renew, Renewed, Resume, Welcome};
use answerback_proto::ticket::{self, SECRET_BYTES};

use super::chat::Request;
use super::{ClientSession, Event, SessionError, State, kinds_understood};

/// A resume ticket, as a device keeps it: it opens the next session without a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// When the token behind it expires, and it with that; ms since 1970 at the server.
    pub expires_at_ms: u64,
    /// What a `Resume` is proved with; it never travels again.
    pub secret: [u8; SECRET_BYTES],
    /// What a `Resume` carries.
    pub sealed: Vec<u8>,
}

/// What the server granted, on which conditions.
#[derive(Debug, Default)]
pub(super) struct Grant {
    ticket: Option<Ticket>,
    /// Whether the open connection began with the ticket.
    is_by_ticket: bool,
    /// When the server told its time, and that time.
    told: (u64, u64),
    /// When the token behind this session expires, on the driver's clock, where that is known.
    expires_ms: Option<u64>,
    takes_renewals: bool,
    is_renewing: bool,
}

impl Ticket {
    /// As it lies in a file.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let ticket::Ticket { expires_at_ms, secret, sealed } = ticket::Ticket::read(bytes)?;
        Some(Self { expires_at_ms, secret, sealed: sealed.to_vec() })
    }

    /// To lie in a file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let &Self { expires_at_ms, secret, ref sealed } = self;
        let mut bytes = Vec::new();
        ticket::Ticket { expires_at_ms, secret, sealed }.append(&mut bytes);
        bytes
    }
}

/// Without the secret, which belongs into no log.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("expires_at_ms", &self.expires_at_ms).finish_non_exhaustive()
    }
}

impl Grant {
    pub(super) fn new(ticket: Option<Ticket>) -> Self {
        Self { ticket, ..Self::default() }
    }

    pub(super) fn forget_connection(&mut self) {
        let ticket = self.ticket.take();
        *self = Self::new(ticket);
    }

    /// A time of the server's on the driver's clock.
    fn expires_ms(&self, expires_at_ms: u64) -> u64 {
        let (now_ms, server_time_ms) = self.told;
        now_ms.saturating_add(expires_at_ms.saturating_sub(server_time_ms))
    }
}

impl ClientSession {
    /// The ticket of the last session, where there is one. It may have expired.
    pub fn ticket(&self) -> Option<&Ticket> {
        self.grant.ticket.as_ref()
    }

    /// As `handle_connected`, with the ticket instead of a token. `proof` is the HMAC-SHA256 of
    /// `proof_message` for this connection under the ticket's secret.
    pub fn handle_connected_by_ticket(
        &mut self,
        connection_counter: u64,
        proof: [u8; SECRET_BYTES],
    ) {
        let hello = self.begin(connection_counter);
        let address = self.greeting_address();
        self.grant.is_by_ticket = true;
        let resume = Resume::new(&hello, proof);
        let kinds: Vec<_> = kinds_understood().collect();
        let is_written = self.grant.ticket.as_ref().is_some_and(|ticket| {
            resume.append(&mut self.control, address, &kinds, &ticket.sealed).is_ok()
        });
        if !is_written {
            self.drop_ticket();
            let code = Code::TicketInvalid.number();
            self.events.push_back(Event::Closed { code, retry_after_ms: 0 });
        }
    }

    /// When the token behind the open session expires, on the driver's clock, where that is known
    /// and the server takes another.
    pub fn renewable_until_ms(&self) -> Option<u64> {
        self.grant.expires_ms.filter(|_| self.grant.takes_renewals && self.is_open())
    }

    /// Takes a newer token for the open session; whether it goes out, which only a session that is
    /// open with a server that takes it lets it do, and only one at a time.
    pub fn renew(&mut self, token: &str) -> bool {
        if self.renewable_until_ms().is_none() || self.grant.is_renewing {
            return false;
        }
        let tag = self.new_tag(Request::Renew);
        let address = Address { flags: 0, tag, target: self.user.0 };
        let outcome = Renew::append(&mut self.control, address, token.as_bytes());
        self.grant.is_renewing = outcome.is_ok();
        if outcome.is_err() {
            self.requests.remove(&tag);
        }
        outcome.is_ok()
    }

    /// The ticket replaces the one that was held; without one there is none any more.
    pub(super) fn note_grant(&mut self, welcome: &Welcome, ticket: &[u8], takes_renewals: bool) {
        self.grant.told = (self.now_ms, welcome.server_time_ms);
        self.grant.takes_renewals = takes_renewals;
        match Ticket::read(ticket) {
            Some(ticket) => {
                self.grant.expires_ms = Some(self.grant.expires_ms(ticket.expires_at_ms));
                self.keep_ticket(ticket);
            }
            None => self.drop_ticket(),
        }
    }

    pub(super) fn handle_renewed(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let (renewed, ticket) = Renewed::read(frame.envelope)?;
        self.take_request(frame.header, |request| request == Request::Renew)?;
        self.grant.is_renewing = false;
        self.grant.expires_ms = Some(self.grant.expires_ms(renewed.expires_at_ms));
        if let Some(ticket) = Ticket::read(ticket) {
            self.keep_ticket(ticket);
        }
        self.events.push_back(Event::Renewed);
        Ok(())
    }

    /// The server closes the connection: what that says about the ticket. One that a server
    /// does not even understand is of no use either.
    pub(super) fn judge_ticket(&mut self, code: u16) {
        let is_refused = self.state == State::Opening && self.grant.is_by_ticket;
        match Class::of(code) {
            Some(Class::Reauthenticate) => self.drop_ticket(),
            Some(Class::FixRequest) if is_refused => self.drop_ticket(),
            _ => {}
        }
    }

    fn keep_ticket(&mut self, ticket: Ticket) {
        self.grant.ticket = Some(ticket.clone());
        self.events.push_back(Event::Ticket(Some(ticket)));
    }

    fn drop_ticket(&mut self) {
        if self.grant.ticket.take().is_some() {
            self.events.push_back(Event::Ticket(None));
        }
    }

    /// A new connection, and what is said in its first frame.
    pub(super) fn begin(&mut self, connection_counter: u64) -> Hello {
        self.handle_disconnected();
        self.state = State::Opening;
        self.told_mode = self.mode;
        Hello {
            version_min: super::VERSION,
            version_max: super::VERSION,
            kinds_count: 0,
            token_length: 0,
            device: self.device.0,
            app_build: self.app_build,
            mode: self.mode.number(),
            credit_frames: self.credit.frames,
            credit_bytes: self.credit.bytes,
            connection_counter,
            generation: self.inbox.generation().0,
            cursor: self.inbox.stored().0,
        }
    }

    pub(super) fn greeting_address(&mut self) -> Address {
        Address { flags: 0, tag: self.new_tag(Request::Hello), target: self.user.0 }
    }
}
