//! One user: devices, inbox, chats.

use std::ops::ControlFlow;

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, PartitionId, Position, Sequence, UserId};

use super::super::checkpoint::Table;
use super::super::effect::EntryBody;
use super::super::inbox::InboxEntry;
use super::super::load;
use super::super::rows;
use super::super::state::State;
use super::super::user::{Device, Existence, User};
use super::{AttemptsView, DeviceStanding, is_for, kind_of};
use crate::limits::INBOX_SHARE_OF_A_SENDER;
use crate::partition_table::PartitionTable;
use crate::ports::{StateReader, StorageFault};

/// All that the tables say of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserView {
    /// The last place of the inbox that was ever given.
    pub last_position: Position,
    /// The highest place that any device ever acknowledged.
    pub floor: Position,
    /// Entries that some device has not acknowledged.
    pub entries: u64,
    /// Payloads of those entries.
    pub entry_bytes: u64,
    /// Messages that no device has acknowledged: these count against the limits.
    pub undelivered: u64,
    /// Their payloads.
    pub undelivered_bytes: u64,
    /// The devices, revoked ones too.
    pub devices: Vec<DeviceView>,
    /// The oldest entry of the inbox.
    pub oldest: Option<EntryView>,
    /// The newest notice in the inbox that a message of the user's failed.
    pub last_failure: Option<EntryView>,
    /// Chats with others.
    pub chats: u64,
    /// Others who have a number missing in their chat with this user.
    pub gaps: u64,
    /// What the user may hold.
    pub limits: Limits,
}

/// What a user may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Messages that no device has acknowledged.
    pub messages_max: u64,
    /// Their payloads.
    pub bytes_max: u64,
    /// Of them, from one sender.
    pub messages_of_a_sender_max: u64,
    /// Devices that are not revoked.
    pub devices_max: u64,
    /// Attempts after which a message fails, if they took long enough.
    pub attempts_max: u64,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceView {
    /// Which.
    pub device: DeviceId,
    /// As its user called it; empty for nothing.
    pub name: String,
    /// When it last logged in, ms, to the second; 0 where nobody knows.
    pub last_login_ms: u64,
    /// How it stands.
    pub standing: DeviceStanding,
    /// All entries up to here are stored there.
    pub cursor: Position,
    /// Entries that wait for it.
    pub owed: u64,
    /// The counter of its last login.
    pub connection_counter: u64,
    /// With the first entry that it has not acknowledged.
    pub attempts: Option<AttemptsView>,
}

/// An entry, without what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryView {
    /// Its place.
    pub position: Position,
    /// A word for what it is.
    pub kind: &'static str,
    /// The other end of the chat.
    pub peer: UserId,
    /// When it was put into the inbox, ms.
    pub put_at_ms: u64,
    /// When it ends undelivered, ms; 0 for what is no message.
    pub expires_at_ms: u64,
    /// Of its payload.
    pub bytes: u32,
    /// The number of the message that it is or speaks of, with its device.
    pub about: Option<(DeviceId, Sequence)>,
    /// Why a message failed, where the entry says that one did.
    pub code: Option<Code>,
}

/// Reads all of a user; `None` where there is none. Walks the user's inbox once.
///
/// # Errors
/// Where the disk cannot be read, or holds what it should not.
pub fn user(
    reader: &dyn StateReader,
    table: PartitionTable,
    id: UserId,
) -> Result<Option<UserView>, StorageFault> {
    let partition = table.partition_of(id);
    let head = load::read_head(reader, partition, id)?;
    if matches!(head.existence, Existence::Unknown | Existence::Purged | Existence::Group) {
        return Ok(None);
    }
    let mut view = UserView {
        last_position: head.inbox.last_position(),
        floor: head.floor,
        entries: u64::from(head.live),
        undelivered: u64::from(head.messages),
        undelivered_bytes: head.bytes,
        devices: head.devices.iter().map(DeviceView::of).collect(),
        gaps: head.gaps().len() as u64,
        chats: count_chats(reader, partition, id)?,
        limits: Limits::read(reader, table, partition)?,
        ..UserView::default()
    };
    each_entry(reader, partition, &head, &mut |position, entry| {
        view.add(position, entry);
        ControlFlow::Continue(())
    })?;
    Ok(Some(view))
}

impl UserView {
    fn add(&mut self, position: Position, entry: &InboxEntry) {
        self.entry_bytes += u64::from(entry.payload_bytes);
        let seen = EntryView::of(position, entry);
        self.oldest.get_or_insert(seen);
        if seen.code.is_some() {
            self.last_failure = Some(seen);
        }
        for device in &mut self.devices {
            let owes = matches!(device.standing, DeviceStanding::Active | DeviceStanding::Returned);
            if owes && device.cursor < position && is_for(entry, device.device) {
                device.owed += 1;
            }
        }
    }
}

impl DeviceView {
    fn of(device: &Device) -> Self {
        let attempts = device.attempts.as_deref();
        Self {
            device: device.id,
            name: device.name().to_owned(),
            last_login_ms: u64::from(device.last_login_s) * 1000,
            standing: device.standing.into(),
            cursor: device.cursor,
            owed: 0,
            connection_counter: device.connection_counter,
            attempts: attempts.map(|attempts| AttemptsView {
                position: attempts.position,
                count: attempts.count,
                first_ms: attempts.first_ms,
            }),
        }
    }
}

impl EntryView {
    fn of(position: Position, entry: &InboxEntry) -> Self {
        let (about, code) = match entry.body {
            EntryBody::Message { device, sequence, .. }
            | EntryBody::Copied { device, sequence, .. } => (Some((device, sequence)), None),
            EntryBody::GroupMessage(ref word) | EntryBody::GroupCopied(ref word) => {
                (Some(word.about()), None)
            }
            EntryBody::GroupFailed { device, sequence, .. }
            | EntryBody::GroupReceipt { device, sequence, .. } => (Some((device, sequence)), None),
            EntryBody::Failed { device, sequence, code } => {
                (Some((device, sequence)), Code::from_number(code))
            }
            _ => (None, None),
        };
        Self {
            position,
            kind: kind_of(entry),
            peer: entry.peer,
            put_at_ms: entry.put_at_ms,
            expires_at_ms: entry.expires_at_ms,
            bytes: entry.payload_bytes,
            about,
            code,
        }
    }
}

impl Limits {
    pub(super) fn read(
        reader: &dyn StateReader,
        table: PartitionTable,
        partition: PartitionId,
    ) -> Result<Self, StorageFault> {
        let settings = partition_state(reader, table, partition)?.settings;
        let of_a_sender = settings.inbox_messages_max / INBOX_SHARE_OF_A_SENDER;
        Ok(Self {
            messages_max: u64::from(settings.inbox_messages_max),
            bytes_max: settings.inbox_bytes_max,
            messages_of_a_sender_max: u64::from(of_a_sender.max(1)),
            devices_max: u64::from(settings.devices_max),
            attempts_max: u64::from(settings.retry_limit),
        })
    }
}

/// Whether a partition waits for somebody to say that its clock is right.
///
/// # Errors
/// Where the disk cannot be read, or holds what it should not.
pub fn is_clock_doubted(
    reader: &dyn StateReader,
    table: PartitionTable,
    partition: PartitionId,
) -> Result<bool, StorageFault> {
    Ok(partition_state(reader, table, partition)?.is_clock_doubted)
}

/// What a partition's own row says.
fn partition_state(
    reader: &dyn StateReader,
    table: PartitionTable,
    partition: PartitionId,
) -> Result<State, StorageFault> {
    let mut state = State::new(partition, table);
    let key = rows::key(partition, &[]);
    if let Some(value) = reader.row(Table::Partition, &key)? {
        rows::load(&mut state, Table::Partition, &key, &value)?;
    }
    Ok(state)
}

/// Calls `each` with the entries of a user's inbox, ascending, without their payloads.
pub(super) fn each_entry(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: &User,
    each: &mut dyn FnMut(Position, &InboxEntry) -> ControlFlow<()>,
) -> Result<(), StorageFault> {
    let id = user.id.0.to_be_bytes();
    let (from, to) = rows::range(partition, &[&id]);
    let mut payload = Vec::new();
    reader.range(Table::Inbox, &from, &to, &mut |key, value| {
        payload.clear();
        let (position, mut entry) = rows::read_inbox(key, value, &mut payload)
            .ok_or_else(|| load::unreadable(Table::Inbox, partition))?;
        let read = (position, &mut entry);
        let is_there = load::bodies::complete_one(reader, partition, user.id, read, false)?;
        Ok(if is_there { each(position, &entry) } else { ControlFlow::Continue(()) })
    })
}

fn count_chats(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: UserId,
) -> Result<u64, StorageFault> {
    let (from, to) = rows::range(partition, &[&user.0.to_be_bytes()]);
    let mut count = 0;
    reader.range(Table::Chat, &from, &to, &mut |_, _| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count)
}
