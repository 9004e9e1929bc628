//! A device in one SQLite file: what it is, what it sent, what it received.
//!
//! - Every number is on the disk before it is used: the connection counter before its
//!   `Hello`, a message's sequence before its `Send`.
//! - An entry and the cursor are stored in one transaction ([`Burst`]), all of one read in
//!   the same; only then may the session acknowledge.
//! - A message's identity (sender, device, chat, sequence) is unique; positions are not looked
//!   at, since those of another generation mean nothing.
//! - What the user has read is on the disk before the server is told, until it has noted it.
//! - A received message is handed over until the app says that it is done with it.
//!
//! The file belongs to one process at a time.

mod burst;
mod chat;
mod chat_settings;
mod deletion;
mod error;
mod group_reads;
mod group_receipts;
mod groups;
mod outbound;
mod reads;
mod schema;
mod slots;
#[cfg(test)]
mod tests;

use std::path::Path;

use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_proto::kind::ChatSettings;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::session::{ChatDeletion, DeviceState, Outgoing, ReadMark, Ticket};
pub use burst::Burst;
pub use chat::{ChatMessage, Fate};
pub use chat_settings::ChatChange;
pub use error::StorageError;
pub use group_reads::GroupRead;
pub use group_receipts::{MemberReceipt, MemberState};
pub use groups::{GroupMember, StoredGroup};
pub use outbound::Draft;
use schema::{Id, Number};

/// What became of a sent message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentState {
    /// No decision yet.
    Queued,
    /// Durable at the server.
    Accepted,
    /// A device of the recipient has it.
    Delivered,
    /// The recipient has read it.
    Read,
    /// It was taken back before any device of the recipient had it. Final.
    Recalled,
    /// It will not be delivered. Final.
    Failed,
    /// The server did not take it. Final.
    Refused,
}

/// A message that this device sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What became of it.
    pub state: SentState,
    /// Its place in the shown order, once accepted.
    pub accepted_at_ms: Option<u64>,
    /// Why, where it failed or was refused.
    pub code: Option<u16>,
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its number in this file, in the order of arrival.
    pub row: i64,
    /// The other end of the chat: who sent it, or the group.
    pub peer: UserId,
    /// Who sent it.
    pub sender: UserId,
    /// From which device.
    pub device: DeviceId,
    /// That device's number of it in the chat.
    pub sequence: Sequence,
    /// Its place in the inbox when it came.
    pub position: Position,
    /// Its place in the shown order.
    pub accepted_at_ms: u64,
    /// What the payload is.
    pub content_type: u16,
    /// Opaque.
    pub payload: Vec<u8>,
}

/// The device's database.
#[derive(Debug)]
pub struct Storage {
    connection: Connection,
    user: UserId,
    device: DeviceId,
}

impl Storage {
    /// Opens the device's file, or makes it.
    ///
    /// # Errors
    /// Unwritable, in use by another process, of a newer version, another device's, corrupt.
    pub fn open(path: &Path, user: UserId, device: DeviceId) -> Result<Self, StorageError> {
        let connection = schema::open(path, user, device)?;
        Ok(Self { connection, user, device })
    }

    /// From now on nothing can be written, as on a full disk.
    #[cfg(test)]
    pub(crate) fn refuse_writes(&self) {
        self.connection.pragma_update(None, "query_only", true).unwrap();
    }

    /// Whose device this is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Which device this is.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// What a session starts from.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn device_state(&self) -> Result<DeviceState, StorageError> {
        let select = "SELECT generation, cursor, ticket FROM device";
        let (generation, cursor, ticket) = self.connection.query_row(select, [], |row| {
            let ticket = row.get::<_, Option<Vec<u8>>>(2)?;
            Ok((row.get::<_, Number>(0)?.0, row.get::<_, Number>(1)?.0, ticket))
        })?;
        let undecided = outbound::select(&self.connection, "state = 0", params![])?;
        Ok(DeviceState {
            user: self.user,
            device: self.device,
            generation: Generation(generation),
            cursor: Position(cursor),
            undecided,
            unnoted_reads: reads::unnoted(&self.connection)?,
            ticket: ticket.and_then(|ticket| Ticket::read(&ticket)),
        })
    }

    /// The counter of the next connection, stored before it is used.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn raise_connection_counter(&mut self) -> Result<u64, StorageError> {
        let raise = "UPDATE device SET connection_counter = connection_counter + 1
                     RETURNING connection_counter";
        Ok(self.connection.query_row(raise, [], |row| row.get::<_, Number>(0))?.0)
    }

    /// Stores messages to send under the next numbers of their chats, in one transaction.
    ///
    /// # Errors
    /// Where the file cannot be written, or one takes back what was never sent: then none of
    /// them is stored.
    pub fn queue(
        &mut self,
        messages: impl IntoIterator<Item: Into<Draft>>,
    ) -> Result<Vec<Outgoing>, StorageError> {
        let transaction = self.connection.transaction()?;
        let mut queued = Vec::new();
        for message in messages {
            queued.push(outbound::queue(&transaction, self.device, message.into())?);
        }
        transaction.commit()?;
        Ok(queued)
    }

    /// Stores that the user has read all messages of one of `peer`'s devices up to a number,
    /// as far as they are here. What the server is to be told; none where that is nothing new.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn read(
        &mut self,
        peer: UserId,
        device: DeviceId,
        up_to: Sequence,
    ) -> Result<Option<ReadMark>, StorageError> {
        reads::mark(&self.connection, ReadMark { peer, device, up_to })
    }

    /// How a chat is treated.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn chat_settings(&self, peer: UserId) -> Result<ChatSettings, StorageError> {
        chat_settings::of_chat(&self.connection, peer)
    }

    /// All chats that are treated otherwise than at first, by the other end.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn set_chats(&self) -> Result<Vec<(UserId, ChatSettings)>, StorageError> {
        chat_settings::all(&self.connection)
    }

    /// Stores that the user has a chat treated otherwise, as far as `changes` names it; what
    /// the server is to be told.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn change_chat(
        &mut self,
        peer: UserId,
        changes: u16,
        to: ChatSettings,
    ) -> Result<ChatChange, StorageError> {
        chat_settings::change(&self.connection, peer, changes, to)
    }

    /// Such changes that the server does not know.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn unsaid_changes(&self) -> Result<Vec<ChatChange>, StorageError> {
        chat_settings::unsaid(&self.connection)
    }

    /// The server knows a change, or will not have it: then it is taken back here.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn settle_change(&mut self, change: ChatChange, is_done: bool) -> Result<(), StorageError> {
        chat_settings::settle(&self.connection, change, is_done)
    }

    /// The server says how a chat is treated.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn take_chat(&mut self, peer: UserId, told: ChatSettings) -> Result<(), StorageError> {
        chat_settings::take(&self.connection, peer, told)
    }

    /// Throws the resume ticket away: the next session wants a token.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn forget_ticket(&mut self) -> Result<(), StorageError> {
        self.connection.execute("UPDATE device SET ticket = NULL", [])?;
        Ok(())
    }

    /// Begins to store the events of one read.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn burst(&mut self) -> Result<Burst<'_>, StorageError> {
        Ok(Burst::new(self.connection.transaction()?, (self.user, self.device)))
    }

    /// Messages of a range that the server may still need: queued or accepted.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn kept(
        &self,
        peer: UserId,
        from: Sequence,
        to: Sequence,
    ) -> Result<Vec<Outgoing>, StorageError> {
        let filter = "state < 2 AND peer = ?1 AND device = ?2 AND sequence BETWEEN ?3 AND ?4";
        let parameters = params![Id(peer.0), Id(self.device.0), Number(from.0), Number(to.0)];
        outbound::select(&self.connection, filter, parameters)
    }

    /// What became of a message that this device sent.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn sent(&self, peer: UserId, sequence: Sequence) -> Result<Option<Sent>, StorageError> {
        let select = "SELECT state, accepted_at_ms, code, sequence <= coalesce(read_up_to, 0)
                      FROM outbound LEFT JOIN receipt USING (peer, device)
                      WHERE peer = ?1 AND device = ?2 AND sequence = ?3";
        let mut statement = self.connection.prepare_cached(select)?;
        let of_row = |row: &Row<'_>| {
            Ok(Sent {
                state: schema::sent_state(row.get(0)?, row.get(2)?, row.get(3)?),
                accepted_at_ms: row.get::<_, Option<Number>>(1)?.map(|number| number.0),
                code: row.get(2)?,
            })
        };
        let parameters = params![Id(peer.0), Id(self.device.0), Number(sequence.0)];
        Ok(statement.query_row(parameters, of_row).optional()?)
    }

    /// The last messages of the chat with `peer`, at most so many, in the shown order: what
    /// came, what this device sent, what the user's other devices sent.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn chat(&self, peer: UserId, count_max: u32) -> Result<Vec<ChatMessage>, StorageError> {
        let mut messages = chat::last(&self.connection, self.user, peer, count_max)?;
        if self.is_group(peer)? {
            group_receipts::raise(&self.connection, self.user, peer, &mut messages)?;
        }
        Ok(messages)
    }

    /// One message of the chat with `peer`.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn message(
        &self,
        peer: UserId,
        sender: UserId,
        device: DeviceId,
        sequence: Sequence,
    ) -> Result<Option<ChatMessage>, StorageError> {
        let mut found = chat::find(&self.connection, self.user, peer, sender, device, sequence)?;
        if self.is_group(peer)? {
            group_receipts::raise(&self.connection, self.user, peer, found.as_mut_slice())?;
        }
        Ok(found)
    }

    /// The other ends of all chats, by number.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn peers(&self) -> Result<Vec<UserId>, StorageError> {
        chat::peers(&self.connection)
    }

    /// How many messages of a chat the user has not read, and how many of his own are without
    /// a decision.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn open_counts(&self, peer: UserId) -> Result<(u64, u64), StorageError> {
        let unread = chat::unread_count(&self.connection, peer)?;
        Ok((unread, chat::undecided_count(&self.connection, peer)?))
    }

    /// Stores that the user has read all of a chat that is here. What the server is to be told.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn read_all(&mut self, peer: UserId) -> Result<Vec<ReadMark>, StorageError> {
        let transaction = self.connection.transaction()?;
        let mut marks = Vec::new();
        for (device, up_to) in chat::newest(&transaction, peer)? {
            marks.extend(reads::mark(&transaction, ReadMark { peer, device, up_to })?);
        }
        transaction.commit()?;
        Ok(marks)
    }

    /// Erases the chat with `peer`, in one transaction with what the server is to be told. What
    /// has no decision yet stays: it is later than that.
    ///
    /// # Errors
    /// Where the file cannot be written: then nothing is erased.
    pub fn delete_chat(&mut self, peer: UserId) -> Result<Vec<ChatDeletion>, StorageError> {
        let transaction = self.connection.transaction()?;
        let deletions = deletion::delete(&transaction, self.device, peer)?;
        transaction.commit()?;
        Ok(deletions)
    }

    /// Deletions that the server has not noted, in order.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn unnoted_deletions(&self) -> Result<Vec<ChatDeletion>, StorageError> {
        deletion::unnoted(&self.connection)
    }

    /// Queues what failed or was refused again, under a new number; the chat shows it there.
    ///
    /// # Errors
    /// Where the file cannot be written, or this message of this device did not fail.
    pub fn resend(&mut self, peer: UserId, sequence: Sequence) -> Result<Outgoing, StorageError> {
        let transaction = self.connection.transaction()?;
        let draft = outbound::failed(&transaction, self.device, peer, sequence)?;
        let outgoing = outbound::queue(&transaction, self.device, draft)?;
        outbound::mark_resent(&transaction, self.device, peer, sequence, outgoing.sequence)?;
        transaction.commit()?;
        Ok(outgoing)
    }

    /// Received messages that the app is not done with, oldest first.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn to_hand_over(&self, count_max: u32) -> Result<Vec<Received>, StorageError> {
        let select = "SELECT row, sender, device, sequence, position, accepted_at_ms,
                             content_type, payload, peer
                      FROM inbound WHERE handed_over = 0 ORDER BY row LIMIT ?1";
        let mut statement = self.connection.prepare_cached(select)?;
        let rows = statement.query_map([count_max], received)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The app is done with all messages up to `row`.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn handed_over(&mut self, row: i64) -> Result<(), StorageError> {
        let update = "UPDATE inbound SET handed_over = 1 WHERE handed_over = 0 AND row <= ?1";
        self.connection.prepare_cached(update)?.execute([row])?;
        Ok(())
    }
}

fn received(row: &Row<'_>) -> rusqlite::Result<Received> {
    Ok(Received {
        row: row.get(0)?,
        sender: UserId(row.get::<_, Id>(1)?.0),
        device: DeviceId(row.get::<_, Id>(2)?.0),
        sequence: Sequence(row.get::<_, Number>(3)?.0),
        position: Position(row.get::<_, Number>(4)?.0),
        accepted_at_ms: row.get::<_, Number>(5)?.0,
        content_type: row.get(6)?,
        payload: row.get(7)?,
        peer: UserId(row.get::<_, Id>(8)?.0),
    })
}
