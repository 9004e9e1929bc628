//! The pure path of messages through shards: 64 users write to 64 others, all of them in
//! memory.

use std::hint::black_box;

use answerback_proto::id::UserId;

use crate::instructions_counted;
use crate::shards::Core;

const PAIRS: u64 = 64;
/// Ticks whose work is counted; each takes a message of every sender.
const TICKS: u64 = 32;
/// As many before that: the tables have grown, and all have written to each other.
const WARM_TICKS: u64 = 8;

fn sender(pair: u64) -> UserId {
    UserId(u128::from(1 + pair))
}

fn recipient(pair: u64) -> UserId {
    UserId(u128::from(1 + PAIRS + pair))
}

/// All logged in, and warm.
fn warm() -> Core {
    let mut core = Core::new();
    for pair in 0..PAIRS {
        core.connect(sender(pair));
        core.connect(recipient(pair));
    }
    core.rest();
    chat(&mut core, 1, WARM_TICKS);
    core.rest();
    core.freeze();
    core.handle_checkpointed();
    (core.pushed, core.answered) = (0, 0);
    core
}

/// A message of every sender a tick, and the acknowledgements of the last tick's.
fn chat(core: &mut Core, first: u64, ticks: u64) {
    for sequence in first..first + ticks {
        core.acknowledge();
        for pair in 0..PAIRS {
            core.send(sender(pair), recipient(pair), sequence);
        }
        core.tick();
    }
}

/// A `Send` is journaled, applied, answered and pushed as a `Deliver`; its acknowledgement
/// is journaled and applied; the receipt goes to the sender's partition and the sender, and
/// is acknowledged in turn.
pub(crate) fn message() -> u64 {
    let mut core = warm();
    instructions_counted(&mut || {
        chat(&mut core, 1 + WARM_TICKS, TICKS);
        core.acknowledge();
        core.tick();
    });
    assert_eq!(core.answered, PAIRS * TICKS, "each is accepted");
    assert!(core.pushed >= 2 * PAIRS * TICKS, "each is delivered, and its receipt");
    PAIRS * TICKS
}

/// A `Send` is journaled, applied and answered; it waits.
pub(crate) fn away() -> u64 {
    let mut core = warm();
    (0..PAIRS).for_each(|pair| core.close(recipient(pair)));
    core.tick();
    instructions_counted(&mut || chat(&mut core, 1 + WARM_TICKS, TICKS));
    assert_eq!(core.answered, PAIRS * TICKS, "each is accepted");
    assert_eq!(core.pushed, 0, "nobody is there");
    PAIRS * TICKS
}

/// Everybody has chatted, and nothing waits.
pub(crate) fn freeze_users() -> u64 {
    let mut core = warm();
    chat(&mut core, 1 + WARM_TICKS, TICKS);
    core.rest();
    freeze(core);
    2 * PAIRS
}

/// The recipients are away.
pub(crate) fn freeze_messages() -> u64 {
    let mut core = warm();
    (0..PAIRS).for_each(|pair| core.close(recipient(pair)));
    core.tick();
    chat(&mut core, 1 + WARM_TICKS, TICKS);
    freeze(core);
    PAIRS * TICKS
}

fn freeze(mut core: Core) {
    instructions_counted(&mut || {
        black_box(core.freeze());
        core.handle_checkpointed();
    });
}
