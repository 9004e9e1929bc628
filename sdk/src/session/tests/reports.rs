//! Reports: asked as requests about the user's own things are, of another user.

use answerback_proto::code::Code;
use answerback_proto::kind::{Declined, Done, Report};

use super::super::{Ask, Outcome, SessionError};
use super::*;

fn report(excerpt: &[u8]) -> Ask {
    let message = Some((DeviceId(9), Sequence(19)));
    Ask::Report { user: BOB, message, reason: 1, excerpt: excerpt.to_vec() }
}

fn asked(session: &mut ClientSession) -> Vec<(u32, Vec<u8>)> {
    let own = |written| match written {
        Written::Own { tag, kind: Kind::Report, envelope } => Some((tag, envelope)),
        _ => None,
    };
    written(session).into_iter().filter_map(own).collect()
}

#[test]
fn a_report_is_of_its_target_and_goes_again_until_it_is_answered() {
    let mut session = opened(0);
    let ask = session.ask_for(report(b"look"));
    let (tag, envelope) = asked(&mut session).remove(0);
    let (said, excerpt) = Report::read(&envelope).unwrap();
    assert_eq!((said.device, said.sequence, said.reason, excerpt), (9, 19, 1, &b"look"[..]));

    let busy = Declined { retry_after_ms: 30_000, code: Code::Busy.number() };
    session.handle_received(0, &frame(tag, BOB, &busy, &[])).unwrap();
    assert_eq!(asked(&mut session), []);
    session.handle_timeout(30_000);
    let (tag, _) = asked(&mut session).remove(0);

    session.handle_disconnected();
    open(&mut session, 0);
    let again = asked(&mut session);
    assert_eq!(again.len(), 1, "nobody answered {tag}");
    session.handle_received(0, &frame(again[0].0, BOB, &Done { at_ms: 7 }, &[])).unwrap();
    let answered = Event::Answered { ask, outcome: Outcome::Done { at_ms: 7 } };
    assert!(events(&mut session).contains(&answered));
    assert!(session.is_answered());
}

#[test]
fn what_no_server_would_take_is_not_sent() {
    let mut session = opened(0);
    let message = Some((DeviceId(9), Sequence(0)));
    let half = Ask::Report { user: BOB, message, reason: 1, excerpt: Vec::new() };
    for bad in [report(&[0; 4097]), half] {
        let ask = session.ask_for(bad);
        assert_eq!(asked(&mut session), []);
        let outcome = Outcome::Declined { code: Code::FrameMalformed.number() };
        assert_eq!(events(&mut session), [Event::Answered { ask, outcome }]);
    }
}

#[test]
fn an_answer_about_another_is_none() {
    let mut session = opened(0);
    session.ask_for(report(b""));
    let (tag, _) = asked(&mut session).remove(0);
    let own = frame(tag, ALICE, &Done { at_ms: 7 }, &[]);
    assert_eq!(session.handle_received(0, &own), Err(SessionError::AnswerMismatch(tag)));
}
