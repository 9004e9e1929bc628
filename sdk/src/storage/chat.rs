//! A chat as every device of the user shows it: what came, what this device sent, and the
//! copies of what the others sent.

use answerback_proto::id::{DeviceId, Sequence, UserId};
use rusqlite::{Connection, Row, params};

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

/// The last messages of a chat, in the shown order: what is undecided stands last, what was
/// refused where it was written.
pub(super) fn last(
    connection: &Connection,
    user: UserId,
    peer: UserId,
    count_max: u32,
) -> Result<Vec<ChatMessage>, StorageError> {
    let select = "
        SELECT sender, inbound.device AS device, sequence, accepted_at_ms, content_type, payload,
               sequence <= coalesce(up_to, 0), NULL, NULL, accepted_at_ms AS place
        FROM inbound
        LEFT JOIN read_mark ON peer = sender AND read_mark.device = inbound.device
        WHERE sender = ?2
        UNION ALL
        SELECT ?1, outbound.device, sequence, accepted_at_ms, content_type, payload,
               sequence <= coalesce(read_up_to, 0), state, code,
               CASE WHEN state > 0 THEN coalesce(accepted_at_ms, seen_ms) END
        FROM outbound
        LEFT JOIN receipt USING (peer, device)
        WHERE peer = ?2
        ORDER BY place DESC NULLS FIRST, sender DESC, device DESC, sequence DESC
        LIMIT ?3";
    let mut statement = connection.prepare_cached(select)?;
    let rows = statement.query_map(params![Id(user.0), Id(peer.0), count_max], message)?;
    let mut messages: Vec<_> = rows.collect::<Result<_, _>>()?;
    messages.reverse();
    Ok(messages)
}

fn message(row: &Row<'_>) -> rusqlite::Result<ChatMessage> {
    let is_read = row.get(6)?;
    let fate = match row.get(7)? {
        Some(state) => Fate::Sent(sent_state(state, row.get(8)?, is_read)),
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
    })
}
