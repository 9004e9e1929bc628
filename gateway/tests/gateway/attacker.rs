//! A user with an app of his own making, who is after what is another's: to acknowledge, read,
//! recall or give it up, and to learn from what he is told.

use answerback_proto::code::Code;
use answerback_proto::kind::{
    Accepted, Ack, CaughtUp, Hello, Kind, Read, ReadNoted, Recall, Refused, Resync, Skip, Skipped,
    Welcome,
};

use crate::client::{Client, frame, hello, hello_frame};
use crate::running::Running;
use crate::ticket::{Resumption, ticket_of};
use crate::token::token;

const ALICE: u128 = 1;
const BOB: u128 = 2;
const MALLORY: u128 = 3;
/// Nobody has ever logged in under these.
const NOBODIES: std::ops::Range<u128> = 1000..1008;

/// Alice has written to Bob, who is away.
fn waiting(running: &Running) -> Client {
    drop(Client::login(running.address, BOB));
    let mut alice = Client::login(running.address, ALICE);
    alice.send(1, BOB, 1, b"for Bob alone");
    assert_eq!(alice.expect::<Accepted>().1.sequence, 1);
    alice
}

/// Bob comes back: Alice's message is there, and she hears that it was delivered, and no more.
fn arrives(running: &Running, alice: &mut Client) {
    let mut bob = Client::connect(running.address);
    bob.say_hello(BOB, Hello { connection_counter: 9, ..hello(1) });
    assert_eq!(bob.expect::<Welcome>().1.pending_count, 1);
    let (from, deliver, payload) = bob.expect_message();
    assert_eq!((from, deliver.sequence, &payload[..]), (ALICE, 1, &b"for Bob alone"[..]));
    bob.ack(deliver.position);
    loop {
        let told = alice.next().expect("a receipt");
        match told.header.kind() {
            Some(Kind::Delivered) => return,
            other => assert_eq!(other, Some(Kind::CaughtUp), "{told:?}"),
        }
    }
}

#[test]
fn in_anothers_name_nothing_is_acknowledged_read_or_offered_again() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut alice = waiting(&running);
        let read = Read { peer: ALICE, device: 1, up_to: 1 };
        let frames = [
            frame(0, BOB, &Ack { up_to: 1 }, &[]),
            frame(7, BOB, &read, &[]),
            frame(0, BOB, &Resync { cursor: 0 }, &[]),
        ];
        for (counter, bytes) in (1..).zip(frames) {
            let mut mallory = Client::connect(running.address);
            mallory.say_hello(MALLORY, Hello { connection_counter: counter, ..hello(1) });
            mallory.expect::<Welcome>();
            mallory.expect::<CaughtUp>();
            mallory.write(&bytes);
            assert_eq!(mallory.expect_error().0, Code::NotYours);
        }
        arrives(&running, &mut alice);
    }
}

/// Under his own name he may say what he likes of others' messages: it is about his own.
#[test]
fn what_he_never_had_he_has_not_read_and_cannot_take_back_or_give_up() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut alice = waiting(&running);
        let mut mallory = Client::login(running.address, MALLORY);
        for peer in [ALICE, BOB] {
            let read = Read { peer, device: 1, up_to: 1 };
            mallory.write(&frame(7, MALLORY, &read, &[]));
            assert_eq!(mallory.expect::<ReadNoted>().1.up_to, 0);
        }
        // His device has the number of hers.
        mallory.write(&frame(8, BOB, &Skip { from: 1, to: 64 }, &[]));
        assert_eq!(mallory.expect::<Skipped>().1.accepted, 0, "of his own numbers none was");
        let recall = Recall { sequence: 65, recalled: 1, seen_ms: 0, life_s: 0, content_type: 3 };
        mallory.write(&frame(9, BOB, &recall, b"not yours"));
        assert_eq!(mallory.expect::<Accepted>().1.sequence, 65);
        // It is a message of his, behind hers.
        let mut bob = Client::connect(running.address);
        bob.say_hello(BOB, Hello { connection_counter: 2, ..hello(1) });
        assert_eq!(bob.expect::<Welcome>().1.pending_count, 2);
        let came = [(); 2].map(|()| bob.expect_message());
        assert_eq!(
            came.map(|(from, deliver, _)| (from, deliver.sequence)),
            [(ALICE, 1), (MALLORY, 65)]
        );
        alice.send(2, BOB, 2, b"her numbers are hers");
        assert_eq!(alice.expect::<Accepted>().1.sequence, 2);
    }
}

#[test]
fn an_acknowledgement_of_what_he_was_not_sent_costs_him_his_session_alone() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut mallory = Client::login(running.address, MALLORY);
        mallory.ack(1);
        assert_eq!(mallory.expect_error().0, Code::AckBeyondSent);
        alice.send(1, MALLORY, 1, b"to be had once");
        alice.expect::<Accepted>();
        let mut mallory = Client::connect(running.address);
        mallory.say_hello(MALLORY, Hello { connection_counter: 2, ..hello(1) });
        assert_eq!(mallory.expect::<Welcome>().1.pending_count, 1, "it did not count ahead");
        assert_eq!(mallory.expect_message().2, b"to be had once");
    }
}

/// A position that counted others' entries would tell how much they write.
#[test]
fn positions_say_nothing_of_others() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut alice = Client::login(running.address, ALICE);
        let mut mallory = Client::login(running.address, MALLORY);
        let others: Vec<_> = (100..132).map(|user| Client::login(running.address, user)).collect();
        for number in 1..=3 {
            for user in [MALLORY].into_iter().chain(100..100 + others.len() as u128) {
                alice.send(1, user, number, b"in everybody's partition");
                while alice.next().unwrap().header.kind() != Some(Kind::Accepted) {}
            }
            let (_, deliver, _) = mallory.expect_message();
            assert_eq!((deliver.position, deliver.after), (number, number - 1));
            mallory.ack(number);
        }
    }
}

/// What a login without its secrets is told is the same for who exists and who does not, and
/// says it without asking anybody's home: the disk stands still meanwhile.
#[test]
fn a_login_without_secrets_says_nothing_of_who_exists() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        drop(Client::login(running.address, ALICE));
        let ticket = ticket_of(&running, MALLORY, 1, 1);
        running.journal.hold();
        for user in [ALICE].into_iter().chain(NOBODIES) {
            for device in [1, 2] {
                for token in [token(MALLORY, 1), token(MALLORY, device), token(user, 77)] {
                    let mut client = Client::connect(running.address);
                    client.write(&hello_frame(user, hello(device), &token));
                    assert_eq!(
                        client.expect_error(),
                        (Code::TokenInvalid, Kind::Hello.number(), 1)
                    );
                }
                let mut client = Resumption::new(user, device, 2, &ticket).say(&running);
                assert_eq!(client.expect_error(), (Code::TicketInvalid, Kind::Resume.number(), 1));
            }
        }
        running.journal.release();
    }
}

/// Whether somebody exists can be found out by writing to him, as SECURITY.md says; whether he
/// is there is nothing that an answer tells.
#[test]
fn of_who_exists_a_sender_learns_no_more() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut mallory = Client::login(running.address, MALLORY);
        let _there = Client::login(running.address, ALICE);
        drop(Client::login(running.address, BOB));
        for user in [ALICE, BOB] {
            mallory.send(1, user, 1, b"who is there?");
            assert_eq!(mallory.expect::<Accepted>().0.target, user);
        }
        for user in NOBODIES {
            mallory.send(1, user, 1, b"is anybody there?");
            assert_eq!(mallory.expect::<Refused>().1.code, Code::UnknownUser.number());
        }
    }
}
