//! What is deleted of a chat: its messages leave the file, and of each sending device the
//! greatest number stays, so that a repeat of one of them is dropped.

use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_proto::kind::{DeviceMark, DeviceMarks};
use answerback_proto::limits::CHAT_MARKS_MAX;
use rusqlite::{Connection, Row, params};

use super::StorageError;
use super::schema::{Id, Number};
use crate::session::ChatDeletion;

const ERASE_RECEIVED: &str = "
    INSERT INTO erased (peer, sender, device, up_to)
    SELECT peer, sender, device, max(sequence) FROM inbound
    WHERE peer = ?1 AND row <= ?2 GROUP BY sender, device
    ON CONFLICT (peer, sender, device) DO UPDATE SET up_to = max(up_to, excluded.up_to)";
const ERASE_SENT: &str = "
    INSERT INTO erased (peer, sender, device, up_to)
    VALUES (?1, (SELECT user FROM device), ?2, ?3)
    ON CONFLICT (peer, sender, device) DO UPDATE SET up_to = max(up_to, excluded.up_to)";

/// Erases the chat with `peer`, but for what is not decided, and stores what the server is to
/// be told: several where a frame does not take all marks, nothing where `peer` is a group,
/// whose messages leave the server without that.
pub(super) fn delete(
    connection: &Connection,
    own: DeviceId,
    peer: UserId,
) -> Result<Vec<ChatDeletion>, StorageError> {
    let select = "SELECT generation, cursor FROM device";
    let (generation, cursor) = connection.query_row(select, [], |row| {
        Ok((Generation(row.get::<_, Number>(0)?.0), Position(row.get::<_, Number>(1)?.0)))
    })?;
    let marks = sent_marks(connection, own, peer)?;
    erase_received(connection, peer, i64::MAX)?;
    erase_sent(connection, peer, &marks)?;
    let select = "SELECT EXISTS (SELECT 1 FROM chat WHERE peer = ?1 AND is_group = 1)";
    if connection.query_row(select, params![Id(peer.0)], |row| row.get(0))? {
        return Ok(Vec::new());
    }
    let mut chunks: Vec<_> = marks.chunks(CHAT_MARKS_MAX).map(<[_]>::to_vec).collect();
    if chunks.is_empty() {
        chunks.push(Vec::new());
    }
    let insert = "INSERT INTO deletion (peer, generation, cursor, marks) VALUES (?1, ?2, ?3, ?4)
                  RETURNING number";
    let mut statement = connection.prepare_cached(insert)?;
    let mut deletions = Vec::new();
    for marks in chunks {
        let packed = DeviceMarks::pack(marks.iter().copied());
        let parameters = params![Id(peer.0), Number(generation.0), Number(cursor.0), packed];
        let number = statement.query_row(parameters, |row| row.get(0))?;
        deletions.push(ChatDeletion { number, peer, generation, cursor, marks });
    }
    Ok(deletions)
}

/// Another device of the user has deleted a chat: what came up to a place of the inbox, and what
/// was sent up to these numbers.
pub(super) fn erase(
    connection: &Connection,
    peer: UserId,
    up_to: Position,
    marks: &[DeviceMark],
) -> Result<(), StorageError> {
    // Places of an older generation lie before all of this one, whatever their numbers are.
    let select = "SELECT max(row) FROM inbound WHERE peer = ?1 AND position <= ?2";
    let parameters = params![Id(peer.0), Number(up_to.0)];
    let last: Option<i64> = connection.query_row(select, parameters, |row| row.get(0))?;
    if let Some(last) = last {
        erase_received(connection, peer, last)?;
    }
    erase_sent(connection, peer, marks)
}

/// What the server has not noted, in order.
pub(super) fn unnoted(connection: &Connection) -> Result<Vec<ChatDeletion>, StorageError> {
    let select = "SELECT number, peer, generation, cursor, marks FROM deletion ORDER BY number";
    let mut statement = connection.prepare_cached(select)?;
    let of_row = |row: &Row<'_>| {
        Ok(ChatDeletion {
            number: row.get(0)?,
            peer: UserId(row.get::<_, Id>(1)?.0),
            generation: Generation(row.get::<_, Number>(2)?.0),
            cursor: Position(row.get::<_, Number>(3)?.0),
            marks: DeviceMarks::of(&row.get::<_, Vec<u8>>(4)?).iter().collect(),
        })
    };
    let rows = statement.query_map([], of_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The server has noted one.
pub(super) fn note(connection: &Connection, number: i64) -> Result<(), StorageError> {
    connection.prepare_cached("DELETE FROM deletion WHERE number = ?1")?.execute([number])?;
    Ok(())
}

/// How far the messages of each of the user's devices in a chat are decided, as far as this
/// one has them.
fn sent_marks(
    connection: &Connection,
    own: DeviceId,
    peer: UserId,
) -> Result<Vec<DeviceMark>, StorageError> {
    let select = "
        SELECT ?2, coalesce(
            (SELECT min(sequence) - 1 FROM outbound
             WHERE peer = ?1 AND device = ?2 AND state < 2 AND state = 0),
            (SELECT last_sequence FROM chat WHERE peer = ?1), 0)
        UNION ALL
        SELECT device, max(sequence) FROM outbound WHERE peer = ?1 AND device <> ?2
        GROUP BY device ORDER BY 1";
    let mut statement = connection.prepare_cached(select)?;
    let rows = statement.query_map(params![Id(peer.0), Id(own.0)], |row| {
        let (device, up_to) = (row.get::<_, Id>(0)?, row.get::<_, Number>(1)?);
        Ok(DeviceMark { device: DeviceId(device.0), up_to: Sequence(up_to.0) })
    })?;
    let marks: Vec<_> = rows.collect::<Result<_, _>>()?;
    Ok(marks.into_iter().filter(|mark| mark.up_to.0 > 0).collect())
}

/// What came from the peer, up to a row of this file.
fn erase_received(connection: &Connection, peer: UserId, last: i64) -> Result<(), StorageError> {
    let parameters = params![Id(peer.0), last];
    connection.prepare_cached(ERASE_RECEIVED)?.execute(parameters)?;
    let delete = "DELETE FROM inbound WHERE peer = ?1 AND row <= ?2";
    connection.prepare_cached(delete)?.execute(parameters)?;
    Ok(())
}

fn erase_sent(
    connection: &Connection,
    peer: UserId,
    marks: &[DeviceMark],
) -> Result<(), StorageError> {
    for DeviceMark { device, up_to } in marks {
        let parameters = params![Id(peer.0), Id(device.0), Number(up_to.0)];
        connection.prepare_cached(ERASE_SENT)?.execute(parameters)?;
        for table in ["outbound", "member_failure", "group_receipt"] {
            let delete =
                format!("DELETE FROM {table} WHERE peer = ?1 AND device = ?2 AND sequence <= ?3");
            connection.prepare_cached(&delete)?.execute(parameters)?;
        }
    }
    Ok(())
}
