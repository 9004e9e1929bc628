//! Every bound of the gateway, tied to the others and to those of the protocol.
//!
//! What may wait for one connection, at most:
//!
//! ```text
//! output   OUT_BYTES_MAX, beyond which it is not read
//!        + the answers to REQUESTS_UNANSWERED_MAX requests and to what one read brought
//!        + SESSION_CREDIT_BYTES_MAX of entries, or one frame that is longer
//! input    one unfinished frame
//! ```

use answerback_proto::header::HEADER_BYTES;
use answerback_proto::limits::{CREDIT_BYTES_MAX, FRAME_BYTES_HARD_MAX, FRAME_BYTES_MAX};

/// What a core lends to the connection that it reads.
pub(crate) const READ_BUFFER_BYTES: usize = 256 * 1024;
/// Bytes that a core reads in a tick; connections beyond wait for the next.
pub(crate) const READ_BYTES_PER_TICK: usize = 4 * 1024 * 1024;
/// Connections without a session that a core reads in a tick, so that a thousand clients that
/// come back at once do not hold up everybody else's frames: a token's signature costs 45 µs, 20
/// in a batch of so many, and hardly less in a larger one.
pub(crate) const GREETINGS_PER_TICK: usize = 16;
/// Connections in a handshake of TLS that a core reads in a tick: the dear one of a handshake's
/// two reads costs 150 µs.
pub(crate) const HANDSHAKE_READS_PER_TICK: usize = 4;
/// A handshake in which it has been the peer's turn for so long makes room for others, where there
/// are as many as may be.
pub(crate) const HANDSHAKE_UNDISTURBED_MS: u64 = 1000;
/// As many are looked at for one that does: those that began first.
pub(crate) const HANDSHAKE_LOOKS_MAX: usize = 1024;
/// Ed25519 keys that the account service may sign with at a time.
pub(crate) const KEYS_MAX: usize = 64;
/// Secrets that tickets may be sealed with: one, and those before it.
pub const SEALING_KEYS_MAX: usize = 16;
/// Sessions that a core closes in a tick because their tokens have expired.
pub(crate) const EXPIRIES_PER_TICK: usize = 1024;
/// Bytes of a token's `jti`.
pub(crate) const TOKEN_ID_BYTES_MAX: usize = 128;
/// How far the account service's clock may be ahead of the box's.
pub(crate) const TOKEN_LEEWAY_S: u64 = 60;
/// Events that a core takes from the kernel at once.
pub(crate) const EVENTS_PER_TICK: usize = 1024;
/// Connections that a core accepts in a tick.
pub(crate) const ACCEPTS_PER_TICK: usize = 64;
/// How long accepting rests after the process ran out of descriptors or memory.
pub(crate) const ACCEPT_PAUSE_MS: u64 = 100;
/// How long the operator is not told again that this is so.
pub(crate) const EXHAUSTION_ALARM_MS: u64 = 60_000;
/// Connections that the kernel keeps for a core that is busy.
pub(crate) const ACCEPT_BACKLOG: i32 = 4096;

/// A connection with more unsent output is not read.
pub const OUT_BYTES_MAX: usize = 256 * 1024;
/// It is read again once there is less than this.
pub(crate) const OUT_BYTES_RESUME: usize = OUT_BYTES_MAX / 2;
/// With more unsent output it is told no signals.
pub(crate) const SIGNAL_OUT_BYTES_MAX: usize = OUT_BYTES_MAX / 16;
/// A connection with as many requests without an answer is not read.
pub const REQUESTS_UNANSWERED_MAX: u16 = 4096;
/// Entries' bytes that a session may have under way, whatever its `Hello` asked for.
pub const SESSION_CREDIT_BYTES_MAX: u32 = 256 * 1024;

/// Empty outputs that a core keeps for the next connection with something to say.
pub(crate) const SPARE_OUTPUTS_MAX: usize = 1024;
/// An output that has grown beyond this is freed instead.
pub(crate) const SPARE_OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// When to try again where a partition had to be taken out of service.
pub(crate) const QUARANTINE_RETRY_AFTER_MS: u32 = 60_000;
/// When to try again where the disk is nearly full.
pub(crate) const DISK_RETRY_AFTER_MS: u32 = 10_000;
/// When to try again where the box has as much in memory as it may.
pub(crate) const MEMORY_RETRY_AFTER_MS: u32 = 5000;
/// When to report again where the operator's server did not take it.
pub(crate) const REPORT_RETRY_AFTER_MS: u32 = 30_000;
/// When to connect again after a `Draining`: the first; the others follow after it.
pub(crate) const DRAINING_DELAY_MS: u32 = 1000;
/// Sessions of a box that come back in a millisecond: half of what a core can log in.
pub(crate) const RECONNECTS_PER_MS: u32 = 5;

/// How often a session's actions are told to its user's home: a third of the shortest time for
/// which anybody counts as there.
pub(crate) const ACTION_PERIOD_S: u16 = 5;
/// Of each session and chat one word goes on in so long a time that its user writes.
pub(crate) const TYPING_PERIOD_MS: u64 = 2000;
/// Sessions and chats of a core of which words went on lately; those of others are dropped.
pub(crate) const TYPISTS_MAX: usize = 16 * 1024;

/// Requests of one core that another has not answered: the room for their answers is
/// reserved before they leave.
pub(crate) const REQUESTS_FORWARDED_MAX: u32 = 8192;
/// A parcel to another core takes no more requests beyond these bytes.
pub(crate) const PARCEL_REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// Words between partitions in a parcel; all of them may be lost.
pub(crate) const PARCEL_MAIL_MAX: usize = 16 * 1024;
/// With so many of them a parcel takes no signals.
pub(crate) const PARCEL_SIGNALS_MAX: usize = PARCEL_MAIL_MAX / 4;
/// Sockets in a parcel that move to their user's core.
pub(crate) const PARCEL_ARRIVALS_MAX: usize = 1024;
/// Parcels under way from one core to another.
pub(crate) const PARCELS_MAX: usize = 16;
/// Parcels of one core that another takes in a tick.
pub(crate) const PARCELS_PER_TICK: usize = 4;

/// What a core and the storage thread may have for each other: a group of batches, a
/// checkpoint, a fault or an end.
pub(crate) const STORAGE_QUEUE: usize = 4;
/// What a core may have a reader thread do, and that for it.
pub(crate) const READS_QUEUED_MAX: usize = 1024;
/// Of that, what either takes at once.
pub(crate) const READS_PER_TICK: usize = 64;
/// How often the storage thread notes how far the commits go, and looks at the free space.
pub(crate) const MARK_PERIOD_MS: u64 = 250;
/// Commits that a waiting checkpoint lets pass. It is one of many that follow each other
/// at leisure, but without its turn the journal and what no checkpoint has would grow for
/// as long as the cores are busy.
pub(crate) const COMMITS_BEFORE_CHECKPOINT_MAX: usize = 64;

/// A checkpoint writes some six rows for each user that changed, whatever changed of him. In a
/// partition with as many of them it waits for the next two.
pub(crate) const MANY_CHANGED_USERS: usize = 256;
/// Until as much is journaled for each of them, 50 messages or so,
pub(crate) const CHECKPOINT_BYTES_PER_USER: usize = 16 * 1024;
/// or for as many periods.
pub(crate) const CHECKPOINT_PERIODS_MAX: u64 = 8;

/// How long a connection that was told why it closes may take to read it.
pub const CLOSING_MS: u64 = 5000;
/// The whole table of connections is looked through for silent ones in as many seconds, or less.
pub(crate) const SILENCE_SCAN_MAX_S: usize = 64;
/// Rounds in which a tick looks after shards that concern each other.
pub(crate) const SETTLE_ROUNDS_MAX: usize = 64;

const _: () = assert!(READ_BUFFER_BYTES > FRAME_BYTES_MAX as usize);
// A connection counts to where it pauses, and what one read brought more.
const _: () = assert!(
    REQUESTS_UNANSWERED_MAX as usize + READ_BUFFER_BYTES / HEADER_BYTES <= u16::MAX as usize
);
const _: () = assert!(READ_BYTES_PER_TICK >= READ_BUFFER_BYTES);
const _: () = assert!(SESSION_CREDIT_BYTES_MAX <= CREDIT_BYTES_MAX);
const _: () = assert!(SESSION_CREDIT_BYTES_MAX > FRAME_BYTES_MAX);
const _: () = assert!(OUT_BYTES_RESUME < OUT_BYTES_MAX);
const _: () = assert!(SPARE_OUTPUT_BYTES_MAX <= OUT_BYTES_MAX);
const _: () = assert!(PARCEL_REQUEST_BYTES_MAX > FRAME_BYTES_HARD_MAX as usize + HEADER_BYTES);
const _: () = assert!(PARCELS_PER_TICK <= PARCELS_MAX);
