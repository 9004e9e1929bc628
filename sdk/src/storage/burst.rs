//! The events of one read, stored in one transaction.

use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_proto::kind::change;
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, params};

use super::groups::Change;
use super::schema::{Id, Number};
use super::{StorageError, chat_settings, deletion, group_reads, reads};
use crate::session::{Entry, EntryBody, Event, Outcome, ReadMark, Ticket};

const RECEIVE: &str = "
    INSERT INTO inbound (peer, device, sequence, position, accepted_at_ms, content_type, payload,
                         sender)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
    WHERE NOT EXISTS (SELECT 1 FROM erased
                      WHERE peer = ?1 AND sender = ?8 AND device = ?2 AND up_to >= ?3)
    ON CONFLICT (peer, device, sequence, sender) DO NOTHING";
const COPY: &str = "
    INSERT INTO outbound (peer, device, sequence, state, content_type, seen_ms, life_s, payload,
                          accepted_at_ms)
    SELECT ?1, ?2, ?3, 1, ?4, 0, 0, ?5, ?6
    WHERE NOT EXISTS (SELECT 1 FROM erased
                      WHERE peer = ?1 AND sender = (SELECT user FROM device) AND device = ?2
                      AND up_to >= ?3)
    ON CONFLICT (peer, device, sequence) DO NOTHING";
/// A receipt may have come first: the state only rises.
const ACCEPT: &str = "
    UPDATE outbound SET state = max(state, 1), accepted_at_ms = ?4
    WHERE peer = ?1 AND device = ?2 AND sequence = ?3";
const DELIVER: &str = "
    UPDATE outbound SET state = 2
    WHERE state < 2 AND peer = ?1 AND device = ?2 AND sequence BETWEEN ?3 AND ?4";
const END: &str = "
    UPDATE outbound SET state = ?4, code = ?5 WHERE peer = ?1 AND device = ?2 AND sequence = ?3";
const RAISE_RECEIPT: &str = "
    INSERT INTO receipt (peer, device, delivered_up_to, read_up_to) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (peer, device) DO UPDATE
    SET delivered_up_to = max(delivered_up_to, ?3), read_up_to = max(read_up_to, ?4)";
/// The chat has a message accepted at that time.
const SEE: &str = "
    INSERT INTO chat (peer, last_sequence, seen_ms) VALUES (?1, 0, ?2)
    ON CONFLICT (peer) DO UPDATE SET seen_ms = max(seen_ms, ?2)";

const FAILED: i64 = 3;
const REFUSED: i64 = 4;

/// What a message says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    pub(super) sender: UserId,
    pub(super) device: DeviceId,
    pub(super) sequence: Sequence,
    pub(super) accepted_at_ms: u64,
    pub(super) content_type: u16,
}

/// A transaction; dropped without `commit`, it leaves nothing.
#[derive(Debug)]
pub struct Burst<'a> {
    transaction: Transaction<'a>,
    user: UserId,
    device: DeviceId,
    cursor: Option<Position>,
    is_empty: bool,
    doubled_count: u64,
}

impl<'a> Burst<'a> {
    pub(super) fn new(transaction: Transaction<'a>, (user, device): (UserId, DeviceId)) -> Self {
        Self { transaction, user, device, cursor: None, is_empty: true, doubled_count: 0 }
    }

    /// Stores what an event says, where it says anything to store. A message that is stored
    /// already moves the cursor and nothing else.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn record(&mut self, event: &Event) -> Result<(), StorageError> {
        let own = self.device;
        match event {
            Event::Opened { generation, cursor, .. } => self.open(*generation, *cursor)?,
            Event::Ticket(ticket) => {
                let ticket = ticket.as_ref().map(Ticket::bytes);
                self.execute("UPDATE device SET ticket = ?1", params![ticket])?;
            }
            Event::Accepted { peer, sequence, accepted_at_ms } => {
                self.accept(*peer, *sequence, *accepted_at_ms)?;
            }
            Event::Refused { peer, sequence, code } => {
                self.end(*peer, own, *sequence, REFUSED, *code)?;
            }
            Event::Failed { peer, sequence, code } => {
                self.end(*peer, own, *sequence, FAILED, *code)?;
            }
            &Event::ReadNoted { peer, device, up_to } => {
                reads::note(&self.transaction, ReadMark { peer, device, up_to })?;
            }
            &Event::DeletionNoted { number } => deletion::note(&self.transaction, number)?,
            Event::Entry(entry) => self.record_entry(entry)?,
            Event::Answered {
                outcome: Outcome::GroupDescribed { group, version, members, name, has_receipts },
                ..
            } => {
                let change = Change { version: *version, told: change::JOINED, members, name };
                self.take_group(*group, &change, *has_receipts)?;
            }
            _ => return Ok(()),
        }
        self.is_empty = false;
        Ok(())
    }

    /// Messages that were stored already, from another place of the inbox. That is what a
    /// restored server does; another one has kept a message twice.
    pub fn doubled_count(&self) -> u64 {
        self.doubled_count
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
            self.execute("UPDATE device SET cursor = ?1", params![Number(cursor.0)])?;
        }
        self.transaction.commit()?;
        Ok(self.cursor)
    }

    /// The home decides where a session starts, also where that lies further back.
    fn open(&mut self, generation: Generation, cursor: Position) -> Result<(), StorageError> {
        self.cursor = None;
        let select = "SELECT generation FROM device";
        let known: Number = self.transaction.query_row(select, [], |row| row.get(0))?;
        if known.0 != generation.0 {
            group_reads::forget_positions(&self.transaction)?;
        }
        let update = "UPDATE device SET generation = ?1, cursor = ?2";
        self.execute(update, params![Number(generation.0), Number(cursor.0)])?;
        Ok(())
    }

    fn accept(
        &self,
        peer: UserId,
        sequence: Sequence,
        accepted_at_ms: u64,
    ) -> Result<(), StorageError> {
        let (device, place) = (Id(self.device.0), Number(accepted_at_ms));
        self.execute(ACCEPT, params![Id(peer.0), device, Number(sequence.0), place])?;
        self.see(peer, accepted_at_ms)
    }

    fn end(
        &self,
        peer: UserId,
        device: DeviceId,
        sequence: Sequence,
        state: i64,
        code: u16,
    ) -> Result<(), StorageError> {
        self.execute(END, params![Id(peer.0), Id(device.0), Number(sequence.0), state, code])?;
        Ok(())
    }

    fn record_entry(&mut self, entry: &Entry) -> Result<(), StorageError> {
        self.cursor = Some(entry.position);
        let peer = entry.peer;
        match &entry.body {
            EntryBody::Message { device, sequence, accepted_at_ms, content_type, payload } => {
                let of = Received {
                    sender: peer,
                    device: *device,
                    sequence: *sequence,
                    accepted_at_ms: *accepted_at_ms,
                    content_type: *content_type,
                };
                self.receive(entry, of, payload)
            }
            EntryBody::GroupMessage { .. }
            | EntryBody::GroupChanged { .. }
            | EntryBody::GroupFailed { .. }
            | EntryBody::GroupReceipt { .. }
            | EntryBody::GroupReadElsewhere { .. } => self.record_group_entry(entry),
            EntryBody::Copied { device, .. } if *device == self.device => Ok(()),
            EntryBody::Copied { device, sequence, accepted_at_ms, content_type, payload } => {
                let of = Received {
                    sender: self.user,
                    device: *device,
                    sequence: *sequence,
                    accepted_at_ms: *accepted_at_ms,
                    content_type: *content_type,
                };
                self.copy(peer, of, payload)
            }
            EntryBody::Delivered { device, up_to, except, .. } => {
                self.deliver(peer, *device, *up_to, except)
            }
            EntryBody::ReadBy { device, up_to, .. } => {
                self.raise_receipt(peer, *device, Sequence(0), *up_to)
            }
            EntryBody::ChatSet { settings } => {
                chat_settings::take(&self.transaction, peer, *settings)
            }
            &EntryBody::ReadElsewhere { device, up_to, .. } => {
                reads::note(&self.transaction, ReadMark { peer, device, up_to })
            }
            EntryBody::ChatDeleted { up_to, marks } => {
                deletion::erase(&self.transaction, peer, *up_to, marks)
            }
            EntryBody::Failed { device, sequence, code } => {
                self.end(peer, *device, *sequence, FAILED, *code)
            }
        }
    }

    /// Stores a message that came.
    pub(super) fn receive(
        &mut self,
        entry: &Entry,
        of: Received,
        payload: &[u8],
    ) -> Result<(), StorageError> {
        let (peer, sender, device) = (Id(entry.peer.0), Id(of.sender.0), Id(of.device.0));
        let (sequence, place) = (Number(of.sequence.0), Number(of.accepted_at_ms));
        let (position, content_type) = (Number(entry.position.0), of.content_type);
        let received =
            params![peer, device, sequence, position, place, content_type, payload, sender];
        if self.execute(RECEIVE, received)? == 0 {
            let select = "SELECT position FROM inbound
                          WHERE peer = ?1 AND device = ?2 AND sequence = ?3 AND sender = ?4";
            let mut statement = self.transaction.prepare_cached(select)?;
            let parameters = params![peer, device, sequence, sender];
            let stored =
                statement.query_row(parameters, |row| row.get::<_, Number>(0)).optional()?;
            // Of what was erased nobody knows where it had been.
            let is_doubled = stored.is_some_and(|stored| stored.0 != entry.position.0);
            self.doubled_count += u64::from(is_doubled);
        }
        self.see(entry.peer, of.accepted_at_ms)
    }

    /// Stores a message that another device of the user's sent.
    pub(super) fn copy(
        &self,
        peer: UserId,
        of: Received,
        payload: &[u8],
    ) -> Result<(), StorageError> {
        let (device, sequence) = (Id(of.device.0), Number(of.sequence.0));
        let (content_type, place) = (of.content_type, Number(of.accepted_at_ms));
        let copied = params![Id(peer.0), device, sequence, content_type, payload, place];
        self.execute(COPY, copied)?;
        self.see(peer, of.accepted_at_ms)
    }

    /// Which device this is.
    pub(super) fn own_device(&self) -> DeviceId {
        self.device
    }

    /// Who this is.
    pub(super) fn own_user(&self) -> UserId {
        self.user
    }

    fn deliver(
        &self,
        peer: UserId,
        device: DeviceId,
        up_to: Sequence,
        except: &[(Sequence, Sequence)],
    ) -> Result<(), StorageError> {
        let mut from = Sequence(1);
        for &(first, last) in except {
            self.deliver_range(peer, device, from, Sequence(first.0.saturating_sub(1)))?;
            from = last.next();
        }
        self.deliver_range(peer, device, from, up_to)?;
        self.raise_receipt(peer, device, up_to, Sequence(0))
    }

    fn deliver_range(
        &self,
        peer: UserId,
        device: DeviceId,
        first: Sequence,
        last: Sequence,
    ) -> Result<(), StorageError> {
        let parameters = params![Id(peer.0), Id(device.0), Number(first.0), Number(last.0)];
        self.execute(DELIVER, parameters)?;
        Ok(())
    }

    /// How far the receipts go. Only those of delivery say which numbers were, so what was read
    /// shows once they are here.
    fn raise_receipt(
        &self,
        peer: UserId,
        device: DeviceId,
        delivered_up_to: Sequence,
        read_up_to: Sequence,
    ) -> Result<(), StorageError> {
        let (delivered, read) = (Number(delivered_up_to.0), Number(read_up_to.0));
        self.execute(RAISE_RECEIPT, params![Id(peer.0), Id(device.0), delivered, read])?;
        Ok(())
    }

    fn see(&self, peer: UserId, accepted_at_ms: u64) -> Result<(), StorageError> {
        self.execute(SEE, params![Id(peer.0), Number(accepted_at_ms)])?;
        Ok(())
    }

    /// What it is made in.
    pub(super) fn connection(&self) -> &Connection {
        &self.transaction
    }

    /// How many rows it changed.
    pub(super) fn execute(
        &self,
        sql: &str,
        parameters: &[&dyn ToSql],
    ) -> Result<usize, StorageError> {
        Ok(self.transaction.prepare_cached(sql)?.execute(parameters)?)
    }
}
