//! What others do just now, as far as this device was told. In memory, for seconds.

use std::collections::BTreeMap;

use answerback_proto::id::UserId;
use answerback_proto::limits::WATCHED_MAX;

use super::event::{ClientEvent, EventQueue};
use crate::session::{EntryBody, Event};

/// Whoever writes says so every 4 s; so long it is shown.
const TYPING_SHOWN_MS: u64 = 6_000;
/// Others who write that are known of; nobody looks at more chats at once.
const TYPISTS_MAX: usize = 256;

/// Others whose presence is known: those who are watched, and looked at.
const SEEN_MAX: usize = 2 * WATCHED_MAX;

/// When a user was there, as far as this one may see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Whether the user counts as there now.
    pub is_online: bool,
    /// The last time that the user did something, ms since 1970 at the server; none where nothing
    /// is known, or shown.
    pub last_seen_ms: Option<u64>,
}

/// What others do.
#[derive(Debug, Default)]
pub(super) struct Signals {
    typists: BTreeMap<UserId, Typist>,
    seen: BTreeMap<UserId, Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    last_ms: u64,
    /// When it is over, on the client's clock; none where it was told, or is not so.
    online_until_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Typist {
    state: u16,
    until_ms: u64,
}

impl Signals {
    /// What a user does in the chat with this one; 0 for nothing.
    pub(super) fn typing(&self, peer: UserId, now_ms: u64) -> u16 {
        let typist = self.typists.get(&peer).filter(|typist| typist.until_ms > now_ms);
        typist.map_or(0, |typist| typist.state)
    }

    /// When a user was there; nobody says that it ended, so that is found here.
    pub(super) fn presence(&self, peer: UserId, now_ms: u64) -> Presence {
        let Some(seen) = self.seen.get(&peer) else { return Presence::default() };
        Presence {
            is_online: seen.online_until_ms.is_some_and(|until_ms| until_ms > now_ms),
            last_seen_ms: (seen.last_ms > 0).then_some(seen.last_ms),
        }
    }

    /// Only of these more is to be known.
    pub(super) fn keep_seen(&mut self, users: &[UserId]) {
        self.seen.retain(|peer, _| users.contains(peer));
    }

    /// Something happened: a word of somebody's writing, or what was written.
    pub(super) fn handle(&mut self, event: &Event, now_ms: u64, events: &mut EventQueue) {
        match event {
            Event::Typing { peer, state: 0 } => self.end(*peer, events),
            Event::Typing { peer, state } => self.begin(*peer, *state, now_ms, events),
            &Event::Presence { peer, last_action_ms, online_for_ms } => {
                self.see(peer, (last_action_ms, online_for_ms), now_ms, events);
            }
            Event::Entry(entry) if matches!(entry.body, EntryBody::Message { .. }) => {
                self.end(entry.peer, events);
            }
            _ => {}
        }
    }

    /// Forgets what was not said again.
    pub(super) fn handle_timeout(&mut self, now_ms: u64, events: &mut EventQueue) {
        self.typists.retain(|&peer, typist| {
            let is_kept = typist.until_ms > now_ms;
            if !is_kept {
                events.push(ClientEvent::TypingChanged { peer });
            }
            is_kept
        });
        for (&peer, seen) in &mut self.seen {
            if seen.online_until_ms.take_if(|until_ms| *until_ms <= now_ms).is_some() {
                events.push(ClientEvent::PresenceChanged { peer });
            }
        }
    }

    /// When something is to be forgotten.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        let typing = self.typists.values().map(|typist| typist.until_ms);
        let online = self.seen.values().filter_map(|seen| seen.online_until_ms);
        typing.chain(online).min()
    }

    fn see(
        &mut self,
        peer: UserId,
        (last_ms, online_for_ms): (u64, u32),
        now_ms: u64,
        events: &mut EventQueue,
    ) {
        if self.seen.len() >= SEEN_MAX && !self.seen.contains_key(&peer) {
            return;
        }
        let is_online = online_for_ms > 0;
        let online_until_ms = is_online.then(|| now_ms.saturating_add(online_for_ms.into()));
        let before = self.presence(peer, now_ms);
        self.seen.insert(peer, Seen { last_ms, online_until_ms });
        // Of who stays online each word says the same.
        if !(before.is_online && is_online) {
            events.push(ClientEvent::PresenceChanged { peer });
        }
    }

    fn begin(&mut self, peer: UserId, state: u16, now_ms: u64, events: &mut EventQueue) {
        if self.typists.len() >= TYPISTS_MAX && !self.typists.contains_key(&peer) {
            return;
        }
        let until_ms = now_ms.saturating_add(TYPING_SHOWN_MS);
        let before = self.typists.insert(peer, Typist { state, until_ms });
        if before.is_none_or(|before| before.state != state) {
            events.push(ClientEvent::TypingChanged { peer });
        }
    }

    fn end(&mut self, peer: UserId, events: &mut EventQueue) {
        if self.typists.remove(&peer).is_some() {
            events.push(ClientEvent::TypingChanged { peer });
        }
    }
}

#[cfg(test)]
mod tests {
    use answerback_proto::id::{DeviceId, Position, Sequence};

    use super::*;
    use crate::session::Entry;

    const BOB: UserId = UserId(2);

    fn told(queue: &mut EventQueue) -> usize {
        std::iter::from_fn(|| queue.pop()).count()
    }

    #[test]
    fn who_writes_is_shown_until_it_ends_or_is_not_said_again() {
        let (mut signals, mut queue) = (Signals::default(), EventQueue::default());
        signals.handle(&Event::Typing { peer: BOB, state: 1 }, 1_000, &mut queue);
        assert_eq!((signals.typing(BOB, 1_000), told(&mut queue)), (1, 1));
        signals.handle(&Event::Typing { peer: BOB, state: 1 }, 5_000, &mut queue);
        assert_eq!((signals.typing(BOB, 10_999), told(&mut queue)), (1, 0), "nothing new");
        assert_eq!((signals.typing(BOB, 11_000), signals.poll_timeout()), (0, Some(11_000)));
        signals.handle_timeout(11_000, &mut queue);
        assert_eq!((signals.poll_timeout(), told(&mut queue)), (None, 1));
        signals.handle(&Event::Typing { peer: BOB, state: 2 }, 12_000, &mut queue);
        signals.handle(&Event::Typing { peer: BOB, state: 0 }, 12_001, &mut queue);
        assert_eq!((signals.typing(BOB, 12_001), told(&mut queue)), (0, 1));
        signals.handle(&Event::Typing { peer: BOB, state: 0 }, 12_002, &mut queue);
        assert_eq!(told(&mut queue), 0, "it had ended");
    }

    #[test]
    fn what_was_written_ends_the_writing() {
        let (mut signals, mut queue) = (Signals::default(), EventQueue::default());
        signals.handle(&Event::Typing { peer: BOB, state: 1 }, 0, &mut queue);
        let body = EntryBody::Message {
            device: DeviceId(21),
            sequence: Sequence(1),
            accepted_at_ms: 1,
            content_type: 1,
            payload: Vec::new(),
        };
        let entry = Entry { position: Position(1), peer: BOB, body };
        signals.handle(&Event::Entry(entry), 1, &mut queue);
        assert_eq!(signals.typing(BOB, 1), 0);
    }

    #[test]
    fn who_was_online_is_not_any_more_although_nobody_says_so() {
        let (mut signals, mut queue) = (Signals::default(), EventQueue::default());
        assert_eq!(signals.presence(BOB, 0), Presence::default());
        let mut see = |signals: &mut Signals, online_for_ms, now_ms| {
            let event = Event::Presence { peer: BOB, last_action_ms: 77, online_for_ms };
            signals.handle(&event, now_ms, &mut queue);
            told(&mut queue)
        };
        assert_eq!(see(&mut signals, 20_000, 1_000), 1);
        assert_eq!(see(&mut signals, 20_000, 11_000), 0, "still online");
        let online = |is_online| Presence { is_online, last_seen_ms: Some(77) };
        assert_eq!(signals.presence(BOB, 30_999), online(true));
        assert_eq!(signals.presence(BOB, 31_000), online(false));
        assert_eq!(signals.poll_timeout(), Some(31_000));
        signals.handle_timeout(31_000, &mut queue);
        assert_eq!((told(&mut queue), signals.poll_timeout()), (1, None));
        let hidden = Event::Presence { peer: BOB, last_action_ms: 0, online_for_ms: 0 };
        signals.handle(&hidden, 32_000, &mut queue);
        assert_eq!((told(&mut queue), signals.presence(BOB, 32_000)), (1, Presence::default()));
    }

    #[test]
    fn no_more_are_known_of_than_may_be() {
        let (mut signals, mut queue) = (Signals::default(), EventQueue::default());
        for peer in 0..2 * TYPISTS_MAX as u128 {
            signals.handle(&Event::Typing { peer: UserId(peer), state: 1 }, 0, &mut queue);
        }
        assert_eq!(signals.typists.len(), TYPISTS_MAX);
    }
}
