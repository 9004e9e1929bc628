//! `Hello`: is it well formed, do we speak its version, and is it who it says?

use answerback_directory::shard::{Grant, Opening, Origin, SessionRef};
use answerback_proto::code::Code;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::{DeviceId, Generation, Position, UserId};
use answerback_proto::kind::{End, Hello, Kind, SessionTail};

use crate::auth::{Identity, Proof, Verifier};
use crate::limits::SESSION_CREDIT_BYTES_MAX;

/// The version that this server speaks.
pub(crate) const VERSION: u16 = 1;

/// A `Hello` that was good; it may travel to the core of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// The request's tag.
    pub(crate) tag: u32,
    /// Who it is.
    pub(crate) user: UserId,
    /// Which device.
    pub(crate) device: DeviceId,
    connection_counter: u64,
    generation: Generation,
    cursor: Position,
    credit_frames: u32,
    credit_bytes: u32,
}

/// A `Hello` that is good if its token's proof holds.
#[derive(Debug)]
pub(crate) struct Claim {
    /// What it says.
    pub(crate) greeting: Greeting,
    /// What its token was signed with.
    pub(crate) proof: Proof,
}

impl Claim {
    /// Reads the first frame of a connection.
    ///
    /// # Errors
    /// `FrameMalformed`, `VersionUnsupported`, `TokenInvalid`, `TokenExpired`.
    pub(crate) fn read(frame: &Frame<'_>, verifier: &Verifier, unix_s: u64) -> Result<Self, Code> {
        let (hello, tail) = Hello::read(frame.envelope)?;
        require_version(&hello, tail)?;
        let (identity, proof) = verifier.read(tail.secret(), unix_s)?;
        let claimed =
            Identity { user: UserId(frame.header.target), device: DeviceId(hello.device) };
        if identity != claimed {
            return Err(Code::TokenInvalid);
        }
        let greeting = Greeting {
            tag: frame.header.tag,
            user: identity.user,
            device: identity.device,
            connection_counter: hello.connection_counter,
            generation: Generation(hello.generation),
            cursor: Position(hello.cursor),
            credit_frames: hello.credit_frames,
            credit_bytes: hello.credit_bytes.min(SESSION_CREDIT_BYTES_MAX),
        };
        Ok(Self { greeting, proof })
    }
}

impl Greeting {
    /// What the user's home is asked.
    pub(crate) fn opening(&self, session: SessionRef) -> Opening {
        Opening {
            origin: Origin {
                session,
                tag: self.tag,
                user: self.user,
                device: self.device,
                copies: false,
            },
            grant: Grant::default(),
            connection_counter: self.connection_counter,
            generation: self.generation,
            cursor: self.cursor,
            credit_frames: self.credit_frames,
            credit_bytes: self.credit_bytes,
        }
    }
}

/// No kind is sent that the client did not offer to understand, and a session cannot do
/// without any of this version's; but `Renewed` only answers a `Renew`, and who never sends
/// that need not know of it.
fn require_version(hello: &Hello, tail: SessionTail<'_>) -> Result<(), Code> {
    let speaks_it = (hello.version_min..=hello.version_max).contains(&VERSION);
    let needed = |kind: &&Kind| kind.is_sent_by(End::Server) && **kind != Kind::Renewed;
    let mut kinds = Kind::ALL.iter().filter(needed);
    if speaks_it && kinds.all(|&kind| tail.lists(kind)) {
        Ok(())
    } else {
        Err(Code::VersionUnsupported)
    }
}
