//! Which members have the user's messages to a group, and which have read them, where the group
//! has receipts.

use answerback_proto::id::{DeviceId, GroupId, Sequence, UserId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::chat::{ChatMessage, Fate};
use super::schema::{Id, Number};
use super::{SentState, Storage, StorageError, groups, slots};

/// What became of a message to a group for one of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberReceipt {
    /// Who.
    pub user: UserId,
    /// How far it is.
    pub state: MemberState,
}

/// How far a message is with a member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// On its way.
    Accepted,
    /// A device of his has it.
    Delivered,
    /// He has read it.
    Read,
    /// He does not get it. Final.
    Failed {
        /// Why.
        code: u16,
    },
}

/// What is known of a message: bits at slots of a version.
#[derive(Debug)]
pub(super) struct Bits {
    pub(super) version: u32,
    pub(super) delivered: Vec<u8>,
    pub(super) read: Vec<u8>,
}

/// Adds what has come; a message went to one version of the list.
pub(super) fn add(
    connection: &Connection,
    (peer, device, sequence): (UserId, DeviceId, Sequence),
    mut told: Bits,
) -> Result<(), StorageError> {
    if let Some(known) = find(connection, peer, device, sequence)? {
        if known.version != told.version {
            return Ok(());
        }
        join(&mut told.delivered, &known.delivered);
        join(&mut told.read, &known.read);
    }
    let insert = "INSERT OR REPLACE INTO group_receipt
                  (peer, device, sequence, version, delivered, read)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let Bits { version, delivered, read } = told;
    let number = Number(sequence.0);
    let parameters = params![Id(peer.0), Id(device.0), number, version, delivered, read];
    connection.prepare_cached(insert)?.execute(parameters)?;
    Ok(())
}

/// Raises what the members' receipts say of own messages in a group: it is delivered once all
/// have it who can get it, and read once they have read it.
pub(super) fn raise(
    connection: &Connection,
    user: UserId,
    peer: UserId,
    messages: &mut [ChatMessage],
) -> Result<(), StorageError> {
    for message in messages.iter_mut() {
        if message.fate == Fate::Sent(SentState::Accepted) {
            let of = (peer, message.device, message.sequence);
            message.fate = Fate::Sent(state(&of_members(connection, user, of)?));
        }
    }
    Ok(())
}

fn state(members: &[MemberReceipt]) -> SentState {
    let is = |state| members.iter().any(|member| member.state == state);
    if is(MemberState::Accepted) || !is(MemberState::Delivered) && !is(MemberState::Read) {
        SentState::Accepted
    } else if is(MemberState::Delivered) {
        SentState::Delivered
    } else {
        SentState::Read
    }
}

/// The others to whom a message went; none where nothing is known of it yet.
fn of_members(
    connection: &Connection,
    user: UserId,
    (peer, device, sequence): (UserId, DeviceId, Sequence),
) -> Result<Vec<MemberReceipt>, StorageError> {
    let Some(bits) = find(connection, peer, device, sequence)? else { return Ok(Vec::new()) };
    let failures = groups::failures(connection, peer, device, sequence)?;
    let mut members = slots::holders(connection, peer, bits.version)?;
    members.retain(|(member, _)| *member != user);
    let receipt = |(member, slot)| {
        let failure = failures.iter().find(|(failed, _)| *failed == member);
        let state = match failure {
            Some((_, code)) => MemberState::Failed { code: *code },
            None if has(&bits.read, slot) => MemberState::Read,
            None if has(&bits.delivered, slot) => MemberState::Delivered,
            None => MemberState::Accepted,
        };
        MemberReceipt { user: member, state }
    };
    Ok(members.into_iter().map(receipt).collect())
}

fn find(
    connection: &Connection,
    peer: UserId,
    device: DeviceId,
    sequence: Sequence,
) -> Result<Option<Bits>, StorageError> {
    let select = "SELECT version, delivered, read FROM group_receipt
                  WHERE peer = ?1 AND device = ?2 AND sequence = ?3";
    let mut statement = connection.prepare_cached(select)?;
    let of_row = |row: &Row<'_>| {
        Ok(Bits { version: row.get(0)?, delivered: row.get(1)?, read: row.get(2)? })
    };
    let parameters = params![Id(peer.0), Id(device.0), Number(sequence.0)];
    Ok(statement.query_row(parameters, of_row).optional()?)
}

fn join(bits: &mut Vec<u8>, others: &[u8]) {
    bits.resize(bits.len().max(others.len()), 0);
    bits.iter_mut().zip(others).for_each(|(bits, others)| *bits |= others);
}

fn has(bits: &[u8], slot: u16) -> bool {
    bits.get(usize::from(slot / 8)).is_some_and(|byte| byte >> (slot % 8) & 1 == 1)
}

impl Storage {
    /// What became of a message of the user's for each member that it went to; nothing before
    /// the first of them has it, where the group has no receipts, and of messages from before
    /// this device knew who was in it.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn member_receipts(
        &self,
        group: GroupId,
        device: DeviceId,
        sequence: Sequence,
    ) -> Result<Vec<MemberReceipt>, StorageError> {
        of_members(&self.connection, self.user, (group.as_peer(), device, sequence))
    }
}
