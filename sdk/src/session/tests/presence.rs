//! Whom the user watches, and who may see when he was there.

use answerback_proto::code::Code;
use answerback_proto::kind::{Declined, Done, Presence};

use super::super::{Ask, Mode, Outcome, Visibility};
use super::*;

fn tag_of(written: &Written) -> u32 {
    match written {
        Written::Watch { tag, .. } | Written::SetVisibility { tag, .. } => *tag,
        other => panic!("{other:?}"),
    }
}

/// What is written next, which must be one request of these.
fn request(session: &mut ClientSession) -> Written {
    let written = written(session);
    let [request] = &written[..] else { panic!("{written:?}") };
    tag_of(request);
    request.clone()
}

fn lists(written: &Written) -> (u16, &[u128], bool) {
    match written {
        Written::Watch { once, users, is_user_action, .. } => (*once, users, *is_user_action),
        other => panic!("{other:?}"),
    }
}

fn done(session: &mut ClientSession, request: &Written) {
    let done = frame(tag_of(request), ALICE, &Done { at_ms: 5 }, &[]);
    session.handle_received(0, &done).unwrap();
}

fn decline(session: &mut ClientSession, request: &Written, code: Code, retry_after_ms: u32) {
    let declined = Declined { retry_after_ms, code: code.number() };
    let declined = frame(tag_of(request), ALICE, &declined, &[]);
    session.handle_received(0, &declined).unwrap();
}

#[test]
fn a_list_is_said_once_a_connection_and_by_a_person_the_first_time() {
    let mut session = ClientSession::new(device(ALICE, PHONE));
    session.watch(vec![BOB, UserId(0), UserId(3)]);
    open(&mut session, 0);
    let first = request(&mut session);
    assert_eq!(lists(&first), (0, &[2, 3][..], true));
    done(&mut session, &first);
    assert_eq!(written(&mut session), []);
    session.handle_disconnected();
    open(&mut session, 0);
    assert_eq!(lists(&request(&mut session)), (0, &[2, 3][..], false), "nobody touched it");
    session.watch(Vec::new());
    assert_eq!(lists(&request(&mut session)), (0, &[][..], true));
    session.handle_disconnected();
    open(&mut session, 0);
    assert_eq!(written(&mut session), [], "there is no list to end");
}

#[test]
fn a_list_is_no_longer_than_the_server_s_frames() {
    let mut session = opened(0);
    session.watch((1..=256).map(UserId).collect());
    (1..=256).for_each(|user| session.look(UserId(user)));
    let counts = |frame: &Written| {
        let (once, users, _) = lists(frame);
        (once, users.len())
    };
    let told: Vec<_> = written(&mut session).iter().map(counts).collect();
    assert_eq!(told, [(0, 253), (1, 253), (1, 3)], "4096 bytes hold 253 ids");
}

#[test]
fn nobody_is_watched_while_nobody_looks() {
    let mut session = opened(0);
    session.watch(vec![BOB]);
    request(&mut session);
    session.set_mode(Mode::Background);
    assert_eq!(lists(&request(&mut session)), (0, &[][..], false));
    session.set_mode(Mode::Active);
    assert_eq!(lists(&request(&mut session)), (0, &[2][..], false));
    session.set_mode(Mode::Background);
    session.handle_disconnected();
    open(&mut session, 0);
    assert_eq!(written(&mut session), []);
    session.set_mode(Mode::Active);
    assert_eq!(written(&mut session), [], "its Hello said otherwise");
}

#[test]
fn a_list_that_is_declined_for_now_goes_again_and_one_for_good_does_not() {
    let mut session = opened(0);
    session.watch(vec![BOB]);
    let first = request(&mut session);
    decline(&mut session, &first, Code::Busy, 500);
    assert_eq!((written(&mut session), session.poll_timeout()), (vec![], Some(500)));
    session.handle_timeout(500);
    let second = request(&mut session);
    decline(&mut session, &second, Code::NotActive, 0);
    let code = Code::NotActive.number();
    assert_eq!(events(&mut session), [Event::WatchRefused { code }]);
    session.handle_timeout(100_000);
    let again = written(&mut session);
    assert!(again.iter().all(|frame| matches!(frame, Written::Ping { .. })), "{again:?}");
}

#[test]
fn a_look_is_for_this_connection_alone() {
    let mut session = ClientSession::new(device(ALICE, PHONE));
    session.look(BOB);
    open(&mut session, 0);
    assert_eq!(written(&mut session), []);
    session.look(BOB);
    session.look(UserId(3));
    assert_eq!(lists(&request(&mut session)), (1, &[2, 3][..], true));
    let seen = Presence { last_action_ms: 77, online_for_ms: 5 };
    session.handle_received(0, &frame(0, BOB, &seen, &[])).unwrap();
    let (peer, last_action_ms, online_for_ms) = (BOB, 77, 5);
    assert_eq!(events(&mut session), [Event::Presence { peer, last_action_ms, online_for_ms }]);
}

#[test]
fn who_may_see_is_said_until_it_is_done() {
    let mut session = opened(0);
    let ask = session.ask_for(Ask::SetVisibility(Visibility::Nobody));
    let first = request(&mut session);
    let Written::SetVisibility { visibility: 2, is_user_action: true, .. } = first else {
        panic!("{first:?}")
    };
    session.handle_disconnected();
    open(&mut session, 0);
    let second = request(&mut session);
    done(&mut session, &second);
    let outcome = Outcome::Done { at_ms: 5 };
    assert_eq!(events(&mut session), [Event::Answered { ask, outcome }]);
    session.handle_disconnected();
    open(&mut session, 0);
    assert_eq!(written(&mut session), []);
}

#[test]
fn an_older_server_is_asked_for_nothing_of_it() {
    let mut session = opened_with_kinds(&[Kind::Send, Kind::Ack, Kind::Ping]);
    session.watch(vec![BOB]);
    session.look(BOB);
    assert_eq!(written(&mut session), []);
}

/// What acks, pings, reads and syncs say is no person's doing.
#[test]
fn only_what_a_person_caused_says_so() {
    let mut session = opened(0);
    session.send(message(1));
    session.read(BOB, DeviceId(22), Sequence(1));
    session.handle_received(0, &deliver(0, 1)).unwrap();
    session.handle_stored(Position(1));
    session.handle_received(0, &deliver(5, 6)).unwrap();
    session.ask();
    session.handle_timeout(1);
    let mut bytes = Vec::new();
    while session.poll_transmit(&mut bytes) {}
    let (mut frames, mut rest, mut by_person) = (FrameBuffer::default(), &bytes[..], Vec::new());
    let mut others = Vec::new();
    while let Some(frame) = frames.next_frame(&mut rest, FRAME_BYTES_HARD_MAX).unwrap() {
        let list = if frame.header.is_user_action() { &mut by_person } else { &mut others };
        list.push(frame.header.kind().unwrap());
    }
    assert_eq!(by_person, [Kind::Send]);
    assert_eq!(others, [Kind::Ack, Kind::Resync, Kind::Ping, Kind::Read]);
}
