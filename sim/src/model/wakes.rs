//! Who has to be woken, and who not.
//!
//! The box's life matters here, and nothing that is durable: a wake is lost with the box. So only
//! messages that came in its life must be followed by one, and only after they were there when
//! nothing moved: a shard may apply long after what it applies is durable.

use std::collections::BTreeMap;

use answerback_directory::limits::ACK_TIMEOUT_MS;
use answerback_directory::shard::WakePolicy;
use answerback_proto::id::{Offset, UserId};

use super::{Breach, Model, require};

/// When boxes wake. Sooner again than an operator would, so that worlds live to see it.
pub(crate) const WAKE_POLICY: WakePolicy = WakePolicy { after_ms: ACK_TIMEOUT_MS, again_s: 60 };

const AGAIN_MS: u64 = WAKE_POLICY.again_s * 1000;
/// A wake comes within this time: behind the one before, and twice as late as the timeout where
/// the message before it was taken.
const WOKEN_WITHIN_MS: u64 = AGAIN_MS + 2 * ACK_TIMEOUT_MS;

/// What waits for one user, and waited, but for what came in muted chats.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// By position.
    messages: BTreeMap<u64, Wait>,
    /// The last position that was looked at.
    noted: u64,
    /// The floor from behind these batches on.
    floors: Vec<(Offset, u64)>,
    woken: Option<Wakened>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    since_ms: u64,
    /// It is taken, or has ended otherwise; by the batch that ends there.
    taken: Option<Offset>,
    has_ended: bool,
    is_of_this_life: bool,
    /// When nothing moved and it waited, for the first time.
    seen_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Wakened {
    at_ms: u64,
    floor: u64,
}

impl Model {
    /// A batch of a partition is durable.
    pub(super) fn note_waiting(&mut self, partition: usize, end: Offset) {
        let now_ms = self.now_ms;
        let at_home = |account: &&mut super::Account| account.partition == partition;
        for account in self.accounts.iter_mut().filter(at_home) {
            let wakes = account.waiting().filter(|(_, entry, _)| !entry.is_muted);
            let waiting: Vec<u64> = wakes.map(|(position, ..)| position).collect();
            // A box looks for what came, also where the same batch has ended it.
            let ended = account.ended_messages(account.waits.noted);
            let last = account.last_position();
            let (floor, waits) = (account.floor, &mut account.waits);
            if waits.floors.last().is_none_or(|(_, last)| *last != floor) {
                waits.floors.push((end, floor));
            }
            for (position, wait) in &mut waits.messages {
                if !wait.has_ended && !waiting.contains(position) {
                    wait.has_ended = true;
                    wait.taken = (*position <= floor).then_some(end);
                }
            }
            let alive = waiting.into_iter().map(|position| (position, false));
            let ended = ended.into_iter().map(|position| (position, true));
            for (position, has_ended) in alive.chain(ended) {
                waits.messages.entry(position).or_insert(Wait {
                    since_ms: now_ms,
                    taken: None,
                    has_ended,
                    is_of_this_life: true,
                    seen_ms: None,
                });
            }
            waits.noted = last;
        }
    }

    /// A box starts: what it was looking for before is forgotten.
    pub(crate) fn handle_box_started(&mut self) {
        for account in &mut self.accounts {
            account.waits.woken = None;
            for wait in account.waits.messages.values_mut() {
                wait.is_of_this_life = false;
            }
        }
    }

    /// A user is woken, as of the records before `next`: some message was not taken in time, and
    /// nobody was woken a moment ago who has taken nothing since.
    pub(crate) fn handle_woken(&mut self, user: UserId, next: Offset) -> Result<(), Breach> {
        let now_ms = self.now_ms;
        let account = self.account_mut(user);
        let waits = &mut account.waits;
        let is_late = |wait: &Wait| {
            wait.since_ms + ACK_TIMEOUT_MS <= now_ms && wait.taken.is_none_or(|end| next < end)
        };
        require(waits.messages.values().any(is_late), || {
            format!("user {user} is woken, and had time for all that waits: {:?}", waits.messages)
        })?;
        let known = waits.floors.iter().rev().find(|(end, _)| *end <= next);
        let floor = known.map_or(0, |(_, floor)| *floor);
        let newest = waits.floors.last().map_or(0, |(_, floor)| *floor);
        if let Some(before) = waits.woken {
            require(before.at_ms + AGAIN_MS <= now_ms || newest > before.floor, || {
                format!("user {user} is woken again, and has taken nothing since {before:?}")
            })?;
        }
        waits.woken = Some(Wakened { at_ms: now_ms, floor });
        Ok(())
    }

    /// Nothing moves in the box: whoever has waited long enough was woken.
    pub(crate) fn check_woken(&mut self) -> Result<(), Breach> {
        let now_ms = self.now_ms;
        for account in self.accounts.iter_mut().filter(|account| account.exists) {
            let woken_ms = account.waits.woken.map(|woken| woken.at_ms);
            let waits = account.waits.messages.iter_mut();
            for (position, wait) in waits.filter(|(_, wait)| !wait.has_ended) {
                let seen_ms = *wait.seen_ms.get_or_insert(now_ms);
                let is_due = wait.is_of_this_life && now_ms > seen_ms + WOKEN_WITHIN_MS;
                let is_woken = woken_ms.is_some_and(|woken_ms| woken_ms >= wait.since_ms);
                require(!is_due || is_woken, || {
                    format!("user {} was never woken for {position}: {wait:?}", account.id)
                })?;
            }
        }
        Ok(())
    }
}
