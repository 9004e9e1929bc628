//! What users do about their own devices.

use answerback_proto::kind::{
    DeviceStanding, Kind, ListDevices, ListedDevice, NameDevice, RevokeDevice,
};

use super::*;
use crate::limits::UNDECIDED_RECORDS_MAX;

const TABLET: DeviceId = DeviceId(12);

/// A device of A's and one more, and B.
fn pair_of_devices() -> (Box, Origin, Origin) {
    let mut at = Box::new();
    let phone = at.connect(A, PHONE, 0);
    let laptop = at.connect(A, LAPTOP, 0);
    (at, phone, laptop)
}

fn name(at: &mut Box, of: Origin, device: DeviceId, name: &str) -> Vec<Answer> {
    let mut frame = Vec::new();
    let named = NameDevice { device: device.0, name_length: 0 };
    named.append(&mut frame, Address::default(), name).unwrap();
    at.home(of.user).handle_own(Kind::NameDevice, of, &frame.split_off(HEADER_BYTES));
    at.settle();
    at.answers(of)
}

fn revoke(at: &mut Box, of: Origin, device: DeviceId) -> Vec<Answer> {
    let envelope = envelope(&RevokeDevice { device: device.0 });
    at.home(of.user).handle_own(Kind::RevokeDevice, of, &envelope);
    at.settle();
    at.answers(of)
}

fn list(at: &mut Box, of: Origin, behind: u128) -> (Vec<ListedDevice>, bool) {
    at.home(of.user).handle_own(Kind::ListDevices, of, &envelope(&ListDevices { behind }));
    at.settle();
    let mut pages = at.said.drain(..).filter_map(|effect| match effect {
        Effect::Devices { to, page, .. } if to == of.session => Some(page),
        _ => None,
    });
    let page = pages.next().unwrap();
    (page.listed, page.has_more)
}

fn done() -> Vec<Answer> {
    vec![Answer::Done { at_ms: NOW_MS }]
}

fn unknown() -> Vec<Answer> {
    vec![Answer::Declined { code: Code::UnknownDevice, retry_after_ms: 0 }]
}

fn listed(device: DeviceId, name: &str, is_online: bool) -> ListedDevice {
    ListedDevice {
        device,
        last_login_ms: NOW_MS,
        standing: DeviceStanding::Active,
        is_online,
        name: name.to_owned(),
    }
}

#[test]
fn a_user_s_devices_are_listed_with_their_names_and_sessions() {
    let (mut at, phone, laptop) = pair_of_devices();
    assert_eq!(name(&mut at, phone, LAPTOP, "Anna's laptop"), done());
    assert_eq!(name(&mut at, phone, LAPTOP, "Anna's laptop"), done(), "again");
    at.close(laptop);
    at.forget_all();
    at.restart();
    at.now_ms += 5_000;
    let phone = at.connect(A, PHONE, 0);
    let now = ListedDevice { last_login_ms: NOW_MS + 5_000, ..listed(PHONE, "", true) };
    let expected = vec![now, listed(LAPTOP, "Anna's laptop", false)];
    assert_eq!(list(&mut at, phone, 0), (expected.clone(), false));
    assert_eq!(list(&mut at, phone, PHONE.0), (expected[1..].to_vec(), false));
    assert_eq!(list(&mut at, phone, LAPTOP.0), (Vec::new(), false));
}

#[test]
fn a_list_of_many_devices_has_several_pages() {
    let mut at = Box::with(Settings { devices_max: 100, ..SETTINGS });
    let phone = at.connect(A, DeviceId(200), 0);
    for device in 1..=99 {
        at.connect(A, DeviceId(device), 0);
    }
    let (first, has_more) = list(&mut at, phone, 0);
    assert_eq!((first.len(), has_more), (64, true));
    let (rest, has_more) = list(&mut at, phone, first[63].device.0);
    let devices: Vec<_> = first.iter().chain(&rest).map(|listed| listed.device.0).collect();
    assert_eq!((devices, has_more), ((1..=99).chain([200]).collect(), false));
}

#[test]
fn a_device_that_lapsed_is_listed_as_such() {
    let mut at = Box::with(Settings { lapse_s: 100, ..SETTINGS });
    let (a, b) = (at.connect(A, PHONE, 0), at.connect(B, PHONE, 0));
    let laptop = at.connect(B, LAPTOP, 0);
    at.close(laptop);
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.settle();
    at.forget_all();
    at.wait(110_000);
    let (devices, _) = list(&mut at, b, 0);
    let lapsed = DeviceStanding::Lapsed;
    assert_eq!(devices[1], ListedDevice { standing: lapsed, ..listed(LAPTOP, "", false) });
}

#[test]
fn a_user_revokes_a_device_which_is_gone_with_its_name() {
    let (mut at, phone, laptop) = pair_of_devices();
    name(&mut at, phone, LAPTOP, "stolen");
    assert_eq!(revoke(&mut at, phone, LAPTOP), done());
    assert_eq!(at.closed(laptop), Some(Code::DeviceRevoked));
    at.said.clear();
    assert_eq!(list(&mut at, phone, 0), (vec![listed(PHONE, "", true)], false));
    assert_eq!(revoke(&mut at, phone, LAPTOP), done(), "what is so already is no mistake");
    assert_eq!(name(&mut at, phone, LAPTOP, "back"), unknown());
    assert_eq!(at.user(A).device(LAPTOP).unwrap().name(), "");
    at.forget_all();
    let again = at.connect(A, LAPTOP, 0);
    assert_eq!(at.closed(again), Some(Code::DeviceRevoked));
}

#[test]
fn a_device_that_revokes_itself_is_answered_before_its_session_ends() {
    let (mut at, phone, _) = pair_of_devices();
    at.home(A).handle_own(Kind::RevokeDevice, phone, &envelope(&RevokeDevice { device: PHONE.0 }));
    at.settle();
    let of_phone = |effect: &&Effect| match effect {
        Effect::Answer { to, .. } | Effect::Close { to, .. } => *to == phone.session,
        _ => false,
    };
    let said: Vec<_> = at.said.iter().filter(of_phone).collect();
    assert!(
        matches!(
            said[..],
            [
                Effect::Answer { answer: Answer::Done { .. }, .. },
                Effect::Close { code: Code::DeviceRevoked, .. }
            ]
        ),
        "{said:?}"
    );
}

#[test]
fn a_device_that_is_another_s_or_nobody_s_is_unknown() {
    let (mut at, phone, _) = pair_of_devices();
    at.connect(B, TABLET, 0);
    for device in [TABLET, DeviceId(99)] {
        assert_eq!(name(&mut at, phone, device, "mine"), unknown());
        assert_eq!(revoke(&mut at, phone, device), unknown());
    }
    assert_eq!(at.user(B).device(TABLET).unwrap().name(), "");
    assert_eq!(at.user(B).active_devices().count(), 1);
}

#[test]
fn a_malformed_request_closes_its_session_and_a_busy_shard_declines() {
    let kinds = [Kind::ListDevices, Kind::NameDevice, Kind::RevokeDevice];
    for kind in kinds {
        let (mut at, phone, _) = pair_of_devices();
        at.home(A).handle_own(kind, phone, &[1, 2, 3]);
        at.settle();
        assert_eq!(at.closed(phone), Some(Code::FrameMalformed), "{kind:?}");
    }
    let (mut at, phone, _) = pair_of_devices();
    let revoke = envelope(&RevokeDevice { device: 99 });
    for _ in 0..=UNDECIDED_RECORDS_MAX {
        at.home(A).handle_own(Kind::RevokeDevice, phone, &revoke);
    }
    at.settle();
    let busy = at.answers(phone).into_iter().filter(|answer| {
        matches!(answer, Answer::Declined { code: Code::Busy, retry_after_ms: 1.. })
    });
    assert_eq!(busy.count(), 1);
}

/// The row of a device of an older version ends with its standing, attempts or ticket.
#[test]
fn rows_of_an_older_version_are_read() {
    let key = [&[0, 0][..], &A.0.to_be_bytes(), &PHONE.0.to_be_bytes()].concat();
    let head = [&7_u64.to_le_bytes()[..], &9_u64.to_le_bytes(), &[3]].concat();
    let attempts = [&8_u64.to_le_bytes()[..], &2_u16.to_le_bytes(), &5_u64.to_le_bytes()].concat();
    let ticket = 4_u64.to_le_bytes();
    for (behind, tries, ticket_number) in [
        (Vec::new(), None, 0),
        (attempts.clone(), Some(2), 0),
        (ticket.to_vec(), None, 4),
        ([&attempts[..], &ticket].concat(), Some(2), 4),
    ] {
        let device = rows::read_device(&key, &[&head[..], &behind].concat()).unwrap();
        assert_eq!((device.cursor, device.connection_counter), (Position(7), 9));
        assert_eq!(device.attempts.as_ref().map(|attempts| attempts.count), tries);
        assert_eq!((device.ticket, device.last_login_s, device.name()), (ticket_number, 0, ""));
    }
}
