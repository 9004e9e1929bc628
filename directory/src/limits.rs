//! Every bound of a shard, tied to those of the protocol.

use answerback_proto::limits::{BATCH_BYTES_MAX, FRAME_BYTES_HARD_MAX};

/// Requests of a partition that wait for their commit; further ones are refused as Busy.
/// At 350 000 messages a second on one core, and with the 16 ms of a slow commit, some
/// 5 600 are under way in all partitions together.
pub const UNDECIDED_RECORDS_MAX: usize = 16 * 1024;
/// Once the open batch has grown to this, further sends are refused as Busy.
pub const OPEN_BYTES_MAX: usize = 2 * 1024 * 1024;
/// When a refused sender should try again.
pub const BUSY_RETRY_AFTER_MS: u32 = 50;

/// How long parts wait for newer ones to be folded into. Whoever is online was shown the
/// receipt at once, so this costs nobody anything but a restart's repeat.
pub const PART_ROUND_MS: u64 = 250;
/// Parts that are not confirmed by then are handed over again.
pub const PART_RESEND_MS: u64 = 2_000;
/// Parts to one destination in one round.
pub const PARTS_PER_ROUND_MAX: usize = 1024;

const _: () = assert!(OPEN_BYTES_MAX + FRAME_BYTES_HARD_MAX as usize <= BATCH_BYTES_MAX);
const _: () = assert!(PART_RESEND_MS >= 4 * PART_ROUND_MS);
