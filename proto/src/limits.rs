//! Every bound of the protocol and of the journal's records, tied to each other.

use crate::header::HEADER_BYTES;

/// A frame may not be longer than this, whatever a deployment sets: a publish of the
/// fleet's journal must hold it (its `max_payload` of 1 MiB less room for headers).
pub const FRAME_BYTES_HARD_MAX: u32 = 960 * 1024;
/// The default bound of a frame.
pub const FRAME_BYTES_MAX: u32 = 64 * 1024;
/// The bound of a frame before its sender is known.
pub const FRAME_BYTES_BEFORE_AUTH_MAX: u32 = 4 * 1024;

/// Undecided messages of a device in a chat, and the width of the stored decisions.
pub const UNDECIDED_MAX: u64 = 64;
/// Ranges without an outcome that a cumulative receipt may except.
pub const EXCEPT_RANGES_MAX: usize = 16;
/// Kinds that a `Hello` or `Welcome` may list.
pub const KINDS_MAX: usize = 256;
/// Bytes of a login token in a `Hello`.
pub const TOKEN_BYTES_MAX: usize = 2 * 1024;
/// Bytes of a resume ticket in a `Welcome`, and of the sealed part that comes back.
pub const TICKET_BYTES_MAX: usize = 1024;
/// The mode of a `Hello` in which somebody may be looking.
pub const MODE_ACTIVE: u16 = 0;
/// The greatest mode of a `Hello`: 0 active, 1 background, 2 fetch.
pub const MODE_MAX: u16 = 2;

/// Unacknowledged entries that a device may ask to have under way.
pub const CREDIT_FRAMES_MAX: u32 = 4096;
/// Unacknowledged bytes that a device may ask to have under way.
pub const CREDIT_BYTES_MAX: u32 = 4 * 1024 * 1024;

/// Bytes of a device's name.
pub const DEVICE_NAME_BYTES_MAX: usize = 64;
/// Devices in a `Devices`; there is another page where a user has more.
pub const DEVICES_PER_PAGE_MAX: usize = 64;
/// Chats in a `Chats`; there is another page where a user has more.
pub const CHATS_PER_PAGE_MAX: usize = 256;
/// The greatest time until which a chat may be muted, ms since 1970: the end of the year 9999.
pub const MUTED_UNTIL_MS_MAX: u64 = 253_402_300_799_999;

/// Bytes of what a reporter shows of a message in a `Report`.
pub const EXCERPT_BYTES_MAX: usize = 4 * 1024;

/// Users whom a user may have among his contacts.
pub const CONTACTS_MAX: usize = 4096;
/// Users in a `SetContacts`; the others follow in another.
pub const CONTACTS_PER_FRAME_MAX: usize = 2048;
/// Users whom a session may watch.
pub const WATCHED_MAX: usize = 256;
/// The greatest visibility: 0 everybody, 1 contacts, 2 nobody.
pub const VISIBILITY_MAX: u16 = 2;

/// How long a message may wait: default and cap.
pub const LIFE_MAX_S: u32 = 30 * 24 * 3600;
/// The shortest life that may be asked for: a shorter one ends before a sleeping phone wakes.
pub const LIFE_MIN_S: u32 = 5;
/// Devices of the acting user that one `DeleteChat` may name.
pub const CHAT_MARKS_MAX: usize = 10;

/// Members of a group, all counted.
pub const GROUP_MEMBERS_MAX: usize = 1024;
/// Bytes of a bitmap of members: a bit a slot.
pub const GROUP_RECEIPT_BYTES_MAX: usize = GROUP_MEMBERS_MAX / 8;
/// Bytes of a group's name.
pub const GROUP_NAME_BYTES_MAX: usize = 256;

/// Partitions of a deployment: a power of two, fixed at creation.
pub const PARTITIONS_MAX: u16 = 1024;
/// Partitions of a deployment where nothing else is asked for.
pub const PARTITIONS_DEFAULT: u16 = 16;

/// A batch is closed before it would grow past this.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

const _: () = assert!(FRAME_BYTES_MAX <= FRAME_BYTES_HARD_MAX);
const _: () = assert!(FRAME_BYTES_BEFORE_AUTH_MAX <= FRAME_BYTES_MAX);
const _: () = assert!(HEADER_BYTES + TOKEN_BYTES_MAX < FRAME_BYTES_BEFORE_AUTH_MAX as usize);
const _: () = assert!(GROUP_MEMBERS_MAX * 18 + GROUP_NAME_BYTES_MAX < u16::MAX as usize / 2);
const _: () = assert!(GROUP_MEMBERS_MAX == 1024, "a slot has ten bits beside the role");
const _: () = assert!(TICKET_BYTES_MAX < TOKEN_BYTES_MAX);
const _: () = assert!(KINDS_MAX * 2 + TOKEN_BYTES_MAX < FRAME_BYTES_BEFORE_AUTH_MAX as usize);
const _: () = assert!(PARTITIONS_DEFAULT.is_power_of_two() && PARTITIONS_MAX.is_power_of_two());
const _: () = assert!(BATCH_BYTES_MAX > 2 * FRAME_BYTES_HARD_MAX as usize);
const _: () = assert!(UNDECIDED_MAX == u64::BITS as u64);
