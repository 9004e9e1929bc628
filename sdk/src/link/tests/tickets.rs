//! What opens a session, and how long it may stay open.

use answerback_proto::code::Code;

use super::harness::{Greeting, World};
use crate::link::{Halt, LinkState};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// A world with tokens that are good for so long, whose link is online.
fn online(seed: u64, token_life_ms: u64) -> World {
    let mut world = World::new(seed);
    world.token_life_ms = Some(token_life_ms);
    world.run_until(1_000);
    assert!(world.is_online());
    world
}

/// How many tokens and tickets the server saw.
fn seen(world: &World) -> (usize, usize) {
    (world.hellos.len(), world.resumes.len())
}

#[test]
fn a_ticket_takes_a_token_s_place_and_the_app_is_not_asked() {
    let mut world = online(1, HOUR);
    for count in 1..=5 {
        world.hang_up();
        world.run_for(1_000);
        assert!(world.is_online());
        assert_eq!((seen(&world), world.asked.len()), ((1, count), 1));
    }
}

#[test]
fn a_server_without_tickets_is_given_a_token_each_time() {
    let mut world = World::online(2);
    world.hang_up();
    world.run_for(1_000);
    assert_eq!((seen(&world), world.asked.len()), ((2, 0), 2));
}

/// Whatever a server has against a ticket, or does not know about tickets.
#[test]
fn what_refuses_a_ticket_is_met_with_a_token_at_once_and_does_not_count() {
    for code in [
        Code::TicketInvalid,
        Code::TokenRevoked,
        Code::TokenExpired,
        Code::HelloExpected,
        Code::UnknownKind,
        Code::KindNotAllowed,
    ] {
        let mut world = online(3, HOUR);
        world.ticket_refusal = Some(code);
        world.hang_up();
        world.run_for(world.latency_ms + 50);
        world.was_offline = false;
        world.run_for(1_000);
        assert!(world.is_online(), "{}", code.name());
        assert_eq!(seen(&world), (2, 1), "{}", code.name());
        assert!(!world.was_offline, "nobody needs to know, {}", code.name());
        let (refused, dials) = (world.closes[1], &world.dials);
        assert_eq!(dials[2], refused, "at once: {dials:?}, {}", code.name());
        // The ticket of that session is another one.
        world.ticket_refusal = None;
        world.hang_up();
        world.run_for(1_000);
        assert_eq!(seen(&world), (2, 2), "{}", code.name());
    }
}

/// A refused ticket is gone, so nothing goes round in a circle.
#[test]
fn behind_a_refused_ticket_refused_tokens_end_it_as_ever() {
    let mut world = online(4, HOUR);
    world.ticket_refusal = Some(Code::TicketInvalid);
    world.greeting = Greeting::Error(Code::TokenInvalid, 0);
    world.hang_up();
    world.run_for(HOUR);
    assert_eq!(seen(&world), (4, 1));
    let halt = Halt::Code(Code::TokenInvalid.number());
    assert_eq!(world.link.state(), LinkState::Stopped(halt));
}

#[test]
fn a_busy_server_is_tried_again_with_the_same_ticket() {
    let mut world = online(5, HOUR);
    world.ticket_refusal = Some(Code::Busy);
    world.hang_up();
    world.run_for(3_000);
    let (tokens, tickets) = seen(&world);
    assert!(tokens == 1 && tickets > 1, "{tokens}, {tickets}");
    world.ticket_refusal = None;
    world.run_for(64_000);
    assert!(world.is_online());
    assert_eq!(world.hellos.len(), 1);
}

#[test]
fn an_expired_ticket_is_not_presented_unless_the_clock_is_wrong() {
    let mut world = online(6, HOUR);
    world.is_up = false;
    world.hang_up();
    world.run_for(2 * HOUR);
    world.is_up = true;
    world.link.network_changed(world.now_ms);
    world.run_for(1_000);
    assert_eq!(seen(&world), (2, 0));

    let mut world = online(6, HOUR);
    world.ahead_ms = 2 * HOUR;
    world.hang_up();
    world.run_for(1_000);
    assert!(world.is_online(), "a device in the future asks for more tokens than it needs");
    assert_eq!(seen(&world), (2, 0));
}

#[test]
fn a_session_is_renewed_before_its_token_expires_and_never_closed() {
    for seed in 0..50 {
        let mut world = online(seed, HOUR);
        world.run_until(10 * HOUR);
        assert!(world.is_online());
        assert_eq!((world.dials.len(), seen(&world)), (1, (1, 0)));
        let renewals = &world.renewals;
        let all = std::iter::once(&world.hellos[0]).chain(renewals);
        let gaps: Vec<_> = all.clone().zip(all.skip(1)).map(|(one, next)| next - one).collect();
        let is_good = |gap: &u64| (44 * MINUTE..=49 * MINUTE).contains(gap);
        assert!(gaps.iter().all(is_good), "a fifth is left, or a quarter of it more: {gaps:?}");
    }
}

/// What many devices got at one moment they do not renew at one moment.
#[test]
fn devices_renew_at_times_of_their_own() {
    let first = |seed| {
        let mut world = online(seed, HOUR);
        world.run_until(HOUR);
        world.renewals[0]
    };
    assert_ne!(first(1), first(2));
    assert_eq!(first(1), first(1));
}

#[test]
fn short_tokens_are_renewed_with_half_of_their_time_left() {
    let mut world = online(7, 20_000);
    world.run_until(10 * MINUTE);
    assert_eq!(world.dials.len(), 1);
    assert!((55..=65).contains(&world.renewals.len()), "{}", world.renewals.len());
}

/// As by a command that was given one token.
#[test]
fn the_same_token_again_is_no_renewal_and_goes_round_in_no_circle() {
    let mut world = online(8, HOUR);
    world.has_one_token = true;
    world.run_until(HOUR - 1_000);
    assert_eq!(world.renewals.len(), 1);
}

#[test]
fn an_app_without_a_token_is_asked_again_and_stays_online() {
    let mut world = online(9, HOUR);
    world.has_tokens = false;
    world.run_until(55 * MINUTE);
    let asked = world.asked.len();
    assert!((3..=6).contains(&asked), "{:?}", world.asked);
    assert!(world.is_online());
    world.has_tokens = true;
    world.run_until(2 * HOUR);
    assert_eq!(world.dials.len(), 1);
    assert!(!world.renewals.is_empty());
    // With none up to the end, it is asked for a bounded number of times.
    world.has_tokens = false;
    let asked = world.asked.len();
    world.run_until(4 * HOUR);
    assert!(world.asked.len() - asked < 40, "{}", world.asked.len() - asked);
}

#[test]
fn a_session_that_expired_or_was_revoked_is_opened_again_with_a_token() {
    for code in [Code::SessionExpired, Code::TokenRevoked] {
        let mut world = online(10, HOUR);
        world.close_with(code, 0);
        world.run_for(1_000);
        assert!(world.is_online(), "{}", code.name());
        assert_eq!(seen(&world), (2, 0), "{}", code.name());
    }
}

#[test]
fn a_session_whose_right_is_checked_anew_comes_back_with_its_ticket() {
    let mut world = online(11, HOUR);
    world.close_with(Code::SessionRecheck, 0);
    world.run_for(1_000);
    assert!(world.is_online());
    assert_eq!(seen(&world), (1, 1));
}
