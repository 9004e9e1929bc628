//! Groups: who gets what, who is told what, and what stays of it.

use answerback_proto::id::GroupId;
use answerback_proto::kind::{
    ChangeMembers, CreateGroup, GroupSend, GroupSkip, Kind, RenameGroup, action, change, role,
};

use super::*;
use crate::limits::GROUP_PARTS_MAX;
use crate::shard::parts::{About, PartBody};

/// Users 1 to 8 are at more than one home.
pub(super) const C: UserId = UserId(3);
pub(super) const D: UserId = UserId(4);

impl Box {
    pub(super) fn group_home(&mut self, group: UserId) -> &mut Shard {
        let home = self.table.home_of_group(group);
        &mut self.shards[usize::from(home.0)]
    }

    pub(super) fn ask(&mut self, kind: Kind, of: Origin, group: UserId, frame: &[u8]) {
        let envelope = &frame[HEADER_BYTES..];
        self.group_home(group).handle_group_request(kind, of, group, envelope, &[]);
        self.settle();
    }

    pub(super) fn create(&mut self, of: Origin, nonce: u128, members: &[UserId]) -> UserId {
        let mut frame = Vec::new();
        let create = CreateGroup { nonce, members_count: 0, name_length: 0 };
        create.append(&mut frame, Address::default(), members, b"a group").unwrap();
        let group = self.table.group_of(of.user, nonce).as_peer();
        self.ask(Kind::CreateGroup, of, group, &frame);
        group
    }

    pub(super) fn change(
        &mut self,
        of: Origin,
        group: UserId,
        action: u16,
        role: u16,
        users: &[UserId],
    ) {
        let mut frame = Vec::new();
        let change = ChangeMembers { action, role, members_count: 0 };
        change.append(&mut frame, Address::default(), users).unwrap();
        self.ask(Kind::ChangeMembers, of, group, &frame);
    }

    pub(super) fn add(&mut self, of: Origin, group: UserId, users: &[UserId]) {
        self.change(of, group, action::ADD, role::MEMBER, users);
    }

    pub(super) fn remove(&mut self, of: Origin, group: UserId, users: &[UserId]) {
        self.change(of, group, action::REMOVE, role::MEMBER, users);
    }

    pub(super) fn rename(&mut self, of: Origin, group: UserId, name: &[u8]) {
        let mut frame = Vec::new();
        RenameGroup::append(&mut frame, Address::default(), name).unwrap();
        self.ask(Kind::RenameGroup, of, group, &frame);
    }

    pub(super) fn post(&mut self, of: Origin, group: UserId, sequence: u64, life_s: u32) {
        let send = GroupSend { sequence, seen_ms: 0, life_s, content_type: 1 };
        let payload = format!("{}:{sequence}", of.user);
        let envelope = envelope(&send);
        let home = self.group_home(group);
        home.handle_group_request(Kind::GroupSend, of, group, &envelope, payload.as_bytes());
    }

    pub(super) fn rows(&self, table: Table) -> usize {
        self.disk.rows.keys().filter(|(of, _)| *of == table).count()
    }
}

/// Four users who are online, and a group of the first three that nobody has heard of yet.
pub(super) fn group() -> (Box, [Origin; 4], UserId) {
    let mut at = Box::new();
    let all = [A, B, C, D].map(|user| at.connect(user, PHONE, 0));
    let group = at.create(all[0], 7, &[B, C]);
    for of in &all[..3] {
        assert_eq!(at.said_to(*of), ["1 changed to 1: 1=2 2=0 3=0 a group"]);
        at.ack(*of, 1);
    }
    at.settle();
    assert_eq!(at.answers(all[0]), [Answer::GroupCreated { group, at_ms: NOW_MS }]);
    (at, all, group)
}

pub(super) fn declined(code: Code) -> Answer {
    Answer::Declined { code, retry_after_ms: 0 }
}

pub(super) fn done() -> Answer {
    Answer::Done { at_ms: NOW_MS }
}

#[test]
fn all_members_but_the_sender_get_a_message_once() {
    let (mut at, [a, b, c, d], group) = group();
    at.post(a, group, 1, 0);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1)]);
    for of in [b, c] {
        assert_eq!(at.said_to(of), ["1:1 of 1"]);
    }
    assert_eq!((at.said_to(a), at.said_to(d)), (vec![], vec![]));
    at.post(a, group, 1, 0);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1)], "the stored decision");
    assert_eq!((at.said_to(b), at.said_to(c)), (vec![], vec![]));
}

#[test]
fn what_is_acknowledged_leaves_nothing() {
    let (mut at, [a, b, c, _], group) = group();
    at.post(a, group, 1, 0);
    at.settle();
    at.checkpoint();
    let homes = [B, C].map(|user| at.table.partition_of(user));
    let partitions = if homes[0] == homes[1] { 1 } else { 2 };
    assert_eq!(at.rows(Table::Body), partitions + 2, "each payload once, each holder once");
    for of in [b, c] {
        at.ack(of, 2);
        at.settle();
    }
    let messages: Vec<_> = [A, B, C].map(|user| at.user(user).messages).into();
    assert_eq!(messages, [0, 0, 0]);
    at.forget_all();
    assert_eq!((at.rows(Table::Body), at.rows(Table::Inbox)), (0, 0));
    assert_eq!(at.said_to(a), [""; 0], "nobody is told that members have it");
}

#[test]
fn a_member_who_is_away_gets_it_from_the_disk() {
    let (mut at, [a, b, c, _], group) = group();
    at.close(b);
    for sequence in 1..=3 {
        at.post(a, group, sequence, 0);
    }
    at.settle();
    at.ack(c, 4);
    at.settle();
    at.forget_all();
    at.restart();
    let b = at.connect(B, PHONE, 1);
    assert_eq!(at.said_to(b), ["1:1 of 1", "1:2 of 1", "1:3 of 1"]);
    assert_eq!(at.user(B).messages, 3);
    at.ack(b, 3);
    at.settle();
    assert_eq!(at.user(B).messages, 1);
    at.forget_all();
    assert_eq!((at.rows(Table::Body), at.rows(Table::Inbox)), (2, 1), "one, and its holder");
    at.ack(b, 4);
    at.settle();
    at.forget_all();
    assert_eq!((at.rows(Table::Body), at.rows(Table::Inbox)), (0, 0));
}

#[test]
fn who_is_a_member_at_a_message_s_place_gets_it() {
    let (mut at, [a, b, c, d], group) = group();
    at.post(a, group, 1, 0);
    at.settle();
    at.add(a, group, &[D]);
    assert_eq!(at.answers(a), [accepted(1), done()]);
    at.remove(a, group, &[C]);
    at.post(a, group, 2, 0);
    at.settle();
    let added = "1 changed to 2: 4=0 ";
    let removed = "1 changed to 3: 3=0 ";
    assert_eq!(at.said_to(b), ["1:1 of 1", added, removed, "1:2 of 3"]);
    assert_eq!(at.said_to(c), ["1:1 of 1", added, removed]);
    let joined = "1 changed to 2: 1=2 2=0 3=0 4=0 a group";
    assert_eq!(at.said_to(d), [joined, removed, "1:2 of 3"]);
    at.answers(a);
    at.post(c, group, 1, 0);
    at.settle();
    let refused =
        Answer::Refused { sequence: Sequence(1), code: Code::NotMember, retry_after_ms: 0 };
    assert_eq!(at.answers(c), [refused]);
}

#[test]
fn to_make_a_group_twice_is_to_make_it_once() {
    let (mut at, [a, b, c, _], group) = group();
    assert_eq!(at.create(a, 7, &[B, C, D]), group);
    assert_eq!(at.answers(a), [Answer::GroupCreated { group, at_ms: NOW_MS }]);
    assert_eq!((at.said_to(b), at.said_to(c)), (vec![], vec![]));
    assert_ne!(at.create(a, 8, &[B]), group);
    assert_ne!(at.create(b, 7, &[A]), group);
    assert_eq!(at.table.group_of(A, 7), GroupId(group.0));
}

#[test]
fn each_role_may_do_what_it_may() {
    let (mut at, [a, b, c, d], group) = group();
    let answer = |at: &mut Box, of: Origin| at.answers(of).pop().unwrap();
    at.add(b, group, &[D]);
    assert_eq!(answer(&mut at, b), declined(Code::NotAdmin));
    at.rename(b, group, b"ours");
    assert_eq!(answer(&mut at, b), declined(Code::NotAdmin));
    at.rename(d, group, b"ours");
    assert_eq!(answer(&mut at, d), declined(Code::NotMember));
    at.add(a, group, &[A]);
    assert_eq!(answer(&mut at, a), declined(Code::AddsOneself));
    at.change(b, group, action::SET_ROLE, role::ADMIN, &[B]);
    assert_eq!(answer(&mut at, b), declined(Code::NotAdmin));
    at.change(a, group, action::SET_ROLE, role::ADMIN, &[B]);
    assert_eq!(answer(&mut at, a), done());
    at.add(b, group, &[D]);
    assert_eq!(answer(&mut at, b), done());
    at.remove(b, group, &[A]);
    assert_eq!(answer(&mut at, b), declined(Code::NotAdmin), "not the owner");
    at.remove(d, group, &[C]);
    assert_eq!(answer(&mut at, d), declined(Code::NotAdmin));
    at.rename(b, group, b"ours");
    assert_eq!(answer(&mut at, b), done());
    at.add(a, UserId(99), &[D]);
    assert_eq!(answer(&mut at, a), declined(Code::UnknownGroup));
    at.said_to(c);
    at.remove(a, group, &[A]);
    assert_eq!(answer(&mut at, a), done());
    assert_eq!(
        at.said_to(c),
        ["1 changed to 5: 1=2 ", "1 changed to 6: 2=2 "],
        "the only admin owns it now"
    );
    at.change(b, group, action::SET_ROLE, role::OWNER, &[C]);
    assert_eq!(answer(&mut at, b), done());
    assert_eq!(at.said_to(c), ["2 changed to 7: 2=1 3=2 "]);
}

#[test]
fn a_full_group_takes_nobody_and_nothing_is_half_done() {
    let (mut at, [a, b, ..], group) = group();
    let users: Vec<_> = (1000..2021).map(UserId).collect();
    at.add(a, group, &users);
    assert_eq!(at.answers(a), [done()], "1024 members");
    // Who does not exist was told back meanwhile: there is room again.
    let group_of = |at: &mut Box| {
        let user = at.group_home(group).state.users.get(group).unwrap();
        (user.group().unwrap().version, user.group().unwrap().members().len())
    };
    assert_eq!(group_of(&mut at).1, 3, "nobody knows the others");
    assert!(group_of(&mut at).0 <= 2 + 4, "a change for each of their homes");
    at.said_to(b);
    for user in &users {
        at.home(*user).handle_add_user(*user, 1);
    }
    at.settle();
    at.answers(a);
    at.add(a, group, &users);
    let before = group_of(&mut at);
    assert_eq!(before.1, 1024);
    at.add(a, group, &[B, D]);
    assert_eq!(at.answers(a), [done(), declined(Code::GroupFull)]);
    assert_eq!(group_of(&mut at), before);
}

#[test]
fn members_who_get_nothing_are_named_in_one_entry() {
    let settings = Settings { inbox_messages_max: 1, ..SETTINGS };
    let mut at = Box::with(settings);
    let all: Vec<_> = (1..=8).map(|id| at.connect(UserId(id), PHONE, 0)).collect();
    let members: Vec<_> = (2..=8).map(UserId).collect();
    let group = at.create(all[0], 7, &members);
    at.post(all[0], group, 1, 0);
    at.settle();
    at.said_to(all[0]);
    at.post(all[0], group, 2, 0);
    at.settle();
    let full = Code::InboxFull.number();
    let named: Vec<_> = (2..=8).map(|id| format!("{id}={full}")).collect();
    let said = at.said_to(all[0]);
    assert_eq!(said.last(), Some(&format!("group failed 2: {}", named.join(" "))));
    let live = at.user(A).live;
    assert_eq!(live, 2, "the group's beginning, and one word of failure");
    at.forget_all();
    at.restart();
    at.ack(all[1], 2);
    let again = at.connect(A, PHONE, 1);
    assert_eq!(at.said_to(again).last(), Some(&format!("group failed 2: {}", named.join(" "))));
}

#[test]
fn what_expires_is_told_and_lets_go_of_its_body() {
    let (mut at, [a, b, c, _], group) = group();
    at.close(b);
    at.close(c);
    at.post(a, group, 1, 60);
    at.settle();
    at.ack(a, 1);
    at.forget_all();
    at.restart();
    let a = at.connect(A, PHONE, 1);
    at.wait(61_000);
    at.wait(61_000);
    let expired = Code::Expired.number();
    let said = at.said_to(a);
    assert_eq!(said.last(), Some(&format!("group failed 1: 2={expired} 3={expired}")));
    assert_eq!([B, C].map(|user| at.user(user).messages), [0, 0]);
    at.forget_all();
    assert_eq!(at.rows(Table::Body), 0);
}

#[test]
fn who_does_not_exist_is_named_and_taken_out() {
    let (mut at, [a, b, ..], group) = group();
    at.home(C).handle_purge_user(C, 1);
    at.settle();
    at.post(a, group, 1, 0);
    at.settle();
    let purged = Code::UserPurged.number();
    let said = at.said_to(a);
    assert!(said.contains(&format!("group failed 1: 3={purged}")), "{said:?}");
    assert!(said.contains(&"0 changed to 2: 3=0 ".to_owned()), "{said:?}");
    assert_eq!(at.said_to(b), ["1:1 of 1", "0 changed to 2: 3=0 "]);
    at.add(a, group, &[UserId(77)]);
    assert!(at.said_to(b).contains(&"0 changed to 4: 77=0 ".to_owned()));
}

#[test]
fn a_purged_member_holds_nothing() {
    let (mut at, [a, b, c, _], group) = group();
    at.close(c);
    at.post(a, group, 1, 0);
    at.settle();
    at.ack(b, 2);
    at.settle();
    at.forget_all();
    at.home(C).handle_purge_user(C, 1);
    at.settle();
    let said = at.said_to(a);
    assert_eq!(said, [format!("group failed 1: 3={}", Code::UserPurged.number())]);
    at.forget_all();
    assert_eq!(at.rows(Table::Body), 0);
}

#[test]
fn own_messages_come_to_the_sender_s_other_devices_alone() {
    let (mut at, [a, ..], group) = group();
    let laptop = at.connect(A, LAPTOP, 0);
    let from = Origin { copies: true, ..a };
    at.post(from, group, 1, 0);
    at.settle();
    assert_eq!(at.said_to(laptop), ["copy of 1:1 of 1"]);
    assert_eq!(at.said_to(a), [""; 0]);
    assert_eq!(at.user(A).messages, 0, "it counts for no quota");
}

#[test]
fn numbers_that_come_early_wait_and_are_decided_in_order() {
    let (mut at, [a, b, ..], group) = group();
    at.post(a, group, 2, 0);
    at.settle();
    let early = Answer::OutOfOrder { sequence: Sequence(2), expected: Sequence(1) };
    assert_eq!(at.answers(a), [early]);
    at.forget_all();
    at.restart();
    at.post(a, group, 1, 0);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1)]);
    let b = at.connect(b.user, PHONE, 1);
    assert_eq!(at.said_to(b), ["1:1 of 1", "1:2 of 1"]);
    let skip = envelope(&GroupSkip { from: 3, to: 4 });
    at.group_home(group).handle_group_request(Kind::GroupSkip, a, group, &skip, &[]);
    at.settle();
    let skipped = Answer::Skipped { from: Sequence(3), to: Sequence(4), accepted: 0 };
    assert_eq!(at.answers(a), [skipped]);
}

#[test]
fn a_gap_of_one_who_has_left_ends_as_failures() {
    let (mut at, [a, b, ..], group) = group();
    at.post(b, group, 2, 0);
    at.settle();
    at.remove(a, group, &[B]);
    at.said_to(b);
    at.checkpoint();
    at.wait(3_700_000);
    at.wait(10_000);
    let (closed, left) = (Code::GapClosed.number(), Code::NotMember.number());
    assert_eq!(at.said_to(b), [format!("failed 1: {closed}"), format!("failed 2: {left}")]);
}

#[test]
fn a_queue_that_is_too_long_makes_the_group_busy() {
    let (mut at, [a, b, ..], group) = group();
    let home = at.table.partition_of(B);
    let about = About { user: UserId(77), peer: A, device: PHONE };
    let queue = at.group_home(group).state.outgoing.entry(home).or_default();
    for sequence in 0..GROUP_PARTS_MAX as u64 {
        queue.push(PartBody::Failed { about, sequence, code: 6004 });
    }
    at.post(a, group, 1, 0);
    let answers = at.group_home(group).poll_effect(0);
    let is_busy = |effect: &Effect| {
        matches!(effect, Effect::Answer { answer: Answer::Refused { code: Code::Busy, .. }, .. })
    };
    assert!(answers.as_ref().is_some_and(is_busy), "{answers:?}");
    at.settle();
    at.post(a, group, 1, 0);
    at.settle();
    assert_eq!(at.answers(a).last(), Some(&accepted(1)), "its number was free");
    assert_eq!(at.said_to(b).last().map(String::as_str), Some("1:1 of 1"));
}

#[test]
fn a_user_and_a_group_are_not_each_other() {
    let (mut at, [a, ..], group) = group();
    at.post(a, B, 1, 0);
    at.settle();
    let is_unknown =
        |answer: &Answer| matches!(answer, Answer::Refused { code: Code::UnknownGroup, .. });
    assert!(at.answers(a).last().is_some_and(is_unknown));
    let home = at.table.home_of_group(group);
    let shard = &mut at.shards[usize::from(home.0)];
    let send = envelope(&Send { sequence: 1, seen_ms: 0, life_s: 0, content_type: 1 });
    shard.handle_send(a, group, &send, b"to a group");
    shard.handle_add_user(group, 9);
    at.settle();
    let is_unknown =
        |answer: &Answer| matches!(answer, Answer::Refused { code: Code::UnknownUser, .. });
    assert!(at.answers(a).last().is_some_and(is_unknown));
    let outcome = Administered::Unknown;
    assert!(at.said.contains(&Effect::Administered { ticket: 9, outcome }));
}

#[test]
fn a_life_that_is_too_short_is_refused_and_takes_no_number() {
    let (mut at, [a, b, ..], group) = group();
    at.post(a, group, 1, 4);
    at.settle();
    let code = Code::LifeTooShort;
    let refused = Answer::Refused { sequence: Sequence(1), code, retry_after_ms: 0 };
    assert_eq!(at.answers(a), [refused]);
    at.post(a, group, 1, 5);
    at.settle();
    assert_eq!((at.answers(a), at.said_to(b)), (vec![accepted(1)], vec!["1:1 of 1".to_owned()]));
}

#[test]
fn a_member_who_is_away_is_woken() {
    let (mut at, [a, b, ..], group) = group();
    at.close(b);
    let policy = WakePolicy { after_ms: 60_000, again_s: 600 };
    at.shards.iter_mut().for_each(|shard| shard.handle_wake_policy(Some(policy)));
    at.rename(a, group, b"another name");
    at.wait(60_000);
    let woken = |at: &Box| {
        let woken = at.said.iter().filter_map(|effect| match effect {
            Effect::Wake(Wake { user, messages }) => Some((*user, *messages)),
            _ => None,
        });
        woken.collect::<Vec<_>>()
    };
    assert_eq!(woken(&at), [], "for no change of a group");
    at.post(a, group, 1, 0);
    at.settle();
    at.wait(60_000);
    let members = woken(&at);
    assert!(
        members.contains(&(B, 1)) && !members.iter().any(|(user, _)| *user == A),
        "{members:?}"
    );
}

#[test]
fn a_change_is_told_to_all_whom_it_concerns() {
    let (mut at, [a, b, c, _], group) = group();
    at.rename(a, group, b"ours");
    at.rename(a, group, b"ours");
    assert_eq!(at.answers(a), [done(), done()]);
    assert_eq!((at.said_to(b), at.said_to(c)).0, ["1 changed to 2: ours"], "once");
    assert_eq!(change::RENAMED, 6);
}

/// A part that is lost, comes twice or late is an entry once.
#[test]
fn the_disk_holds_a_payload_once_a_partition() {
    let mut at = Box::new();
    let members: Vec<_> = (2..=65).map(UserId).collect();
    for user in &members {
        at.home(*user).handle_add_user(*user, 1);
    }
    let a = at.connect(A, PHONE, 0);
    let group = at.create(a, 7, &members);
    at.settle();
    at.checkpoint();
    let size = |at: &Box| -> usize {
        let rows = at.disk.rows.iter();
        let of_messages =
            rows.filter(|((table, _), _)| matches!(table, Table::Inbox | Table::Body));
        of_messages.map(|((_, key), value)| key.len() + value.len()).sum()
    };
    let before = size(&at);
    let payload = vec![9; 1000];
    let send = envelope(&GroupSend { sequence: 1, seen_ms: 0, life_s: 0, content_type: 1 });
    at.group_home(group).handle_group_request(Kind::GroupSend, a, group, &send, &payload);
    at.settle();
    at.checkpoint();
    let bytes = size(&at) - before;
    assert!(bytes <= payload.len() * (1 + 4) + 64 * members.len(), "{bytes}");
}

#[test]
fn whoever_is_just_being_added_is_not_refused_what_is_accepted() {
    let (mut at, [a, .., d], group) = group();
    at.post(d, group, 1, 0);
    at.settle();
    let answers = at.answers(d);
    let not_member = |answer: &Answer| {
        matches!(answer, Answer::Refused { code: Code::NotMember, sequence: Sequence(1), .. })
    };
    assert!(matches!(&answers[..], [answer] if not_member(answer)), "{answers:?}");
    let mut frame = Vec::new();
    let change = ChangeMembers { action: action::ADD, role: role::MEMBER, members_count: 0 };
    change.append(&mut frame, Address::default(), &[D]).unwrap();
    let home = at.group_home(group);
    home.handle_group_request(Kind::ChangeMembers, a, group, &frame[HEADER_BYTES..], &[]);
    // Twice, as by a device that lost its connection in between.
    at.post(d, group, 1, 0);
    at.post(d, group, 1, 0);
    at.settle();
    assert_eq!(at.answers(d), [accepted(1), accepted(1)]);
}
