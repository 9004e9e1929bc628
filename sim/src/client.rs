//! A device: the SDK's session, and a store whose transactions survive.

use std::collections::BTreeMap;

use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_sdk::session::{
    ClientSession, Credit, DeviceState, Entry, EntryBody, Event, Outgoing,
};
use fastrand::Rng;

use crate::model::{Breach, Identity, Model};
use crate::network::Connection;

/// What the device's database holds.
#[derive(Debug, Default)]
struct Store {
    connection_counter: u64,
    generation: Generation,
    cursor: Position,
    /// Messages without a decision.
    undecided: BTreeMap<(UserId, Sequence), Outgoing>,
    last_sequence: BTreeMap<UserId, Sequence>,
    seen_ms: BTreeMap<UserId, u64>,
}

/// One device of a user.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    credit: Credit,
    store: Store,
    session: ClientSession,
    pub(crate) connection: Option<Connection>,
    /// The slot of the box that the connection ends in.
    pub(crate) slot: u32,
    /// Whether it may have something to say.
    is_stirred: bool,
}

impl Client {
    pub(crate) fn new(user: UserId, device: DeviceId, random: &mut Rng) -> Self {
        let credit = Credit { frames: random.u32(1..20), bytes: random.u32(1..2000) };
        let store = Store::default();
        let session = session(user, device, credit, &store);
        Self { user, device, credit, store, session, connection: None, slot: 0, is_stirred: true }
    }

    /// Opens a connection; the counter is raised and stored before it.
    pub(crate) fn connect(&mut self, slot: u32) {
        self.store.connection_counter += 1;
        self.session.handle_connected(self.store.connection_counter, "");
        self.connection = Some(Connection::default());
        self.slot = slot;
        self.is_stirred = true;
    }

    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
        self.session.handle_disconnected();
    }

    /// The app dies: what is stored stays.
    pub(crate) fn crash(&mut self) {
        self.connection = None;
        self.session = session(self.user, self.device, self.credit, &self.store);
    }

    pub(crate) fn send(&mut self, peer: UserId, model: &mut Model) {
        let last = self.store.last_sequence.entry(peer).or_default();
        *last = last.next();
        let sequence = *last;
        let message = self.identity(peer, sequence);
        model.handle_sent(message);
        let outgoing = Outgoing {
            peer,
            sequence,
            content_type: 1,
            seen_ms: self.store.seen_ms.get(&peer).copied().unwrap_or_default(),
            life_s: 0,
            payload: message.payload(),
            recalled: None,
        };
        self.store.undecided.insert((peer, sequence), outgoing.clone());
        self.session.send(outgoing);
    }

    /// Writes what waits to be written.
    pub(crate) fn transmit(&mut self, now_ms: u64) {
        if self.session.poll_timeout().is_some_and(|due_ms| due_ms <= now_ms) {
            self.session.handle_timeout(now_ms);
        }
        self.is_stirred = false;
        let mut bytes = Vec::new();
        while self.session.poll_transmit(&mut bytes) {}
        if let Some(connection) = &mut self.connection {
            connection.to_box.write(&bytes);
        }
    }

    /// Takes what arrived, stores it, acknowledges what is stored.
    pub(crate) fn receive(
        &mut self,
        now_ms: u64,
        bytes: &[u8],
        model: &mut Model,
    ) -> Result<(), Breach> {
        self.is_stirred |= !bytes.is_empty();
        if let Err(error) = self.session.handle_received(now_ms, bytes) {
            return Err(Breach(format!("the box broke the protocol: {error}")));
        }
        let mut stored = None;
        while let Some(event) = self.session.poll_event() {
            self.take(event, model, &mut stored)?;
        }
        if let Some(position) = stored {
            self.store.cursor = position;
            self.session.handle_stored(position);
        }
        Ok(())
    }

    fn take(
        &mut self,
        event: Event,
        model: &mut Model,
        stored: &mut Option<Position>,
    ) -> Result<(), Breach> {
        match event {
            Event::Opened { generation, cursor, .. } => {
                self.store.generation = generation;
                self.store.cursor = cursor;
            }
            Event::Accepted { peer, sequence, accepted_at_ms } => {
                self.store.undecided.remove(&(peer, sequence));
                self.see(peer, accepted_at_ms);
                model.handle_accepted(self.identity(peer, sequence))?;
            }
            Event::Entry(entry) => {
                *stored = Some(entry.position);
                self.take_entry(&entry, model)?;
            }
            Event::Shown(entry) => self.take_entry(&entry, model)?,
            Event::Refused { peer, sequence, code } => {
                return Err(Breach(format!(
                    "{} was refused for good: {code}",
                    self.identity(peer, sequence)
                )));
            }
            Event::Failed { peer, sequence, code } => {
                return Err(Breach(format!("{} failed: {code}", self.identity(peer, sequence))));
            }
            Event::Missing { peer, from, to } => {
                return Err(Breach(format!(
                    "{} lost {from} to {to} of {}.{}",
                    peer, self.user, self.device
                )));
            }
            Event::Closed { code, .. } => {
                return Err(Breach(format!("{}.{} was closed: {code}", self.user, self.device)));
            }
            Event::CaughtUp | Event::Silent | Event::GoAway { .. } | Event::ReadNoted { .. } => {}
        }
        Ok(())
    }

    fn take_entry(&mut self, entry: &Entry, model: &mut Model) -> Result<(), Breach> {
        match &entry.body {
            EntryBody::Message { device, sequence, accepted_at_ms, payload, .. } => {
                let (sender, device, sequence) = (entry.peer, *device, *sequence);
                let message = Identity { sender, device, recipient: self.user, sequence };
                self.see(sender, *accepted_at_ms);
                model.handle_stored(self.device, message, entry.position, payload)
            }
            EntryBody::Delivered { device, up_to, .. } => {
                model.handle_delivered((self.user, *device, entry.peer), *up_to)
            }
            EntryBody::Failed { sequence, code, .. } => {
                Err(Breach(format!("{} failed: {code}", self.identity(entry.peer, *sequence))))
            }
            EntryBody::ReadBy { .. }
            | EntryBody::ReadElsewhere { .. }
            | EntryBody::Copied { .. } => Ok(()),
        }
    }

    /// Whether nothing of it is undecided or unsaid.
    pub(crate) fn is_settled(&self) -> bool {
        !self.is_stirred && self.store.undecided.is_empty() && self.session.undecided() == 0
    }

    fn see(&mut self, peer: UserId, accepted_at_ms: u64) {
        let seen_ms = self.store.seen_ms.entry(peer).or_default();
        *seen_ms = accepted_at_ms.max(*seen_ms);
    }

    fn identity(&self, recipient: UserId, sequence: Sequence) -> Identity {
        Identity { sender: self.user, device: self.device, recipient, sequence }
    }
}

fn session(user: UserId, device: DeviceId, credit: Credit, store: &Store) -> ClientSession {
    let (generation, cursor) = (store.generation, store.cursor);
    let undecided = store.undecided.values().cloned().collect();
    let unnoted_reads = Vec::new();
    let mut session = ClientSession::new(DeviceState {
        user,
        device,
        generation,
        cursor,
        undecided,
        unnoted_reads,
    });
    session.set_credit(credit);
    session
}
