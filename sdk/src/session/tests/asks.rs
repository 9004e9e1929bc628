//! Requests about the user's own things.

use answerback_proto::access::read;
use answerback_proto::code::Code;
use answerback_proto::kind::{
    BLOCKED, ChatSet, ChatSettings, Chats, Contacts, Declined, DeviceStanding, Devices, Done,
    Error, ListContacts, ListDevices, ListedChat, ListedDevice, NameDevice, SetChat, SetWriters,
};

use super::super::{
    Ask, AskId, ContactList, Entry, EntryBody, Outcome, SessionError, Visibility, Writers,
};
use super::*;
use crate::storage::ChatChange;

const TABLET: DeviceId = DeviceId(12);

/// (tag, kind, envelope) of each request that the session writes now.
fn asked(session: &mut ClientSession) -> Vec<(u32, Kind, Vec<u8>)> {
    let own = |written| match written {
        Written::Own { tag, kind, envelope } => Some((tag, kind, envelope)),
        _ => None,
    };
    written(session).into_iter().filter_map(own).collect()
}

fn done(session: &mut ClientSession, tag: u32) -> Result<(), SessionError> {
    session.handle_received(0, &frame(tag, ALICE, &Done { at_ms: 7 }, &[]))
}

fn decline(session: &mut ClientSession, tag: u32, code: Code, retry_after_ms: u32) {
    let declined = Declined { retry_after_ms, code: code.number() };
    session.handle_received(0, &frame(tag, ALICE, &declined, &[])).unwrap();
}

fn listed(device: u128) -> ListedDevice {
    ListedDevice {
        device: DeviceId(device),
        last_login_ms: 5_000,
        standing: DeviceStanding::Active,
        is_online: true,
        name: "phone".to_owned(),
    }
}

fn devices(tag: u32, has_more: u16, listed: &[ListedDevice]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag, target: ALICE.0 };
    Devices { count: 0, has_more }.append(&mut bytes, address, listed).unwrap();
    bytes
}

fn name(name: &str) -> Ask {
    Ask::NameDevice { device: TABLET, name: name.to_owned() }
}

fn answered(ask: AskId, outcome: Outcome) -> Event {
    Event::Answered { ask, outcome }
}

#[test]
fn what_is_asked_is_written_once_and_answered_once() {
    let mut session = opened(0);
    let ask = session.ask_for(name("tablet"));
    let frames = asked(&mut session);
    let [(tag, Kind::NameDevice, envelope)] = &frames[..] else { panic!("{frames:?}") };
    let (named, text) = NameDevice::read(envelope).unwrap();
    assert_eq!((DeviceId(named.device), text), (TABLET, "tablet"));
    assert_eq!(asked(&mut session), []);
    done(&mut session, *tag).unwrap();
    assert_eq!(events(&mut session), [answered(ask, Outcome::Done { at_ms: 7 })]);
    assert!(done(&mut session, *tag).is_err(), "a second answer");
}

#[test]
fn who_may_write_first_is_said_until_it_is_done() {
    let mut session = opened(0);
    let contacts = session.ask_for(Ask::SetWriters(Writers::Contacts));
    let everybody = session.ask_for(Ask::SetWriters(Writers::Everybody));
    for (ask, who) in [(contacts, 1), (everybody, 0)] {
        asked(&mut session);
        session.handle_disconnected();
        open(&mut session, 0);
        let frames = asked(&mut session);
        let [(tag, Kind::SetWriters, envelope)] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!(read::<SetWriters>(envelope).unwrap().who, who, "one after the other");
        done(&mut session, *tag).unwrap();
        assert_eq!(events(&mut session), [answered(ask, Outcome::Done { at_ms: 7 })]);
    }
}

#[test]
fn what_was_not_answered_is_asked_on_the_next_connection() {
    let mut session = ClientSession::new(device(ALICE, PHONE));
    let first = session.ask_for(name("one"));
    let second = session.ask_for(Ask::RevokeDevice { device: TABLET });
    assert_eq!(asked(&mut session), [], "there is no connection");
    open(&mut session, 0);
    let frames = asked(&mut session);
    done(&mut session, frames[0].0).unwrap();
    assert_eq!(events(&mut session), [answered(first, Outcome::Done { at_ms: 7 })]);
    session.handle_disconnected();
    open(&mut session, 0);
    let frames = asked(&mut session);
    assert!(matches!(frames[..], [(_, Kind::RevokeDevice, _)]), "{frames:?}");
    done(&mut session, frames[0].0).unwrap();
    assert_eq!(events(&mut session), [answered(second, Outcome::Done { at_ms: 7 })]);
}

#[test]
fn what_is_declined_for_a_time_goes_again_and_for_good_not() {
    let mut session = opened(0);
    let ask = session.ask_for(name("tablet"));
    let (tag, ..) = asked(&mut session)[0];
    decline(&mut session, tag, Code::Busy, 400);
    assert_eq!((events(&mut session), asked(&mut session)), (Vec::new(), Vec::new()));
    assert_eq!(session.poll_timeout(), Some(400));
    session.handle_timeout(400);
    let (tag, ..) = asked(&mut session)[0];
    decline(&mut session, tag, Code::UnknownDevice, 0);
    let code = Code::UnknownDevice.number();
    assert_eq!(events(&mut session), [answered(ask, Outcome::Declined { code })]);
}

#[test]
fn a_list_comes_page_by_page() {
    let mut session = opened(0);
    let ask = session.ask_for(Ask::Devices);
    let (tag, ..) = asked(&mut session)[0];
    session.handle_received(0, &devices(tag, 1, &[listed(1), listed(4)])).unwrap();
    let frames = asked(&mut session);
    let [(tag, Kind::ListDevices, envelope)] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!(read::<ListDevices>(envelope).unwrap().behind, 4);
    session.handle_received(0, &devices(*tag, 0, &[listed(9)])).unwrap();
    let found = vec![listed(1), listed(4), listed(9)];
    assert_eq!(events(&mut session), [answered(ask, Outcome::Devices(found))]);
}

#[test]
fn a_list_that_does_not_go_on_is_no_list() {
    for page in [vec![], vec![listed(4)]] {
        let mut session = opened(0);
        session.ask_for(Ask::Devices);
        let (tag, ..) = asked(&mut session)[0];
        session.handle_received(0, &devices(tag, 1, &[listed(4)])).unwrap();
        let (tag, ..) = asked(&mut session)[0];
        let error = session.handle_received(0, &devices(tag, 1, &page)).unwrap_err();
        assert_eq!(error, SessionError::OutOfPlace(Kind::Devices));
    }
}

fn block(is_blocked: bool) -> Ask {
    let flags = if is_blocked { BLOCKED } else { 0 };
    let settings = ChatSettings { flags, muted_until_ms: 0 };
    Ask::SetChat(ChatChange { peer: BOB, changes: BLOCKED, settings })
}

/// Or a refusal for a time would turn them round, and the last word would not count.
#[test]
fn what_is_asked_of_one_chat_goes_in_its_order() {
    let mut session = opened(0);
    session.ask_for(block(true));
    session.ask_for(block(false));
    session.ask_for(Ask::Chats);
    let frames = asked(&mut session);
    let [(tag, Kind::SetChat, envelope), (_, Kind::ListChats, _)] = &frames[..] else {
        panic!("{frames:?}")
    };
    let set = read::<SetChat>(envelope).unwrap();
    assert_eq!((set.peer, set.changes, set.flags), (BOB.0, BLOCKED, BLOCKED));
    decline(&mut session, *tag, Code::Busy, 400);
    assert_eq!(asked(&mut session), []);
    session.handle_timeout(400);
    let (tag, _, envelope) = asked(&mut session).remove(0);
    assert_eq!(read::<SetChat>(&envelope).unwrap().flags, BLOCKED);
    done(&mut session, tag).unwrap();
    let (_, _, envelope) = asked(&mut session).remove(0);
    assert_eq!(read::<SetChat>(&envelope).unwrap().flags, 0);
}

#[test]
fn chats_come_page_by_page_also_where_one_is_empty() {
    let mut session = opened(0);
    let ask = session.ask_for(Ask::Chats);
    let settings = ChatSettings { flags: BLOCKED, muted_until_ms: 5 };
    let chat = |peer| ListedChat { peer: UserId(peer), settings, is_group: peer == 4 };
    for (next_behind, listed) in [(9, vec![chat(4)]), (20, vec![]), (0, vec![chat(21)])] {
        let (tag, kind, _) = asked(&mut session).remove(0);
        assert_eq!(kind, Kind::ListChats);
        let mut bytes = Vec::new();
        let address = Address { flags: 0, tag, target: ALICE.0 };
        Chats { count: 0, next_behind }.append(&mut bytes, address, &listed).unwrap();
        session.handle_received(0, &bytes).unwrap();
    }
    assert_eq!(events(&mut session), [answered(ask, Outcome::Chats(vec![chat(4), chat(21)]))]);
}

fn contacts(
    session: &mut ClientSession,
    next_behind: u128,
    users: &[u128],
) -> Result<(), SessionError> {
    let (tag, kind, envelope) = asked(session).remove(0);
    assert_eq!(kind, Kind::ListContacts);
    let ListContacts { behind } = read(&envelope).unwrap();
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag, target: ALICE.0 };
    let page = Contacts { count: 0, visibility: 2, writers: 1, next_behind };
    let users: Vec<_> = users.iter().map(|user| UserId(behind + user)).collect();
    page.append(&mut bytes, address, &users).unwrap();
    session.handle_received(0, &bytes)
}

#[test]
fn contacts_come_page_by_page_with_what_is_theirs() {
    let mut session = opened(0);
    let ask = session.ask_for(Ask::Contacts);
    contacts(&mut session, 9, &[4, 9]).unwrap();
    session.handle_disconnected();
    open(&mut session, 0);
    contacts(&mut session, 9, &[5, 9]).unwrap();
    contacts(&mut session, 0, &[1]).unwrap();
    let users = [5, 9, 10].map(UserId).to_vec();
    let (visibility, writers) = (Visibility::Nobody, Writers::Contacts);
    let list = ContactList { users, visibility, writers };
    assert_eq!(events(&mut session), [answered(ask, Outcome::Contacts(list))]);
}

#[test]
fn a_page_of_contacts_that_does_not_go_on_is_an_error() {
    let mut session = opened(0);
    session.ask_for(Ask::Contacts);
    contacts(&mut session, 9, &[4]).unwrap();
    let out_of_place = Err(SessionError::OutOfPlace(Kind::Contacts));
    assert_eq!(contacts(&mut session, 9, &[]), out_of_place);
}

#[test]
fn what_another_device_says_of_a_chat_is_an_entry() {
    let mut session = opened(0);
    let set = ChatSet { position: 1, after: 0, flags: BLOCKED, muted_until_ms: 5 };
    session.handle_received(0, &frame(0, BOB, &set, &[])).unwrap();
    let settings = ChatSettings { flags: BLOCKED, muted_until_ms: 5 };
    let body = EntryBody::ChatSet { settings };
    assert_eq!(
        events(&mut session),
        [Event::Entry(Entry { position: Position(1), peer: BOB, body })]
    );
}

#[test]
fn an_answer_to_nothing_or_to_another_is_an_error() {
    let mut session = opened(0);
    assert_eq!(done(&mut session, 77), Err(SessionError::AnswerMismatch(77)));
    let mut session = opened(0);
    session.ask_for(name("tablet"));
    let (tag, ..) = asked(&mut session)[0];
    let foreign = frame(tag, BOB, &Done { at_ms: 7 }, &[]);
    assert_eq!(session.handle_received(0, &foreign), Err(SessionError::AnswerMismatch(tag)));
}

#[test]
fn a_server_that_does_not_know_a_request_and_a_name_that_is_none() {
    let unknown = Outcome::Declined { code: Code::UnknownKind.number() };
    let mut session = opened_with_kinds(&[Kind::Send]);
    let ask = session.ask_for(Ask::Devices);
    assert_eq!(asked(&mut session), []);
    assert_eq!(events(&mut session), [answered(ask, unknown)]);
    let malformed = Outcome::Declined { code: Code::FrameMalformed.number() };
    let mut session = opened(0);
    for bad in
        [name(&"n".repeat(65)), name("two\nlines"), Ask::RevokeDevice { device: DeviceId(0) }]
    {
        let ask = session.ask_for(bad);
        assert_eq!(asked(&mut session), []);
        assert_eq!(events(&mut session), [answered(ask, malformed.clone())]);
    }
    assert!(session.is_answered());
}

/// Or the app would ask for it on every connection, and each would end.
#[test]
fn what_ends_the_connection_is_not_asked_again() {
    let mut session = opened(0);
    let ask = session.ask_for(Ask::Devices);
    let (tag, ..) = asked(&mut session)[0];
    let code = Code::NotYours.number();
    let error = Error { code, kind: Kind::ListDevices.number(), retry_after_ms: 0 };
    session.handle_received(0, &frame(tag, UserId(0), &error, &[])).unwrap();
    let closed = Event::Closed { code, retry_after_ms: 0 };
    assert_eq!(events(&mut session), [answered(ask, Outcome::Declined { code }), closed]);
    open(&mut session, 0);
    assert_eq!(asked(&mut session), []);
}
