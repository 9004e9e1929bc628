//! That a user writes: said often enough to be shown, and no more often.

use super::*;
use crate::session::Mode;

fn states(session: &mut ClientSession) -> Vec<u16> {
    let of_typing = |written| match written {
        Written::Typing { peer: BOB, state, is_user_action: true } => Some(state),
        other => panic!("{other:?}"),
    };
    written(session).into_iter().filter_map(of_typing).collect()
}

#[test]
fn who_goes_on_writing_says_so_every_few_seconds() {
    let mut session = opened(0);
    for now_ms in (0..10_000).step_by(100) {
        session.typing(now_ms, BOB, 1);
    }
    assert_eq!(states(&mut session), [1, 1, 1], "at 0, 4 and 8 s");
    session.typing(10_000, BOB, 0);
    session.typing(10_001, BOB, 0);
    assert_eq!(states(&mut session), [0], "and once that it ended");
    session.typing(10_002, BOB, 1);
    assert_eq!(states(&mut session), [1]);
}

#[test]
fn nothing_is_said_that_a_server_would_drop() {
    let mut session = opened(0);
    for (now_ms, state) in [(0, 1), (500, 0), (600, 1), (1_900, 1), (2_000, 1), (2_100, 0)] {
        session.typing(now_ms, BOB, state);
    }
    assert_eq!(states(&mut session), [1, 0, 1, 0], "a word in 2 s, and one that it ended");
    session.typing(2_200, ALICE, 0);
    assert_eq!(written(&mut session), [], "nothing had begun there");
}

#[test]
fn it_is_said_on_an_open_session_in_active_mode_to_a_server_that_takes_it_and_never_later() {
    let mut offline = ClientSession::new(device(ALICE, PHONE));
    offline.typing(0, BOB, 1);
    open(&mut offline, 0);
    assert_eq!(written(&mut offline), []);
    offline.set_mode(Mode::Background);
    offline.typing(1, BOB, 1);
    assert_eq!(written(&mut offline), []);
    let mut with_an_older_server = opened_with_kinds(&[Kind::Send, Kind::Ack, Kind::Ping]);
    with_an_older_server.typing(0, BOB, 1);
    assert_eq!(written(&mut with_an_older_server), []);
}

#[test]
fn another_connection_knows_nothing_of_it() {
    let mut session = opened(0);
    session.typing(0, BOB, 1);
    session.handle_disconnected();
    open(&mut session, 0);
    assert_eq!(written(&mut session), []);
    session.typing(1, BOB, 1);
    assert_eq!(states(&mut session), [1]);
}

#[test]
fn what_the_peer_does_is_told() {
    let mut session = opened(0);
    session.handle_received(0, &frame(0, BOB, &Typing { state: 2 }, &[])).unwrap();
    assert_eq!(events(&mut session), [Event::Typing { peer: BOB, state: 2 }]);
}
