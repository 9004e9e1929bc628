//! When users were there last, and who is told.
//!
//! ```text
//!  watcher's home                          home of the watched
//!  lists: session → users ──Mail::Watch──► watched: user → sessions
//!                                          acts: user → last action   ◄── USER_ACTION
//!  session ◄──Signal── Mail::Sights ◄───── may the watcher see it, now?
//! ```
//! Nothing of it is journaled or in the digest, and no record is decided by it: actions come from
//! frames that a person caused, rows are written with a checkpoint now and then, words may be
//! lost. A list is told again every few minutes, so that a lost one heals. Only the last action
//! is told, never that somebody went: a watcher finds that out by himself.
//!
//! Who may see whom is asked at each word, at the home of the one who is seen. That nobody sees
//! others who is not seen himself is asked at the watcher's own home, whenever his list leaves.

mod acts;
mod lists;
mod requests;
mod waits;
mod watched;

use std::collections::BTreeMap;

use answerback_proto::id::{PartitionId, UserId};

use super::checkpoint::{Rows, Table};
use super::load::Wanted;
use super::user::Visibility;
use super::{Effect, Mail, SessionRef, Shard, Signal, rows};
use crate::limits::{SIGHTS_PER_MAIL_MAX, WATCH_LOOK_PERIOD_MS};
use acts::Acts;
use lists::Lists;
use waits::{Ready, Waits};
use watched::Watched;

/// What the operator decides about presence; nothing of it enters the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresenceSettings {
    /// So long after the last action a user counts as there, s.
    pub online_s: u32,
    /// How often last actions are written, s.
    pub write_s: u64,
}

impl Default for PresenceSettings {
    fn default() -> Self {
        Self { online_s: 20, write_s: 300 }
    }
}

/// What a session is to see of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Who sees it.
    pub watcher: UserId,
    /// On which session.
    pub session: SessionRef,
    /// Whose it is.
    pub whose: UserId,
    /// The last action, ms since 1970; 0 where none is known, or shown.
    pub last_action_ms: u64,
    /// How long the user counts as there from now on, ms.
    pub online_for_ms: u32,
}

/// What was done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PresenceTotals {
    /// Sights of this partition's users that were told.
    pub told: u64,
    /// Checkpoints that had last actions in them.
    pub writes: u64,
    /// The rows in those.
    pub rows: u64,
    /// Pairs of a watcher and a user of the partition, now.
    pub watches: u64,
}

/// What a partition knows of presence; all but the rows may be lost.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    settings: PresenceSettings,
    acts: Acts,
    watched: Watched,
    lists: Lists,
    /// What is told once something was read.
    waits: Waits,
    /// What goes to each partition's sessions.
    sights: BTreeMap<PartitionId, Vec<Sight>>,
    /// Both clocks when they were told last: monotonic and wall, ms.
    clocks_ms: (u64, u64),
    write_at_ms: u64,
    is_write_due: bool,
    look_at_ms: u64,
    totals: PresenceTotals,
}

/// Somebody who is told of a user.
#[derive(Clone, Copy, Debug)]
struct Look {
    watcher: UserId,
    session: SessionRef,
    /// Also that there is nothing to see; a push would tell by it that somebody acted.
    tells_hidden: bool,
}

impl Shard {
    /// What the operator wants of presence, from now on.
    pub fn set_presence(&mut self, settings: PresenceSettings) {
        self.presence.settings = settings;
    }

    /// A person did something on a device of a user of this partition.
    pub fn handle_action(&mut self, user: UserId, wall_ms: u64) {
        self.presence.advance(self.sessions.now_ms(), wall_ms);
        let online_ms = self.presence.online_ms();
        if self.presence.acts.note(user, wall_ms, online_ms, online_ms / 2) {
            self.tell_watchers(user, false);
        }
    }

    /// The box makes its last checkpoint: it has all last actions.
    pub fn handle_last_checkpoint(&mut self) {
        self.presence.is_write_due = true;
    }

    /// Whether last actions are to be written although nothing else may be.
    pub fn has_actions_to_write(&self) -> bool {
        self.presence.is_write_due && self.presence.acts.has_changes()
    }

    /// What was done, for the operator.
    pub(super) fn presence_totals(&self) -> PresenceTotals {
        PresenceTotals { watches: self.presence.watched.count() as u64, ..self.presence.totals }
    }

    /// Whether a user may see when another was there. Who does not exist is not seen either, so
    /// that nobody can tell the two apart; nor is one who has blocked the other. Most users have
    /// no chat set, and none is looked up for that.
    fn may_see(&self, whose: UserId, who: UserId) -> Result<bool, Wanted> {
        let user = self.state.users.get(whose).ok_or(Wanted::Head(whose))?;
        let is_shown = user.exists()
            && match user.visibility() {
                Visibility::Everybody => true,
                _ if planted!(VisibilityIgnored) => true,
                Visibility::Contacts => {
                    let contacts = user.contacts().ok_or(Wanted::Contacts(whose))?;
                    contacts.binary_search(&who).is_ok()
                }
                Visibility::Nobody => false,
            };
        if !is_shown || user.set_chats() == 0 || planted!(BlockIgnored) {
            return Ok(is_shown);
        }
        let chat = user.chats.get(&who).ok_or(Wanted::Chat(whose, who))?;
        Ok(!chat.settings().is_blocked())
    }

    /// What others may see of a user has changed, and so what the user may see of others.
    pub(super) fn handle_visibility(&mut self, user: UserId) {
        self.tell_watchers(user, true);
        self.tell_lists_again(user);
    }

    /// A user has blocked another, or no longer does: the other is told what he may see now, and
    /// nobody else anything.
    pub(super) fn handle_block(&mut self, user: UserId, peer: UserId) {
        let watchers = self.presence.watched.watchers_of(user);
        let of_peer: Vec<_> = watchers.filter(|(watcher, _)| *watcher == peer).collect();
        for (watcher, session) in of_peer {
            self.tell_look(user, Look { watcher, session, tells_hidden: true });
        }
        self.tell_lists_again(user);
    }

    /// There is no such user any more.
    pub(super) fn forget_presence(&mut self, user: UserId) {
        self.presence.acts.forget(user);
    }

    fn tell_watchers(&mut self, user: UserId, tells_hidden: bool) {
        let watchers: Vec<_> = self.presence.watched.watchers_of(user).collect();
        for (watcher, session) in watchers {
            self.tell_look(user, Look { watcher, session, tells_hidden });
        }
    }

    /// Tells somebody of a user, or has read what that needs.
    fn tell_look(&mut self, whose: UserId, look: Look) {
        let sight = self.may_see(whose, look.watcher).and_then(|may_see| match may_see {
            true => {
                let last_ms = self.presence.acts.last_ms(whose);
                last_ms.map(Some).ok_or(Wanted::Presence(whose))
            }
            false => Ok(None),
        });
        match sight {
            Ok(None) if !look.tells_hidden => {}
            Ok(last_ms) => {
                let to = self.state.table.partition_of(look.watcher);
                self.presence.show(to, whose, look, last_ms.unwrap_or(0), self.sessions.now_ms());
            }
            Err(missing) => {
                if self.presence.waits.push_look(missing, whose, look) {
                    self.load(missing);
                }
            }
        }
    }

    /// Something was read: whoever waited for it is told, or waits for something else.
    pub(super) fn tell_who_waited(&mut self, read: Wanted) {
        for ready in self.presence.waits.take(read) {
            match ready {
                Ready::Look(whose, look) => self.tell_look(whose, look),
                Ready::List(listing) => self.tell_listing(listing),
            }
        }
    }

    /// What was read of a user's last action.
    pub(super) fn take_last_action(&mut self, user: UserId, last_ms: u64) {
        self.presence.acts.insert_read(user, last_ms);
        self.tell_who_waited(Wanted::Presence(user));
    }

    /// Sends what others' sessions are to see; whether there was anything.
    pub(super) fn flush_sights(&mut self) -> bool {
        let Some((to, mut sights)) = self.presence.sights.pop_first() else { return false };
        while !sights.is_empty() {
            let rest = sights.split_off(sights.len().min(SIGHTS_PER_MAIL_MAX));
            self.effects.push_back(Effect::Mail { to, mail: Mail::Sights(sights.into()) });
            sights = rest;
        }
        true
    }

    /// What sessions of this partition are to see.
    pub(super) fn show_sights(&mut self, sights: &[Sight]) {
        for sight in sights {
            if self.sessions.takes_presence(sight.watcher, sight.session) {
                let &Sight { whose: peer, last_action_ms, online_for_ms, .. } = sight;
                let signal = Signal::Presence { peer, last_action_ms, online_for_ms };
                self.effects.push_back(Effect::Signal { to: sight.session, signal });
            }
        }
    }

    /// Time passes, on both clocks.
    pub(super) fn handle_presence_timeout(&mut self, now_ms: u64, wall_ms: u64) {
        self.presence.advance(now_ms, wall_ms);
        self.renew_lists(now_ms);
        let presence = &mut self.presence;
        if now_ms >= presence.look_at_ms {
            presence.look_at_ms = now_ms + WATCH_LOOK_PERIOD_MS;
            presence.watched.forget_silent(now_ms);
        }
        if now_ms >= presence.write_at_ms {
            // The first period begins with the first call.
            presence.is_write_due |= presence.write_at_ms > 0;
            presence.write_at_ms = now_ms + presence.settings.write_s.saturating_mul(1000);
        }
    }

    /// Adds last actions to a checkpoint, where it is time.
    pub(super) fn write_actions(&mut self, to: &mut Rows) {
        let (partition, presence) = (self.state.partition, &mut self.presence);
        if !presence.is_write_due || !presence.acts.has_changes() {
            return;
        }
        presence.is_write_due = false;
        let count = presence.acts.take_changes(|user, last_ms| {
            let key = rows::key(partition, &[&user.0.to_be_bytes()]);
            to.put(Table::Presence, &key, &last_ms.to_le_bytes());
        });
        presence.totals.writes += 1;
        presence.totals.rows += count as u64;
        let (watched, sessions) = (&presence.watched, &self.sessions);
        presence.acts.make_room(|user| watched.has(user) || sessions.has_any(user));
    }
}

impl Presence {
    fn online_ms(&self) -> u64 {
        u64::from(self.settings.online_s) * 1000
    }

    fn advance(&mut self, now_ms: u64, wall_ms: u64) {
        self.clocks_ms = (now_ms, wall_ms);
    }

    /// The wall clock, as far as it was told.
    fn wall_ms(&self, now_ms: u64) -> u64 {
        let (before_ms, wall_ms) = self.clocks_ms;
        wall_ms.saturating_add(now_ms.saturating_sub(before_ms))
    }

    /// For how long somebody counts as there who was there last then. Nobody does of whom that is
    /// not known, nor before this home was told the time.
    fn online_for_ms(&self, last_ms: u64, now_ms: u64) -> u64 {
        let (_, told_ms) = self.clocks_ms;
        if last_ms == 0 || told_ms == 0 {
            return 0;
        }
        let ago_ms = self.wall_ms(now_ms).saturating_sub(last_ms);
        self.online_ms().saturating_sub(ago_ms)
    }

    fn show(&mut self, to: PartitionId, whose: UserId, look: Look, last_ms: u64, now_ms: u64) {
        let left_ms = self.online_for_ms(last_ms, now_ms);
        let sight = Sight {
            watcher: look.watcher,
            session: look.session,
            whose,
            last_action_ms: last_ms,
            online_for_ms: u32::try_from(left_ms).unwrap_or(u32::MAX),
        };
        self.totals.told += 1;
        self.sights.entry(to).or_default().push(sight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_790_000_000_000;

    #[test]
    fn nobody_is_there_before_it_is_known_when_he_was_and_what_time_it_is() {
        let mut presence = Presence::default();
        let online = |presence: &Presence, last_ms| presence.online_for_ms(last_ms, 1);
        assert_eq!((online(&presence, 0), online(&presence, NOW_MS)), (0, 0));
        presence.advance(1, NOW_MS + 5_000);
        assert_eq!((online(&presence, 0), online(&presence, NOW_MS)), (0, 15_000));
        assert_eq!(online(&presence, NOW_MS + 6_000), 20_000, "the clock went back");
    }
}
