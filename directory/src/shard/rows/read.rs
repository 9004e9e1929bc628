//! Rows back into the state.

use answerback_proto::id::{
    DeviceId, Generation, PartNumber, PartitionId, Position, Sequence, TokenId, UserId,
};
use answerback_proto::kind::ChatSettings;
use answerback_proto::record::Settings;
use bytes::Bytes;

use super::super::chat::{Chat, Parked, Receipt, ReceiptKind, Sender};
use super::super::checkpoint::Table;
use super::super::digest::Digest;
use super::super::effect::EntryBody;
use super::super::grant::RevokedToken;
use super::super::group::{Group, Seat, numbered_users};
use super::super::inbox::{Inbox, InboxEntry};
use super::super::parts::{About, Incoming, Outgoing, PartBody};
use super::super::sequence::Decisions;
use super::super::state::State;
use super::super::user::{Attempts, Device, Existence, Standing, User, Visibility};
use super::super::withheld::WithheldMessage;
use super::fields::Fields;
use super::{
    CHAT_DELETED, CHAT_SET, COPIED, DELETED_UP_TO, DELIVERED, ERASE, ERASED, ERASED_UP_TO, FAILED,
    GROUP, GROUP_FAILED, GROUP_READ_ELSEWHERE, GROUP_READ_UP_TO, GROUP_RECEIPT, HAS_PARKED,
    HAS_SETTINGS, HAS_TALLIES, HAS_UNREAD, HAS_WITHHELD, IN_GROUP, MESSAGE, OWN, PURGED, PURGING,
    READ_BY, READ_ELSEWHERE, TOKENS, WITH_LOGIN, group,
};
use crate::ports::StorageFault;

/// Of a device's row: position, count, time.
const ATTEMPTS_BYTES: usize = 8 + 2 + 8;

/// What of a chat lies in tables of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Besides {
    /// Messages that came early.
    pub(crate) parked: bool,
    /// Messages that are withheld.
    pub(crate) withheld: bool,
    /// Messages of a group that are unread.
    pub(crate) unread: bool,
    /// Receipts that are counted.
    pub(crate) tallies: bool,
}

impl Besides {
    /// Whether there is any of it.
    pub(crate) fn is_any(self) -> bool {
        self.parked || self.withheld || self.unread || self.tallies
    }
}

/// The tables whose rows are in memory from the start.
pub const RESIDENT_TABLES: [Table; 3] = [Table::Partition, Table::Outgoing, Table::Incoming];

/// Takes a row of a resident table into the state.
///
/// # Errors
/// A row of another partition, or that this version cannot have written.
pub(crate) fn load(
    state: &mut State,
    table: Table,
    key: &[u8],
    value: &[u8],
) -> Result<(), StorageFault> {
    read_row(state, table, key, value).ok_or_else(|| {
        StorageFault::new(format_args!(
            "the table {} of partition {} holds a row of {} and {} bytes that cannot be read",
            table.name(),
            state.partition,
            key.len(),
            value.len(),
        ))
    })
}

fn read_row(state: &mut State, table: Table, key: &[u8], value: &[u8]) -> Option<()> {
    let (mut key, mut value) = (Fields(key), Fields(value));
    if key.be_u16()? != state.partition.0 {
        return None;
    }
    match table {
        Table::Partition => read_partition(state, &mut value)?,
        Table::Outgoing => read_outgoing(state, &mut key, &mut value)?,
        Table::Incoming => {
            let generation = Generation(value.u64()?);
            let incoming = Incoming { generation, taken: PartNumber(value.u64()?), changed: false };
            state.incoming.insert(PartitionId(key.be_u16()?), incoming);
        }
        _ => return None,
    }
    (key.is_empty() && value.is_empty()).then_some(())
}

fn read_partition(state: &mut State, value: &mut Fields<'_>) -> Option<()> {
    state.clock_ms = value.u64()?;
    state.digest = Digest::restore(value.u64()?);
    state.version = value.u16()?;
    state.is_clock_doubted = value.u8()? != 0;
    state.generation = Generation(value.u64()?);
    state.settings = Settings {
        inbox_messages_max: value.u32()?,
        inbox_bytes_max: value.u64()?,
        sender_messages_max: value.u32()?,
        device_lag_max: value.u32()?,
        devices_max: value.u16()?,
        lapse_s: value.u32()?,
        gap_s: value.u32()?,
        retry_limit: value.u16()?,
        retry_span_s: value.u32()?,
        clock_jump_s: value.u32()?,
    };
    Some(())
}

fn read_outgoing(state: &mut State, key: &mut Fields<'_>, value: &mut Fields<'_>) -> Option<()> {
    let destination = PartitionId(key.be_u16()?);
    if key.is_empty() {
        let (next, confirmed) = (PartNumber(value.u64()?), PartNumber(value.u64()?));
        state.outgoing.insert(destination, Outgoing::load(next, confirmed));
        return Some(());
    }
    let number = PartNumber(key.be_u64()?);
    let body = read_part(value)?;
    state.outgoing.get_mut(&destination)?.load_part(number, body);
    Some(())
}

/// A part to another partition.
pub(crate) fn read_part(value: &mut Fields<'_>) -> Option<PartBody> {
    let kind = value.u8()?;
    let about = About {
        user: UserId(value.u128()?),
        peer: UserId(value.u128()?),
        device: DeviceId(value.u128()?),
    };
    Some(match kind {
        DELIVERED => {
            let (up_to, delivered_at_ms) = (value.u64()?, value.u64()?);
            PartBody::Delivered { about, up_to, delivered_at_ms, except: value.ranges()? }
        }
        READ_BY => PartBody::Read { about, up_to: value.u64()?, read_at_ms: value.u64()? },
        FAILED => PartBody::Failed { about, sequence: value.u64()?, code: value.u16()? },
        COPIED => PartBody::Copy {
            about,
            sequence: value.u64()?,
            accepted_at_ms: value.u64()?,
            content_type: value.u16()?,
            payload: Bytes::copy_from_slice(value.rest()),
        },
        ERASE => PartBody::Erase { about, marks: Bytes::copy_from_slice(value.rest()) },
        ERASED => PartBody::Erased { about, marks: Bytes::copy_from_slice(value.rest()) },
        _ => return group::read_part(kind, about, value),
    })
}

/// A user's head, from the row's key and value.
pub(crate) fn read_head_row(key: &[u8], value: &[u8]) -> Option<User> {
    let mut key = Fields(key.get(2..)?);
    let id = UserId(key.be_u128()?);
    read_head(id, value).filter(|_| key.is_empty())
}

/// A user's head, without devices. Between its fixed fields and the ids of those with gaps
/// stands what few users have, what is void of the user's tokens, and that the user was
/// purged: each begins with a byte of its own, and where none stands the rest is a number of
/// whole ids.
pub(crate) fn read_head(id: UserId, value: &[u8]) -> Option<User> {
    let mut value = Fields(value);
    let mut user = User::unknown(id);
    let next = value.u64()?;
    let next = if planted!(PositionReused) && next > 1 { next - 1 } else { next };
    user.inbox = Inbox::stored(Position(next));
    user.floor = Position(value.u64()?);
    user.live = value.u32()?;
    user.above = value.u32()?;
    user.messages = value.u32()?;
    user.bytes = value.u64()?;
    user.due_ms = value.u64()?;
    user.existence = Existence::Exists;
    while !value.len().is_multiple_of(size_of::<u128>()) {
        match value.u8()? {
            OWN => read_own(&mut user, &mut value)?,
            TOKENS => read_revocations(&mut user, &mut value)?,
            PURGING => {
                user.set_purged_up_to(Position(value.u64()?));
                user.existence = Existence::Purging;
            }
            PURGED => user.existence = Existence::Purged,
            GROUP => {
                let mut group = Group::default();
                group.last_accepted_ms = value.u64()?;
                user.set_group(group);
                user.existence = Existence::Group;
            }
            _ => return None,
        }
    }
    let mut gaps = Vec::new();
    while !value.is_empty() {
        gaps.push(UserId(value.u128()?));
    }
    user.set_gaps(gaps);
    user.stored_due_ms = user.next_due_ms();
    Some(user)
}

fn read_own(user: &mut User, value: &mut Fields<'_>) -> Option<()> {
    user.set_visibility(Visibility::of(value.u8()?.into())?);
    let (set_chats, withheld) = (value.u16()?, value.u16()?);
    user.note_contacts(value.u16()?);
    user.set_for_contacts(match value.u8()? {
        0 => false,
        1 => true,
        _ => return None,
    });
    let (written_to, untold) = (value.u8()?, value.u16()?);
    user.note_set_chats(set_chats);
    for _ in 0..withheld {
        let peer = UserId(value.u128()?);
        user.note_withheld(peer, Some(value.u64()?));
    }
    for _ in 0..untold {
        let group = UserId(value.u128()?);
        user.note_untold(group, Some(value.u64()?));
    }
    for _ in 0..written_to {
        user.note_written_to(UserId(value.u128()?));
    }
    Some(())
}

fn read_revocations(user: &mut User, value: &mut Fields<'_>) -> Option<()> {
    let void = user.revocations_mut();
    void.issued_before_s = value.u64()?;
    let count = value.u8()?;
    let mut read = || {
        let token = TokenId(value.u128()?);
        Some(RevokedToken { token, expires_s: value.u64()? })
    };
    void.tokens = (0..count).map(|_| read()).collect::<Option<_>>()?;
    Some(())
}

/// A device of a user. Behind its standing stand its last login and its name, where the row is
/// not an older version's; then attempts, and its tickets, or neither.
pub(crate) fn read_device(key: &[u8], value: &[u8]) -> Option<Device> {
    let (mut key, mut value) = (Fields(key.get(18..)?), Fields(value));
    let mut device = Device {
        id: DeviceId(key.be_u128()?),
        cursor: Position(value.u64()?),
        connection_counter: value.u64()?,
        ..Device::default()
    };
    let standing = value.u8()?;
    device.standing = match standing & !WITH_LOGIN {
        0 => Standing::Active,
        1 => Standing::Lapsed,
        2 => Standing::Revoked,
        3 => Standing::Returned,
        _ => return None,
    };
    if standing & WITH_LOGIN != 0 {
        device.last_login_s = value.u32()?;
        let length = value.u8()?;
        device.set_name(std::str::from_utf8(value.bytes(usize::from(length))?).ok()?);
        device.changed = false;
    }
    if value.len() >= ATTEMPTS_BYTES {
        let (position, count) = (Position(value.u64()?), value.u16()?);
        let first_ms = value.u64()?;
        device.attempts = Some(Box::new(Attempts { position, count, first_ms }));
    }
    if !value.is_empty() {
        device.ticket = value.u64()?;
    }
    (key.is_empty() && value.is_empty()).then_some(device)
}

/// A chat without senders, and what of it lies in other tables.
pub(crate) fn read_chat(value: &[u8]) -> Option<(Chat, Besides)> {
    let mut value = Fields(value);
    let (last_accepted_ms, waiting) = (value.u64()?, value.u32()?);
    let mut chat = Chat::default();
    (chat.last_accepted_ms, chat.waiting, chat.used) = (last_accepted_ms, waiting, true);
    let flags = value.u8()?;
    let has = |flag: u8| flags & flag != 0;
    let besides = Besides {
        parked: has(HAS_PARKED),
        withheld: has(HAS_WITHHELD),
        unread: has(HAS_UNREAD),
        tallies: has(HAS_TALLIES),
    };
    if has(HAS_SETTINGS) {
        let (flags, muted_until_ms) = (value.u16()?, value.u64()?);
        chat.set_settings(ChatSettings { flags, muted_until_ms });
    }
    if has(IN_GROUP) {
        let (slot, since) = (value.u16()?, value.u32()?);
        chat.group_or_new().seat = Some(Seat { slot, since });
    }
    while !value.is_empty() {
        let kind = match value.u8()? {
            GROUP_FAILED => {
                let (device, sequence) = (DeviceId(value.u128()?), Sequence(value.u64()?));
                chat.note_failure(device, sequence, Position(value.u64()?));
                continue;
            }
            1 => ReceiptKind::Delivered,
            2 => ReceiptKind::ReadBy,
            3 => ReceiptKind::ReadElsewhere,
            GROUP_READ_UP_TO => {
                chat.group_or_new().read_up_to = Position(value.u64()?);
                continue;
            }
            DELETED_UP_TO => {
                chat.deleted_up_to = Position(value.u64()?);
                continue;
            }
            4 => ReceiptKind::ChatSet,
            5 => ReceiptKind::GroupReadElsewhere,
            _ => return None,
        };
        let (device, position) = (DeviceId(value.u128()?), Position(value.u64()?));
        chat.receipts.push(Receipt { kind, device, position });
    }
    chat.changed = false;
    Some((chat, besides))
}

/// A sending device of a chat.
pub(crate) fn read_sender(key: &[u8], value: &[u8]) -> Option<Sender> {
    let (mut key, mut value) = (Fields(key.get(34..)?), Fields(value));
    let device = DeviceId(key.be_u128()?);
    let (last, delivered_up_to) = (Sequence(value.u64()?), Sequence(value.u64()?));
    let (read_up_to, gap_since_ms) = (Sequence(value.u64()?), value.u64()?);
    let mut erased_up_to = Sequence(0);
    // Decisions have 8 bytes each.
    if !value.len().is_multiple_of(size_of::<u64>()) {
        if value.u8()? != ERASED_UP_TO {
            return None;
        }
        erased_up_to = Sequence(value.u64()?);
    }
    let mut recent = Vec::new();
    while !value.is_empty() {
        recent.push(value.u64()?);
    }
    let decisions = Decisions::restore(last, recent.into_iter());
    let sender = Sender {
        device,
        decisions,
        delivered_up_to,
        read_up_to,
        erased_up_to,
        gap_since_ms,
        ..Sender::default()
    };
    key.is_empty().then_some(sender)
}

/// The other end of the chat that a row belongs to.
pub(crate) fn peer_of(key: &[u8]) -> Option<UserId> {
    Fields(key.get(18..)?).be_u128().map(UserId)
}

/// A parked message, its device and number.
pub(crate) fn read_parked(key: &[u8], value: &[u8]) -> Option<(DeviceId, Sequence, Parked)> {
    let (mut key, mut value) = (Fields(key.get(34..)?), Fields(value));
    let (device, sequence) = (DeviceId(key.be_u128()?), Sequence(key.be_u64()?));
    let parked = Parked {
        recalled: Sequence(value.u64()?),
        seen_ms: value.u64()?,
        life_s: value.u32()?,
        content_type: value.u16()?,
        flags: value.u16()?,
        payload: Bytes::copy_from_slice(value.rest()),
        is_stored: true,
    };
    key.is_empty().then_some((device, sequence, parked))
}

/// A withheld message, its device and number.
pub(crate) fn read_withheld(
    key: &[u8],
    value: &[u8],
) -> Option<(DeviceId, Sequence, WithheldMessage)> {
    let (mut key, mut value) = (Fields(key.get(34..)?), Fields(value));
    let (device, sequence) = (DeviceId(key.be_u128()?), Sequence(key.be_u64()?));
    let (expires_at_ms, bytes) = (value.u64()?, value.u32()?);
    let message = WithheldMessage { expires_at_ms, bytes, is_stored: true };
    (key.is_empty() && value.is_empty()).then_some((device, sequence, message))
}

/// How many messages of a sender wait.
pub(crate) fn read_outstanding(value: &[u8]) -> Option<u32> {
    let mut value = Fields(value);
    let count = value.u32()?;
    value.is_empty().then_some(count)
}

/// Whom a user has among his contacts.
pub(crate) fn read_contacts(value: &[u8]) -> Option<Vec<UserId>> {
    let mut value = Fields(value);
    let mut users = Vec::new();
    while !value.is_empty() {
        users.push(UserId(value.u128()?));
    }
    Some(users)
}

/// When a user was there last.
pub(crate) fn read_presence(value: &[u8]) -> Option<u64> {
    let mut value = Fields(value);
    let last_ms = value.u64()?;
    value.is_empty().then_some(last_ms)
}

/// When whose time has come.
pub(crate) fn read_expiry(key: &[u8]) -> Option<(u64, UserId)> {
    let mut key = Fields(key.get(2..)?);
    let (due_ms, user) = (key.be_u64()?, UserId(key.be_u128()?));
    key.is_empty().then_some((due_ms, user))
}

/// An entry, without its payload, which goes to the end of `payloads`.
pub(crate) fn read_inbox(
    key: &[u8],
    value: &[u8],
    payloads: &mut Vec<u8>,
) -> Option<(Position, InboxEntry)> {
    let mut key = Fields(key.get(18..)?);
    let position = Position(key.be_u64()?);
    let entry = read_entry(&mut Fields(value), payloads)?;
    key.is_empty().then_some((position, entry))
}

fn read_entry(value: &mut Fields<'_>, payloads: &mut Vec<u8>) -> Option<InboxEntry> {
    let kind = value.u8()?;
    if let Some(body) = group::read_reference(kind, value) {
        return value.is_empty().then_some(body);
    }
    let (peer, device, put_at_ms) = (UserId(value.u128()?), DeviceId(value.u128()?), value.u64()?);
    let (mut expires_at_ms, mut payload_bytes) = (0, 0);
    let mut rest_of = |value: &mut Fields<'_>| {
        let rest = value.rest();
        payload_bytes = rest.len() as u32;
        payloads.extend_from_slice(rest);
        Bytes::new()
    };
    let body = match kind {
        MESSAGE => {
            let (sequence, accepted_at_ms) = (Sequence(value.u64()?), value.u64()?);
            expires_at_ms = value.u64()?;
            let content_type = value.u16()?;
            let payload = rest_of(value);
            EntryBody::Message { device, sequence, accepted_at_ms, content_type, payload }
        }
        COPIED => {
            let (sequence, accepted_at_ms) = (Sequence(value.u64()?), value.u64()?);
            let content_type = value.u16()?;
            let payload = rest_of(value);
            EntryBody::Copied { device, sequence, accepted_at_ms, content_type, payload }
        }
        DELIVERED => EntryBody::Delivered {
            device,
            up_to: Sequence(value.u64()?),
            delivered_at_ms: value.u64()?,
            except: value.ranges()?,
        },
        CHAT_SET => EntryBody::ChatSet {
            settings: ChatSettings { flags: value.u16()?, muted_until_ms: value.u64()? },
        },
        READ_BY => {
            EntryBody::ReadBy { device, up_to: Sequence(value.u64()?), read_at_ms: value.u64()? }
        }
        READ_ELSEWHERE => EntryBody::ReadElsewhere {
            device,
            up_to: Sequence(value.u64()?),
            read_at_ms: value.u64()?,
            reader: DeviceId(value.u128()?),
        },
        CHAT_DELETED => {
            let up_to = Position(value.u64()?);
            EntryBody::ChatDeleted { device, up_to, marks: rest_of(value) }
        }
        FAILED => {
            EntryBody::Failed { device, sequence: Sequence(value.u64()?), code: value.u16()? }
        }
        GROUP_RECEIPT => EntryBody::GroupReceipt {
            device,
            sequence: Sequence(value.u64()?),
            version: value.u32()?,
            bits: value.slot_bits()?.into(),
        },
        GROUP_READ_ELSEWHERE => EntryBody::GroupReadElsewhere {
            reader: device,
            up_to: Position(value.u64()?),
            read_at_ms: value.u64()?,
        },
        GROUP_FAILED => EntryBody::GroupFailed {
            device,
            sequence: Sequence(value.u64()?),
            members: numbered_users(value.rest()).into(),
        },
        _ => return None,
    };
    let entry = InboxEntry { peer, put_at_ms, expires_at_ms, payload_bytes, body };
    value.is_empty().then_some(entry)
}
