//! The rows of on-disk version 1, made into those of version 2.
//!
//! Version 1 had neither counts of what waits nor times at which something ends: a message
//! that lies there is taken as put when it was accepted, with the longest life.

use std::ops::ControlFlow;

use answerback_proto::id::{DeviceId, PartitionId, Position, Sequence, UserId};
use answerback_proto::limits::LIFE_MAX_S;
use bytes::Bytes;

use super::chat::{ReceiptKind, Sender};
use super::checkpoint::{Rows, Table, partition_end};
use super::effect::EntryBody;
use super::inbox::InboxEntry;
use super::outstanding::Outstanding;
use super::rows::{self, Fields};
use super::sequence::Decisions;
use super::state::State;
use super::user::{Device, Existence, User};
use crate::partition_table::PartitionTable;
use crate::ports::{StateReader, StorageFault};

/// Every row of a partition as version 2 has it, read from a disk of version 1. All of the
/// partition passes through memory.
///
/// # Errors
/// Where the disk cannot be read, or holds what version 1 cannot have written.
pub fn convert(
    reader: &dyn StateReader,
    partition: PartitionId,
    table: PartitionTable,
) -> Result<Rows, StorageFault> {
    let mut state = State::new(partition, table);
    let (from, to) = (partition.0.to_be_bytes(), partition_end(partition));
    for of in
        [Table::Partition, Table::Cursor, Table::Device, Table::Chat, Table::Sequence, Table::Inbox]
    {
        reader.range(of, &from, &to, &mut |key, value| {
            let read = read_row(&mut state, of, key, value);
            read.map(ControlFlow::Continue).ok_or_else(|| unreadable(partition, of))
        })?;
    }
    let mut users = Vec::new();
    state.users.retain(|user| {
        users.push(user.id);
        true
    });
    users.sort_unstable();
    Ok(rows::freeze(&mut state, &users))
}

fn read_row(state: &mut State, table: Table, key: &[u8], value: &[u8]) -> Option<()> {
    let (mut key, mut value) = (Fields(key.get(2..)?), Fields(value));
    if table == Table::Partition {
        state.clock_ms = value.u64()?;
        return Some(());
    }
    let id = UserId(key.be_u128()?);
    let user = state.users.get_or_insert_with(id, User::unknown)?;
    user.existence = Existence::Exists;
    match table {
        Table::Cursor => {
            user.inbox.restore(Position(value.u64()?));
            user.floor = Position(value.u64()?);
        }
        Table::Device => user.add_device(Device {
            id: DeviceId(key.be_u128()?),
            cursor: Position(value.u64()?),
            connection_counter: value.u64()?,
            changed: true,
            ..Device::default()
        }),
        Table::Chat => {
            let chat = user.chats.entry(UserId(key.be_u128()?)).or_default();
            chat.last_accepted_ms = value.u64()?;
            chat.changed = true;
        }
        Table::Sequence => {
            let chat = user.chats.entry(UserId(key.be_u128()?)).or_default();
            chat.senders.push(read_sender(&mut key, &mut value)?);
            chat.changed = true;
        }
        _ => {
            let position = Position(key.be_u64()?);
            let (peer, body) = read_entry(&mut value)?;
            put(state, id, position, peer, body);
        }
    }
    value.is_empty().then_some(())
}

fn read_sender(key: &mut Fields<'_>, value: &mut Fields<'_>) -> Option<Sender> {
    let device = DeviceId(key.be_u128()?);
    let (last, delivered_up_to) = (Sequence(value.u64()?), Sequence(value.u64()?));
    let mut recent = Vec::new();
    while !value.is_empty() {
        recent.push(value.u64()?);
    }
    let decisions = Decisions::restore(last, recent.into_iter());
    Some(Sender { device, decisions, delivered_up_to, changed: true, ..Sender::default() })
}

fn read_entry(value: &mut Fields<'_>) -> Option<(UserId, EntryBody)> {
    let kind = value.u8()?;
    let (peer, device) = (UserId(value.u128()?), DeviceId(value.u128()?));
    let body = match kind {
        rows::MESSAGE => EntryBody::Message {
            device,
            sequence: Sequence(value.u64()?),
            accepted_at_ms: value.u64()?,
            content_type: value.u16()?,
            payload: Bytes::copy_from_slice(value.rest()),
        },
        rows::DELIVERED => EntryBody::Delivered {
            device,
            up_to: Sequence(value.u64()?),
            delivered_at_ms: value.u64()?,
            except: Vec::new(),
        },
        rows::FAILED => {
            EntryBody::Failed { device, sequence: Sequence(value.u64()?), code: value.u16()? }
        }
        _ => return None,
    };
    Some((peer, body))
}

/// Puts an entry where it lay, and counts it.
fn put(state: &mut State, id: UserId, position: Position, peer: UserId, body: EntryBody) {
    let life_ms = u64::from(LIFE_MAX_S) * 1000;
    let Some(user) = state.users.get_mut(id) else { return };
    let is_above = position > user.floor;
    let (put_at_ms, is_message) = match &body {
        EntryBody::Message { accepted_at_ms, .. } => (*accepted_at_ms, true),
        _ => (state.clock_ms, false),
    };
    let payload_bytes = body.payload_bytes();
    user.live += 1;
    user.above += u32::from(is_above);
    user.due_by(put_at_ms + life_ms);
    let chat = user.chats.entry(peer).or_default();
    if matches!(body, EntryBody::Delivered { .. }) {
        chat.note_receipt(ReceiptKind::Delivered, body.device(), position);
    }
    if is_message && is_above {
        user.messages += 1;
        user.bytes += u64::from(payload_bytes);
        chat.waiting += 1;
        chat.changed = true;
        count(state, peer);
    }
    let expires_at_ms = if is_message { put_at_ms + life_ms } else { 0 };
    let entry = InboxEntry { peer, put_at_ms, expires_at_ms, payload_bytes, body };
    if let Some(user) = state.users.get_mut(id) {
        user.inbox.restore_entry(position, entry);
    }
}

fn count(state: &mut State, sender: UserId) {
    let counted = state.outstanding.get_or_insert_with(sender, |sender| Outstanding {
        sender,
        count: 0,
        is_stored: false,
        changed: false,
        used: false,
    });
    let Some(counted) = counted else { return };
    counted.count += 1;
    if !std::mem::replace(&mut counted.changed, true) {
        state.changed_senders.push(sender);
    }
}

fn unreadable(partition: PartitionId, table: Table) -> StorageFault {
    StorageFault::new(format_args!(
        "the table {} of partition {partition} holds a row that version 1 cannot have written",
        table.name()
    ))
}
