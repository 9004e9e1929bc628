//! An operator ends users: takes all their devices, or has them purged.

use answerback_directory::limits::{PURGED_POSITIONS_MAX, WITHHELD_PER_STEP_MAX};
use answerback_proto::code::Code;
use answerback_proto::id::{Sequence, UserId};

use super::account::{Account, Body, NEVER};
use super::message::{Decision, Exit};
use super::{Breach, Model};

impl Model {
    pub(super) fn revoke_user(&mut self, user: UserId) {
        if self.account(user).exists {
            self.revoke_all(user);
            self.let_leave(user);
        }
    }

    /// There is no such user any more; what waits ends in steps, whatever the clock says.
    pub(super) fn purge(&mut self, user: UserId) {
        if !self.account(user).exists {
            return;
        }
        let left_up_to = self.left_up_to(user);
        self.revoke_all(user);
        let account = self.account_mut(user);
        account.exists = false;
        account.is_purging = true;
        account.was_purged = true;
        account.contacts.clear();
        account.is_for_contacts = false;
        account.visibility = 0;
        account.written_to.clear();
        account.gone_up_to = left_up_to;
        account.due_ms = 0;
        account.untold.clear();
    }

    fn revoke_all(&mut self, user: UserId) {
        for id in self.account(user).devices.clone() {
            self.device_mut(id).revoke();
        }
    }

    /// A step: what came early of one user, or the next entries.
    pub(super) fn go_on_with_purge(&mut self, user: UserId) -> Result<(), Breach> {
        match self.account(user).gaps.first() {
            Some(&peer) => self.end_parked(user, peer),
            None => match self.account(user).withheld.iter().map(|one| one.peer).min() {
                Some(peer) => {
                    let ended = self.ended_withheld(user, peer, NEVER, WITHHELD_PER_STEP_MAX);
                    self.end_withheld(user, peer, &ended, Exit::Purged)
                }
                None => self.end_entries(user),
            },
        }
    }

    fn end_parked(&mut self, user: UserId, peer: UserId) -> Result<(), Breach> {
        let directions = &mut self.account_mut(user).chat(peer).directions;
        directions.sort_unstable_by_key(|direction| direction.device);
        let mut ended = Vec::new();
        for direction in directions {
            if let Some((&last, _)) = direction.parked.last_key_value() {
                ended.extend((direction.last + 1..=last).map(|number| (direction.device, number)));
                direction.last = last;
                direction.parked.clear();
                direction.gap_since_ms = 0;
            }
        }
        for (device, number) in ended {
            let message = self.sent(device, user, Sequence(number))?;
            self.decide(message, Decision::Rejected(Code::UserPurged))?;
            self.tell_failed(message, Code::UserPurged.number());
        }
        self.account_mut(user).note_gap(peer, false);
        Ok(())
    }

    fn end_entries(&mut self, user: UserId) -> Result<(), Breach> {
        let account = self.account(user);
        let (after, last) = (account.gone_up_to, account.last_position());
        let is_empty = account.alive(after, last).next().is_none();
        let up_to = if is_empty { last } else { last.min(after + PURGED_POSITIONS_MAX) };
        let floor = account.floor;
        let leaving: Vec<_> =
            account.alive(after, up_to).map(|(position, entry)| (position, entry.body)).collect();
        for (position, body) in leaving {
            match body {
                Body::Message(number) | Body::GroupMessage(number) if position > floor => {
                    self.fail_waiting(user, position, number, Exit::Purged)?;
                }
                _ => self.account_mut(user).die(position),
            }
        }
        let account = self.account_mut(user);
        account.gone_up_to = up_to;
        if up_to == last {
            account.is_purging = false;
            account.floor = last;
            account.due_ms = account.void.due_ms().unwrap_or(NEVER);
        }
        Ok(())
    }

    /// Whether anybody's purge has yet to come to its end.
    pub(crate) fn is_purging(&self) -> bool {
        self.accounts.iter().any(|account| account.is_purging)
    }
}

impl Account {
    /// Of a user who does not exist nothing is left that could be offered or told.
    pub(super) fn is_empty(&self) -> bool {
        let is_any_parked = self.chats.iter().any(super::account::Chat::has_gap);
        let is_any_waiting = self.alive(0, self.last_position()).next().is_some();
        !is_any_waiting && !is_any_parked && self.withheld.is_empty()
    }
}
