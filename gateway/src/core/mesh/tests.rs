//! Two cores and the queues between them.

use std::sync::Arc;

use answerback_directory::mailbox::{Doorbell, Wake, mailbox};
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::kind::Send;

use super::*;
use crate::limits::PARCELS_MAX;

struct Nobody;

impl Wake for Nobody {
    fn wake(&self) {}
}

/// Cores 0 and 1.
fn pair() -> (Mesh, Mesh) {
    let doorbell = || Doorbell::new(Arc::new(Nobody));
    let (mut first, mut second) = (doorbell(), doorbell());
    let (to_second, from_first) = mailbox(PARCELS_MAX, &mut second);
    let (to_first, from_second) = mailbox(PARCELS_MAX, &mut first);
    let link = |to, from| Some(Link::new(to, from));
    let first = Mesh::new(0, vec![None, link(to_second, from_second)]);
    (first, Mesh::new(1, vec![link(to_first, from_first), None]))
}

fn origin(number: u32) -> Origin {
    let session = SessionRef { core: 0, slot: number, generation: number + 1 };
    let (user, device) = (UserId(u128::MAX - 5), DeviceId(9));
    Origin { session, tag: number + 2, user, device, copies: number % 2 == 1 }
}

fn bytes_of_send(tag: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let send = Send { sequence: 3, seen_ms: 0, life_s: 0, content_type: 1 };
    append_frame(&mut bytes, Address { flags: 1, tag, target: 77 }, &send, &[], payload);
    bytes
}

fn forward(mesh: &mut Mesh, number: u32, payload: &[u8]) -> bool {
    let origin = origin(number);
    let bytes = bytes_of_send(origin.tag, payload);
    let frame = take_frame(&mut bytes.as_slice()).unwrap();
    mesh.forward(1, &origin, &frame)
}

fn receive(mesh: &mut Mesh) -> Vec<(u16, Parcel)> {
    let mut parcels = Vec::new();
    mesh.receive(|core, parcel| parcels.push((core, parcel)));
    parcels
}

#[test]
fn requests_arrive_as_they_left() {
    let (mut first, mut second) = pair();
    for number in 0..3 {
        assert!(forward(&mut first, number, &vec![number as u8; 10 * number as usize]));
    }
    assert!(first.flush());
    let parcels = receive(&mut second);
    let [(0, parcel)] = parcels.as_slice() else { panic!("{parcels:?}") };
    let requests: Vec<_> = parcel.requests(0).collect();
    assert_eq!(requests.len(), 3);
    for (number, (from, frame)) in (0..).zip(requests) {
        assert_eq!(from, origin(number));
        assert_eq!(frame.payload, vec![number as u8; 10 * number as usize]);
        let bytes = bytes_of_send(number + 2, frame.payload);
        assert_eq!(Some(frame), take_frame(&mut bytes.as_slice()));
    }
}

#[test]
fn answers_arrive_and_make_room_for_requests() {
    let (mut first, mut second) = pair();
    while forward(&mut first, 1, &[]) {
        first.flush();
        receive(&mut second);
    }
    let answer = bytes_of_send(8, b"stands for an answer");
    for is_last in [false, true] {
        second.answer(origin(1).session, is_last, |out| out.extend_from_slice(&answer));
    }
    second.flush();
    let parcels = receive(&mut first);
    let answers: Vec<_> = parcels[0].1.answers().collect();
    let key = SlotKey { index: 1, generation: 2 };
    assert_eq!(answers, [(key, false, answer.as_slice()), (key, true, answer.as_slice())]);
    assert!(forward(&mut first, 1, &[]));
    assert!(forward(&mut first, 1, &[]));
    assert!(!forward(&mut first, 1, &[]), "as many as were answered, and no more");
}

#[test]
fn requests_that_will_not_be_answered_make_room_too() {
    let (mut first, mut second) = pair();
    while forward(&mut first, 1, &[]) {
        first.flush();
        receive(&mut second);
    }
    second.release(0, 1);
    second.flush();
    receive(&mut first);
    assert!(forward(&mut first, 1, &[]));
    assert!(!forward(&mut first, 1, &[]));
}

#[test]
fn a_parcel_that_finds_the_queue_full_stays_and_arrives_later_in_order() {
    let (mut first, mut second) = pair();
    for number in 0..PARCELS_MAX as u32 {
        assert!(forward(&mut first, number, &[]));
        assert!(first.flush());
    }
    let late = PARCELS_MAX as u32;
    for number in [late, late + 1] {
        assert!(forward(&mut first, number, &[]));
        assert!(!first.flush());
    }
    let mut numbers = Vec::new();
    while let parcels = receive(&mut second)
        && !parcels.is_empty()
    {
        for (core, parcel) in &parcels {
            numbers.extend(parcel.requests(*core).map(|(origin, _)| origin.session.slot));
        }
        first.flush();
    }
    assert_eq!(numbers, (0..late + 2).collect::<Vec<_>>());
}

#[test]
fn a_parcel_is_bounded_but_takes_any_one_frame() {
    let (mut first, _second) = pair();
    let longest = vec![0; FRAME_BYTES_HARD_MAX as usize - 200];
    assert!(forward(&mut first, 1, &longest));
    let mut count = 0;
    while forward(&mut first, 2, &[0; 1000]) {
        count += 1;
    }
    assert!(count < 200, "{count}");
}

#[test]
fn nobody_is_sent_an_empty_parcel() {
    let (mut first, mut second) = pair();
    assert!(first.flush());
    assert!(receive(&mut second).is_empty());
}
