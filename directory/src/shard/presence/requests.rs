//! What sessions ask of presence, and how it gets to the homes of those whom they watch.

use std::collections::BTreeMap;

use answerback_proto::access;
use answerback_proto::code::Code;
use answerback_proto::id::{PartitionId, UserId};
use answerback_proto::kind::{SetVisibility, Watch};
use answerback_proto::record::VisibilityChange;

use super::super::own::asked;
use super::super::{Answer, Effect, Mail, Origin, SessionRef, Shard};
use super::Look;
use super::waits::Listing;

impl Shard {
    /// A `Watch` of a user of this partition.
    pub(in super::super) fn watch(&mut self, origin: Origin, envelope: &[u8]) -> Result<(), Code> {
        let (watch, users) = Watch::read(envelope)?;
        if !self.sessions.takes_presence(origin.user, origin.session) {
            self.decline(origin, Code::NotActive);
            return Ok(());
        }
        if self.is_strained() {
            self.decline(origin, Code::Busy);
            return Ok(());
        }
        let mut users: Vec<_> = users.iter().collect();
        users.sort_unstable();
        users.dedup();
        let (user, session) = (origin.user, origin.session);
        if watch.once > 0 {
            self.tell_homes(user, session, &users, true);
        } else {
            let now_ms = self.sessions.now_ms();
            let before = self.presence.lists.replace(user, session, users.clone().into(), now_ms);
            self.end_at_homes(user, session, &before, &users);
            self.tell_homes(user, session, &users, false);
        }
        let at_ms = self.presence.wall_ms(self.sessions.now_ms());
        let (to, tag, peer) = (origin.session, origin.tag, origin.user);
        self.effects.push_back(Effect::Answer { to, tag, peer, answer: Answer::Done { at_ms } });
        Ok(())
    }

    /// A `SetVisibility` of a user of this partition.
    pub(in super::super) fn set_visibility(
        &mut self,
        origin: Origin,
        envelope: &[u8],
    ) -> Result<(), Code> {
        let SetVisibility { visibility } = access::read(envelope)?;
        let record = VisibilityChange { user: origin.user.0, visibility };
        self.append(&record, &[], asked(origin));
        self.preload(origin.user, None);
        Ok(())
    }

    /// A session of another partition's user watches users of this one, or looks once.
    pub(in super::super) fn take_watch(
        &mut self,
        watcher: UserId,
        session: SessionRef,
        users: Box<[UserId]>,
        once: bool,
    ) {
        if self.is_strained() && !users.is_empty() {
            return;
        }
        let now_ms = self.sessions.now_ms();
        let asked = match once {
            true => users.into_vec(),
            false => self.presence.watched.replace(watcher, session, users, now_ms),
        };
        for whose in asked {
            self.tell_look(whose, Look { watcher, session, tells_hidden: true });
        }
    }

    /// A session is gone, and watches nobody any more.
    pub(in super::super) fn end_watch(&mut self, session: SessionRef) {
        if let Some(list) = self.presence.lists.remove(session) {
            self.end_at_homes(list.user, session, &list.users, &[]);
        }
    }

    /// Lists whose time has come are told again; those of sessions that are gone end.
    pub(super) fn renew_lists(&mut self, now_ms: u64) {
        while let Some(session) = self.presence.lists.next_due(now_ms) {
            self.tell_list_again(session);
        }
    }

    /// A user may see other users now than before.
    pub(super) fn tell_lists_again(&mut self, user: UserId) {
        let sessions: Vec<_> = self.sessions.of(user).collect();
        for session in sessions {
            self.tell_list_again(session);
        }
    }

    fn tell_list_again(&mut self, session: SessionRef) {
        let Some(list) = self.presence.lists.get(session) else { return };
        let (user, users) = (list.user, list.users.to_vec());
        if self.sessions.takes_presence(user, session) {
            self.tell_homes(user, session, &users, false);
        } else {
            self.end_watch(session);
        }
    }

    /// Tells a list that had to wait.
    pub(super) fn tell_listing(&mut self, listing: Listing) {
        let Listing { user, session, looks_at } = listing;
        match looks_at {
            Some(users) => self.tell_homes(user, session, &users, true),
            None => self.tell_list_again(session),
        }
    }

    /// Tells each home of somebody in a list; whoever does not see this user is not seen, and
    /// the session is told of nobody there. It waits until it is known who that is.
    fn tell_homes(&mut self, user: UserId, session: SessionRef, users: &[UserId], once: bool) {
        let missing = users.iter().filter_map(|whose| self.may_see(user, *whose).err());
        let mut missing: Vec<_> = missing.collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            let looks_at = once.then(|| users.into());
            if self.presence.waits.push_list(&missing, Listing { user, session, looks_at }) {
                missing.into_iter().for_each(|what| self.load(what));
            }
            return;
        }
        let mut by_home: BTreeMap<PartitionId, Vec<UserId>> = BTreeMap::new();
        let own = self.state.partition;
        for whose in users {
            let seen = by_home.entry(self.state.table.partition_of(*whose)).or_default();
            if self.may_see(user, *whose) == Ok(true) {
                seen.push(*whose);
            } else {
                let look = Look { watcher: user, session, tells_hidden: true };
                self.presence.show(own, *whose, look, 0, self.sessions.now_ms());
            }
        }
        for (to, users) in by_home {
            let mail = Mail::Watch { watcher: user, session, users: users.into(), once };
            self.effects.push_back(Effect::Mail { to, mail });
        }
    }

    /// Ends a list where nobody of the new one lives.
    fn end_at_homes(
        &mut self,
        user: UserId,
        session: SessionRef,
        before: &[UserId],
        users: &[UserId],
    ) {
        let table = self.state.table;
        let homes = |users: &[UserId]| {
            let mut homes: Vec<_> = users.iter().map(|user| table.partition_of(*user)).collect();
            homes.sort_unstable();
            homes.dedup();
            homes
        };
        let kept = homes(users);
        for to in homes(before).into_iter().filter(|home| !kept.contains(home)) {
            let mail = Mail::Watch { watcher: user, session, users: Box::default(), once: false };
            self.effects.push_back(Effect::Mail { to, mail });
        }
    }
}
