//! Users say who may write to them first: of a stranger nothing is taken, and he is told so.

use answerback_proto::kind::{
    BLOCKED, CONTACTS_ADDED, CONTACTS_REMOVED, Kind, ListContacts, SetChat, SetVisibility,
    SetWriters, WRITERS_CONTACTS, WRITERS_EVERYBODY,
};

use super::presence::set_contacts;
use super::signals::signals;
use super::*;
use crate::limits::WRITTEN_TO_MAX;

fn set_writers(at: &mut Box, of: Origin, who: u16) -> Vec<Answer> {
    at.home(of.user).handle_own(Kind::SetWriters, of, &envelope(&SetWriters { who }));
    at.settle();
    at.answers(of)
}

/// A writes to B, who takes messages of contacts only.
fn pair_for_contacts() -> (Box, Origin, Origin) {
    let (mut at, a, b) = pair();
    assert_eq!(set_writers(&mut at, b, WRITERS_CONTACTS), [Answer::Done { at_ms: NOW_MS }]);
    at.said.clear();
    (at, a, b)
}

fn rejected(sequence: u64) -> Answer {
    let code = Code::ContactsOnly;
    Answer::Failed { device: PHONE, sequence: Sequence(sequence), code }
}

fn told(sequence: u64) -> String {
    format!("failed {sequence}: {}", Code::ContactsOnly.number())
}

/// The answers to messages of a sender under these numbers, one after the other.
fn sent(at: &mut Box, from: Origin, to: UserId, sequences: &[u64]) -> Vec<Answer> {
    let send = |sequence: &u64| {
        at.send(from, to, *sequence);
        at.settle();
        at.answers(from)
    };
    sequences.iter().flat_map(send).collect()
}

#[test]
fn a_strangers_message_fails_and_its_number_is_used_up() {
    let (mut at, a, b) = pair_for_contacts();
    assert_eq!(sent(&mut at, a, B, &[1, 1]), [rejected(1), rejected(1)]);
    assert_eq!(at.said_to(a), [told(1)], "and durable");
    assert_eq!((at.said_to(b), at.user(B).live), (vec![], 0));
    let [c, d] = [3, 4].map(|user| at.connect(UserId(user), PHONE, 0));
    set_contacts(&mut at, b, CONTACTS_ADDED, &[A, d.user]);
    assert_eq!(sent(&mut at, a, B, &[2]), [accepted(2)]);
    assert_eq!(sent(&mut at, c, B, &[1]), [rejected(1)]);
    set_contacts(&mut at, b, CONTACTS_REMOVED, &[A, d.user]);
    let laptop = at.connect(A, LAPTOP, 0);
    assert_eq!(sent(&mut at, a, B, &[3]), [accepted(3)], "not his first");
    assert_eq!(sent(&mut at, laptop, B, &[1]), [accepted(1)], "from whichever device");
    assert_eq!(sent(&mut at, d, B, &[1]), [rejected(1)], "who never wrote meanwhile");
    set_writers(&mut at, b, WRITERS_EVERYBODY);
    assert_eq!(sent(&mut at, c, B, &[2]), [accepted(2)]);
    set_writers(&mut at, b, WRITERS_CONTACTS);
    assert_eq!(sent(&mut at, c, B, &[3]), [accepted(3)]);
}

#[test]
fn who_has_had_a_message_of_the_user_may_answer() {
    let (mut at, a, b) = pair_for_contacts();
    assert_eq!(sent(&mut at, b, A, &[1]), [accepted(1)]);
    assert_eq!(sent(&mut at, a, B, &[1]), [rejected(1)], "which he does not have yet");
    at.ack(a, 1);
    at.settle();
    at.forget_all();
    at.restart();
    let a = at.connect(A, PHONE, 1);
    assert_eq!(sent(&mut at, a, B, &[2]), [accepted(2)]);
}

#[test]
fn who_is_written_to_may_answer_at_once() {
    let (mut at, a, b) = pair_for_contacts();
    for _ in 0..2 {
        assert!(at.home(B).note_writing(B, A));
        at.send(b, A, 1);
    }
    // The answer is on its way before anything of that is committed.
    at.send(a, B, 1);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1)]);
    assert_eq!(at.user(B).written_to(), [A], "once");
    let before = at.disk.journal.len();
    assert!(at.home(B).note_writing(B, A));
    at.settle();
    assert_eq!(at.disk.journal.len(), before, "that chat has begun");
}

#[test]
fn who_was_written_to_lately_is_found_again() {
    let (mut at, _, b) = pair_for_contacts();
    let peers: Vec<_> = (50..50 + WRITTEN_TO_MAX as u128 + 1).map(UserId).collect();
    for peer in &peers {
        at.connect(*peer, PHONE, 0);
        assert!(at.home(B).note_writing(B, *peer));
        at.forget_all();
    }
    at.settle();
    at.forget_all();
    at.restart();
    let mut answer = |peer: UserId| {
        let from = at.connect(peer, PHONE, 0);
        sent(&mut at, from, B, &[1]).remove(0)
    };
    assert_eq!(answer(peers[0]), rejected(1), "too many others since");
    assert_eq!((answer(peers[1]), answer(peers[16])), (accepted(1), accepted(1)));
    let b = at.connect(b.user, LAPTOP, 0);
    set_writers(&mut at, b, WRITERS_EVERYBODY);
    set_writers(&mut at, b, WRITERS_CONTACTS);
    assert_eq!(at.user(B).written_to(), [], "known only while it counts");
}

#[test]
fn sessions_are_told_whether_it_is_noted_to_whom_they_write() {
    let (mut at, _, b) = pair();
    assert!(!at.opened(b).notes_writing);
    assert!(at.home(B).note_writing(B, A));
    at.settle();
    assert_eq!(at.user(B).written_to(), []);
    let told = |at: &Box| {
        let told = at.said.iter().rev().find_map(|effect| match effect {
            Effect::Copies { to, notes_writing, .. } if *to == b.session => Some(*notes_writing),
            _ => None,
        });
        told.unwrap()
    };
    set_writers(&mut at, b, WRITERS_CONTACTS);
    assert!(told(&at));
    let laptop = at.connect(B, LAPTOP, 0);
    assert!(at.opened(laptop).notes_writing);
    set_writers(&mut at, laptop, WRITERS_EVERYBODY);
    assert!(!told(&at));
}

#[test]
fn what_a_stranger_sends_early_is_not_kept_and_what_was_kept_fails_at_its_turn() {
    let (mut at, a, b) = pair_for_contacts();
    let early =
        |sequence| Answer::OutOfOrder { sequence: Sequence(sequence), expected: Sequence(1) };
    set_contacts(&mut at, b, CONTACTS_ADDED, &[UserId(77)]);
    at.forget_all();
    assert_eq!(sent(&mut at, a, B, &[2]), [early(2)]);
    set_writers(&mut at, b, WRITERS_EVERYBODY);
    assert_eq!(sent(&mut at, a, B, &[3]), [early(3)]);
    let parked =
        |at: &mut Box| at.user(B).chats[&A].senders[0].parked.keys().copied().collect::<Vec<_>>();
    assert_eq!(parked(&mut at), [Sequence(3)]);
    set_writers(&mut at, b, WRITERS_CONTACTS);
    at.forget_all();
    at.restart();
    let a = at.connect(A, PHONE, 0);
    at.wait(3_700_000);
    let closed = Code::GapClosed.number();
    let expected = [format!("failed 1: {closed}"), format!("failed 2: {closed}"), told(3)];
    assert_eq!(at.said_to(a), expected);
    assert_eq!(sent(&mut at, a, B, &[3]), [rejected(3)]);
}

#[test]
fn a_stranger_cannot_tell_whether_he_is_blocked() {
    let block = |at: &mut Box, b, flags| {
        let set = SetChat { peer: A.0, changes: BLOCKED, flags, muted_until_ms: 0 };
        at.home(B).handle_own(Kind::SetChat, b, &envelope(&set));
        at.settle();
    };
    let seen = |is_blocked: bool, is_contact: bool, was_taken: bool| {
        let (mut at, a, b) = pair();
        if is_blocked {
            block(&mut at, b, BLOCKED);
        } else {
            at.close(b);
        }
        at.said.clear();
        let mut answers = Vec::new();
        if was_taken {
            answers.extend(sent(&mut at, a, B, &[1]));
        }
        let tablet = at.connect(B, LAPTOP, 0);
        if is_contact {
            set_contacts(&mut at, tablet, CONTACTS_ADDED, &[A]);
        }
        set_writers(&mut at, tablet, WRITERS_CONTACTS);
        at.close(tablet);
        let next = answers.len() as u64 + 1;
        answers.extend(sent(&mut at, a, B, &[next, next + 2, next + 1, next + 2]));
        at.recall(a, B, next + 3, next);
        at.settle();
        answers.extend(at.answers(a));
        (answers, at.said_to(a))
    };
    for (is_contact, was_taken) in [(false, false), (false, true), (true, false)] {
        let (blocked, away) =
            (seen(true, is_contact, was_taken), seen(false, is_contact, was_taken));
        assert_eq!(blocked, away, "contact {is_contact}, taken {was_taken}");
        let is_taken = is_contact || was_taken;
        assert_eq!(away.0.contains(&rejected(1)), !is_taken, "{away:?}");
    }
}

#[test]
fn who_may_write_is_found_again_and_ends_with_the_user() {
    let (mut at, a, b) = pair_for_contacts();
    set_contacts(&mut at, b, CONTACTS_ADDED, &[UserId(3)]);
    at.forget_all();
    at.restart();
    let [a, c] = [a.user, UserId(3)].map(|user| at.connect(user, LAPTOP, 0));
    at.forget_all();
    assert_eq!(sent(&mut at, c, B, &[1]), [accepted(1)]);
    at.forget_all();
    at.send(a, B, 1);
    at.settle();
    let code = Code::ContactsOnly;
    let failed = Answer::Failed { device: LAPTOP, sequence: Sequence(1), code };
    assert_eq!(at.answers(a), [failed]);
    at.home(B).handle_purge_user(B, 1);
    at.settle();
    at.connect(B, DeviceId(77), 0);
    assert_eq!(sent(&mut at, a, B, &[2]), [accepted(2)], "the new one has said nothing");
}

#[test]
fn of_a_stranger_it_is_not_shown_that_he_writes() {
    let (mut at, _, b) = pair_for_contacts();
    set_contacts(&mut at, b, CONTACTS_ADDED, &[UserId(3)]);
    at.forget_all();
    let mut shown = |peer| {
        at.home(B).handle_mail(Mail::Typing { user: B, peer, state: 1 });
        at.settle();
        signals(&mut at, b).len()
    };
    assert_eq!((shown(A), shown(A), shown(A)), (0, 0, 0));
    assert_eq!((shown(UserId(3)), shown(UserId(3))), (0, 1), "the chat is read first");
}

#[test]
fn a_stranger_may_add_the_user_to_a_group() {
    let (mut at, a, b) = pair_for_contacts();
    let group = at.create(a, 7, &[B]);
    at.said.clear();
    at.post(a, group, 1, 0);
    at.settle();
    assert_eq!(at.said_to(b), ["1:1 of 1"]);
    at.answers(a);
    assert_eq!(sent(&mut at, a, B, &[1]), [rejected(1)]);
}

fn listed(at: &mut Box, of: Origin, behind: u128) -> ContactsPage {
    at.home(of.user).handle_own(Kind::ListContacts, of, &envelope(&ListContacts { behind }));
    at.settle();
    let page = at.said.iter().rev().find_map(|effect| match effect {
        Effect::Contacts { to, page, .. } if *to == of.session => Some(page.clone()),
        _ => None,
    });
    page.unwrap()
}

#[test]
fn contacts_and_what_is_theirs_are_read_back_page_by_page() {
    let (mut at, _, b) = pair();
    let nothing = ContactsPage { users: vec![], visibility: 0, writers: 0, next_behind: UserId(0) };
    assert_eq!(listed(&mut at, b, 0), nothing);
    let all: Vec<_> = (100..4196).map(UserId).collect();
    for half in all.chunks(2048) {
        set_contacts(&mut at, b, CONTACTS_ADDED, half);
    }
    set_writers(&mut at, b, WRITERS_CONTACTS);
    at.home(B).handle_own(Kind::SetVisibility, b, &envelope(&SetVisibility { visibility: 2 }));
    at.settle();
    at.forget_all();
    at.restart();
    let b = at.connect(B, PHONE, 0);
    assert_eq!(at.user(B).contacts(), None, "on the disk alone");
    let first = listed(&mut at, b, 0);
    assert_eq!((first.visibility, first.writers), (2, 1));
    assert_eq!((&first.users[..], first.next_behind), (&all[..2048], UserId(2147)));
    let second = listed(&mut at, b, first.next_behind.0);
    assert_eq!((&second.users[..], second.next_behind), (&all[2048..], UserId(0)));
    set_contacts(&mut at, b, CONTACTS_REMOVED, &all[1..2048]);
    let users = &listed(&mut at, b, 0).users;
    assert_eq!((users.len(), users[0], users[1]), (2048 + 1 - 1, UserId(100), UserId(2148)));
}

#[test]
fn a_number_beyond_the_last_closes_the_session() {
    let (mut at, _, b) = pair();
    set_writers(&mut at, b, 2);
    assert_eq!(at.closed(b), Some(Code::FrameMalformed));
}
