//! What the client keeps, as the chat shows it: payloads become inert words, recalls do what
//! they say, codes become reasons.

use answerback_proto::code::Code;
use answerback_sdk::{self as sdk, ChatSummary, Client, MemberReceipt, MemberState, MessageState};

use super::message::{ChatLine, Content, Counts, Fate, Message, MessageId, Progress};
use super::text::inert;

/// `content_type` of a text, from the registry.
pub(super) const TEXT: u16 = 1;
/// `content_type` of a recall: the payload is the number that is taken back, 8 bytes.
pub(super) const RECALL: u16 = 2;

/// The list of chats.
pub(super) fn chats(summaries: Vec<ChatSummary>) -> Vec<ChatLine> {
    let chat = |summary: ChatSummary| {
        let last = Some(message(summary.last));
        ChatLine { peer: summary.peer, unread_count: summary.unread_count, last }
    };
    summaries.into_iter().map(chat).collect()
}

/// The messages of a group, with who will not get one of the user's.
pub(super) fn group_messages(
    client: &Client,
    stored: Vec<sdk::Message>,
) -> Result<Vec<Message>, sdk::Error> {
    let mut messages = messages(stored);
    for message in messages.iter_mut().filter(|message| message.is_own()) {
        let missed = client.member_failures(message.id)?.into_iter();
        message.missed = missed.map(|(user, why)| (user, reason(Some(why.code)))).collect();
        message.counts = counts(&client.member_receipts(message.id)?);
    }
    Ok(messages)
}

fn counts(receipts: &[MemberReceipt]) -> Counts {
    let count =
        |is: fn(&MemberState) -> bool| receipts.iter().filter(|receipt| is(&receipt.state)).count();
    Counts {
        members: count(|state| !matches!(state, MemberState::Failed { .. })),
        delivered: count(|state| matches!(state, MemberState::Delivered | MemberState::Read)),
        read: count(|state| *state == MemberState::Read),
    }
}

/// The messages of a chat, with what was taken back.
pub(super) fn messages(stored: Vec<sdk::Message>) -> Vec<Message> {
    let recalled: Vec<_> = stored.iter().filter_map(recalled).collect();
    let mut messages: Vec<_> = stored.into_iter().map(message).collect();
    for message in messages.iter_mut().filter(|message| recalled.contains(&message.id)) {
        message.content = Content::TakenBack;
    }
    messages
}

/// What a recall is to be sent with.
pub(super) fn recall_payload(recalled: MessageId) -> Vec<u8> {
    recalled.sequence.0.to_le_bytes().to_vec()
}

/// The message that this one takes back, unless that failed.
fn recalled(message: &sdk::Message) -> Option<MessageId> {
    let bytes = message.payload.as_slice().try_into().ok()?;
    let sequence = answerback_proto::id::Sequence(u64::from_le_bytes(bytes));
    let does = message.content_type == RECALL && message.state != MessageState::Failed;
    does.then_some(MessageId { sequence, ..message.id })
}

fn message(stored: sdk::Message) -> Message {
    let fate = match stored.is_own {
        true => Fate::Sent(progress(&stored)),
        false => Fate::Received { is_read: stored.state == MessageState::Read },
    };
    let content = match (stored.state, stored.content_type, str::from_utf8(&stored.payload)) {
        (MessageState::Recalled, _, _) => Content::TakenBack,
        (_, RECALL, _) => Content::Recall,
        (_, TEXT, Ok(text)) => Content::Text(inert(text)),
        (_, content_type, _) => Content::Other { content_type, bytes: stored.payload.len() },
    };
    let (id, at_ms) = (stored.id, stored.accepted_at_ms);
    Message { id, at_ms, content, fate, missed: Vec::new(), counts: Counts::default() }
}

fn progress(stored: &sdk::Message) -> Progress {
    match stored.state {
        MessageState::Pending => Progress::Pending,
        MessageState::Accepted => Progress::Accepted,
        MessageState::Delivered | MessageState::Recalled => Progress::Delivered,
        MessageState::Read => Progress::Read,
        MessageState::Failed => {
            Progress::Failed { reason: reason(stored.failure.as_ref().map(|failure| failure.code)) }
        }
    }
}

/// Why a message failed, for the person who wrote it.
fn reason(number: Option<u16>) -> String {
    let known = match number.and_then(Code::from_number) {
        Some(Code::UnknownUser) => "there is no such user",
        Some(Code::ContactsOnly) => "only contacts may write first: be added, or be written to",
        Some(Code::InboxFull) => "the recipient's inbox is full",
        Some(Code::SenderQuota) => "too much from you waits there already",
        Some(Code::FrameTooLarge) => "it is too long",
        Some(Code::Expired) => "it was not fetched in time",
        Some(Code::NotMember) => "you are no member of this group",
        Some(Code::UnknownGroup) => "there is no such group",
        Some(Code::LifeTooShort) => "it may wait for 5 seconds at least",
        Some(Code::Undeliverable) => "the recipient's device does not take it",
        Some(Code::GapClosed) => "it came too late",
        Some(Code::Repaired) => "the box lost it",
        Some(Code::DiskReserve) => "the box is full",
        Some(code) => return format!("{} ({})", code.name(), code.number()),
        None => return number.map_or_else(String::new, |number| format!("code {number}")),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use answerback_proto::id::{DeviceId, Sequence, UserId};
    use answerback_sdk::{ErrorClass, Failure};

    use super::*;

    fn stored(sequence: u64, content_type: u16, payload: &[u8]) -> sdk::Message {
        let (peer, device) = (UserId(2), DeviceId(21));
        sdk::Message {
            id: MessageId { peer, sender: peer, device, sequence: Sequence(sequence) },
            content_type,
            payload: payload.to_vec(),
            accepted_at_ms: Some(sequence),
            is_own: false,
            state: MessageState::Delivered,
            failure: None,
        }
    }

    fn contents(stored: Vec<sdk::Message>) -> Vec<Content> {
        messages(stored).into_iter().map(|message| message.content).collect()
    }

    #[test]
    fn a_text_is_made_inert_and_other_content_named() {
        let shown = contents(vec![stored(1, TEXT, b"a\x1b[2J"), stored(2, 77, b"GIF89a")]);
        assert_eq!(shown[0], Content::Text("a␛[2J".to_owned()));
        assert_eq!(shown[1], Content::Other { content_type: 77, bytes: 6 });
        assert_eq!(contents(vec![stored(1, TEXT, b"\xff")])[0].words().lines().count(), 1);
    }

    #[test]
    fn a_recall_takes_back_what_its_own_device_sent() {
        let recall = recall_payload(stored(1, TEXT, b"").id);
        let mut other = stored(1, TEXT, b"stays");
        other.id.device = DeviceId(22);
        let shown = contents(vec![stored(1, TEXT, b"goes"), other, stored(2, RECALL, &recall)]);
        assert_eq!(shown, [Content::TakenBack, Content::Text("stays".to_owned()), Content::Recall]);
    }

    #[test]
    fn a_recall_that_failed_takes_nothing_back() {
        let mut recall = stored(2, RECALL, &1_u64.to_le_bytes());
        (recall.is_own, recall.state) = (true, MessageState::Failed);
        let shown = contents(vec![stored(1, TEXT, b"stays"), recall]);
        assert_eq!(shown[0], Content::Text("stays".to_owned()));
        assert_eq!(contents(vec![stored(1, TEXT, b"stays"), stored(2, RECALL, b"?")])[0], shown[0]);
    }

    #[test]
    fn a_failure_has_a_reason_in_words_or_at_least_a_number() {
        let reason_of = |code| {
            let mut message = stored(1, TEXT, b"hello");
            (message.is_own, message.state) = (true, MessageState::Failed);
            let (name, class) = (String::new(), ErrorClass::FixRequest);
            message.failure = Some(Failure { code, name, class });
            match progress(&message) {
                Progress::Failed { reason } => reason,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(reason_of(Code::UnknownUser.number()), "there is no such user");
        assert!(reason_of(Code::ContactsOnly.number()).starts_with("only contacts"));
        assert_eq!(reason_of(Code::Skipped.number()), "Skipped (3011)");
        assert_eq!(reason_of(9999), "code 9999");
    }
}
