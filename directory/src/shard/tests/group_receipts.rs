//! Receipts of groups: who turns them on, and what the list of members says of slots.

use answerback_proto::kind::{DescribeGroup, Kind, SetGroupReceipts, action, role, slot_of};

use super::groups::{C, D, declined, done, group};
use super::*;

impl Box {
    /// Asks for receipts, or for none.
    pub(super) fn set_receipts(&mut self, of: Origin, group: UserId, on: u16) {
        let mut frame = Vec::new();
        append_frame(&mut frame, Address::default(), &SetGroupReceipts { on }, &[], &[]);
        self.ask(Kind::SetGroupReceipts, of, group, &frame);
    }

    /// Slots of the members, by their ids, and whether there are receipts; as the group's home
    /// describes it.
    fn slots(&mut self, of: Origin, group: UserId) -> (Vec<(u128, u16)>, bool) {
        self.said.retain(|effect| !matches!(effect, Effect::GroupDescribed { .. }));
        let envelope = envelope(&DescribeGroup { version: 0 });
        let home = self.group_home(group);
        home.handle_group_request(Kind::DescribeGroup, of, group, &envelope, &[]);
        self.settle();
        let described = self.said.iter().find_map(|effect| match effect {
            Effect::GroupDescribed { to, described, .. } if *to == of.session => Some(described),
            _ => None,
        });
        let described = described.unwrap();
        let members = group::numbered_users(&described.roles);
        (
            members.iter().map(|(user, number)| (user.0, slot_of(*number))).collect(),
            described.receipts,
        )
    }
}

/// Whether each change that a session is sent says that there are receipts.
fn flags(at: &mut Box, of: Origin) -> Vec<bool> {
    let words = at.said.iter().filter_map(|effect| match effect {
        Effect::Entry { to, entry } if *to == of.session => entry.body.word(),
        _ => None,
    });
    words.map(|word| word.receipts).collect()
}

#[test]
fn receipts_are_off_until_the_owner_or_an_admin_turns_them_on() {
    let (mut at, [a, b, c, d], group) = group();
    let answer = |at: &mut Box, of: Origin| at.answers(of).pop().unwrap();
    assert!(!at.slots(a, group).1);
    at.set_receipts(b, group, 1);
    assert_eq!(answer(&mut at, b), declined(Code::NotAdmin));
    at.set_receipts(d, group, 1);
    assert_eq!(answer(&mut at, d), declined(Code::NotMember));
    at.set_receipts(d, UserId(99), 1);
    assert_eq!(answer(&mut at, d), declined(Code::UnknownGroup));
    assert_eq!(at.said_to(c), [""; 0]);
    at.change(a, group, action::SET_ROLE, role::ADMIN, &[B]);
    at.set_receipts(b, group, 1);
    assert_eq!(answer(&mut at, b), done());
    at.set_receipts(a, group, 1);
    assert_eq!(answer(&mut at, a), done(), "it is so already");
    at.rename(a, group, b"ours");
    assert_eq!(flags(&mut at, c), [false, true, true], "each change says it");
    let told = ["1 changed to 2: 2=1 ", "2 changed to 3: ", "1 changed to 4: ours"];
    assert_eq!(at.said_to(c), told);
    at.restart();
    assert!(at.slots(a, group).1);
    at.forget_all();
    assert!(at.slots(a, group).1, "from the disk");
    at.set_receipts(a, group, 0);
    assert!(!at.slots(a, group).1);
    at.set_receipts(a, group, 2);
    assert_eq!(at.closed(a), Some(Code::FrameMalformed));
}

#[test]
fn a_slot_is_a_members_own_until_he_goes() {
    let (mut at, [a, _, c, d], group) = group();
    assert_eq!(at.slots(a, group).0, [(1, 0), (2, 1), (3, 2)]);
    at.remove(a, group, &[B]);
    at.add(a, group, &[D]);
    assert_eq!(at.slots(a, group).0, [(1, 0), (3, 2), (4, 1)]);
    at.add(a, group, &[B]);
    at.forget_all();
    let slots = [(1, 0), (2, 3), (3, 2), (4, 1)];
    assert_eq!(at.slots(c, group).0, slots, "from the disk");
    let told = at.said.iter().filter_map(|effect| match effect {
        Effect::Entry { to, entry } if *to == d.session => entry.body.word(),
        _ => None,
    });
    let told: Vec<_> = told
        .flat_map(|word| group::numbered_users(&word.payload[..word.payload.len() / 18 * 18]))
        .map(|(user, number)| (user, slot_of(number)))
        .collect();
    assert_eq!(told, [(A, 0), (C, 2), (D, 1), (B, 3)], "who joins is told all, then who is added");
}
