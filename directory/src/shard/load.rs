//! What has to be read from the disk before a record can be applied or an entry offered.
//!
//! A shard asks by [`super::Effect::Load`]; the driver has a reader thread do
//! [`Load::read`], and hands the outcome to [`super::Shard::handle_loaded`]. What is asked
//! for does not change between the two: only what is in memory changes, and what was in
//! memory is on disk before it leaves.

pub(crate) mod bodies;

use std::ops::ControlFlow;

use answerback_proto::id::{PartitionId, Position, UserId};
use bytes::Bytes;

use super::chat::Chat;
use super::checkpoint::Table;
use super::effect::ChatsPage;
use super::inbox::InboxEntry;
use super::listing::read_set_chats;
use super::rows::{self, Besides};
use super::span::Span;
use super::user::User;
use crate::limits::{CHATS_PER_READ_MAX, DUE_PER_READ_MAX, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};
use crate::ports::{StateReader, StorageFault};

/// Something to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Load {
    /// Of which partition.
    pub partition: PartitionId,
    /// What of it.
    pub what: Wanted,
}

/// What is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// A user's head and devices.
    Head(UserId),
    /// A user's chat with another.
    Chat(UserId, UserId),
    /// A user's chats with others from `from` on, that one at least.
    Chats {
        /// Whose chats.
        user: UserId,
        /// The first other end.
        from: UserId,
    },
    /// How many messages of a sender wait in this partition.
    Outstanding(UserId),
    /// Entries of an inbox in `(after, to]`, as many as make a page.
    Page {
        /// Whose inbox.
        user: UserId,
        /// The entries behind this.
        after: Position,
        /// Up to this.
        to: Position,
    },
    /// The heads of all entries in `(after, to]`.
    Heads {
        /// Whose inbox.
        user: UserId,
        /// The entries behind this.
        after: Position,
        /// Up to this.
        to: Position,
    },
    /// Chats of a user that are treated otherwise than at first.
    SetChats {
        /// Whose chats.
        user: UserId,
        /// Those whose other end is greater.
        behind: UserId,
    },
    /// Who holds what the entries of a group in `(after, to]` refer to.
    Holders {
        /// Whose inbox.
        user: UserId,
        /// The entries behind this.
        after: Position,
        /// Up to this.
        to: Position,
    },
    /// When a user was there last.
    Presence(UserId),
    /// Whom a user has among his contacts.
    Contacts(UserId),
    /// Users whose time has come.
    Due {
        /// By this time.
        up_to_ms: u64,
    },
}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// What had been asked for.
    pub load: Load,
    pub(crate) found: Found,
}

#[derive(Debug)]
pub(crate) enum Found {
    /// The user, who may not exist.
    Head(Box<User>),
    /// The chat, which may be new.
    Chat(Box<Chat>),
    /// Chats by their other ends, ascending.
    Chats(Vec<(UserId, Chat)>),
    /// The count; none where there is no row.
    Outstanding(Option<u32>),
    /// A page of them.
    SetChats(ChatsPage),
    /// Of a page, or heads.
    Entries(Span),
    /// Holders by place.
    Holders(Vec<(u64, Vec<UserId>)>),
    /// When, ms since 1970; 0 where there is no row.
    Presence(u64),
    /// Contacts, rising.
    Contacts(Vec<UserId>),
    /// Users, and whether there are more of them.
    Due(Vec<UserId>),
}

impl Load {
    /// Reads it. Blocks: for a thread that may.
    ///
    /// # Errors
    /// Where the disk cannot be read, or holds what it should not.
    pub fn read(self, reader: &dyn StateReader) -> Result<Loaded, StorageFault> {
        let partition = self.partition;
        let found = match self.what {
            Wanted::Head(user) => Found::Head(Box::new(read_head(reader, partition, user)?)),
            Wanted::Chat(user, peer) => {
                Found::Chat(Box::new(read_chat(reader, partition, user, peer)?))
            }
            Wanted::Chats { user, from } => {
                Found::Chats(read_chats(reader, partition, user, from)?)
            }
            Wanted::Outstanding(sender) => {
                let key = rows::key(partition, &[&sender.0.to_be_bytes()]);
                let row = reader.row(Table::Sender, &key)?;
                let count = row.map(|value| {
                    rows::read_outstanding(&value)
                        .ok_or_else(|| unreadable(Table::Sender, partition))
                });
                Found::Outstanding(count.transpose()?)
            }
            Wanted::Page { user, after, to } => {
                let limits = (PAGE_ENTRIES_MAX, PAGE_BYTES_MAX);
                Found::Entries(read_entries(reader, partition, user, (after, to), limits, true)?)
            }
            Wanted::Heads { user, after, to } => {
                let limits = (usize::MAX, usize::MAX);
                Found::Entries(read_entries(reader, partition, user, (after, to), limits, false)?)
            }
            Wanted::SetChats { user, behind } => {
                Found::SetChats(read_set_chats(reader, partition, user, behind)?)
            }
            Wanted::Holders { user, after, to } => {
                Found::Holders(bodies::read_holders(reader, partition, user, (after, to))?)
            }
            Wanted::Presence(user) => {
                let key = rows::key(partition, &[&user.0.to_be_bytes()]);
                let row = reader.row(Table::Presence, &key)?;
                let last_ms = row.map(|value| {
                    rows::read_presence(&value)
                        .ok_or_else(|| unreadable(Table::Presence, partition))
                });
                Found::Presence(last_ms.transpose()?.unwrap_or(0))
            }
            Wanted::Contacts(user) => {
                let key = rows::key(partition, &[&user.0.to_be_bytes()]);
                let row = reader.row(Table::Contacts, &key)?;
                let users = row.map(|value| {
                    rows::read_contacts(&value)
                        .ok_or_else(|| unreadable(Table::Contacts, partition))
                });
                Found::Contacts(users.transpose()?.unwrap_or_default())
            }
            Wanted::Due { up_to_ms } => Found::Due(read_due(reader, partition, up_to_ms)?),
        };
        Ok(Loaded { load: self, found })
    }
}

pub(crate) fn read_head(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: UserId,
) -> Result<User, StorageFault> {
    let id = user.0.to_be_bytes();
    let Some(head) = reader.row(Table::Cursor, &rows::key(partition, &[&id]))? else {
        return Ok(User::unknown(user));
    };
    let mut user =
        rows::read_head(user, &head).ok_or_else(|| unreadable(Table::Cursor, partition))?;
    let (from, to) = rows::range(partition, &[&id]);
    reader.range(Table::Device, &from, &to, &mut |key, value| {
        let device =
            rows::read_device(key, value).ok_or_else(|| unreadable(Table::Device, partition))?;
        user.add_device(device);
        Ok(ControlFlow::Continue(()))
    })?;
    if let Some(group) = user.group_mut() {
        bodies::read_roster(reader, partition, &id, group)?;
    }
    Ok(user)
}

/// A chat without a row of its own has no others either.
pub(crate) fn read_chat(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: UserId,
    peer: UserId,
) -> Result<Chat, StorageFault> {
    let ids = (user.0.to_be_bytes(), peer.0.to_be_bytes());
    let Some(row) = reader.row(Table::Chat, &rows::key(partition, &[&ids.0, &ids.1]))? else {
        return Ok(Chat::default());
    };
    let (mut chat, besides) =
        rows::read_chat(&row).ok_or_else(|| unreadable(Table::Chat, partition))?;
    let (from, to) = rows::range(partition, &[&ids.0, &ids.1]);
    reader.range(Table::Sequence, &from, &to, &mut |key, value| {
        let sender =
            rows::read_sender(key, value).ok_or_else(|| unreadable(Table::Sequence, partition))?;
        chat.senders.push(sender);
        Ok(ControlFlow::Continue(()))
    })?;
    read_besides(reader, partition, user, peer, besides, &mut chat)?;
    Ok(chat)
}

/// One walk over neighbouring rows for many chats, where a look-up costs as much as ten of
/// its steps.
fn read_chats(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: UserId,
    first: UserId,
) -> Result<Vec<(UserId, Chat)>, StorageFault> {
    let id = user.0.to_be_bytes();
    let from = rows::key(partition, &[&id, &first.0.to_be_bytes()]);
    let (_, end) = rows::range(partition, &[&id]);
    let mut chats: Vec<(UserId, Chat)> = Vec::new();
    let mut besides_of = Vec::new();
    reader.range(Table::Chat, &from, &end, &mut |key, value| {
        let row = rows::peer_of(key).zip(rows::read_chat(value));
        let (peer, (chat, besides)) = row.ok_or_else(|| unreadable(Table::Chat, partition))?;
        if besides.is_any() {
            besides_of.push((chats.len(), besides));
        }
        chats.push((peer, chat));
        let is_full = chats.len() >= CHATS_PER_READ_MAX;
        Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    read_senders(reader, partition, user, first, &mut chats)?;
    for (index, besides) in besides_of {
        if let Some((peer, chat)) = chats.get_mut(index) {
            read_besides(reader, partition, user, *peer, besides, chat)?;
        }
    }
    // Who asks goes on with the first, also where it is new.
    if chats.first().is_none_or(|(peer, _)| *peer != first) {
        chats.insert(0, (first, Chat::default()));
    }
    Ok(chats)
}

/// Gives the chats, ascending and without a gap behind `first`, their senders.
fn read_senders(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: UserId,
    first: UserId,
    chats: &mut [(UserId, Chat)],
) -> Result<(), StorageFault> {
    let Some((last, _)) = chats.last() else { return Ok(()) };
    let id = user.0.to_be_bytes();
    let from = rows::key(partition, &[&id, &first.0.to_be_bytes()]);
    let (_, to) = rows::range(partition, &[&id, &last.0.to_be_bytes()]);
    let mut left = chats.iter_mut().peekable();
    reader.range(Table::Sequence, &from, &to, &mut |key, value| {
        let row = rows::peer_of(key).zip(rows::read_sender(key, value));
        let (peer, sender) = row.ok_or_else(|| unreadable(Table::Sequence, partition))?;
        while left.next_if(|(other, _)| *other < peer).is_some() {}
        if let Some((_, chat)) = left.peek_mut().filter(|(other, _)| *other == peer) {
            chat.senders.push(sender);
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// Gives a chat what is parked in it, what is withheld, and what only groups' chats have.
fn read_besides(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: UserId,
    peer: UserId,
    besides: Besides,
    chat: &mut Chat,
) -> Result<(), StorageFault> {
    let (from, to) = rows::range(partition, &[&user.0.to_be_bytes(), &peer.0.to_be_bytes()]);
    if besides.parked {
        read_parked(reader, partition, (&from, &to), chat)?;
    }
    if besides.withheld {
        read_withheld(reader, partition, (&from, &to), chat)?;
    }
    if besides.unread {
        bodies::read_unread(reader, partition, (&from, &to), chat)?;
    }
    if besides.tallies {
        bodies::read_tallies(reader, partition, (&from, &to), chat)?;
    }
    chat.forget_changes();
    Ok(())
}

fn read_withheld(
    reader: &dyn StateReader,
    partition: PartitionId,
    (from, to): (&[u8], &[u8]),
    chat: &mut Chat,
) -> Result<(), StorageFault> {
    reader.range(Table::Withheld, from, to, &mut |key, value| {
        let (device, sequence, message) = rows::read_withheld(key, value)
            .ok_or_else(|| unreadable(Table::Withheld, partition))?;
        chat.withhold(device, sequence, message);
        Ok(ControlFlow::Continue(()))
    })
}

fn read_parked(
    reader: &dyn StateReader,
    partition: PartitionId,
    (from, to): (&[u8], &[u8]),
    chat: &mut Chat,
) -> Result<(), StorageFault> {
    reader.range(Table::Parked, from, to, &mut |key, value| {
        let (device, sequence, parked) =
            rows::read_parked(key, value).ok_or_else(|| unreadable(Table::Parked, partition))?;
        chat.sender_or_new(device).parked.insert(sequence, parked);
        Ok(ControlFlow::Continue(()))
    })
}

fn read_entries(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: UserId,
    (after, to): (Position, Position),
    (entries_max, bytes_max): (usize, usize),
    with_payloads: bool,
) -> Result<Span, StorageFault> {
    let id = user.0.to_be_bytes();
    let from_key = rows::key(partition, &[&id, &after.next().0.to_be_bytes()]);
    let to_key = rows::key(partition, &[&id, &to.next().0.to_be_bytes()]);
    let mut entries: Vec<(Position, InboxEntry)> = Vec::new();
    let (mut payloads, mut is_cut) = (Vec::new(), false);
    reader.range(Table::Inbox, &from_key, &to_key, &mut |key, value| {
        if entries.len() >= entries_max || payloads.len() >= bytes_max {
            is_cut = true;
            return Ok(ControlFlow::Break(()));
        }
        let (position, entry) = rows::read_inbox(key, value, &mut payloads)
            .ok_or_else(|| unreadable(Table::Inbox, partition))?;
        entries.push((position, entry));
        if !with_payloads {
            payloads.clear();
        }
        Ok(ControlFlow::Continue(()))
    })?;
    bodies::complete(reader, partition, user, &mut entries, with_payloads)?;
    if with_payloads {
        give_payloads(&mut entries, Bytes::from(payloads));
    }
    let end = entries.last().filter(|_| is_cut).map_or(to, |(position, _)| *position);
    Ok(Span::new(after, end, entries))
}

/// All payloads of a page lie in one piece of memory, in order.
fn give_payloads(entries: &mut [(Position, InboxEntry)], mut payloads: Bytes) {
    for (_, entry) in entries {
        if let Some(place) = entry.body.payload_mut() {
            *place = payloads.split_to(entry.payload_bytes as usize);
        }
    }
}

fn read_due(
    reader: &dyn StateReader,
    partition: PartitionId,
    up_to_ms: u64,
) -> Result<Vec<UserId>, StorageFault> {
    let from = rows::key(partition, &[]);
    let to = rows::key(partition, &[&up_to_ms.saturating_add(1).to_be_bytes()]);
    let mut due = Vec::new();
    reader.range(Table::Expiry, &from, &to, &mut |key, _| {
        let (_, user) =
            rows::read_expiry(key).ok_or_else(|| unreadable(Table::Expiry, partition))?;
        due.push(user);
        let is_full = due.len() >= DUE_PER_READ_MAX;
        Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(due)
}

pub(crate) fn unreadable(table: Table, partition: PartitionId) -> StorageFault {
    StorageFault::new(format_args!(
        "the table {} of partition {partition} holds a row that cannot be read",
        table.name()
    ))
}
