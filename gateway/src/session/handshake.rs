//! `Hello` or `Resume`: is it well formed, do we speak its version, and is it who it says?

use answerback_directory::shard::{Opening, Origin, SessionRef};
use answerback_proto::code::Code;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::{DeviceId, Generation, Position, UserId};
use answerback_proto::kind::{End, Hello, Kind, Resume, SessionTail};
use answerback_proto::limits::MODE_ACTIVE;

use crate::auth::{Exported, Pass, Proof, SealingKeys, Ticketed, TokenFault, Verifier, has_proven};
use crate::limits::SESSION_CREDIT_BYTES_MAX;

/// The version that this server speaks.
pub(crate) const VERSION: u16 = 1;

/// A first frame that was good; it may travel to the core of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// `Hello` or `Resume`.
    pub(crate) kind: Kind,
    /// The request's tag.
    pub(crate) tag: u32,
    /// Who it is, and by what.
    pub(crate) pass: Pass,
    /// Which of the device's connections it is.
    pub(crate) connection_counter: u64,
    generation: Generation,
    cursor: Position,
    credit_frames: u32,
    credit_bytes: u32,
    /// Somebody may be looking.
    pub(crate) is_active: bool,
    takes_presence: bool,
    takes_typing: bool,
}

/// A first frame that is good if its proof holds, where it needs one.
#[derive(Debug)]
pub(crate) struct Claim {
    /// What it says.
    pub(crate) greeting: Greeting,
    /// What its token was signed with; none for a ticket, which has been checked.
    pub(crate) proof: Option<Proof>,
}

/// Why a frame with a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// For what the client is told.
    Told(Code),
    /// For its token, likewise.
    Token(TokenFault),
}

impl Claim {
    /// Reads a `Hello`.
    ///
    /// # Errors
    /// `FrameMalformed`, `VersionUnsupported`, `TokenInvalid`, `TokenExpired`.
    pub(crate) fn by_token(
        frame: &Frame<'_>,
        verifier: &Verifier,
        unix_s: u64,
    ) -> Result<Self, Unfit> {
        let (hello, tail) = Hello::read(frame.envelope)?;
        require_version(&hello, tail)?;
        let (pass, proof) = verifier.read(tail.secret(), unix_s)?;
        if !pass.is_for(UserId(frame.header.target), DeviceId(hello.device)) {
            return Err(Unfit::Told(Code::TokenInvalid));
        }
        let greeting = Greeting::new(Kind::Hello, frame.header.tag, pass, &hello, tail);
        Ok(Self { greeting, proof: Some(proof) })
    }

    /// Reads a `Resume`.
    ///
    /// # Errors
    /// `FrameMalformed`, `VersionUnsupported`, `TicketInvalid`.
    pub(crate) fn by_ticket(
        frame: &Frame<'_>,
        (sealing_keys, verifier): (&SealingKeys, &Verifier),
        exported: &Exported,
        unix_s: u64,
    ) -> Result<Self, Code> {
        let (resume, tail) = Resume::read(frame.envelope)?;
        let hello = resume.hello();
        require_version(&hello, tail)?;
        let opened = Ticketed::open(sealing_keys, tail.secret());
        let ticketed = opened.ok_or(Code::TicketInvalid)?;
        let pass = ticketed.pass;
        let is_good = pass.is_for(UserId(frame.header.target), DeviceId(hello.device))
            && has_proven(&ticketed, exported, hello.connection_counter, &resume.proof())
            && unix_s < pass.grant.expires_s
            && verifier.has(pass.key);
        if !is_good {
            return Err(Code::TicketInvalid);
        }
        let greeting = Greeting::new(Kind::Resume, frame.header.tag, pass, &hello, tail);
        Ok(Self { greeting, proof: None })
    }
}

impl Greeting {
    fn new(kind: Kind, tag: u32, pass: Pass, hello: &Hello, tail: SessionTail<'_>) -> Self {
        Self {
            kind,
            tag,
            pass,
            connection_counter: hello.connection_counter,
            generation: Generation(hello.generation),
            cursor: Position(hello.cursor),
            credit_frames: hello.credit_frames,
            credit_bytes: hello.credit_bytes.min(SESSION_CREDIT_BYTES_MAX),
            is_active: hello.mode == MODE_ACTIVE,
            takes_presence: hello.mode == MODE_ACTIVE && tail.lists(Kind::Presence),
            takes_typing: hello.mode == MODE_ACTIVE && tail.lists(Kind::Typing),
        }
    }

    /// What the user's home is asked.
    pub(crate) fn opening(&self, session: SessionRef) -> Opening {
        let Pass { user, device, grant, .. } = self.pass;
        Opening {
            origin: Origin { session, tag: self.tag, user, device, copies: false },
            grant,
            connection_counter: self.connection_counter,
            generation: self.generation,
            cursor: self.cursor,
            credit_frames: self.credit_frames,
            credit_bytes: self.credit_bytes,
            takes_presence: self.takes_presence,
            takes_typing: self.takes_typing,
        }
    }
}

impl Unfit {
    /// What the client is told.
    pub(crate) fn code(self) -> Code {
        match self {
            Self::Told(code) => code,
            Self::Token(fault) => fault.code(),
        }
    }
}

impl From<Code> for Unfit {
    fn from(code: Code) -> Self {
        Self::Told(code)
    }
}

impl From<TokenFault> for Unfit {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

/// No kind is sent that the client did not offer to understand, and a session cannot do
/// without any of this version's; but `Renewed` only answers a `Renew`, and who never sends
/// that need not know of it, and signals are for those who look.
fn require_version(hello: &Hello, tail: SessionTail<'_>) -> Result<(), Code> {
    let speaks_it = (hello.version_min..=hello.version_max).contains(&VERSION);
    let needed =
        |kind: &&Kind| kind.is_sent_by(End::Server) && **kind != Kind::Renewed && !kind.is_signal();
    let mut kinds = Kind::ALL.iter().filter(needed);
    if speaks_it && kinds.all(|&kind| tail.lists(kind)) {
        Ok(())
    } else {
        Err(Code::VersionUnsupported)
    }
}

#[cfg(test)]
mod tests;
