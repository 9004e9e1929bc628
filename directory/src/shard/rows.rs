//! How the state lies in the tables: keys and values of every row.
//!
//! Keys are big-endian, so that rows lie in the order of their numbers; values are
//! little-endian. A row that this version cannot have written is a fault, never a guess.

use answerback_proto::id::{
    DeviceId, Generation, PartNumber, PartitionId, Position, Sequence, UserId,
};
use bytes::Bytes;

use super::checkpoint::{Rows, Table};
use super::effect::EntryBody;
use super::inbox::{Inbox, InboxEntry};
use super::parts::{Incoming, Outgoing, PartBody};
use super::sequence::Decisions;
use super::state::State;
use super::user::{Chat, Device, Sender, User};
use crate::ports::StorageFault;

const MESSAGE: u8 = 1;
const DELIVERED: u8 = 2;
const FAILED: u8 = 3;

/// Every row that changed since the last checkpoint, which it now is.
pub(crate) fn freeze(state: &mut State) -> Rows {
    let rows = write(state, Scope::Changes);
    state.forget_changes();
    rows
}

/// Every row of the state.
pub(crate) fn dump(state: &State) -> Rows {
    write(state, Scope::All)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Changes,
    All,
}

fn write(state: &State, scope: Scope) -> Rows {
    let mut writer = Writer::new(state.partition, scope);
    writer.key(&[]).value_u64(state.clock_ms).put(Table::Partition);
    match scope {
        Scope::Changes => {
            let changed = state.changed_users.iter();
            changed.filter_map(|id| state.users.get(*id)).for_each(|user| writer.user(user));
        }
        Scope::All => {
            let mut users: Vec<_> = state.users.iter().collect();
            users.sort_unstable_by_key(|user| user.id);
            users.into_iter().for_each(|user| writer.user(user));
        }
    }
    for (destination, outgoing) in &state.outgoing {
        writer.outgoing(*destination, outgoing);
    }
    for (source, incoming) in &state.incoming {
        writer.incoming(*source, incoming);
    }
    writer.rows
}

/// Collects one row after the other.
struct Writer {
    rows: Rows,
    scope: Scope,
    partition: PartitionId,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Writer {
    fn new(partition: PartitionId, scope: Scope) -> Self {
        Self { rows: Rows::default(), scope, partition, key: Vec::new(), value: Vec::new() }
    }

    /// Whether a row is written, given whether it changed.
    fn wants(&self, changed: bool) -> bool {
        changed || self.scope == Scope::All
    }

    fn user(&mut self, user: &User) {
        let id = user.id.0.to_be_bytes();
        self.key(&[&id]);
        self.value_u64(user.inbox.next_position().0).value_u64(user.acknowledged_by_any.0);
        self.put(Table::Cursor);
        for device in &user.devices {
            if self.wants(device.changed) {
                self.key(&[&id, &device.id.0.to_be_bytes()]);
                self.value_u64(device.cursor.0).value_u64(device.connection_counter);
                self.put(Table::Device);
            }
        }
        for (peer, chat) in &user.chats {
            self.chat(&id, *peer, chat);
        }
        self.inbox(&id, &user.inbox);
    }

    fn chat(&mut self, user: &[u8; 16], peer: UserId, chat: &Chat) {
        let peer = peer.0.to_be_bytes();
        if self.wants(chat.changed) {
            self.key(&[user, &peer]).value_u64(chat.last_accepted_ms).put(Table::Chat);
        }
        for sender in &chat.senders {
            if self.wants(sender.changed) {
                self.key(&[user, &peer, &sender.device.0.to_be_bytes()]);
                self.value_u64(sender.decisions.last().0).value_u64(sender.delivered_up_to.0);
                for packed in sender.decisions.recent() {
                    self.value_u64(packed);
                }
                self.put(Table::Sequence);
            }
        }
    }

    fn inbox(&mut self, user: &[u8; 16], inbox: &Inbox) {
        let from = match self.scope {
            Scope::Changes => inbox.stored_up_to(),
            Scope::All => Position(0),
        };
        if self.scope == Scope::Changes {
            for position in inbox.removed() {
                self.key(&[user, &position.0.to_be_bytes()]).delete(Table::Inbox);
            }
        }
        for (position, entry) in inbox.behind(from) {
            self.key(&[user, &position.0.to_be_bytes()]).entry(entry).put(Table::Inbox);
        }
    }

    fn outgoing(&mut self, destination: PartitionId, outgoing: &Outgoing) {
        let key = destination.0.to_be_bytes();
        if !self.wants(outgoing.changed()) {
            return;
        }
        self.key(&[&key]);
        self.value_u64(outgoing.next().0).value_u64(outgoing.confirmed().0).put(Table::Outgoing);
        let from = match self.scope {
            Scope::Changes => outgoing.stored_up_to(),
            Scope::All => PartNumber(0),
        };
        if self.scope == Scope::Changes {
            for number in outgoing.removed() {
                self.key(&[&key, &number.0.to_be_bytes()]).delete(Table::Outgoing);
            }
        }
        for (number, _, body) in outgoing.behind(from) {
            self.key(&[&key, &number.0.to_be_bytes()]).part(body).put(Table::Outgoing);
        }
    }

    fn incoming(&mut self, source: PartitionId, incoming: &Incoming) {
        if self.wants(incoming.changed) {
            self.key(&[&source.0.to_be_bytes()]);
            self.value_u64(incoming.generation.0).value_u64(incoming.taken.0).put(Table::Incoming);
        }
    }

    fn entry(&mut self, entry: &InboxEntry) -> &mut Self {
        match &entry.body {
            EntryBody::Message { device, sequence, accepted_at_ms, content_type, payload } => {
                self.value_u8(MESSAGE).value_u128(entry.peer.0).value_u128(device.0);
                self.value_u64(sequence.0).value_u64(*accepted_at_ms);
                self.value_u16(*content_type).value.extend_from_slice(payload);
            }
            EntryBody::Delivered { device, up_to, delivered_at_ms } => {
                self.value_u8(DELIVERED).value_u128(entry.peer.0).value_u128(device.0);
                self.value_u64(up_to.0).value_u64(*delivered_at_ms);
            }
            EntryBody::Failed { device, sequence, code } => {
                self.value_u8(FAILED).value_u128(entry.peer.0).value_u128(device.0);
                self.value_u64(sequence.0).value_u16(*code);
            }
        }
        self
    }

    fn part(&mut self, body: &PartBody) -> &mut Self {
        match *body {
            PartBody::Delivered { user, peer, device, up_to, delivered_at_ms } => {
                self.value_u8(DELIVERED).value_u128(user.0).value_u128(peer.0);
                self.value_u128(device.0).value_u64(up_to).value_u64(delivered_at_ms)
            }
            PartBody::Failed { user, peer, device, sequence, code } => {
                self.value_u8(FAILED).value_u128(user.0).value_u128(peer.0);
                self.value_u128(device.0).value_u64(sequence).value_u16(code)
            }
        }
    }

    fn key(&mut self, parts: &[&[u8]]) -> &mut Self {
        self.key.clear();
        self.value.clear();
        self.key.extend_from_slice(&self.partition.0.to_be_bytes());
        parts.iter().for_each(|part| self.key.extend_from_slice(part));
        self
    }

    fn value_u8(&mut self, value: u8) -> &mut Self {
        self.value.push(value);
        self
    }

    fn value_u16(&mut self, value: u16) -> &mut Self {
        self.value.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn value_u64(&mut self, value: u64) -> &mut Self {
        self.value.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn value_u128(&mut self, value: u128) -> &mut Self {
        self.value.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn put(&mut self, table: Table) {
        self.rows.put(table, &self.key, &self.value);
    }

    fn delete(&mut self, table: Table) {
        self.rows.delete(table, &self.key);
    }
}

/// Takes a row into the state.
///
/// # Errors
/// A row of another partition, or that this version cannot have written.
pub(crate) fn load(
    state: &mut State,
    table: Table,
    key: &[u8],
    value: &[u8],
) -> Result<(), StorageFault> {
    read_row(state, table, key, value).ok_or_else(|| {
        StorageFault::new(format_args!(
            "the table {} of partition {} holds a row of {} and {} bytes that cannot be read",
            table.name(),
            state.partition,
            key.len(),
            value.len(),
        ))
    })
}

fn read_row(state: &mut State, table: Table, key: &[u8], value: &[u8]) -> Option<()> {
    let (mut key, mut value) = (Reader(key), Reader(value));
    if key.be_u16()? != state.partition.0 {
        return None;
    }
    match table {
        Table::Partition => state.clock_ms = value.u64()?,
        Table::Cursor => {
            let user = state.users.get_or_insert_with(UserId(key.be_u128()?), User::new);
            user.inbox.load_next(Position(value.u64()?));
            user.acknowledged_by_any = Position(value.u64()?);
        }
        Table::Device => {
            let user = state.users.get_or_insert_with(UserId(key.be_u128()?), User::new);
            user.add_device(Device {
                id: DeviceId(key.be_u128()?),
                cursor: Position(value.u64()?),
                connection_counter: value.u64()?,
                changed: false,
            });
        }
        Table::Chat => {
            let user = state.users.get_or_insert_with(UserId(key.be_u128()?), User::new);
            let chat = user.chats.entry(UserId(key.be_u128()?)).or_default();
            chat.last_accepted_ms = value.u64()?;
        }
        Table::Sequence => {
            let user = state.users.get_or_insert_with(UserId(key.be_u128()?), User::new);
            let chat = user.chats.entry(UserId(key.be_u128()?)).or_default();
            chat.senders.push(read_sender(&mut key, &mut value)?);
        }
        Table::Inbox => {
            let user = state.users.get_or_insert_with(UserId(key.be_u128()?), User::new);
            user.inbox.load(Position(key.be_u64()?), read_entry(&mut value)?);
        }
        Table::Outgoing => read_outgoing(state, &mut key, &mut value)?,
        Table::Incoming => {
            let generation = Generation(value.u64()?);
            let incoming = Incoming { generation, taken: PartNumber(value.u64()?), changed: false };
            state.incoming.insert(PartitionId(key.be_u16()?), incoming);
        }
        Table::Parked | Table::Sender | Table::Expiry => return None,
    }
    (key.is_empty() && value.is_empty()).then_some(())
}

fn read_sender(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Option<Sender> {
    let device = DeviceId(key.be_u128()?);
    let (last, delivered_up_to) = (Sequence(value.u64()?), Sequence(value.u64()?));
    let mut recent = Vec::new();
    while !value.is_empty() {
        recent.push(value.u64()?);
    }
    let decisions = Decisions::restore(last, recent.into_iter());
    Some(Sender { device, decisions, delivered_up_to, changed: false })
}

fn read_entry(value: &mut Reader<'_>) -> Option<InboxEntry> {
    let kind = value.u8()?;
    let (peer, device) = (UserId(value.u128()?), DeviceId(value.u128()?));
    let body = match kind {
        MESSAGE => EntryBody::Message {
            device,
            sequence: Sequence(value.u64()?),
            accepted_at_ms: value.u64()?,
            content_type: value.u16()?,
            payload: Bytes::copy_from_slice(value.rest()),
        },
        DELIVERED => EntryBody::Delivered {
            device,
            up_to: Sequence(value.u64()?),
            delivered_at_ms: value.u64()?,
        },
        FAILED => {
            EntryBody::Failed { device, sequence: Sequence(value.u64()?), code: value.u16()? }
        }
        _ => return None,
    };
    Some(InboxEntry { peer, body })
}

fn read_outgoing(state: &mut State, key: &mut Reader<'_>, value: &mut Reader<'_>) -> Option<()> {
    let destination = PartitionId(key.be_u16()?);
    if key.is_empty() {
        let (next, confirmed) = (PartNumber(value.u64()?), PartNumber(value.u64()?));
        state.outgoing.insert(destination, Outgoing::load(next, confirmed));
        return Some(());
    }
    let number = PartNumber(key.be_u64()?);
    let kind = value.u8()?;
    let (user, peer) = (UserId(value.u128()?), UserId(value.u128()?));
    let device = DeviceId(value.u128()?);
    let body = match kind {
        DELIVERED => PartBody::Delivered {
            user,
            peer,
            device,
            up_to: value.u64()?,
            delivered_at_ms: value.u64()?,
        },
        FAILED => {
            PartBody::Failed { user, peer, device, sequence: value.u64()?, code: value.u16()? }
        }
        _ => return None,
    };
    state.outgoing.get_mut(&destination)?.load_part(number, body);
    Some(())
}

/// Reads fields off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn u128(&mut self) -> Option<u128> {
        self.take().map(u128::from_le_bytes)
    }

    fn be_u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn be_u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn be_u128(&mut self) -> Option<u128> {
        self.take().map(u128::from_be_bytes)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
