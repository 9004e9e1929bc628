//! What a device that is new asks for: which groups its user is in, and who is in them.

use answerback_proto::kind::{DescribeGroup, Kind, ListChats, MUTED, SetChat, action, role};

use super::groups::{C, D, declined, done, group};
use super::*;

/// Version and members that the group's home tells, where it describes it.
fn described(at: &mut Box, of: Origin, group: UserId, version: u32) -> Option<(u32, u16, usize)> {
    at.said.retain(|effect| !matches!(effect, Effect::GroupDescribed { .. }));
    let envelope = envelope(&DescribeGroup { version });
    at.group_home(group).handle_group_request(Kind::DescribeGroup, of, group, &envelope, &[]);
    at.settle();
    at.said.iter().find_map(|effect| match effect {
        Effect::GroupDescribed { to, described, .. } if *to == of.session => {
            assert_eq!(&*described.name, b"a group");
            Some((described.version, described.members_count, described.roles.len()))
        }
        _ => None,
    })
}

/// The groups that a user's home lists.
fn listed(at: &mut Box, of: Origin) -> Vec<UserId> {
    at.said.retain(|effect| !matches!(effect, Effect::Chats { .. }));
    at.home(of.user).handle_own(Kind::ListChats, of, &envelope(&ListChats { behind: 0 }));
    at.settle();
    let page = at.said.iter().find_map(|effect| match effect {
        Effect::Chats { to, page, .. } if *to == of.session => Some(page.clone()),
        _ => None,
    });
    page.unwrap().listed.iter().filter(|chat| chat.is_group).map(|chat| chat.peer).collect()
}

#[test]
fn a_member_is_told_who_is_in_a_group() {
    let (mut at, [a, b, _, d], group) = group();
    at.answers(a);
    assert_eq!(described(&mut at, b, group, 0), Some((1, 3, 54)));
    assert_eq!(described(&mut at, b, group, 1), None);
    assert_eq!(at.answers(b), [done()], "nothing is newer");
    assert_eq!(described(&mut at, d, group, 0), None);
    assert_eq!(at.answers(d), [declined(Code::NotMember)]);
    assert_eq!(described(&mut at, d, UserId(99), 0), None);
    assert_eq!(at.answers(d), [declined(Code::UnknownGroup)]);
    at.change(a, group, action::ADD, role::MEMBER, &[D]);
    at.forget_all();
    assert_eq!(described(&mut at, d, group, 0), Some((2, 4, 72)), "from the disk");
    at.restart();
    assert_eq!(described(&mut at, d, group, 0), Some((2, 4, 72)));
}

#[test]
fn a_user_s_home_knows_the_groups_he_is_in() {
    let (mut at, [a, b, c, d], group) = group();
    for of in [a, b, c] {
        assert_eq!(listed(&mut at, of), [group], "from memory");
    }
    assert_eq!(listed(&mut at, d), []);
    at.forget_all();
    assert_eq!(listed(&mut at, b), [group], "from the disk");
    at.change(a, group, action::REMOVE, role::MEMBER, &[B]);
    at.change(c, group, action::REMOVE, role::MEMBER, &[C]);
    for of in [b, c] {
        assert_eq!(listed(&mut at, of), [], "he was removed, or left");
    }
    at.restart();
    assert_eq!((listed(&mut at, b), listed(&mut at, a)), (vec![], vec![group]));
    at.change(a, group, action::ADD, role::MEMBER, &[B]);
    assert_eq!(listed(&mut at, b), [group]);
}

#[test]
fn who_has_muted_a_group_is_not_woken_for_it() {
    let (mut at, [a, b, c, _], group) = group();
    let muted_until_ms = NOW_MS + 3_600_000;
    let set = SetChat { peer: group.0, changes: MUTED, flags: 0, muted_until_ms };
    at.home(B).handle_own(Kind::SetChat, b, &envelope(&set));
    at.settle();
    at.forget_all();
    at.close(b);
    at.close(c);
    let policy = WakePolicy { after_ms: 60_000, again_s: 600 };
    at.shards.iter_mut().for_each(|shard| shard.handle_wake_policy(Some(policy)));
    let woken = |at: &mut Box| {
        at.wait(60_000);
        let woken = at.said.iter().filter_map(|effect| match effect {
            Effect::Wake(Wake { user, .. }) => Some(*user),
            _ => None,
        });
        woken.collect::<Vec<_>>()
    };
    at.post(a, group, 1, 0);
    at.settle();
    assert_eq!(woken(&mut at), [C]);
    at.now_ms = muted_until_ms;
    at.post(a, group, 2, 0);
    at.settle();
    assert!(woken(&mut at).contains(&B), "it is over");
}
