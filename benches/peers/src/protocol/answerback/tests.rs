//! Frames as a server would send them.

use answerback_proto::kind::{Envelope, Failed};

use super::*;

fn frame<E: Envelope>(tag: u32, envelope: &E, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append_frame(&mut out, Address { flags: 0, tag, target: 7 }, envelope, &[], payload);
    out
}

fn input(role: Role, state: &mut State, received: &[u8]) -> Result<(Vec<u8>, Vec<Event>)> {
    let (mut out, mut events) = (Vec::new(), Vec::new());
    let protocol = Answerback::new(None);
    let used = protocol.input(role, state, received, &mut out, &mut events)?;
    assert_eq!(used, received.len());
    Ok((out, events))
}

fn deliver(position: u64, after: u64, stamp: Stamp) -> Vec<u8> {
    let deliver =
        Deliver { position, after, device: 7, sequence: 1, accepted_at_ms: 0, content_type: 1 };
    frame(0, &deliver, &stamp.to_body())
}

fn ack(up_to: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let address = Address { flags: 0, tag: 0, target: user(Role::Receiver(3)) };
    append_frame(&mut out, address, &Ack { up_to }, &[], &[]);
    out
}

#[test]
fn a_read_is_acknowledged_once() {
    let mut state = State::default();
    let stamps = [1, 2].map(|number| Stamp { due_ns: 1, sender: 3, number });
    let both = [deliver(1, 0, stamps[0]), deliver(2, 1, stamps[1])].concat();
    let (out, events) = input(Role::Receiver(3), &mut state, &both).unwrap();
    assert_eq!(events, stamps.map(Event::Message));
    assert_eq!(out, ack(2));
    let (out, events) = input(Role::Receiver(3), &mut state, &both).unwrap();
    assert_eq!((out, events.len()), (ack(2), 2), "a repeat is told, to be counted as doubled");
}

#[test]
fn a_gap_is_asked_for_once() {
    let mut state = State::default();
    let ahead = deliver(3, 2, Stamp::default());
    let (out, events) = input(Role::Receiver(3), &mut state, &ahead).unwrap();
    assert_eq!((out.len(), events.len()), (HEADER_BYTES + Resync::BYTES, 0));
    assert_eq!(input(Role::Receiver(3), &mut state, &ahead).unwrap(), (vec![], vec![]));
}

#[test]
fn confirmations_and_receipts_are_cumulative() {
    let mut state = State::default();
    let accepted = |sequence| frame(1, &Accepted { sequence, accepted_at_ms: 0 }, &[]);
    let delivered = |position, after, up_to| {
        let delivered =
            Delivered { position, after, device: 7, up_to, delivered_at_ms: 0, except_count: 0 };
        frame(0, &delivered, &[])
    };
    let all = [accepted(1), accepted(3), delivered(0, 0, 2), delivered(1, 0, 2)].concat();
    let (out, events) = input(Role::Sender(3), &mut state, &all).unwrap();
    assert_eq!(events, [Event::Accepted(1), Event::Accepted(2), Event::Receipts(2)]);
    assert_eq!(out.len(), HEADER_BYTES + Ack::BYTES, "the entry, not the first word");
}

#[test]
fn an_unfinished_frame_waits() {
    let whole = deliver(1, 0, Stamp::default());
    for length in 0..whole.len() {
        let (mut out, mut events) = (Vec::new(), Vec::new());
        let used = Answerback::new(None).input(
            Role::Receiver(3),
            &mut State::default(),
            &whole[..length],
            &mut out,
            &mut events,
        );
        assert_eq!((used.unwrap(), events.len()), (0, 0), "cut at {length}");
    }
}

#[test]
fn a_second_login_has_a_greater_counter() {
    let protocol = Answerback::new(None);
    let (mut state, mut out) = (State::default(), Vec::new());
    let mut counters = Vec::new();
    for _ in 0..2 {
        out.clear();
        protocol.hello(Role::Receiver(3), &mut state, &mut out).unwrap();
        let (hello, tail) = Hello::read(&out[HEADER_BYTES..]).unwrap();
        assert!(tail.lists(Kind::Deliver) && !tail.lists(Kind::Send));
        counters.push(hello.connection_counter);
    }
    assert!(counters[0] < counters[1]);
}

#[test]
fn what_a_server_refuses_is_told() {
    let refused = Refused { sequence: 1, retry_after_ms: 5, code: Code::Busy.number() };
    let failed =
        Failed { position: 1, after: 0, device: 7, sequence: 1, code: Code::Busy.number() };
    for (bytes, what) in [(frame(1, &refused, &[]), "Busy"), (frame(0, &failed, &[]), "Failed")] {
        let outcome = input(Role::Sender(3), &mut State::default(), &bytes);
        assert!(outcome.unwrap_err().to_string().contains(what));
    }
}
