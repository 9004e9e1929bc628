//! The messages of one chat that have no decision yet.
//!
//! ```text
//!   lowest ··· next ··· lowest + 64 ··· highest
//!   under way  │ due    │ waits for the window
//! ```
//! One pointer, `next`, divides what is under way from what is not: going back to a number
//! sends it and all behind it again. Late answers to earlier copies are told by their tag.

use std::collections::BTreeMap;

use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::header::{HEADER_BYTES, USER_ACTION};
use answerback_proto::id::{Sequence, UserId};
use answerback_proto::kind::{Envelope, GroupSend, GroupSkip, Recall, Send, Skip};
use answerback_proto::limits::UNDECIDED_MAX;

use super::ask::AskId;
use super::reads::ReadMark;
use super::{Limits, Outgoing};

/// What an answer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// A `Hello` or a `Resume`.
    Hello,
    Renew,
    Ping,
    Read(ReadMark),
    Ask(AskId),
    /// A `Watch` with the list.
    Watch,
    /// A `Watch` that changes no list.
    Look,
    DeleteChat,
    /// A `Send` or a `Recall` (one number), or a `Skip` (a range).
    Numbers {
        peer: UserId,
        first: Sequence,
        last: Sequence,
    },
}

/// What goes out under a number.
#[derive(Debug)]
pub(super) enum Content {
    Message(Words),
    /// A message that takes an earlier one back.
    Recall {
        recalled: Sequence,
        words: Words,
    },
    /// The number is given up: it goes out as a `Skip`.
    Hole,
}

impl Content {
    /// What an app queued; its peer and number stand beside it.
    pub(super) fn of(message: Outgoing) -> Self {
        let Outgoing { content_type, seen_ms, life_s, payload, recalled, .. } = message;
        let words = Words { content_type, seen_ms, life_s, payload };
        match recalled {
            Some(recalled) => Self::Recall { recalled, words },
            None => Self::Message(words),
        }
    }
}

/// What a message says.
#[derive(Debug)]
pub(super) struct Words {
    content_type: u16,
    seen_ms: u64,
    life_s: u32,
    payload: Vec<u8>,
}

/// A message, or neighbouring holes, to be written now.
#[derive(Debug)]
pub(super) struct Due<'a> {
    pub(super) first: Sequence,
    pub(super) last: Sequence,
    pub(super) content: &'a Content,
    /// The chat is a group's.
    pub(super) to_group: bool,
}

impl Due<'_> {
    /// Appends the frame. A recall goes as a `Send` where the server knows no other: then its
    /// words are all that happens.
    ///
    /// # Errors
    /// What the server would say to it; nothing is appended.
    pub(super) fn append_to(
        &self,
        out: &mut Vec<u8>,
        address: Address,
        limits: Limits,
    ) -> Result<(), Code> {
        let by_user = Address { flags: USER_ACTION, ..address };
        if self.to_group {
            return self.append_to_group(out, address, limits);
        }
        match self.content {
            Content::Recall { recalled, words } if limits.takes_recalls => {
                append(out, by_user, &self.recall(*recalled, words), &words.payload, limits)
            }
            Content::Message(words) | Content::Recall { words, .. } => {
                append(out, by_user, &self.send(words), &words.payload, limits)
            }
            Content::Hole => {
                let skip = Skip { from: self.first.0, to: self.last.0 };
                append(out, address, &skip, &[], limits)
            }
        }
    }

    /// In a group a recall is words alone: each member's app does what they say.
    fn append_to_group(
        &self,
        out: &mut Vec<u8>,
        address: Address,
        limits: Limits,
    ) -> Result<(), Code> {
        if !limits.takes_groups {
            return Err(Code::UnknownKind);
        }
        let by_user = Address { flags: USER_ACTION, ..address };
        match self.content {
            Content::Message(words) | Content::Recall { words, .. } => {
                let send = GroupSend {
                    sequence: self.first.0,
                    seen_ms: words.seen_ms,
                    life_s: words.life_s,
                    content_type: words.content_type,
                };
                append(out, by_user, &send, &words.payload, limits)
            }
            Content::Hole => {
                let skip = GroupSkip { from: self.first.0, to: self.last.0 };
                append(out, address, &skip, &[], limits)
            }
        }
    }

    fn send(&self, words: &Words) -> Send {
        Send {
            sequence: self.first.0,
            seen_ms: words.seen_ms,
            life_s: words.life_s,
            content_type: words.content_type,
        }
    }

    fn recall(&self, recalled: Sequence, words: &Words) -> Recall {
        Recall {
            sequence: self.first.0,
            recalled: recalled.0,
            seen_ms: words.seen_ms,
            life_s: words.life_s,
            content_type: words.content_type,
        }
    }
}

fn append<E: Envelope>(
    out: &mut Vec<u8>,
    address: Address,
    envelope: &E,
    payload: &[u8],
    limits: Limits,
) -> Result<(), Code> {
    envelope.check()?;
    if HEADER_BYTES + E::BYTES + payload.len() > limits.frame_bytes_max {
        return Err(Code::FrameTooLarge);
    }
    append_frame(out, address, envelope, &[], payload);
    Ok(())
}

#[derive(Debug)]
struct Item {
    content: Content,
    /// The request under way, 0 for none.
    tag: u32,
}

/// The undecided numbers of one chat.
#[derive(Debug, Default)]
pub(super) struct ChatWindow {
    /// It is a group's.
    pub(super) to_group: bool,
    items: BTreeMap<Sequence, Item>,
    next: Sequence,
    held_until_ms: Option<u64>,
    /// Nothing goes out before this number is held: the server lacks it.
    awaited: Option<Sequence>,
}

impl ChatWindow {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn held_until_ms(&self) -> Option<u64> {
        self.held_until_ms
    }

    /// Holds a number, once.
    pub(super) fn insert(&mut self, sequence: Sequence, content: Content) {
        self.items.entry(sequence).or_insert(Item { content, tag: 0 });
        self.next = self.next.min(sequence);
        if self.awaited == Some(sequence) {
            self.awaited = None;
        }
    }

    /// The next thing to be written, under `tag`.
    pub(super) fn poll_due(&mut self, undecided_max: u64, tag: u32) -> Option<Due<'_>> {
        if self.held_until_ms.is_some() || self.awaited.is_some() {
            return None;
        }
        let to_group = self.to_group;
        let lowest = self.items.keys().next()?.0;
        let window_end = Sequence(lowest.saturating_add(undecided_max));
        let (&first, item) = self.items.range_mut(self.next..window_end).next()?;
        item.tag = tag;
        let last = match item.content {
            Content::Message(_) | Content::Recall { .. } => first,
            Content::Hole => self.tag_neighbouring_holes(first, window_end, tag),
        };
        self.next = last.next();
        let item = self.items.get(&first)?;
        Some(Due { first, last, content: &item.content, to_group })
    }

    /// Whether `tag` is the latest request for `sequence`, and undecided.
    pub(super) fn is_current(&self, sequence: Sequence, tag: u32) -> bool {
        self.items.get(&sequence).is_some_and(|item| item.tag == tag)
    }

    /// A number is decided; whether it was not before.
    pub(super) fn decide(&mut self, sequence: Sequence) -> bool {
        // The server has closed the gap by itself, and lacks nothing any more.
        self.awaited.take_if(|awaited| *awaited <= sequence);
        self.items.remove(&sequence).is_some()
    }

    /// Numbers are given up at the server too.
    pub(super) fn decide_holes(&mut self, first: Sequence, last: Sequence) {
        let is_kept = |sequence: &Sequence, item: &mut Item| {
            !((first..=last).contains(sequence) && matches!(item.content, Content::Hole))
        };
        self.items.retain(is_kept);
    }

    pub(super) fn is_hole(&self, sequence: Sequence) -> bool {
        self.items.get(&sequence).is_some_and(|item| matches!(item.content, Content::Hole))
    }

    pub(super) fn replace_by_hole(&mut self, sequence: Sequence) {
        if let Some(item) = self.items.get_mut(&sequence) {
            item.content = Content::Hole;
            self.go_back(sequence);
        }
    }

    /// The last of the numbers from `expected` on that are not held, at most a window of
    /// them; `None` where `expected` is held.
    pub(super) fn missing_from(&self, expected: Sequence) -> Option<Sequence> {
        let (&held, _) = self.items.range(expected..).next()?;
        let count = (held.0 - expected.0).min(UNDECIDED_MAX);
        (count > 0).then(|| Sequence(expected.0 + count - 1))
    }

    /// Sends `sequence` and all behind it again.
    pub(super) fn go_back(&mut self, sequence: Sequence) {
        self.next = self.next.min(sequence);
        self.items.range_mut(sequence..).for_each(|(_, item)| item.tag = 0);
    }

    /// Nothing goes out before that time.
    pub(super) fn hold(&mut self, until_ms: u64) {
        self.held_until_ms = Some(self.held_until_ms.map_or(until_ms, |held| held.max(until_ms)));
    }

    /// Nothing goes out before `sequence` is held.
    pub(super) fn wait_for(&mut self, sequence: Sequence) {
        self.awaited = Some(sequence);
    }

    pub(super) fn handle_timeout(&mut self, now_ms: u64) {
        if self.held_until_ms.is_some_and(|until| until <= now_ms) {
            self.held_until_ms = None;
        }
    }

    pub(super) fn forget_connection(&mut self) {
        self.held_until_ms = None;
        self.awaited = None;
        self.go_back(Sequence(0));
    }

    /// Not beyond the window: what goes out next is looked for before its end.
    fn tag_neighbouring_holes(&mut self, first: Sequence, end: Sequence, tag: u32) -> Sequence {
        let mut last = first;
        for (&sequence, item) in self.items.range_mut(first.next()..end) {
            let is_neighbour = sequence == last.next() && sequence.0 - first.0 < UNDECIDED_MAX;
            if !is_neighbour || !matches!(item.content, Content::Hole) {
                break;
            }
            item.tag = tag;
            last = sequence;
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server may allow fewer undecided numbers than lie in a run of holes.
    #[test]
    fn a_run_of_holes_goes_out_window_by_window() {
        let mut chat = ChatWindow::default();
        (1..=5).for_each(|number| chat.insert(Sequence(number), Content::Hole));
        let range = |due: Due<'_>| (due.first, due.last);
        assert_eq!(chat.poll_due(2, 1).map(range), Some((Sequence(1), Sequence(2))));
        assert!(chat.poll_due(2, 2).is_none(), "the window is full");
        chat.decide_holes(Sequence(1), Sequence(2));
        assert_eq!(chat.poll_due(2, 3).map(range), Some((Sequence(3), Sequence(4))));
    }

    #[test]
    fn a_number_that_the_server_decided_is_not_waited_for() {
        let mut chat = ChatWindow::default();
        chat.insert(Sequence(2), Content::Hole);
        chat.wait_for(Sequence(1));
        assert!(chat.poll_due(64, 1).is_none());
        chat.decide(Sequence(1));
        assert_eq!(chat.poll_due(64, 1).map(|due| due.first), Some(Sequence(2)));
    }
}
