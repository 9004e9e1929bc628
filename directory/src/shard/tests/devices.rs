//! Several devices of a user: copies, revocation, lapse.

use super::*;

/// Users A, with a phone and a laptop, and B.
fn trio() -> (Box, Origin, Origin, Origin) {
    let mut at = Box::new();
    let phone = at.connect(A, PHONE, 0);
    let laptop = at.connect(A, LAPTOP, 0);
    let b = at.connect(B, PHONE, 0);
    (at, Origin { copies: true, ..phone }, Origin { copies: true, ..laptop }, b)
}

fn revoke(at: &mut Box, user: UserId, device: DeviceId) -> Option<Administered> {
    at.home(user).handle_revoke(user, device, 7);
    at.settle();
    at.said.iter().find_map(|effect| match effect {
        Effect::Administered { ticket: 7, outcome } => Some(*outcome),
        _ => None,
    })
}

#[test]
fn sessions_are_told_whether_to_have_copies_made() {
    let mut at = Box::new();
    let phone = at.connect(A, PHONE, 0);
    assert!(!at.opened(phone).copies);
    let laptop = at.connect(A, LAPTOP, 0);
    assert!(at.opened(laptop).copies);
    let told = |at: &Box, of: Origin| {
        at.said.iter().rev().find_map(|effect| match effect {
            Effect::Copies { to, copies, .. } if *to == of.session => Some(*copies),
            _ => None,
        })
    };
    assert_eq!(told(&at, phone), Some(true));
    revoke(&mut at, A, LAPTOP);
    assert_eq!(told(&at, phone), Some(false));
}

#[test]
fn the_other_devices_get_a_copy_and_the_sending_one_does_not() {
    let (mut at, phone, laptop, b) = trio();
    at.send(phone, B, 1);
    at.send(phone, B, 2);
    at.settle();
    assert_eq!(at.said_to(b), ["1:1", "1:2"]);
    assert_eq!(at.said_to(laptop), ["copy of 1:1", "copy of 1:2"]);
    assert_eq!(at.said_to(phone), [""; 0]);
    at.ack(laptop, 2);
    at.settle();
    assert_eq!(at.user(A).live, 0, "the phone owes nothing for its own");
}

/// What is its own lies behind what it has yet to acknowledge, and nothing follows.
#[test]
fn a_device_that_acknowledges_the_last_of_others_owes_nothing_of_its_own() {
    let (mut at, phone, laptop, b) = trio();
    at.send(b, A, 1);
    at.settle();
    at.send(phone, B, 1);
    at.settle();
    at.ack(laptop, 2);
    at.settle();
    assert_eq!(at.user(A).live, 2, "the phone has acknowledged nothing");
    at.ack(phone, 1);
    at.settle();
    assert_eq!(at.user(A).live, 0);
}

#[test]
fn receipts_of_a_copy_reach_all_devices() {
    let (mut at, phone, laptop, b) = trio();
    at.send(phone, B, 1);
    at.settle();
    at.ack(laptop, 1);
    at.ack(b, 1);
    at.settle();
    for device in [phone, laptop] {
        assert!(at.said_to(device).contains(&"delivered 10:1".to_owned()));
    }
}

#[test]
fn a_copy_waits_for_a_device_that_is_away() {
    let (mut at, phone, laptop, _) = trio();
    at.close(laptop);
    at.send(phone, B, 1);
    at.settle();
    at.forget_all();
    let laptop = at.connect(A, LAPTOP, 0);
    assert_eq!(at.said_to(laptop), ["copy of 1:1"]);
}

#[test]
fn a_revoked_device_ends_owes_nothing_and_does_not_come_back() {
    let (mut at, a, b) = pair();
    let laptop = at.connect(B, LAPTOP, 0);
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.settle();
    assert_eq!(at.user(B).live, 1);
    at.forget_all();
    assert_eq!(revoke(&mut at, B, LAPTOP), Some(Administered::Done));
    assert_eq!(at.user(B).live, 0);
    assert_eq!(at.closed(laptop), Some(Code::DeviceRevoked));
    at.forget_all();
    at.restart();
    let again = at.connect(B, LAPTOP, 0);
    assert_eq!(at.closed(again), Some(Code::DeviceRevoked));
    at.said.clear();
    assert_eq!(revoke(&mut at, B, LAPTOP), Some(Administered::WasSo));
    at.said.clear();
    assert_eq!(revoke(&mut at, B, DeviceId(5)), Some(Administered::Unknown));
}

#[test]
fn the_last_device_revoked_leaves_what_nobody_has() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.send(a, B, 2);
    at.settle();
    at.ack(b, 1);
    at.settle();
    revoke(&mut at, B, PHONE);
    assert_eq!(at.user(B).live, 1);
    let tablet = at.connect(B, DeviceId(12), 0);
    assert_eq!(at.said_to(tablet), ["1:2"]);
}

#[test]
fn a_user_has_only_so_many_devices() {
    let mut at = Box::with(Settings { devices_max: 2, ..SETTINGS });
    at.connect(A, PHONE, 0);
    at.connect(A, LAPTOP, 0);
    let third = at.connect(A, DeviceId(12), 0);
    assert_eq!(at.closed(third), Some(Code::TooManyDevices));
    revoke(&mut at, A, LAPTOP);
    let third = at.connect(A, DeviceId(12), 0);
    assert_eq!(at.closed(third), None);
}

#[test]
fn a_user_that_was_added_exists() {
    let (mut at, a, _) = pair();
    let added = UserId(50);
    for outcome in [Administered::Done, Administered::WasSo] {
        at.said.clear();
        at.home(added).handle_add_user(added, 3);
        at.settle();
        assert!(at.said.contains(&Effect::Administered { ticket: 3, outcome }));
    }
    at.forget_all();
    at.send(a, added, 1);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1)]);
    let phone = at.connect(added, PHONE, 0);
    assert_eq!(at.said_to(phone), ["1:1"]);
}

#[test]
fn a_device_that_owes_too_long_lapses_and_starts_at_the_floor() {
    let mut at = Box::with(Settings { lapse_s: 100, ..SETTINGS });
    let (a, b) = (at.connect(A, PHONE, 0), at.connect(B, PHONE, 0));
    let laptop = at.connect(B, LAPTOP, 0);
    at.close(laptop);
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.settle();
    at.forget_all();
    at.wait(50_000);
    assert_eq!(at.user(B).live, 1, "not yet");
    at.wait(60_000);
    assert_eq!(at.user(B).live, 0);
    at.send(a, B, 2);
    at.settle();
    let laptop = at.connect(B, LAPTOP, 0);
    assert!(at.opened(laptop).lapsed);
    at.forget_all();
    let laptop = at.connect(B, LAPTOP, 0);
    assert!(at.opened(laptop).lapsed, "the first word of it may have been lost");
    assert_eq!(at.said_to(laptop), ["1:2"]);
    at.ack(laptop, 2);
    at.settle();
    let laptop = at.connect(B, LAPTOP, 0);
    assert!(!at.opened(laptop).lapsed);
}

#[test]
fn a_device_that_owes_too_much_lapses() {
    let mut at = Box::with(Settings { device_lag_max: 3, ..SETTINGS });
    let (a, b) = (at.connect(A, PHONE, 0), at.connect(B, PHONE, 0));
    let laptop = at.connect(B, LAPTOP, 0);
    at.close(laptop);
    for sequence in 1..=4 {
        at.send(a, B, sequence);
        at.settle();
        at.ack(b, sequence);
        at.settle();
    }
    assert_eq!(at.user(B).live, 4);
    at.forget_all();
    at.wait(2_000);
    assert_eq!(at.user(B).live, 0);
}

/// Its database is as good as ever: it comes back, and is told where it starts.
#[test]
fn a_device_that_lapses_with_its_session_open_is_told_to_connect_again() {
    let mut at = Box::with(Settings { device_lag_max: 1, ..SETTINGS });
    let (a, b) = (at.connect(A, PHONE, 0), at.connect(B, PHONE, 0));
    let laptop = at.connect(B, LAPTOP, 0);
    for sequence in 1..=2 {
        at.send(a, B, sequence);
        at.settle();
        at.ack(b, sequence);
        at.settle();
    }
    at.checkpoint();
    at.wait(2_000);
    assert_eq!(at.closed(laptop), Some(Code::SessionMoved));
    assert_eq!(at.closed(b), None);
}
