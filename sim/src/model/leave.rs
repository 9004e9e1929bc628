//! What enters an inbox, and what lets it leave.

use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::record::ReadUpTo;

use super::account::{Body, Entry, NEVER, ReceiptKind, Standing};
use super::message::{Exit, MemberFate, MessageNumber};
use super::parts::{About, PartBody};
use super::{Breach, Model, require};

impl Model {
    /// Puts an entry at the end; it gets the next position, which none ever had.
    pub(super) fn put(
        &mut self,
        user: UserId,
        peer: UserId,
        body: Body,
        payload_bytes: usize,
        life_ms: u64,
    ) -> u64 {
        let home = self.home(user);
        let (put_at_ms, lapse_ms) = (home.clock_ms, u64::from(home.settings.lapse_s) * 1000);
        let is_message = matches!(body, Body::Message(_));
        let expires_at_ms = if is_message { put_at_ms + life_ms } else { 0 };
        let account = self.account_mut(user);
        let is_muted = account.chat(peer).settings.muted_until_ms > put_at_ms;
        let is_alive = true;
        account.entries.push(Entry {
            peer,
            put_at_ms,
            expires_at_ms,
            payload_bytes,
            body,
            is_muted,
            is_alive,
        });
        account.due_by(put_at_ms + lapse_ms);
        if is_message {
            account.due_by(expires_at_ms);
        }
        account.last_position()
    }

    /// As above, a receipt: the older one that it contains leaves.
    pub(super) fn put_receipt(
        &mut self,
        user: UserId,
        peer: UserId,
        kind: ReceiptKind,
        device: DeviceId,
        body: Body,
    ) {
        let position = self.put(user, peer, body, 0, 0);
        let account = self.account_mut(user);
        let receipts = &mut account.chat(peer).receipts;
        let known = receipts.iter_mut().find(|known| (known.0, known.1) == (kind, device));
        match known {
            Some((.., newest)) => {
                let older = std::mem::replace(newest, position);
                account.die(older);
            }
            None => receipts.push((kind, device, position)),
        }
    }

    /// A device has stored its inbox up to a position, and says so durably.
    pub(super) fn acknowledge(
        &mut self,
        user: UserId,
        id: DeviceId,
        up_to: u64,
    ) -> Result<(), Breach> {
        let device = self.device(id);
        let account = self.account(user);
        let up_to = up_to.min(account.last_position());
        if device.standing != Standing::Active || device.cursor >= up_to {
            return Ok(());
        }
        let sent_by = |number: MessageNumber| self.message(number).device;
        let mut owed = account.alive(device.cursor, up_to);
        let unseen = owed.find(|(position, entry)| {
            *position > device.stored && !entry.body.is_own_of(id, sent_by)
        });
        require(unseen.is_none(), || {
            format!("device {id} acknowledged {up_to} and has only {}", device.stored)
        })?;
        drop(owed);
        let newly: Vec<_> = account
            .waiting()
            .filter(|(position, ..)| *position <= up_to)
            .map(|(position, _, number)| (position, number))
            .collect();
        self.raise_cursor(user, id, up_to);
        self.deliver(user, &newly)?;
        self.let_leave(user);
        Ok(())
    }

    fn raise_cursor(&mut self, user: UserId, id: DeviceId, up_to: u64) {
        let home = self.home(user);
        let (now_ms, lag_max) = (home.clock_ms, home.settings.device_lag_max as usize);
        let device = self.device_mut(id);
        device.cursor = up_to;
        device.attempts.take_if(|(position, ..)| *position <= up_to);
        let account = self.account_mut(user);
        let acknowledged = account.floor.max(up_to);
        if account.alive(0, acknowledged).count() > lag_max {
            account.due_by(now_ms);
        }
    }

    /// Messages have their first acknowledgement: one receipt for each sending device.
    fn deliver(&mut self, user: UserId, newly: &[(u64, MessageNumber)]) -> Result<(), Breach> {
        let at_ms = self.home(user).clock_ms;
        let source = self.account(user).partition;
        let mut receipts: Vec<(About, u64)> = Vec::new();
        for &(_, number) in newly {
            if self.message(number).exit == Some(Exit::FannedOut) {
                self.set_fate(number, user, MemberFate::Delivered);
                continue;
            }
            self.end(number, Exit::Delivered)?;
            let message = self.message(number);
            let about = About { user: message.sender, peer: user, device: message.device };
            let sequence = message.sequence.0;
            match receipts.iter_mut().find(|(known, _)| *known == about) {
                Some((_, up_to)) => *up_to = sequence.max(*up_to),
                None => receipts.push((about, sequence)),
            }
        }
        for (about, up_to) in receipts {
            let direction = self.account_mut(user).chat(about.user).direction(about.device);
            direction.delivered_up_to = direction.delivered_up_to.max(up_to);
            let (up_to, except) = self.receipt(user, about.user, about.device, up_to);
            let part = PartBody::Delivered { about, up_to, at_ms, except };
            self.make_part(source, about.user, part);
        }
        for &(position, number) in newly {
            if self.message(number).has_receipts {
                self.tell_has(user, position, number);
            }
        }
        Ok(())
    }

    /// A user has read messages that were delivered.
    pub(super) fn read(&mut self, record: &ReadUpTo) -> Result<(), Breach> {
        let (user, peer) = (UserId(record.user), UserId(record.peer));
        let (device, reader) = (DeviceId(record.device), DeviceId(record.reader_device));
        if !self.account(user).exists {
            return Ok(());
        }
        let at_ms = self.home(user).clock_ms;
        let source = self.account(user).partition;
        let has_others = self.active_devices(user).count() > 1;
        let direction = self.account_mut(user).chat(peer).direction(device);
        let up_to = record.up_to.min(direction.delivered_up_to);
        if up_to <= direction.read_up_to {
            return Ok(());
        }
        direction.read_up_to = up_to;
        let about = About { user: peer, peer: user, device };
        if self.tells_reads(user, peer) {
            self.make_part(source, peer, PartBody::Read { about, up_to, at_ms });
        }
        if has_others {
            let body = Body::ReadElsewhere { device, up_to, at_ms, reader };
            self.put_receipt(user, peer, ReceiptKind::ReadElsewhere, device, body);
        }
        Ok(())
    }

    /// A waiting message ends without having been delivered, and its sender is told.
    pub(super) fn fail_waiting(
        &mut self,
        user: UserId,
        position: u64,
        message: MessageNumber,
        exit: Exit,
    ) -> Result<(), Breach> {
        self.account_mut(user).die(position);
        if self.message(message).exit == Some(Exit::FannedOut)
            && let Some(code) = exit.code()
        {
            let home = self.account(user).partition;
            self.fail_members(home, message, vec![(user, code.number())]);
            return Ok(());
        }
        self.end(message, exit)?;
        if let Some(code) = exit.code() {
            self.tell_failed(message, code.number());
        }
        Ok(())
    }

    /// Entries leave once every device that owes an acknowledgement has given it, and at
    /// least one device has.
    pub(super) fn let_leave(&mut self, user: UserId) {
        let account = self.account(user);
        let cursors = account.devices.iter().map(|id| self.device(*id).cursor);
        let floor = cursors.max().unwrap_or_default().max(account.floor);
        self.account_mut(user).floor = floor;
        let up_to = self.left_up_to(user);
        let withheld_ms = self.withheld_due_ms(user);
        let account = self.account_mut(user);
        for position in account.gone_up_to + 1..=up_to {
            account.die(position);
        }
        account.gone_up_to = account.gone_up_to.max(up_to);
        let is_empty = account.alive(0, account.last_position()).next().is_none();
        if is_empty && account.gaps.is_empty() {
            account.due_ms = withheld_ms.unwrap_or(NEVER);
        }
    }

    pub(super) fn left_up_to(&self, user: UserId) -> u64 {
        let floor = self.account(user).floor;
        let cursors = self.active_devices(user).map(|id| self.device(id).cursor);
        cursors.min().map_or(floor, |least| least.min(floor))
    }

    pub(super) fn active_devices(&self, user: UserId) -> impl Iterator<Item = DeviceId> {
        let devices = self.account(user).devices.iter().copied();
        devices.filter(|id| self.device(*id).standing == Standing::Active)
    }
}
