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
//! ```
//! use answerback_proto::access::read;
//! use answerback_proto::code::Code;
//! use answerback_proto::encode::{Address, append_frame};
//! use answerback_proto::frame_buffer::FrameBuffer;
//! use answerback_proto::kind::{Kind, Ping};
//! use answerback_proto::limits::FRAME_BYTES_MAX;
//!
//! let mut wire = Vec::new();
//! append_frame(&mut wire, Address { tag: 7, ..Address::default() }, &Ping { echo: 42 }, &[], &[]);
//!
//! let mut frames = FrameBuffer::default();
//! let (mut first, mut second) = wire.split_at(10);
//! assert!(frames.next_frame(&mut first, FRAME_BYTES_MAX)?.is_none(), "the rest is to come");
//! let frame = frames.next_frame(&mut second, FRAME_BYTES_MAX)?.ok_or(Code::FrameMalformed)?;
//! assert_eq!((frame.header.kind(), frame.header.tag), (Some(Kind::Ping), 7));
//! assert_eq!(read::<Ping>(frame.envelope)?.echo, 42);
//! # Ok::<(), Code>(())
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
pub mod ticket;
