//! What shards want done.

use answerback_directory::shard::reply::{
    append_answer, append_caught_up, append_chats, append_contacts, append_described,
    append_devices, append_entry,
};
use answerback_directory::shard::{Answer, Effect, Entry, Mail, SessionRef};
use answerback_proto::code::Code;
use answerback_proto::id::{PartitionId, Position, UserId};
use tracing::error;

use super::Core;
use super::shards::Quarantine;
use crate::limits::SETTLE_ROUNDS_MAX;
use crate::random;
use crate::reactor::slot::SlotKey;
use crate::session::{Fault, reply};

impl Core {
    /// Does what the touched shards want. That may touch others, since partitions of one
    /// core concern each other; what is still touched after some rounds waits a tick.
    pub(super) fn settle(&mut self) {
        for _ in 0..SETTLE_ROUNDS_MAX.max(usize::from(self.shared.table.partitions())) {
            let Some(home) = self.shards.next_touched() else { return };
            while let Some(effect) = self.shards.poll_effect(home, self.now_ms()) {
                self.perform(home, effect);
            }
            self.shards.refresh(home, self.now_ms());
        }
    }

    fn perform(&mut self, home: u16, effect: Effect) {
        match effect {
            Effect::Answer { to, tag, peer, answer } => self.answer(home, to, tag, peer, &answer),
            Effect::Devices { to, tag, user, page } => {
                if let Some(key) = self.key_of(to) {
                    self.connections.append(key, |out| append_devices(out, tag, user, &page));
                    self.handle_answered(key);
                }
            }
            Effect::Chats { to, tag, user, page } => {
                if let Some(key) = self.key_of(to) {
                    self.connections.append(key, |out| append_chats(out, tag, user, &page));
                    self.handle_answered(key);
                }
            }
            Effect::Contacts { to, tag, user, page } => {
                if let Some(key) = self.key_of(to) {
                    self.connections.append(key, |out| append_contacts(out, tag, user, &page));
                    self.handle_answered(key);
                }
            }
            Effect::GroupDescribed { to, tag, group, described } => {
                let append = |out: &mut Vec<u8>| append_described(out, tag, group, &described);
                match self.key_of(to) {
                    Some(key) => {
                        self.connections.append(key, append);
                        self.handle_answered(key);
                    }
                    None => {
                        self.shards.handle_answered(home, to.core);
                        self.mesh.answer(to, false, append);
                    }
                }
            }
            Effect::Entry { to, entry } => self.push(to, &entry),
            Effect::Opened { to, tag, opened, .. } => self.welcome(to, tag, &opened),
            Effect::CaughtUp { to, user, position } => {
                if let Some(key) = self.key_of(to) {
                    self.connections.append(key, |out| append_caught_up(out, user, position));
                }
            }
            Effect::Close { to, tag, kind, code } => {
                let kind = kind.map_or(0, |kind| kind.number());
                self.dismiss(home, to, Fault { code, kind, tag });
            }
            Effect::Mail { to, mail } => self.mail(to, mail),
            Effect::Load(load) => self.reading.read(load),
            Effect::Copies { to, copies, notes_writing } => {
                if let Some(connection) = self.key_of(to).and_then(|key| self.connections.find(key))
                {
                    connection.session.copies = copies;
                    connection.session.notes_writing = notes_writing;
                }
            }
            Effect::Signal { to, signal } => self.show_signal(to, &signal),
            Effect::Probe { to } => self.probe(to),
            Effect::Report { origin, reported } => self.pass_report(home, &origin, reported),
            Effect::Wake(wake) => self.shared.hooks.wake(wake),
            Effect::Alarm(alarm) => error!(alarm = alarm.name(), "{alarm}"),
            Effect::Administered { ticket, outcome } => self.handle_administered(ticket, outcome),
        }
    }

    #[inline]
    pub(super) fn answer(
        &mut self,
        home: u16,
        to: SessionRef,
        tag: u32,
        peer: UserId,
        answer: &Answer,
    ) {
        if let Answer::Refused { code, .. } | Answer::Declined { code, .. } = answer {
            self.counts.refused.count(*code);
        }
        match self.key_of(to) {
            Some(key) => {
                self.connections.append(key, |out| append_answer(out, tag, peer, answer));
                self.handle_answered(key);
            }
            None => {
                self.shards.handle_answered(home, to.core);
                self.mesh.answer(to, false, |out| append_answer(out, tag, peer, answer));
            }
        }
    }

    /// A session is on the core of its user, whose inbox this is. Credit bounds the entries;
    /// a first word has no position, and no credit either.
    #[inline]
    fn push(&mut self, to: SessionRef, entry: &Entry) {
        debug_assert_eq!(to.core, self.core);
        let Some(key) = self.key_of(to) else { return };
        if entry.position == Position(0) {
            self.connections.append_word(key, |out| append_entry(out, entry));
        } else {
            self.counts.pushed += 1;
            self.connections.append(key, |out| append_entry(out, entry));
        }
    }

    /// Asks whether anybody is there; the next frame of any kind says so.
    fn probe(&mut self, to: SessionRef) {
        let Some(key) = self.key_of(to) else { return };
        if let Some(connection) = self.connections.find(key) {
            connection.session.is_probed = true;
        }
        self.counts.probes += 1;
        let echo = random::number();
        self.connections.append(key, |out| reply::append_probe(out, echo));
    }

    fn dismiss(&mut self, home: u16, to: SessionRef, fault: Fault) {
        match self.key_of(to) {
            Some(key) => self.fail(key, fault),
            None => {
                self.counts.closed.count(fault.code);
                self.shards.handle_answered(home, to.core);
                self.mesh.answer(to, true, |out| reply::append_error(out, fault));
            }
        }
    }

    pub(super) fn mail(&mut self, to: PartitionId, mail: Mail) {
        let core = self.shared.table.core_of(to);
        if core != self.core {
            self.mesh.mail(core, to, mail);
        } else {
            self.shards.take_mail(to, mail, self.now_ms());
        }
    }

    /// A request of a connection is answered.
    pub(super) fn handle_answered(&mut self, key: SlotKey) {
        if let Some(connection) = self.connections.find(key) {
            connection.unanswered = connection.unanswered.saturating_sub(1);
        }
    }

    /// A partition broke: its requests are refused from here on, whoever waits for it is
    /// told, and the others go on.
    pub(super) fn handle_quarantine(&mut self, quarantine: Quarantine) {
        let Quarantine { partition, cause, unanswered } = quarantine;
        error!(
            alarm = "partition_quarantined",
            partition = partition.0,
            "partition {partition} is in quarantine: {cause}"
        );
        for (core, count) in (0..).zip(unanswered) {
            if count > 0 {
                self.mesh.release(core, count);
            }
        }
        self.close_hanging(Some(partition));
    }

    /// Closes what a partition in quarantine leaves hanging: its users' sessions, and all
    /// connections with requests that may have been for it.
    pub(super) fn close_hanging(&mut self, partition: Option<PartitionId>) {
        for index in 0..self.connections.table().slot_count() {
            let Some((key, connection)) = self.connections.table().at(index) else { continue };
            let (session, is_hanging) = (connection.session, connection.unanswered > 0);
            let is_homeless = session.is_at_home() && Some(self.home_of(session)) == partition;
            if is_hanging || is_homeless {
                self.fail(key, Fault::of_connection(Code::Busy));
            }
        }
    }

    /// The key of a session of this core.
    #[inline]
    pub(super) fn key_of(&self, session: SessionRef) -> Option<SlotKey> {
        let key = SlotKey { index: session.slot, generation: session.generation };
        (session.core == self.core).then_some(key)
    }
}
