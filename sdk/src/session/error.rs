//! What a server of this protocol cannot have sent.

use std::fmt;

use answerback_proto::code::Code;
use answerback_proto::kind::Kind;

/// The server broke the protocol: the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// A frame that no server sends, for what it says by itself.
    BadFrame(Code),
    /// A kind that has no place here now.
    Unexpected(Kind),
    /// An answer with this tag to nothing that was asked, or to something else.
    AnswerMismatch(u32),
    /// A field that is good by itself, and makes no sense here.
    OutOfPlace(Kind),
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadFrame(code) => write!(f, "the server sent a bad frame ({})", code.name()),
            Self::Unexpected(kind) => {
                write!(f, "the server sent {} at the wrong time", kind.name())
            }
            Self::AnswerMismatch(tag) => {
                write!(f, "the server answered a request that was not made (tag {tag})")
            }
            Self::OutOfPlace(kind) => {
                write!(f, "the server sent {} with a field that is out of place", kind.name())
            }
        }
    }
}

impl std::error::Error for SessionError {}

impl From<Code> for SessionError {
    fn from(code: Code) -> Self {
        Self::BadFrame(code)
    }
}
