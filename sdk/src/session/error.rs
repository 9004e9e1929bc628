//! What a server of this protocol cannot have sent.

use std::fmt;

use answerback_proto::code::Code;
use answerback_proto::kind::Kind;

/// The server broke the protocol: the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// Bytes that are no frame, or an envelope of the wrong length.
    Malformed(Code),
    /// A kind that was not offered and may not be passed over.
    UnknownKind(u16),
    /// A kind that has no place here now.
    Unexpected(Kind),
    /// An answer to nothing that was asked, or to something else.
    AnswerMismatch(Kind),
    /// A field outside its range.
    OutOfRange(Kind),
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(code) => write!(f, "the server sent a bad frame ({})", code.name()),
            Self::UnknownKind(number) => write!(f, "the server sent an unknown kind {number:#06x}"),
            Self::Unexpected(kind) => {
                write!(f, "the server sent {} at the wrong time", kind.name())
            }
            Self::AnswerMismatch(kind) => {
                write!(f, "the server sent {} to nothing that was asked", kind.name())
            }
            Self::OutOfRange(kind) => {
                write!(f, "the server sent {} with a field outside its range", kind.name())
            }
        }
    }
}

impl std::error::Error for SessionError {}

impl From<Code> for SessionError {
    fn from(code: Code) -> Self {
        Self::Malformed(code)
    }
}
