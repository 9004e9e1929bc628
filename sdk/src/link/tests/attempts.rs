//! When it dials.

use answerback_proto::code::Code;

use super::harness::{Greeting, World};
use crate::link::{Halt, LinkState, Step};
use crate::session::{Event, Mode};

const MINUTE: u64 = 60_000;

#[test]
fn a_server_that_is_away_for_minutes_is_tried_ever_more_rarely_and_found_again() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        world.is_up = false;
        world.run_until(20 * MINUTE);
        let dials = world.dials.len();
        assert!((20..=90).contains(&dials), "seed {seed}: {dials} in 20 minutes");
        let gaps = world.dials.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.max() <= Some(64_001), "seed {seed}: {:?}", world.dials);
        assert!(world.dials[8] < 20_000, "the first ones come soon: {:?}", world.dials);
        world.is_up = true;
        world.run_for(64_100);
        assert!(world.is_online(), "seed {seed}");
    }
}

/// Two devices that lost the same server do not come back together.
#[test]
fn waits_differ_from_device_to_device() {
    let times = |seed| {
        let mut world = World::new(seed);
        world.is_up = false;
        world.run_until(MINUTE);
        world.dials
    };
    assert_ne!(times(1)[1..], times(2)[1..]);
    assert_eq!(times(1), times(1));
}

#[test]
fn only_a_session_that_stayed_open_counts_as_a_success() {
    let mut world = World::new(3);
    world.greeting = Greeting::Slam;
    world.run_until(10 * MINUTE);
    let dials = world.dials.len();
    assert!((15..=60).contains(&dials), "{dials} in 10 minutes of a server that slams the door");
    world.greeting = Greeting::Welcome;
    world.run_for(2 * MINUTE);
    assert!(world.is_online());
    let dials = world.dials.len();
    world.hang_up();
    world.run_for(world.latency_ms + 50);
    assert_eq!(world.dials.len(), dials + 1, "the next failure is a first one");
}

#[test]
fn a_server_that_does_not_open_the_session_is_left_after_10_s() {
    let mut world = World::new(4);
    world.greeting = Greeting::Silence;
    world.run_until(9_900);
    assert_eq!((world.link.state(), world.closes.len()), (LinkState::Connecting, 0));
    world.run_until(10_100);
    assert_eq!((world.dials.len(), world.closes[0]), (2, 10_000), "{:?}", world.dials);
}

/// Somebody is there who is not the box: nothing that passes within a second.
#[test]
fn a_server_that_is_not_trusted_is_not_tried_again_soon_unless_somebody_asks() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        world.is_trusted = false;
        world.run_until(10 * MINUTE);
        let gaps: Vec<_> = world.dials.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (32_000..=64_001).contains(gap)), "seed {seed}: {gaps:?}");
        let LinkState::Offline { reason, is_untrusted, .. } = world.link.state() else { panic!() };
        assert!(is_untrusted, "{reason}");
        let before = world.dials.len();
        world.is_trusted = true;
        world.link.network_changed(world.now_ms);
        world.run_for(100);
        assert_eq!(world.dials.len(), before + 1);
        assert!(world.is_online(), "seed {seed}");
        world.hang_up();
        world.run_for(world.latency_ms + 51);
        assert_eq!(world.dials.len(), before + 2, "a lost connection is another matter");
    }
}

#[test]
fn a_foreground_ends_any_wait_and_begins_anew() {
    let mut world = World::new(5);
    world.is_up = false;
    world.run_until(10 * MINUTE);
    let before = world.dials.len();
    world.link.foreground(world.now_ms);
    world.run_for(300);
    assert!(world.dials.len() >= before + 3, "short waits again: {:?}", &world.dials[before..]);
    assert_eq!(world.dials[before], 10 * MINUTE, "and at once");
}

#[test]
fn another_network_is_another_connection_at_once() {
    let mut world = World::online(6);
    world.link.network_changed(world.now_ms);
    world.run_for(100);
    assert_eq!((world.dials.len(), world.closes.as_slice()), (2, &[1_000][..]));
    assert!(world.is_online());
}

/// The app calls from another thread, while the driver dials.
#[test]
fn a_dial_into_the_last_network_is_not_wanted_any_more() {
    let mut world = World::new(7);
    assert_eq!(world.link.poll_step(0), Some(Step::Dial));
    assert!(world.link.is_dialing());
    world.link.network_changed(0);
    assert!(!world.link.is_dialing());
    world.link.handle_dial_failed(5, "unreachable".to_owned());
    world.run_until(200);
    assert!(world.is_online());
    assert_eq!(world.dials, [0]);
}

#[test]
fn only_a_hello_tells_the_mode_so_only_a_return_from_the_background_reconnects() {
    let mut world = World::online(8);
    world.link.background();
    world.run_for(5 * MINUTE);
    assert_eq!(world.modes, [0], "nothing is told on the way to the background");
    world.link.foreground(world.now_ms);
    world.run_for(1_000);
    assert_eq!(world.modes, [0]);
    world.link.background();
    world.hang_up();
    world.run_for(1_000);
    world.link.foreground(world.now_ms);
    world.run_for(1_000);
    assert_eq!(world.modes, [0, 1, 0]);
    assert!(world.is_online());
}

#[test]
fn a_client_that_was_opened_in_the_background_says_so() {
    let mut world = World::in_mode(Mode::Background, 9);
    world.run_until(1_000);
    assert_eq!(world.modes, [1]);
}

#[test]
fn what_no_attempt_can_mend_stops_it() {
    for code in [
        Code::TooManyDevices,
        Code::FrameMalformed,
        Code::VersionUnsupported,
        Code::DeviceRolledBack,
        Code::SessionReplaced,
    ] {
        let mut world = World::online(10);
        world.close_with(code, 0);
        world.run_for(100 * MINUTE);
        assert_eq!(world.link.state(), LinkState::Stopped(Halt::Code(code.number())));
        assert_eq!((world.dials.len(), world.link.poll_timeout()), (1, None), "{}", code.name());
        world.link.foreground(world.now_ms);
        world.link.network_changed(world.now_ms);
        world.run_for(MINUTE);
        assert_eq!(world.dials.len(), 1, "{}", code.name());
    }
}

#[test]
fn a_busy_server_is_tried_again_after_its_time() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        world.greeting = Greeting::Error(Code::Busy, 8_000);
        world.run_until(7_000);
        world.greeting = Greeting::Welcome;
        world.run_until(12_000);
        let wait = world.dials[1] - world.closes[0];
        assert!((8_000..=10_000).contains(&wait), "{wait}");
        assert!(world.is_online());
    }
}

#[test]
fn a_session_that_moved_is_opened_again_soon() {
    let mut world = World::online(11);
    world.close_with(Code::SessionMoved, 0);
    world.run_for(300);
    assert!(world.is_online());
    assert_eq!(world.dials.len(), 2);
}

#[test]
fn refused_tokens_are_replaced_twice_and_no_more() {
    let mut world = World::new(12);
    world.greeting = Greeting::Error(Code::TokenExpired, 0);
    world.run_until(100 * MINUTE);
    assert_eq!(world.dials.len(), 3, "a token is asked for before each");
    let halt = Halt::Code(Code::TokenExpired.number());
    assert_eq!(world.link.state(), LinkState::Stopped(halt));

    let mut world = World::new(12);
    for _ in 0..5 {
        world.greeting = Greeting::Error(Code::TokenExpired, 0);
        world.run_for(90);
        world.greeting = Greeting::Welcome;
        world.run_for(MINUTE);
        assert!(world.is_online(), "a good token ends the count");
        world.hang_up();
        world.run_for(41);
    }
}

#[test]
fn what_came_before_a_broken_frame_opens_nothing() {
    let mut world = World::new(13);
    world.greeting = Greeting::Garble;
    world.run_until(80);
    assert!(matches!(world.events[..], [Event::Opened { .. }]), "{:?}", world.events);
    assert!(matches!(world.link.state(), LinkState::Offline { .. }));
    assert_eq!(world.closes, [80]);
}
