//! Whose a slot of a group was, by the version of the list of members: a receipt speaks of slots,
//! and one that a member has left is another's later.

use answerback_proto::id::UserId;
use answerback_proto::kind::slot_of;
use rusqlite::{Connection, params};

use super::StorageError;
use super::schema::Id;

/// The whole list is known as of a version; what happened behind `known`, the version that was
/// known before, is not.
pub(super) fn replace(
    connection: &Connection,
    peer: UserId,
    (known, version): (u32, u32),
    members: &[(UserId, u16)],
) -> Result<(), StorageError> {
    let end = "UPDATE member_slot SET before = ?2 WHERE peer = ?1 AND before IS NULL";
    connection.prepare_cached(end)?.execute(params![Id(peer.0), i64::from(known) + 1])?;
    members.iter().try_for_each(|&(user, number)| add(connection, peer, version, user, number))
}

/// A user is a member from a version on.
pub(super) fn add(
    connection: &Connection,
    peer: UserId,
    version: u32,
    user: UserId,
    number: u16,
) -> Result<(), StorageError> {
    let insert = "INSERT INTO member_slot (peer, slot, since, user) VALUES (?1, ?2, ?3, ?4)
                  ON CONFLICT (peer, slot, since) DO UPDATE SET before = NULL, user = ?4";
    let parameters = params![Id(peer.0), slot_of(number), version, Id(user.0)];
    connection.prepare_cached(insert)?.execute(parameters)?;
    Ok(())
}

/// And is none any more.
pub(super) fn end(
    connection: &Connection,
    peer: UserId,
    version: u32,
    user: UserId,
) -> Result<(), StorageError> {
    let end = "UPDATE member_slot SET before = ?2
               WHERE peer = ?1 AND user = ?3 AND before IS NULL";
    connection.prepare_cached(end)?.execute(params![Id(peer.0), version, Id(user.0)])?;
    Ok(())
}

/// The members of a version with their slots, by number; none where that version is not known.
pub(super) fn holders(
    connection: &Connection,
    peer: UserId,
    version: u32,
) -> Result<Vec<(UserId, u16)>, StorageError> {
    let select = "SELECT user, slot FROM member_slot
                  WHERE peer = ?1 AND since <= ?2 AND (before IS NULL OR before > ?2)
                  AND ?2 <= (SELECT version FROM member_list WHERE peer = ?1)
                  ORDER BY user";
    let mut statement = connection.prepare_cached(select)?;
    let rows = statement.query_map(params![Id(peer.0), version], |row| {
        Ok((UserId(row.get::<_, Id>(0)?.0), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
