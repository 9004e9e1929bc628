//! A device's connections, one after the other: when to dial, when to give one up, when to
//! give up for good. Pure: it knows no socket and no clock.
//!
//! ```text
//!            until_ms                dialled               Welcome
//!   Resting ──────────► Dialing ──────────────► Opening ────────────► Online
//!      ▲                   │ failed                │ 10 s, closed        │
//!      └───────────────────┴───────────────────────┴─────────────────────┤ ended, silent
//!      ▲                                                                 │ GoAway
//!      └───────────────── answered, or 5 s ─────────────────── Leaving ◄─┘
//!                                             a code that no attempt can mend ──► Stopped
//! ```
//! Verbs, in the order in which a driver uses them: [`Link::handle_timeout`],
//! [`Link::poll_event`] until `None` (store what they say, then `session().handle_stored`),
//! [`Link::poll_step`], then dial or close; [`Link::poll_transmit`] into the socket;
//! [`Link::poll_timeout`] says how long to wait for the socket; [`Link::handle_received`].

mod backoff;
mod renewal;
#[cfg(test)]
mod tests;

use answerback_proto::code::{Class, Code};

use crate::session::{ClientSession, Event, Mode, Ticket};
use backoff::Backoff;
use renewal::Renewal;

/// A server that does not open the session within this time is not there.
const OPENING_MS: u64 = 10_000;
/// What is under way when a server goes away may be answered within this time.
const LEAVING_MS: u64 = 5_000;
/// A session that stayed open for so long was a success: the next failure is a first one.
const STEADY_MS: u64 = 10_000;
/// Tokens that are refused one after the other before it stops asking for new ones.
const TOKENS_MAX: u32 = 3;

/// What the driver has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask for a token where there is no `ticket`, dial, then `handle_dialled` or
    /// `handle_dialled_by_ticket`, or `handle_dial_failed`.
    Dial,
    /// Ask for a token, then `handle_token` or `handle_no_token`.
    Renew,
    /// Close the socket.
    Close,
}

/// How far a device's connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// An attempt is under way.
    Connecting,
    /// The session is open.
    Online,
    /// Between two attempts.
    Offline {
        /// When the next one is.
        retry_at_ms: u64,
        /// Why the last one ended.
        reason: String,
        /// Whether somebody was there who is not the box that was meant.
        is_untrusted: bool,
    },
    /// There will be no other.
    Stopped(Halt),
}

/// Why no attempt can help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The server closed the session with this code.
    Code(u16),
    /// The device's file failed.
    Storage(String),
}

#[derive(Debug)]
enum Phase {
    /// Nothing was tried yet that could have failed.
    Fresh,
    Resting {
        until_ms: u64,
        reason: String,
        is_untrusted: bool,
    },
    Dialing,
    Opening {
        deadline_ms: u64,
    },
    Online {
        since_ms: u64,
    },
    Leaving {
        deadline_ms: u64,
        return_at_ms: u64,
    },
    Stopped(Halt),
}

/// The device's end of all its connections.
#[derive(Debug)]
pub struct Link {
    session: ClientSession,
    phase: Phase,
    backoff: Backoff,
    mode: Mode,
    /// What the open session's `Hello` said.
    told_mode: Mode,
    tokens_refused: u32,
    /// Whether the connection that is being opened began with a ticket.
    is_by_ticket: bool,
    renewal: Renewal,
    is_close_due: bool,
}

impl Link {
    /// Wants to dial at once. `seed` chooses the waits; no two devices should have the same.
    pub fn new(session: ClientSession, mode: Mode, seed: u64) -> Self {
        let mut link = Self {
            session,
            phase: Phase::Fresh,
            backoff: Backoff::new(seed),
            mode,
            told_mode: mode,
            tokens_refused: 0,
            is_by_ticket: false,
            renewal: Renewal::default(),
            is_close_due: false,
        };
        link.session.set_mode(mode);
        link
    }

    /// The session, to send, to read, and to say what is stored.
    pub fn session(&mut self) -> &mut ClientSession {
        &mut self.session
    }

    /// How far the connection is.
    pub fn state(&self) -> LinkState {
        match &self.phase {
            &Phase::Resting { until_ms, ref reason, is_untrusted } => {
                LinkState::Offline { retry_at_ms: until_ms, reason: reason.clone(), is_untrusted }
            }
            Phase::Fresh | Phase::Dialing | Phase::Opening { .. } => LinkState::Connecting,
            Phase::Online { .. } => LinkState::Online,
            Phase::Leaving { return_at_ms, .. } => LinkState::Offline {
                retry_at_ms: *return_at_ms,
                reason: "the server is going away".to_owned(),
                is_untrusted: false,
            },
            Phase::Stopped(halt) => LinkState::Stopped(halt.clone()),
        }
    }

    /// Whether a dial that was begun is still wanted.
    pub fn is_dialing(&self) -> bool {
        matches!(self.phase, Phase::Dialing)
    }

    /// What to do now, if anything.
    pub fn poll_step(&mut self, now_ms: u64) -> Option<Step> {
        if let Phase::Leaving { return_at_ms, .. } = self.phase
            && self.session.is_answered()
            && !self.session.owes_acknowledgement()
        {
            self.leave(return_at_ms);
        }
        if std::mem::take(&mut self.is_close_due) {
            return Some(Step::Close);
        }
        if matches!(self.phase, Phase::Online { .. }) && self.renewal.take_due(now_ms) {
            return Some(Step::Renew);
        }
        let is_time = match self.phase {
            Phase::Fresh => true,
            Phase::Resting { until_ms, .. } => until_ms <= now_ms,
            _ => false,
        };
        if is_time {
            self.phase = Phase::Dialing;
        }
        is_time.then_some(Step::Dial)
    }

    /// What opens a session without a token, where it has not expired. `unix_ms` may be wrong: a
    /// ticket that a server does not take costs one attempt.
    pub fn ticket(&self, unix_ms: u64) -> Option<&Ticket> {
        self.session.ticket().filter(|ticket| ticket.expires_at_ms > unix_ms)
    }

    /// A socket is open. `connection_counter` was raised and stored for it.
    pub fn handle_dialled(&mut self, now_ms: u64, connection_counter: u64, token: &str) {
        self.begin(now_ms, false);
        self.session.handle_connected(connection_counter, token);
    }

    /// The same, with the ticket; `proof` is bound to this socket, see
    /// [`ClientSession::handle_connected_by_ticket`].
    pub fn handle_dialled_by_ticket(
        &mut self,
        now_ms: u64,
        connection_counter: u64,
        proof: [u8; 32],
    ) {
        self.begin(now_ms, true);
        self.session.handle_connected_by_ticket(connection_counter, proof);
    }

    /// A newer token for the session that is open; of no use to another.
    pub fn handle_token(&mut self, now_ms: u64, token: &str) {
        if !self.session.renew(token) {
            self.renewal.put_off(now_ms);
        }
    }

    /// There is no newer token now.
    pub fn handle_no_token(&mut self, now_ms: u64) {
        self.renewal.put_off(now_ms);
    }

    /// No socket, or no token for it.
    pub fn handle_dial_failed(&mut self, now_ms: u64, reason: String) {
        if self.is_dialing() {
            self.rest(now_ms, reason);
        }
    }

    /// Somebody is there, and is not the box that was meant. Whoever has to mend that needs
    /// longer than a lost connection does.
    pub fn handle_untrusted(&mut self, now_ms: u64, reason: String) {
        if self.is_dialing() {
            let until_ms = now_ms + self.backoff.long_ms();
            self.phase = Phase::Resting { until_ms, reason, is_untrusted: true };
        }
    }

    /// The socket ended.
    pub fn handle_disconnected(&mut self, now_ms: u64, reason: String) {
        match self.phase {
            Phase::Opening { .. } | Phase::Online { .. } => self.end(now_ms, reason),
            Phase::Leaving { return_at_ms, .. } => self.leave(return_at_ms),
            Phase::Fresh | Phase::Resting { .. } | Phase::Dialing | Phase::Stopped(_) => {}
        }
    }

    /// Takes what the socket gave.
    pub fn handle_received(&mut self, now_ms: u64, received: &[u8]) {
        if let Err(error) = self.session.handle_received(now_ms, received) {
            self.end(now_ms, error.to_string());
        }
    }

    /// What happened, to be stored and told. Events of a connection that has ended come too.
    pub fn poll_event(&mut self, now_ms: u64) -> Option<Event> {
        let event = self.session.poll_event()?;
        match &event {
            _ if !self.is_connected() => {}
            Event::Opened { .. } => {
                self.phase = Phase::Online { since_ms: now_ms };
                self.tokens_refused = 0;
                self.renewal = Renewal::default();
                self.plan_renewal(now_ms);
            }
            Event::Renewed => self.plan_renewal(now_ms),
            Event::Silent => self.end(now_ms, "the server does not answer any more".to_owned()),
            Event::GoAway { code, delay_ms } => self.go_away(now_ms, *code, *delay_ms),
            Event::Closed { code, retry_after_ms } => self.close(now_ms, *code, *retry_after_ms),
            _ => {}
        }
        Some(event)
    }

    /// Appends what should be written now; whether there was anything.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.session.poll_transmit(out)
    }

    /// To be called at `poll_timeout`, and before each `poll_transmit`.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.session.handle_timeout(now_ms);
        match self.phase {
            Phase::Opening { deadline_ms } if deadline_ms <= now_ms => {
                self.end(now_ms, "the server did not open the session".to_owned());
            }
            Phase::Leaving { deadline_ms, return_at_ms } if deadline_ms <= now_ms => {
                self.leave(return_at_ms);
            }
            _ => {}
        }
    }

    /// When something is to be done although nothing came.
    pub fn poll_timeout(&self) -> Option<u64> {
        let own = match self.phase {
            Phase::Fresh => Some(0),
            Phase::Resting { until_ms, .. } => Some(until_ms),
            Phase::Opening { deadline_ms } | Phase::Leaving { deadline_ms, .. } => {
                Some(deadline_ms)
            }
            Phase::Online { .. } => self.renewal.poll_timeout(),
            Phase::Dialing | Phase::Stopped(_) => None,
        };
        own.into_iter().chain(self.session.poll_timeout()).min()
    }

    /// Somebody looks at the app: no wait lasts any longer, and an open connection is asked
    /// whether it lives. One whose `Hello` said otherwise is opened anew, since only `Hello`
    /// tells the mode.
    pub fn foreground(&mut self, now_ms: u64) {
        self.set_mode(Mode::Active);
        match self.phase {
            Phase::Online { .. } if self.told_mode == Mode::Active => self.session.ask(),
            Phase::Opening { .. } if self.told_mode == Mode::Active => {}
            Phase::Fresh | Phase::Dialing | Phase::Leaving { .. } => {}
            _ => self.start_anew(now_ms, "the app came to the foreground"),
        }
    }

    /// Nobody looks at the app any more. An open connection stays as it is: its mode is told
    /// at the next `Hello`, its heartbeat is the longest from now on.
    pub fn background(&mut self) {
        self.set_mode(Mode::Background);
    }

    /// The device is in another network: what was learned of the last is forgotten, and so is
    /// the connection through it.
    pub fn network_changed(&mut self, now_ms: u64) {
        self.session.forget_network();
        self.start_anew(now_ms, "the network changed");
    }

    /// Nothing more is tried.
    pub fn stop(&mut self, halt: Halt) {
        self.session.handle_disconnected();
        self.is_close_due = true;
        self.phase = Phase::Stopped(halt);
    }

    fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
        self.session.set_mode(mode);
    }

    fn start_anew(&mut self, now_ms: u64, reason: &str) {
        if matches!(self.phase, Phase::Stopped(_)) {
            return;
        }
        self.backoff.reset();
        self.disconnect(now_ms, reason.to_owned());
    }

    fn close(&mut self, now_ms: u64, code: u16, retry_after_ms: u32) {
        let reason = described(code);
        self.note_steadiness(now_ms);
        match (Class::of(code), &self.phase) {
            // The session has dropped the ticket: a token may do, and was not tried yet.
            (Some(Class::Reauthenticate | Class::FixRequest), Phase::Opening { .. })
                if self.is_by_ticket =>
            {
                self.session.handle_disconnected();
                self.is_close_due = true;
                self.phase = Phase::Fresh;
            }
            (Some(Class::FixRequest | Class::UpgradeApp | Class::Gone), _) => {
                self.stop(Halt::Code(code));
            }
            (_, &Phase::Leaving { return_at_ms, .. }) => self.leave(return_at_ms),
            (Some(Class::Reauthenticate), _) => {
                self.tokens_refused += 1;
                match self.tokens_refused {
                    TOKENS_MAX.. => self.stop(Halt::Code(code)),
                    _ => self.end(now_ms, reason),
                }
            }
            (Some(Class::RetryAfter), _) => {
                let asked_ms = self.backoff.spread_ms(retry_after_ms.into());
                let wait_ms = self.backoff.next_ms().max(asked_ms);
                self.disconnect(now_ms + wait_ms, reason);
            }
            (Some(Class::RetrySame) | None, _) => self.end(now_ms, reason),
        }
    }

    fn begin(&mut self, now_ms: u64, is_by_ticket: bool) {
        self.told_mode = self.mode;
        self.is_by_ticket = is_by_ticket;
        self.phase = Phase::Opening { deadline_ms: now_ms + OPENING_MS };
    }

    fn plan_renewal(&mut self, now_ms: u64) {
        let expires_ms = self.session.renewable_until_ms();
        self.renewal.plan(now_ms, expires_ms, &mut self.backoff);
    }

    fn go_away(&mut self, now_ms: u64, code: u16, delay_ms: u32) {
        if matches!(Class::of(code), Some(Class::FixRequest | Class::UpgradeApp | Class::Gone)) {
            return self.stop(Halt::Code(code));
        }
        let return_at_ms = now_ms + self.backoff.spread_ms(delay_ms.into());
        self.phase = Phase::Leaving { deadline_ms: now_ms + LEAVING_MS, return_at_ms };
    }

    /// The connection of a server that goes away is over.
    fn leave(&mut self, return_at_ms: u64) {
        self.disconnect(return_at_ms, "the server is going away".to_owned());
    }

    /// The connection is over; the next attempt follows the last by the backoff.
    fn end(&mut self, now_ms: u64, reason: String) {
        self.note_steadiness(now_ms);
        self.session.handle_disconnected();
        self.is_close_due = true;
        self.rest(now_ms, reason);
    }

    /// A session that stayed open for a while was a success.
    fn note_steadiness(&mut self, now_ms: u64) {
        if matches!(self.phase, Phase::Online { since_ms } if since_ms + STEADY_MS <= now_ms) {
            self.backoff.reset();
        }
    }

    fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Opening { .. } | Phase::Online { .. } | Phase::Leaving { .. })
    }

    fn disconnect(&mut self, until_ms: u64, reason: String) {
        self.session.handle_disconnected();
        self.is_close_due = true;
        self.phase = Phase::Resting { until_ms, reason, is_untrusted: false };
    }

    fn rest(&mut self, now_ms: u64, reason: String) {
        let until_ms = now_ms + self.backoff.next_ms();
        self.phase = Phase::Resting { until_ms, reason, is_untrusted: false };
    }
}

/// A code in words.
pub(crate) fn described(code: u16) -> String {
    match Code::from_number(code) {
        Some(known) => {
            format!("the server says {} ({code}, {})", known.name(), known.class().name())
        }
        None => format!("the server says {code}"),
    }
}
