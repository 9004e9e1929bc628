//! `docs/PROTOCOL.md` says what the code does: its tables are compared with it.

use answerback_proto::code::{Class, Code};
use answerback_proto::header::HEADER_BYTES;
use answerback_proto::kind::{From, Kind, Tag};
use answerback_proto::limits;

use crate::layout::layout;

const DOCUMENT: &str = include_str!("../../../docs/PROTOCOL.md");

/// The text below a heading, up to the next heading of any depth.
fn section(heading: &str) -> &'static str {
    let start = DOCUMENT
        .match_indices(heading)
        .map(|(at, _)| DOCUMENT.split_at(at + heading.len()).1)
        .find(|rest| rest.starts_with('\n'))
        .unwrap_or_else(|| panic!("no heading {heading:?}"));
    let end = start.find("\n## ").unwrap_or(start.len());
    let end = start.find("\n### ").map_or(end, |other| other.min(end));
    start.split_at(end).0
}

/// The cells of the rows of a section's tables whose first cell is of this form.
fn rows(section: &str, is_row: impl Fn(&str) -> bool) -> Vec<Vec<&str>> {
    let lines = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = lines.map(|line| line.split(" | ").map(str::trim).collect::<Vec<_>>());
    cells.filter(|cells| is_row(cells[0])).collect()
}

fn is_number(cell: &str) -> bool {
    cell.parse::<u32>().is_ok()
}

/// Name, offset and size of each row of an offset table; type and size must agree.
fn offset_table(section: &str) -> Vec<(String, usize, usize)> {
    let number = |cell: &str| cell.parse::<usize>().expect("a number");
    rows(section, is_number)
        .into_iter()
        .map(|cells| {
            let size = number(cells[1]);
            assert_eq!(cells[2], format!("u{}", size * 8), "{}", cells[3]);
            (cells[3].to_owned(), number(cells[0]), size)
        })
        .collect()
}

fn heading(kind: Kind) -> String {
    format!("### {} · 0x{:04x}", kind.name(), kind.number())
}

#[test]
fn each_kind_s_table_is_its_layout() {
    for kind in Kind::ALL {
        let fields: Vec<_> = layout(*kind)
            .fields()
            .into_iter()
            .map(|(name, offset, size)| (name.to_owned(), offset, size))
            .collect();
        assert_eq!(offset_table(section(&heading(*kind))), fields, "{}", kind.name());
    }
}

#[test]
fn each_kind_says_who_sends_it_and_whether_it_is_a_request() {
    for kind in Kind::ALL {
        let text = section(&heading(*kind));
        let sender = match kind.from() {
            From::Client => "Client → server",
            From::Server | From::Either => "Server → client",
        };
        assert!(text.trim_start().starts_with(sender), "{}: {sender}", kind.name());
        let tag = match kind.tag() {
            Tag::Request => "a request",
            Tag::Answer => " answer to `",
            Tag::None => "tag 0",
            Tag::AnswerOrNone => "tag",
        };
        assert!(text.contains(tag), "{}: {tag}", kind.name());
        assert!(text.contains("Target: "), "{}: target", kind.name());
        let payload = text.contains("Payload: ");
        assert_eq!(payload, kind.carries_payload(), "{}: payload", kind.name());
    }
}

#[test]
fn no_kind_stands_there_that_is_none() {
    let headings: Vec<_> =
        DOCUMENT.lines().filter(|line| line.starts_with("### ") && line.contains("0x")).collect();
    let kinds: Vec<_> = Kind::ALL.iter().map(|kind| heading(*kind)).collect();
    assert_eq!(headings, kinds, "in the order of their numbers");
}

#[test]
fn the_header_s_table_is_the_header() {
    let header = answerback_proto::header::Header {
        length: 0x0403_0201,
        kind_number: 0x0605,
        envelope_length: 0x0807,
        flags: 0x0a09,
        tag: 0x100f_0e0d,
        target: 0x201f_1e1d_1c1b_1a19_1817_1615_1413_1211,
    };
    let bytes = header.to_bytes();
    let table = offset_table(section("### Header"));
    for (name, offset, size) in &table {
        let mut value = [0; 16];
        value[..*size].copy_from_slice(&bytes[*offset..offset + size]);
        let expected = match name.as_str() {
            "length" => u128::from(header.length),
            "kind" => u128::from(header.kind_number),
            "envelope_length" => u128::from(header.envelope_length),
            "flags" => u128::from(header.flags),
            "reserved" => 0,
            "tag" => u128::from(header.tag),
            "target" => header.target,
            _ => panic!("the header has no {name}"),
        };
        assert_eq!(u128::from_le_bytes(value), expected, "{name}");
    }
    assert_eq!(table.iter().map(|(_, _, size)| size).sum::<usize>(), HEADER_BYTES);
    assert_eq!(table.len(), 7);
}

#[test]
fn the_codes_are_those_of_the_code() {
    let table = rows(section("## Codes"), is_number);
    let written: Vec<_> =
        table.iter().map(|cells| (cells[0].to_owned(), cells[1], cells[2])).collect();
    let codes: Vec<_> = Code::ALL
        .iter()
        .map(|code| (code.number().to_string(), code.name(), code.class().name()))
        .collect();
    assert_eq!(written, codes);
}

#[test]
fn the_classes_are_the_ranges_of_the_code() {
    let table = rows(section("## Codes"), |cell| cell.contains('–'));
    assert_eq!(table.len(), 6);
    for cells in table {
        let (first, last) = cells[0].split_once('–').expect("a range");
        let (first, last): (u16, u16) =
            (first.parse().expect("first"), last.parse().expect("last"));
        for number in [first, last] {
            let class = Class::of(number).expect("a class");
            assert_eq!(class.name(), cells[1], "{number}");
        }
        assert_eq!((first % 1000, last), (0, first + 999));
    }
    assert_eq!((Class::of(999), Class::of(7000), Class::of(0)), (None, None, None));
}

#[test]
fn every_code_has_its_number_once_and_a_class() {
    let mut numbers: Vec<_> = Code::ALL.iter().map(|code| code.number()).collect();
    assert!(numbers.is_sorted());
    numbers.dedup();
    assert_eq!(numbers.len(), Code::ALL.len());
    for code in Code::ALL {
        assert_eq!(Code::from_number(code.number()), Some(*code));
        assert_eq!(Class::of(code.number()), Some(code.class()));
    }
    assert_eq!(Code::from_number(1000), None);
}

#[test]
fn every_kind_has_its_number_once() {
    let numbers: Vec<_> = Kind::ALL.iter().map(|kind| kind.number()).collect();
    assert!(numbers.is_sorted_by(|one, other| one < other));
    for kind in Kind::ALL {
        assert_eq!(Kind::from_number(kind.number()), Some(*kind));
    }
}

#[test]
fn the_limits_are_those_of_the_code() {
    macro_rules! named {
        ($($limit:ident),* $(,)?) => {
            vec![$((stringify!($limit), limits::$limit.to_string())),*]
        };
    }
    let expected = named![
        FRAME_BYTES_HARD_MAX,
        FRAME_BYTES_MAX,
        FRAME_BYTES_BEFORE_AUTH_MAX,
        UNDECIDED_MAX,
        EXCEPT_RANGES_MAX,
        KINDS_MAX,
        TOKEN_BYTES_MAX,
        TICKET_BYTES_MAX,
        CREDIT_FRAMES_MAX,
        CREDIT_BYTES_MAX,
        DEVICE_NAME_BYTES_MAX,
        DEVICES_PER_PAGE_MAX,
        CHATS_PER_PAGE_MAX,
        MUTED_UNTIL_MS_MAX,
        EXCERPT_BYTES_MAX,
        LIFE_MAX_S,
        LIFE_MIN_S,
        CHAT_MARKS_MAX,
        GROUP_MEMBERS_MAX,
        GROUP_NAME_BYTES_MAX,
        GROUP_RECEIPT_BYTES_MAX,
        CONTACTS_MAX,
        CONTACTS_PER_FRAME_MAX,
        WATCHED_MAX,
    ];
    let table = rows(section("## Limits"), |cell| cell.ends_with("_MAX") || cell.ends_with("_S"));
    let written: Vec<_> = table.iter().map(|cells| (cells[0], cells[1].to_owned())).collect();
    assert_eq!(written, expected);
}
