//! The events of one read, stored in one transaction.

use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use rusqlite::{Transaction, params};

use super::StorageError;
use super::schema::{Id, Number};
use crate::session::{Entry, EntryBody, Event};

/// A transaction; dropped without `commit`, it leaves nothing.
#[derive(Debug)]
pub struct Burst<'a> {
    transaction: Transaction<'a>,
    device: DeviceId,
    cursor: Option<Position>,
    is_empty: bool,
}

impl<'a> Burst<'a> {
    pub(super) fn new(transaction: Transaction<'a>, device: DeviceId) -> Self {
        Self { transaction, device, cursor: None, is_empty: true }
    }

    /// Stores what an event says, where it says anything to store. A message that is stored
    /// already moves the cursor and nothing else.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn record(&mut self, event: &Event) -> Result<(), StorageError> {
        match event {
            Event::Opened { generation, cursor, .. } => self.open(*generation, *cursor)?,
            Event::Accepted { peer, sequence, accepted_at_ms } => {
                self.accept(*peer, *sequence, *accepted_at_ms)?;
            }
            Event::Refused { peer, sequence, code } => self.end(*peer, *sequence, 4, *code)?,
            Event::Failed { peer, sequence, code } => self.end(*peer, *sequence, 3, *code)?,
            Event::Entry(entry) => self.record_entry(entry)?,
            _ => return Ok(()),
        }
        self.is_empty = false;
        Ok(())
    }

    /// Makes it durable; the position up to which the session may acknowledge, if it moved.
    ///
    /// # Errors
    /// Where the file cannot be written: nothing of the burst is stored.
    pub fn commit(self) -> Result<Option<Position>, StorageError> {
        if self.is_empty {
            return Ok(None);
        }
        if let Some(cursor) = self.cursor {
            let update = "UPDATE device SET cursor = ?1";
            self.transaction.prepare_cached(update)?.execute([Number(cursor.0)])?;
        }
        self.transaction.commit()?;
        Ok(self.cursor)
    }

    /// The home decides where a session starts, also where that lies further back.
    fn open(&mut self, generation: Generation, cursor: Position) -> Result<(), StorageError> {
        self.cursor = None;
        let update = "UPDATE device SET generation = ?1, cursor = ?2";
        let parameters = params![Number(generation.0), Number(cursor.0)];
        self.transaction.prepare_cached(update)?.execute(parameters)?;
        Ok(())
    }

    /// A receipt may have come first: the state only rises.
    fn accept(
        &mut self,
        peer: UserId,
        sequence: Sequence,
        accepted_at_ms: u64,
    ) -> Result<(), StorageError> {
        let update = "UPDATE outbound SET state = max(state, 1), accepted_at_ms = ?3
                      WHERE peer = ?1 AND sequence = ?2";
        let parameters = params![Id(peer.0), Number(sequence.0), Number(accepted_at_ms)];
        self.transaction.prepare_cached(update)?.execute(parameters)?;
        self.see(peer, accepted_at_ms)
    }

    fn end(
        &mut self,
        peer: UserId,
        sequence: Sequence,
        state: i64,
        code: u16,
    ) -> Result<(), StorageError> {
        let update = "UPDATE outbound SET state = ?3, code = ?4
                      WHERE peer = ?1 AND sequence = ?2";
        let parameters = params![Id(peer.0), Number(sequence.0), state, code];
        self.transaction.prepare_cached(update)?.execute(parameters)?;
        Ok(())
    }

    fn record_entry(&mut self, entry: &Entry) -> Result<(), StorageError> {
        self.cursor = Some(entry.position);
        let peer = entry.peer;
        match &entry.body {
            EntryBody::Message { device, sequence, accepted_at_ms, content_type, payload } => {
                let insert = "INSERT INTO inbound (sender, device, sequence, position,
                                                   accepted_at_ms, content_type, payload)
                              VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                              ON CONFLICT (sender, device, sequence) DO NOTHING";
                self.transaction.prepare_cached(insert)?.execute(params![
                    Id(peer.0),
                    Id(device.0),
                    Number(sequence.0),
                    Number(entry.position.0),
                    Number(*accepted_at_ms),
                    content_type,
                    payload,
                ])?;
                self.see(peer, *accepted_at_ms)
            }
            EntryBody::Delivered { device, up_to, except, .. } if *device == self.device => {
                self.deliver(peer, *up_to, except)
            }
            EntryBody::Failed { device, sequence, code } if *device == self.device => {
                self.end(peer, *sequence, 3, *code)
            }
            EntryBody::Delivered { .. } | EntryBody::Failed { .. } => Ok(()),
        }
    }

    fn deliver(
        &mut self,
        peer: UserId,
        up_to: Sequence,
        except: &[(Sequence, Sequence)],
    ) -> Result<(), StorageError> {
        let update = "UPDATE outbound SET state = 2
                      WHERE state < 2 AND peer = ?1 AND sequence BETWEEN ?2 AND ?3";
        let mut statement = self.transaction.prepare_cached(update)?;
        let mut from = Sequence(1);
        for &(first, last) in except {
            let before = Number(first.0.saturating_sub(1));
            statement.execute(params![Id(peer.0), Number(from.0), before])?;
            from = last.next();
        }
        statement.execute(params![Id(peer.0), Number(from.0), Number(up_to.0)])?;
        Ok(())
    }

    /// The chat has a message accepted at that time.
    fn see(&mut self, peer: UserId, accepted_at_ms: u64) -> Result<(), StorageError> {
        let upsert = "INSERT INTO chat (peer, last_sequence, seen_ms) VALUES (?1, 0, ?2)
                      ON CONFLICT (peer) DO UPDATE SET seen_ms = max(seen_ms, ?2)";
        let parameters = params![Id(peer.0), Number(accepted_at_ms)];
        self.transaction.prepare_cached(upsert)?.execute(parameters)?;
        Ok(())
    }
}
