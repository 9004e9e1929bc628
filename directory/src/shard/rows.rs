//! How the state lies in the tables: keys and values of every row.
//!
//! Keys are big-endian, so that rows lie in the order of their numbers; values are
//! little-endian. A row that this version cannot have written is a fault, never a guess.

mod read;
mod write;

pub use read::RESIDENT_TABLES;
pub(crate) use read::{
    Fields, load, peer_of, read_chat, read_device, read_expiry, read_head, read_head_row,
    read_inbox, read_outstanding, read_parked, read_part, read_presence, read_sender,
};
pub(crate) use write::{freeze, key, range};

pub(crate) const MESSAGE: u8 = 1;
pub(crate) const DELIVERED: u8 = 2;
pub(crate) const FAILED: u8 = 3;
const COPIED: u8 = 4;
const READ_BY: u8 = 5;
const READ_ELSEWHERE: u8 = 6;

const PURGING: u8 = 1;
const PURGED: u8 = 2;
const TOKENS: u8 = 3;
const VISIBILITY: u8 = 4;
