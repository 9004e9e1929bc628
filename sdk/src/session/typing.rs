//! What the user does in a chat just now, told no more often than anybody looks.
//!
//! Nothing of it is stored, asked for again or answered: what finds no open session is dropped,
//! and so is what the server would drop.

use answerback_proto::access::read;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::Frame;
use answerback_proto::header::USER_ACTION;
use answerback_proto::id::UserId;
use answerback_proto::kind::Typing;

use super::{ClientSession, Event, Mode, SessionError, State};

/// That the user still writes is said again after this time: whoever is told shows it for a
/// little longer.
const REPEAT_MS: u64 = 4_000;
/// A server passes no more than one word a chat on in this time.
const PERIOD_MS: u64 = 2_000;

/// What was said last.
#[derive(Clone, Copy, Debug)]
struct Said {
    peer: UserId,
    state: u16,
    /// When it was said that the user writes, on the driver's clock.
    since_ms: u64,
}

/// What is said of the user's writing.
#[derive(Debug, Default)]
pub(super) struct Typist {
    said: Option<Said>,
}

impl Typist {
    /// Whether it is to be said.
    fn admit(&mut self, peer: UserId, state: u16, now_ms: u64) -> bool {
        let last = self.said.filter(|said| said.peer == peer);
        let since_ms = last.map(|said| said.since_ms);
        let is_due = match (last.map_or(0, |said| said.state), state) {
            (0, 0) => false,
            (_, 0) => true,
            (before, _) => since_ms.is_none_or(|since_ms| {
                let pause_ms = if before == state { REPEAT_MS } else { PERIOD_MS };
                now_ms.saturating_sub(since_ms) >= pause_ms
            }),
        };
        if is_due {
            let since_ms = since_ms.filter(|_| state == 0).unwrap_or(now_ms);
            self.said = Some(Said { peer, state, since_ms });
        }
        is_due
    }

    pub(super) fn forget_connection(&mut self) {
        self.said = None;
    }
}

impl ClientSession {
    /// The user does something in the chat with `peer` just now: 1 writes, 0 has stopped; see the
    /// registry of the protocol's page. Call it at each key: it is said as often as of use, and
    /// only where somebody may be looking here too. `now_ms` is the driver's clock.
    pub fn typing(&mut self, now_ms: u64, peer: UserId, state: u16) {
        let takes_typing = matches!(self.state, State::Open(limits) if limits.takes_typing);
        if takes_typing
            && self.mode == Mode::Active
            && self.typist.admit(peer, state, now_ms)
        {
            let address = Address { flags: USER_ACTION, tag: 0, target: peer.0 };
            append_frame(&mut self.control, address, &Typing { state }, &[], &[]);
        }
    }

    pub(super) fn handle_typing(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Typing { state } = read(frame.envelope)?;
        let peer = UserId(frame.header.target);
        self.events.push_back(Event::Typing { peer, state });
        Ok(())
    }
}
