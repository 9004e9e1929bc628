//! What a session says of chats that were deleted, and what it is told.

use answerback_proto::code::Code;
use answerback_proto::kind::{
    CaughtUp, ChatDeleted, Declined, DeleteChat, DeviceMark, Done, ReadNoted,
};

use super::super::{ChatDeletion, EntryBody};
use super::*;

const MARK: DeviceMark = DeviceMark { device: PHONE, up_to: Sequence(3) };

fn deletion(number: i64, cursor: u64) -> ChatDeletion {
    let (generation, cursor) = (Generation(GENERATION), Position(cursor));
    ChatDeletion { number, peer: BOB, generation, cursor, marks: vec![MARK] }
}

/// (tag, what) of each `DeleteChat` that the session writes now.
fn deletes(session: &mut ClientSession) -> Vec<(u32, DeleteChat, Vec<DeviceMark>)> {
    let of_delete = |written| match written {
        Written::DeleteChat { tag, delete, marks } => Some((tag, delete, marks)),
        _ => None,
    };
    written(session).into_iter().filter_map(of_delete).collect()
}

fn done(session: &mut ClientSession, tag: u32) {
    session.handle_received(0, &frame(tag, ALICE, &Done { at_ms: 5 }, &[])).unwrap();
}

fn decline(session: &mut ClientSession, tag: u32, code: Code, retry_after_ms: u32) {
    let declined = Declined { retry_after_ms, code: code.number() };
    session.handle_received(0, &frame(tag, ALICE, &declined, &[])).unwrap();
}

fn noted(number: i64) -> Event {
    Event::DeletionNoted { number }
}

#[test]
fn deletions_go_one_by_one_and_again_on_every_connection_until_noted() {
    let mut session = opened(9);
    (1..=2).for_each(|number| session.delete_chat(deletion(number, 9)));
    let said = deletes(&mut session);
    assert_eq!(said.len(), 1, "the other waits");
    let expected = DeleteChat { peer: BOB.0, cursor: 9, marks_count: 1 };
    assert_eq!((&said[0].1, &said[0].2), (&expected, &vec![MARK]));
    assert_eq!(deletes(&mut session), []);
    session.handle_disconnected();
    open(&mut session, 9);
    let (tag, ..) = deletes(&mut session)[0];
    done(&mut session, tag);
    assert_eq!(events(&mut session), [noted(1)]);
    let (tag, ..) = deletes(&mut session)[0];
    done(&mut session, tag);
    assert_eq!((events(&mut session), session.unnoted_deletions()), (vec![noted(2)], 0));
}

#[test]
fn what_is_declined_for_a_time_goes_again_and_all_else_is_given_up() {
    let mut session = opened(0);
    session.delete_chat(deletion(1, 0));
    let (tag, ..) = deletes(&mut session)[0];
    decline(&mut session, tag, Code::Busy, 200);
    assert_eq!(deletes(&mut session), []);
    assert_eq!(session.poll_timeout(), Some(200));
    session.handle_timeout(200);
    let (tag, ..) = deletes(&mut session)[0];
    decline(&mut session, tag, Code::CursorBeyondSent, 0);
    assert_eq!(events(&mut session), [noted(1)]);
    assert_eq!(deletes(&mut session), []);
}

/// The home is behind: the server would decline a place that it has not sent yet.
#[test]
fn a_place_that_the_session_has_not_been_sent_waits_for_its_entries() {
    let mut session = opened(7);
    session.delete_chat(deletion(1, 8));
    assert_eq!(deletes(&mut session), []);
    session.handle_received(0, &deliver(7, 8)).unwrap();
    session.handle_stored(Position(8));
    let said = written(&mut session);
    let is_behind = matches!(said[..], [Written::Ack(8), Written::DeleteChat { .. }]);
    assert!(is_behind, "acknowledged first: {said:?}");

    let mut session = opened(7);
    session.delete_chat(deletion(1, 8));
    session.handle_received(0, &frame(0, ALICE, &CaughtUp { position: 7 }, &[])).unwrap();
    assert_eq!(deletes(&mut session)[0].1.cursor, 7, "it has left meanwhile");
}

#[test]
fn a_place_of_another_generation_says_nothing() {
    let mut session = opened(100);
    session.delete_chat(ChatDeletion { generation: Generation(7), ..deletion(1, 50) });
    assert_eq!(deletes(&mut session)[0].1.cursor, 0);
}

#[test]
fn a_server_that_does_not_know_of_deletions_is_not_asked() {
    let mut session = opened_with_kinds(&[Kind::Send, Kind::Ack]);
    session.delete_chat(deletion(1, 0));
    assert_eq!(deletes(&mut session), []);
    assert_eq!(session.unnoted_deletions(), 1, "it is kept for another one");
}

#[test]
fn too_many_marks_for_a_frame_close_nothing() {
    let mut session = opened(0);
    session.delete_chat(ChatDeletion { marks: vec![MARK; 11], ..deletion(1, 0) });
    assert_eq!(deletes(&mut session), []);
    assert_eq!(events(&mut session), [noted(1)]);
}

#[test]
fn an_answer_to_something_else_breaks_the_session() {
    let mut session = opened(0);
    session.delete_chat(deletion(1, 0));
    let (tag, ..) = deletes(&mut session)[0];
    assert!(session.handle_received(0, &frame(tag, ALICE, &ReadNoted { up_to: 1 }, &[])).is_err());
    let mut session = opened(0);
    assert!(session.handle_received(0, &frame(9, ALICE, &Done { at_ms: 1 }, &[])).is_err());
}

#[test]
fn a_deletion_on_another_device_is_an_entry() {
    let mut session = opened(3);
    let mut bytes = Vec::new();
    let deleted = ChatDeleted { position: 4, after: 3, up_to: 2, marks_count: 0 };
    let address = Address { flags: 0, tag: 0, target: BOB.0 };
    deleted.append(&mut bytes, address, &[MARK]).unwrap();
    session.handle_received(0, &bytes).unwrap();
    let said = events(&mut session);
    let [Event::Entry(entry)] = said.as_slice() else { panic!("{said:?}") };
    let body = EntryBody::ChatDeleted { up_to: Position(2), marks: vec![MARK] };
    assert_eq!((entry.position, entry.peer, &entry.body), (Position(4), BOB, &body));
}
