//! A chat as every device of the user shows it: what came, what this device sent, and the
//! copies of what the others sent.

use answerback_proto::id::{DeviceId, Sequence, UserId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::schema::{Id, Number, sent_state};
use super::{SentState, StorageError};

/// A message of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who sent it.
    pub sender: UserId,
    /// From which device.
    pub device: DeviceId,
    /// That device's number of it in the chat.
    pub sequence: Sequence,
    /// Its place in the shown order; none before it is accepted.
    pub accepted_at_ms: Option<u64>,
    /// What the payload is.
    pub content_type: u16,
    /// Opaque.
    pub payload: Vec<u8>,
    /// What became of it.
    pub fate: Fate,
    /// Why, where it failed, was recalled or refused.
    pub code: Option<u16>,
}

/// What became of a message of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It came from the peer.
    Received {
        /// Whether the user has read it, on any device.
        is_read: bool,
    },
    /// A device of the user sent it.
    Sent(SentState),
}

/// A received message.
const RECEIVED: &str = "
    SELECT sender, inbound.device AS device, sequence, accepted_at_ms, content_type, payload,
           sequence <= coalesce(up_to, 0), NULL, NULL, accepted_at_ms AS place
    FROM inbound
    LEFT JOIN read_mark ON read_mark.peer = inbound.peer
                       AND read_mark.device = inbound.device";
/// A sent one, `?1` being the user: what is undecided stands last, what was refused where it
/// was written.
const SENT: &str = "
    SELECT ?1 AS sender, outbound.device AS device, sequence, accepted_at_ms, content_type,
           payload, sequence <= coalesce(read_up_to, 0), state, code,
           CASE WHEN state > 0 THEN coalesce(accepted_at_ms, seen_ms)
                ELSE 9223372036854775807 END AS place
    FROM outbound
    LEFT JOIN receipt USING (peer, device)";

/// The last messages of a chat, in the shown order. Each side comes from its index, so that
/// only what is shown is read.
pub(super) fn last(
    connection: &Connection,
    user: UserId,
    peer: UserId,
    count_max: u32,
) -> Result<Vec<ChatMessage>, StorageError> {
    let mut statement = connection.prepare_cached(&last_of_both_sides())?;
    let rows = statement.query_map(params![Id(user.0), Id(peer.0), count_max], message)?;
    let mut messages: Vec<_> = rows.collect::<Result<_, _>>()?;
    messages.reverse();
    Ok(messages)
}

fn last_of_both_sides() -> String {
    format!(
        "SELECT * FROM ({RECEIVED} WHERE inbound.peer = ?2
                        ORDER BY place DESC, inbound.device DESC, sequence DESC LIMIT ?3)
         UNION ALL
         SELECT * FROM ({SENT} WHERE peer = ?2 AND resent_as IS NULL
                        ORDER BY place DESC, outbound.device DESC, sequence DESC LIMIT ?3)
         ORDER BY place DESC, sender DESC, device DESC, sequence DESC
         LIMIT ?3"
    )
}

/// How SQLite would read the end of a chat.
#[cfg(test)]
pub(super) fn plan(connection: &Connection, user: UserId, peer: UserId) -> String {
    let explain = format!("EXPLAIN QUERY PLAN {}", last_of_both_sides());
    let mut statement = connection.prepare(&explain).unwrap();
    let rows = statement.query_map(params![Id(user.0), Id(peer.0), 20], |row| row.get(3));
    rows.unwrap().map(|row| row.map(|step: String| step + "\n").unwrap()).collect()
}

/// One message of the chat with `peer`.
pub(super) fn find(
    connection: &Connection,
    user: UserId,
    peer: UserId,
    sender: UserId,
    device: DeviceId,
    sequence: Sequence,
) -> Result<Option<ChatMessage>, StorageError> {
    let select = match sender == user {
        true => {
            format!("{SENT} WHERE peer = ?2 AND outbound.device = ?3 AND sequence = ?4 AND ?5 = ?1")
        }
        false => format!(
            "{RECEIVED} WHERE inbound.peer = ?2 AND sender = ?5 AND sender <> ?1
                        AND inbound.device = ?3 AND sequence = ?4"
        ),
    };
    let mut statement = connection.prepare_cached(&select)?;
    let parameters =
        params![Id(user.0), Id(peer.0), Id(device.0), Number(sequence.0), Id(sender.0)];
    Ok(statement.query_row(parameters, message).optional()?)
}

/// The other ends of all chats.
pub(super) fn peers(connection: &Connection) -> Result<Vec<UserId>, StorageError> {
    let mut statement = connection.prepare_cached("SELECT peer FROM chat ORDER BY peer")?;
    let rows = statement.query_map([], |row| Ok(UserId(row.get::<_, Id>(0)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Received messages of a chat that the user has not read: all, less what each mark covers.
/// Both are counted in an index alone; a mark looked up for each message costs three times that.
pub(super) fn unread_count(connection: &Connection, peer: UserId) -> Result<u64, StorageError> {
    let select = "SELECT count(*) - (
                      SELECT coalesce(sum((
                          SELECT count(*) FROM inbound AS one
                          WHERE one.peer = ?1 AND one.device = mark.device
                          AND one.sequence <= mark.up_to
                      )), 0)
                      FROM read_mark AS mark WHERE mark.peer = ?1
                  )
                  FROM inbound WHERE peer = ?1";
    count(connection, select, peer)
}

/// Messages of a chat without a decision.
pub(super) fn undecided_count(connection: &Connection, peer: UserId) -> Result<u64, StorageError> {
    let select = "SELECT count(*) FROM outbound WHERE peer = ?1 AND state < 2 AND state = 0";
    count(connection, select, peer)
}

/// The newest message of each of the peer's devices that is here.
pub(super) fn newest(
    connection: &Connection,
    peer: UserId,
) -> Result<Vec<(DeviceId, Sequence)>, StorageError> {
    let select = "SELECT device, max(sequence) FROM inbound WHERE peer = ?1 GROUP BY device";
    let mut statement = connection.prepare_cached(select)?;
    let rows = statement.query_map([Id(peer.0)], |row| {
        Ok((DeviceId(row.get::<_, Id>(0)?.0), Sequence(row.get::<_, Number>(1)?.0)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn count(connection: &Connection, select: &str, peer: UserId) -> Result<u64, StorageError> {
    let mut statement = connection.prepare_cached(select)?;
    Ok(statement.query_row([Id(peer.0)], |row| row.get::<_, Number>(0))?.0)
}

fn message(row: &Row<'_>) -> rusqlite::Result<ChatMessage> {
    let is_read = row.get(6)?;
    let code = row.get(8)?;
    let fate = match row.get(7)? {
        Some(state) => Fate::Sent(sent_state(state, code, is_read)),
        None => Fate::Received { is_read },
    };
    Ok(ChatMessage {
        sender: UserId(row.get::<_, Id>(0)?.0),
        device: DeviceId(row.get::<_, Id>(1)?.0),
        sequence: Sequence(row.get::<_, Number>(2)?.0),
        accepted_at_ms: row.get::<_, Option<Number>>(3)?.map(|number| number.0),
        content_type: row.get(4)?,
        payload: row.get(5)?,
        fate,
        code,
    })
}
