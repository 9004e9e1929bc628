//! Servers that go away.

use answerback_proto::code::Code;

use super::harness::World;
use crate::link::{Halt, LinkState};
use crate::session::Event;

fn accepted(world: &World) -> usize {
    world.events.iter().filter(|event| matches!(event, Event::Accepted { .. })).count()
}

#[test]
fn it_leaves_at_once_and_comes_back_after_the_delay() {
    for seed in 0..20 {
        let mut world = World::online(seed);
        world.go_away(Code::Draining, 20_000);
        world.run_for(100);
        assert_eq!(world.closes, [1_040], "nothing was under way");
        assert!(matches!(world.link.state(), LinkState::Offline { retry_at_ms: 21_000.., .. }));
        world.run_for(30_000);
        let wait = world.dials[1] - 1_040;
        assert!((20_000..=25_000).contains(&wait), "seed {seed}: {wait}");
        assert!(world.is_online());
    }
}

#[test]
fn what_is_under_way_is_answered_before_it_leaves() {
    let mut world = World::online(1);
    world.decision_ms = 2_000;
    world.send(1);
    world.run_for(500);
    world.go_away(Code::Draining, 1_000);
    world.run_for(100);
    world.send(2);
    world.run_for(500);
    assert_eq!((accepted(&world), world.closes.len()), (0, 0));
    world.run_for(1_000);
    assert_eq!((accepted(&world), world.closes.len()), (1, 1), "nothing new was sent");
    world.run_for(3_000);
    assert_eq!((accepted(&world), world.dials.len()), (2, 2), "it went on the next connection");
}

#[test]
fn a_server_that_answers_no_more_is_left_after_5_s() {
    let mut world = World::online(2);
    world.send(1);
    world.is_mute = true;
    world.run_for(100);
    world.is_mute = false;
    world.go_away(Code::Draining, 100);
    world.run_for(4_900);
    assert!(world.closes.is_empty());
    world.run_for(300);
    assert_eq!((world.closes.len(), world.is_online(), accepted(&world)), (1, true, 1));
}

#[test]
fn a_server_that_hangs_up_first_is_met_again_after_its_delay_all_the_same() {
    let mut world = World::online(3);
    world.decision_ms = 60_000;
    world.send(1);
    world.run_for(100);
    world.go_away(Code::Draining, 10_000);
    world.run_for(50);
    world.hang_up();
    world.run_for(9_000);
    assert_eq!(world.dials.len(), 1);
    world.run_for(5_000);
    assert_eq!(world.dials.len(), 2);
}

#[test]
fn an_error_behind_the_goodbye_changes_only_what_it_must() {
    let mut world = World::online(4);
    world.decision_ms = 60_000;
    world.send(1);
    world.run_for(100);
    world.go_away(Code::Draining, 10_000);
    world.run_for(50);
    world.close_with(Code::Draining, 0);
    world.run_for(9_000);
    assert_eq!(world.dials.len(), 1, "the delay holds");

    let mut world = World::online(4);
    world.go_away(Code::DeviceRevoked, 0);
    world.run_for(60_000);
    let halt = Halt::Code(Code::DeviceRevoked.number());
    assert_eq!((world.link.state(), world.dials.len()), (LinkState::Stopped(halt), 1));
}

#[test]
fn what_is_stored_is_acknowledged_before_it_leaves() {
    let mut world = World::online(5);
    world.deliver_entry(1);
    world.go_away(Code::Draining, 1_000);
    world.run_for(100);
    assert_eq!((world.closes.len(), world.acks), (1, 1));
}
