//! What time brings: messages expire, devices lapse, gaps close, attempts run out. Only the
//! owner's records say when; a clock that jumped brings nothing.

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Position, UserId};
use answerback_proto::record::{Attempt, Due};

use super::super::effect::EntryBody;
use super::super::grant::Revocations;
use super::super::inbox::InboxEntry;
use super::super::user::{Attempts, Device, Existence, NEVER, Standing, User};
use super::{Consequences, Missing, State, Verdict, chat_of, require_known};

impl State {
    /// All that is due of one user.
    pub(super) fn due(
        &mut self,
        record: &Due,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let acting = UserId(record.user);
        let now_ms = record.up_to_ms.min(self.clock_ms);
        let is_doubted = self.is_clock_doubted;
        let user = self.user(acting)?;
        if user.existence == Existence::Purging {
            return self.go_on_with_purge(acting, consequences);
        }
        if is_doubted || user.next_due_ms() > now_ms {
            return Ok(Verdict::Silent);
        }
        let untold = self.require_untold(acting, now_ms)?;
        if self.user(acting)?.due_ms <= now_ms {
            self.end_due(acting, now_ms, consequences)?;
        }
        for (group, due) in untold {
            self.tell_receipts(acting, group, due, consequences);
        }
        self.digest.mix(now_ms);
        self.list(acting);
        Ok(Verdict::Silent)
    }

    /// Whatever has ended of an inbox, or of its devices.
    fn end_due(
        &mut self,
        acting: UserId,
        now_ms: u64,
        consequences: &mut Consequences,
    ) -> Result<(), Missing> {
        let user = self.user(acting)?;
        let left_up_to = user.left_up_to();
        let last = user.inbox.last_position();
        require_known(user, left_up_to, last)?;
        self.require_bodies(acting, left_up_to, last)?;
        let expired = self.require_expired(acting, now_ms)?;
        let gaps = self.require_gaps(acting, now_ms)?;
        let withheld = self.require_withheld(acting, now_ms)?;
        for (position, entry) in expired {
            self.fail_undelivered(acting, position, &entry, Code::Expired);
        }
        for ended in withheld {
            self.end_withheld(acting, ended, Code::Expired);
        }
        for (peer, device) in gaps {
            self.close_gap(acting, peer, device, consequences);
        }
        if let Some(user) = self.users.get_mut(acting) {
            user.forget_revocations(now_ms);
        }
        self.lapse(acting, now_ms, consequences);
        self.let_leave(acting, left_up_to);
        self.set_next_due(acting);
        Ok(())
    }

    /// An entry was offered and not taken. Once that has happened often enough, over long
    /// enough, a message is undeliverable, and what lies behind it goes on.
    pub(super) fn attempt(
        &mut self,
        record: &Attempt,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (acting, id) = (UserId(record.user), DeviceId(record.device));
        let (position, now_ms) = (Position(record.position), self.clock_ms);
        let (limit, span_ms) =
            (self.settings.retry_limit, u64::from(self.settings.retry_span_s) * 1000);
        let user = self.user(acting)?;
        let owes = |device: &&Device| device.is_active() && device.cursor < position;
        let Some(device) = user.device(id).filter(owes) else { return Ok(Verdict::Silent) };
        let counted = count_attempt(device, position, now_ms);
        let runs_out = counted.count >= limit && now_ms - counted.first_ms >= span_ms;
        let undeliverable = if runs_out && position > user.floor {
            require_known(user, Position(position.0 - 1), position)?;
            self.require_bodies(acting, Position(position.0 - 1), position)?;
            let user = self.user(acting)?;
            let mut there = user.inbox.known(Position(position.0 - 1), position);
            there.next().map(|(_, entry)| entry.clone()).filter(InboxEntry::is_message)
        } else {
            None
        };
        if let Some(entry) = &undeliverable {
            self.require_counts(acting, entry)?;
        }
        if let Some(device) = self.user(acting)?.device_mut(id) {
            device.attempts = Some(Box::new(counted));
            device.changed = true;
        }
        if let Some(entry) = undeliverable {
            self.fail_undelivered(acting, position, &entry, Code::Undeliverable);
            consequences.touch(acting);
        }
        self.digest.mix(u64::from(counted.count));
        self.list(acting);
        Ok(Verdict::Silent)
    }

    /// The messages above the floor that have ended, with their chats and senders in memory.
    fn require_expired(
        &mut self,
        acting: UserId,
        now_ms: u64,
    ) -> Result<Vec<(Position, InboxEntry)>, Missing> {
        let user = self.user(acting)?;
        let from = if planted!(DeliveredExpires) { user.left_up_to() } else { user.floor };
        let waiting = user.inbox.known(from, user.inbox.last_position());
        let expired =
            waiting.filter(|(_, entry)| entry.is_message() && entry.expires_at_ms <= now_ms);
        let expired: Vec<_> = expired.map(|(position, entry)| (position, entry.clone())).collect();
        for (_, entry) in &expired {
            self.require_counts(acting, entry)?;
        }
        Ok(expired)
    }

    /// What counts a message that ends: its chat, and its sender's count, which a group has none
    /// of.
    pub(super) fn require_counts(
        &mut self,
        acting: UserId,
        entry: &InboxEntry,
    ) -> Result<(), Missing> {
        chat_of(self.user(acting)?, entry.peer)?;
        match entry.body {
            EntryBody::GroupMessage(_) => Ok(()),
            _ => self.require_outstanding(entry.peer).map(|_| ()),
        }
    }

    /// The devices whose gaps have been open too long, with their chats in memory.
    fn require_gaps(
        &mut self,
        acting: UserId,
        now_ms: u64,
    ) -> Result<Vec<(UserId, DeviceId)>, Missing> {
        let gap_ms = u64::from(self.settings.gap_s) * 1000;
        let mut open = Vec::new();
        for peer in self.user(acting)?.gaps().to_vec() {
            let chat = chat_of(self.user(acting)?, peer)?;
            let is_over = |since_ms: u64| since_ms > 0 && since_ms + gap_ms <= now_ms;
            let over = chat.senders.iter().filter(|sender| is_over(sender.gap_since_ms));
            open.extend(over.map(|sender| (peer, sender.device)));
        }
        for &(peer, device) in &open {
            self.require_for_parked(acting, peer, device)?;
        }
        Ok(open)
    }

    pub(super) fn fail_undelivered(
        &mut self,
        acting: UserId,
        position: Position,
        entry: &InboxEntry,
        code: Code,
    ) {
        match &entry.body {
            &EntryBody::Message { device, sequence, .. } => {
                self.end_undelivered(acting, position, entry);
                self.tell_failed(acting, entry.peer, device, sequence, code);
            }
            EntryBody::GroupMessage(word) => {
                self.end_undelivered(acting, position, entry);
                self.tell_group_failed(word, [(acting, code.number())].into());
            }
            _ => {}
        }
    }

    /// Devices that owe for too long, or too much, owe no more.
    fn lapse(&mut self, acting: UserId, now_ms: u64, consequences: &mut Consequences) {
        let lapse_ms = u64::from(self.settings.lapse_s) * 1000;
        let lag_max = self.settings.device_lag_max as usize;
        let Some(user) = self.users.get_mut(acting) else { return };
        let last = user.inbox.last_position();
        let has_lapsed = |user: &User, device: &Device| {
            let mut owed = user.inbox.known(device.cursor.max(user.left_up_to()), last);
            let oldest_ms = owed.next().map(|(_, entry)| entry.put_at_ms);
            let is_late = oldest_ms.is_some_and(|put_at_ms| put_at_ms + lapse_ms <= now_ms);
            let owed_count = user.inbox.known(device.cursor.max(user.left_up_to()), user.floor);
            is_late || owed_count.count() > lag_max
        };
        let lapsed: Vec<_> = user
            .active_devices()
            .filter(|device| has_lapsed(user, device))
            .map(|device| device.id)
            .collect();
        for id in &lapsed {
            if let Some(device) = user.device_mut(*id) {
                device.standing = Standing::Lapsed;
                device.attempts = None;
                device.changed = true;
            }
        }
        self.totals.lapsed += lapsed.len() as u64;
        if !lapsed.is_empty() {
            consequences.devices_changed.push(acting);
        }
    }

    /// When to look at this user again. All that counts is known.
    fn set_next_due(&mut self, acting: UserId) {
        let lapse_ms = u64::from(self.settings.lapse_s) * 1000;
        let gap_ms = u64::from(self.settings.gap_s) * 1000;
        let Some(user) = self.users.get_mut(acting) else { return };
        let last = user.inbox.last_position();
        let undelivered = user.inbox.known(user.floor, last);
        let expiry_ms =
            undelivered.filter_map(|(_, entry)| entry.is_message().then_some(entry.expires_at_ms));
        let lapses_ms = user.active_devices().filter_map(|device| {
            let mut owed = user.inbox.known(device.cursor.max(user.left_up_to()), last);
            owed.next().map(|(_, entry)| entry.put_at_ms.saturating_add(lapse_ms))
        });
        let gaps = user.gaps().iter().filter_map(|peer| user.chats.get(peer));
        let senders = gaps.flat_map(|chat| &chat.senders);
        let gaps_ms = senders
            .filter(|sender| sender.gap_since_ms > 0)
            .map(|sender| sender.gap_since_ms.saturating_add(gap_ms));
        let forget_ms = user.revocations().and_then(Revocations::due_ms);
        let withheld_ms = user.withheld_due_ms();
        let due_ms = expiry_ms.chain(lapses_ms).chain(gaps_ms).chain(forget_ms).chain(withheld_ms);
        let due_ms = due_ms.min();
        user.due_ms = due_ms.unwrap_or(NEVER);
    }
}

fn count_attempt(device: &Device, position: Position, now_ms: u64) -> Attempts {
    match device.attempts.as_deref() {
        Some(known) if known.position == position => {
            Attempts { count: known.count.saturating_add(1), ..*known }
        }
        _ => Attempts { position, count: 1, first_ms: now_ms },
    }
}
