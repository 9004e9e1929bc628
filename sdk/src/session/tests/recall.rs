//! Messages that take earlier ones back, and messages with a life.

use answerback_proto::code::Code;
use answerback_proto::kind::Accepted;
use answerback_proto::limits::LIFE_MAX_S;

use super::script::{accept, out_of_order, sends, sequences};
use super::*;

fn recall(sequence: u64, recalled: u64) -> Outgoing {
    Outgoing { recalled: Some(Sequence(recalled)), ..message(sequence) }
}

#[test]
fn a_recall_goes_out_in_its_turn_as_any_message() {
    let mut session = opened(0);
    session.send(message(1));
    session.send(Outgoing { life_s: 60, seen_ms: 5, ..recall(2, 1) });
    session.send(message(3));
    let frames = written(&mut session);
    let [Written::Send { .. }, Written::Recall { tag, peer: BOB, recall, payload }, _] =
        &frames[..]
    else {
        panic!("{frames:?}")
    };
    let expected = Recall { sequence: 2, recalled: 1, seen_ms: 5, life_s: 60, content_type: 1 };
    assert_eq!((recall, payload.as_slice()), (&expected, &b"message 2"[..]));
    let accepted = Accepted { sequence: 2, accepted_at_ms: 9 };
    session.handle_received(0, &frame(*tag, BOB, &accepted, &[])).unwrap();
    assert_eq!(session.undecided(), 2);
}

#[test]
fn an_undecided_recall_is_sent_again_as_a_recall() {
    let mut session = opened(0);
    session.send(message(1));
    session.send(recall(2, 1));
    let frames = written(&mut session);
    let [Written::Send { tag, .. }, Written::Recall { tag: of_recall, .. }] = frames[..] else {
        panic!("{frames:?}")
    };
    out_of_order(&mut session, (of_recall, 2), 1);
    let again = written(&mut session);
    assert!(matches!(again[..], [Written::Send { .. }, Written::Recall { .. }]), "{again:?}");
    accept(&mut session, (tag, 1));
    session.handle_disconnected();
    open(&mut session, 0);
    let again = written(&mut session);
    assert!(matches!(again[..], [Written::Recall { .. }]), "{again:?}");
}

/// The words of a recall are a message to any app; no server needs the kind for them.
#[test]
fn a_server_that_takes_no_recalls_gets_the_words() {
    let mut session = opened_with_kinds(&[Kind::Send]);
    session.send(recall(2, 1));
    assert_eq!(sequences(&sends(&mut session)), [2]);
}

#[test]
fn what_no_server_would_take_is_refused_here() {
    let wrong = [
        recall(2, 0),
        recall(2, 2),
        recall(2, 3),
        Outgoing { life_s: LIFE_MAX_S + 1, ..message(2) },
        Outgoing { life_s: LIFE_MAX_S + 1, ..recall(2, 1) },
    ];
    for message in wrong {
        let mut session = opened(0);
        session.send(message.clone());
        let frames = written(&mut session);
        assert!(matches!(frames[..], [Written::Skip { .. }]), "{message:?}: {frames:?}");
        let code = Code::FrameMalformed.number();
        let refused = Event::Refused { peer: BOB, sequence: Sequence(2), code };
        assert_eq!(events(&mut session), [refused], "{message:?}");
    }
}

#[test]
fn what_has_no_number_is_refused_at_once() {
    let mut session = opened(0);
    for sequence in [0, u64::MAX] {
        session.send(message(sequence));
        session.skip(BOB, Sequence(sequence));
        let code = Code::FrameMalformed.number();
        let refused = Event::Refused { peer: BOB, sequence: Sequence(sequence), code };
        assert_eq!(events(&mut session), [refused]);
        assert_eq!((written(&mut session), session.undecided()), (Vec::new(), 0));
    }
}

#[test]
fn a_recall_beyond_the_frame_limit_is_refused_here() {
    let room = 4_096 - 32 - <Recall as Envelope>::BYTES;
    for (length, is_too_long) in [(room, false), (room + 1, true)] {
        let mut session = opened(0);
        session.send(Outgoing { payload: vec![0; length], ..recall(2, 1) });
        let frames = written(&mut session);
        assert_eq!(matches!(frames[..], [Written::Skip { .. }]), is_too_long, "{length}");
    }
}

#[test]
fn a_message_says_how_long_it_may_wait() {
    let mut session = opened(0);
    session.send(Outgoing { life_s: LIFE_MAX_S, ..message(1) });
    let frames = written(&mut session);
    let [Written::Send { send, .. }] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!(send.life_s, LIFE_MAX_S);
}
