//! Bytes in and out of a socket; what went wrong is a value, never an error to pass on.
//!
//! ```text
//! plain   socket ──► read buffer ──────────────────────────► frames
//! tls     socket ──► read buffer ──records, decrypted──► plain buffer ──► frames
//!         frames ──► output ──one or few records a tick──► sealed output ──► socket
//! ```

pub(crate) mod plain;
pub(crate) mod preface;
pub(crate) mod tls;

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// As many bytes came from the socket.
    Bytes {
        /// How many.
        length: usize,
        /// The buffer is full: there may be more, and no event will say so.
        is_full: bool,
    },
    /// Nothing for now; an event will say when.
    Nothing,
    /// It was interrupted: read again.
    Again,
    /// The peer is gone, in one way or another.
    Ended,
    /// The peer broke the rules of the cover; it is told, then the connection closes.
    Broken,
}

/// What a write took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// As many bytes, perhaps not all; what is less means that an event will say when.
    Bytes(usize),
    /// The peer is gone.
    Ended,
}
