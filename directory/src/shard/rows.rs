//! How the state lies in the tables: keys and values of every row.
//!
//! Keys are big-endian, so that rows lie in the order of their numbers; values are
//! little-endian. A row that this version cannot have written is a fault, never a guess.

mod fields;
mod group;
mod group_chat;
mod read;
mod write;

pub(crate) use fields::Fields;
pub(crate) use group::{holder_of, read_group};
pub(crate) use group_chat::{read_tally, read_unread};
pub(crate) use read::Besides;
pub use read::RESIDENT_TABLES;
pub(crate) use read::{
    load, peer_of, read_chat, read_contacts, read_device, read_expiry, read_head, read_head_row,
    read_inbox, read_outstanding, read_parked, read_part, read_presence, read_sender,
    read_withheld,
};
pub(crate) use write::{freeze, key, range};

pub(crate) const MESSAGE: u8 = 1;
pub(crate) const DELIVERED: u8 = 2;
pub(crate) const FAILED: u8 = 3;
const COPIED: u8 = 4;
const READ_BY: u8 = 5;
const READ_ELSEWHERE: u8 = 6;
const CHAT_DELETED: u8 = 7;
const ERASE: u8 = 8;
const ERASED: u8 = 9;
const CHAT_SET: u8 = 10;

/// In a chat's row, where a receipt has its kind.
const DELETED_UP_TO: u8 = 16;
/// In a sender's row, before the decisions.
const ERASED_UP_TO: u8 = 1;

const GROUP_MESSAGE: u8 = 11;
const GROUP_COPIED: u8 = 12;
const GROUP_CHANGED: u8 = 13;
const GROUP_FAILED: u8 = 14;
const GROUP_WORD: u8 = 15;
const GROUP_GONE: u8 = 17;
const GROUP_RECEIPT: u8 = 18;
const GROUP_READ_ELSEWHERE: u8 = 19;
/// In a chat's row, where a receipt has its kind.
const GROUP_READ_UP_TO: u8 = 20;

const PURGING: u8 = 1;
const PURGED: u8 = 2;
const TOKENS: u8 = 3;
const OWN: u8 = 4;

/// Of the flags in a chat's row: something is parked, something withheld, settings follow, the
/// user's place in the group does, messages of it are unread, receipts of it are counted.
const HAS_PARKED: u8 = 1;
const HAS_WITHHELD: u8 = 2;
const HAS_SETTINGS: u8 = 4;
const IN_GROUP: u8 = 8;
const HAS_UNREAD: u8 = 16;
const HAS_TALLIES: u8 = 32;

/// Beside a device's standing: its last login and its name follow.
const WITH_LOGIN: u8 = 0x80;
const GROUP: u8 = 10;
