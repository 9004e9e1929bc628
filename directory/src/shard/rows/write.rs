//! The rows that changed since the last checkpoint.

use answerback_proto::id::{DeviceId, PartitionId, Sequence, UserId};
use answerback_proto::kind::SequenceRange;

use super::super::chat::{Chat, Sender};
use super::super::checkpoint::{Rows, Table};
use super::super::effect::EntryBody;
use super::super::group::list_numbered;
use super::super::inbox::{Inbox, InboxEntry};
use super::super::parts::{Incoming, Outgoing, PartBody};
use super::super::state::State;
use super::super::user::{ALWAYS, Device, Existence, NEVER, User};
use super::super::withheld::Withheld;
use super::{
    CHAT_DELETED, CHAT_SET, COPIED, DELETED_UP_TO, DELIVERED, ERASE, ERASED, ERASED_UP_TO, FAILED,
    GROUP, GROUP_CHANGED, GROUP_COPIED, GROUP_FAILED, GROUP_MESSAGE, GROUP_READ_ELSEWHERE,
    GROUP_RECEIPT, HAS_PARKED, HAS_SETTINGS, HAS_TALLIES, HAS_UNREAD, HAS_WITHHELD, IN_GROUP,
    MESSAGE, OWN, PURGED, PURGING, READ_BY, READ_ELSEWHERE, TOKENS, WITH_LOGIN,
};

/// Every row that changed since the last checkpoint, which it now is.
pub(crate) fn freeze(state: &mut State, changed_users: &[UserId]) -> Rows {
    let mut writer = Writer::new(state.partition);
    writer.partition_row(state);
    let changed = changed_users.iter();
    changed.filter_map(|id| state.users.get(*id)).for_each(|user| writer.user(user));
    let changed = state.changed_senders.iter();
    for counted in changed.filter_map(|id| state.outstanding.get(*id)) {
        writer.key(&[&counted.sender.0.to_be_bytes()]);
        match counted.count {
            0 if counted.is_stored => writer.delete(Table::Sender),
            0 => {}
            count => writer.u32(count).put(Table::Sender),
        }
    }
    state.bodies.changed().for_each(|(place, body)| writer.body(place, body));
    for (destination, outgoing) in &state.outgoing {
        writer.outgoing(*destination, outgoing);
    }
    for (source, incoming) in &state.incoming {
        writer.incoming(*source, incoming);
    }
    state.handle_frozen(changed_users);
    writer.rows
}

/// The key of a row: the partition, then its parts.
pub(crate) fn key(partition: PartitionId, parts: &[&[u8]]) -> Vec<u8> {
    [&partition.0.to_be_bytes()]
        .into_iter()
        .map(|bytes| bytes.as_slice())
        .chain(parts.iter().copied())
        .collect::<Vec<_>>()
        .concat()
}

/// The keys of all rows that begin with these parts: the first, and the one behind them.
pub(crate) fn range(partition: PartitionId, parts: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
    let from = key(partition, parts);
    let mut to = from.clone();
    while let Some(last) = to.pop() {
        if last < u8::MAX {
            to.push(last + 1);
            break;
        }
    }
    (from, to)
}

/// Collects one row after the other.
pub(super) struct Writer {
    rows: Rows,
    partition: PartitionId,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Writer {
    fn new(partition: PartitionId) -> Self {
        Self { rows: Rows::default(), partition, key: Vec::new(), value: Vec::new() }
    }

    fn partition_row(&mut self, state: &State) {
        let settings = state.settings.clone();
        self.key(&[]).u64(state.clock_ms).u64(state.digest.value()).u16(state.version);
        self.u8(u8::from(state.is_clock_doubted)).u64(state.generation.0);
        self.u32(settings.inbox_messages_max).u64(settings.inbox_bytes_max);
        self.u32(settings.sender_messages_max).u32(settings.device_lag_max);
        self.u16(settings.devices_max).u32(settings.lapse_s).u32(settings.gap_s);
        self.u16(settings.retry_limit).u32(settings.retry_span_s).u32(settings.clock_jump_s);
        self.put(Table::Partition);
    }

    fn user(&mut self, user: &User) {
        if user.existence == Existence::Unknown {
            return;
        }
        let id = user.id.0.to_be_bytes();
        self.key(&[&id]).u64(user.inbox.next_position().0).u64(user.floor.0);
        self.u32(user.live).u32(user.above).u32(user.messages).u64(user.bytes).u64(user.due_ms);
        self.own(user);
        if let Some(void) = user.revocations()
            && !planted!(RevocationsNotPersisted)
        {
            self.u8(TOKENS).u64(void.issued_before_s).u8(void.tokens.len() as u8);
            for revoked in &void.tokens {
                self.u128(revoked.token.0).u64(revoked.expires_s);
            }
        }
        match user.existence {
            Existence::Unknown | Existence::Exists => {}
            Existence::Purging => {
                self.u8(PURGING).u64(user.purged_up_to().0);
            }
            Existence::Purged => {
                self.u8(PURGED);
            }
            Existence::Group => {
                let last_ms = user.group().map_or(0, |group| group.last_accepted_ms);
                self.u8(GROUP).u64(last_ms);
            }
        }
        user.gaps().iter().for_each(|peer| {
            self.u128(peer.0);
        });
        self.put(Table::Cursor);
        if let Some(group) = user.group().filter(|group| group.changed) {
            self.group(&id, group);
        }
        if user.existence != Existence::Exists {
            self.key(&[&id]).delete(Table::Presence);
            self.key(&[&id]).delete(Table::Contacts);
        }
        if let Some(contacts) = user.changed_contacts() {
            self.key(&[&id]);
            contacts.iter().for_each(|contact| {
                self.u128(contact.0);
            });
            match contacts.is_empty() {
                true => self.delete(Table::Contacts),
                false => self.put(Table::Contacts),
            }
        }
        for device in user.devices.iter().filter(|device| device.changed) {
            self.device(&id, device);
        }
        for (peer, chat) in &user.chats {
            self.chat(&id, *peer, chat);
        }
        self.inbox(&id, &user.inbox);
        self.due(&id, user);
    }

    /// What few users have: 12 bytes, 24 a chat and 16 an id, so that with what follows it is
    /// never a number of whole ids.
    fn own(&mut self, user: &User) {
        let withheld: Vec<_> = user.withheld().collect();
        let visibility = user.visibility();
        let (contacts, written_to) = (user.contacts_count(), user.written_to());
        let untold = user.untold().filter(|_| !planted!(UntoldNotPersisted));
        let untold: Vec<_> = untold.collect();
        let is_for_contacts = user.is_for_contacts() && !planted!(WritersNotPersisted);
        let is_usual =
            visibility.is_everybody() && contacts == 0 && !is_for_contacts && untold.is_empty();
        if user.set_chats() == 0 && withheld.is_empty() && is_usual {
            return;
        }
        self.u8(OWN)
            .u8(visibility as u8)
            .u16(user.set_chats())
            .u16(withheld.len() as u16)
            .u16(contacts)
            .u8(u8::from(is_for_contacts))
            .u8(written_to.len() as u8)
            .u16(untold.len() as u16);
        for (peer, due_ms) in withheld.into_iter().chain(untold) {
            self.u128(peer.0).u64(due_ms);
        }
        written_to.iter().for_each(|peer| {
            self.u128(peer.0);
        });
    }

    fn due(&mut self, id: &[u8; 16], user: &User) {
        let (due_ms, stored_due_ms) = (user.next_due_ms(), user.stored_due_ms);
        if due_ms == stored_due_ms {
            return;
        }
        if stored_due_ms != NEVER {
            self.key(&[&stored_due_ms.to_be_bytes(), id]).delete(Table::Expiry);
        }
        if due_ms != NEVER && !(due_ms == ALWAYS && planted!(PurgeStops)) {
            self.key(&[&due_ms.to_be_bytes(), id]).put(Table::Expiry);
        }
    }

    fn device(&mut self, user: &[u8; 16], device: &Device) {
        self.key(&[user, &device.id.0.to_be_bytes()]);
        self.u64(device.cursor.0).u64(device.connection_counter);
        self.u8(device.standing as u8 | WITH_LOGIN).u32(device.last_login_s);
        let name = if planted!(NameNotPersisted) { "" } else { device.name() };
        self.u8(name.len() as u8).bytes(name.as_bytes());
        if let Some(attempts) = &device.attempts {
            self.u64(attempts.position.0).u16(attempts.count).u64(attempts.first_ms);
        }
        if device.ticket > 0 {
            self.u64(device.ticket);
        }
        self.put(Table::Device);
    }

    fn chat(&mut self, user: &[u8; 16], peer: UserId, chat: &Chat) {
        let peer = peer.0.to_be_bytes();
        if chat.is_changed() {
            self.key(&[user, &peer]).u64(chat.last_accepted_ms).u32(chat.waiting);
            let settings = chat.settings();
            let has_settings = !settings.is_default() && !planted!(ChatSettingsNotPersisted);
            let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
            self.u8(flag(chat.has_gap(), HAS_PARKED)
                | flag(chat.withheld().0 > 0, HAS_WITHHELD)
                | flag(has_settings, HAS_SETTINGS)
                | flag(chat.is_member(), IN_GROUP)
                | flag(chat.group().is_some_and(|group| !group.unread.is_empty()), HAS_UNREAD)
                | flag(chat.group().is_some_and(|group| !group.tallies.is_empty()), HAS_TALLIES));
            if has_settings {
                self.u16(settings.flags).u64(settings.muted_until_ms);
            }
            self.group_chat(chat.group());
            if chat.deleted_up_to.0 > 0 && !planted!(MarksNotPersisted) {
                self.u8(DELETED_UP_TO).u64(chat.deleted_up_to.0);
            }
            for receipt in &chat.receipts {
                self.u8(receipt.kind as u8).u128(receipt.device.0).u64(receipt.position.0);
            }
            for (device, sequence, position) in chat.failures() {
                self.u8(GROUP_FAILED).u128(device.0).u64(sequence.0).u64(position.0);
            }
            self.put(Table::Chat);
        }
        for sender in chat.senders.iter().filter(|sender| sender.changed) {
            self.sender(user, &peer, sender);
        }
        if let Some(group) = chat.group() {
            self.group_receipts(user, &peer, group);
        }
    }

    fn sender(&mut self, user: &[u8; 16], peer: &[u8; 16], sender: &Sender) {
        let device = sender.device.0.to_be_bytes();
        self.key(&[user, peer, &device]);
        self.u64(sender.decisions.last().0).u64(sender.delivered_up_to.0);
        self.u64(sender.read_up_to.0).u64(sender.gap_since_ms);
        if sender.erased_up_to.0 > 0 && !planted!(MarksNotPersisted) {
            self.u8(ERASED_UP_TO).u64(sender.erased_up_to.0);
        }
        for packed in sender.decisions.recent() {
            self.u64(packed);
        }
        self.put(Table::Sequence);
        for number in &sender.unparked {
            self.key(&[user, peer, &device, &number.0.to_be_bytes()]).delete(Table::Parked);
        }
        self.withheld(&[user, peer, &device], &sender.withheld);
        for (number, parked) in sender.parked.iter().filter(|(_, parked)| !parked.is_stored) {
            self.key(&[user, peer, &device, &number.0.to_be_bytes()]);
            self.u64(parked.recalled.0).u64(parked.seen_ms).u32(parked.life_s);
            self.u16(parked.content_type).u16(parked.flags).bytes(&parked.payload);
            self.put(Table::Parked);
        }
    }

    fn withheld(&mut self, [user, peer, device]: &[&[u8; 16]; 3], withheld: &Withheld) {
        let key = |number: Sequence| number.0.to_be_bytes();
        for number in withheld.removed() {
            self.key(&[*user, *peer, *device, &key(*number)]).delete(Table::Withheld);
        }
        for (number, message) in withheld.iter().filter(|(_, message)| !message.is_stored) {
            self.key(&[*user, *peer, *device, &key(number)]);
            self.u64(message.expires_at_ms).u32(message.bytes).put(Table::Withheld);
        }
    }

    fn inbox(&mut self, user: &[u8; 16], inbox: &Inbox) {
        for position in inbox.removed() {
            self.key(&[user, &position.0.to_be_bytes()]).delete(Table::Inbox);
        }
        for (position, entry) in inbox.unstored() {
            self.key(&[user, &position.0.to_be_bytes()]).entry(entry).put(Table::Inbox);
        }
    }

    fn outgoing(&mut self, destination: PartitionId, outgoing: &Outgoing) {
        if !outgoing.changed() {
            return;
        }
        let key = destination.0.to_be_bytes();
        self.key(&[&key]).u64(outgoing.next().0).u64(outgoing.confirmed().0).put(Table::Outgoing);
        for number in outgoing.removed() {
            self.key(&[&key, &number.0.to_be_bytes()]).delete(Table::Outgoing);
        }
        for (number, _, body) in outgoing.behind(outgoing.stored_up_to()) {
            self.key(&[&key, &number.0.to_be_bytes()]).part(body).put(Table::Outgoing);
        }
    }

    fn incoming(&mut self, source: PartitionId, incoming: &Incoming) {
        if incoming.changed && !planted!(IncomingNotPersisted) {
            self.key(&[&source.0.to_be_bytes()]);
            self.u64(incoming.generation.0).u64(incoming.taken.0).put(Table::Incoming);
        }
    }

    fn entry(&mut self, entry: &InboxEntry) -> &mut Self {
        let &InboxEntry { peer, put_at_ms, expires_at_ms, .. } = entry;
        match &entry.body {
            EntryBody::Message { device, sequence, accepted_at_ms, content_type, payload } => {
                self.entry_head(MESSAGE, peer, *device, put_at_ms);
                self.u64(sequence.0).u64(*accepted_at_ms).u64(expires_at_ms);
                self.u16(*content_type).bytes(payload)
            }
            EntryBody::Copied { device, sequence, accepted_at_ms, content_type, payload } => {
                self.entry_head(COPIED, peer, *device, put_at_ms);
                self.u64(sequence.0).u64(*accepted_at_ms).u16(*content_type).bytes(payload)
            }
            EntryBody::Delivered { device, up_to, delivered_at_ms, except } => {
                self.entry_head(DELIVERED, peer, *device, put_at_ms);
                self.u64(up_to.0).u64(*delivered_at_ms).ranges(except)
            }
            EntryBody::ChatSet { settings } => {
                self.entry_head(CHAT_SET, peer, DeviceId(0), put_at_ms);
                self.u16(settings.flags).u64(settings.muted_until_ms)
            }
            EntryBody::ReadBy { device, up_to, read_at_ms } => {
                self.entry_head(READ_BY, peer, *device, put_at_ms);
                self.u64(up_to.0).u64(*read_at_ms)
            }
            EntryBody::ReadElsewhere { device, up_to, read_at_ms, reader } => {
                self.entry_head(READ_ELSEWHERE, peer, *device, put_at_ms);
                self.u64(up_to.0).u64(*read_at_ms).u128(reader.0)
            }
            EntryBody::Failed { device, sequence, code } => {
                self.entry_head(FAILED, peer, *device, put_at_ms);
                self.u64(sequence.0).u16(*code)
            }
            EntryBody::ChatDeleted { device, up_to, marks } => {
                self.entry_head(CHAT_DELETED, peer, *device, put_at_ms);
                self.u64(up_to.0).bytes(marks)
            }
            EntryBody::GroupMessage(word) => self.u8(GROUP_MESSAGE).u64(word.place),
            EntryBody::GroupCopied(word) => self.u8(GROUP_COPIED).u64(word.place),
            EntryBody::GroupChanged(word) => self.u8(GROUP_CHANGED).u64(word.place),
            EntryBody::GroupReceipt { device, sequence, version, bits } => {
                self.entry_head(GROUP_RECEIPT, peer, *device, put_at_ms);
                self.u64(sequence.0).u32(*version).slot_bits(bits)
            }
            EntryBody::GroupReadElsewhere { reader, up_to, read_at_ms } => {
                self.entry_head(GROUP_READ_ELSEWHERE, peer, *reader, put_at_ms);
                self.u64(up_to.0).u64(*read_at_ms)
            }
            EntryBody::GroupFailed { device, sequence, members } => {
                self.entry_head(GROUP_FAILED, peer, *device, put_at_ms);
                self.u64(sequence.0).bytes(&list_numbered(members))
            }
        }
    }

    fn entry_head(&mut self, kind: u8, peer: UserId, device: DeviceId, put_at_ms: u64) {
        self.u8(kind).u128(peer.0).u128(device.0).u64(put_at_ms);
    }

    fn part(&mut self, body: &PartBody) -> &mut Self {
        let about = body.about();
        let (user, peer, device) = (about.user.0, about.peer.0, about.device.0);
        match body {
            PartBody::Delivered { up_to, delivered_at_ms, except, .. } => {
                self.u8(DELIVERED).u128(user).u128(peer).u128(device);
                self.u64(*up_to).u64(*delivered_at_ms).ranges(except)
            }
            PartBody::Read { up_to, read_at_ms, .. } => {
                self.u8(READ_BY).u128(user).u128(peer).u128(device);
                self.u64(*up_to).u64(*read_at_ms)
            }
            PartBody::Failed { sequence, code, .. } => {
                self.u8(FAILED).u128(user).u128(peer).u128(device);
                self.u64(*sequence).u16(*code)
            }
            PartBody::Copy { sequence, accepted_at_ms, content_type, payload, .. } => {
                self.u8(COPIED).u128(user).u128(peer).u128(device);
                self.u64(*sequence).u64(*accepted_at_ms).u16(*content_type).bytes(payload)
            }
            PartBody::Erase { marks, .. } => {
                self.u8(ERASE).u128(user).u128(peer).u128(device).bytes(marks)
            }
            PartBody::Erased { marks, .. } => {
                self.u8(ERASED).u128(user).u128(peer).u128(device).bytes(marks)
            }
            PartBody::Group { .. }
            | PartBody::GroupFailed { .. }
            | PartBody::GroupReceipt { .. }
            | PartBody::GroupGone { .. } => self.group_part(body),
        }
    }

    /// Behind all else.
    fn ranges(&mut self, ranges: &[SequenceRange]) -> &mut Self {
        for range in ranges {
            self.u64(range.first.0).u64(range.last.0);
        }
        self
    }

    pub(super) fn key(&mut self, parts: &[&[u8]]) -> &mut Self {
        self.key.clear();
        self.value.clear();
        self.key.extend_from_slice(&self.partition.0.to_be_bytes());
        parts.iter().for_each(|part| self.key.extend_from_slice(part));
        self
    }

    pub(super) fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u128(&mut self, value: u128) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.value.extend_from_slice(value);
        self
    }

    pub(super) fn put(&mut self, table: Table) {
        self.rows.put(table, &self.key, &self.value);
    }

    pub(super) fn delete(&mut self, table: Table) {
        self.rows.delete(table, &self.key);
    }
}
