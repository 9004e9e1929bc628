//! Every bound of a shard, tied to those of the protocol.

use answerback_proto::limits::{BATCH_BYTES_MAX, FRAME_BYTES_HARD_MAX};
use answerback_proto::record::Settings;

/// Requests of a partition that wait for their commit; further ones are refused as Busy.
/// At 350 000 messages a second on one core, and with the 16 ms of a slow commit, some
/// 5 600 are under way in all partitions together.
pub const UNDECIDED_RECORDS_MAX: usize = 16 * 1024;
/// Once the open batch has grown to this, further sends are refused as Busy.
pub const OPEN_BYTES_MAX: usize = 2 * 1024 * 1024;
/// With so many records that somebody waits for, signals are dropped.
pub const SIGNALS_UNDECIDED_MAX: usize = UNDECIDED_RECORDS_MAX / 4;
/// And with so large an open batch.
pub const SIGNALS_OPEN_BYTES_MAX: usize = OPEN_BYTES_MAX / 4;
/// When a refused sender should try again.
pub const BUSY_RETRY_AFTER_MS: u32 = 50;
/// When a sender should try again who has filled an inbox.
pub const QUOTA_RETRY_AFTER_MS: u32 = 30_000;

/// A session's list of watched users is told again so often, so that a lost word heals.
pub const WATCH_RENEWED_MS: u64 = 300_000;
/// One that does not come again is forgotten.
pub const WATCH_FORGOTTEN_MS: u64 = 2 * WATCH_RENEWED_MS + 60_000;
/// How often it is looked which of them those are.
pub const WATCH_LOOK_PERIOD_MS: u64 = 30_000;
/// Pairs of a watcher and one of a partition's users; further lists are dropped. A pair takes 44
/// bytes in the two partitions together.
pub const WATCHES_MAX: usize = 256 * 1024;
/// Words about users of whom something has to be read first; further ones are dropped.
pub const LOOKS_WAITING_MAX: usize = 256 * 1024;
/// What one word between partitions says of users' presence.
pub const SIGHTS_PER_MAIL_MAX: usize = 1024;
/// Users at rest whose last action stays in memory: others' are read when they are asked for.
pub const ACTS_AT_REST_MAX: usize = 16 * 1024;

/// How long parts wait for newer ones to be folded into. Whoever is online was shown the
/// receipt at once, so this costs nobody anything but a restart's repeat.
pub const PART_ROUND_MS: u64 = 250;
/// Parts that are not confirmed by then are handed over again.
pub const PART_RESEND_MS: u64 = 2_000;
/// Parts to one destination in one round.
pub const PARTS_PER_ROUND_MAX: usize = 1024;

/// Entries of one page of an inbox that is read from the disk.
pub const PAGE_ENTRIES_MAX: usize = 256;
/// Payload bytes of one page; one larger entry makes a page of its own.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Entries of the disk that are kept in memory for a user's sessions, in flight included.
pub const PAGED_ENTRIES_MAX: usize = 2 * PAGE_ENTRIES_MAX;
/// Chats of a user that are read at once.
pub const CHATS_PER_READ_MAX: usize = 64;
/// Chats of a user in which somebody's numbers may have an open gap.
pub const GAPS_MAX: usize = 64;
/// Chats of a user that may be treated otherwise than at first: blocked, muted, without read
/// receipts.
pub const SET_CHATS_MAX: u16 = 4096;
/// Of a user for contacts: to how many others, who have none of it yet, it is noted that he wrote.
pub const WRITTEN_TO_MAX: usize = 16;
/// Chats that are walked over for one page of those.
pub const CHATS_WALKED_MAX: usize = 1024;
/// Such pages that may be read at once in a partition.
pub const LISTINGS_MAX: usize = 64;
/// Chats whose withheld messages end at one record.
pub const WITHHELD_CHATS_PER_DUE_MAX: usize = 16;
/// Withheld messages that end at one record; the others at the next.
pub const WITHHELD_PER_STEP_MAX: usize = 256;
/// Users whose time has come, read from the disk at once.
pub const DUE_PER_READ_MAX: usize = 256;
/// Positions of an inbox that one step of a purge empties: other records wait for no more. A
/// step a commit empties 3000 positions a second on a busy development machine.
pub const PURGED_POSITIONS_MAX: u64 = 64;
/// While so many parts wait for their destinations, a purge rests: each takes memory until
/// its sender's home has it.
pub const PURGE_PARTS_MAX: usize = 16 * PARTS_PER_ROUND_MAX;
/// Tokens of a user that an operator declared void one by one; for more of them there is the
/// time before which all are.
pub const REVOKED_TOKENS_MAX: usize = 64;
/// So long after its token expired a revocation is remembered, s: a partition's clock never
/// goes back, and may be ahead of the one by which the gateway reads tokens.
pub const REVOKED_KEPT_S: u64 = 24 * 3600;
/// Parts of a group's words that may wait for one partition: further messages of groups with
/// members there are refused as Busy.
pub const GROUP_PARTS_MAX: usize = 4 * PARTS_PER_ROUND_MAX;
/// And their payload bytes.
pub const GROUP_PART_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Messages of a device to a group whose failures are folded, the latest ones.
pub const GROUP_FAILURES_FOLDED_MAX: usize = 64;
/// Of one message to a group its sender is sent at most one entry in so long a time that says who
/// has it.
pub const GROUP_RECEIPT_PERIOD_MS: u64 = 1_000;
/// Messages of a user to a group of which it is counted who has them: each up to 300 bytes, as
/// long as what was told of it waits. Of further ones nothing is told meanwhile.
pub const GROUP_TALLIES_MAX: usize = 1024;
/// Messages of a group that a member has and has not read, of which their senders will be told
/// when he does: the latest ones.
pub const GROUP_UNREAD_MAX: usize = 1024;
/// Groups whose waiting receipts are told by one record.
pub const RECEIPT_CHATS_PER_DUE_MAX: usize = 16;
/// Such receipts of one group; the others follow with the next record.
pub const RECEIPTS_PER_DUE_MAX: usize = 256;
/// How often a shard looks whether anybody's time has come.
pub const DUE_PERIOD_MS: u64 = 1_000;
/// A partition without records has its clock moved this often, or a busy day after a quiet
/// week would look like a clock that jumped.
pub const IDLE_TICK_MS: u64 = 3_600_000;
/// Batches between two records of the state's digest.
pub const BATCHES_PER_DIGEST: u64 = 64;
/// Batch ends whose digest is remembered, to be held against a record of it.
pub const DIGESTS_KEPT: usize = 4 * BATCHES_PER_DIGEST as usize;

/// An entry that stays unacknowledged so long makes its session be probed.
pub const ACK_TIMEOUT_MS: u64 = 10_000;
/// And so long the session has for its answer.
pub const PROBE_TIMEOUT_MS: u64 = 10_000;
/// The longest pause between two attempts with the same entry.
pub const ATTEMPT_PAUSE_MAX_MS: u64 = 4 * 3_600_000;

/// Reports of a partition's users that wait until the user is read; further ones are declined.
pub const REPORTS_READING_MAX: usize = 64;

/// Users of a partition who are looked for, to be woken, or were woken a while ago; for others
/// nobody is woken before their next message. They take 10 MiB or so, where there are as many.
pub const WAKES_MAX: usize = 65_536;
/// Of them, those that are looked at at once: mostly it takes a look-up each, else a read.
pub const WAKES_PER_LOOK_MAX: usize = 256;

/// What a user and a chat take in memory, about: what [`crate::shard::Residency`] counts with.
pub const USER_BYTES: usize = 320;
/// As above.
pub const CHAT_BYTES: usize = 800;
/// As above: what a member takes in the list of a group.
pub const MEMBER_BYTES: usize = 64;
/// As above: what a sender's count takes.
pub const SENDER_BYTES: usize = 64;

/// What apply reads of an operator's settings, where nothing else is set.
pub const SETTINGS: Settings = Settings {
    inbox_messages_max: 65_536,
    inbox_bytes_max: 512 * 1024 * 1024,
    sender_messages_max: 16_384,
    device_lag_max: 100_000,
    devices_max: 10,
    lapse_s: 30 * 24 * 3600,
    gap_s: 3600,
    retry_limit: 8,
    retry_span_s: 24 * 3600,
    clock_jump_s: 24 * 3600,
};

/// One sender holds at most this part of an inbox.
pub const INBOX_SHARE_OF_A_SENDER: u32 = 4;

const _: () = assert!(OPEN_BYTES_MAX + FRAME_BYTES_HARD_MAX as usize <= BATCH_BYTES_MAX);
const _: () = assert!(WATCH_FORGOTTEN_MS > 2 * WATCH_RENEWED_MS);
const _: () = assert!(WATCHES_MAX > 256);
const _: () = assert!(PART_RESEND_MS >= 4 * PART_ROUND_MS);
const _: () = assert!(DIGESTS_KEPT as u64 > 2 * BATCHES_PER_DIGEST);
