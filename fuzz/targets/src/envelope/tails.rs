//! The kinds with a tail: as many bytes as the envelope counts, neither more nor fewer.

use answerback_proto::access::access;
use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::header::HEADER_BYTES;
use answerback_proto::kind::{
    ChatDeleted, Chats, Contacts, DeleteChat, Delivered, DeviceMark, Devices, Envelope, Hello,
    Kind, NameDevice, Renew, Renewed, Report, Resume, SequenceRange, SessionTail, SetContacts,
    Watch, Welcome,
};

use super::{check_frame, is_place};

pub(super) fn hello(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<Hello>(envelope) else { return };
    let read = Hello::read(envelope);
    let is_good = (1..=fixed.version_max).contains(&fixed.version_min)
        && fixed.kinds_count <= 256
        && fixed.token_length <= 2048
        && fixed.mode <= 2
        && (1..=4096).contains(&fixed.credit_frames)
        && (1..=4_194_304).contains(&fixed.credit_bytes)
        && fixed.connection_counter > 0
        && tail.len() == session_tail(fixed.kinds_count, fixed.token_length);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((values, tail)) = read {
        assert_eq!(values, fixed);
        check_session_tail(tail, fixed.kinds_count, fixed.token_length);
        if let Some(kinds) = known_kinds(tail) {
            let mut wire = Vec::new();
            let appended = values.append(&mut wire, Address::default(), &kinds, tail.secret());
            assert_wire(appended, &wire, envelope);
        }
    }
}

pub(super) fn resume(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<Resume>(envelope) else { return };
    let read = Resume::read(envelope);
    let is_good = (1..=fixed.version_max).contains(&fixed.version_min)
        && fixed.kinds_count <= 256
        && fixed.ticket_length <= 1024
        && fixed.mode <= 2
        && (1..=4096).contains(&fixed.credit_frames)
        && (1..=4_194_304).contains(&fixed.credit_bytes)
        && fixed.connection_counter > 0
        && tail.len() == session_tail(fixed.kinds_count, fixed.ticket_length);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((values, tail)) = read {
        assert_eq!(values, fixed);
        check_session_tail(tail, fixed.kinds_count, fixed.ticket_length);
        if let Some(kinds) = known_kinds(tail) {
            let mut wire = Vec::new();
            let same = Resume::new(&values.hello(), values.proof());
            let appended = same.append(&mut wire, Address::default(), &kinds, tail.secret());
            assert_wire(appended, &wire, envelope);
        }
    }
}

pub(super) fn renew(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<Renew>(envelope) else { return };
    let read = Renew::read(envelope);
    let is_good =
        (1..=2048).contains(&fixed.token_length) && tail.len() == usize::from(fixed.token_length);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((values, token)) = read {
        assert_eq!((values, token), (fixed, tail));
        let mut wire = Vec::new();
        assert_wire(Renew::append(&mut wire, Address::default(), token), &wire, envelope);
    }
}

pub(super) fn renewed(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<Renewed>(envelope) else { return };
    let read = Renewed::read(envelope);
    let is_good = fixed.ticket_length <= 1024 && tail.len() == usize::from(fixed.ticket_length);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((values, ticket)) = read {
        assert_eq!((&values, ticket), (&fixed, tail));
        let mut wire = Vec::new();
        assert_wire(values.append(&mut wire, Address::default(), ticket), &wire, envelope);
    }
}

pub(super) fn welcome(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<Welcome>(envelope) else { return };
    let read = Welcome::read(envelope);
    let is_good = fixed.version > 0
        && fixed.kinds_count <= 256
        && fixed.ticket_length <= 1024
        && fixed.lapsed <= 1
        && fixed.generation > 0
        && (4096..=983_040).contains(&fixed.frame_bytes_max)
        && (1..=64).contains(&fixed.undecided_max)
        && (1..=fixed.heartbeat_max_s).contains(&fixed.heartbeat_min_s)
        && tail.len() == session_tail(fixed.kinds_count, fixed.ticket_length);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((values, tail)) = read {
        assert_eq!(values, fixed);
        check_session_tail(tail, fixed.kinds_count, fixed.ticket_length);
        if let Some(kinds) = known_kinds(tail) {
            let mut wire = Vec::new();
            let appended = values.append(&mut wire, Address::default(), &kinds, tail.secret());
            assert_wire(appended, &wire, envelope);
        }
    }
}

pub(super) fn delivered(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<Delivered>(envelope) else { return };
    let read = Delivered::read(envelope);
    let ranges = plain_ranges(tail);
    let is_good = is_place(fixed.position, fixed.after)
        && fixed.up_to > 0
        && fixed.except_count <= 16
        && tail.len() == 16 * usize::from(fixed.except_count)
        && rise_below(&ranges, fixed.up_to);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} without {ranges:?}");
    check_frame(&fixed, envelope, tail);
    if let Ok((values, except)) = read {
        assert_eq!(values, fixed);
        let except: Vec<SequenceRange> = except.iter().collect();
        assert!(except.iter().map(|range| (range.first.0, range.last.0)).eq(ranges));
        let mut wire = Vec::new();
        assert_wire(values.append(&mut wire, Address::default(), &except), &wire, envelope);
    }
}

pub(super) fn report(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<Report>(envelope) else { return };
    let read = Report::read(envelope);
    let is_good = (fixed.device > 0) == (fixed.sequence > 0)
        && fixed.excerpt_length <= 4096
        && tail.len() == usize::from(fixed.excerpt_length);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((values, excerpt)) = read {
        assert_eq!((&values, excerpt), (&fixed, tail));
        let mut wire = Vec::new();
        assert_wire(values.append(&mut wire, Address::default(), excerpt), &wire, envelope);
    }
}

pub(super) fn name_device(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<NameDevice>(envelope) else { return };
    let read = NameDevice::read(envelope);
    let is_good = fixed.device > 0 && tail.len() == usize::from(fixed.name_length) && is_name(tail);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {tail:?}");
    check_frame(&fixed, envelope, tail);
    if let Ok((values, name)) = read {
        assert_eq!((&values, name.as_bytes()), (&fixed, tail));
        let mut wire = Vec::new();
        assert_wire(values.append(&mut wire, Address::default(), name), &wire, envelope);
    }
}

pub(super) fn devices(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<Devices>(envelope) else { return };
    check_frame(&fixed, envelope, tail);
    if let Ok((values, listed)) = Devices::read(envelope) {
        assert_eq!(values, fixed);
        assert!(listed.iter().all(|device| is_name(device.name.as_bytes())));
        let mut wire = Vec::new();
        assert_wire(values.append(&mut wire, Address::default(), &listed), &wire, envelope);
    }
}

pub(super) fn chats(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<Chats>(envelope) else { return };
    check_frame(&fixed, envelope, tail);
    if let Ok((values, listed)) = Chats::read(envelope) {
        assert_eq!(values, fixed);
        assert!(listed.is_sorted_by(|one, next| one.peer < next.peer));
        let mut wire = Vec::new();
        assert_wire(values.append(&mut wire, Address::default(), &listed), &wire, envelope);
    }
}

/// A device's name, as the protocol's page states it.
fn is_name(name: &[u8]) -> bool {
    name.len() <= 64
        && std::str::from_utf8(name).is_ok_and(|name| !name.chars().any(char::is_control))
}

pub(super) fn delete_chat(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<DeleteChat>(envelope) else { return };
    let read = DeleteChat::read(envelope);
    let is_good = fixed.peer > 0 && are_marks(tail, fixed.marks_count);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {tail:?}");
    check_frame(&fixed, envelope, tail);
    if let Ok((values, marks)) = read {
        assert_eq!(values, fixed);
        let marks: Vec<DeviceMark> = marks.iter().collect();
        let mut wire = Vec::new();
        assert_wire(values.append(&mut wire, Address::default(), &marks), &wire, envelope);
    }
}

pub(super) fn chat_deleted(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<ChatDeleted>(envelope) else { return };
    let read = ChatDeleted::read(envelope);
    let is_good = fixed.after < fixed.position
        && fixed.up_to < fixed.position
        && are_marks(tail, fixed.marks_count);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {tail:?}");
    check_frame(&fixed, envelope, tail);
    if let Ok((values, marks)) = read {
        assert_eq!(values, fixed);
        let marks: Vec<DeviceMark> = marks.iter().collect();
        let mut wire = Vec::new();
        assert_wire(values.append(&mut wire, Address::default(), &marks), &wire, envelope);
    }
}

fn are_marks(tail: &[u8], count: u16) -> bool {
    let is_mark = |mark: &[u8]| {
        let (device, up_to) = mark.split_at(16);
        device.iter().any(|byte| *byte != 0) && up_to.iter().any(|byte| *byte != 0)
    };
    count <= 10 && tail.len() == 24 * usize::from(count) && tail.chunks(24).all(is_mark)
}

pub(super) fn set_contacts(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<SetContacts>(envelope) else { return };
    let read = SetContacts::read(envelope);
    let is_good =
        fixed.mode <= 2 && contact_ids(tail, fixed.users_count).is_some_and(|ids| rise(&ids));
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((values, users)) = read {
        let users: Vec<_> = users.iter().collect();
        let mut wire = Vec::new();
        assert_wire(values.append(&mut wire, Address::default(), &users), &wire, envelope);
    }
}

pub(super) fn contacts(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<Contacts>(envelope) else { return };
    let read = Contacts::read(envelope);
    let reaches = |ids: &[u128]| {
        fixed.next_behind == 0 || ids.last().is_none_or(|last| *last <= fixed.next_behind)
    };
    let is_page = |ids: Vec<u128>| rise(&ids) && reaches(&ids);
    let is_good = fixed.visibility <= 2
        && fixed.writers <= 1
        && contact_ids(tail, fixed.count).is_some_and(is_page);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((values, users)) = read {
        let users: Vec<_> = users.iter().collect();
        let mut wire = Vec::new();
        assert_wire(values.append(&mut wire, Address::default(), &users), &wire, envelope);
    }
}

/// The ids of a tail, where they are as many as is said, and not too many.
fn contact_ids(tail: &[u8], count: u16) -> Option<Vec<u128>> {
    let (ids, rest) = tail.as_chunks::<16>();
    let is_so = rest.is_empty() && ids.len() == usize::from(count) && count <= 2048;
    is_so.then(|| ids.iter().map(|id| u128::from_le_bytes(*id)).collect())
}

/// Each once, and none 0.
fn rise(ids: &[u128]) -> bool {
    ids.first().is_none_or(|first| *first > 0) && ids.is_sorted_by(|one, next| one < next)
}

pub(super) fn watch(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<Watch>(envelope) else { return };
    let read = Watch::read(envelope);
    let (ids, rest) = tail.as_chunks::<16>();
    let is_good = fixed.once <= 1
        && fixed.users_count <= 256
        && rest.is_empty()
        && ids.len() == usize::from(fixed.users_count)
        && ids.iter().all(|id| *id != [0; 16]);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((values, users)) = read {
        let users: Vec<_> = users.iter().collect();
        assert!(users.iter().map(|user| user.0.to_le_bytes()).eq(ids.iter().copied()));
        let mut wire = Vec::new();
        assert_wire(values.append(&mut wire, Address::default(), &users), &wire, envelope);
    }
}

/// The fixed part and the tail, where the bytes are enough for the kind.
pub(super) fn split<E: Envelope>(envelope: &[u8]) -> Option<(E, &[u8])> {
    let Ok((archived, tail)) = access::<E>(envelope) else {
        assert!(envelope.len() < E::BYTES, "any number is one in a field of its size");
        return None;
    };
    Some((E::from_archived(archived), tail))
}

fn session_tail(kinds_count: u16, secret_length: u16) -> usize {
    2 * usize::from(kinds_count) + usize::from(secret_length)
}

fn check_session_tail(tail: SessionTail<'_>, kinds_count: u16, secret_length: u16) {
    assert_eq!(tail.kind_numbers().count(), usize::from(kinds_count));
    assert_eq!(tail.secret().len(), usize::from(secret_length));
    for kind in Kind::ALL {
        assert_eq!(tail.lists(*kind), tail.kind_numbers().any(|number| number == kind.number()));
    }
}

/// The kinds of a tail, where this version knows them all.
fn known_kinds(tail: SessionTail<'_>) -> Option<Vec<Kind>> {
    tail.kind_numbers().map(Kind::from_number).collect()
}

fn plain_ranges(tail: &[u8]) -> Vec<(u64, u64)> {
    let (numbers, _) = tail.as_chunks::<8>();
    let (pairs, _) = numbers.as_chunks::<2>();
    pairs.iter().map(|[a, b]| (u64::from_le_bytes(*a), u64::from_le_bytes(*b))).collect()
}

fn rise_below(ranges: &[(u64, u64)], up_to: u64) -> bool {
    let rise = ranges.windows(2).all(|pair| match pair {
        [(_, before), (first, _)] => before < first,
        _ => true,
    });
    rise && ranges.iter().all(|(first, last)| 0 < *first && first <= last && *last < up_to)
}

pub(super) fn assert_wire(appended: Result<(), Code>, wire: &[u8], envelope: &[u8]) {
    assert_eq!(appended, Ok(()));
    assert_eq!(wire.split_at_checked(HEADER_BYTES).map(|(_, behind)| behind), Some(envelope));
}
