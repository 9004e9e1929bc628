//! Messages as an app sees them.

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Sequence, UserId};

use super::ErrorClass;
use super::error::class_of;
use crate::storage::{self, Fate, SentState};

/// A message's identity, the same on every device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// The other end of the chat, seen from this device.
    pub peer: UserId,
    /// Who sent it.
    pub sender: UserId,
    /// From which device.
    pub device: DeviceId,
    /// That device's number of it in the chat, from 1.
    pub sequence: Sequence,
}

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageState {
    /// Only in this device's file.
    Pending,
    /// Durable at the server.
    Accepted,
    /// A device of the recipient has it; of a received one: it is here, and was not read.
    Delivered,
    /// The recipient has read it; of a received one: the user has, on any device.
    Read,
    /// It was taken back before anybody had it. Final.
    Recalled,
    /// It will not be delivered. Final: to try again is another message.
    Failed,
}

/// Why a message failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The protocol's code.
    pub code: u16,
    /// Its name, for people who read logs.
    pub name: String,
    /// Whether sending it again may help, and what else to do.
    pub class: ErrorClass,
}

/// A message of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which one.
    pub id: MessageId,
    /// What the payload is; opaque to the server.
    pub content_type: u16,
    /// Opaque to the server.
    pub payload: Vec<u8>,
    /// Its place in the shown order, ms since 1970; none before it is accepted.
    pub accepted_at_ms: Option<u64>,
    /// Whether the user has sent it, from any device.
    pub is_own: bool,
    /// How far it is.
    pub state: MessageState,
    /// Why it failed or was recalled.
    pub failure: Option<Failure>,
}

/// A chat, as a list of chats shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatSummary {
    /// The other end.
    pub peer: UserId,
    /// The last message in the shown order.
    pub last: Message,
    /// Received messages that the user has not read.
    pub unread_count: u64,
    /// Messages that are only in this device's file.
    pub pending_count: u64,
}

/// A received message that the app is not done with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its number in this file, in the order of arrival: what `done` takes.
    pub row: i64,
    /// Its place in the user's inbox when it came, for support.
    pub position: u64,
    /// The message.
    pub message: Message,
}

impl Message {
    pub(super) fn of_stored(peer: UserId, user: UserId, stored: storage::ChatMessage) -> Self {
        let storage::ChatMessage { sender, device, sequence, accepted_at_ms, .. } = stored;
        let state = match stored.fate {
            Fate::Received { is_read: false } => MessageState::Delivered,
            Fate::Received { is_read: true } => MessageState::Read,
            Fate::Sent(state) => state_of(state),
        };
        Self {
            id: MessageId { peer, sender, device, sequence },
            content_type: stored.content_type,
            payload: stored.payload,
            accepted_at_ms,
            is_own: sender == user,
            state,
            failure: stored.code.map(failure),
        }
    }
}

/// What the surface calls what the file knows; what the server refused has failed.
fn state_of(state: SentState) -> MessageState {
    match state {
        SentState::Queued => MessageState::Pending,
        SentState::Accepted => MessageState::Accepted,
        SentState::Delivered => MessageState::Delivered,
        SentState::Read => MessageState::Read,
        SentState::Recalled => MessageState::Recalled,
        SentState::Failed | SentState::Refused => MessageState::Failed,
    }
}

pub(super) fn failure(code: u16) -> Failure {
    let name = Code::from_number(code)
        .map_or_else(|| format!("code {code}"), |code| code.name().to_owned());
    Failure { code, name, class: class_of(code) }
}

impl Received {
    pub(super) fn of_stored(stored: storage::Received) -> Self {
        let storage::Received { row, peer, sender, device, sequence, .. } = stored;
        let message = Message {
            id: MessageId { peer, sender, device, sequence },
            content_type: stored.content_type,
            payload: stored.payload,
            accepted_at_ms: Some(stored.accepted_at_ms),
            is_own: false,
            state: MessageState::Delivered,
            failure: None,
        };
        Self { row, position: stored.position.0, message }
    }
}
