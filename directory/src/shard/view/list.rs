//! The users, in the order of their ids, a page at a time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use answerback_proto::id::{PartitionId, UserId};

use super::super::checkpoint::{Table, partition_end};
use super::super::load;
use super::super::rows;
use super::super::user::{Existence, Standing, User};
use crate::partition_table::PartitionTable;
use crate::ports::{StateReader, StorageFault};

/// A user of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Who.
    pub user: UserId,
    /// Whether an operator had it purged: then it does not exist any more, and this is left.
    pub is_purging: bool,
    /// Devices that are not revoked.
    pub devices: u64,
    /// Entries that some device has not acknowledged.
    pub entries: u64,
    /// Messages that no device has acknowledged.
    pub undelivered: u64,
    /// Their payloads.
    pub undelivered_bytes: u64,
}

/// The first users with greater ids than `after`, all where that is none; at most `count`.
///
/// Each partition has its users in order, so as many heads of each are read at most.
///
/// # Errors
/// Where the disk cannot be read, or holds what it should not.
pub fn users(
    reader: &dyn StateReader,
    table: PartitionTable,
    after: Option<UserId>,
    count: usize,
) -> Result<Vec<Listed>, StorageFault> {
    let mut heads = BTreeMap::new();
    for partition in (0..table.partitions()).map(PartitionId) {
        add_heads(reader, partition, after, count, &mut heads)?;
    }
    let heads = heads.into_iter().take(count);
    heads.map(|(user, partition)| listed(reader, partition, user)).collect()
}

/// Adds those of a partition that may be among the first `count`, with their partition.
fn add_heads(
    reader: &dyn StateReader,
    partition: PartitionId,
    after: Option<UserId>,
    count: usize,
    heads: &mut BTreeMap<UserId, PartitionId>,
) -> Result<(), StorageFault> {
    let from = match after.map(|after| after.0.checked_add(1)) {
        None => rows::key(partition, &[]),
        Some(Some(first)) => rows::key(partition, &[&first.to_be_bytes()]),
        Some(None) => return Ok(()),
    };
    reader.range(Table::Cursor, &from, &partition_end(partition), &mut |key, value| {
        let head = rows::read_head_row(key, value)
            .ok_or_else(|| load::unreadable(Table::Cursor, partition))?;
        if head.existence != Existence::Purged {
            heads.insert(head.id, partition);
        }
        if heads.len() > count && heads.pop_last().is_some_and(|(last, _)| last == head.id) {
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    })
}

fn listed(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: UserId,
) -> Result<Listed, StorageFault> {
    let head: User = load::read_head(reader, partition, user)?;
    let held = head.devices.iter().filter(|device| device.standing != Standing::Revoked);
    Ok(Listed {
        user,
        is_purging: head.existence == Existence::Purging,
        devices: held.count() as u64,
        entries: u64::from(head.live),
        undelivered: u64::from(head.messages),
        undelivered_bytes: head.bytes,
    })
}
