//! Signals: what is shown to whoever is looking, now or never. They are in no journal, no inbox
//! and no digest, and decide nothing; a shard with more to do than usual drops them, long before
//! it refuses anything.

use answerback_proto::id::UserId;

use super::load::Wanted;
use super::state::may_write;
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
        if self.is_strained() || peer == user {
            return;
        }
        let who_look: Vec<_> = self.sessions.that_take_typing(user).collect();
        if who_look.is_empty() || !self.may_show(user, peer) || !self.takes_from(user, peer) {
            return;
        }
        let signal = Signal::Typing { peer, state };
        self.effects.extend(who_look.into_iter().map(|to| Effect::Signal { to, signal }));
    }

    /// Whether what `peer` does just now is for the eyes of a user of this partition, and what
    /// that one does for the other's. Most have no chat set, and it is not looked up for that; one
    /// that is not in memory is read for the next word.
    pub fn may_show(&mut self, user: UserId, peer: UserId) -> bool {
        let known = self.state.users.get(user).filter(|known| known.set_chats() > 0);
        let Some(known) = known.filter(|_| !planted!(BlockIgnored)) else { return true };
        match known.chats.get(&peer) {
            Some(chat) => !chat.settings().is_blocked(),
            None => {
                self.load(Wanted::Chat(user, peer));
                false
            }
        }
    }

    /// Whether a user of this partition would take a message of `peer`; what that needs and is
    /// not in memory is read for the next word.
    fn takes_from(&mut self, user: UserId, peer: UserId) -> bool {
        let Some(known) = self.state.users.get(user) else { return false };
        may_write(known, peer).unwrap_or_else(|missing| {
            self.load(missing);
            false
        })
    }

    /// Whether so much waits that signals are dropped.
    pub(super) fn is_strained(&self) -> bool {
        self.waiting_records() >= SIGNALS_UNDECIDED_MAX
            || self.open.byte_length() >= SIGNALS_OPEN_BYTES_MAX
    }
}
