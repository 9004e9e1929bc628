//! From committed records to effects: what was decided, said to whom it concerns.

use answerback_proto::id::UserId;
use answerback_proto::record::{Corrupt, PlacedRecord};

use super::push::refused;
use super::state::{Held, Verdict};
use super::user::User;
use super::{Asked, Effect, Mail, Shard};

impl Shard {
    /// Applies the first of the taken batches, from where it stands, and tells those who
    /// asked.
    ///
    /// # Errors
    /// The outer: a corrupt batch. The inner: what has to be read first.
    pub(super) fn apply_next(&mut self) -> Result<Result<(), Held>, Corrupt> {
        let Some(mut taken) = self.taken.pop_front() else { return Ok(Ok(())) };
        let first = taken.batch.first_offset().0;
        let mut records = taken.batch.records_from(taken.mark);
        loop {
            let mark = records.mark();
            let Some(placed) = records.next() else { break };
            let placed = placed?;
            let verdict = match self.apply_one(&placed) {
                Ok(verdict) => verdict,
                Err(Held::Corrupt(corrupt)) => return Err(corrupt),
                Err(held) => {
                    taken.mark = mark;
                    self.taken.push_front(taken);
                    return Ok(Err(held));
                }
            };
            let index = (placed.offset.0 - first) as u32;
            if let Some(asker) = taken.askers.pop_front_if(|asker| asker.index == index) {
                self.tell(&asker.asked, verdict);
            }
        }
        self.state.finish_batch(taken.batch.end(), taken.batch.chain_after());
        self.committed -= 1;
        for user in self.heads_of.drain(..) {
            if let Some(user) = self.state.users.get_mut(user) {
                user.inbox.forget_heads();
            }
        }
        Ok(Ok(()))
    }

    #[inline]
    fn apply_one(&mut self, placed: &PlacedRecord) -> Result<Verdict, Held> {
        if !self.repaired.is_empty() && self.repaired.contains(&placed.offset) {
            return self.state.reject(placed, &mut self.consequences);
        }
        self.state.apply(placed, &mut self.consequences)
    }

    fn tell(&mut self, asked: &Asked, verdict: Verdict) {
        match (asked, verdict) {
            (Asked::Request { origin, peer }, Verdict::Answer(answer)) => {
                let (to, tag, peer) = (origin.session, origin.tag, *peer);
                self.effects.push_back(Effect::Answer { to, tag, peer, answer });
            }
            (Asked::Request { origin, .. }, Verdict::Administered(outcome)) => {
                self.answer_own(*origin, outcome);
            }
            (Asked::Opening(opening), Verdict::Connected { lapsed }) => {
                if let Some(user) = self.state.users.get(opening.origin.user) {
                    let generation = self.generation;
                    self.sessions.open(opening, user, generation, lapsed, &mut self.effects);
                }
            }
            (Asked::Opening(opening), Verdict::Refused(code)) => {
                self.effects.push_back(refused(opening, code));
            }
            (&Asked::Command { ticket }, Verdict::Administered(outcome)) => {
                self.effects.push_back(Effect::Administered { ticket, outcome });
            }
            _ => {}
        }
    }

    /// Passes on what the records just applied caused.
    pub(super) fn settle(&mut self) {
        for user in self.consequences.touched.drain(..) {
            self.sessions.touch(user);
        }
        for user in std::mem::take(&mut self.consequences.devices_changed) {
            if let Some(user) = self.state.users.get(user) {
                self.sessions.handle_devices(user, &mut self.effects);
            }
        }
        for user in self.consequences.rechecked.drain(..) {
            self.sessions.recheck(user, &mut self.effects);
        }
        let mut shown = std::mem::take(&mut self.consequences.shown);
        for (user, peer, body) in shown.drain(..) {
            let to = self.state.table.partition_of(user);
            self.effects.push_back(Effect::Mail { to, mail: Mail::Show { user, peer, body } });
        }
        self.consequences.shown = shown;
        let mut sources = std::mem::take(&mut self.consequences.parts_from);
        for source in sources.drain(..) {
            if let Some(taken) = self.state.incoming.get(&source).map(|incoming| incoming.taken) {
                self.confirm(source, taken);
            }
        }
        self.consequences.parts_from = sources;
        self.courier.hurry(self.consequences.hurried.drain(..));
        let alarms = self.consequences.alarms.drain(..);
        self.effects.extend(alarms.map(Effect::Alarm));
        for user in std::mem::take(&mut self.consequences.visibility) {
            self.handle_visibility(user);
        }
        for (user, peer) in std::mem::take(&mut self.consequences.blocks) {
            self.handle_block(user, peer);
        }
        for (user, is_left) in std::mem::take(&mut self.consequences.purges) {
            self.purges.handle_applied(user, is_left);
            self.forget_presence(user);
        }
        self.go_on_with_purges();
    }

    /// Whether a user exists, as far as memory tells.
    pub fn knows(&self, user: UserId) -> bool {
        self.state.users.get(user).is_some_and(User::exists)
    }
}
