//! Users block each other: whoever is blocked is told what he would be told of a user who is
//! away, and nothing of his reaches anybody.

use answerback_proto::kind::{BLOCKED, ChatSettings, HIDES_READS, Kind, MUTED, SetChat};

use super::*;

fn set(at: &mut Box, of: Origin, peer: UserId, changes: u16, flags: u16) -> Vec<Answer> {
    let set = SetChat { peer: peer.0, changes, flags, muted_until_ms: 0 };
    at.home(of.user).handle_own(Kind::SetChat, of, &envelope(&set));
    at.settle();
    at.answers(of)
}

fn block(at: &mut Box, of: Origin, peer: UserId) {
    let done = vec![Answer::Done { at_ms: at.now_ms }];
    assert_eq!(set(at, of, peer, BLOCKED, BLOCKED), done);
}

fn unblock(at: &mut Box, of: Origin, peer: UserId) {
    set(at, of, peer, BLOCKED, 0);
}

/// What A is told of messages, whatever the positions.
fn told(at: &mut Box, of: Origin) -> Vec<String> {
    let told = at.entries(of).into_iter().filter(|(position, ..)| *position > 0);
    told.map(|(_, _, what)| what).collect()
}

/// Two boxes on which A sends the same: to B who has blocked A, and to B who is away.
fn blocked_and_away(settings: &Settings) -> [(Box, Origin); 2] {
    [true, false].map(|is_blocked| {
        let mut at = Box::with(settings.clone());
        let (a, b) = (at.connect(A, PHONE, 0), at.connect(B, PHONE, 0));
        at.connect(A, LAPTOP, 0);
        if is_blocked {
            block(&mut at, b, A);
        } else {
            at.close(b);
        }
        at.said.clear();
        (at, Origin { copies: true, ..a })
    })
}

#[test]
fn who_is_blocked_is_told_what_he_would_be_told_of_a_user_who_is_away() {
    let settings = Settings {
        inbox_messages_max: 24,
        inbox_bytes_max: 1_000,
        sender_messages_max: 9,
        ..SETTINGS
    };
    let mut all = Vec::new();
    for (mut at, a) in blocked_and_away(&settings) {
        let mut seen = Vec::new();
        at.send_for(a, B, 1, 60);
        at.send_for(a, B, 2, 5);
        at.send(a, B, 3);
        at.send(a, B, 3);
        at.send(a, B, 5);
        at.settle();
        at.recall(a, B, 4, 1);
        at.settle();
        seen.push((at.answers(a), told(&mut at, a)));
        at.forget_all();
        at.wait(6_000);
        seen.push((at.answers(a), told(&mut at, a)));
        for sequence in 6..=14 {
            at.send(a, B, sequence);
            at.settle();
        }
        at.home(B).handle_skip(a, B, &envelope(&Skip { from: 9, to: 9 }));
        at.settle();
        seen.push((at.answers(a), told(&mut at, a)));
        at.restart();
        let a = at.connect(A, PHONE, 0);
        at.send(a, B, 3);
        at.settle();
        seen.push((at.answers(a), Vec::new()));
        all.push(seen);
    }
    let (away, blocked) = (all.pop().unwrap(), all.pop().unwrap());
    assert_eq!(blocked, away);
    let failures = away[0].1.iter().chain(&away[1].1).filter(|what| what.starts_with("failed"));
    assert_eq!(failures.count(), 2, "one recalled, one expired: {away:?}");
    let quota = |answer: &Answer| {
        matches!(
            answer,
            Answer::Failed { code: Code::SenderQuota, .. }
                | Answer::Refused { code: Code::SenderQuota, .. }
        )
    };
    assert!(away[2].0.iter().any(quota), "{away:?}");
}

#[test]
fn nothing_of_a_blocked_user_reaches_any_device_also_after_unblocking() {
    let (mut at, a, b) = pair();
    let laptop = at.connect(B, LAPTOP, 0);
    block(&mut at, b, A);
    at.said.clear();
    at.send(a, B, 1);
    at.send(a, B, 3);
    at.settle();
    assert_eq!(at.user(B).messages, 0);
    unblock(&mut at, b, A);
    // What came early while A was blocked has its turn now, and what is sent now comes.
    at.send(a, B, 2);
    at.send(a, B, 4);
    at.settle();
    for device in [b, laptop] {
        let said = at.said_to(device);
        let messages: Vec<_> = said.iter().filter(|what| what.starts_with("1:")).collect();
        assert_eq!(messages, ["1:2", "1:4"]);
    }
    let tablet = at.connect(B, DeviceId(12), 0);
    at.forget_all();
    assert!(!at.said_to(tablet).iter().any(|what| what == "1:1" || what == "1:3"));
}

#[test]
fn what_waited_when_the_block_was_set_is_still_delivered() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    block(&mut at, b, A);
    at.send(a, B, 2);
    at.settle();
    assert_eq!(at.said_to(b), ["1:1"]);
    at.ack(b, 1);
    at.settle();
    assert_eq!(told(&mut at, a), ["delivered 10:1"]);
}

#[test]
fn a_receipt_excepts_what_is_withheld_until_it_fails() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    block(&mut at, b, A);
    for sequence in 2..=3 {
        at.send_for(a, B, sequence, 30);
    }
    at.settle();
    unblock(&mut at, b, A);
    at.send(a, B, 4);
    at.settle();
    let last = at.user(B).inbox.last_position().0;
    at.ack(b, last);
    at.settle();
    let excepted = |at: &mut Box| {
        let entry = at.said.iter().rev().find_map(|effect| match effect {
            Effect::Entry { to, entry } if *to == a.session => Some(entry.clone()),
            _ => None,
        });
        match entry.unwrap().body {
            EntryBody::Delivered { up_to, except, .. } => (
                up_to.0,
                except.iter().map(|range| (range.first.0, range.last.0)).collect::<Vec<_>>(),
            ),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(excepted(&mut at), (4, vec![(2, 3)]));
    at.forget_all();
    at.restart();
    let a = at.connect(A, PHONE, 0);
    let again = told(&mut at, a);
    assert_eq!(again, ["delivered 10:4"]);
    at.wait(31_000);
    let code = Code::Expired.number();
    assert_eq!(told(&mut at, a), [format!("failed 2: {code}"), format!("failed 3: {code}")]);
    let b = at.connect(B, PHONE, last);
    at.send(a, B, 5);
    at.settle();
    at.ack(b, last + 1);
    at.settle();
    let body = at.said.iter().rev().find_map(|effect| match effect {
        Effect::Entry { entry, .. } => match &entry.body {
            EntryBody::Delivered { up_to, except, .. } => Some((up_to.0, except.clone())),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(body, Some((5, Vec::new())));
}

#[test]
fn a_receipt_with_too_many_exceptions_says_the_rest_once_they_have_ended() {
    let (mut at, a, b) = pair();
    for sequence in 1..=40 {
        // Every other one is sent while A is blocked.
        let is_withheld = sequence % 2 == 1;
        set(&mut at, b, A, BLOCKED, if is_withheld { BLOCKED } else { 0 });
        at.send_for(a, B, sequence, 30);
        at.settle();
    }
    at.ack(b, 20);
    at.settle();
    let up_to = |what: &str| what.strip_prefix("delivered 10:").and_then(|text| text.parse().ok());
    let newest = told(&mut at, a).iter().filter_map(|what| up_to(what)).max();
    assert_eq!(newest, Some(32_u64), "the 17th exception is number 33");
    at.forget_all();
    at.wait(31_000);
    let newest = told(&mut at, a).iter().filter_map(|what| up_to(what)).max();
    assert_eq!(newest, Some(40));
}

#[test]
fn withheld_messages_fill_nobody_else_s_inbox_and_end_with_a_purge() {
    let mut at = Box::with(Settings { inbox_messages_max: 4, ..SETTINGS });
    let (a, b) = (at.connect(A, PHONE, 0), at.connect(B, PHONE, 0));
    let others: Vec<_> = (50..58).map(|user| at.connect(UserId(user), PHONE, 0)).collect();
    for other in &others {
        block(&mut at, b, other.user);
        at.send(*other, B, 1);
        at.settle();
        assert!(matches!(at.answers(*other)[..], [Answer::Accepted { .. }]));
    }
    at.send(a, B, 1);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1)], "B's inbox is as empty as it looks");
    at.forget_all();
    at.home(B).handle_purge_user(B, 1);
    at.settle();
    for other in &others {
        let code = Code::UserPurged.number();
        assert_eq!(told(&mut at, *other), [format!("failed 1: {code}")]);
    }
    at.checkpoint();
    assert!(!at.disk.rows.keys().any(|(table, _)| *table == Table::Withheld));
}

#[test]
fn reads_are_told_neither_way_where_they_are_hidden_or_the_peer_is_blocked() {
    for flag in [HIDES_READS, BLOCKED] {
        for hider in [A, B] {
            let (mut at, a, b) = pair();
            at.send(a, B, 1);
            at.settle();
            at.ack(b, 1);
            at.settle();
            let (of, peer) = if hider == A { (a, B) } else { (b, A) };
            set(&mut at, of, peer, flag, flag);
            at.said.clear();
            at.read(b, A, 1);
            at.settle();
            assert_eq!(at.answers(b), [Answer::ReadNoted { up_to: Sequence(1) }]);
            assert_eq!(at.said_to(a), [""; 0], "{flag} by {hider}");
            set(&mut at, of, peer, flag, 0);
            at.send(a, B, 2);
            at.settle();
            at.ack(b, 2);
            at.settle();
            at.read(b, A, 2);
            at.settle();
            assert!(at.said_to(a).contains(&"read 10:2".to_owned()));
        }
    }
}

#[test]
fn the_user_s_devices_are_told_of_a_chat_s_settings_and_a_new_one_lists_them() {
    let (mut at, _, b) = pair();
    let laptop = at.connect(B, LAPTOP, 0);
    block(&mut at, b, A);
    let mute = SetChat { peer: A.0, changes: MUTED, flags: 0, muted_until_ms: 77 };
    at.home(B).handle_own(Kind::SetChat, laptop, &envelope(&mute));
    at.settle();
    let settings = ChatSettings { flags: BLOCKED, muted_until_ms: 77 };
    for device in [b, laptop] {
        let entries: Vec<_> = at
            .said
            .iter()
            .filter_map(|effect| match effect {
                Effect::Entry { to, entry } if *to == device.session => Some(entry.body.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(entries.last(), Some(&EntryBody::ChatSet { settings }));
    }
    assert_eq!(at.user(B).live, 1, "folded");
    let list = |at: &mut Box, of: Origin, behind: u128| {
        let list = answerback_proto::kind::ListChats { behind };
        at.home(B).handle_own(Kind::ListChats, of, &envelope(&list));
        at.settle();
        let page = at.said.iter().rev().find_map(|effect| match effect {
            Effect::Chats { to, page, .. } if *to == of.session => Some(page.clone()),
            _ => None,
        });
        page.unwrap()
    };
    // On the disk, in memory, and both.
    let of_a = |page: &ChatsPage| page.listed.iter().map(|chat| chat.peer.0).collect::<Vec<_>>();
    assert_eq!(of_a(&list(&mut at, b, 0)), [A.0]);
    at.forget_all();
    set(&mut at, b, UserId(60), HIDES_READS, HIDES_READS);
    let page = list(&mut at, b, 0);
    assert_eq!((of_a(&page), page.next_behind), (vec![A.0, 60], UserId(0)));
    assert_eq!(page.listed[0].settings, settings);
    assert_eq!(of_a(&list(&mut at, b, A.0)), [60]);
    set(&mut at, b, A, BLOCKED | MUTED, 0);
    assert_eq!(of_a(&list(&mut at, b, 0)), [60]);
}

#[test]
fn bad_changes_are_declined_or_close_the_session() {
    let (mut at, a, _) = pair();
    let declined = |code| vec![Answer::Declined { code, retry_after_ms: 0 }];
    assert_eq!(set(&mut at, a, A, BLOCKED, BLOCKED), declined(Code::NotYourself));
    let full = crate::limits::SET_CHATS_MAX;
    for peer in 100..100 + u128::from(full) {
        let set = SetChat { peer, changes: BLOCKED, flags: BLOCKED, muted_until_ms: 0 };
        at.home(A).handle_own(Kind::SetChat, a, &envelope(&set));
        if peer % 1024 == 0 {
            at.settle();
        }
    }
    at.settle();
    at.answers(a);
    assert_eq!(at.user(A).set_chats(), full);
    assert_eq!(set(&mut at, a, B, BLOCKED, BLOCKED), declined(Code::ListFull));
    unblock(&mut at, a, UserId(100));
    block(&mut at, a, B);
    at.home(A).handle_own(Kind::SetChat, a, &[1, 2, 3]);
    at.settle();
    assert_eq!(at.closed(a), Some(Code::FrameMalformed));
}

#[test]
fn who_writes_is_not_shown_to_who_has_blocked_him() {
    let (mut at, _, b) = pair();
    block(&mut at, b, A);
    at.said.clear();
    let typing = |at: &mut Box, peer| {
        at.home(B).handle_mail(Mail::Typing { user: B, peer, state: 1 });
        at.settle();
        signals::signals(at, b).len()
    };
    assert_eq!(typing(&mut at, A), 0);
    at.forget_all();
    assert_eq!((typing(&mut at, A), typing(&mut at, A)), (0, 0), "nor once the chat is read");
    let other = UserId(3);
    let shown = (typing(&mut at, other), typing(&mut at, other));
    assert_eq!(shown, (0, 1), "another chat is read first");
    unblock(&mut at, b, A);
    assert_eq!(typing(&mut at, A), 1);
}
