//! What is shown of messages and chats.

use answerback_proto::id::UserId;
pub(super) use answerback_sdk::MessageId;

/// A message of the open chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: MessageId,
    /// When the box accepted it, ms since 1970; none before that.
    pub(super) at_ms: Option<u64>,
    pub(super) content: Content,
    pub(super) fate: Fate,
    /// Of a group's: members who will not get it, and why.
    pub(super) missed: Vec<(UserId, String)>,
    /// Of a group's with receipts: how many have it.
    pub(super) counts: Counts,
}

/// How many members of a group have a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Those who can get it.
    pub(super) members: usize,
    /// Those who have it.
    pub(super) delivered: usize,
    /// Those who have read it.
    pub(super) read: usize,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Words, made inert.
    Text(String),
    /// Its sender took it back.
    TakenBack,
    /// It takes another one back, which stands there as taken back.
    Recall,
    /// Something that a terminal does not show.
    Other { content_type: u16, bytes: usize },
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It came from the peer.
    Received { is_read: bool },
    /// The user sent it, from this device or another.
    Sent(Progress),
}

/// How far a sent message has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Pending,
    Accepted,
    Delivered,
    Read,
    Failed { reason: String },
}

/// A chat, as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChatLine {
    pub(super) peer: UserId,
    pub(super) unread_count: u64,
    pub(super) last: Option<Message>,
}

impl Message {
    /// Whether the user sent it.
    pub(super) fn is_own(&self) -> bool {
        matches!(self.fate, Fate::Sent(_))
    }

    /// How far it has come, where the user sent it and wants to know.
    pub(super) fn progress(&self) -> Option<&Progress> {
        match &self.fate {
            Fate::Sent(progress) if self.content != Content::TakenBack => Some(progress),
            Fate::Sent(_) | Fate::Received { .. } => None,
        }
    }

    /// Whether it stands in the chat. A recall does where it failed.
    pub(super) fn is_shown(&self) -> bool {
        self.content != Content::Recall || self.is_failed()
    }

    /// Whether it came from the peer, and waits to be read.
    pub(super) fn is_unread(&self) -> bool {
        self.fate == Fate::Received { is_read: false }
    }

    /// Whether it can be sent again.
    pub(super) fn is_failed(&self) -> bool {
        matches!(self.fate, Fate::Sent(Progress::Failed { .. }))
    }
}

impl Content {
    /// It in words, which may have several lines.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::TakenBack => "taken back".to_owned(),
            Self::Recall => "took a message back".to_owned(),
            Self::Other { content_type, bytes } => {
                format!("{bytes} bytes of content type {content_type}, which is no text")
            }
        }
    }
}
