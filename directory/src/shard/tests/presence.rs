//! When users were there last, and who is told.

use answerback_proto::kind::{
    BLOCKED, CONTACTS_ADDED, CONTACTS_REMOVED, CONTACTS_REPLACED, Kind, MUTED, SetChat,
    SetContacts, SetVisibility, Watch,
};

use super::signals::signals;
use super::*;
use crate::limits::{WATCH_FORGOTTEN_MS, WATCH_RENEWED_MS};

const C: UserId = UserId(3);
const NOBODY: UserId = UserId(999);

/// A whole `Watch`, without its header.
fn watch_envelope(once: u16, users: &[UserId]) -> Vec<u8> {
    let mut frame = Vec::new();
    Watch { once, users_count: 0 }.append(&mut frame, Address::default(), users).unwrap();
    frame.split_off(HEADER_BYTES)
}

impl Box {
    fn watch(&mut self, of: Origin, users: &[UserId]) {
        self.home(of.user).handle_own(Kind::Watch, of, &watch_envelope(0, users));
        self.settle();
    }

    fn look(&mut self, of: Origin, user: UserId) {
        self.home(of.user).handle_own(Kind::Watch, of, &watch_envelope(1, &[user]));
        self.settle();
    }

    fn act(&mut self, user: UserId) {
        let now_ms = self.now_ms;
        self.home(user).handle_action(user, now_ms);
        self.settle();
    }

    fn show_to(&mut self, of: Origin, visibility: u16) {
        self.home(of.user).handle_own(
            Kind::SetVisibility,
            of,
            &envelope(&SetVisibility { visibility }),
        );
        self.settle();
    }

    /// What a session was shown since the last call: who, when, whether still there.
    fn seen(&mut self, of: Origin) -> Vec<(UserId, u64, bool)> {
        let seen = |signal| match signal {
            Signal::Presence { peer, last_action_ms, online_for_ms } => {
                (peer, last_action_ms, online_for_ms > 0)
            }
            other => panic!("{other:?}"),
        };
        signals(self, of).into_iter().map(seen).collect()
    }

    fn presence_rows(&self) -> usize {
        self.disk.rows.keys().filter(|(table, _)| *table == Table::Presence).count()
    }
}

#[test]
fn a_watcher_is_told_at_once_and_whenever_the_other_comes_back() {
    let (mut at, a, _) = pair();
    at.watch(a, &[B, C]);
    assert!(at.answers(a).iter().any(|answer| matches!(answer, Answer::Done { .. })));
    assert_eq!(at.seen(a), [(B, 0, false), (C, 0, false)]);
    let first_ms = at.now_ms;
    at.act(B);
    assert_eq!(at.seen(a), [(B, first_ms, true)], "at once");
    at.wait(5_000);
    at.act(B);
    assert_eq!(at.seen(a), [], "of who stays not each time");
    at.wait(5_000);
    at.act(B);
    assert_eq!(at.seen(a), [(B, first_ms + 10_000, true)]);
    at.wait(60_000);
    assert_eq!(at.seen(a), [], "nobody says that it ended");
    at.look(a, B);
    assert_eq!(at.seen(a), [(B, first_ms + 10_000, false)]);
}

#[test]
fn a_list_takes_the_place_of_the_earlier_one_and_a_look_changes_none() {
    let (mut at, a, _) = pair();
    at.connect(C, PHONE, 0);
    at.watch(a, &[B]);
    at.look(a, C);
    at.seen(a);
    at.act(C);
    assert_eq!(at.seen(a), []);
    at.watch(a, &[C, C]);
    assert_eq!(at.seen(a), [(C, NOW_MS, true)]);
    at.act(B);
    assert_eq!(at.seen(a), [], "watched no more");
    at.watch(a, &[]);
    at.wait(60_000);
    at.act(C);
    assert_eq!(at.seen(a), []);
}

#[test]
fn who_hides_looks_like_nobody_and_sees_nobody() {
    let (mut at, a, b) = pair();
    at.act(B);
    at.act(A);
    at.watch(a, &[B, NOBODY]);
    assert_eq!(at.seen(a), [(B, NOW_MS, true), (NOBODY, 0, false)]);
    at.show_to(b, 2);
    assert_eq!(at.seen(a), [(B, 0, false)], "what was seen is taken back");
    at.wait(60_000);
    at.act(B);
    assert_eq!(at.seen(a), [], "a word would tell that there was something");
    at.look(a, B);
    at.look(a, NOBODY);
    assert_eq!(at.seen(a), [(B, 0, false), (NOBODY, 0, false)]);
    at.watch(b, &[A]);
    assert_eq!(at.seen(b), [(A, 0, false)], "nor does who hides see others");
    let shown_ms = at.now_ms;
    at.show_to(b, 0);
    assert_eq!(at.seen(a), [(B, shown_ms, true)]);
    assert_eq!(at.seen(b), [(A, NOW_MS, false)]);
}

fn set_chat(at: &mut Box, of: Origin, peer: UserId, changes: u16, flags: u16) {
    let muted_until_ms = if changes & MUTED != 0 { NOW_MS } else { 0 };
    let set = SetChat { peer: peer.0, changes, flags, muted_until_ms };
    at.home(of.user).handle_own(Kind::SetChat, of, &envelope(&set));
    at.settle();
    at.answers(of);
}

#[test]
fn who_is_blocked_sees_what_he_would_see_of_who_hides_and_is_not_seen() {
    // The same again after everything has left the memory, so that chats have to be read.
    for is_cold in [false, true] {
        let (mut at, a, b) = pair();
        let c = at.connect(C, PHONE, 0);
        at.act(A);
        at.act(B);
        set_chat(&mut at, b, C, MUTED, 0);
        at.watch(a, &[B]);
        at.watch(c, &[B]);
        assert_eq!((at.seen(a), at.seen(c)), (vec![(B, NOW_MS, true)], vec![(B, NOW_MS, true)]));
        set_chat(&mut at, b, A, BLOCKED, BLOCKED);
        assert_eq!(at.seen(a), [(B, 0, false)], "what was seen is taken back");
        assert_eq!(at.seen(c), [], "others are told nothing by it");
        let (mut a, mut b, mut c) = (a, b, c);
        if is_cold {
            [a, b, c].into_iter().for_each(|of| at.close(of));
            at.forget_all();
            at.restart();
            (a, b) = (at.connect(A, LAPTOP, 0), at.connect(B, LAPTOP, 0));
            c = at.connect(C, LAPTOP, 0);
            at.watch(a, &[B]);
            at.watch(c, &[B]);
            at.seen(a);
            at.seen(c);
        }
        at.wait(60_000);
        at.act(B);
        let now_ms = at.now_ms;
        assert_eq!((at.seen(a), at.seen(c)), (vec![], vec![(B, now_ms, true)]));
        at.look(a, B);
        at.look(a, NOBODY);
        assert_eq!(at.seen(a), [(B, 0, false), (NOBODY, 0, false)]);
        at.act(A);
        at.watch(b, &[A, C]);
        at.look(b, A);
        let seen = at.seen(b);
        assert_eq!(seen.iter().filter(|(of, ..)| *of == A).count(), 2, "{seen:?}");
        assert!(
            seen.iter().all(|(of, last_ms, _)| *of == C || *last_ms == 0),
            "nor sees: {seen:?}"
        );
        set_chat(&mut at, b, A, BLOCKED, 0);
        assert_eq!(at.seen(a), [(B, now_ms, true)]);
        assert_eq!(at.seen(b), [(A, now_ms, true)]);
    }
}

pub(super) fn set_contacts(at: &mut Box, of: Origin, mode: u16, users: &[UserId]) -> Vec<Answer> {
    at.answers(of);
    let mut frame = Vec::new();
    SetContacts { mode, users_count: 0 }.append(&mut frame, Address::default(), users).unwrap();
    at.home(of.user).handle_own(Kind::SetContacts, of, &frame.split_off(HEADER_BYTES));
    at.settle();
    at.answers(of)
}

#[test]
fn only_contacts_see_who_shows_himself_to_them() {
    for is_cold in [false, true] {
        let (mut at, a, mut b) = pair();
        at.show_to(b, 1);
        at.act(B);
        at.act(A);
        at.look(a, B);
        assert_eq!(at.seen(a), [(B, 0, false)], "nobody is one yet");
        at.watch(a, &[B]);
        at.seen(a);
        at.answers(b);
        let done = vec![Answer::Done { at_ms: NOW_MS }];
        assert_eq!(set_contacts(&mut at, b, CONTACTS_REPLACED, &[C, NOBODY]), done);
        assert_eq!(at.seen(a), [(B, 0, false)]);
        assert_eq!(set_contacts(&mut at, b, CONTACTS_ADDED, &[A, C]), done);
        assert_eq!(at.seen(a), [(B, NOW_MS, true)], "at once");
        let mut a = a;
        if is_cold {
            [a, b].into_iter().for_each(|of| at.close(of));
            at.forget_all();
            at.restart();
            (a, b) = (at.connect(A, LAPTOP, 0), at.connect(B, LAPTOP, 0));
            at.act(B);
            at.act(A);
        }
        at.look(a, B);
        at.look(b, A);
        at.look(b, C);
        assert_eq!(at.seen(a), [(B, NOW_MS, true)]);
        assert_eq!(at.seen(b), [(A, NOW_MS, true), (C, 0, false)]);
        assert_eq!(set_contacts(&mut at, b, CONTACTS_REMOVED, &[A]), done);
        at.look(a, B);
        at.look(b, A);
        assert_eq!(at.seen(a).last(), Some(&(B, 0, false)));
        assert_eq!(at.seen(b), [(A, 0, false)], "and he sees nobody else either");
    }
}

#[test]
fn contacts_that_are_too_many_or_oneself_change_nothing() {
    let (mut at, _, b) = pair();
    let users = |of: std::ops::Range<u128>| of.map(UserId).collect::<Vec<_>>();
    let declined = |code| vec![Answer::Declined { code, retry_after_ms: 0 }];
    let done = vec![Answer::Done { at_ms: NOW_MS }];
    assert_eq!(set_contacts(&mut at, b, CONTACTS_REPLACED, &users(100..2148)), done);
    assert_eq!(set_contacts(&mut at, b, CONTACTS_ADDED, &users(2148..4196)), done);
    assert_eq!(set_contacts(&mut at, b, CONTACTS_ADDED, &users(2148..4196)), done, "again");
    let full = declined(Code::ListFull);
    assert_eq!(set_contacts(&mut at, b, CONTACTS_ADDED, &[UserId(50), UserId(100)]), full);
    assert_eq!(set_contacts(&mut at, b, CONTACTS_ADDED, &[A, B]), declined(Code::NotYourself));
    assert_eq!(at.user(B).contacts().map(<[UserId]>::len), Some(4096));
    assert_eq!(set_contacts(&mut at, b, CONTACTS_REMOVED, &users(1000..1500)), done);
    at.forget_all();
    at.restart();
    let b = at.connect(B, LAPTOP, 0);
    assert_eq!(at.user(B).contacts_count(), 3596);
    assert_eq!(at.user(B).contacts(), None, "nobody has asked");
    assert_eq!(set_contacts(&mut at, b, CONTACTS_ADDED, &[UserId(50)]), done);
    assert_eq!(at.user(B).contacts().map(<[UserId]>::len), Some(3597));
    at.home(B).handle_purge_user(B, 1);
    at.settle();
    at.checkpoint();
    let rows = at.disk.rows.keys().filter(|(table, _)| *table == Table::Contacts).count();
    assert_eq!(rows, 0);
    let twice = [[0, 0, 2, 0].as_slice(), &A.0.to_le_bytes(), &A.0.to_le_bytes()].concat();
    let b = at.connect(C, LAPTOP, 0);
    at.home(C).handle_own(Kind::SetContacts, b, &twice);
    at.settle();
    assert_eq!(at.closed(b), Some(Code::FrameMalformed));
}

#[test]
fn what_cannot_be_asked_has_its_code() {
    let (mut at, a, _) = pair();
    let unseen = at.connect_unseen(A, LAPTOP);
    at.watch(unseen, &[B]);
    let code = Code::NotActive;
    assert_eq!(at.answers(unseen), [Answer::Declined { code, retry_after_ms: 0 }]);
    at.act(B);
    assert_eq!(at.seen(unseen), []);
    let mut beyond = watch_envelope(0, &[B; 256]);
    beyond[2..4].copy_from_slice(&257_u16.to_le_bytes());
    beyond.extend(B.0.to_le_bytes());
    at.home(A).handle_own(Kind::Watch, a, &beyond);
    at.settle();
    assert_eq!(at.closed(a), Some(Code::FrameMalformed));
    let b = at.connect(B, LAPTOP, 0);
    at.home(B).handle_own(Kind::SetVisibility, b, &envelope(&SetVisibility { visibility: 3 }));
    at.settle();
    assert_eq!(at.closed(b), Some(Code::FrameMalformed));
}

#[test]
fn last_actions_are_written_now_and_then_and_survive() {
    let (mut at, _, b) = pair();
    at.show_to(b, 0);
    at.act(B);
    at.checkpoint();
    assert_eq!(at.presence_rows(), 0, "not with each checkpoint");
    at.wait(300_000);
    at.act(A);
    assert!(at.home(B).has_actions_to_write());
    at.checkpoint();
    at.checkpoint();
    let totals: Vec<_> = at.shards.iter().map(Shard::presence_totals).collect();
    let sum = |of: fn(&PresenceTotals) -> u64| totals.iter().map(of).sum::<u64>();
    assert_eq!((sum(|totals| totals.writes) <= 2, sum(|totals| totals.rows)), (true, 2));
    assert_eq!(at.presence_rows(), 2);
    at.restart();
    let a = at.connect(A, LAPTOP, 0);
    at.look(a, B);
    assert_eq!(at.seen(a), [(B, NOW_MS, false)]);
    at.act(A);
    at.shards.iter_mut().for_each(Shard::handle_last_checkpoint);
    at.checkpoint();
    at.restart();
    let c = at.connect(C, PHONE, 0);
    at.look(c, A);
    assert_eq!(at.seen(c), [(A, NOW_MS + 300_000, true)], "a stop writes all");
}

#[test]
fn who_may_see_survives_and_ends_with_the_user() {
    let (mut at, a, b) = pair();
    at.show_to(b, 2);
    at.forget_all();
    at.restart();
    let a = at.connect(A, LAPTOP, a.user.0 as u64 - 1);
    at.act(B);
    at.look(a, B);
    assert_eq!(at.seen(a), [(B, 0, false)]);
    at.home(B).handle_purge_user(B, 1);
    at.settle();
    at.wait(5_000);
    at.look(a, B);
    assert_eq!(at.seen(a), [(B, 0, false)]);
    at.connect(B, DeviceId(77), 0);
    at.look(a, B);
    assert_eq!(at.seen(a), [(B, 0, false)], "nothing is left of who was purged");
    at.act(B);
    at.look(a, B);
    assert_eq!(at.seen(a), [(B, NOW_MS + 5_000, true)], "and the new one hides from nobody");
}

#[test]
fn a_session_that_is_gone_watches_nobody() {
    let (mut at, a, _) = pair();
    at.watch(a, &[B]);
    assert_eq!(at.home(B).presence_totals().watches, 1);
    at.close(a);
    assert_eq!(at.home(B).presence_totals().watches, 0);
}

#[test]
fn a_word_that_was_lost_heals() {
    let (mut at, a, _) = pair();
    at.watch(a, &[B]);
    at.seen(a);
    at.home(B).take_watch(A, a.session, std::boxed::Box::default(), false);
    at.act(B);
    assert_eq!(at.seen(a), []);
    at.wait(WATCH_RENEWED_MS + 1_000);
    assert_eq!(at.seen(a), [(B, NOW_MS, false)]);
    // That the session ended was lost.
    at.home(A).sessions.close(A, a.session);
    at.wait(WATCH_FORGOTTEN_MS + WATCH_RENEWED_MS);
    assert_eq!(at.home(B).presence_totals().watches, 0);
}

/// The same records with and without: neither the digest nor a row is another.
#[test]
fn nothing_is_decided_by_presence() {
    let run = |acts: bool| {
        let (mut at, a, b) = pair();
        for sequence in 1..=5 {
            if acts {
                at.watch(a, &[B, C, NOBODY]);
                at.act(B);
                at.act(A);
                at.home(B).handle_mail(Mail::Typing { user: B, peer: A, state: 1 });
            }
            at.send(a, B, sequence);
            at.settle();
            at.ack(b, sequence);
            at.settle();
        }
        at.shards.iter_mut().for_each(Shard::handle_last_checkpoint);
        at.checkpoint();
        assert_eq!(at.presence_rows() > 0, acts);
        let digests: Vec<_> = at.shards.iter().map(|shard| shard.state.digest).collect();
        at.disk.rows.retain(|(table, _), _| *table != Table::Presence);
        (digests, at.disk.rows)
    };
    assert_eq!(run(true), run(false));
}
