//! The kinds of groups with a tail: users in their order, as many bytes as the envelope counts.

use answerback_proto::encode::Address;
use answerback_proto::id::UserId;
use answerback_proto::kind::{
    ChangeMembers, CreateGroup, Envelope, GroupChanged, GroupDescribed, GroupFailed, GroupReceipt,
    RenameGroup,
};

use super::tails::{assert_wire, split};
use super::{check_frame, has_class};

pub(super) fn create(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<CreateGroup>(envelope) else { return };
    let cut = 16 * usize::from(fixed.members_count);
    let is_good = fixed.nonce > 0
        && fixed.members_count <= 1023
        && is_name(fixed.name_length)
        && tail.len() == cut + usize::from(fixed.name_length)
        && ids(tail, cut, 16).is_some();
    let read = CreateGroup::read(envelope);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((values, members, name)) = read {
        let members: Vec<_> = members.iter().collect();
        let mut wire = Vec::new();
        let appended = values.append(&mut wire, Address::default(), &members, name);
        assert_wire(appended, &wire, envelope);
    }
}

pub(super) fn change(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<ChangeMembers>(envelope) else { return };
    let cut = 16 * usize::from(fixed.members_count);
    let is_good = (1..=3).contains(&fixed.action)
        && fixed.role <= 2
        && (fixed.role == 0 || fixed.action == 3)
        && (1..=1024).contains(&fixed.members_count)
        && tail.len() == cut
        && ids(tail, cut, 16).is_some();
    let read = ChangeMembers::read(envelope);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((values, members)) = read {
        let members: Vec<_> = members.iter().collect();
        let mut wire = Vec::new();
        let appended = values.append(&mut wire, Address::default(), &members);
        assert_wire(appended, &wire, envelope);
    }
}

pub(super) fn rename(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<RenameGroup>(envelope) else { return };
    let is_good = is_name(fixed.name_length) && tail.len() == usize::from(fixed.name_length);
    let read = RenameGroup::read(envelope);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((_, name)) = read {
        let mut wire = Vec::new();
        let appended = RenameGroup::append(&mut wire, Address::default(), name);
        assert_wire(appended, &wire, envelope);
    }
}

pub(super) fn changed(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<GroupChanged>(envelope) else { return };
    let cut = 18 * usize::from(fixed.members_count);
    let is_good = fixed.after < fixed.position
        && fixed.version > 0
        && (1..=7).contains(&fixed.change)
        && fixed.members_count <= 1024
        && fixed.name_length <= 256
        && fixed.flags <= 1
        && tail.len() == cut + usize::from(fixed.name_length)
        && ids(tail, cut, 18)
            .is_some_and(|numbers| numbers.iter().all(|number| is_role_and_slot(*number)));
    check::<GroupChanged>(&fixed, envelope, tail, GroupChanged::read(envelope).is_ok(), is_good);
}

pub(super) fn described(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<GroupDescribed>(envelope) else { return };
    let cut = 18 * usize::from(fixed.members_count);
    let is_good = fixed.version > 0
        && (1..=1024).contains(&fixed.members_count)
        && is_name(fixed.name_length)
        && fixed.flags <= 1
        && tail.len() == cut + usize::from(fixed.name_length)
        && ids(tail, cut, 18)
            .is_some_and(|numbers| numbers.iter().all(|number| is_role_and_slot(*number)));
    let is_read = GroupDescribed::read(envelope).is_ok();
    check::<GroupDescribed>(&fixed, envelope, tail, is_read, is_good);
}

pub(super) fn failed(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<GroupFailed>(envelope) else { return };
    let cut = 18 * usize::from(fixed.members_count);
    let is_good = fixed.after < fixed.position
        && fixed.sequence > 0
        && (1..=1024).contains(&fixed.members_count)
        && tail.len() == cut
        && ids(tail, cut, 18).is_some_and(|codes| codes.iter().all(|code| has_class(*code)));
    check::<GroupFailed>(&fixed, envelope, tail, GroupFailed::read(envelope).is_ok(), is_good);
}

pub(super) fn receipt(envelope: &[u8]) {
    let Some((fixed, tail)) = split::<GroupReceipt>(envelope) else { return };
    let (cut, rest) = (usize::from(fixed.delivered_bytes), usize::from(fixed.read_bytes));
    let are_bits = |tail: &[u8]| {
        let (delivered, read) = tail.split_at(cut);
        let is_in = |(has, has_read): (&u8, &u8)| has | has_read == *has;
        let are_in = delivered.iter().zip(read).all(is_in);
        are_in && delivered.last() != Some(&0) && read.last() != Some(&0)
    };
    let is_good = fixed.after < fixed.position
        && fixed.sequence > 0
        && fixed.version > 0
        && (1..=128).contains(&cut)
        && rest <= cut
        && tail.len() == cut + rest
        && are_bits(tail);
    let read = GroupReceipt::read(envelope);
    assert_eq!(read.is_ok(), is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(&fixed, envelope, tail);
    if let Ok((values, delivered, read)) = read {
        let mut wire = Vec::new();
        let appended = values.append(&mut wire, Address::default(), delivered, read);
        assert_wire(appended, &wire, envelope);
    }
}

fn check<E: Envelope + std::fmt::Debug>(
    fixed: &E,
    envelope: &[u8],
    tail: &[u8],
    is_read: bool,
    is_good: bool,
) {
    assert_eq!(is_read, is_good, "{fixed:?} with {} bytes", tail.len());
    check_frame(fixed, envelope, tail);
}

/// The numbers beside users who stand in their order; none where they do not, or are cut off.
fn ids(tail: &[u8], cut: usize, size: usize) -> Option<Vec<u16>> {
    let mut before = UserId(0);
    let listed = tail.get(..cut)?;
    let of_one = |one: &[u8]| {
        let (id, number) = one.split_first_chunk::<16>()?;
        let user = UserId(u128::from_le_bytes(*id));
        let is_behind = std::mem::replace(&mut before, user) < user;
        let number = number.first_chunk().map_or(0, |number| u16::from_le_bytes(*number));
        is_behind.then_some(number)
    };
    listed.chunks_exact(size).map(of_one).collect::<Option<Vec<_>>>()
}

fn is_role_and_slot(number: u16) -> bool {
    number & 0b1100_0000_0000_1100 == 0 && number & 3 <= 2
}

fn is_name(length: u16) -> bool {
    (1..=256).contains(&length)
}
