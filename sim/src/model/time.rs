//! What time brings: messages expire, devices lapse, gaps close, attempts run out.

use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::record::Attempt;

use super::account::{NEVER, Standing};
use super::message::Exit;
use super::{Breach, Model};

impl Model {
    /// All that is due of one user; nothing while the clock is doubted.
    pub(super) fn due(&mut self, user: UserId, up_to_ms: u64) -> Result<(), Breach> {
        let home = self.home(user);
        let now_ms = up_to_ms.min(home.clock_ms);
        if self.account(user).is_purging {
            return self.go_on_with_purge(user);
        }
        if home.is_clock_doubted {
            return Ok(());
        }
        let untold = self.due_seen(user, now_ms);
        if self.account(user).due_ms <= now_ms {
            self.end_due(user, now_ms)?;
        }
        self.tell_due_seen(user, untold);
        Ok(())
    }

    fn end_due(&mut self, user: UserId, now_ms: u64) -> Result<(), Breach> {
        let gaps = self.gaps_to_close(user, now_ms);
        let expired: Vec<_> = self
            .account(user)
            .waiting()
            .filter(|(_, entry, _)| entry.expires_at_ms <= now_ms)
            .map(|(position, _, number)| (position, number))
            .collect();
        for (position, number) in expired {
            self.fail_waiting(user, position, number, Exit::Expired)?;
        }
        self.expire_withheld(user, now_ms)?;
        for (peer, device) in gaps {
            self.close_gap(user, peer, device)?;
        }
        self.account_mut(user).void.forget(now_ms);
        self.lapse(user, now_ms);
        self.let_leave(user);
        self.account_mut(user).due_ms = self.next_due_ms(user);
        Ok(())
    }

    /// An entry was offered to a living session and not taken.
    pub(super) fn attempt(&mut self, record: &Attempt) -> Result<(), Breach> {
        let (user, id, position) = (UserId(record.user), DeviceId(record.device), record.position);
        let home = self.home(user);
        let (now_ms, limit) = (home.clock_ms, home.settings.retry_limit);
        let span_ms = u64::from(home.settings.retry_span_s) * 1000;
        let device = self.device_mut(id);
        if device.standing != Standing::Active || device.cursor >= position {
            return Ok(());
        }
        let (count, first_ms) = match device.attempts {
            Some((known, count, first_ms)) if known == position => (count + 1, first_ms),
            _ => (1, now_ms),
        };
        device.attempts = Some((position, count, first_ms));
        if count < limit || now_ms - first_ms < span_ms {
            return Ok(());
        }
        let mut waiting = self.account(user).waiting();
        let found = waiting.find(|(known, ..)| *known == position);
        let Some((_, _, message)) = found else { return Ok(()) };
        drop(waiting);
        self.fail_waiting(user, position, message, Exit::Undeliverable)
    }

    fn gaps_to_close(&self, user: UserId, now_ms: u64) -> Vec<(UserId, DeviceId)> {
        let gap_ms = u64::from(self.home(user).settings.gap_s) * 1000;
        let account = self.account(user);
        let mut gaps = Vec::new();
        for &peer in &account.gaps {
            let directions = &account.chats[peer.0 as usize - 1].directions;
            let is_over = |since_ms: u64| since_ms > 0 && since_ms + gap_ms <= now_ms;
            let over = directions.iter().filter(|direction| is_over(direction.gap_since_ms));
            let mut devices: Vec<_> = over.map(|direction| direction.device).collect();
            devices.sort_unstable();
            gaps.extend(devices.into_iter().map(|device| (peer, device)));
        }
        gaps
    }

    /// Devices that owe for too long, or too much, owe no more.
    fn lapse(&mut self, user: UserId, now_ms: u64) {
        let settings = &self.home(user).settings;
        let lapse_ms = u64::from(settings.lapse_s) * 1000;
        let lag_max = settings.device_lag_max as usize;
        let account = self.account(user);
        let has_lapsed = |id: &DeviceId| {
            let cursor = self.device(*id).cursor;
            let is_late = self.owed_since_ms(user, *id).is_some_and(|ms| ms + lapse_ms <= now_ms);
            is_late || account.alive(cursor, account.floor).count() > lag_max
        };
        for id in self.active_devices(user).filter(has_lapsed).collect::<Vec<_>>() {
            let device = self.device_mut(id);
            device.standing = Standing::Lapsed;
            device.attempts = None;
        }
    }

    /// When the oldest entry that a device owes was put.
    fn owed_since_ms(&self, user: UserId, id: DeviceId) -> Option<u64> {
        let account = self.account(user);
        let mut owed = account.alive(self.device(id).cursor, account.last_position());
        owed.next().map(|(_, entry)| entry.put_at_ms)
    }

    fn next_due_ms(&self, user: UserId) -> u64 {
        let settings = &self.home(user).settings;
        let (lapse_ms, gap_ms) =
            (u64::from(settings.lapse_s) * 1000, u64::from(settings.gap_s) * 1000);
        let account = self.account(user);
        let expiry_ms = account.waiting().map(|(_, entry, _)| entry.expires_at_ms);
        let lapses = self.active_devices(user).filter_map(|id| self.owed_since_ms(user, id));
        let chats = account.gaps.iter().map(|peer| &account.chats[peer.0 as usize - 1]);
        let directions = chats.flat_map(|chat| &chat.directions);
        let gaps = directions.map(|direction| direction.gap_since_ms).filter(|ms| *ms > 0);
        let due_ms =
            expiry_ms.chain(lapses.map(|ms| ms + lapse_ms)).chain(gaps.map(|ms| ms + gap_ms));
        let due_ms = due_ms.chain(account.void.due_ms()).chain(self.withheld_due_ms(user));
        due_ms.min().unwrap_or(NEVER)
    }
}
