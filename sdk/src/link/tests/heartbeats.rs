//! When it asks whether anybody is there, and what it learns from the answers.

use super::harness::World;
use crate::session::Mode;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Seconds between one ping and the next, rounded.
fn intervals(pings: &[u64]) -> Vec<u64> {
    pings.windows(2).map(|pair| (pair[1] - pair[0] + 500) / 1000).collect()
}

#[test]
fn where_every_ping_is_answered_the_interval_grows_to_the_servers_longest() {
    let mut world = World::online(1);
    world.run_for(HOUR);
    assert_eq!(intervals(&world.pings)[..8], [45, 68, 101, 152, 228, 300, 300, 300]);
    assert_eq!(world.dials.len(), 1);
}

#[test]
fn anything_that_comes_puts_the_ping_off_but_not_for_ever() {
    let mut world = World::online(2);
    for sequence in 1..=40 {
        world.send(sequence);
        world.run_for(20_000);
    }
    assert_eq!(intervals(&[vec![0], world.pings.clone()].concat()), [375, 375], "for the server");
}

#[test]
fn a_network_that_forgets_connections_is_learned_and_remembered() {
    let mut world = World::online(3);
    world.patience_ms = Some(120_000);
    world.run_for(2 * HOUR);
    let early = world.dials.len();
    assert!((2..=4).contains(&early), "{early} connections in the first hours");
    world.run_for(6 * HOUR);
    assert_eq!(world.dials.len(), early, "none is lost any more");
    let last = intervals(&world.pings).pop().unwrap();
    assert!((60..120).contains(&last), "{last}");
    world.hang_up();
    world.run_for(HOUR);
    assert_eq!(world.dials.len(), early + 1, "nor on the next connection");
}

#[test]
fn another_network_is_learned_anew() {
    let mut world = World::online(4);
    world.patience_ms = Some(70_000);
    world.run_for(2 * HOUR);
    assert!(intervals(&world.pings).pop() < Some(70));
    world.patience_ms = None;
    world.run_for(HOUR);
    assert!(intervals(&world.pings).pop() < Some(70), "as long as nobody says that it is another");
    world.link.network_changed(world.now_ms);
    world.run_for(HOUR);
    assert_eq!(intervals(&world.pings).pop(), Some(300));
}

/// Half an hour without coverage is no trait of the network.
#[test]
fn one_hole_in_the_coverage_shortens_nothing() {
    let mut world = World::online(5);
    world.run_for(HOUR);
    (world.is_mute, world.is_up) = (true, false);
    world.run_for(HOUR / 2);
    assert!(!world.is_online());
    (world.is_mute, world.is_up) = (false, true);
    world.run_for(HOUR);
    assert_eq!(intervals(&world.pings).pop(), Some(300));
}

#[test]
fn in_the_background_it_asks_as_rarely_as_the_server_and_the_network_allow() {
    let mut world = World::in_mode(Mode::Background, 6);
    world.run_until(HOUR);
    assert_eq!(intervals(&world.pings)[..3], [300, 300, 300]);

    let mut world = World::in_mode(Mode::Background, 6);
    world.patience_ms = Some(100_000);
    world.run_until(6 * HOUR);
    let last = intervals(&world.pings).pop().unwrap();
    assert!((30..100).contains(&last), "{last}");
    assert!(world.dials.len() <= 6, "{}", world.dials.len());
}

#[test]
fn a_server_that_fell_silent_is_noticed_10_s_after_the_ping() {
    let mut world = World::online(7);
    world.is_mute = true;
    world.run_until(39_000);
    assert!(world.is_online(), "the first ping goes out after 30 s");
    world.run_until(40_200);
    assert_eq!(world.closes.len(), 1, "{:?}", world.closes);
    world.is_mute = false;
    world.run_for(11_000);
    assert!(world.is_online());
}

#[test]
fn a_silent_server_is_noticed_sooner_by_who_waits_for_an_answer() {
    let mut world = World::online(8);
    world.run_for(HOUR);
    let pings = world.pings.len();
    world.is_mute = true;
    world.send(1);
    world.run_for(20_100);
    assert_eq!(world.closes.len(), 1, "10 s for the answer, 10 s for the ping");
    assert_eq!(world.pings.len(), pings);
}

#[test]
fn a_foreground_asks_whether_the_connection_still_lives() {
    let mut world = World::online(9);
    world.run_for(HOUR + 1_000);
    let pings = world.pings.len();
    world.link.foreground(world.now_ms);
    world.run_for(100);
    world.run_for(500);
    assert_eq!((world.pings.len(), world.dials.len()), (pings + 1, 1), "it asks once");
    world.is_mute = true;
    world.link.foreground(world.now_ms);
    world.run_for(10_001);
    assert_eq!(world.closes.len(), 1);
}

/// What came without a silence before it says nothing about silences.
#[test]
fn an_answer_to_a_foreground_is_no_experience() {
    let mut world = World::online(10);
    for _ in 0..5 {
        world.link.foreground(world.now_ms);
        world.run_for(1_000);
    }
    let asked = world.pings.len();
    world.run_for(29_900);
    assert_eq!((asked, world.pings.len()), (5, 6));
}

#[test]
fn who_waits_long_for_a_decision_asks_every_10_s() {
    let mut world = World::online(11);
    world.decision_ms = 60_000;
    world.send(1);
    world.run_for(58_000);
    assert_eq!((world.pings.len(), world.dials.len()), (5, 1));
}

/// The operator of the network changes its settings, and nobody says so.
#[test]
fn an_interval_that_was_good_and_fails_twice_is_good_no_more() {
    let mut world = World::online(12);
    world.run_for(HOUR);
    world.patience_ms = Some(120_000);
    world.run_for(2 * HOUR);
    let dials = world.dials.len();
    assert!((3..=6).contains(&dials), "{dials}");
    world.run_for(6 * HOUR);
    assert_eq!(world.dials.len(), dials, "none is lost any more");
}
