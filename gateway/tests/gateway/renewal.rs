//! Sessions end with their tokens, unless there is a new one.

use std::time::{SystemTime, UNIX_EPOCH};

use answerback_directory::shard::Administered;
use answerback_gateway::{Command, GatewayConfig};
use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::id::{TokenId, UserId};
use answerback_proto::kind::{CaughtUp, GoAway, Kind, Renew, Renewed, Welcome};
use serde_json::{Value, json};

use crate::client::{Client, hello, hello_frame};
use crate::running::{Running, config};
use crate::ticket::Resumption;
use crate::token::{token, token_by, token_with};

const USER: u128 = 11;
const BYSTANDER: u128 = 12;
const EXPIRY_S: u64 = 32_503_680_000;

fn renew_frame(tag: u32, user: u128, token: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Renew::append(&mut bytes, Address { flags: 0, tag, target: user }, token).unwrap();
    bytes
}

/// The answer to a `Renew`: when the token expires, and a ticket.
fn expect_renewed(client: &mut Client, tag: u32) -> (u64, Vec<u8>) {
    let received = client.next().expect("a frame");
    assert_eq!((received.header.kind(), received.header.tag), (Some(Kind::Renewed), tag));
    let (renewed, ticket) = Renewed::read(&received.envelope).unwrap();
    (renewed.expires_at_ms, ticket.to_vec())
}

/// A session by a token with one claim of one's own.
fn login_with(running: &Running, user: u128, claim: &str, value: Value) -> Client {
    let mut client = Client::connect(running.address);
    client.write(&hello_frame(user, hello(1), &token_with(user, 1, claim, value)));
    client.expect::<Welcome>();
    client.expect::<CaughtUp>();
    client
}

#[expect(clippy::disallowed_methods, reason = "tokens go by the real time")]
fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_session_goes_on_with_a_new_token() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        for user in USER..USER + 16 {
            let mut client = Client::login(running.address, user);
            for tag in 2..5 {
                client.write(&renew_frame(tag, user, &token(user, 1)));
                let (expires_at_ms, ticket) = expect_renewed(&mut client, tag);
                assert_eq!(expires_at_ms, EXPIRY_S * 1000);
                if tag == 4 {
                    Resumption::new(user, 1, 2, &ticket).say(&running).expect_ticket();
                    assert_eq!(client.expect_error().0, Code::SessionReplaced);
                } else {
                    client.ping(tag.into());
                }
            }
        }
        assert_eq!(running.control.stats().unwrap().renewed_total, 16 * 3);
    }
}

#[test]
fn a_token_that_is_not_this_session_s_ends_it() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut bystander = Client::login(running.address, BYSTANDER);
        let cut = |token: Vec<u8>| token[..token.len() - 3].to_vec();
        for (user, (name, token, code)) in (100..).zip([
            ("another user's", token(BYSTANDER, 1), Code::TokenInvalid),
            ("another device's", token(100 + 1, 2), Code::TokenInvalid),
            ("by an unknown key", token_by(7, 100 + 2, 1), Code::TokenInvalid),
            ("cut", cut(token(100 + 3, 1)), Code::TokenInvalid),
            ("expired", token_with(100 + 4, 1, "exp", json!(1_700_000_001)), Code::TokenExpired),
            ("no token", vec![b'x'; 2048], Code::TokenInvalid),
        ]) {
            let mut client = Client::login(running.address, user);
            client.write(&renew_frame(9, user, &token));
            assert_eq!(client.expect_error(), (code, Kind::Renew.number(), 9), "{name}");
        }
        bystander.ping(1);
    }
}

/// Only a check of the signature tells.
#[test]
fn a_forged_token_ends_its_session_and_no_other() {
    let running = Running::start(1);
    let mut others: Vec<_> =
        (200..220).map(|user| (user, Client::login(running.address, user))).collect();
    let mut forger = Client::login(running.address, USER);
    let (good, other) = (token(USER, 1), token_with(USER, 1, "jti", json!("x")));
    let signed = good.iter().rposition(|&byte| byte == b'.').unwrap();
    let signature = other.iter().rposition(|&byte| byte == b'.').unwrap();
    let forged = [&good[..signed], &other[signature..]].concat();
    forger.write(&renew_frame(9, USER, &forged));
    for (user, client) in &mut others {
        client.write(&renew_frame(9, *user, &token(*user, 1)));
    }
    assert_eq!(forger.expect_error(), (Code::TokenInvalid, Kind::Renew.number(), 9));
    for (_, client) in &mut others {
        expect_renewed(client, 9);
    }
}

#[test]
fn one_renewal_at_a_time() {
    let running = Running::start(1);
    let mut hasty = Client::login(running.address, USER);
    let frames = [renew_frame(8, USER, &token(USER, 1)), renew_frame(9, USER, &token(USER, 1))];
    hasty.write(&frames.concat());
    assert_eq!(hasty.expect_error(), (Code::KindNotAllowed, Kind::Renew.number(), 9));
    let mut foreign = Client::login(running.address, BYSTANDER);
    foreign.write(&renew_frame(9, USER, &token(USER, 1)));
    assert_eq!(foreign.expect_error(), (Code::NotYours, Kind::Renew.number(), 9));
}

#[test]
fn a_revoked_token_renews_nothing() {
    let running = Running::start(2);
    let revoke = Command::RevokeToken(UserId(USER), TokenId::of("stolen"), EXPIRY_S);
    drop(Client::login(running.address, USER));
    assert_eq!(running.control.ask(revoke), Ok(Administered::Done));
    let mut client = Client::connect(running.address);
    let hello = answerback_proto::kind::Hello { connection_counter: 2, ..hello(1) };
    client.write(&hello_frame(USER, hello, &token_with(USER, 1, "jti", json!("mine"))));
    client.expect::<Welcome>();
    client.expect::<CaughtUp>();
    client.write(&renew_frame(9, USER, &token_with(USER, 1, "jti", json!("stolen"))));
    assert_eq!(client.expect_error(), (Code::TokenRevoked, Kind::Renew.number(), 9));
}

/// Whether it expires before the search for silent connections comes by, which takes 37 s with
/// the usual interval of pings, or is found by it, which takes one second with the shortest.
#[test]
fn a_session_ends_with_its_token() {
    for (cores, heartbeat_max_s, wait_s) in [(1, 300, 3), (4, 300, 3), (1, 8, 6)] {
        let config = GatewayConfig { heartbeat_min_s: 1, heartbeat_max_s, ..config() };
        let running = Running::with(cores, config, Default::default());
        let mut stays = Client::login(running.address, BYSTANDER);
        let soon_s = unix_s() + wait_s;
        let mut renewed = login_with(&running, 100, "exp", json!(soon_s));
        renewed.write(&renew_frame(9, 100, &token(100, 1)));
        expect_renewed(&mut renewed, 9);
        let mut shortened = Client::login(running.address, 101);
        shortened.write(&renew_frame(9, 101, &token_with(101, 1, "exp", json!(soon_s))));
        expect_renewed(&mut shortened, 9);
        let mut ending: Vec<_> =
            (200..216).map(|user| login_with(&running, user, "exp", json!(soon_s))).collect();
        ending.push(shortened);
        for client in &mut ending {
            assert_eq!(client.expect_error(), (Code::SessionExpired, 0, 0));
            assert!(unix_s() >= soon_s);
        }
        renewed.ping(1);
        stays.ping(1);
    }
}

#[test]
fn a_box_that_goes_away_still_renews() {
    let config = GatewayConfig { drain_ms: 60_000, ..config() };
    let running = Running::with(1, config, Default::default());
    let mut client = Client::login(running.address, USER);
    running.trigger_stop();
    client.expect::<GoAway>();
    client.write(&renew_frame(9, USER, &token(USER, 1)));
    expect_renewed(&mut client, 9);
    drop(client);
    running.join().unwrap();
}
