//! How far the user has read a group, on any device, and whether the server knows: a position of
//! his inbox.

use answerback_proto::id::{DeviceId, GroupId, Position, Sequence, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use super::schema::{Id, Number};
use super::{Storage, StorageError};
use crate::session::Ask;

/// Up to where the user has read a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupRead {
    /// Which group.
    pub group: GroupId,
    /// All of it up to this position of the inbox.
    pub up_to: Position,
}

impl From<GroupRead> for Ask {
    fn from(GroupRead { group, up_to }: GroupRead) -> Self {
        Self::ReadGroup { group, up_to }
    }
}

/// Of what came in this generation, whose positions the server knows.
const IS_OF_NOW: &str = "row > (SELECT older_rows FROM device)";

/// Another device has read it up to a position.
pub(super) fn take_elsewhere(
    connection: &Connection,
    peer: UserId,
    up_to: Position,
) -> Result<(), StorageError> {
    let select =
        format!("SELECT max(row) FROM inbound WHERE peer = ?1 AND position <= ?2 AND {IS_OF_NOW}");
    let parameters = params![Id(peer.0), Number(up_to.0)];
    let last: Option<i64> = connection.query_row(&select, parameters, |row| row.get(0))?;
    if let Some(last) = last {
        mark(connection, peer, last)?;
    }
    raise(connection, peer, up_to, true)?;
    Ok(())
}

/// The positions are of an older generation from now on.
pub(super) fn forget_positions(connection: &Connection) -> Result<(), StorageError> {
    let note = "UPDATE device SET older_rows = (SELECT coalesce(max(row), 0) FROM inbound)";
    connection.execute(note, [])?;
    connection.execute("DELETE FROM group_read", [])?;
    Ok(())
}

/// All that came up to a row of this file is read.
fn mark(connection: &Connection, peer: UserId, last: i64) -> Result<(), StorageError> {
    let upsert = "INSERT INTO read_mark (peer, device, up_to, noted)
                  SELECT peer, device, max(sequence), max(sequence) FROM inbound
                  WHERE peer = ?1 AND row <= ?2 GROUP BY device
                  ON CONFLICT (peer, device) DO UPDATE
                  SET up_to = max(up_to, excluded.up_to), noted = max(noted, excluded.noted)";
    connection.prepare_cached(upsert)?.execute(params![Id(peer.0), last])?;
    Ok(())
}

/// Whether that is more than was known.
fn raise(
    connection: &Connection,
    peer: UserId,
    up_to: Position,
    is_noted: bool,
) -> Result<bool, StorageError> {
    let upsert = "INSERT INTO group_read (peer, up_to, is_noted) VALUES (?1, ?2, ?3)
                  ON CONFLICT (peer) DO UPDATE SET up_to = ?2, is_noted = ?3 WHERE up_to < ?2";
    let parameters = params![Id(peer.0), Number(up_to.0), is_noted];
    Ok(connection.prepare_cached(upsert)?.execute(parameters)? > 0)
}

impl Storage {
    /// Stores that the user has read a group up to a message that came; up to the last one where
    /// none is named. What the server is to be told; none where that is nothing new.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn read_group(
        &mut self,
        group: GroupId,
        message: Option<(UserId, DeviceId, Sequence)>,
    ) -> Result<Option<GroupRead>, StorageError> {
        let peer = group.as_peer();
        let transaction = self.connection.transaction()?;
        let row: Option<i64> = match message {
            None => {
                let select = "SELECT max(row) FROM inbound WHERE peer = ?1";
                transaction.query_row(select, [Id(peer.0)], |row| row.get(0))?
            }
            Some((sender, device, sequence)) => {
                let select = "SELECT row FROM inbound
                              WHERE peer = ?1 AND sender = ?2 AND device = ?3 AND sequence = ?4";
                let parameters =
                    params![Id(peer.0), Id(sender.0), Id(device.0), Number(sequence.0)];
                transaction.query_row(select, parameters, |row| row.get(0)).optional()?
            }
        };
        let Some(last) = row else { return Ok(None) };
        mark(&transaction, peer, last)?;
        let select = format!(
            "SELECT max(position) FROM inbound WHERE peer = ?1 AND row <= ?2 AND {IS_OF_NOW}"
        );
        let parameters = params![Id(peer.0), last];
        let position: Option<Number> =
            transaction.query_row(&select, parameters, |row| row.get(0))?;
        let mut told = None;
        if let Some(Number(position)) = position {
            let up_to = Position(position);
            if raise(&transaction, peer, up_to, false)? {
                told = Some(GroupRead { group, up_to });
            }
        }
        transaction.commit()?;
        Ok(told)
    }

    /// What the server does not know yet.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn unnoted_group_reads(&self) -> Result<Vec<GroupRead>, StorageError> {
        let select = "SELECT peer, up_to FROM group_read WHERE is_noted = 0 ORDER BY peer";
        let mut statement = self.connection.prepare_cached(select)?;
        let rows = statement.query_map([], |row| {
            let (peer, up_to) = (row.get::<_, Id>(0)?, row.get::<_, Number>(1)?);
            Ok(GroupRead { group: GroupId(peer.0), up_to: Position(up_to.0) })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The server knows that, or will not have it.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn note_group_read(&mut self, read: GroupRead) -> Result<(), StorageError> {
        let update = "UPDATE group_read SET is_noted = 1 WHERE peer = ?1 AND up_to <= ?2";
        let parameters = params![Id(read.group.0), Number(read.up_to.0)];
        self.connection.prepare_cached(update)?.execute(parameters)?;
        Ok(())
    }
}
