//! What a connection may say, and what it is told.
//!
//! ```text
//! Securing ──TLS──► Greeting ──Hello──► Opening ──Welcome──► Open
//!                      └──────────────────┴─────── Error ─────┴──► Closing ──flushed──► gone
//! ```
//! Everything here is a function of a frame and the session's few bytes of state; the
//! core reads, writes and asks the shards.

pub(crate) mod handshake;
pub(crate) mod renewal;
pub(crate) mod reply;

use answerback_proto::access::{kind_of, read};
use answerback_proto::code::Code;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::header::Header;
use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::kind::{End, Kind, Ping, Pong, Tag};
use answerback_proto::limits::FRAME_BYTES_BEFORE_AUTH_MAX;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// In the handshake of its cover: nothing can be said yet, nor heard.
    Securing,
    /// Nothing came yet; the first frame must be `Hello`.
    Greeting,
    /// `Hello` was good; the home of the user is asked.
    Opening,
    /// `Welcome` is sent.
    Open,
    /// Told why; what it still sends is passed over.
    Closing,
}

/// What is known of a connection's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    /// Who it is, from `Opening` on.
    pub(crate) user: UserId,
    /// Which device, from `Opening` on.
    pub(crate) device: DeviceId,
    /// Where it stands.
    pub(crate) state: State,
    /// The user has other devices, which get copies of what this one sends.
    pub(crate) copies: bool,
    /// The user's home notes to whom this one writes.
    pub(crate) notes_writing: bool,
    /// It was asked whether anybody is there, and has said nothing since.
    pub(crate) is_probed: bool,
    /// It has sent a new token that is not yet checked.
    pub(crate) is_renewing: bool,
    /// Its `Hello` said that somebody may be looking.
    pub(crate) is_active: bool,
    /// When its user's home was told last that a person did something on it: the low bits of
    /// seconds, 0 for never.
    pub(crate) acted_s: u16,
}

/// A frame that this connection may send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The first frame, with a token, unchecked.
    Hello,
    /// The first frame, with a ticket, unchecked.
    Resume,
    /// A new token, unchecked.
    Renew,
    /// To be answered with its echo.
    Ping(u64),
    /// For the home of the target.
    Send,
    /// For the home of the target.
    Skip,
    /// For the home of the target.
    Recall,
    /// For whoever looks at the target's end of the chat.
    Typing,
    /// For the home of a group: the target, or the one that is made.
    Group(Kind),
    /// For the user's own home.
    Read,
    /// For the home of the target, and from there to the operator's server.
    Report,
    /// For the user's own home, about the user's own things.
    Own(Kind),
    /// For the user's own home.
    Ack,
    /// For the user's own home.
    Resync,
    /// Nothing to be done.
    Nothing,
}

/// What a client did wrong: the connection is told and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What.
    pub(crate) code: Code,
    /// The kind's number, 0 where there is no frame to blame.
    pub(crate) kind: u16,
    /// The request's tag, else 0.
    pub(crate) tag: u32,
}

impl Fault {
    /// A fault of a frame.
    pub(crate) fn of_frame(code: Code, header: &Header) -> Self {
        let is_request = header.kind().is_none_or(|kind| kind.tag() == Tag::Request);
        let tag = if is_request { header.tag } else { 0 };
        Self { code, kind: header.kind_number, tag }
    }

    /// A fault that no frame is to blame for, or one whose header cannot be trusted.
    pub(crate) fn of_connection(code: Code) -> Self {
        Self { code, kind: 0, tag: 0 }
    }
}

impl Session {
    /// A new connection's over plain TCP.
    pub(crate) fn new() -> Self {
        Self { state: State::Greeting, ..Self::opening(UserId(0), DeviceId(0)) }
    }

    /// A new connection's that begins with the handshake of its cover.
    pub(crate) fn securing() -> Self {
        Self { state: State::Securing, ..Self::new() }
    }

    /// That of a connection whose `Hello` was good.
    pub(crate) fn opening(user: UserId, device: DeviceId) -> Self {
        Self {
            user,
            device,
            state: State::Opening,
            copies: false,
            notes_writing: false,
            is_probed: false,
            is_renewing: false,
            is_active: false,
            acted_s: 0,
        }
    }

    /// The longest frame that it may send now.
    pub(crate) fn frame_bytes_max(&self, welcomed_max: u32) -> u32 {
        match self.state {
            State::Securing | State::Greeting | State::Opening => FRAME_BYTES_BEFORE_AUTH_MAX,
            State::Open | State::Closing => welcomed_max,
        }
    }

    /// Whether a shard may know of it.
    pub(crate) fn is_at_home(&self) -> bool {
        matches!(self.state, State::Opening | State::Open)
    }

    /// What a frame asks for.
    ///
    /// # Errors
    /// The code that the connection is told before it closes.
    #[inline]
    pub(crate) fn admit(&self, frame: &Frame<'_>) -> Result<Request, Code> {
        match self.state {
            State::Open => self.admit_open(frame),
            State::Greeting => admit_greeting(&frame.header),
            State::Opening => admit_opening(&frame.header),
            State::Securing | State::Closing => Ok(Request::Nothing),
        }
    }

    #[inline]
    fn admit_open(&self, frame: &Frame<'_>) -> Result<Request, Code> {
        let Some(kind) = kind_of(&frame.header, End::Client)? else {
            return Ok(Request::Nothing);
        };
        match kind {
            Kind::Send => Ok(Request::Send),
            Kind::Skip => Ok(Request::Skip),
            Kind::Recall => Ok(Request::Recall),
            Kind::Typing => Ok(Request::Typing),
            Kind::Report => Ok(Request::Report),
            Kind::GroupSend
            | Kind::GroupSkip
            | Kind::ChangeMembers
            | Kind::RenameGroup
            | Kind::DescribeGroup
            | Kind::SetGroupReceipts => Ok(Request::Group(kind)),
            Kind::CreateGroup => self.require_own(&frame.header).map(|()| Request::Group(kind)),
            Kind::Read => self.require_own(&frame.header).map(|()| Request::Read),
            Kind::Ack => self.require_own(&frame.header).map(|()| Request::Ack),
            Kind::Resync => self.require_own(&frame.header).map(|()| Request::Resync),
            Kind::Renew => self.require_own(&frame.header).map(|()| Request::Renew),
            Kind::Ping => read::<Ping>(frame.envelope).map(|ping| Request::Ping(ping.echo)),
            Kind::Pong => read::<Pong>(frame.envelope).map(|_| Request::Nothing),
            kind if kind.is_about_own() => {
                self.require_own(&frame.header).map(|()| Request::Own(kind))
            }
            _ => Err(Code::KindNotAllowed),
        }
    }

    #[inline]
    fn require_own(&self, header: &Header) -> Result<(), Code> {
        if header.target == self.user.0 { Ok(()) } else { Err(Code::NotYours) }
    }
}

fn admit_greeting(header: &Header) -> Result<Request, Code> {
    let request = match header.kind() {
        Some(Kind::Hello) => Request::Hello,
        Some(Kind::Resume) => Request::Resume,
        _ => return Err(Code::HelloExpected),
    };
    kind_of(header, End::Client).map(|_| request)
}

/// Only what may be passed over: everything else waits for `Welcome`.
fn admit_opening(header: &Header) -> Result<Request, Code> {
    match kind_of(header, End::Client)? {
        None => Ok(Request::Nothing),
        Some(_) => Err(Code::KindNotAllowed),
    }
}

#[cfg(test)]
mod tests;
