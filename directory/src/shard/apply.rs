//! From committed records to effects: what was decided, said to whom it concerns.

use answerback_proto::id::UserId;
use answerback_proto::record::Corrupt;

use super::push::rolled_back;
use super::{Asked, Effect, Mail, Shard, Taken, Verdict};

impl Shard {
    /// Applies the records of a batch, in order, and tells those who asked.
    pub(super) fn apply(&mut self, taken: &Taken) -> Result<(), Corrupt> {
        let mut askers = taken.askers.iter().peekable();
        for (index, placed) in (0..).zip(taken.batch.records()) {
            let verdict = self.state.apply(placed?, &mut self.consequences);
            if let Some(asker) = askers.next_if(|asker| asker.index == index) {
                self.tell(&asker.asked, verdict);
            }
        }
        self.state.finish_batch(taken.batch.end(), taken.batch.chain_after());
        Ok(())
    }

    fn tell(&mut self, asked: &Asked, verdict: Verdict) {
        match (asked, verdict) {
            (Asked::Request { origin, peer }, Verdict::Answer(answer)) => {
                let (to, tag, peer) = (origin.session, origin.tag, *peer);
                self.effects.push_back(Effect::Answer { to, tag, peer, answer });
            }
            (Asked::Opening(opening), Verdict::Connected) => {
                if let Some(user) = self.state.users.get(opening.origin.user) {
                    let generation = self.state.generation;
                    self.sessions.open(opening, user, generation, &mut self.effects);
                }
            }
            (Asked::Opening(opening), Verdict::RolledBack) => {
                self.effects.push_back(rolled_back(opening));
            }
            _ => {}
        }
    }

    /// Passes on what the records just applied caused.
    pub(super) fn settle(&mut self) {
        for user in self.consequences.touched.drain(..) {
            self.sessions.touch(user);
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
    }

    /// Whether a user exists, as far as the journal was applied.
    pub fn knows(&self, user: UserId) -> bool {
        self.state.users.get(user).is_some()
    }
}
