//! What a shard says to a session, as frames: for whoever drives it.

use answerback_proto::encode::{Address, append_frame};
use answerback_proto::id::{Position, UserId};
use answerback_proto::kind::{
    Accepted, CaughtUp, ChatDeleted, ChatSet, Chats, Contacts, Copied, Declined, Deliver,
    Delivered, DeviceMark, Devices, Done, Failed, GroupChanged, GroupCreated, GroupDeliver,
    GroupDescribed, GroupFailed, GroupReadElsewhere, GroupReceipt, OutOfOrder, Presence,
    RECEIPTS_ON, ReadBy, ReadElsewhere, ReadNoted, Refused, Skipped, Typing,
};

use super::effect::{
    Answer, ChatsPage, ContactsPage, DescribedGroup, DevicesPage, Entry, EntryBody,
};
use super::group::{GroupWord, Said, list_numbered};
use super::signals::Signal;

/// Appends the answer to a request about a chat.
#[inline]
pub fn append_answer(out: &mut Vec<u8>, tag: u32, peer: UserId, answer: &Answer) {
    let address = Address { flags: 0, tag, target: peer.0 };
    match *answer {
        Answer::Accepted { sequence, accepted_at_ms } => {
            let accepted = Accepted { sequence: sequence.0, accepted_at_ms };
            append_frame(out, address, &accepted, &[], &[]);
        }
        Answer::Refused { sequence, code, retry_after_ms } => {
            let refused = Refused { sequence: sequence.0, retry_after_ms, code: code.number() };
            append_frame(out, address, &refused, &[], &[]);
        }
        Answer::OutOfOrder { sequence, expected } => {
            let answer = OutOfOrder { sequence: sequence.0, expected: expected.0 };
            append_frame(out, address, &answer, &[], &[]);
        }
        Answer::Skipped { from, to, accepted } => {
            let skipped = Skipped { from: from.0, to: to.0, accepted };
            append_frame(out, address, &skipped, &[], &[]);
        }
        Answer::ReadNoted { up_to } => {
            append_frame(out, address, &ReadNoted { up_to: up_to.0 }, &[], &[]);
        }
        Answer::Done { at_ms } => append_frame(out, address, &Done { at_ms }, &[], &[]),
        Answer::Declined { code, retry_after_ms } => {
            let declined = Declined { retry_after_ms, code: code.number() };
            append_frame(out, address, &declined, &[], &[]);
        }
        Answer::Failed { device, sequence, code } => {
            let failed = Failed {
                position: 0,
                after: 0,
                device: device.0,
                sequence: sequence.0,
                code: code.number(),
            };
            append_frame(out, address, &failed, &[], &[]);
        }
        Answer::GroupCreated { group, at_ms } => {
            append_frame(out, address, &GroupCreated { group: group.0, at_ms }, &[], &[]);
        }
    }
}

/// Appends an entry of an inbox.
#[inline]
pub fn append_entry(out: &mut Vec<u8>, entry: &Entry) {
    let address = Address { flags: 0, tag: 0, target: entry.peer.0 };
    let (position, after) = (entry.position.0, entry.after.0);
    match &entry.body {
        EntryBody::Message { device, sequence, accepted_at_ms, content_type, payload } => {
            let deliver = Deliver {
                position,
                after,
                device: device.0,
                sequence: sequence.0,
                accepted_at_ms: *accepted_at_ms,
                content_type: *content_type,
            };
            append_frame(out, address, &deliver, &[], payload);
        }
        EntryBody::Copied { device, sequence, accepted_at_ms, content_type, payload } => {
            let copied = Copied {
                position,
                after,
                device: device.0,
                sequence: sequence.0,
                accepted_at_ms: *accepted_at_ms,
                content_type: *content_type,
            };
            append_frame(out, address, &copied, &[], payload);
        }
        EntryBody::ReadBy { device, up_to, read_at_ms } => {
            let (device, up_to, read_at_ms) = (device.0, up_to.0, *read_at_ms);
            let read = ReadBy { position, after, device, up_to, read_at_ms };
            append_frame(out, address, &read, &[], &[]);
        }
        EntryBody::ReadElsewhere { device, up_to, read_at_ms, .. } => {
            let (device, up_to, read_at_ms) = (device.0, up_to.0, *read_at_ms);
            let read = ReadElsewhere { position, after, device, up_to, read_at_ms };
            append_frame(out, address, &read, &[], &[]);
        }
        EntryBody::ChatSet { settings } => {
            let (flags, muted_until_ms) = (settings.flags, settings.muted_until_ms);
            let set = ChatSet { position, after, flags, muted_until_ms };
            append_frame(out, address, &set, &[], &[]);
        }
        EntryBody::Delivered { device, up_to, delivered_at_ms, except } => {
            let delivered = Delivered {
                position,
                after,
                device: device.0,
                up_to: up_to.0,
                delivered_at_ms: *delivered_at_ms,
                except_count: 0,
            };
            if except.is_empty() {
                return append_frame(out, address, &delivered, &[], &[]);
            }
            let appended = delivered.append(out, address, except);
            debug_assert_eq!(appended, Ok(()), "{except:?} below {up_to}");
        }
        EntryBody::Failed { device, sequence, code } => {
            let failed =
                Failed { position, after, device: device.0, sequence: sequence.0, code: *code };
            append_frame(out, address, &failed, &[], &[]);
        }
        EntryBody::ChatDeleted { up_to, marks, .. } => {
            let marks_count = (marks.len() / DeviceMark::BYTES) as u16;
            let deleted = ChatDeleted { position, after, up_to: up_to.0, marks_count };
            append_frame(out, address, &deleted, marks, &[]);
        }
        EntryBody::GroupMessage(word)
        | EntryBody::GroupCopied(word)
        | EntryBody::GroupChanged(word) => append_word(out, address, (position, after), word),
        EntryBody::GroupReceipt { device, sequence, version, bits } => {
            let (device, sequence, version) = (device.0, sequence.0, *version);
            let (delivered_bytes, read_bytes) = (0, 0);
            let receipt = GroupReceipt {
                position,
                after,
                device,
                sequence,
                version,
                delivered_bytes,
                read_bytes,
            };
            let appended = receipt.append(out, address, bits.delivered(), bits.read());
            debug_assert_eq!(appended, Ok(()), "{bits:?}");
        }
        EntryBody::GroupReadElsewhere { reader, up_to, read_at_ms } => {
            let (reader, up_to, read_at_ms) = (reader.0, up_to.0, *read_at_ms);
            let read = GroupReadElsewhere { position, after, reader, up_to, read_at_ms };
            append_frame(out, address, &read, &[], &[]);
        }
        EntryBody::GroupFailed { device, sequence, members } => {
            let (device, sequence) = (device.0, sequence.0);
            let members_count = members.len() as u16;
            let failed = GroupFailed { position, after, device, sequence, members_count };
            append_frame(out, address, &failed, &list_numbered(members), &[]);
        }
    }
}

/// Appends a group's word.
fn append_word(
    out: &mut Vec<u8>,
    address: Address,
    (position, after): (u64, u64),
    word: &GroupWord,
) {
    match word.said {
        Said::Message { device, sequence, content_type } => {
            let deliver = GroupDeliver {
                position,
                after,
                device: device.0,
                sender: word.sender.0,
                sequence: sequence.0,
                accepted_at_ms: word.at_ms,
                version: word.version,
                content_type,
            };
            append_frame(out, address, &deliver, &[], &word.payload);
        }
        Said::Change { change, members_count, name_length } => {
            let changed = GroupChanged {
                position,
                after,
                actor: word.sender.0,
                at_ms: word.at_ms,
                version: word.version,
                change,
                members_count,
                name_length,
                flags: receipts_flag(word.receipts),
            };
            append_frame(out, address, &changed, &word.payload, &[]);
        }
    }
}

/// Appends a page of a user's devices.
pub fn append_devices(out: &mut Vec<u8>, tag: u32, user: UserId, page: &DevicesPage) {
    let devices = Devices { count: 0, has_more: u16::from(page.has_more) };
    let appended = devices.append(out, Address { flags: 0, tag, target: user.0 }, &page.listed);
    debug_assert_eq!(appended, Ok(()), "{page:?}");
}

/// Appends a page of a user's chats that are treated otherwise than at first.
pub fn append_chats(out: &mut Vec<u8>, tag: u32, user: UserId, page: &ChatsPage) {
    let chats = Chats { count: 0, next_behind: page.next_behind.0 };
    let appended = chats.append(out, Address { flags: 0, tag, target: user.0 }, &page.listed);
    debug_assert_eq!(appended, Ok(()), "{page:?}");
}

/// Appends a page of a user's contacts.
pub fn append_contacts(out: &mut Vec<u8>, tag: u32, user: UserId, page: &ContactsPage) {
    let &ContactsPage { visibility, writers, next_behind, .. } = page;
    let contacts = Contacts { count: 0, visibility, writers, next_behind: next_behind.0 };
    let appended = contacts.append(out, Address { flags: 0, tag, target: user.0 }, &page.users);
    debug_assert_eq!(appended, Ok(()), "{page:?}");
}

/// Appends what a group is now.
pub fn append_described(out: &mut Vec<u8>, tag: u32, group: UserId, of: &DescribedGroup) {
    let (version, members_count) = (of.version, of.members_count);
    let (name_length, flags) = (of.name.len() as u16, receipts_flag(of.receipts));
    let described = GroupDescribed { version, members_count, name_length, flags };
    let tail = [of.roles.as_slice(), &of.name].concat();
    append_frame(out, Address { flags: 0, tag, target: group.0 }, &described, &tail, &[]);
}

/// Of what tells of a group.
fn receipts_flag(receipts: bool) -> u16 {
    if receipts { RECEIPTS_ON } else { 0 }
}

/// Appends that all entries are sent that waited at `Hello`.
pub fn append_caught_up(out: &mut Vec<u8>, user: UserId, position: Position) {
    let address = Address { flags: 0, tag: 0, target: user.0 };
    append_frame(out, address, &CaughtUp { position: position.0 }, &[], &[]);
}

/// Appends a signal.
pub fn append_signal(out: &mut Vec<u8>, signal: &Signal) {
    match *signal {
        Signal::Typing { peer, state } => {
            let address = Address { flags: 0, tag: 0, target: peer.0 };
            append_frame(out, address, &Typing { state }, &[], &[]);
        }
        Signal::Presence { peer, last_action_ms, online_for_ms } => {
            let address = Address { flags: 0, tag: 0, target: peer.0 };
            append_frame(out, address, &Presence { last_action_ms, online_for_ms }, &[], &[]);
        }
    }
}
