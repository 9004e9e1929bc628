//! What is decided of a number: accepted, rejected, skipped, or kept until its turn comes.

use answerback_directory::limits::{GAPS_MAX, INBOX_SHARE_OF_A_SENDER};
use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_proto::limits::UNDECIDED_MAX;
use answerback_proto::record::SkipRange;

use super::account::{Account, Body, Posted};
use super::message::{Decision, Exit};
use super::parts::PartBody;
use super::withheld::Withheld;
use super::{Breach, Model};

/// How far an answer may be sorted ahead of the clock.
const AHEAD_MAX_MS: u64 = 10_000;

impl Model {
    pub(super) fn post(&mut self, posted: &Posted) -> Result<(), Breach> {
        let &Posted { recipient, sender, device, sequence, .. } = posted;
        if !self.takes_from(recipient, sender) {
            return Ok(());
        }
        let last = self.account_mut(recipient).chat(sender).direction(device).last;
        if sequence == last + 1 {
            self.decide_next(posted)?;
            self.drain_parked(recipient, sender, device)?;
        } else if sequence > last && sequence - last <= UNDECIDED_MAX {
            self.park(posted);
        }
        Ok(())
    }

    pub(super) fn skip(&mut self, range: &SkipRange) -> Result<(), Breach> {
        let (recipient, sender) = (self.alias(UserId(range.recipient)), UserId(range.sender));
        let device = DeviceId(range.device);
        if !self.takes_from(recipient, sender) {
            return Ok(());
        }
        let direction = self.account_mut(recipient).chat(sender).direction(device);
        let expected = direction.last + 1;
        if range.from > expected {
            return Ok(());
        }
        direction.parked.retain(|number, _| *number > range.to);
        direction.last = direction.last.max(range.to);
        for number in expected..=range.to {
            let message = self.sent(device, recipient, Sequence(number))?;
            self.decide(message, Decision::Skipped)?;
        }
        self.drain_parked(recipient, sender, device)
    }

    /// A gap was open too long: what is missing is rejected, what waited is decided.
    pub(super) fn close_gap(
        &mut self,
        recipient: UserId,
        sender: UserId,
        device: DeviceId,
    ) -> Result<(), Breach> {
        loop {
            let direction = self.account_mut(recipient).chat(sender).direction(device);
            let Some((&first, _)) = direction.parked.first_key_value() else { return Ok(()) };
            let missing = direction.last + 1;
            direction.last = first - 1;
            for number in missing..first {
                let message = self.sent(device, recipient, Sequence(number))?;
                self.decide(message, Decision::Rejected(Code::GapClosed))?;
                self.tell_failed(message, Code::GapClosed.number());
            }
            self.drain_parked(recipient, sender, device)?;
        }
    }

    fn decide_next(&mut self, posted: &Posted) -> Result<(), Breach> {
        let &Posted { message, recipient, sender, device, sequence, .. } = posted;
        self.account_mut(recipient).chat(sender).direction(device).last = sequence;
        if self.group(recipient).is_some() {
            return self.decide_group(posted);
        }
        let stranger = self.is_stranger(recipient, sender).then_some(Code::ContactsOnly);
        let over = || self.over_quota(recipient, sender, posted.payload_bytes);
        if let Some(code) = stranger.or_else(over) {
            self.decide(message, Decision::Rejected(code))?;
            self.tell_failed(message, code.number());
            return Ok(());
        }
        if posted.recalled > 0 {
            self.recall(posted)?;
        }
        self.accept(posted)
    }

    fn accept(&mut self, posted: &Posted) -> Result<(), Breach> {
        let &Posted { message, recipient, sender, seen_ms, .. } = posted;
        let now_ms = self.home(recipient).clock_ms;
        let source = self.account(recipient).partition;
        let chat = self.account_mut(recipient).chat(sender);
        let answer_ms = (seen_ms + 1).min(now_ms + AHEAD_MAX_MS);
        let at_ms = now_ms.max(chat.last_accepted_ms).max(answer_ms);
        chat.last_accepted_ms = at_ms;
        self.decide(message, Decision::Accepted { at_ms })?;
        if posted.is_copied {
            self.make_part(source, sender, PartBody::Copy { message, at_ms });
        }
        let life_ms = u64::from(posted.life_s) * 1000;
        if posted.came_blocked || self.blocks(recipient, sender) {
            self.withhold(posted, life_ms);
            return Ok(());
        }
        self.put(recipient, sender, Body::Message(message), posted.payload_bytes, life_ms);
        Ok(())
    }

    pub(super) fn over_quota(
        &self,
        recipient: UserId,
        sender: UserId,
        payload_bytes: usize,
    ) -> Option<Code> {
        let account = self.account(recipient);
        let settings = &self.homes[account.partition].settings;
        let (withheld, withheld_bytes) = self.withheld_of(recipient, sender);
        let (mut count, mut of_sender) = (withheld, withheld);
        let mut bytes = withheld_bytes + payload_bytes as u64;
        for (_, entry, _) in account.waiting() {
            count += 1;
            bytes += entry.payload_bytes as u64;
            of_sender += u32::from(entry.peer == sender);
        }
        if count >= settings.inbox_messages_max || bytes > settings.inbox_bytes_max {
            return Some(Code::InboxFull);
        }
        let share_max = (settings.inbox_messages_max / INBOX_SHARE_OF_A_SENDER).max(1);
        let neighbours = self.accounts.iter().filter(|known| known.partition == account.partition);
        let of_sender_in = |account: &Account| {
            let waiting = account.waiting().filter(|(_, entry, _)| entry.peer == sender);
            waiting.count() as u32 + self.withheld_of(account.id, sender).0
        };
        let outstanding = || neighbours.map(of_sender_in).sum::<u32>();
        let is_group = self.group(sender).is_some();
        let is_over =
            of_sender >= share_max || !is_group && outstanding() >= settings.sender_messages_max;
        is_over.then_some(Code::SenderQuota)
    }

    fn recall(&mut self, posted: &Posted) -> Result<(), Breach> {
        let &Posted { recipient, device, recalled, .. } = posted;
        let is_it = |message: &super::Message| {
            message.device == device
                && message.sequence == Sequence(recalled)
                && message.recipient == recipient
        };
        let mut waiting = self.account(recipient).waiting();
        let found = waiting.find(|(_, _, number)| is_it(self.message(*number)));
        let found = found.map(|(position, _, message)| (position, message));
        drop(waiting);
        if let Some((position, message)) = found {
            return self.fail_waiting(recipient, position, message, Exit::Recalled);
        }
        let mut withheld = self.account(recipient).withheld.iter();
        let is_it = |one: &&Withheld| (one.device, one.sequence) == (device, recalled);
        match withheld.find(is_it).copied() {
            Some(one) => self.end_withheld(recipient, one.peer, &[one.message], Exit::Recalled),
            None => Ok(()),
        }
    }

    fn park(&mut self, posted: &Posted) {
        let &Posted { recipient, sender, device, sequence, .. } = posted;
        let home = self.home(recipient);
        let (now_ms, gap_ms) = (home.clock_ms, u64::from(home.settings.gap_s) * 1000);
        let came_blocked = self.blocks(recipient, sender);
        let has_room = self.over_quota(recipient, sender, posted.payload_bytes).is_none()
            && !self.is_stranger(recipient, sender);
        let account = self.account_mut(recipient);
        if !has_room || account.gaps.len() >= GAPS_MAX && !account.gaps.contains(&sender) {
            return;
        }
        let direction = account.chat(sender).direction(device);
        if direction.parked.is_empty() {
            direction.gap_since_ms = now_ms;
        }
        direction.parked.entry(sequence).or_insert(Posted { came_blocked, ..*posted });
        account.note_gap(sender, true);
        account.due_by(now_ms + gap_ms);
    }

    fn drain_parked(
        &mut self,
        recipient: UserId,
        sender: UserId,
        device: DeviceId,
    ) -> Result<(), Breach> {
        let now_ms = self.home(recipient).clock_ms;
        loop {
            let account = self.account_mut(recipient);
            let direction = account.chat(sender).direction(device);
            let Some(parked) = direction.parked.remove(&(direction.last + 1)) else { break };
            self.decide_next(&parked)?;
        }
        let account = self.account_mut(recipient);
        let direction = account.chat(sender).direction(device);
        if direction.gap_since_ms > 0 {
            direction.gap_since_ms = if direction.parked.is_empty() { 0 } else { now_ms };
            let is_open = account.chat(sender).has_gap();
            account.note_gap(sender, is_open);
        }
        Ok(())
    }
}
