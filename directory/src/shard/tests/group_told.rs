//! Receipts of groups: who has a message, and who has read it, as its sender is told.

use answerback_proto::kind::{BLOCKED, HIDES_READS, Kind, ReadGroup, SetChat};

use super::groups::{D, group};
use super::*;

impl Box {
    /// Reads a group, and settles.
    fn read_group(&mut self, of: Origin, group: UserId, up_to: u64) {
        let read = envelope(&ReadGroup { group: group.0, up_to });
        self.home(of.user).handle_own(Kind::ReadGroup, of, &read);
        self.settle();
    }

    /// Posts, and settles; all of it is acknowledged by nobody.
    fn post_now(&mut self, of: Origin, group: UserId, sequence: u64) {
        self.post(of, group, sequence, 0);
        self.settle();
    }

    /// Acknowledges, and settles.
    fn ack_now(&mut self, of: Origin, up_to: u64) {
        self.ack(of, up_to);
        self.settle();
    }

    /// As much time passes; what is due stands on the disk.
    fn pass(&mut self, ms: u64) {
        self.checkpoint();
        self.wait(ms);
    }
}

/// The group of [`group`], of A, B and C with the slots 0, 1 and 2, with receipts on. Two
/// entries of each are acknowledged.
fn receipted() -> (Box, [Origin; 4], UserId) {
    let (mut at, all, group) = group();
    at.set_receipts(all[0], group, 1);
    for of in &all[..3] {
        assert_eq!(at.said_to(*of), ["1 changed to 2: "]);
        at.ack_now(*of, 2);
    }
    at.answers(all[0]);
    (at, all, group)
}

#[test]
fn a_sender_is_told_who_has_a_message_at_most_once_a_second() {
    let (mut at, [a, b, c, _], group) = receipted();
    at.post_now(a, group, 1);
    at.ack_now(b, 3);
    assert_eq!(at.said_to(a), ["1 of 2: [2] []"]);
    at.ack_now(b, 3);
    at.ack_now(c, 3);
    assert_eq!(at.said_to(a), [""; 0], "the second is not over");
    at.pass(999);
    assert_eq!(at.said_to(a), [""; 0]);
    at.wait(1000);
    assert_eq!(at.said_to(a), ["1 of 2: [6] []"]);
    at.pass(5000);
    assert_eq!(at.said_to(a), [""; 0], "nothing is told twice");
    at.post_now(a, group, 2);
    at.ack_now(c, 4);
    assert_eq!(at.said_to(a), ["2 of 2: [4] []"]);
}

#[test]
fn a_message_has_receipts_as_the_group_had_them_at_its_place() {
    let (mut at, [a, b, _, _], group) = receipted();
    at.post_now(a, group, 1);
    at.set_receipts(a, group, 0);
    at.post_now(a, group, 2);
    at.said_to(a);
    at.ack_now(b, 5);
    assert_eq!(at.said_to(a), ["1 of 2: [2] []"]);
    at.checkpoint();
    assert_eq!(at.rows(Table::Unread), 1);
}

#[test]
fn one_entry_of_a_message_says_all_that_is_known() {
    let (mut at, [a, b, c, _], group) = receipted();
    at.close(a);
    let a = at.connect(A, PHONE, 2);
    at.post_now(a, group, 1);
    at.close(a);
    for (of, ms) in [(b, 2000), (c, 0)] {
        at.ack_now(of, 3);
        at.wait(ms);
    }
    at.read_group(b, group, 3);
    at.forget_all();
    at.restart();
    at.pass(1000);
    assert_eq!(at.user(A).live, 1, "the older ones are folded");
    let a = at.connect(A, PHONE, 2);
    assert_eq!(at.said_to(a), ["1 of 2: [6] [2]"]);
    let last = at.user(A).inbox.last_position().0;
    at.ack_now(a, last);
    assert_eq!(at.user(A).live, 0);
}

#[test]
fn what_waits_to_be_told_outlives_a_crash() {
    for is_in_checkpoint in [false, true] {
        let (mut at, [a, b, c, _], group) = receipted();
        at.post_now(a, group, 1);
        at.ack_now(b, 3);
        at.ack_now(c, 3);
        if is_in_checkpoint {
            at.forget_all();
        }
        at.restart();
        let a = at.connect(A, PHONE, 2);
        assert_eq!(at.said_to(a), ["1 of 2: [2] []"]);
        at.pass(2000);
        assert_eq!(at.said_to(a), ["1 of 2: [6] []"], "{is_in_checkpoint}");
        at.pass(2000);
        assert_eq!(at.said_to(a), [""; 0]);
    }
}

#[test]
fn a_sender_is_told_who_has_read_and_the_readers_other_devices_how_far() {
    let (mut at, [a, b, _, _], group) = receipted();
    let laptop = at.connect(B, LAPTOP, 0);
    at.post_now(a, group, 1);
    at.post_now(a, group, 2);
    at.ack_now(b, 4);
    assert_eq!(at.said_to(a), ["1 of 2: [2] []", "2 of 2: [2] []"]);
    at.said_to(laptop);
    at.said_to(b);
    at.wait(1000);
    at.forget_all();
    at.read_group(b, group, 3);
    let at_ms = at.now_ms;
    assert_eq!(at.answers(b), [Answer::Done { at_ms }]);
    assert_eq!(at.said_to(a), ["1 of 2: [2] [2]"]);
    assert_eq!((at.said_to(laptop), at.said_to(b).len()), (vec!["group read up to 3".into()], 0));
    at.read_group(laptop, group, 4);
    assert_eq!(at.said_to(a), ["2 of 2: [2] [2]"]);
    assert_eq!((at.said_to(b), at.said_to(laptop).len()), (vec!["group read up to 4".into()], 0));
    at.checkpoint();
    assert_eq!(at.rows(Table::Unread), 0);
}

#[test]
fn other_devices_hear_of_reads_in_a_group_without_receipts() {
    let (mut at, [a, b, _, _], group) = group();
    let laptop = at.connect(B, LAPTOP, 0);
    at.post_now(a, group, 1);
    at.ack_now(b, 2);
    at.said_to(laptop);
    for up_to in [1, 2] {
        at.read_group(b, group, up_to);
    }
    assert_eq!(at.said_to(laptop), ["group read up to 1", "group read up to 2"]);
    assert_eq!((at.said_to(a), at.user(B).live), (vec![], 2), "the message, and the newer one");
    at.checkpoint();
    assert_eq!((at.rows(Table::Unread), at.rows(Table::Tally)), (0, 0));
}

#[test]
fn who_hides_his_reads_is_told_of_as_one_who_has_not_read() {
    let (mut at, [a, b, _, _], group) = receipted();
    for (changes, flags) in [(HIDES_READS, HIDES_READS), (BLOCKED, BLOCKED)] {
        let set = SetChat { peer: group.0, changes, flags, muted_until_ms: 0 };
        at.home(B).handle_own(Kind::SetChat, b, &envelope(&set));
        at.settle();
    }
    at.post_now(a, group, 1);
    at.ack_now(b, 3);
    at.wait(1000);
    at.read_group(b, group, 9);
    assert_eq!(at.said_to(a), ["1 of 2: [2] []"]);
    let set = SetChat { peer: group.0, changes: HIDES_READS, flags: 0, muted_until_ms: 0 };
    at.home(B).handle_own(Kind::SetChat, b, &envelope(&set));
    at.read_group(b, group, 9);
    assert_eq!(at.said_to(a), [""; 0], "what was read meanwhile stays hidden");
}

#[test]
fn reads_that_say_nothing_new_are_done_and_tell_nobody() {
    let (mut at, [a, b, _, d], group) = receipted();
    let laptop = at.connect(B, LAPTOP, 0);
    at.post_now(a, group, 1);
    at.ack_now(b, 3);
    at.said_to(laptop);
    at.wait(1000);
    at.read_group(b, group, u64::MAX);
    assert_eq!(at.said_to(a), ["1 of 2: [2] []", "1 of 2: [2] [2]"]);
    assert_eq!(at.said_to(laptop), ["group read up to 3"], "there is no more");
    at.answers(b);
    let done = [Answer::Done { at_ms: at.now_ms }];
    for (of, group, up_to) in
        [(b, group, 3), (b, group, 1), (b, A, 3), (b, UserId(99), 3), (d, group, 3)]
    {
        at.read_group(of, group, up_to);
        assert_eq!(at.answers(of), done, "{group} {up_to}");
    }
    assert_eq!((at.said_to(a), at.said_to(laptop), at.said_to(d)), (vec![], vec![], vec![]));
    at.forget_all();
    at.read_group(b, group, 3);
    assert_eq!((at.answers(b), at.said_to(laptop)), (done.into(), vec![]), "from the disk");
}

#[test]
fn what_is_acknowledged_behind_what_was_read_is_read() {
    let (mut at, [a, b, _, _], group) = receipted();
    at.post_now(a, group, 1);
    at.post_now(a, group, 2);
    at.read_group(b, group, 3);
    assert_eq!(at.said_to(a), [""; 0], "nobody has it yet");
    at.forget_all();
    at.ack_now(b, 4);
    assert_eq!(at.said_to(a), ["1 of 2: [2] [2]", "2 of 2: [2] []"]);
}

#[test]
fn a_slot_that_is_given_again_speaks_for_nobody_else() {
    let (mut at, [a, b, c, d], group) = receipted();
    at.close(b);
    at.post_now(a, group, 1);
    at.remove(a, group, &[B]);
    at.add(a, group, &[D]);
    at.add(a, group, &[B]);
    at.post_now(a, group, 2);
    at.forget_all();
    let b = at.connect(B, PHONE, 2);
    assert_eq!(at.said_to(b)[0], "1:1 of 2");
    at.said_to(a);
    let last = at.user(B).inbox.last_position().0;
    at.ack_now(b, 3);
    assert_eq!(at.said_to(a), [""; 0], "he had another slot then, and gave it up");
    at.ack_now(b, last);
    assert_eq!(at.said_to(a), ["2 of 5: [8] []"]);
    let last = at.user(D).inbox.last_position().0;
    at.ack_now(d, last);
    at.ack_now(c, 3);
    at.pass(1000);
    at.wait(1000);
    let told = at.said_to(a);
    assert_eq!(told, ["1 of 2: [4] []", "2 of 5: [10] []"], "slot 1 is another one's by now");
}

#[test]
fn who_has_left_tells_of_no_more_reads() {
    let (mut at, [a, b, c, _], group) = receipted();
    at.post_now(a, group, 1);
    at.ack_now(b, 3);
    at.checkpoint();
    assert_eq!(at.rows(Table::Unread), 1);
    at.wait(1000);
    at.said_to(a);
    at.remove(b, group, &[B]);
    at.forget_all();
    assert_eq!(at.rows(Table::Unread), 0);
    at.answers(b);
    at.read_group(b, group, 4);
    assert_eq!(at.answers(b).len(), 1);
    at.read_group(c, group, 3);
    at.ack_now(c, 3);
    assert_eq!(at.said_to(a), ["2 changed to 3: 2=0 ", "1 of 2: [6] [4]"]);
}

#[test]
fn nothing_is_told_to_who_is_purged_or_of_him() {
    let (mut at, [a, b, c, _], group) = receipted();
    at.post_now(a, group, 1);
    at.post_now(b, group, 1);
    at.ack_now(b, 3);
    at.ack_now(c, 3);
    at.checkpoint();
    at.home(A).handle_purge_user(A, 7);
    at.settle();
    assert_eq!(at.user(A).next_due_ms(), u64::MAX, "what waited to be told is forgotten");
    at.ack_now(c, 4);
    assert_eq!(at.said_to(b), ["1:1 of 2", "group failed 1: 1=6009", "1 of 2: [4] []"]);
    at.read_group(b, group, 3);
    at.pass(2000);
    assert_eq!((at.user(A).live, at.said_to(b)), (0, vec![]));
}

#[test]
fn a_tally_that_nobody_needs_goes_with_the_next() {
    let (mut at, [a, b, _, _], group) = receipted();
    at.post_now(a, group, 1);
    at.ack_now(b, 3);
    at.ack_now(a, 3);
    at.checkpoint();
    assert_eq!(at.rows(Table::Tally), 1);
    at.wait(1000);
    at.post_now(a, group, 2);
    at.ack_now(b, 4);
    at.forget_all();
    assert_eq!(at.rows(Table::Tally), 1, "of the second message");
    at.read_group(b, group, 4);
    let told = ["1 of 2: [2] []", "2 of 2: [2] []", "1 of 2: [2] [2]"];
    assert_eq!(at.said_to(a), told, "of the first it begins anew");
    assert_eq!(at.answers(b).len(), 1);
}

#[test]
fn who_has_read_a_group_that_he_knows_nothing_of_leaves_no_row() {
    let (mut at, a, _) = pair();
    at.read_group(a, UserId(77), 1);
    // Something else has the user written.
    let set = SetChat { peer: B.0, changes: BLOCKED, flags: BLOCKED, muted_until_ms: 0 };
    at.home(A).handle_own(Kind::SetChat, a, &envelope(&set));
    at.settle();
    at.checkpoint();
    assert_eq!(at.rows(Table::Chat), 1, "the one that is set");
}
