//! What blocked users have sent, and how chats are treated.

use std::collections::BTreeMap;

use answerback_directory::limits::{WITHHELD_CHATS_PER_DUE_MAX, WITHHELD_PER_STEP_MAX};
use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::limits::EXCEPT_RANGES_MAX;
use answerback_proto::record::ChatChanged;

use super::account::{Body, Posted, ReceiptKind};
use super::message::{Exit, MessageNumber};
use super::parts::{About, PartBody};
use super::{Breach, Model};

/// A message that is accepted, and that nobody will ever see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Withheld {
    pub(super) peer: UserId,
    pub(super) device: DeviceId,
    pub(super) sequence: u64,
    pub(super) message: MessageNumber,
    pub(super) expires_at_ms: u64,
    pub(super) payload_bytes: usize,
}

/// Which numbers a receipt excepts, as the model lists them; the first list is the empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Excepted(usize);

/// Lists of ranges that receipts except, each once.
#[derive(Debug)]
pub(super) struct Exceptions(Vec<Vec<(u64, u64)>>);

impl Default for Exceptions {
    fn default() -> Self {
        Self(vec![Vec::new()])
    }
}

impl Exceptions {
    pub(super) fn note(&mut self, ranges: Vec<(u64, u64)>) -> Excepted {
        if let Some(known) = self.find(&ranges) {
            return known;
        }
        self.0.push(ranges);
        Excepted(self.0.len() - 1)
    }

    /// A list that a box has said; none where no receipt ever had it.
    pub(super) fn find(&self, ranges: &[(u64, u64)]) -> Option<Excepted> {
        self.0.iter().position(|known| known == ranges).map(Excepted)
    }

    pub(super) fn contain(&self, of: Excepted, number: u64) -> bool {
        self.0[of.0].iter().any(|(first, last)| (*first..=*last).contains(&number))
    }
}

/// The ranges of a part's payload.
pub(super) fn ranges_of(payload: &[u8]) -> Vec<(u64, u64)> {
    let ends: Vec<_> = payload.as_chunks().0.iter().map(|end| u64::from_le_bytes(*end)).collect();
    ends.as_chunks().0.iter().map(|[first, last]| (*first, *last)).collect()
}

impl Model {
    /// A user has a chat treated otherwise.
    pub(super) fn change_chat(&mut self, record: &ChatChanged) {
        let (user, peer) = (UserId(record.user), self.alias(UserId(record.peer)));
        let has_others = self.active_devices(user).count() > 1;
        let account = self.account_mut(user);
        if !account.exists {
            return;
        }
        let chat = account.chat(peer);
        let settings = chat.settings.with(record.changes, record.flags, record.muted_until_ms);
        let is_new = std::mem::replace(&mut chat.settings, settings) != settings;
        if is_new && has_others {
            let (flags, muted_until_ms) = (settings.flags, settings.muted_until_ms);
            let body = Body::ChatSet { flags, muted_until_ms };
            self.put_receipt(user, peer, ReceiptKind::ChatSet, DeviceId(0), body);
        }
    }

    /// Whether the user wants nothing of a peer's messages.
    pub(super) fn blocks(&self, user: UserId, peer: UserId) -> bool {
        self.account(user).chats[peer.0 as usize - 1].settings.is_blocked()
    }

    /// Whether either end of a chat is told what the other has read.
    pub(super) fn tells_reads(&self, user: UserId, peer: UserId) -> bool {
        let settings = self.account(user).chats[peer.0 as usize - 1].settings;
        !settings.is_blocked() && !settings.hides_reads()
    }

    pub(super) fn withhold(&mut self, posted: &Posted, life_ms: u64) {
        let &Posted { message, recipient, sender, device, sequence, payload_bytes, .. } = posted;
        let expires_at_ms = self.home(recipient).clock_ms + life_ms;
        self.message_mut(message).is_withheld = true;
        let account = self.account_mut(recipient);
        account.withheld.push(Withheld {
            peer: sender,
            device,
            sequence,
            message,
            expires_at_ms,
            payload_bytes,
        });
        account.due_by(expires_at_ms);
    }

    /// How much of a sender's is withheld from a user: messages and bytes.
    pub(super) fn withheld_of(&self, user: UserId, sender: UserId) -> (u32, u64) {
        let of_sender = self.account(user).withheld.iter().filter(|one| one.peer == sender);
        of_sender.fold((0, 0), |(count, bytes), one| (count + 1, bytes + one.payload_bytes as u64))
    }

    /// What one sender has withheld and has ended, in the order in which it is told.
    pub(super) fn ended_withheld(
        &self,
        user: UserId,
        peer: UserId,
        now_ms: u64,
        max: usize,
    ) -> Vec<MessageNumber> {
        let withheld = self.account(user).withheld.iter();
        let mut ended: Vec<_> =
            withheld.filter(|one| one.peer == peer && one.expires_at_ms <= now_ms).collect();
        ended.sort_unstable_by_key(|one| (one.device, one.sequence));
        ended.into_iter().map(|one| one.message).take(max).collect()
    }

    /// Of all senders, as much as ends at once.
    pub(super) fn expire_withheld(&mut self, user: UserId, now_ms: u64) -> Result<(), Breach> {
        let mut firsts: BTreeMap<UserId, u64> = BTreeMap::new();
        for one in &self.account(user).withheld {
            let first = firsts.entry(one.peer).or_insert(one.expires_at_ms);
            *first = one.expires_at_ms.min(*first);
        }
        let over = firsts.into_iter().filter(|(_, first_ms)| *first_ms <= now_ms);
        let mut room = WITHHELD_PER_STEP_MAX;
        let peers: Vec<_> = over.take(WITHHELD_CHATS_PER_DUE_MAX).collect();
        let mut all = Vec::new();
        for (peer, _) in peers {
            let ended = self.ended_withheld(user, peer, now_ms, room);
            room -= ended.len();
            all.push((peer, ended));
        }
        all.into_iter()
            .try_for_each(|(peer, ended)| self.end_withheld(user, peer, &ended, Exit::Expired))
    }

    /// Withheld messages of a sender end, and that is told.
    pub(super) fn end_withheld(
        &mut self,
        user: UserId,
        peer: UserId,
        ended: &[MessageNumber],
        exit: Exit,
    ) -> Result<(), Breach> {
        let short = self.short_receipts(user, peer);
        for &message in ended {
            self.account_mut(user).withheld.retain(|one| one.message != message);
            self.end(message, exit)?;
            if let Some(code) = exit.code() {
                self.tell_failed(message, code.number());
            }
        }
        let (at_ms, source) = (self.home(user).clock_ms, self.account(user).partition);
        for (device, delivered) in short {
            let (up_to, except) = self.receipt(user, peer, device, delivered);
            let about = About { user: peer, peer: user, device };
            self.make_part(source, peer, PartBody::Delivered { about, up_to, at_ms, except });
        }
        Ok(())
    }

    /// The receipt of what was delivered up to a number.
    pub(super) fn receipt(
        &mut self,
        user: UserId,
        peer: UserId,
        device: DeviceId,
        up_to: u64,
    ) -> (u64, Excepted) {
        let withheld = self.account(user).withheld.iter();
        let mut numbers: Vec<_> = withheld
            .filter(|one| (one.peer, one.device) == (peer, device) && one.sequence < up_to)
            .map(|one| one.sequence)
            .collect();
        numbers.sort_unstable();
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        let mut end = up_to;
        for number in numbers {
            let has_room = ranges.len() < EXCEPT_RANGES_MAX;
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ if has_room => ranges.push((number, number)),
                _ => {
                    end = number - 1;
                    break;
                }
            }
        }
        (end, self.exceptions.note(ranges))
    }

    fn short_receipts(&mut self, user: UserId, peer: UserId) -> Vec<(DeviceId, u64)> {
        let directions = &self.account(user).chats[peer.0 as usize - 1].directions;
        let delivered = directions.iter().map(|known| (known.device, known.delivered_up_to));
        let mut delivered: Vec<_> = delivered.collect();
        delivered.sort_unstable();
        let is_short =
            |&(device, up_to): &(DeviceId, u64)| self.receipt(user, peer, device, up_to).0 < up_to;
        delivered.into_iter().filter(is_short).collect()
    }

    /// Whether anything is withheld from anybody.
    pub(crate) fn has_withheld(&self) -> bool {
        self.accounts.iter().any(|account| !account.withheld.is_empty())
    }

    /// When the first of what is withheld from a user ends.
    pub(super) fn withheld_due_ms(&self, user: UserId) -> Option<u64> {
        self.account(user).withheld.iter().map(|one| one.expires_at_ms).min()
    }
}
