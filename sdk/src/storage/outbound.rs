//! Messages on their way out: drafts without a number, and what is queued under one.

use answerback_proto::id::{DeviceId, GroupId, Sequence, UserId};
use answerback_proto::limits::LIFE_MAX_S;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::StorageError;
use super::schema::{Id, Number};
use crate::session::Outgoing;

/// A message that has no number yet.
///
/// ```
/// use answerback_proto::id::{Sequence, UserId};
/// use answerback_sdk::storage::Draft;
///
/// let bob = UserId(2);
/// let text = Draft::new(bob, 1, b"for an hour".to_vec()).with_life_s(3600);
/// let recall = Draft::recall(bob, Sequence(7), 1, b"forget it".to_vec());
/// assert_eq!((text.life_s, recall.recalled), (3600, Some(Sequence(7))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The recipient.
    pub peer: UserId,
    /// What the payload is; opaque to the server.
    pub content_type: u16,
    /// Opaque.
    pub payload: Vec<u8>,
    /// How long it may wait at the server, seconds; 0 for the longest, 30 days.
    pub life_s: u32,
    /// The earlier number of this device in this chat that it takes back, where it does.
    pub recalled: Option<Sequence>,
    /// The recipient is a group, also where nothing was heard of it yet.
    pub to_group: bool,
}

impl Draft {
    /// A message with the longest life.
    pub fn new(peer: UserId, content_type: u16, payload: Vec<u8>) -> Self {
        Self { peer, content_type, payload, life_s: 0, recalled: None, to_group: false }
    }

    /// A message that takes back what this device sent to `peer` as number `recalled`.
    pub fn recall(peer: UserId, recalled: Sequence, content_type: u16, payload: Vec<u8>) -> Self {
        Self { recalled: Some(recalled), ..Self::new(peer, content_type, payload) }
    }

    /// A message to a group.
    pub fn to_group(group: GroupId, content_type: u16, payload: Vec<u8>) -> Self {
        Self { to_group: true, ..Self::new(group.as_peer(), content_type, payload) }
    }

    /// It may wait for so long, seconds; what is above 30 days counts as 30 days.
    #[must_use]
    pub fn with_life_s(self, life_s: u32) -> Self {
        Self { life_s: life_s.min(LIFE_MAX_S), ..self }
    }
}

impl From<(UserId, u16, Vec<u8>)> for Draft {
    fn from((peer, content_type, payload): (UserId, u16, Vec<u8>)) -> Self {
        Self::new(peer, content_type, payload)
    }
}

/// Stores a draft under the next number of its chat.
pub(super) fn queue(
    connection: &Connection,
    device: DeviceId,
    draft: Draft,
) -> Result<Outgoing, StorageError> {
    let Draft { peer, content_type, payload, life_s, recalled, to_group } = draft;
    let next = "INSERT INTO chat (peer, last_sequence, seen_ms, is_group) VALUES (?1, 1, 0, ?2)
                ON CONFLICT (peer) DO UPDATE
                SET last_sequence = last_sequence + 1, is_group = max(is_group, ?2)
                RETURNING last_sequence, seen_ms, is_group";
    let of_row = |row: &Row<'_>| {
        Ok((row.get::<_, Number>(0)?, row.get::<_, Number>(1)?, row.get::<_, bool>(2)?))
    };
    let mut statement = connection.prepare_cached(next)?;
    let (sequence, seen_ms, to_group) =
        statement.query_row(params![Id(peer.0), to_group], of_row)?;
    if let Some(recalled) = recalled.filter(|recalled| !(1..sequence.0).contains(&recalled.0)) {
        return Err(StorageError::NotSent { peer, sequence: recalled });
    }
    let insert = "INSERT INTO outbound (peer, device, sequence, state, content_type, seen_ms,
                                        life_s, recalled, payload)
                  VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(insert)?.execute(params![
        Id(peer.0),
        Id(device.0),
        sequence,
        content_type,
        seen_ms,
        life_s,
        recalled.map(|recalled| Number(recalled.0)),
        payload,
    ])?;
    Ok(Outgoing {
        peer,
        sequence: Sequence(sequence.0),
        content_type,
        seen_ms: seen_ms.0,
        life_s,
        payload,
        recalled,
        to_group,
    })
}

/// The words of a failed or refused message of this device, as a new draft; an error where it
/// is none, or was sent again before.
pub(super) fn failed(
    connection: &Connection,
    device: DeviceId,
    peer: UserId,
    sequence: Sequence,
) -> Result<Draft, StorageError> {
    let select = "SELECT content_type, payload, life_s, recalled FROM outbound
                  WHERE peer = ?1 AND device = ?2 AND sequence = ?3
                  AND state > 2 AND resent_as IS NULL";
    let of_row = |row: &Row<'_>| {
        Ok(Draft {
            peer,
            content_type: row.get(0)?,
            payload: row.get(1)?,
            life_s: row.get(2)?,
            recalled: row.get::<_, Option<Number>>(3)?.map(|number| Sequence(number.0)),
            to_group: false,
        })
    };
    let parameters = params![Id(peer.0), Id(device.0), Number(sequence.0)];
    let mut statement = connection.prepare_cached(select)?;
    let draft = statement.query_row(parameters, of_row).optional()?;
    draft.ok_or(StorageError::NotFailed { peer, sequence })
}

/// The message is shown under another number from now on.
pub(super) fn mark_resent(
    connection: &Connection,
    device: DeviceId,
    peer: UserId,
    sequence: Sequence,
    resent_as: Sequence,
) -> Result<(), StorageError> {
    let update = "UPDATE outbound SET resent_as = ?4
                  WHERE peer = ?1 AND device = ?2 AND sequence = ?3";
    let (peer, device) = (Id(peer.0), Id(device.0));
    let parameters = params![peer, device, Number(sequence.0), Number(resent_as.0)];
    connection.prepare_cached(update)?.execute(parameters)?;
    Ok(())
}

/// Messages in the form in which a session takes them.
pub(super) fn select(
    connection: &Connection,
    filter: &str,
    parameters: &[&dyn ToSql],
) -> Result<Vec<Outgoing>, StorageError> {
    let select = format!(
        "SELECT peer, sequence, content_type, outbound.seen_ms, life_s, payload, recalled, is_group
         FROM outbound JOIN chat USING (peer)
         WHERE {filter} ORDER BY peer, sequence"
    );
    let mut statement = connection.prepare_cached(&select)?;
    let of_row = |row: &Row<'_>| {
        Ok(Outgoing {
            peer: UserId(row.get::<_, Id>(0)?.0),
            sequence: Sequence(row.get::<_, Number>(1)?.0),
            content_type: row.get(2)?,
            seen_ms: row.get::<_, Number>(3)?.0,
            life_s: row.get(4)?,
            payload: row.get(5)?,
            recalled: row.get::<_, Option<Number>>(6)?.map(|number| Sequence(number.0)),
            to_group: row.get(7)?,
        })
    };
    let rows = statement.query_map(parameters, of_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
