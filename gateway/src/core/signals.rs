//! What users do just now, on its way to whoever looks: passed on or dropped, never refused.
//!
//! A session passes one word a chat that its user writes in as many ms as [`TYPING_PERIOD_MS`],
//! and one behind it that he stopped. Whoever passed something lately stands in two maps, the
//! older of which is dropped whole once it knows nothing of that time any more.

use answerback_directory::shard::{Mail, SessionRef, Signal, reply};
use answerback_proto::code::Code;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::UserId;
use answerback_proto::kind::{Kind, Typing};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Core;
use super::stop::Phase;
use crate::admission::Sender;
use crate::clock::unix_ms;
use crate::limits::{ACTION_PERIOD_S, TYPING_PERIOD_MS, TYPISTS_MAX};
use crate::reactor::slot::SlotKey;
use crate::session::Session;

/// Who wrote lately, and where.
#[derive(Debug, Default)]
pub(super) struct Typists {
    younger: HashMap<(SlotKey, UserId), Typed, RandomState>,
    older: HashMap<(SlotKey, UserId), Typed, RandomState>,
    rotates_at_ms: u64,
}

/// What was passed last.
#[derive(Clone, Copy, Debug)]
struct Typed {
    at_ms: u64,
    has_stopped: bool,
}

impl Core {
    /// Passes on what a user does in a chat, where nobody has more to do than he can.
    pub(super) fn pass_typing(
        &mut self,
        key: SlotKey,
        session: Session,
        frame: &Frame<'_>,
    ) -> Result<(), Code> {
        let Typing { state } = answerback_proto::access::read(frame.envelope)?;
        let peer = UserId(frame.header.target);
        if self.takes_signal(session, frame)
            && self.typists.admit(key, peer, state == 0, self.now_ms())
            && self.shows_itself(session, peer)
        {
            let mail = Mail::Typing { user: peer, peer: session.user, state };
            self.mail(self.shared.table.partition_of(peer), mail);
        }
        Ok(())
    }

    /// Whether the user has not blocked the other, who is then told nothing of him.
    fn shows_itself(&mut self, session: Session, peer: UserId) -> bool {
        let home = self.shards.touch(self.home_of(session));
        home.is_some_and(|shard| shard.may_show(session.user, peer))
    }

    /// A person did something, says a frame: the user's home is told, now and then. In other modes
    /// nobody is there who could, and of frames that apps send by themselves the flag says nothing.
    pub(super) fn note_action(&mut self, key: SlotKey, session: Session, frame: &Frame<'_>) {
        let is_by_person = frame.header.kind().is_some_and(Kind::may_be_user_action);
        let now_s = (self.now_us / 1_000_000) as u16;
        let is_told = session.acted_s > 0 && now_s.wrapping_sub(session.acted_s) < ACTION_PERIOD_S;
        if !session.is_active || !is_by_person || is_told {
            return;
        }
        if let Some(connection) = self.connections.find(key) {
            connection.session.acted_s = now_s.max(1);
        }
        if let Some(shard) = self.shards.touch(self.home_of(session)) {
            shard.handle_action(session.user, unix_ms());
        }
    }

    /// Whether a signal goes on. It counts as a message counts in what a device may send.
    fn takes_signal(&mut self, session: Session, frame: &Frame<'_>) -> bool {
        let sender = Sender { user: session.user, device: session.device };
        self.phase == Phase::Serving
            && !self.is_memory_low()
            && self.rates.admit(sender, frame.header.length, self.now_us).is_ok()
    }

    /// Shows a signal to a session of this core, unless it reads more slowly than it is told.
    pub(super) fn show_signal(&mut self, to: SessionRef, signal: &Signal) {
        let Some(key) = self.key_of(to) else { return };
        match signal {
            Signal::Typing { .. } => {
                self.connections.append_signal(key, |out| reply::append_signal(out, signal));
            }
            // Of a whole list many come at once, and nobody says them again.
            Signal::Presence { .. } => {
                self.connections.append_word(key, |out| reply::append_signal(out, signal));
            }
        }
    }
}

impl Typists {
    /// Whether a word goes on: that a user writes in a chat, or has stopped.
    fn admit(&mut self, key: SlotKey, peer: UserId, has_stopped: bool, now_ms: u64) -> bool {
        if self.rotates_at_ms <= now_ms {
            self.older = std::mem::take(&mut self.younger);
            self.rotates_at_ms = now_ms.saturating_add(TYPING_PERIOD_MS);
        }
        let who = (key, peer);
        let last = self.younger.get(&who).or_else(|| self.older.get(&who)).copied();
        let last = last.filter(|last| now_ms.saturating_sub(last.at_ms) < TYPING_PERIOD_MS);
        let typed = match last {
            Some(last) if has_stopped && !last.has_stopped => Typed { has_stopped, ..last },
            Some(_) => return false,
            None => Typed { at_ms: now_ms, has_stopped },
        };
        let has_room = self.younger.len() < TYPISTS_MAX || self.younger.contains_key(&who);
        if has_room {
            self.younger.insert(who, typed);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: u32) -> SlotKey {
        SlotKey { index, generation: 1 }
    }

    #[test]
    fn one_word_a_chat_goes_on_in_a_period_and_one_that_it_ended() {
        let mut typists = Typists::default();
        let mut admit = |chat, has_stopped, at_ms| {
            typists.admit(key(1), UserId(chat), has_stopped, 10_000 + at_ms)
        };
        assert!(admit(1, false, 0));
        assert!(!admit(1, false, 1));
        assert!(admit(2, false, 1), "another chat");
        assert!(admit(1, true, 2));
        assert!(!admit(1, true, 3));
        assert!(!admit(1, false, 4), "the end gives no new beginning");
        assert!(!admit(1, false, TYPING_PERIOD_MS - 1));
        assert!(admit(1, false, TYPING_PERIOD_MS));
        assert!(!admit(1, false, TYPING_PERIOD_MS + 1));
        assert!(admit(1, true, 9 * TYPING_PERIOD_MS), "that it ended is said at any time");
        assert!(!admit(1, false, 9 * TYPING_PERIOD_MS + 1));
    }

    #[test]
    fn nobody_is_remembered_for_long_nor_more_of_them_than_may_be() {
        let mut typists = Typists::default();
        for chat in 0..TYPISTS_MAX as u128 {
            assert!(typists.admit(key(1), UserId(chat), false, 1));
        }
        assert!(!typists.admit(key(2), UserId(1), false, 1), "as many as there may be");
        assert!(typists.admit(key(2), UserId(1), false, 1 + TYPING_PERIOD_MS));
        assert!(typists.admit(key(2), UserId(1), false, 1 + 2 * TYPING_PERIOD_MS));
        assert_eq!((typists.younger.len(), typists.older.len()), (1, 1));
    }
}
