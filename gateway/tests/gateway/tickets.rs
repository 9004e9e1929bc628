//! Who comes back with a ticket needs no token, and nobody else does without one.

use answerback_directory::shard::Administered;
use answerback_gateway::Command;
use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, TokenId, UserId};
use answerback_proto::kind::{Accepted, CaughtUp, Hello, Kind};
use serde_json::{Value, json};

use crate::client::{Client, hello, hello_frame};
use crate::faults::{bytes_of, kind_of};
use crate::running::{Running, config};
use crate::ticket::{Resumption, ticket_of};
use crate::token::{sealing_keys, token_with, verifier_of};

const USER: u128 = 11;
const BYSTANDER: u128 = 12;

/// The code that a `Resume` is answered with.
fn refused(running: &Running, resumption: &Resumption) -> Code {
    let (code, kind, tag) = resumption.say(running).expect_error();
    assert_eq!((kind, tag), (Kind::Resume.number(), 1));
    code
}

#[test]
fn a_ticket_opens_the_next_session_and_brings_another() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        for user in USER..USER + 16 {
            let mut ticket = ticket_of(&running, user, 1, 1);
            for counter in 2..6 {
                let mut client = Resumption::new(user, 1, counter, &ticket).say(&running);
                ticket = client.expect_ticket();
                client.expect::<CaughtUp>();
                client.ping(counter);
            }
        }
        let stats = running.control.stats().unwrap();
        assert_eq!((stats.logins_total, stats.resumed_total), (16 * 5, 16 * 4));
    }
}

#[test]
fn a_session_by_ticket_is_one_as_any() {
    let running = Running::start(4);
    let ticket = ticket_of(&running, USER, 1, 1);
    let mut bystander = Client::login(running.address, BYSTANDER);
    let mut user = Resumption::new(USER, 1, 2, &ticket).say(&running);
    user.expect_ticket();
    user.expect::<CaughtUp>();
    user.send(5, BYSTANDER, 1, b"by ticket");
    assert_eq!(user.expect::<Accepted>().0.tag, 5);
    assert_eq!(bystander.expect_message().2, b"by ticket");
}

#[test]
fn a_ticket_is_of_use_to_nobody_else() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut bystander = Client::login(running.address, BYSTANDER);
        let ticket = ticket_of(&running, USER, 1, 1);
        let good = Resumption::new(USER, 1, 2, &ticket);
        let of_bystander =
            Resumption { user: BYSTANDER, ..Resumption::new(BYSTANDER, 1, 2, &ticket) };
        let with = |change: fn(&mut Resumption)| {
            let mut resumption = good.clone();
            change(&mut resumption);
            resumption
        };
        for (name, resumption) in [
            ("no proof", with(|it| it.proof = [0; 32])),
            ("a bit of the proof", with(|it| it.proof[31] ^= 1)),
            ("another user", with(|it| it.user = BYSTANDER)),
            ("another user, proven", of_bystander),
            ("nobody", with(|it| it.user = 0)),
            ("another device", with(|it| it.hello.device = 2)),
            ("another device, proven", Resumption::new(USER, 2, 2, &ticket)),
            ("a counter that is not proven", with(|it| it.hello.connection_counter = 3)),
            ("no ticket", with(|it| it.sealed.clear())),
            ("more than a ticket", with(|it| it.sealed.push(0))),
            ("the longest ticket", with(|it| it.sealed = vec![7; 1024])),
        ] {
            assert_eq!(refused(&running, &resumption), Code::TicketInvalid, "{name}");
        }
        good.say(&running).expect_ticket();
        bystander.ping(1);
    }
}

#[test]
fn a_ticket_that_was_cut_or_changed_is_none() {
    let running = Running::start(2);
    let ticket = ticket_of(&running, USER, 1, 1);
    let good = Resumption::new(USER, 1, 2, &ticket);
    for at in 0..good.sealed.len() {
        let mut changed = good.clone();
        changed.sealed[at] ^= 0x40;
        assert_eq!(refused(&running, &changed), Code::TicketInvalid, "{at}");
        let cut = Resumption { sealed: good.sealed[..at].to_vec(), ..good.clone() };
        assert_eq!(refused(&running, &cut), Code::TicketInvalid, "{at}");
    }
    good.say(&running).expect_ticket();
}

#[test]
fn only_the_newest_ticket_of_a_device_counts() {
    let running = Running::start(2);
    let first = ticket_of(&running, USER, 1, 1);
    let other_device = ticket_of(&running, USER, 2, 1);
    let second = Resumption::new(USER, 1, 2, &first).say(&running).expect_ticket();
    // Its `Welcome` may have been lost.
    Resumption::new(USER, 1, 3, &first).say(&running).expect_ticket();
    Resumption::new(USER, 1, 4, &second).say(&running).expect_ticket();
    let superseded = Resumption::new(USER, 1, 5, &first);
    assert_eq!(refused(&running, &superseded), Code::TicketInvalid);
    Resumption::new(USER, 1, 6, &second).say(&running).expect_ticket();
    let by_token = ticket_of(&running, USER, 1, 7);
    assert_eq!(refused(&running, &Resumption::new(USER, 1, 8, &second)), Code::TicketInvalid);
    Resumption::new(USER, 1, 9, &by_token).say(&running).expect_ticket();
    Resumption::new(USER, 2, 2, &other_device).say(&running).expect_ticket();
}

#[test]
fn the_same_frame_again_is_of_no_use() {
    let running = Running::start(2);
    let ticket = ticket_of(&running, USER, 1, 1);
    let resumption = Resumption::new(USER, 1, 2, &ticket);
    let mut client = resumption.say(&running);
    client.expect_ticket();
    client.expect::<CaughtUp>();
    assert_eq!(refused(&running, &resumption), Code::DeviceRolledBack);
    client.ping(1);
}

#[test]
fn a_ticket_is_void_when_its_token_is() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let ask = |command| assert_eq!(running.control.ask(command), Ok(Administered::Done));
        let by_name = |user: u128, name: &str| {
            let mut client = Client::connect(running.address);
            let token = token_with(user, 1, "jti", json!(name));
            client.write(&hello_frame(user, hello(1), &token));
            client.expect_ticket()
        };
        let (one, other) = (by_name(USER, "one"), by_name(BYSTANDER, "other"));
        ask(Command::RevokeToken(UserId(USER), TokenId::of("one"), 32_503_680_000));
        assert_eq!(refused(&running, &Resumption::new(USER, 1, 2, &one)), Code::TokenRevoked);
        // Another token of the user's, which is older than what is revoked next.
        let ticket = ticket_of(&running, USER, 1, 3);
        ask(Command::RevokeTokens(UserId(USER), 1_700_000_001));
        assert_eq!(refused(&running, &Resumption::new(USER, 1, 4, &ticket)), Code::TokenRevoked);
        Resumption::new(BYSTANDER, 1, 2, &other).say(&running).expect_ticket();
    }
}

#[test]
fn a_ticket_of_a_revoked_device_or_a_purged_user_opens_nothing() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let ask = |command| assert_eq!(running.control.ask(command), Ok(Administered::Done));
        let (phone, laptop) = (ticket_of(&running, USER, 1, 1), ticket_of(&running, USER, 2, 1));
        let other = ticket_of(&running, BYSTANDER, 1, 1);
        ask(Command::Revoke(UserId(USER), DeviceId(1)));
        let resumption = Resumption::new(USER, 1, 2, &phone);
        assert_eq!(refused(&running, &resumption), Code::DeviceRevoked);
        let newer = Resumption::new(USER, 2, 2, &laptop).say(&running).expect_ticket();
        ask(Command::PurgeUser(UserId(USER)));
        for (counter, ticket) in [(3, newer), (4, laptop)] {
            let resumption = Resumption::new(USER, 2, counter, &ticket);
            assert_eq!(refused(&running, &resumption), Code::DeviceRevoked);
        }
        Resumption::new(BYSTANDER, 1, 2, &other).say(&running).expect_ticket();
    }
}

#[test]
fn tickets_go_with_what_sealed_them_and_with_the_key_of_their_token() {
    let running = Running::start(4);
    let ticket = ticket_of(&running, USER, 1, 1);
    let resumption = Resumption::new(USER, 1, 2, &ticket);
    running.control.set_sealing_keys(&sealing_keys(2)).unwrap();
    running.control.stats().unwrap();
    assert_eq!(refused(&running, &resumption), Code::TicketInvalid);
    running.control.set_sealing_keys(&sealing_keys(1)).unwrap();
    running.control.set_verifier(verifier_of(&[7])).unwrap();
    running.control.stats().unwrap();
    assert_eq!(refused(&running, &resumption), Code::TicketInvalid);
    running.control.set_verifier(verifier_of(&[7, 42])).unwrap();
    running.control.stats().unwrap();
    resumption.say(&running).expect_ticket();
}

#[test]
fn tickets_outlive_a_restart() {
    let first = Running::start(2);
    let ticket = ticket_of(&first, USER, 1, 1);
    let journal = first.journal.clone();
    first.stop();
    let second = Running::with(4, config(), journal);
    Resumption::new(USER, 1, 2, &ticket).say(&second).expect_ticket();
}

#[test]
fn who_resumes_must_speak_the_version_and_say_no_more() {
    let running = Running::start(1);
    let ticket = ticket_of(&running, USER, 1, 1);
    let good = Resumption::new(USER, 1, 2, &ticket);
    let later = Hello { version_min: 2, version_max: 3, ..good.hello.clone() };
    let later = Resumption { hello: later, ..good.clone() };
    assert_eq!(refused(&running, &later), Code::VersionUnsupported);
    let twice = [good.frame(), good.frame()].concat();
    let mut client = Client::connect(running.address);
    client.write(&twice);
    assert_eq!(client.expect_error(), (Code::KindNotAllowed, Kind::Resume.number(), 1));
}

/// The vectors of the protocol: what any client's `Resume` may be refused for.
#[test]
fn the_golden_bad_frames_are_refused_with_their_codes() {
    let running = Running::start(1);
    let vectors = include_str!("../../../proto/vectors/bad.jsonl");
    let mut tried = 0;
    for line in vectors.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let bytes = bytes_of(vector["bytes"].as_str().unwrap());
        if vector["from"] == "client" && kind_of(&bytes) == Some(Kind::Resume) {
            let mut client = Client::connect(running.address);
            client.write(&bytes);
            let code = client.expect_error().0;
            assert_eq!(Some(code.name()), vector["code"].as_str(), "{}", vector["name"]);
            tried += 1;
        }
    }
    assert!(tried > 10, "{tried}");
}
