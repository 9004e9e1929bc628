//! Groups as the user's devices know them: from the entries that tell of each change.

use answerback_proto::id::{DeviceId, GroupId, Sequence, UserId};
use answerback_proto::kind::{change, role_of};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::burst::{Burst, Received};
use super::schema::{Id, Number};
use super::{Storage, StorageError, group_reads, group_receipts, slots};
use crate::session::{Entry, EntryBody};

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGroup {
    /// Which.
    pub group: GroupId,
    /// What it is called.
    pub name: String,
    /// Of the list of members; raised by each change.
    pub version: u32,
    /// Whether the user is a member; else this is how it was when he left.
    pub is_member: bool,
    /// Whether messages to it tell who has them, and who has read them.
    pub has_receipts: bool,
    /// The members, by number.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Who.
    pub user: UserId,
    /// Of [`answerback_proto::kind::role`].
    pub role: u16,
}

/// What is told of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    /// The version that it makes.
    pub(super) version: u32,
    /// Of [`answerback_proto::kind::change`].
    pub(super) told: u16,
    /// Who is concerned, each with the number of his role and slot.
    pub(super) members: &'a [(UserId, u16)],
    pub(super) name: &'a str,
}

impl Burst<'_> {
    /// Stores what an entry of a group says.
    pub(super) fn record_group_entry(&mut self, entry: &Entry) -> Result<(), StorageError> {
        let peer = entry.peer;
        self.note_group(peer)?;
        match &entry.body {
            &EntryBody::GroupMessage {
                sender,
                device,
                sequence,
                accepted_at_ms,
                content_type,
                ref payload,
                ..
            } => {
                let of = Received { sender, device, sequence, accepted_at_ms, content_type };
                match sender == self.own_user() {
                    false => self.receive(entry, of, payload),
                    true if device == self.own_device() => Ok(()),
                    true => self.copy(peer, of, payload),
                }
            }
            EntryBody::GroupChanged { version, change, members, name, has_receipts, .. } => {
                let change = Change { version: *version, told: *change, members, name };
                self.change_group(peer, &change, *has_receipts)
            }
            EntryBody::GroupFailed { device, sequence, members } => {
                self.fail_for(peer, *device, *sequence, members)
            }
            EntryBody::GroupReceipt { device, sequence, version, delivered, read } => {
                let (delivered, read) = (delivered.clone(), read.clone());
                let told = group_receipts::Bits { version: *version, delivered, read };
                group_receipts::add(self.connection(), (peer, *device, *sequence), told)
            }
            EntryBody::GroupReadElsewhere { up_to, .. } => {
                group_reads::take_elsewhere(self.connection(), peer, *up_to)
            }
            _ => Ok(()),
        }
    }

    /// Stores a group as it is now.
    pub(super) fn take_group(
        &self,
        group: GroupId,
        now: &Change<'_>,
        has_receipts: bool,
    ) -> Result<(), StorageError> {
        self.note_group(group.as_peer())?;
        self.change_group(group.as_peer(), now, has_receipts)
    }

    fn note_group(&self, peer: UserId) -> Result<(), StorageError> {
        let note = "INSERT INTO chat (peer, last_sequence, seen_ms, is_group) VALUES (?1, 0, 0, 1)
                    ON CONFLICT (peer) DO UPDATE SET is_group = 1";
        self.execute(note, params![Id(peer.0)])?;
        Ok(())
    }

    /// A change that came before says nothing new.
    fn change_group(
        &self,
        peer: UserId,
        change: &Change<'_>,
        has_receipts: bool,
    ) -> Result<(), StorageError> {
        let Change { version, told, members, name } = *change;
        let select = "SELECT version FROM member_list WHERE peer = ?1";
        let known = self.connection().query_row(select, [Id(peer.0)], |row| row.get(0)).optional();
        let known = known?.unwrap_or(0);
        if version <= known {
            return Ok(());
        }
        let raise = "INSERT INTO member_list (peer, name, version, is_member, has_receipts)
                     VALUES (?1, '', ?2, 1, ?3)
                     ON CONFLICT (peer) DO UPDATE SET version = ?2, has_receipts = ?3";
        self.execute(raise, params![Id(peer.0), version, has_receipts])?;
        if matches!(told, change::CREATED | change::JOINED) {
            self.execute("DELETE FROM member WHERE peer = ?1", params![Id(peer.0)])?;
            slots::replace(self.connection(), peer, (known, version), members)?;
            self.set_member(peer, true)?;
        }
        if matches!(told, change::CREATED | change::JOINED | change::RENAMED) {
            let rename = "UPDATE member_list SET name = ?2 WHERE peer = ?1";
            self.execute(rename, params![Id(peer.0), name])?;
        }
        for &(user, number) in members {
            if told == change::REMOVED {
                self.remove_member(peer, version, user)?;
                continue;
            }
            let put = "INSERT INTO member (peer, user, role) VALUES (?1, ?2, ?3)
                       ON CONFLICT (peer, user) DO UPDATE SET role = ?3";
            self.execute(put, params![Id(peer.0), Id(user.0), role_of(number)])?;
            if told == change::ADDED {
                slots::add(self.connection(), peer, version, user, number)?;
            }
        }
        Ok(())
    }

    fn remove_member(&self, peer: UserId, version: u32, user: UserId) -> Result<(), StorageError> {
        let remove = "DELETE FROM member WHERE peer = ?1 AND user = ?2";
        self.execute(remove, params![Id(peer.0), Id(user.0)])?;
        slots::end(self.connection(), peer, version, user)?;
        match user == self.own_user() {
            true => self.set_member(peer, false),
            false => Ok(()),
        }
    }

    fn set_member(&self, peer: UserId, is_member: bool) -> Result<(), StorageError> {
        let update = "UPDATE member_list SET is_member = ?2 WHERE peer = ?1";
        self.execute(update, params![Id(peer.0), is_member])?;
        Ok(())
    }

    fn fail_for(
        &self,
        peer: UserId,
        device: DeviceId,
        sequence: Sequence,
        members: &[(UserId, u16)],
    ) -> Result<(), StorageError> {
        let insert = "INSERT INTO member_failure (peer, device, sequence, user, code)
                      VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
        for (user, code) in members {
            let number = Number(sequence.0);
            self.execute(insert, params![Id(peer.0), Id(device.0), number, Id(user.0), code])?;
        }
        Ok(())
    }
}

impl Storage {
    /// A group, where any device of the user was told of it while this one was there.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn group(&self, group: GroupId) -> Result<Option<StoredGroup>, StorageError> {
        let select = "SELECT name, version, is_member, has_receipts FROM member_list
                      WHERE peer = ?1";
        let mut statement = self.connection.prepare_cached(select)?;
        let of_row = |row: &Row<'_>| {
            Ok(StoredGroup {
                group,
                name: row.get(0)?,
                version: row.get(1)?,
                is_member: row.get(2)?,
                has_receipts: row.get(3)?,
                members: Vec::new(),
            })
        };
        let found = statement.query_row([Id(group.0)], of_row).optional()?;
        let Some(mut found) = found else { return Ok(None) };
        found.members = members(&self.connection, group)?;
        Ok(Some(found))
    }

    /// All groups that this device was told of, by number.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn groups(&self) -> Result<Vec<GroupId>, StorageError> {
        let select = "SELECT peer FROM member_list ORDER BY peer";
        let mut statement = self.connection.prepare_cached(select)?;
        let rows = statement.query_map([], |row| Ok(GroupId(row.get::<_, Id>(0)?.0)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Which groups the user is a member of, as far as this device knows, and the version of
    /// what it knows.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn own_groups(&self) -> Result<Vec<(GroupId, u32)>, StorageError> {
        let select = "SELECT peer, version FROM member_list WHERE is_member = 1 ORDER BY peer";
        let mut statement = self.connection.prepare_cached(select)?;
        let rows =
            statement.query_map([], |row| Ok((GroupId(row.get::<_, Id>(0)?.0), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The user is no member of a group any more, and this device was not told when.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn leave_group(&mut self, group: GroupId) -> Result<(), StorageError> {
        let update = "UPDATE member_list SET is_member = 0 WHERE peer = ?1";
        self.connection.execute(update, [Id(group.0)])?;
        Ok(())
    }

    /// Whether the device is to ask which groups the user is in: it is new, or has lapsed, and
    /// has not been answered.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn lacks_groups(&self) -> Result<bool, StorageError> {
        Ok(self.connection.query_row("SELECT lacks_groups FROM device", [], |row| row.get(0))?)
    }

    /// Notes that.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn set_lacks_groups(&mut self, lacks: bool) -> Result<(), StorageError> {
        self.connection.execute("UPDATE device SET lacks_groups = ?1", [lacks])?;
        Ok(())
    }

    /// Whether a chat is a group's.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn is_group(&self, peer: UserId) -> Result<bool, StorageError> {
        let select = "SELECT is_group FROM chat WHERE peer = ?1";
        let mut statement = self.connection.prepare_cached(select)?;
        let found = statement.query_row([Id(peer.0)], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(false))
    }

    /// Members who will not get a message of the user's, and the codes that say why.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn member_failures(
        &self,
        group: GroupId,
        device: DeviceId,
        sequence: Sequence,
    ) -> Result<Vec<(UserId, u16)>, StorageError> {
        failures(&self.connection, group.as_peer(), device, sequence)
    }
}

/// Members who will not get a message, and the codes that say why.
pub(super) fn failures(
    connection: &Connection,
    peer: UserId,
    device: DeviceId,
    sequence: Sequence,
) -> Result<Vec<(UserId, u16)>, StorageError> {
    let select = "SELECT user, code FROM member_failure
                  WHERE peer = ?1 AND device = ?2 AND sequence = ?3 ORDER BY user";
    let mut statement = connection.prepare_cached(select)?;
    let parameters = params![Id(peer.0), Id(device.0), Number(sequence.0)];
    let rows =
        statement.query_map(parameters, |row| Ok((UserId(row.get::<_, Id>(0)?.0), row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn members(connection: &Connection, group: GroupId) -> Result<Vec<GroupMember>, StorageError> {
    let select = "SELECT user, role FROM member WHERE peer = ?1 ORDER BY user";
    let mut statement = connection.prepare_cached(select)?;
    let rows = statement.query_map([Id(group.0)], |row| {
        Ok(GroupMember { user: UserId(row.get::<_, Id>(0)?.0), role: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
