//! Every frame of `vectors/frames.jsonl`, both ways, and every refusal of `vectors/bad.jsonl`.

use std::collections::HashSet;
use std::path::PathBuf;

use answerback_proto::access::kind_of;
use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::{Frame, FrameBuffer};
use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_proto::kind::{
    ChangeMembers, ChatDeleted, Chats, Contacts, CreateGroup, DeleteChat, Delivered, DeviceMarks,
    Devices, End, Envelope, GroupChanged, GroupDescribed, GroupFailed, GroupReceipt, Hello, Kind,
    ListedChat, ListedDevice, NameDevice, NumberedUsers, RenameGroup, Renew, Renewed, Report,
    Resume, SequenceRange, SessionTail, SetContacts, UserList, Watch, Welcome,
};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;
use serde_json::{Value, json};

use crate::layout::layout;

/// Where the vectors lie.
pub(crate) fn path(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "vectors", file].iter().collect()
}

/// The lines of a file.
pub(crate) fn load(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path(file)).expect("the vectors are there");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

pub(crate) fn bytes_of(hexadecimal: &Value) -> Vec<u8> {
    let digits = hexadecimal.as_str().expect("hexadecimal text").as_bytes();
    let byte = |pair: &[u8]| {
        u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("digits")
    };
    digits.chunks(2).map(byte).collect()
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As the vectors write it: beyond 32 bits a text.
pub(crate) fn number(value: u128, size: usize) -> Value {
    if size > 4 { json!(value.to_string()) } else { json!(value as u64) }
}

fn sender(vector: &Value) -> End {
    match vector["from"].as_str() {
        Some("client") => End::Client,
        Some("server") => End::Server,
        _ => panic!("{}: from neither end", vector["name"]),
    }
}

/// The only frame of `bytes`, checked as a receiver does; none where more bytes are needed.
fn take(bytes: &[u8], limit: u32, sender: End) -> Result<Option<Option<Kind>>, Code> {
    let (mut buffer, mut received) = (FrameBuffer::default(), bytes);
    let Some(frame) = buffer.next_frame(&mut received, limit)? else { return Ok(None) };
    let Some(kind) = kind_of(&frame.header, sender)? else { return Ok(Some(None)) };
    (layout(kind).read)(frame.envelope)?;
    Ok(Some(Some(kind)))
}

fn cut(bytes: &[u8]) -> Frame<'_> {
    let header = answerback_proto::header::Header::read(
        bytes.first_chunk().expect("a header"),
        FRAME_BYTES_HARD_MAX,
    );
    let header = header.expect("a good header");
    let (_, body) = bytes.split_at(32);
    let (envelope, payload) = body.split_at(usize::from(header.envelope_length));
    Frame { header, envelope, payload }
}

/// The meaning of a frame, in the form of the vectors.
fn meaning(frame: &Frame<'_>, kind: Kind) -> Value {
    let fields = layout(kind).values(frame.envelope);
    let fields =
        fields.into_iter().map(|(name, size, value)| (name.to_owned(), number(value, size)));
    json!({
        "kind": kind.name(),
        "flags": frame.header.flags,
        "tag": frame.header.tag,
        "target": frame.header.target.to_string(),
        "fields": Value::Object(fields.collect()),
        "tail": tail(frame.envelope, kind),
        "payload": hexadecimal(frame.payload),
    })
}

fn tail(envelope: &[u8], kind: Kind) -> Value {
    let listed = |tail: SessionTail<'_>, secret: &str| {
        let kinds: Vec<u16> = tail.kind_numbers().collect();
        json!({ "kinds": kinds, secret: hexadecimal(tail.secret()) })
    };
    match kind {
        Kind::Hello => listed(Hello::read(envelope).expect("a good tail").1, "token"),
        Kind::Resume => listed(Resume::read(envelope).expect("a good tail").1, "ticket"),
        Kind::Renew => {
            json!({ "token": hexadecimal(Renew::read(envelope).expect("a good tail").1) })
        }
        Kind::Renewed => {
            json!({ "ticket": hexadecimal(Renewed::read(envelope).expect("a good tail").1) })
        }
        Kind::Report => {
            let excerpt = Report::read(envelope).expect("a good tail").1;
            json!({ "excerpt": hexadecimal(excerpt) })
        }
        Kind::Welcome => listed(Welcome::read(envelope).expect("a good tail").1, "ticket"),
        Kind::NameDevice => {
            let name = NameDevice::read(envelope).expect("a good tail").1;
            json!({ "name": hexadecimal(name.as_bytes()) })
        }
        Kind::Devices => {
            let listed = Devices::read(envelope).expect("a good tail").1;
            json!({ "devices": listed.iter().map(listed_device).collect::<Vec<_>>() })
        }
        Kind::Chats => {
            let listed = Chats::read(envelope).expect("a good tail").1;
            let row = |chat: &ListedChat| {
                let ListedChat { peer, settings, is_group } = chat;
                let flags = settings.flags | if *is_group { 8 } else { 0 };
                json!([peer.to_string(), settings.muted_until_ms.to_string(), flags])
            };
            json!({ "chats": listed.iter().map(row).collect::<Vec<_>>() })
        }
        Kind::Delivered => {
            let except = Delivered::read(envelope).expect("a good tail").1;
            let pairs: Vec<_> = except
                .iter()
                .map(|range| [range.first.to_string(), range.last.to_string()])
                .collect();
            json!({ "except": pairs })
        }
        Kind::DeleteChat => marks(DeleteChat::read(envelope).expect("a good tail").1),
        Kind::ChatDeleted => marks(ChatDeleted::read(envelope).expect("a good tail").1),
        _ => tail_of_users(envelope, kind),
    }
}

fn tail_of_users(envelope: &[u8], kind: Kind) -> Value {
    let listed =
        |users: UserList<'_>| users.iter().map(|user| user.to_string()).collect::<Vec<_>>();
    let numbered = |users: NumberedUsers<'_>| {
        let pairs = users.iter().map(|(user, number)| json!([user.to_string(), number]));
        pairs.collect::<Vec<_>>()
    };
    match kind {
        Kind::Contacts => {
            json!({ "users": listed(Contacts::read(envelope).expect("a good tail").1) })
        }
        Kind::SetContacts => {
            json!({ "users": listed(SetContacts::read(envelope).expect("a good tail").1) })
        }
        Kind::Watch => {
            let users = Watch::read(envelope).expect("a good tail").1;
            json!({ "users": users.iter().map(|user| user.to_string()).collect::<Vec<_>>() })
        }
        Kind::CreateGroup => {
            let (_, members, name) = CreateGroup::read(envelope).expect("a good tail");
            json!({ "members": listed(members), "name": hexadecimal(name) })
        }
        Kind::ChangeMembers => {
            json!({ "members": listed(ChangeMembers::read(envelope).expect("a good tail").1) })
        }
        Kind::RenameGroup => {
            json!({ "name": hexadecimal(RenameGroup::read(envelope).expect("a good tail").1) })
        }
        Kind::GroupChanged => {
            let (_, members, name) = GroupChanged::read(envelope).expect("a good tail");
            json!({ "members": numbered(members), "name": hexadecimal(name) })
        }
        Kind::GroupDescribed => {
            let (_, members, name) = GroupDescribed::read(envelope).expect("a good tail");
            json!({ "members": numbered(members), "name": hexadecimal(name) })
        }
        Kind::GroupReceipt => {
            let (_, delivered, read) = GroupReceipt::read(envelope).expect("a good tail");
            json!({ "delivered": hexadecimal(delivered), "read": hexadecimal(read) })
        }
        Kind::GroupFailed => {
            json!({ "members": numbered(GroupFailed::read(envelope).expect("a good tail").1) })
        }
        _ => json!({}),
    }
}

fn listed_device(listed: &ListedDevice) -> Value {
    json!([
        listed.device.to_string(),
        listed.last_login_ms.to_string(),
        listed.standing as u16,
        u16::from(listed.is_online),
        hexadecimal(listed.name.as_bytes()),
    ])
}

fn marks(marks: DeviceMarks<'_>) -> Value {
    let pairs: Vec<_> =
        marks.iter().map(|mark| [mark.device.to_string(), mark.up_to.to_string()]).collect();
    json!({ "marks": pairs })
}

#[test]
fn every_frame_means_what_its_vector_says() {
    for vector in load("frames.jsonl").iter().filter(|vector| !vector["frame"].is_null()) {
        let bytes = bytes_of(&vector["bytes"]);
        let kind = take(&bytes, FRAME_BYTES_HARD_MAX, sender(vector))
            .unwrap_or_else(|code| panic!("{}: {}", vector["name"], code.name()))
            .flatten()
            .unwrap_or_else(|| panic!("{}: not taken", vector["name"]));
        assert_eq!(meaning(&cut(&bytes), kind), vector["frame"], "{}", vector["name"]);
    }
}

#[test]
fn every_frame_is_written_as_its_vector_says() {
    for vector in load("frames.jsonl").iter().filter(|vector| !vector["frame"].is_null()) {
        let bytes = bytes_of(&vector["bytes"]);
        let frame = cut(&bytes);
        let layout = layout(frame.header.kind().expect("a known kind"));
        let written = (layout.write)(frame.envelope, address(&frame), frame.payload);
        assert_eq!(hexadecimal(&written), hexadecimal(&bytes), "{}", vector["name"]);
    }
}

#[test]
fn every_kind_has_a_vector() {
    let named: HashSet<String> = load("frames.jsonl")
        .iter()
        .filter_map(|vector| vector["frame"]["kind"].as_str().map(str::to_owned))
        .collect();
    for kind in Kind::ALL {
        assert!(named.contains(kind.name()), "{} has no vector", kind.name());
    }
}

#[test]
fn a_later_version_s_frame_is_passed_over() {
    let vectors = load("frames.jsonl");
    let mut passed_over = vectors.iter().filter(|vector| vector["frame"].is_null()).peekable();
    assert!(passed_over.peek().is_some());
    for vector in passed_over {
        let bytes = bytes_of(&vector["bytes"]);
        assert_eq!(take(&bytes, FRAME_BYTES_HARD_MAX, sender(vector)), Ok(Some(None)));
    }
}

#[test]
fn every_bad_frame_is_refused_with_its_code() {
    for vector in &load("bad.jsonl") {
        let limit = vector["limit"].as_u64().expect("a limit") as u32;
        let outcome = take(&bytes_of(&vector["bytes"]), limit, sender(vector));
        let (name, number) = match outcome {
            Ok(None) => (Value::Null, 0),
            Ok(Some(_)) => (json!("taken"), 0),
            Err(code) => (json!(code.name()), code.number()),
        };
        assert_eq!(name, vector["code"], "{}", vector["name"]);
        assert_eq!(json!(number), vector["number"], "{}", vector["name"]);
    }
}

#[test]
fn tails_are_built_as_the_vectors_say() {
    let vectors = load("frames.jsonl");
    let bytes = |name: &str| {
        let vector = vectors.iter().find(|vector| vector["name"] == name);
        bytes_of(&vector.expect("there is one")["bytes"])
    };
    let mut out = Vec::new();

    let expected = bytes("hello");
    let (hello, _) = Hello::read(cut(&expected).envelope).expect("good");
    let kinds = [Kind::Welcome, Kind::Error, Kind::Deliver];
    let hello = Hello { kinds_count: 0, token_length: 0, ..hello };
    assert_eq!(hello.append(&mut out, address(&cut(&expected)), &kinds, b"a.b.c"), Ok(()));
    assert_eq!(std::mem::take(&mut out), expected);

    let expected = bytes("welcome");
    let (welcome, _) = Welcome::read(cut(&expected).envelope).expect("good");
    let welcome = Welcome { kinds_count: 0, ticket_length: 0, ..welcome };
    let kinds = [Kind::Send, Kind::Ack];
    let address_of_it = address(&cut(&expected));
    assert_eq!(welcome.append(&mut out, address_of_it, &kinds, &[10, 255, 0]), Ok(()));
    assert_eq!(std::mem::take(&mut out), expected);

    let expected = bytes("resume");
    let (resume, tail) = Resume::read(cut(&expected).envelope).expect("good");
    let same = Resume::new(&resume.hello(), resume.proof());
    let address_of_it = address(&cut(&expected));
    assert_eq!(same.append(&mut out, address_of_it, &kinds_of(tail), tail.secret()), Ok(()));
    assert_eq!(std::mem::take(&mut out), expected);

    let expected = bytes("renew");
    let (_, token) = Renew::read(cut(&expected).envelope).expect("good");
    assert_eq!(Renew::append(&mut out, address(&cut(&expected)), token), Ok(()));
    assert_eq!(std::mem::take(&mut out), expected);

    let expected = bytes("renewed");
    let (renewed, ticket) = Renewed::read(cut(&expected).envelope).expect("good");
    let renewed_again = Renewed { ticket_length: 0, ..renewed };
    assert_eq!(renewed_again.append(&mut out, address(&cut(&expected)), ticket), Ok(()));
    assert_eq!(std::mem::take(&mut out), expected);

    let expected = bytes("name a device");
    let (named, name) = NameDevice::read(cut(&expected).envelope).expect("good");
    let named_again = NameDevice { name_length: 0, ..named };
    assert_eq!(named_again.append(&mut out, address(&cut(&expected)), name), Ok(()));
    assert_eq!(std::mem::take(&mut out), expected);

    let expected = bytes("two devices, more behind them");
    let (page, listed) = Devices::read(cut(&expected).envelope).expect("good");
    let page_again = Devices { count: 0, ..page };
    assert_eq!(page_again.append(&mut out, address(&cut(&expected)), &listed), Ok(()));
    assert_eq!(std::mem::take(&mut out), expected);

    let expected = bytes("two chats, more behind them");
    let (page, listed) = Chats::read(cut(&expected).envelope).expect("good");
    let page_again = Chats { count: 0, ..page };
    assert_eq!(page_again.append(&mut out, address(&cut(&expected)), &listed), Ok(()));
    assert_eq!(std::mem::take(&mut out), expected);

    let expected = bytes("two contacts, more behind them");
    let (page, listed) = Contacts::read(cut(&expected).envelope).expect("good");
    let listed: Vec<_> = listed.iter().collect();
    let page_again = Contacts { count: 0, ..page };
    assert_eq!(page_again.append(&mut out, address(&cut(&expected)), &listed), Ok(()));
    assert_eq!(std::mem::take(&mut out), expected);

    let expected = bytes("report a message");
    let (report, excerpt) = Report::read(cut(&expected).envelope).expect("good");
    let report_again = Report { excerpt_length: 0, ..report };
    assert_eq!(report_again.append(&mut out, address(&cut(&expected)), excerpt), Ok(()));
    assert_eq!(std::mem::take(&mut out), expected);

    let expected = bytes("delivered but for two ranges");
    let (delivered, _) = Delivered::read(cut(&expected).envelope).expect("good");
    let delivered = Delivered { except_count: 0, ..delivered };
    let except = [range(1, 1), range(4, 16)];
    assert_eq!(delivered.append(&mut out, address(&cut(&expected)), &except), Ok(()));
    assert_eq!(std::mem::take(&mut out), expected);

    let expected = bytes("group receipt");
    let (receipt, delivered, read) = GroupReceipt::read(cut(&expected).envelope).expect("good");
    let again = GroupReceipt { delivered_bytes: 0, read_bytes: 0, ..receipt };
    assert_eq!(again.append(&mut out, address(&cut(&expected)), delivered, read), Ok(()));
    assert_eq!(std::mem::take(&mut out), expected);

    let expected = bytes("watch");
    let (watch, users) = Watch::read(cut(&expected).envelope).expect("good");
    let (watch, users) = (Watch { users_count: 0, ..watch }, users.iter().collect::<Vec<_>>());
    assert_eq!(watch.append(&mut out, address(&cut(&expected)), &users), Ok(()));
    assert_eq!(out, expected);
}

#[test]
fn tails_beyond_their_limits_are_not_built() {
    let vectors = load("frames.jsonl");
    let frames: Vec<Vec<u8>> = vectors.iter().map(|vector| bytes_of(&vector["bytes"])).collect();
    let envelope_of = |kind: Kind| {
        let mut of_kind = frames.iter().map(|bytes| cut(bytes));
        of_kind.find(|frame| frame.header.kind() == Some(kind)).expect("one").envelope
    };
    let (mut out, to, refused) = (Vec::new(), Address::default(), Err(Code::FrameMalformed));

    let (hello, tail) = Hello::read(envelope_of(Kind::Hello)).expect("good");
    assert!(tail.lists(Kind::Welcome) && !tail.lists(Kind::Send));
    assert_eq!(hello.clone().append(&mut out, to, &[Kind::Ack; 257], b""), refused);
    assert_eq!(hello.clone().append(&mut out, to, &[], &[b't'; 2049]), refused);
    assert_eq!(Hello { mode: 3, ..hello }.append(&mut out, to, &[], b""), refused);

    let (resume, _) = Resume::read(envelope_of(Kind::Resume)).expect("good");
    assert_eq!(resume.clone().append(&mut out, to, &[], &[0; 1025]), refused);
    assert_eq!(Resume { mode: 3, ..resume }.append(&mut out, to, &[], &[0]), refused);
    assert_eq!(Renew::append(&mut out, to, &[b't'; 2049]), refused);
    assert_eq!(Renew::append(&mut out, to, b""), refused);
    let renewed = Renewed { expires_at_ms: 0, ticket_length: 0 };
    assert_eq!(renewed.append(&mut out, to, &[0; 1025]), refused);

    let (named, _) = NameDevice::read(envelope_of(Kind::NameDevice)).expect("good");
    assert_eq!(named.clone().append(&mut out, to, &"n".repeat(65)), refused);
    assert_eq!(named.append(&mut out, to, "two\nlines"), refused);
    let (page, listed) = Devices::read(envelope_of(Kind::Devices)).expect("good");
    let rising = |count: u128| {
        let number = |number| ListedDevice { device: DeviceId(number), ..listed[0].clone() };
        (1..=count).map(number).collect::<Vec<_>>()
    };
    assert_eq!(page.clone().append(&mut out, to, &rising(65)), refused);
    assert_eq!(page.append(&mut out, to, &[rising(2), rising(2)].concat()), refused);

    let (report, _) = Report::read(envelope_of(Kind::Report)).expect("good");
    assert_eq!(report.clone().append(&mut out, to, &[0; 4097]), refused);
    assert_eq!(Report { sequence: 0, ..report }.append(&mut out, to, b""), refused);

    let (welcome, _) = Welcome::read(envelope_of(Kind::Welcome)).expect("good");
    assert_eq!(welcome.clone().append(&mut out, to, &[Kind::Ack; 257], b""), refused);
    assert_eq!(welcome.append(&mut out, to, &[], &[0; 1025]), refused);

    let (watch, _) = Watch::read(envelope_of(Kind::Watch)).expect("good");
    assert_eq!(watch.append(&mut out, to, &[UserId(1); 257]), refused);
    assert_eq!(watch.append(&mut out, to, &[UserId(1), UserId(0)]), refused);
    assert_eq!(Watch { once: 2, ..watch }.append(&mut out, to, &[]), refused);

    let (delivered, _) = Delivered::read(envelope_of(Kind::Delivered)).expect("good");
    let delivered = Delivered { up_to: 100, ..delivered };
    let ranges: Vec<_> = (1..=17).map(|number| range(number, number)).collect();
    assert_eq!(delivered.clone().append(&mut Vec::new(), to, &ranges[..16]), Ok(()));
    for except in
        [&ranges[..], &[range(0, 1)], &[range(2, 1)], &[range(1, 2), range(2, 3)], &[range(1, 100)]]
    {
        assert_eq!(delivered.clone().append(&mut out, to, except), refused);
    }
    assert_eq!(out, [0; 0], "nothing is appended of what is refused");
}

#[test]
fn a_kind_s_size_is_its_layout_s() {
    for kind in Kind::ALL {
        assert_eq!(kind.envelope_bytes(), layout(*kind).bytes, "{}", kind.name());
    }
    assert_eq!(<Hello as Envelope>::BYTES, 62);
    assert_eq!(<Resume as Envelope>::BYTES, 94);
}

fn kinds_of(tail: SessionTail<'_>) -> Vec<Kind> {
    tail.kind_numbers().filter_map(Kind::from_number).collect()
}

fn range(first: u64, last: u64) -> SequenceRange {
    SequenceRange { first: Sequence(first), last: Sequence(last) }
}

fn address(frame: &Frame<'_>) -> Address {
    let header = frame.header;
    Address { flags: header.flags, tag: header.tag, target: header.target }
}
