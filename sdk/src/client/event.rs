//! What a client tells its app.

use std::collections::VecDeque;

use answerback_proto::id::UserId;

use super::Error;
use crate::session::{AskId, Outcome};

/// Events that wait for the app, at most; what says the same as one that waits is left out.
const WAITING_MAX: usize = 256;

/// How far the connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// An attempt is under way.
    Connecting,
    /// The session is open.
    Online,
    /// Between two attempts; sending goes on into the file.
    Offline {
        /// The next attempt, from now on.
        retry_in_ms: u64,
        /// Why the last one ended, for people who read logs.
        reason: String,
        /// Whether somebody was there who is not the box that was meant: no trusted certificate,
        /// another key, another protocol. The app may say so, for the next attempt is far: the
        /// network may be one that wants a log-in first, the clock may be wrong, the app or the
        /// box may have to be mended. [`Client::foreground`](super::Client::foreground) and
        /// [`Client::network_changed`](super::Client::network_changed) try at once.
        is_untrusted: bool,
    },
    /// There will be no other attempt. Close the client; the class says what then.
    Stopped {
        /// Why.
        error: Error,
    },
}

/// A hint that something is to be looked at again. All that is true stands in the file, so an
/// app that misses events misses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The connection is at another stage.
    ConnectionChanged {
        /// Which one.
        state: ConnectionState,
    },
    /// Something about this chat: a message came, or became another state, or was read on
    /// another device.
    ChatChanged {
        /// The other end.
        peer: UserId,
    },
    /// What the other end of a chat does just now is something else; see `typing`.
    TypingChanged {
        /// The other end.
        peer: UserId,
    },
    /// A user who is watched, or was looked at, is there, or no longer; see `presence`.
    PresenceChanged {
        /// Who.
        peer: UserId,
    },
    /// The server does not say when those are there whom the user watches.
    WatchRefused {
        /// Why.
        error: Error,
    },
    /// Messages wait for `to_hand_over`.
    MessagesWaiting,
    /// All that had waited at the server when this connection was opened is here.
    CaughtUp,
    /// What became of a request that this client made.
    Answered {
        /// Which.
        ask: AskId,
        /// What.
        outcome: Outcome,
    },
    /// The device was away too long: what had waited for it is gone from the server. Tell
    /// the user that messages may be missing on this device.
    HistoryLost,
    /// More happened than is worth telling one by one: look at everything again.
    EverythingChanged,
}

impl ClientEvent {
    /// Whether "everything" says as much.
    fn is_of_one_chat(&self) -> bool {
        matches!(
            self,
            Self::ChatChanged { .. } | Self::TypingChanged { .. } | Self::PresenceChanged { .. }
        )
    }
}

/// Events that wait, none twice.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    waiting: VecDeque<ClientEvent>,
}

impl EventQueue {
    pub(super) fn push(&mut self, event: ClientEvent) {
        if let ClientEvent::ConnectionChanged { .. } = event {
            // Only the last stage counts.
            self.waiting.retain(|one| !matches!(one, ClientEvent::ConnectionChanged { .. }));
        }
        let says_all = |one: &ClientEvent| match one {
            ClientEvent::EverythingChanged => event.is_of_one_chat(),
            one => *one == event,
        };
        if self.waiting.iter().any(says_all) {
            return;
        }
        // Answers are as many as the app has asked for.
        if self.waiting.len() >= WAITING_MAX && event.is_of_one_chat() {
            self.waiting.retain(|one| !one.is_of_one_chat());
            self.waiting.push_back(ClientEvent::EverythingChanged);
        } else {
            self.waiting.push_back(event);
        }
    }

    pub(super) fn pop(&mut self) -> Option<ClientEvent> {
        self.waiting.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(peer: u128) -> ClientEvent {
        ClientEvent::ChatChanged { peer: UserId(peer) }
    }

    fn all(queue: &mut EventQueue) -> Vec<ClientEvent> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn what_waits_already_is_not_told_twice() {
        let mut queue = EventQueue::default();
        let events = [chat(1), ClientEvent::MessagesWaiting, chat(2), chat(1)];
        events.into_iter().for_each(|event| queue.push(event));
        queue.push(ClientEvent::MessagesWaiting);
        assert_eq!(all(&mut queue), [chat(1), ClientEvent::MessagesWaiting, chat(2)]);
        queue.push(chat(1));
        assert_eq!(all(&mut queue), [chat(1)]);
    }

    #[test]
    fn of_the_connections_stages_only_the_last_is_told() {
        let stage = |state| ClientEvent::ConnectionChanged { state };
        let mut queue = EventQueue::default();
        queue.push(stage(ConnectionState::Connecting));
        queue.push(chat(1));
        queue.push(stage(ConnectionState::Online));
        assert_eq!(all(&mut queue), [chat(1), stage(ConnectionState::Online)]);
    }

    #[test]
    fn an_app_that_takes_no_events_is_told_of_everything_at_once() {
        let mut queue = EventQueue::default();
        queue.push(ClientEvent::CaughtUp);
        (1..=10_000).for_each(|peer| queue.push(chat(peer)));
        assert_eq!(all(&mut queue), [ClientEvent::CaughtUp, ClientEvent::EverythingChanged]);
    }

    #[test]
    fn no_answer_is_left_out() {
        let mut queue = EventQueue::default();
        for number in 1..=1000 {
            let outcome = Outcome::Done { at_ms: number };
            queue.push(ClientEvent::Answered { ask: AskId(number), outcome });
        }
        queue.push(chat(1));
        assert_eq!(all(&mut queue).len(), 1001);
    }
}
