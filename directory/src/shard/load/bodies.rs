//! What groups have on the disk: their lists of members, what members were sent, who holds it,
//! who has read it.

use std::ops::ControlFlow;
use std::sync::Arc;

use answerback_proto::id::{PartitionId, Position, UserId};
use bytes::Bytes;

use super::super::chat::Chat;
use super::super::checkpoint::Table;
use super::super::group::{Group, GroupWord};
use super::super::inbox::InboxEntry;
use super::super::rows::{self, Fields};
use super::{read_entries, unreadable};
use crate::ports::{StateReader, StorageFault};

/// Gives a group, as its head says, its list of members.
pub(super) fn read_roster(
    reader: &dyn StateReader,
    partition: PartitionId,
    id: &[u8; 16],
    group: &mut Group,
) -> Result<(), StorageFault> {
    let row = reader.row(Table::Group, &rows::key(partition, &[id]))?;
    let last_accepted_ms = group.last_accepted_ms;
    let read = row.and_then(|row| rows::read_group(&row));
    *group = read.ok_or_else(|| unreadable(Table::Group, partition))?;
    group.last_accepted_ms = last_accepted_ms;
    Ok(())
}

/// Gives entries that refer to a body what it says. An entry whose body left while they were
/// read left too: it is taken out.
pub(super) fn complete(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: UserId,
    entries: &mut Vec<(Position, InboxEntry)>,
    with_payloads: bool,
) -> Result<(), StorageFault> {
    let mut fault = None;
    entries.retain_mut(|(position, entry)| {
        match complete_one(reader, partition, user, (*position, entry), with_payloads) {
            Ok(is_there) => is_there,
            Err(failed) => {
                fault.get_or_insert(failed);
                true
            }
        }
    });
    fault.map_or(Ok(()), Err)
}

/// The same of one entry; whether it is still there.
pub(crate) fn complete_one(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: UserId,
    (position, entry): (Position, &mut InboxEntry),
    with_payload: bool,
) -> Result<bool, StorageFault> {
    let Some(word) = entry.body.word_mut() else { return Ok(true) };
    let place = word.place;
    let Some(row) = reader.row(Table::Body, &rows::key(partition, &[&place.to_be_bytes()]))? else {
        let key = [user.0.to_be_bytes().as_slice(), &position.0.to_be_bytes()].concat();
        let is_there = reader.row(Table::Inbox, &rows::key(partition, &[&key]))?.is_some();
        return if is_there { Err(unreadable(Table::Body, partition)) } else { Ok(false) };
    };
    let read = GroupWord::read(place, &mut Fields(&row));
    let mut read = read.ok_or_else(|| unreadable(Table::Body, partition))?;
    let payload_bytes = read.payload.len() as u32;
    if !with_payload {
        read.payload = Bytes::new();
    }
    let read = Arc::new(read);
    *word = Arc::clone(&read);
    *entry = InboxEntry::of_word(entry.body.clone(), &read);
    entry.payload_bytes = payload_bytes;
    Ok(true)
}

/// Who holds what the stored entries of a range refer to.
pub(super) fn read_holders(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: UserId,
    range: (Position, Position),
) -> Result<Vec<(u64, Vec<UserId>)>, StorageFault> {
    let limits = (usize::MAX, usize::MAX);
    let entries = read_entries(reader, partition, user, range, limits, false)?;
    let words = entries.between(range.0, range.1);
    let places = words.filter_map(|(_, entry)| entry.body.word().map(|word| word.place));
    let mut found = Vec::new();
    for place in places {
        let from = rows::key(partition, &[&place.to_be_bytes(), &[0; 16]]);
        let (_, to) = rows::range(partition, &[&place.to_be_bytes()]);
        let mut holders = Vec::new();
        reader.range(Table::Body, &from, &to, &mut |key, _| {
            let holder = rows::holder_of(key).ok_or_else(|| unreadable(Table::Body, partition))?;
            holders.push(holder);
            Ok(ControlFlow::Continue(()))
        })?;
        found.push((place, holders));
    }
    Ok(found)
}

/// Gives a chat with a group what the user has not read of it.
pub(super) fn read_unread(
    reader: &dyn StateReader,
    partition: PartitionId,
    (from, to): (&[u8], &[u8]),
    chat: &mut Chat,
) -> Result<(), StorageFault> {
    reader.range(Table::Unread, from, to, &mut |key, value| {
        let (position, unread) =
            rows::read_unread(key, value).ok_or_else(|| unreadable(Table::Unread, partition))?;
        chat.group_or_new().unread.load(position, unread);
        Ok(ControlFlow::Continue(()))
    })
}

/// And who has what the user sent there.
pub(super) fn read_tallies(
    reader: &dyn StateReader,
    partition: PartitionId,
    (from, to): (&[u8], &[u8]),
    chat: &mut Chat,
) -> Result<(), StorageFault> {
    reader.range(Table::Tally, from, to, &mut |key, value| {
        let (of, tally) =
            rows::read_tally(key, value).ok_or_else(|| unreadable(Table::Tally, partition))?;
        chat.group_or_new().tallies.load(of, tally);
        Ok(ControlFlow::Continue(()))
    })
}
