//! What the app's threads and the client's own share: the file, the link, what is to be told.

use std::collections::BTreeMap;

use answerback_proto::id::{DeviceId, Generation, GroupId, Sequence, UserId};
use answerback_proto::kind::ChatSettings;

use super::event::{ClientEvent, ConnectionState, EventQueue};
use super::signals::Signals;
use super::{Error, Options};
use crate::link::{Halt, Link, LinkState};
use crate::session::{
    Ask, AskId, ClientSession, Credit, EntryBody, Event, Mode, Outcome, Outgoing,
};
use crate::storage::{ChatChange, Draft, GroupRead, SentState, Storage, StorageError};

/// What happened since the client was opened, for logs and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Sessions that were opened.
    pub opened_count: u64,
    /// Messages that were received and stored; those that were here already count too.
    pub received_count: u64,
    /// Messages that the server had accepted and asked for again: it has lost them, as after
    /// the restore of a backup.
    pub lost_count: u64,
    /// Messages that were here already and came from another place of the inbox: after the
    /// restore of a backup all do, otherwise the server has kept one twice.
    pub doubled_count: u64,
}

/// What a device asks by itself: its app is not told of the answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum OwnAsk {
    /// How chats are treated, and which groups the user is in.
    Chats,
    /// Who is in a group.
    Describe(GroupId),
    /// To note how far the user has read a group.
    Read(GroupRead),
}

/// A device: its file and its link, kept in step.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) storage: Storage,
    pub(super) link: Link,
    pub(super) mode: Mode,
    pub(super) events: EventQueue,
    pub(super) statistics: Statistics,
    pub(super) signals: Signals,
    /// Whether all that waited at the last `Hello` is stored.
    pub(super) is_caught_up: bool,
    /// The app waits for what is owed to the server, to close.
    pub(super) is_closing: bool,
    /// The thread holds bytes that the socket has not taken.
    pub(super) has_bytes_out: bool,
    told: Option<LinkState>,
    /// Changes of chats that the server was asked for.
    changing: BTreeMap<AskId, ChatChange>,
    /// What it has asked by itself.
    pub(super) own_asks: BTreeMap<AskId, OwnAsk>,
}

impl Device {
    pub(super) fn open(options: &Options, seed: u64) -> Result<Self, Error> {
        let storage = Storage::open(&options.database, options.user, options.device)?;
        let mut state = storage.device_state()?;
        if options.mode == Mode::Fetch {
            // It sends nothing, so that a push is answered with little memory.
            state.undecided.clear();
            state.unnoted_reads.clear();
        }
        let is_new = state.generation == Generation(0);
        let mut session = ClientSession::new(state);
        if options.mode != Mode::Fetch {
            storage.unnoted_deletions()?.into_iter().for_each(|one| session.delete_chat(one));
        }
        session.set_app_build(options.app_build);
        if options.mode == Mode::Fetch {
            session.set_credit(Credit { frames: 64, bytes: 512 * 1024 });
        }
        let (mut changing, mut own_asks) = (BTreeMap::new(), BTreeMap::new());
        if options.mode != Mode::Fetch {
            if is_new || storage.lacks_groups()? {
                own_asks.insert(session.ask_for(Ask::Chats), OwnAsk::Chats);
            }
            for read in storage.unnoted_group_reads()? {
                own_asks.insert(session.ask_for(Ask::from(read)), OwnAsk::Read(read));
            }
            for change in storage.unsaid_changes()? {
                changing.insert(session.ask_for(Ask::SetChat(change)), change);
            }
        }
        Ok(Self {
            storage,
            changing,
            link: Link::new(session, options.mode, seed),
            mode: options.mode,
            events: EventQueue::default(),
            statistics: Statistics::default(),
            signals: Signals::default(),
            is_caught_up: false,
            is_closing: false,
            has_bytes_out: false,
            told: None,
            own_asks,
        })
    }

    /// Whether the server is still to hear what is stored here.
    pub(super) fn owes(&mut self) -> bool {
        let is_online = self.link.state() == LinkState::Online;
        is_online && (self.has_bytes_out || self.link.session().owes_acknowledgement())
    }

    /// Stores what the link says, and notes what the app is to be told.
    pub(super) fn settle(&mut self, now_ms: u64) {
        let events: Vec<_> = std::iter::from_fn(|| self.link.poll_event(now_ms)).collect();
        if !events.is_empty()
            && let Err(error) = self.store(&events)
        {
            self.link.stop(Halt::Storage(error.to_string()));
        }
        for event in &events {
            self.signals.handle(event, now_ms, &mut self.events);
        }
        self.tell_state(now_ms);
    }

    /// What passes by itself passes.
    pub(super) fn handle_timeout(&mut self, now_ms: u64) {
        self.link.handle_timeout(now_ms);
        self.signals.handle_timeout(now_ms, &mut self.events);
    }

    /// When something is to be done although nothing came.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        self.link.poll_timeout().into_iter().chain(self.signals.poll_timeout()).min()
    }

    /// Tells the app of another stage of the connection.
    pub(super) fn tell_state(&mut self, now_ms: u64) {
        let state = self.link.state();
        if self.told.as_ref() != Some(&state) {
            let shown = self.connection(now_ms);
            self.events.push(ClientEvent::ConnectionChanged { state: shown });
            self.told = Some(state);
        }
    }

    pub(super) fn connection(&self, now_ms: u64) -> ConnectionState {
        match self.link.state() {
            LinkState::Connecting => ConnectionState::Connecting,
            LinkState::Online => ConnectionState::Online,
            LinkState::Offline { retry_at_ms, reason, is_untrusted } => {
                let retry_in_ms = retry_at_ms.saturating_sub(now_ms);
                ConnectionState::Offline { retry_in_ms, reason, is_untrusted }
            }
            LinkState::Stopped(halt) => ConnectionState::Stopped { error: halt.into() },
        }
    }

    /// Stores messages and hands them to the session.
    pub(super) fn queue(&mut self, drafts: Vec<Draft>) -> Result<Vec<Sequence>, Error> {
        let queued = self.storage.queue(drafts)?;
        Ok(queued.into_iter().map(|message| self.send(message)).collect())
    }

    /// Hands a stored message to the session.
    pub(super) fn send(&mut self, message: Outgoing) -> Sequence {
        let (peer, sequence) = (message.peer, message.sequence);
        self.link.session().send(message);
        self.events.push(ClientEvent::ChatChanged { peer });
        sequence
    }

    /// Stores that a chat is treated otherwise, and asks the server for it.
    pub(super) fn change_chat(
        &mut self,
        peer: UserId,
        changes: u16,
        to: ChatSettings,
    ) -> Result<AskId, Error> {
        let change = self.storage.change_chat(peer, changes, to)?;
        let ask = self.link.session().ask_for(Ask::SetChat(change));
        self.changing.insert(ask, change);
        self.tell_of_chat(peer);
        Ok(ask)
    }

    /// Stores how far the user has read a group, and has the server told.
    pub(super) fn read_group(
        &mut self,
        group: GroupId,
        message: Option<(UserId, DeviceId, Sequence)>,
    ) -> Result<(), StorageError> {
        if let Some(read) = self.storage.read_group(group, message)? {
            let ask = self.link.session().ask_for(Ask::from(read));
            self.own_asks.insert(ask, OwnAsk::Read(read));
        }
        self.tell_of_chat(group.as_peer());
        Ok(())
    }

    /// What was read that the server does not know of.
    pub(super) fn unnoted_reads(&mut self) -> usize {
        let of_groups = self.own_asks.values().filter(|ask| matches!(ask, OwnAsk::Read(_))).count();
        self.link.session().unnoted_reads() + of_groups
    }

    /// Stores what an answer says of chats and groups; whether the app is to be told.
    fn take_answer(&mut self, ask: AskId, outcome: &Outcome) -> Result<bool, StorageError> {
        if let Some(change) = self.changing.remove(&ask) {
            let is_done = matches!(outcome, Outcome::Done { .. });
            self.storage.settle_change(change, is_done)?;
            self.tell_of_chat(change.peer);
        }
        if let Outcome::Chats(listed) = outcome {
            for chat in listed {
                self.storage.take_chat(chat.peer, chat.settings)?;
                self.tell_of_chat(chat.peer);
            }
            self.ask_who_is_in(listed)?;
        }
        match self.own_asks.remove(&ask) {
            None => return Ok(true),
            Some(OwnAsk::Chats) => {}
            Some(OwnAsk::Describe(group)) => self.take_description(group, outcome)?,
            Some(OwnAsk::Read(read)) => self.storage.note_group_read(read)?,
        }
        Ok(false)
    }

    fn store(&mut self, events: &[Event]) -> Result<(), StorageError> {
        let mut burst = self.storage.burst()?;
        events.iter().try_for_each(|event| burst.record(event))?;
        self.statistics.doubled_count += burst.doubled_count();
        if let Some(position) = burst.commit()? {
            self.link.session().handle_stored(position);
        }
        for event in events {
            if let Event::Missing { peer, from, to } = *event {
                self.fill(peer, from, to)?;
            }
            if let Event::Answered { ask, outcome } = event
                && !self.take_answer(*ask, outcome)?
            {
                continue;
            }
            if let Event::Opened { lapsed: true, .. } = event {
                self.handle_lapsed()?;
            }
            self.tell(event);
        }
        Ok(())
    }

    /// Answers `Missing`: what is kept goes again, the other numbers are given up.
    fn fill(&mut self, peer: UserId, from: Sequence, to: Sequence) -> Result<(), StorageError> {
        for message in self.storage.kept(peer, from, to)? {
            let sent = self.storage.sent(peer, message.sequence)?;
            let was_accepted = sent.is_some_and(|sent| sent.state == SentState::Accepted);
            self.statistics.lost_count += u64::from(was_accepted);
            self.link.session().send(message);
        }
        (from.0..=to.0).for_each(|number| self.link.session().skip(peer, Sequence(number)));
        Ok(())
    }

    fn tell(&mut self, event: &Event) {
        match event {
            Event::Opened { lapsed, .. } => {
                self.statistics.opened_count += 1;
                self.is_caught_up = false;
                if *lapsed {
                    self.events.push(ClientEvent::HistoryLost);
                }
            }
            Event::Accepted { peer, .. }
            | Event::Refused { peer, .. }
            | Event::Failed { peer, .. } => self.tell_of_chat(*peer),
            Event::Entry(entry) => {
                self.tell_of_chat(entry.peer);
                let is_received = match entry.body {
                    EntryBody::Message { .. } => true,
                    EntryBody::GroupMessage { sender, .. } => sender != self.storage.user(),
                    _ => false,
                };
                if is_received {
                    self.statistics.received_count += 1;
                    self.events.push(ClientEvent::MessagesWaiting);
                }
            }
            Event::CaughtUp => {
                self.is_caught_up = true;
                self.events.push(ClientEvent::CaughtUp);
            }
            Event::Answered { ask, outcome } => {
                let (ask, outcome) = (*ask, outcome.clone());
                self.events.push(ClientEvent::Answered { ask, outcome });
            }
            Event::WatchRefused { code } => {
                let error = Error::of_code(*code);
                self.events.push(ClientEvent::WatchRefused { error });
            }
            Event::ReadNoted { .. }
            | Event::DeletionNoted { .. }
            | Event::Ticket(_)
            | Event::Renewed
            | Event::Missing { .. }
            | Event::Shown(_)
            | Event::Typing { .. }
            | Event::Presence { .. }
            | Event::Silent
            | Event::GoAway { .. }
            | Event::Closed { .. } => {}
        }
    }

    pub(super) fn tell_of_chat(&mut self, peer: UserId) {
        self.events.push(ClientEvent::ChatChanged { peer });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ErrorClass;
    use crate::link::Step;

    fn device(directory: &tempfile::TempDir) -> Device {
        let database = directory.path().join("alice");
        let options = Options::new("a:1".to_owned(), UserId(1), DeviceId(11), database);
        Device::open(&options, 1).unwrap()
    }

    /// What cannot be stored is not acknowledged: the connection ends, and the app is told.
    #[test]
    fn a_file_that_takes_nothing_stops_the_client() {
        let directory = tempfile::tempdir().unwrap();
        let mut device = device(&directory);
        assert_eq!(device.link.poll_step(0), Some(Step::Dial));
        device.link.handle_dialled(0, 1, "token");
        device.storage.refuse_writes();
        // Anything that is to be stored.
        let (peer, payload) = (UserId(2), Vec::new());
        let sequence = Sequence(0);
        device.link.session().send(Outgoing {
            peer,
            sequence,
            content_type: 1,
            seen_ms: 0,
            life_s: 0,
            payload,
            recalled: None,
            to_group: false,
        });
        device.settle(5);
        let ConnectionState::Stopped { error } = device.connection(5) else { panic!() };
        assert_eq!(error.class, ErrorClass::Storage, "{error}");
        assert_eq!(device.link.poll_step(5), Some(Step::Close));
        assert_eq!(device.link.poll_timeout(), None, "nothing more is tried");
        let told = device.events.pop();
        let is_told = matches!(
            told,
            Some(ClientEvent::ConnectionChanged { state: ConnectionState::Stopped { .. } })
        );
        assert!(is_told, "{told:?}");
        let sent = device.queue(vec![Draft::new(UserId(2), 1, b"hello".to_vec())]).unwrap_err();
        assert_eq!(sent.class, ErrorClass::Storage);
    }
}
