//! What may be said of all that shards tell sessions, whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use answerback_directory::shard::{
    Administered, Answer, Effect, Entry, EntryBody, Opened, Said, SessionRef, reply,
};
use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Position, Sequence, UserId};

use super::frames;

/// A user's device.
pub(super) type Place = (UserId, DeviceId);
/// A message: recipient, sender, sending device, number.
type Message = (UserId, UserId, DeviceId, Sequence);

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Hello {
        cursor: Position,
        is_current: bool,
    },
    Message {
        to: UserId,
        sequence: Sequence,
    },
    Skip {
        to: UserId,
        from: Sequence,
        last: Sequence,
    },
    Read {
        up_to: Sequence,
    },
    /// Of the user's own things.
    Own,
    /// Of a group, or to make one.
    Group,
}

/// An operator's command that waits for its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Revoke(Place),
    Other,
}

/// One end of a connection in the box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) place: Place,
    pub(super) is_open: bool,
    pub(super) is_probed: bool,
    pub(super) copies: bool,
    /// The greatest position that it was offered, or began at.
    pub(super) received: Position,
    pub(super) acknowledged: Position,
    /// What is offered next lies behind this.
    offered: Position,
    is_caught_up: bool,
}

/// What became of a message, as its sender was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decided {
    Accepted { at_ms: Option<u64> },
    Rejected,
}

/// Everybody who is connected, what they asked, and what they were told so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) sessions: BTreeMap<SessionRef, Session>,
    asked: BTreeMap<(SessionRef, u32), Asked>,
    commands: BTreeMap<u64, Command>,
    /// The number that a device would send next in a chat.
    next: BTreeMap<(Place, UserId), Sequence>,
    decided: BTreeMap<Message, Decided>,
    /// What was offered under each position of an inbox.
    entries: BTreeMap<(UserId, Position), (UserId, EntryBody)>,
    /// In another generation parts come again, so that a copy may be there twice.
    is_restored: bool,
    /// The position of each message and each copy, by the group that it was for, if any.
    places: BTreeMap<(bool, UserId, Message), Position>,
    /// Devices that ever came and were not revoked one by one: those that nobody may be waiting
    /// for are among them.
    pub(super) devices: BTreeSet<Place>,
}

impl Watch {
    pub(super) fn connect(&mut self, session: SessionRef, place: Place, tag: u32, asked: Asked) {
        let new = Session {
            place,
            is_open: false,
            is_probed: false,
            copies: false,
            received: Position(0),
            acknowledged: Position(0),
            offered: Position(0),
            is_caught_up: false,
        };
        self.sessions.insert(session, new);
        self.devices.insert(place);
        self.ask(session, tag, asked);
    }

    pub(super) fn ask(&mut self, session: SessionRef, tag: u32, asked: Asked) {
        self.asked.insert((session, tag), asked);
    }

    pub(super) fn command(&mut self, ticket: u64, command: Command) {
        self.commands.insert(ticket, command);
    }

    /// The open session of a device.
    pub(super) fn open(&self, place: Place) -> Option<SessionRef> {
        let mut open = self.sessions.iter().filter(|(_, one)| one.place == place && one.is_open);
        open.next_back().map(|(session, _)| *session)
    }

    /// The last session of a device.
    pub(super) fn last(&self, place: Place) -> Option<SessionRef> {
        let mut all = self.sessions.iter().filter(|(_, one)| one.place == place);
        all.next_back().map(|(session, _)| *session)
    }

    pub(super) fn next(&self, place: Place, peer: UserId) -> Sequence {
        self.next.get(&(place, peer)).copied().unwrap_or(Sequence(1))
    }

    /// A message goes out.
    pub(super) fn sent(&mut self, place: Place, peer: UserId, sequence: Sequence) {
        if sequence == self.next(place, peer) {
            self.next.insert((place, peer), sequence.next());
        }
    }

    /// A session goes back to a position.
    pub(super) fn go_back(&mut self, session: SessionRef, to: Position) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.offered = known.offered.min(to);
        }
    }

    /// Time has passed: sessions that do not acknowledge are offered the same again.
    pub(super) fn go_back_all(&mut self) {
        for known in self.sessions.values_mut() {
            known.offered = known.offered.min(known.acknowledged);
        }
    }

    /// A connection is gone, and with it what it asked.
    pub(super) fn close(&mut self, session: SessionRef) -> Option<Session> {
        self.asked.retain(|(asking, _), _| *asking != session);
        self.sessions.remove(&session)
    }

    /// The box is gone.
    pub(super) fn forget_box(&mut self, is_restored: bool) {
        self.sessions.clear();
        self.asked.clear();
        self.commands.clear();
        self.is_restored |= is_restored;
    }

    /// Whatever was asked is answered.
    pub(super) fn check_answered(&self) {
        assert!(self.asked.is_empty(), "without an answer: {:?}", self.asked);
        assert!(self.commands.is_empty(), "commands without an outcome: {:?}", self.commands);
    }

    /// Something is said; the session that ends by it.
    pub(super) fn hear(&mut self, effect: &Effect) -> Option<(SessionRef, Session)> {
        match effect {
            Effect::Answer { to, tag, peer, answer } => {
                frames::check_answer(*tag, *peer, answer);
                if self.sessions.contains_key(to) {
                    self.hear_answer(*to, *tag, *peer, answer);
                }
            }
            Effect::Opened { to, tag, opened, .. } => self.hear_opened(*to, *tag, opened),
            Effect::Entry { to, entry } => self.hear_entry(*to, entry),
            Effect::CaughtUp { to, position, .. } => {
                let known = self.sessions.get_mut(to);
                let was = known.map(|known| std::mem::replace(&mut known.is_caught_up, true));
                assert_eq!(was, Some(false), "CaughtUp at {position} twice, or to nobody");
            }
            Effect::Close { to, tag, .. } => {
                assert!(*tag == 0 || self.asked.contains_key(&(*to, *tag)) || !self.is_open(*to));
                return self.close(*to).map(|known| (*to, known));
            }
            Effect::Copies { to, copies, .. } => {
                if let Some(known) = self.sessions.get_mut(to) {
                    known.copies = *copies;
                }
            }
            Effect::Probe { to } => {
                if let Some(known) = self.sessions.get_mut(to) {
                    known.is_probed = true;
                }
            }
            Effect::Administered { ticket, outcome } => {
                let Some(command) = self.commands.remove(ticket) else {
                    panic!("an outcome of no command: {ticket}")
                };
                if let (Command::Revoke(place), Administered::Done) = (command, outcome) {
                    self.devices.remove(&place);
                }
            }
            Effect::Wake(wake) => assert!(wake.messages > 0, "{wake:?} for nothing"),
            Effect::Devices { to, tag, user, page } => {
                self.hear_list(*to, *tag, Asked::Own);
                frames::check_said(|out| reply::append_devices(out, *tag, *user, page));
            }
            Effect::Chats { to, tag, user, page } => {
                self.hear_list(*to, *tag, Asked::Own);
                frames::check_said(|out| reply::append_chats(out, *tag, *user, page));
            }
            Effect::Contacts { to, tag, user, page } => {
                self.hear_list(*to, *tag, Asked::Own);
                frames::check_said(|out| reply::append_contacts(out, *tag, *user, page));
            }
            Effect::GroupDescribed { to, tag, group, described } => {
                self.hear_list(*to, *tag, Asked::Group);
                frames::check_said(|out| reply::append_described(out, *tag, *group, described));
            }
            Effect::Signal { to, signal } => {
                assert!(self.is_open(*to), "{signal:?} is shown to nobody");
                frames::check_said(|out| reply::append_signal(out, signal));
            }
            Effect::Alarm(_) | Effect::Load(_) | Effect::Mail { .. } | Effect::Report { .. } => {}
        }
        None
    }

    /// What was asked for comes, to whoever still waits for it.
    fn hear_list(&mut self, to: SessionRef, tag: u32, asked: Asked) {
        if self.sessions.contains_key(&to) {
            assert_eq!(self.asked.remove(&(to, tag)), Some(asked), "an answer to nothing");
        }
    }

    fn is_open(&self, session: SessionRef) -> bool {
        self.sessions.get(&session).is_some_and(|known| known.is_open)
    }

    fn hear_opened(&mut self, to: SessionRef, tag: u32, opened: &Opened) {
        let asked = self.asked.remove(&(to, tag));
        let Some(Asked::Hello { cursor, is_current }) = asked else {
            return assert!(asked.is_none() && !self.sessions.contains_key(&to), "{asked:?}");
        };
        let Some(known) = self.sessions.get_mut(&to) else { return };
        assert!(!is_current || opened.cursor <= cursor, "{opened:?} for {cursor}");
        known.is_open = true;
        known.copies = opened.copies;
        known.received = opened.cursor;
        known.acknowledged = opened.cursor;
        known.offered = opened.cursor;
    }

    fn hear_entry(&mut self, to: SessionRef, entry: &Entry) {
        frames::check_entry(entry);
        let Some(known) = self.sessions.get_mut(&to).filter(|known| known.is_open) else {
            panic!("an entry to nobody: {entry:?}");
        };
        let &Entry { position, after, peer, ref body } = entry;
        if position == Position(0) {
            return;
        }
        assert!(known.offered < position, "{position} again, behind {}", known.offered);
        assert!(after <= known.received, "a gap: {position} behind {after}, {:?}", known.received);
        known.offered = position;
        known.received = known.received.max(position);
        let (user, device) = known.place;
        let is_own = match body {
            EntryBody::Copied { device: of, .. } => *of == device,
            EntryBody::ReadElsewhere { reader, .. }
            | EntryBody::GroupReadElsewhere { reader, .. } => *reader == device,
            EntryBody::GroupCopied(word) => {
                matches!(word.said, Said::Message { device: of, .. } if of == device)
            }
            _ => false,
        };
        assert!(!is_own, "no news to its own device: {body:?}");
        let first = self.entries.entry((user, position)).or_insert_with(|| (peer, body.clone()));
        assert_eq!(*first, (peer, body.clone()), "nothing changes under position {position}");
        self.place(user, position, peer, body);
    }

    /// Each message and each copy has one position, and they rise with its numbers.
    fn place(&mut self, user: UserId, position: Position, peer: UserId, body: &EntryBody) {
        let nobody = UserId(0);
        let (is_copy, group, message) = match body {
            EntryBody::Message { device, sequence, .. } => {
                (false, nobody, (user, peer, *device, *sequence))
            }
            EntryBody::Copied { device, sequence, .. } => {
                (true, nobody, (user, peer, *device, *sequence))
            }
            EntryBody::GroupMessage(word) | EntryBody::GroupCopied(word) => {
                let Said::Message { device, sequence, .. } = word.said else {
                    panic!("no message: {word:?}");
                };
                let is_copy = matches!(body, EntryBody::GroupCopied(_));
                (is_copy, peer, (user, word.sender, device, sequence))
            }
            _ => return,
        };
        if !is_copy {
            let (_, sender, device, sequence) = message;
            let of_group = (group, sender, device, sequence);
            let told = self.decided.get(if group == nobody { &message } else { &of_group });
            assert_ne!(told, Some(&Decided::Rejected), "rejected, and delivered: {message:?}");
        }
        if (is_copy || group != nobody) && self.is_restored {
            return;
        }
        let known = *self.places.entry((is_copy, group, message)).or_insert(position);
        assert_eq!(known, position, "{message:?} is there twice");
        let (of_user, of_peer, device, sequence) = message;
        let chat = |at: u64| (is_copy, group, (of_user, of_peer, device, Sequence(at)));
        let earlier = self.places.range(chat(0)..chat(sequence.0)).next_back();
        assert!(earlier.is_none_or(|(_, at)| *at < position), "overtaken: {message:?}");
        let later = self.places.range(chat(sequence.0.saturating_add(1))..=chat(u64::MAX)).next();
        assert!(later.is_none_or(|(_, at)| *at > position), "overtakes: {message:?}");
    }

    fn hear_answer(&mut self, to: SessionRef, tag: u32, peer: UserId, answer: &Answer) {
        let asked = self.asked.remove(&(to, tag));
        let Some(place) = self.sessions.get(&to).map(|known| known.place) else { return };
        match (asked, answer) {
            (Some(Asked::Message { to, sequence }), answer) if to == peer => {
                self.decide((peer, place.0, place.1, sequence), answer);
                self.move_next(place, peer, sequence, answer);
            }
            (Some(Asked::Skip { to, from, last }), answer) if to == peer => match answer {
                Answer::Skipped { from: first, to, accepted } => {
                    assert_eq!((*first, *to), (from, last));
                    self.skip((peer, place.0, place.1, from), last, *accepted);
                    let next = self.next(place, peer).max(last.next());
                    self.next.insert((place, peer), next);
                }
                Answer::OutOfOrder { sequence, expected } => {
                    assert!(*sequence == from && *expected < from);
                }
                Answer::Refused { sequence, .. } => assert_eq!(*sequence, from),
                other => panic!("{other:?} to a skip from {from}"),
            },
            (Some(Asked::Read { up_to }), answer) => match answer {
                Answer::ReadNoted { .. } => {}
                Answer::Refused { sequence, .. } => assert_eq!(*sequence, up_to),
                other => panic!("{other:?} to a read up to {up_to}"),
            },
            (Some(Asked::Own), Answer::Done { .. } | Answer::Declined { .. }) => {}
            (
                Some(Asked::Group),
                Answer::Done { .. } | Answer::Declined { .. } | Answer::GroupCreated { .. },
            ) => {}
            other => panic!("an answer to nothing: {other:?} from {peer}"),
        }
    }

    /// A decision is made once: each repeat is told the same.
    fn decide(&mut self, message: Message, answer: &Answer) {
        let (.., device, number) = message;
        let (sequence, decided) = match answer {
            Answer::Accepted { sequence, accepted_at_ms } => {
                (*sequence, Some(Decided::Accepted { at_ms: Some(*accepted_at_ms) }))
            }
            Answer::Failed { sequence, device: of, .. } => {
                assert_eq!(*of, device);
                (*sequence, Some(Decided::Rejected))
            }
            Answer::Refused { sequence, .. } => (*sequence, None),
            Answer::OutOfOrder { sequence, expected } => {
                assert!(expected < sequence);
                (*sequence, None)
            }
            other => panic!("{other:?} to a message"),
        };
        assert_eq!(sequence, number, "an answer to another number");
        let Some(decided) = decided else { return };
        let told = self.decided.entry(message).or_insert(decided);
        match (*told, decided) {
            (Decided::Accepted { at_ms: None }, Decided::Accepted { .. }) => *told = decided,
            (told, decided) => assert_eq!(told, decided, "{message:?} is decided twice"),
        }
    }

    fn skip(&mut self, (to, sender, device, from): Message, last: Sequence, accepted: u64) {
        for (number, bit) in (from.0..=last.0).zip(0_u32..) {
            let message = (to, sender, device, Sequence(number));
            let told = self.decided.get(&message).copied();
            if accepted >> bit & 1 == 1 {
                assert_ne!(told, Some(Decided::Rejected), "accepted after all: {message:?}");
                self.decided.entry(message).or_insert(Decided::Accepted { at_ms: None });
            } else {
                // An acceptance of long ago is not told any more.
                self.decided.entry(message).or_insert(Decided::Rejected);
            }
        }
    }

    /// What a correct device would send next.
    fn move_next(&mut self, place: Place, peer: UserId, sequence: Sequence, answer: &Answer) {
        let next = self.next(place, peer);
        let next = match answer {
            Answer::OutOfOrder { expected, .. } => *expected,
            Answer::Refused { code: Code::DecisionForgotten, .. } => next,
            Answer::Refused { .. } => next.min(sequence),
            _ => next.max(sequence.next()),
        };
        self.next.insert((place, peer), next);
    }
}
