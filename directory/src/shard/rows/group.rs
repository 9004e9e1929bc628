//! The rows of groups: lists of members, bodies with their holders, references, parts.

use std::sync::Arc;

use answerback_proto::id::UserId;

use super::super::checkpoint::Table;
use super::super::effect::EntryBody;
use super::super::group::{
    Body, Group, GroupWord, Member, list_numbered, list_users, numbered_users, split_users, users,
};
use super::super::inbox::InboxEntry;
use super::super::parts::{About, PartBody};
use super::fields::Fields;
use super::write::Writer;
use super::{
    GROUP_CHANGED, GROUP_COPIED, GROUP_FAILED, GROUP_GONE, GROUP_MESSAGE, GROUP_RECEIPT, GROUP_WORD,
};

impl Writer {
    /// A group's list of members.
    pub(super) fn group(&mut self, id: &[u8; 16], group: &Group) {
        self.key(&[id]).u128(group.creator.0).u64(group.created_at_ms).u32(group.version);
        self.u8(u8::from(group.receipts)).u16(group.name.len() as u16).bytes(&group.name);
        for member in group.members() {
            self.u128(member.user.0).u16(member.number()).u32(member.since);
        }
        self.put(Table::Group);
    }

    /// A body, once; and who holds it.
    pub(super) fn body(&mut self, place: u64, body: &Body) {
        let key = place.to_be_bytes();
        if let Some(word) = body.word.as_ref().filter(|_| !body.holders.is_empty()) {
            let mut value = Vec::new();
            word.append_to(&mut value);
            self.key(&[&key]).bytes(&value).put(Table::Body);
            for holder in &body.holders {
                self.key(&[&key, &holder.0.to_be_bytes()]).put(Table::Body);
            }
        }
        for holder in &body.removed {
            self.key(&[&key, &holder.0.to_be_bytes()]).delete(Table::Body);
        }
        if body.word.is_none() && body.holders.is_empty() {
            self.key(&[&key]).delete(Table::Body);
        }
    }

    /// A part that concerns a group.
    pub(super) fn group_part(&mut self, body: &PartBody) -> &mut Self {
        let about = body.about();
        let (user, peer, device) = (about.user.0, about.peer.0, about.device.0);
        match body {
            PartBody::Group { word, members, flags } => {
                self.u8(GROUP_WORD).u128(user).u128(peer).u128(device).u16(*flags);
                self.u16(members.len() as u16).bytes(&list_users(members));
                let mut value = Vec::new();
                word.append_to(&mut value);
                self.bytes(&value)
            }
            PartBody::GroupFailed { sequence, members, .. } => {
                self.u8(GROUP_FAILED).u128(user).u128(peer).u128(device);
                self.u64(*sequence).bytes(&list_numbered(members))
            }
            PartBody::GroupReceipt { sequence, version, bits, .. } => {
                self.u8(GROUP_RECEIPT).u128(user).u128(peer).u128(device);
                self.u64(*sequence).u32(*version).slot_bits(bits)
            }
            PartBody::GroupGone { users, .. } => {
                self.u8(GROUP_GONE).u128(user).u128(peer).u128(device);
                self.bytes(&list_users(users))
            }
            _ => self,
        }
    }
}

/// A list of members, without the time of the group's last message.
pub(crate) fn read_group(value: &[u8]) -> Option<Group> {
    let mut value = Fields(value);
    let (creator, created_at_ms) = (UserId(value.u128()?), value.u64()?);
    let (version, receipts) = (value.u32()?, value.u8()? != 0);
    let name_length = usize::from(value.u16()?);
    let (name, rest) = value.rest().split_at_checked(name_length)?;
    let mut value = Fields(rest);
    let mut members = Vec::new();
    while !value.is_empty() {
        let (user, number) = (UserId(value.u128()?), value.u16()?);
        members.push(Member::of(user, number, value.u32()?)?);
    }
    let mut group = Group::load(creator, created_at_ms, version, name, members);
    group.receipts = receipts;
    Some(group)
}

/// Who holds a body, from the key that says so.
pub(crate) fn holder_of(key: &[u8]) -> Option<UserId> {
    let mut key = Fields(key.get(10..)?);
    let holder = UserId(key.be_u128()?);
    key.is_empty().then_some(holder)
}

/// An entry that refers to a body, as far as its own row says; none of another kind.
pub(super) fn read_reference(kind: u8, value: &mut Fields<'_>) -> Option<InboxEntry> {
    let body_of = match kind {
        GROUP_MESSAGE => EntryBody::GroupMessage,
        GROUP_COPIED => EntryBody::GroupCopied,
        GROUP_CHANGED => EntryBody::GroupChanged,
        _ => return None,
    };
    let word = Arc::new(GroupWord::at(value.u64()?));
    Some(InboxEntry::of_word(body_of(Arc::clone(&word)), &word))
}

/// A part that concerns a group, behind its kind and whom it speaks of.
pub(super) fn read_part(kind: u8, about: About, value: &mut Fields<'_>) -> Option<PartBody> {
    Some(match kind {
        GROUP_WORD => {
            let (flags, count) = (value.u16()?, value.u16()?);
            let rest = value.rest();
            let (members, length) = split_users(rest, count);
            let word = GroupWord::read(0, &mut Fields(rest.get(length..)?))?;
            PartBody::Group { word: Arc::new(word), members: members.into(), flags }
        }
        GROUP_FAILED => {
            let sequence = value.u64()?;
            let members = numbered_users(value.rest()).into();
            PartBody::GroupFailed { about, sequence, members }
        }
        GROUP_RECEIPT => {
            let (sequence, version) = (value.u64()?, value.u32()?);
            PartBody::GroupReceipt { about, sequence, version, bits: value.slot_bits()? }
        }
        GROUP_GONE => PartBody::GroupGone { group: about.peer, users: users(value.rest()).into() },
        _ => return None,
    })
}
