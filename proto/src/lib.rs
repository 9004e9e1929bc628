//! Frames, envelopes and journal records: the only codec of Answerback.
//!
//! A **frame** is what crosses a socket: a fixed header, an envelope of fixed-size
//! fields, a packed tail of lists and texts, an opaque payload. A **record** is what
//! a partition's journal holds: the same idea with a header of its own. Both are
//! checked in place and never parsed into owned trees.
//!
//! ```text
//! frame   │ header 32 │ envelope (fixed per kind) │ tail (counted in it) │ payload │
//! record  │ header  8 │ envelope (fixed per kind)                        │ payload │
//! ```
//!
//! This crate knows nothing of sockets, files, clocks, threads or randomness.
//! `docs/PROTOCOL.md` is the same text for people who write clients.

pub mod access;
pub mod code;
pub mod encode;
mod fixed;
pub mod frame_buffer;
pub mod header;
pub mod id;
pub mod kind;
pub mod limits;
pub mod record;
