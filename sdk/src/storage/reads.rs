//! What this user has read, on any device, and what of it the server knows.

use answerback_proto::id::{DeviceId, Sequence, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use super::StorageError;
use super::schema::{Id, Number};
use crate::session::ReadMark;

/// Stores that messages were read, as far as they are here; none where that is nothing new.
pub(super) fn mark(
    connection: &Connection,
    ReadMark { peer, device, up_to }: ReadMark,
) -> Result<Option<ReadMark>, StorageError> {
    let upsert = "INSERT INTO read_mark (peer, device, up_to, noted)
                  SELECT inbound.peer, device, min(?3, max(sequence)), 0
                  FROM inbound WHERE inbound.peer = ?1 AND device = ?2
                  GROUP BY inbound.peer, device HAVING min(?3, max(sequence)) > 0
                  ON CONFLICT (peer, device) DO UPDATE SET up_to = excluded.up_to
                  WHERE excluded.up_to > read_mark.up_to
                  RETURNING up_to";
    let parameters = params![Id(peer.0), Id(device.0), Number(up_to.0)];
    let stored = connection
        .prepare_cached(upsert)?
        .query_row(parameters, |row| row.get::<_, Number>(0))
        .optional()?;
    Ok(stored.map(|up_to| ReadMark { peer, device, up_to: Sequence(up_to.0) }))
}

/// The server knows of all up to a number.
pub(super) fn note(
    connection: &Connection,
    ReadMark { peer, device, up_to }: ReadMark,
) -> Result<(), StorageError> {
    let upsert = "INSERT INTO read_mark (peer, device, up_to, noted) VALUES (?1, ?2, ?3, ?3)
                  ON CONFLICT (peer, device) DO UPDATE
                  SET up_to = max(up_to, ?3), noted = max(noted, ?3)";
    let parameters = params![Id(peer.0), Id(device.0), Number(up_to.0)];
    connection.prepare_cached(upsert)?.execute(parameters)?;
    Ok(())
}

/// What the server does not know yet.
pub(super) fn unnoted(connection: &Connection) -> Result<Vec<ReadMark>, StorageError> {
    let select = "SELECT peer, device, up_to FROM read_mark WHERE noted < up_to
                  ORDER BY peer, device";
    let mut statement = connection.prepare_cached(select)?;
    let rows = statement.query_map([], |row| {
        Ok(ReadMark {
            peer: UserId(row.get::<_, Id>(0)?.0),
            device: DeviceId(row.get::<_, Id>(1)?.0),
            up_to: Sequence(row.get::<_, Number>(2)?.0),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
