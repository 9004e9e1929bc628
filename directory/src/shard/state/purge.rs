//! An operator has a user purged: from one record on there is no such user, and all that
//! waits ends.
//!
//! An inbox may be long, so its entries go in steps, a `Due` each; meanwhile the user's due
//! time is [`ALWAYS`], which also a restart finds. What nobody had acknowledged is told to
//! its sender, what came early too; receipts, copies and what another device still owed
//! just leave. What was withheld ends as well. The head stays, and with it the next position and the decisions: a position
//! never stands for another entry, and a repeat is answered as it was decided.

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Position, Sequence, UserId};

use super::super::effect::Administered;
use super::super::grant::Revocations;
use super::super::inbox::InboxEntry;
use super::super::sequence::Decision;
use super::super::user::{ALWAYS, Existence, NEVER, User, Visibility};
use super::{Consequences, Missing, State, Verdict, chat_of, require_range};
use crate::limits::{PURGED_POSITIONS_MAX, WITHHELD_PER_STEP_MAX};

impl State {
    /// There is no such user from here on.
    pub(super) fn purge(
        &mut self,
        acting: UserId,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let user = self.user(acting)?;
        match user.existence {
            Existence::Exists => {}
            Existence::Purging => return Ok(Verdict::Administered(Administered::WasSo)),
            Existence::Unknown | Existence::Purged | Existence::Group => {
                return Ok(Verdict::Administered(Administered::Unknown));
            }
        }
        user.set_purged_up_to(user.left_up_to());
        user.existence = Existence::Purging;
        user.due_ms = ALWAYS;
        user.revoke_all_devices();
        user.set_visibility(Visibility::default());
        user.set_for_contacts(false);
        user.forget_untold();
        if user.contacts_count() > 0 {
            user.set_contacts(Vec::new());
        }
        consequences.devices_changed.push(acting);
        consequences.purges.push((acting, true));
        self.digest.mix(acting.0 as u64);
        self.list(acting);
        Ok(Verdict::Administered(Administered::Done))
    }

    /// A step of it.
    pub(super) fn go_on_with_purge(
        &mut self,
        acting: UserId,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let user = self.user(acting)?;
        let withheld = user.withheld().next();
        match (user.gaps().first().copied(), withheld) {
            (Some(peer), _) => self.end_parked(acting, peer)?,
            (None, Some((peer, _))) => {
                let max = WITHHELD_PER_STEP_MAX;
                let ended = self.require_withheld_of(acting, peer, NEVER, max)?;
                self.end_withheld(acting, ended, Code::UserPurged);
            }
            (None, None) => self.end_entries(acting)?,
        }
        let is_left = self.user(acting)?.existence == Existence::Purging;
        consequences.purges.push((acting, is_left));
        self.list(acting);
        Ok(Verdict::Silent)
    }

    /// What one user's devices sent early ends, and so do the numbers that were missing.
    fn end_parked(&mut self, acting: UserId, peer: UserId) -> Result<(), Missing> {
        let chat = chat_of(self.user(acting)?, peer)?;
        let mut parked = Vec::new();
        for sender in &mut chat.senders {
            if let Some((&last, _)) = sender.parked.last_key_value() {
                parked.push((sender.device, sender.decisions.expected(), last));
                sender.drop_parked_up_to(last);
                sender.gap_since_ms = 0;
            }
        }
        for (device, first, last) in parked {
            (first.0..=last.0)
                .for_each(|number| self.reject_purged(acting, peer, device, Sequence(number)));
        }
        if let Some(user) = self.users.get_mut(acting) {
            user.note_gap(peer, false);
        }
        Ok(())
    }

    fn reject_purged(&mut self, acting: UserId, peer: UserId, of: DeviceId, number: Sequence) {
        let code = Code::UserPurged;
        if let Some(chat) = self.chat_mut(acting, peer) {
            chat.decide(of, Decision::Rejected(code));
        }
        self.tell_failed(acting, peer, of, number, code);
    }

    /// The next entries leave; behind the last of them nothing is left.
    fn end_entries(&mut self, acting: UserId) -> Result<(), Missing> {
        let user = self.user(acting)?;
        let (after, last) = (user.purged_up_to(), user.inbox.last_position());
        let up_to = match user.live {
            0 => last,
            _ => last.min(Position(after.0.saturating_add(PURGED_POSITIONS_MAX))),
        };
        require_range(user, after, up_to)?;
        self.require_bodies(acting, after, up_to)?;
        let user = self.user(acting)?;
        let leaving = user.inbox.known(after, up_to);
        let leaving: Vec<_> = leaving.map(|(position, entry)| (position, entry.clone())).collect();
        let floor = user.floor;
        let is_undelivered =
            |(position, entry): &(Position, InboxEntry)| entry.is_message() && *position > floor;
        for (_, entry) in leaving.iter().filter(|one| is_undelivered(one)) {
            self.require_counts(acting, entry)?;
        }
        for one in &leaving {
            let (position, entry) = one;
            if !is_undelivered(one) {
                if let Some(word) = entry.body.word() {
                    self.bodies.release(word.place, acting);
                }
                self.remove(acting, *position);
            } else if planted!(PurgeUntold) {
                self.end_undelivered(acting, *position, entry);
            } else {
                self.fail_undelivered(acting, *position, entry, Code::UserPurged);
            }
        }
        if let Some(user) = self.users.get_mut(acting) {
            user.set_purged_up_to(up_to);
            if up_to == last {
                end_purge(user);
            }
        }
        Ok(())
    }

    /// An entry that tells nobody anything by leaving leaves.
    pub(super) fn remove(&mut self, acting: UserId, position: Position) {
        let Some(user) = self.users.get_mut(acting) else { return };
        user.inbox.remove(position);
        user.live -= 1;
        user.above -= u32::from(position > user.floor);
        self.digest.mix(position.0);
    }
}

/// Nothing is left; whoever comes back starts behind it.
fn end_purge(user: &mut User) {
    debug_assert_eq!((user.live, user.above, user.messages, user.bytes), (0, 0, 0, 0));
    user.existence = Existence::Purged;
    user.due_ms = user.revocations().and_then(Revocations::due_ms).unwrap_or(NEVER);
    user.floor = user.inbox.last_position();
    if planted!(PurgeResetsPositions) {
        user.floor = Position(0);
        user.inbox = super::super::inbox::Inbox::default();
    }
}
