//! What opens a session, and what keeps it open.

use answerback_proto::code::Code;
use answerback_proto::kind::{Error, Renewed};
use answerback_proto::ticket;

use super::super::{SessionError, Ticket};
use super::*;

const SERVER_TIME_MS: u64 = 1_000;
const PROOF: [u8; 32] = [9; 32];

fn ticket(expires_at_ms: u64) -> Ticket {
    Ticket { expires_at_ms, secret: [5; 32], sealed: b"sealed".to_vec() }
}

fn bytes(of: &Ticket) -> Vec<u8> {
    let mut bytes = Vec::new();
    let &Ticket { expires_at_ms, secret, ref sealed } = of;
    ticket::Ticket { expires_at_ms, secret, sealed }.append(&mut bytes);
    bytes
}

fn with_ticket() -> ClientSession {
    ClientSession::new(DeviceState { ticket: Some(ticket(1)), ..device(ALICE, PHONE) })
}

/// Opens it at 100 on the driver's clock, with a server that takes these kinds.
fn open_with(session: &mut ClientSession, ticket: &[u8], kinds: &[Kind]) -> Vec<Event> {
    session.handle_connected(1, "token");
    let Written::Hello { tag, .. } = written(session)[0] else { panic!("no Hello") };
    session.handle_received(100, &welcome_frame(tag, GENERATION, 0, kinds, ticket)).unwrap();
    events(session)
}

/// A session whose token expires at 60 100 on the driver's clock.
fn renewable() -> ClientSession {
    let mut session = ClientSession::new(device(ALICE, PHONE));
    open_with(&mut session, &bytes(&ticket(SERVER_TIME_MS + 60_000)), &[Kind::Renew]);
    session
}

/// The tag of the `Renew` that it writes, and its token.
fn renews(session: &mut ClientSession) -> Vec<(u32, Vec<u8>)> {
    let of_renew = |written| match written {
        Written::Renew { tag, token } => Some((tag, token)),
        _ => None,
    };
    written(session).into_iter().filter_map(of_renew).collect()
}

fn renewed(tag: u32, expires_at_ms: u64, ticket: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag, target: ALICE.0 };
    Renewed { expires_at_ms, ticket_length: 0 }.append(&mut bytes, address, ticket).unwrap();
    bytes
}

fn refusal(tag: u32, code: Code) -> Vec<u8> {
    frame(tag, UserId(0), &Error { code: code.number(), kind: 5, retry_after_ms: 0 }, &[])
}

#[test]
fn a_ticket_is_presented_as_a_hello_would_be_with_the_proof_and_without_the_secret() {
    let state = DeviceState {
        generation: Generation(3),
        cursor: Position(8),
        ticket: Some(ticket(1)),
        ..device(ALICE, PHONE)
    };
    let mut session = ClientSession::new(state);
    session.handle_connected_by_ticket(5, PROOF);
    let frames = written(&mut session);
    let [Written::Resume { user, resume, sealed, .. }] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!((*user, sealed.as_slice(), resume.proof()), (ALICE, &b"sealed"[..], PROOF));
    session.handle_connected(5, "");
    let Written::Hello { hello, .. } = written(&mut session).remove(0) else { panic!() };
    assert_eq!(resume.hello(), hello);
}

#[test]
fn the_ticket_of_a_welcome_takes_the_place_of_the_last() {
    let mut session = with_ticket();
    session.handle_connected_by_ticket(1, PROOF);
    let Written::Resume { tag, .. } = written(&mut session)[0] else { panic!("no Resume") };
    let next = ticket(77);
    let frame = welcome_frame(tag, GENERATION, 0, &[], &bytes(&next));
    session.handle_received(0, &frame).unwrap();
    let all = events(&mut session);
    let [Event::Opened { .. }, Event::Ticket(Some(given))] = &all[..] else { panic!("{all:?}") };
    assert_eq!((given, session.ticket()), (&next, Some(&next)));
    session.handle_disconnected();
    assert_eq!(session.ticket(), Some(&next), "it is for the next connection");
    let all = open_with(&mut session, b"", &[]);
    assert!(matches!(all[..], [Event::Opened { .. }, Event::Ticket(None)]), "{all:?}");
    assert_eq!(session.ticket(), None);
    let all = open_with(&mut session, b"too short for a ticket", &[]);
    assert!(matches!(all[..], [Event::Opened { .. }]), "{all:?}");
}

#[test]
fn without_a_ticket_none_can_be_presented() {
    let mut session = ClientSession::new(device(ALICE, PHONE));
    session.handle_connected_by_ticket(1, PROOF);
    let code = Code::TicketInvalid.number();
    assert_eq!(events(&mut session), [Event::Closed { code, retry_after_ms: 0 }]);
    assert_eq!(written(&mut session), []);
}

/// What a session is closed with, and whether its ticket is still good then.
#[test]
fn a_ticket_goes_with_the_token_behind_it_and_where_nobody_understands_it() {
    let cases = [
        (Code::TicketInvalid, false, false),
        (Code::TokenRevoked, false, false),
        (Code::TokenExpired, false, false),
        (Code::HelloExpected, false, false),
        (Code::UnknownKind, false, true),
        (Code::Busy, true, true),
        (Code::SessionRecheck, true, true),
        (Code::SessionReplaced, true, true),
        (Code::VersionUnsupported, true, true),
    ];
    for (code, is_kept_by_ticket, is_kept_by_token) in cases {
        for (is_by_ticket, is_kept) in [(true, is_kept_by_ticket), (false, is_kept_by_token)] {
            let mut session = with_ticket();
            match is_by_ticket {
                true => session.handle_connected_by_ticket(1, PROOF),
                false => session.handle_connected(1, "token"),
            }
            let (Written::Hello { tag, .. } | Written::Resume { tag, .. }) =
                written(&mut session)[0]
            else {
                panic!("neither")
            };
            session.handle_received(0, &refusal(tag, code)).unwrap();
            let name = code.name();
            assert_eq!(session.ticket().is_some(), is_kept, "{name}, by ticket: {is_by_ticket}");
            let (code, retry_after_ms) = (code.number(), 0);
            let closed = Event::Closed { code, retry_after_ms };
            let expected = if is_kept { vec![closed] } else { vec![Event::Ticket(None), closed] };
            assert_eq!(events(&mut session), expected, "{name}");
        }
    }
}

#[test]
fn what_ends_an_open_session_for_its_token_ends_its_ticket() {
    for (code, is_kept) in [
        (Code::SessionExpired, false),
        (Code::TokenRevoked, false),
        (Code::SessionRecheck, true),
        (Code::FrameMalformed, true),
    ] {
        let mut session = renewable();
        session.handle_received(200, &refusal(0, code)).unwrap();
        assert_eq!(session.ticket().is_some(), is_kept, "{}", code.name());
    }
}

#[test]
fn a_newer_token_goes_out_once_and_its_ticket_is_the_next_one() {
    let mut session = renewable();
    assert_eq!(session.renewable_until_ms(), Some(60_100));
    assert!(session.renew("newer"));
    assert!(!session.renew("newest"), "one at a time");
    let asked = renews(&mut session);
    let [(tag, token)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(token, b"newer");
    let next = ticket(SERVER_TIME_MS + 120_000);
    let answer = renewed(*tag, next.expires_at_ms, &bytes(&next));
    session.handle_received(50_000, &answer).unwrap();
    assert_eq!(events(&mut session), [Event::Ticket(Some(next.clone())), Event::Renewed]);
    assert_eq!((session.ticket(), session.renewable_until_ms()), (Some(&next), Some(120_100)));
    assert!(session.renew("third"));
    assert_eq!(renews(&mut session).len(), 1);
}

#[test]
fn a_session_is_renewed_where_the_server_takes_that_and_says_when_it_ends() {
    let mut session = ClientSession::new(device(ALICE, PHONE));
    assert!(!session.renew("newer"), "there is no session");
    open_with(&mut session, &bytes(&ticket(2_000)), &[]);
    assert_eq!((session.renewable_until_ms(), session.renew("newer")), (None, false));
    open_with(&mut session, b"", &[Kind::Renew]);
    assert_eq!((session.renewable_until_ms(), session.renew("newer")), (None, false));
    assert_eq!(written(&mut session), []);
    // An expiry that has passed, and one beyond all clocks.
    open_with(&mut session, &bytes(&ticket(1)), &[Kind::Renew]);
    assert_eq!(session.renewable_until_ms(), Some(100));
    open_with(&mut session, &bytes(&ticket(u64::MAX)), &[Kind::Renew]);
    assert_eq!(session.renewable_until_ms(), Some(u64::MAX - SERVER_TIME_MS + 100));
}

#[test]
fn a_token_that_no_server_would_read_does_not_go_out_and_holds_up_nothing() {
    let mut session = renewable();
    for bad in [String::new(), "x".repeat(3_000)] {
        assert!(!session.renew(&bad));
    }
    assert_eq!(written(&mut session), []);
    assert!(session.is_answered() && session.renew("newer"));
}

#[test]
fn a_renewal_that_nobody_asked_for_breaks_the_protocol() {
    let mut session = renewable();
    let outcome = session.handle_received(0, &renewed(9, 5, &[]));
    assert_eq!(outcome, Err(SessionError::AnswerMismatch(9)));
}

#[test]
fn a_secret_is_in_no_log() {
    let ticket = Ticket { expires_at_ms: 1, secret: [77; 32], sealed: vec![88] };
    let event = format!("{:?}", Event::Ticket(Some(ticket)));
    assert!(!event.contains("77") && !event.contains("88"), "{event}");
}
