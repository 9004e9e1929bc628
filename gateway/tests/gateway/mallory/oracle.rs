//! Does somebody exist? Whatever is refused is refused alike, and at the same time, whether the
//! user who was named is there, never was, or was purged. Only who sends to him is told.
//!
//! No watch is needed to see that a time is the same: while the disk stands still, an answer
//! that needs no home comes, and one that does cannot.

use answerback_directory::shard::Administered;
use answerback_gateway::Command;
use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::id::UserId;
use answerback_proto::kind::{Ack, Kind, Read, ReadNoted, Recall, Refused, Renew, Resync, Skip};

use super::{CORES, MALLORY};
use crate::client::{Client, Received, frame, hello, hello_frame, send_frame};
use crate::running::Running;
use crate::ticket::{Resumption, ticket_of};
use crate::token::token;

const PRESENT: u128 = 10;
const ABSENT: u128 = 999;
const PURGED: u128 = 20;
const ALL: [u128; 3] = [PRESENT, ABSENT, PURGED];

fn start(cores: u16) -> Running {
    let running = Running::start(cores);
    for user in [PRESENT, PURGED] {
        drop(Client::login(running.address, user));
    }
    let purge = Command::PurgeUser(UserId(PURGED));
    assert_eq!(running.control.ask(purge), Ok(Administered::Done));
    running
}

/// What somebody may say first who would like to be a user.
fn greetings(user: u128, ticket: &[u8]) -> [Vec<u8>; 5] {
    let (hers, his) = (token(MALLORY, 1), token(user, 1));
    let signature = |token: &[u8]| token.iter().rposition(|&byte| byte == b'.').unwrap();
    let (claims, _) = his.split_at(signature(&his));
    let (_, signed) = hers.split_at(signature(&hers));
    let forged = [claims, signed].concat();
    [
        hello_frame(user, hello(1), b"no token"),
        hello_frame(user, hello(1), &hers),
        hello_frame(user, hello(1), &forged),
        Resumption { user, ..Resumption::new(MALLORY, 1, 9, ticket) }.frame(),
        Resumption::new(user, 1, 9, ticket).frame(),
    ]
}

/// What a session may ask in a user's name.
fn requests(user: u128, attacker: u128) -> [Vec<u8>; 4] {
    let mut renewal = Vec::new();
    let address = Address { flags: 0, tag: 6, target: user };
    Renew::append(&mut renewal, address, &token(attacker, 1)).unwrap();
    [
        frame(0, user, &Ack { up_to: 1 }, &[]),
        frame(0, user, &Resync { cursor: 0 }, &[]),
        frame(5, user, &Read { peer: attacker, device: 1, up_to: 1 }, &[]),
        renewal,
    ]
}

#[test]
fn what_is_refused_is_refused_alike_and_at_once_whoever_is_named() {
    for cores in CORES {
        let running = start(cores);
        let ticket = ticket_of(&running, MALLORY, 1, 1);
        let mut attackers: Vec<_> =
            (100..112).map(|user| (user, Client::login(running.address, user))).collect();
        running.journal.hold();
        let refusals = ALL.map(|user| {
            let mut refusals = Vec::new();
            for greeting in greetings(user, &ticket) {
                let mut client = Client::connect(running.address);
                client.write(&greeting);
                refusals.push(client.expect_error());
            }
            for at in 0..4 {
                let (attacker, mut client) = attackers.pop().unwrap();
                client.write(&requests(user, attacker)[at]);
                refusals.push(client.expect_error());
            }
            refusals
        });
        let hello = |code| (code, Kind::Hello.number(), 1);
        let resume = |code| (code, Kind::Resume.number(), 1);
        let (token, ticket, others) = (Code::TokenInvalid, Code::TicketInvalid, Code::NotYours);
        let expected = vec![
            hello(token),
            hello(token),
            hello(token),
            resume(ticket),
            resume(ticket),
            (others, Kind::Ack.number(), 0),
            (others, Kind::Resync.number(), 0),
            (others, Kind::Read.number(), 5),
            (others, Kind::Renew.number(), 6),
        ];
        for (user, refusals) in ALL.iter().zip(refusals) {
            assert_eq!(refusals, expected, "{user}");
        }
    }
}

/// As above, for what is answered by the asking user's own home.
#[test]
fn to_have_read_of_somebody_says_nothing_of_him() {
    for cores in CORES {
        let running = start(cores);
        let mut mallory = Client::login(running.address, MALLORY);
        running.journal.hold();
        for (tag, peer) in (1..).zip(ALL) {
            mallory.write(&frame(tag, MALLORY, &Read { peer, device: 1, up_to: 9 }, &[]));
        }
        mallory.ping(1);
        running.journal.release();
        for tag in 1..=3 {
            let (header, noted) = mallory.expect::<ReadNoted>();
            assert_eq!((header.tag, header.target, noted.up_to), (tag, MALLORY, 0));
        }
    }
}

/// They are told who is not there, which they have to know; by what apply decided, and so not
/// sooner where somebody else was told it before.
#[test]
fn only_who_sends_is_told_that_nobody_is_there() {
    const UNTRIED: u128 = 998;
    for cores in CORES {
        let running = start(cores);
        let mut mallory = Client::login(running.address, MALLORY);
        let mut other = Client::login(running.address, MALLORY + 1);
        for user in ALL {
            other.send(1, user, 1, b"somebody else's");
            other.next().expect("an answer");
        }
        running.journal.hold();
        let recall = Recall { sequence: 2, recalled: 1, seen_ms: 0, life_s: 0, content_type: 2 };
        let users = [PRESENT, ABSENT, PURGED, UNTRIED];
        for (tag, user) in (1..).step_by(3).zip(users) {
            mallory.write(&send_frame(tag, user, 1, b"are you there?"));
            mallory.write(&frame(tag + 1, user, &recall, b""));
            mallory.write(&frame(tag + 2, user, &Skip { from: 3, to: 3 }, &[]));
        }
        mallory.ping(1);
        running.journal.release();
        // What she took back comes as an entry too.
        let answers = std::iter::repeat_with(|| mallory.next().expect("an answer"));
        let mut told: Vec<Received> =
            answers.filter(|received| received.header.tag > 0).take(12).collect();
        told.sort_by_key(|received| received.header.tag);
        let (there, nobody) = told.split_at(3);
        let kinds: Vec<_> = there.iter().map(|received| received.header.kind()).collect();
        assert_eq!(kinds, [Kind::Accepted, Kind::Accepted, Kind::Skipped].map(Some));
        for received in nobody {
            assert_eq!(received.read::<Refused>().code, Code::UnknownUser.number());
        }
    }
}
