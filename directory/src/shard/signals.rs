//! Signals: what is shown to whoever is looking, now or never. They are in no journal, no inbox
//! and no digest, and decide nothing; a shard with more to do than usual drops them, long before
//! it refuses anything.

use answerback_proto::id::UserId;

use super::{Effect, Shard};
use crate::limits::{SIGNALS_OPEN_BYTES_MAX, SIGNALS_UNDECIDED_MAX};

/// What is shown now or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A user writes, or no longer.
    Typing {
        /// Who.
        peer: UserId,
        /// What `peer` does, 0 for nothing any more.
        state: u16,
    },
    /// When a user was there last.
    Presence {
        /// Who.
        peer: UserId,
        /// The last action, ms since 1970; 0 where none is known, or shown.
        last_action_ms: u64,
        /// How long the user counts as there from now on, ms.
        online_for_ms: u32,
    },
}

impl Shard {
    /// `peer` writes to a user of this partition, or no longer.
    pub(super) fn show_typing(&mut self, user: UserId, peer: UserId, state: u16) {
        if self.is_strained() || !self.may_show(peer, user) {
            return;
        }
        let signal = Signal::Typing { peer, state };
        for to in self.sessions.that_take_typing(user) {
            self.effects.push_back(Effect::Signal { to, signal });
        }
    }

    /// Whether what `of` does just now may be shown to `to`, a user of this partition. Of a
    /// chat in which `to` has blocked `of` nothing is: that comes with blocks.
    fn may_show(&self, of: UserId, to: UserId) -> bool {
        of != to
    }

    /// Whether so much waits that signals are dropped.
    pub(super) fn is_strained(&self) -> bool {
        self.waiting_records() >= SIGNALS_UNDECIDED_MAX
            || self.open.byte_length() >= SIGNALS_OPEN_BYTES_MAX
    }
}
