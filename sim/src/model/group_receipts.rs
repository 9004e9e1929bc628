//! Who has a message to a group, and who has read it: what members' homes tell of it, what the
//! sender's home adds up, what his devices are told. Users stand here where the box has bits, so
//! that a slot that names somebody else is seen.

use std::collections::{BTreeMap, BTreeSet};

use answerback_directory::limits::GROUP_RECEIPT_PERIOD_MS;
use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_proto::record::{GroupReadUpTo, GroupReceiptPart, GroupReceiptsChange};

use super::account::{Body, ReceiptKind};
use super::message::MessageNumber;
use super::parts::{Numbers, PartBody};
use super::{Breach, Model, require};

/// Who has a message, and who has read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) delivered: BTreeSet<UserId>,
    pub(super) read: BTreeSet<UserId>,
}

/// What is known of a message at its sender's home.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    message: MessageNumber,
    seen: Seen,
    told_ms: u64,
    position: u64,
    is_untold: bool,
}

/// Messages of a user to a group, by device and number.
type Due = (UserId, Vec<(DeviceId, u64)>);

impl Seen {
    fn of(user: UserId, is_read: bool) -> Self {
        let delivered = BTreeSet::from([user]);
        let read = if is_read { delivered.clone() } else { BTreeSet::new() };
        Self { delivered, read }
    }

    /// Whether any of it is new.
    pub(super) fn add(&mut self, others: &Self) -> bool {
        let before = (self.delivered.len(), self.read.len());
        self.delivered.extend(&others.delivered);
        self.read.extend(&others.read);
        before != (self.delivered.len(), self.read.len())
    }

    pub(super) fn contains(&self, others: &Self) -> bool {
        self.delivered.is_superset(&others.delivered) && self.read.is_superset(&others.read)
    }
}

impl Tally {
    fn due_ms(&self) -> Option<u64> {
        self.is_untold.then_some(self.told_ms + GROUP_RECEIPT_PERIOD_MS)
    }
}

impl Model {
    pub(super) fn change_receipts(&mut self, record: &GroupReceiptsChange) {
        let (alias, actor) = (self.alias(UserId(record.group)), UserId(record.actor));
        self.set_receipts(alias, actor, record.on != 0);
    }

    /// A member has a message, for the first time; of one from before he came nobody is told.
    pub(super) fn tell_has(&mut self, user: UserId, position: u64, message: MessageNumber) {
        let (group, version) = (self.message(message).recipient, self.message(message).version);
        let chat = self.account_mut(user).chat(group);
        if chat.member_since.is_none_or(|since| since > version) {
            return;
        }
        let is_read = position <= chat.group_read_up_to;
        let is_told_read = is_read && !chat.settings.hides_reads();
        if !is_read {
            chat.unread.insert(position, message);
        }
        self.tell_seen(user, message, Seen::of(user, is_told_read));
    }

    /// A user has read a group.
    pub(super) fn read_group(&mut self, record: &GroupReadUpTo) {
        let (user, group) = (UserId(record.user), self.alias(UserId(record.group)));
        let reader = DeviceId(record.reader_device);
        let at_ms = self.home(user).clock_ms;
        let has_others = self.active_devices(user).count() > 1;
        let account = self.account_mut(user);
        let up_to = record.up_to.min(account.last_position());
        if !account.exists || self.group(group).is_none() {
            return;
        }
        let chat = self.account_mut(user).chat(group);
        if chat.member_since.is_none() || up_to <= chat.group_read_up_to {
            return;
        }
        chat.group_read_up_to = up_to;
        let left = chat.unread.split_off(&(up_to + 1));
        let read = std::mem::replace(&mut chat.unread, left);
        let hides_reads = chat.settings.hides_reads();
        for message in read.into_values().filter(|_| !hides_reads) {
            self.tell_seen(user, message, Seen::of(user, true));
        }
        if has_others {
            let body = Body::GroupReadElsewhere { reader, up_to, at_ms };
            let kind = ReceiptKind::GroupReadElsewhere;
            self.put_receipt(user, group, kind, DeviceId(0), body);
        }
    }

    fn tell_seen(&mut self, user: UserId, message: MessageNumber, seen: Seen) {
        let (source, sender) = (self.account(user).partition, self.message(message).sender);
        self.seen.push(seen);
        let body = PartBody::GroupReceipt { message, seen: self.seen.len() - 1 };
        self.make_part(source, sender, body);
    }

    /// A part that waits behind another of the same message contains it.
    pub(super) fn join_seen(&mut self, older: PartBody, newer: PartBody) {
        if let (
            PartBody::GroupReceipt { seen: older, .. },
            PartBody::GroupReceipt { seen: newer, .. },
        ) = (older, newer)
        {
            let known = self.seen[older].clone();
            self.seen[newer].add(&known);
        }
    }

    pub(super) fn group_receipt_part(
        &mut self,
        at: usize,
        part: &GroupReceiptPart,
        payload: &[u8],
    ) -> Result<(), Breach> {
        let group = UserId(part.group);
        let message = self.sent(DeviceId(part.device), group, Sequence(part.sequence))?;
        let (delivered, read) = payload.split_at(usize::from(part.delivered_bytes));
        let came = self.seen_of(message, part.version, delivered, read)?;
        let made = self.made(at, part.source, part.number);
        let Some(PartBody::GroupReceipt { message: of, seen }) = made else {
            return Err(Breach(format!("members have a message, and {made:?} was made")));
        };
        require(of == message && self.seen[seen] == came, || {
            format!("{message:?} is told seen by {came:?}, and {:?} was made", self.seen[seen])
        })?;
        let sender = UserId(part.user);
        let numbers = Numbers { source: part.source, number: part.number, previous: part.previous };
        let takes = self.takes(at, numbers, &PartBody::GroupReceipt { message, seen })?;
        if takes && self.account(sender).exists {
            self.count_seen(sender, message, &came);
        }
        Ok(())
    }

    /// Adds up; tells it at once, or a second after the last time.
    fn count_seen(&mut self, sender: UserId, message: MessageNumber, came: &Seen) {
        let now_ms = self.home(sender).clock_ms;
        let left_up_to = self.left_up_to(sender);
        self.message_mut(message).counted.add(came);
        let (group, of) = self.key_of(message);
        let tallies = &mut self.account_mut(sender).chat(group).tallies;
        if !tallies.contains_key(&of) {
            tallies.retain(|_, tally| {
                tally.is_untold
                    || tally.position > left_up_to
                    || tally.told_ms + GROUP_RECEIPT_PERIOD_MS > now_ms
            });
        }
        let seen = Seen::default();
        let fresh = Tally { message, seen, told_ms: 0, position: 0, is_untold: false };
        let tally = tallies.entry(of).or_insert(fresh);
        if !tally.seen.add(came) {
            return;
        }
        let due_ms = tally.told_ms + GROUP_RECEIPT_PERIOD_MS;
        if due_ms <= now_ms {
            self.put_seen(sender, group, of);
            return;
        }
        tally.is_untold = true;
        let id = self.group_id(group);
        let known = self.account_mut(sender).untold.entry(id).or_insert(due_ms);
        *known = due_ms.min(*known);
    }

    /// What of a user's receipts may be told by now.
    pub(super) fn due_seen(&self, user: UserId, now_ms: u64) -> Vec<Due> {
        let account = self.account(user);
        let groups = account.untold.iter().filter(|(_, due_ms)| **due_ms <= now_ms);
        let due_of = |group: UserId| {
            let tallies = account.chats[group.0 as usize - 1].tallies.iter();
            let due = tallies.filter(|(_, tally)| tally.due_ms().is_some_and(|ms| ms <= now_ms));
            (group, due.map(|(of, _)| *of).collect())
        };
        groups.map(|(id, _)| due_of(self.alias(*id))).collect()
    }

    pub(super) fn tell_due_seen(&mut self, user: UserId, all: Vec<Due>) {
        for (group, due) in all {
            due.into_iter().for_each(|of| self.put_seen(user, group, of));
            let id = self.group_id(group);
            let account = self.account_mut(user);
            let left = account.chat(group).tallies.values().filter_map(Tally::due_ms).min();
            match left {
                Some(due_ms) => drop(account.untold.insert(id, due_ms)),
                None => drop(account.untold.remove(&id)),
            }
        }
    }

    /// One entry a message says all of it: the older one leaves.
    fn put_seen(&mut self, user: UserId, group: UserId, of: (DeviceId, u64)) {
        let now_ms = self.home(user).clock_ms;
        let Some(tally) = self.account_mut(user).chat(group).tallies.get(&of) else { return };
        let (message, seen) = (tally.message, tally.seen.clone());
        self.seen.push(seen);
        let body = Body::GroupReceipt { message, seen: self.seen.len() - 1 };
        let position = self.put(user, group, body, 0, 0);
        let left_up_to = self.left_up_to(user);
        let account = self.account_mut(user);
        let Some(tally) = account.chat(group).tallies.get_mut(&of) else { return };
        (tally.told_ms, tally.is_untold) = (now_ms, false);
        let older = std::mem::replace(&mut tally.position, position);
        if older > left_up_to {
            account.die(older);
        }
    }

    /// Whom some bits name: the members of the version that the message went to.
    pub(super) fn seen_of(
        &self,
        message: MessageNumber,
        version: u32,
        delivered: &[u8],
        read: &[u8],
    ) -> Result<Seen, Breach> {
        let message = self.message(message);
        require(message.has_receipts && message.version == version, || {
            format!("{message} of version {} is told seen as of {version}", message.version)
        })?;
        let holders = self.holders(message.recipient, version);
        let users = |bits: &[u8]| {
            let slots = (0_u16..).zip(bits).flat_map(|(byte, bits)| {
                (0..8).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| byte * 8 + bit)
            });
            let holder = |slot: u16| {
                holders.get(&slot).copied().ok_or_else(|| {
                    Breach(format!("{message} is told seen by slot {slot}, which nobody had"))
                })
            };
            slots.map(holder).collect::<Result<BTreeSet<_>, _>>()
        };
        Ok(Seen { delivered: users(delivered)?, read: users(read)? })
    }

    fn holders(&self, group: UserId, version: u32) -> BTreeMap<u16, UserId> {
        let members = self.group(group).and_then(|group| group.roster(version));
        members.into_iter().flatten().map(|(user, number)| (number >> 4, *user)).collect()
    }

    fn key_of(&self, message: MessageNumber) -> (UserId, (DeviceId, u64)) {
        let message = self.message(message);
        (message.recipient, (message.device, message.sequence.0))
    }

    fn group_id(&self, alias: UserId) -> UserId {
        self.group(alias).map_or(alias, |group| group.id)
    }

    /// Whether receipts wait for their second.
    pub(crate) fn has_untold(&self) -> bool {
        self.accounts.iter().any(|account| account.exists && !account.untold.is_empty())
    }
}
