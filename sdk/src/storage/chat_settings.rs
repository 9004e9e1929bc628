//! How the user has chats treated, and what of it the server does not know yet.

use answerback_proto::id::UserId;
use answerback_proto::kind::{ChatSettings, MUTED};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StorageError;
use super::schema::{Id, Number};

/// A change that the server is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatChange {
    /// The other end of the chat.
    pub peer: UserId,
    /// What is changed, as in a `SetChat`.
    pub changes: u16,
    /// How the chat is treated now.
    pub settings: ChatSettings,
}

impl ChatChange {
    /// The changed bits of the flags.
    pub fn flags(&self) -> u16 {
        self.settings.flags & self.changes
    }

    /// Until when the chat is muted, where that is changed.
    pub fn muted_until_ms(&self) -> u64 {
        if self.changes & MUTED != 0 { self.settings.muted_until_ms } else { 0 }
    }
}

/// How a chat is treated, and which of that the server does not know.
fn find(connection: &Connection, peer: UserId) -> Result<(ChatSettings, u16), StorageError> {
    let select = "SELECT flags, muted_until_ms, unsaid FROM chat_setting WHERE peer = ?1";
    let mut statement = connection.prepare_cached(select)?;
    let of_row = |row: &Row<'_>| Ok((settings(row, 0)?, row.get(2)?));
    Ok(statement.query_row([Id(peer.0)], of_row).optional()?.unwrap_or_default())
}

fn settings(row: &Row<'_>, at: usize) -> rusqlite::Result<ChatSettings> {
    let muted_until_ms = row.get::<_, Number>(at + 1)?.0;
    Ok(ChatSettings { flags: row.get(at)?, muted_until_ms })
}

fn store(
    connection: &Connection,
    peer: UserId,
    settings: ChatSettings,
    unsaid: u16,
) -> Result<(), StorageError> {
    if settings.is_default() && unsaid == 0 {
        connection.execute("DELETE FROM chat_setting WHERE peer = ?1", [Id(peer.0)])?;
        return Ok(());
    }
    let upsert = "INSERT INTO chat_setting (peer, flags, muted_until_ms, unsaid)
                  VALUES (?1, ?2, ?3, ?4)
                  ON CONFLICT (peer) DO UPDATE
                  SET flags = ?2, muted_until_ms = ?3, unsaid = ?4";
    let muted_until_ms = Number(settings.muted_until_ms);
    let parameters = params![Id(peer.0), settings.flags, muted_until_ms, unsaid];
    connection.prepare_cached(upsert)?.execute(parameters)?;
    Ok(())
}

/// How a chat is treated.
pub(super) fn of_chat(connection: &Connection, peer: UserId) -> Result<ChatSettings, StorageError> {
    Ok(find(connection, peer)?.0)
}

/// All chats that are treated otherwise than at first, by the other end.
pub(super) fn all(connection: &Connection) -> Result<Vec<(UserId, ChatSettings)>, StorageError> {
    let select = "SELECT peer, flags, muted_until_ms FROM chat_setting
                  WHERE flags > 0 OR muted_until_ms > 0 ORDER BY peer";
    let mut statement = connection.prepare_cached(select)?;
    let of_row = |row: &Row<'_>| Ok((UserId(row.get::<_, Id>(0)?.0), settings(row, 1)?));
    let rows = statement.query_map([], of_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The user has a chat treated otherwise; what the server is to be told.
pub(super) fn change(
    connection: &Connection,
    peer: UserId,
    changes: u16,
    to: ChatSettings,
) -> Result<ChatChange, StorageError> {
    let (before, unsaid) = find(connection, peer)?;
    let settings = before.with(changes, to.flags, to.muted_until_ms);
    store(connection, peer, settings, unsaid | changes)?;
    Ok(ChatChange { peer, changes, settings })
}

/// What the server does not know.
pub(super) fn unsaid(connection: &Connection) -> Result<Vec<ChatChange>, StorageError> {
    let select = "SELECT peer, flags, muted_until_ms, unsaid FROM chat_setting
                  WHERE unsaid > 0 ORDER BY peer";
    let mut statement = connection.prepare_cached(select)?;
    let rows = statement.query_map([], |row| {
        let (peer, changes) = (UserId(row.get::<_, Id>(0)?.0), row.get(3)?);
        Ok(ChatChange { peer, changes, settings: settings(row, 1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The server knows a change, or will not have it: then all that it changed is as at first.
pub(super) fn settle(
    connection: &Connection,
    change: ChatChange,
    is_done: bool,
) -> Result<(), StorageError> {
    let (now, unsaid) = find(connection, change.peer)?;
    // What was changed again meanwhile is still to be said.
    let is_same = |bit: &u16| match *bit {
        MUTED => now.muted_until_ms == change.settings.muted_until_ms,
        flag => now.flags & flag == change.settings.flags & flag,
    };
    let bits = (0..u16::BITS).map(|at| 1 << at).filter(|bit| change.changes & bit != 0);
    let settled = bits.filter(is_same).fold(0, |settled, bit| settled | bit);
    let settings = if is_done { now } else { now.with(settled, 0, 0) };
    store(connection, change.peer, settings, unsaid & !settled)
}

/// Another device, or the server, says how a chat is treated; what this one has changed and
/// the server does not know stays.
pub(super) fn take(
    connection: &Connection,
    peer: UserId,
    told: ChatSettings,
) -> Result<(), StorageError> {
    let (now, unsaid) = find(connection, peer)?;
    let settings = now.with(!unsaid, told.flags, told.muted_until_ms);
    store(connection, peer, settings, unsaid)
}
