//! Every kind in every state, and every way to get a header wrong.

use answerback_proto::header::IGNORABLE;

use super::*;

const USER: u128 = 5;

fn session(state: State) -> Session {
    Session { state, ..Session::opening(UserId(USER), DeviceId(7)) }
}

fn header(kind_number: u16, tag: u32, target: u128) -> Header {
    Header { length: 32, kind_number, envelope_length: 0, flags: 0, tag, target }
}

/// What a session says to a frame of a kind with a tag and an envelope that fit it.
fn admit(state: State, kind: Kind) -> Result<Request, Code> {
    let tag = u32::from(kind.tag() == Tag::Request);
    let envelope = vec![0; kind.envelope_bytes()];
    let header = header(kind.number(), tag, USER);
    session(state).admit(&Frame { header, envelope: &envelope, payload: &[] })
}

fn admit_header(state: State, header: Header) -> Result<Request, Code> {
    session(state).admit(&Frame { header, envelope: &[0; 8], payload: &[] })
}

#[test]
fn the_first_frame_is_a_hello() {
    for &kind in Kind::ALL {
        let expected = match kind {
            Kind::Hello => Ok(Request::Hello),
            Kind::Resume => Ok(Request::Resume),
            _ => Err(Code::HelloExpected),
        };
        assert_eq!(admit(State::Greeting, kind), expected, "{kind:?}");
    }
    let ignorable = Header { flags: IGNORABLE, ..header(0x7777, 0, USER) };
    assert_eq!(admit_header(State::Greeting, ignorable), Err(Code::HelloExpected));
    for kind in [Kind::Hello, Kind::Resume] {
        let untagged = header(kind.number(), 0, USER);
        assert_eq!(admit_header(State::Greeting, untagged), Err(Code::TagMismatch));
    }
}

#[test]
fn nothing_is_said_before_the_welcome() {
    for &kind in Kind::ALL {
        assert_eq!(admit(State::Opening, kind), Err(Code::KindNotAllowed), "{kind:?}");
    }
}

#[test]
fn an_open_session_takes_what_a_client_may_send() {
    for &kind in Kind::ALL {
        let expected = match kind {
            Kind::Ping => Ok(Request::Ping(0)),
            Kind::Pong => Ok(Request::Nothing),
            Kind::Send => Ok(Request::Send),
            Kind::Skip => Ok(Request::Skip),
            Kind::Recall => Ok(Request::Recall),
            Kind::Typing => Ok(Request::Typing),
            Kind::GroupSend
            | Kind::GroupSkip
            | Kind::CreateGroup
            | Kind::ChangeMembers
            | Kind::RenameGroup
            | Kind::DescribeGroup
            | Kind::SetGroupReceipts => Ok(Request::Group(kind)),
            Kind::Read => Ok(Request::Read),
            Kind::Ack => Ok(Request::Ack),
            Kind::Resync => Ok(Request::Resync),
            Kind::Renew => Ok(Request::Renew),
            Kind::Report => Ok(Request::Report),
            kind if kind.is_about_own() => Ok(Request::Own(kind)),
            _ => Err(Code::KindNotAllowed),
        };
        assert_eq!(admit(State::Open, kind), expected, "{kind:?}");
    }
}

#[test]
fn a_closing_connection_is_not_heard() {
    for &kind in Kind::ALL {
        assert_eq!(admit(State::Closing, kind), Ok(Request::Nothing), "{kind:?}");
    }
    assert_eq!(admit_header(State::Closing, header(0x7777, 0, 0)), Ok(Request::Nothing));
}

#[test]
fn an_unknown_kind_is_a_fault_unless_it_may_be_passed_over() {
    for state in [State::Opening, State::Open] {
        let unknown = header(0x7777, 3, USER);
        assert_eq!(admit_header(state, unknown), Err(Code::UnknownKind));
        let ignorable = Header { flags: IGNORABLE, ..unknown };
        assert_eq!(admit_header(state, ignorable), Ok(Request::Nothing));
    }
}

#[test]
fn acknowledgements_are_for_oneself() {
    let own = Kind::ALL.iter().copied().filter(|kind| kind.is_about_own());
    for kind in own.chain([Kind::Ack, Kind::Resync, Kind::Read, Kind::Renew, Kind::CreateGroup]) {
        let tag = u32::from(kind.tag() == Tag::Request);
        let foreign = header(kind.number(), tag, USER + 1);
        assert_eq!(admit_header(State::Open, foreign), Err(Code::NotYours));
    }
    let foreign = header(Kind::Send.number(), 1, USER + 1);
    assert_eq!(admit_header(State::Open, foreign), Ok(Request::Send));
}

#[test]
fn tags_follow_the_kind() {
    for (kind, tag) in [(Kind::Send, 0), (Kind::Ping, 0), (Kind::Ack, 1), (Kind::Pong, 1)] {
        let wrong = header(kind.number(), tag, USER);
        assert_eq!(admit_header(State::Open, wrong), Err(Code::TagMismatch), "{kind:?}");
    }
}

#[test]
fn pings_and_pongs_have_their_eight_bytes() {
    for (kind, tag) in [(Kind::Ping, 1), (Kind::Pong, 0)] {
        for envelope in [&[0; 7][..], &[0; 9]] {
            let frame = Frame { header: header(kind.number(), tag, 0), envelope, payload: &[] };
            assert_eq!(session(State::Open).admit(&frame), Err(Code::FrameMalformed));
        }
    }
}

#[test]
fn a_fault_names_the_request_and_only_a_request() {
    let tag = |kind_number| Fault::of_frame(Code::TagMismatch, &header(kind_number, 9, 0)).tag;
    assert_eq!(tag(Kind::Send.number()), 9);
    assert_eq!(tag(0x7777), 9);
    assert_eq!(tag(Kind::Ack.number()), 0);
    assert_eq!(tag(Kind::Deliver.number()), 0);
}

#[test]
fn frames_are_short_before_the_welcome() {
    assert_eq!(session(State::Greeting).frame_bytes_max(65_536), 4096);
    assert_eq!(session(State::Opening).frame_bytes_max(65_536), 4096);
    assert_eq!(session(State::Open).frame_bytes_max(65_536), 65_536);
}
