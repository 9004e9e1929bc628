//! Users who are on the disk alone: nothing that is decided depends on it.

use super::*;
use crate::limits::{CHATS_PER_READ_MAX, PAGE_ENTRIES_MAX, USER_BYTES};

#[test]
fn users_at_rest_leave_the_memory() {
    let mut at = Box::new();
    let sessions: Vec<_> = (1..=200).map(|user| at.connect(UserId(user), PHONE, 0)).collect();
    at.forget_all();
    let resident = |at: &Box| at.shards.iter().map(|shard| shard.resident().0).sum::<usize>();
    assert_eq!(resident(&at), 200, "who has a session stays");
    sessions.into_iter().for_each(|session| at.close(session));
    at.forget_all();
    assert_eq!(resident(&at), 0);
}

#[test]
fn a_hundred_thousand_users_pass_through_room_for_a_thousand() {
    const USERS: u128 = 100_000;
    let mut at = Box::new();
    let bytes_max = 1_000 / at.shards.len() * USER_BYTES;
    for shard in &mut at.shards {
        shard.residency.bytes_max = bytes_max;
    }
    let mut most = 0;
    for user in 1..=USERS {
        at.home(UserId(user)).handle_add_user(UserId(user), 1);
        if user % 1_000 == 0 {
            at.settle();
            at.said.clear();
            at.checkpoint();
            let resident: usize = at.shards.iter().map(|shard| shard.resident().0).sum();
            most = most.max(resident);
        }
    }
    assert!(most <= 1_000, "{most}");
    let a = at.connect(UserId(USERS), PHONE, 0);
    for user in (1..USERS).step_by(9_973).map(UserId) {
        at.send(a, user, 1);
        at.settle();
        assert_eq!(at.answers(a), [accepted(1)]);
        let phone = at.connect(user, PHONE, 0);
        assert_eq!(at.said_to(phone), [format!("{USERS}:1")]);
    }
}

#[test]
fn a_long_inbox_is_read_page_by_page() {
    let count = 5 * PAGE_ENTRIES_MAX as u64 / 2;
    let (mut at, a, b) = pair();
    at.close(b);
    (1..=count).for_each(|sequence| at.send(a, B, sequence));
    at.settle();
    at.forget_all();
    at.restart();
    let b = at.connect_with(B, PHONE, 0, 300);
    let mut got = Vec::new();
    loop {
        let entries = at.entries(b);
        let Some((last, ..)) = entries.last().cloned() else { break };
        got.extend(entries);
        at.ack(b, last);
        at.settle();
    }
    let expected: Vec<_> = (1..=count).map(|n| message(n, n - 1, n)).collect();
    assert_eq!(got, expected);
    assert_eq!(at.user(B).live, 0);
}

#[test]
fn the_chats_of_a_drained_inbox_are_read_together() {
    const SENDERS: u64 = 2 * CHATS_PER_READ_MAX as u64 + 10;
    let (mut at, _, b) = pair();
    at.close(b);
    let senders: Vec<_> =
        (0..SENDERS).map(|n| at.connect(UserId(100 + u128::from(n)), PHONE, 0)).collect();
    for sequence in [1, 2] {
        senders.iter().for_each(|sender| at.send(*sender, B, sequence));
    }
    let early = senders[CHATS_PER_READ_MAX + 1];
    at.send(early, B, 4);
    at.settle();
    at.checkpoint();
    at.restart();
    let senders: Vec<_> = senders.iter().map(|of| at.connect(of.user, PHONE, 0)).collect();
    let b = at.connect_with(B, PHONE, 0, 1000);
    assert_eq!(at.entries(b).len() as u64, 2 * SENDERS);
    at.loads.clear();
    at.ack(b, 2 * SENDERS);
    at.settle();
    let chats = |what: &&Wanted| match what {
        Wanted::Chat(user, _) | Wanted::Chats { user, .. } => *user == B,
        _ => false,
    };
    assert_eq!(at.loads.iter().filter(chats).count(), 3);
    for sender in &senders {
        let said = at.said_to(*sender);
        assert_eq!(said.last().map(String::as_str), Some("delivered 10:2"), "{}", sender.user);
    }
    let early = senders[CHATS_PER_READ_MAX + 1];
    at.send(early, B, 3);
    at.settle();
    let said = [format!("{}:3", early.user), format!("{}:4", early.user)];
    assert_eq!(at.said_to(b), said, "what was parked there was read too");
}

#[test]
fn what_leaves_while_it_is_read_does_not_come_back() {
    let (mut at, a, b) = pair();
    at.close(b);
    at.send(a, B, 1);
    at.send(a, B, 2);
    at.settle();
    at.forget_all();
    at.home(B).handle_opening(Opening {
        origin: Origin { session: SessionRef { slot: 900, ..b.session }, ..b },
        grant: Grant::default(),
        connection_counter: 90_000,
        generation: Generation(0),
        cursor: Position(0),
        credit_frames: 100,
        credit_bytes: 1000,
        takes_presence: true,
        takes_typing: true,
    });
    let mut read = Vec::new();
    for _ in 0..4 {
        at.journal();
        for index in 0..at.shards.len() {
            let partition = PartitionId(index as u16);
            let of_this = at.disk.journal.iter().rfind(|batch| batch.partition() == partition);
            if let Some(end) = of_this.map(Batch::end) {
                at.shards[index].handle_committed(end).unwrap();
            }
            while let Some(effect) = at.shards[index].poll_effect(at.monotonic_ms) {
                match effect {
                    Effect::Load(load) if matches!(load.what, Wanted::Page { .. }) => {
                        read.push((index, load.read(&at.disk).unwrap()));
                    }
                    Effect::Load(load) => {
                        let loaded = load.read(&at.disk).unwrap();
                        at.shards[index].handle_loaded(loaded).unwrap();
                    }
                    other => at.said.push(other),
                }
            }
        }
    }
    assert_eq!(read.len(), 1, "the page is read, and has not arrived");
    at.recall(a, B, 3, 1);
    at.step();
    at.checkpoint();
    let (index, page) = read.remove(0);
    at.shards[index].handle_loaded(page).unwrap();
    at.settle();
    let session = Origin { session: SessionRef { slot: 900, ..b.session }, ..b };
    assert_eq!(at.said_to(session), ["1:2", "recalled"]);
}

/// The same requests, with everything forgotten between any two of them.
#[test]
fn forgetting_changes_no_decision() {
    let played = |forgets: bool| {
        let (mut at, a, b) = pair();
        let laptop = at.connect(B, LAPTOP, 0);
        let mut heard = Vec::new();
        for sequence in 1..=30_u64 {
            match sequence % 5 {
                0 => at.recall(a, B, sequence, sequence - 2),
                _ => at.send(a, B, sequence),
            }
            at.settle();
            if forgets {
                at.forget_all();
            }
            if sequence % 3 == 0 {
                let last = at.user(B).inbox.last_position().0;
                at.ack(b, last);
                at.settle();
            }
            if sequence % 7 == 0 {
                at.read(b, A, sequence);
                at.settle();
            }
            if sequence == 20 {
                let last = at.user(B).inbox.last_position().0;
                at.ack(laptop, last);
                at.settle();
            }
            heard.extend(at.said_to(b));
            heard.extend(at.answers(a).iter().map(|answer| format!("{answer:?}")));
        }
        let user = at.user(B);
        let counts = (user.live, user.above, user.messages, user.bytes, user.floor);
        (heard, counts, at.home(B).state.digest, at.home(A).state.digest)
    };
    assert_eq!(played(true), played(false));
}
