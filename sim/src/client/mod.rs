//! A device: the SDK's session, and a store whose transactions survive.

mod delete;
mod store;
mod take;
pub(crate) mod wallet;

use answerback_directory::shard::Grant;
use answerback_proto::id::{DeviceId, GroupId, Position, Sequence, UserId};
use answerback_proto::kind::{BLOCKED, ChatSettings, HIDES_READS, MUTED};
use answerback_proto::limits::{LIFE_MIN_S, MUTED_UNTIL_MS_MAX};
use answerback_sdk::session::{
    Ask, ClientSession, ContactsChange, Credit, GroupRequest, Mode, Outgoing, Visibility, Writers,
};
use answerback_sdk::storage::ChatChange;
use fastrand::Rng;

use crate::model::{Breach, MessageNumber, Model, NewMessage};
use crate::network::Connection;
use crate::trace::Trace;
use store::Store;

/// Whether anybody uses the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Living,
    /// Its database went back to an older copy, and it has not been told yet.
    RolledBack,
    /// It was told that it is no device of the user's any more.
    Gone,
}

/// One device of a user.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    credit: Credit,
    store: Store,
    /// A copy of the database, as of an earlier time.
    backup: Option<Store>,
    session: ClientSession,
    pub(crate) connection: Option<Connection>,
    /// Which end of the box its connections have, and how many there were.
    pub(crate) slot: u32,
    pub(crate) connections: u32,
    pub(crate) usage: Use,
    /// The app lives, and stores nothing that comes.
    pub(crate) is_stuck: bool,
    /// It does not connect.
    pub(crate) is_away: bool,
    /// It keeps silent about numbers that it lost.
    pub(crate) skips_nothing: bool,
    /// Nobody looks at it.
    is_in_background: bool,
    /// It was asked for such a number on this connection.
    was_asked: bool,
    /// Whether it may have something to say.
    is_stirred: bool,
}

impl Client {
    pub(crate) fn new(user: UserId, device: DeviceId, slot: u32, random: &mut Rng) -> Self {
        let credit = Credit { frames: random.u32(1..20), bytes: random.u32(1..2000) };
        let is_in_background = random.u8(..4) == 0;
        let store = Store::default();
        let mut new = Self {
            user,
            device,
            credit,
            backup: None,
            session: store.session(user, device, credit),
            store,
            connection: None,
            slot,
            connections: 0,
            usage: Use::Living,
            is_stuck: false,
            is_away: false,
            skips_nothing: random.u8(..4) == 0,
            is_in_background,
            was_asked: false,
            is_stirred: true,
        };
        new.set_mode();
        // Chats have begun soon, and then it means nothing any more.
        if user.0 % 3 == 1 {
            new.session.ask_for(Ask::SetWriters(Writers::Contacts));
        }
        new
    }

    fn set_mode(&mut self) {
        if self.is_in_background {
            self.session.set_mode(Mode::Background);
        }
    }

    /// Opens a connection; the counter is raised and stored before it.
    pub(crate) fn connect(&mut self, now_s: u64, is_honest: bool, random: &mut Rng) {
        self.store.connection_counter += 1;
        let grant = self.store.wallet.show(now_s, is_honest, random);
        self.session.handle_connected(self.store.connection_counter, &wallet::write(&grant));
        self.connection = Some(Connection::default());
        self.connections += 1;
        self.is_stirred = true;
    }

    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
        self.was_asked = false;
        self.session.handle_disconnected();
    }

    /// The app dies: what is stored stays.
    pub(crate) fn crash(&mut self) {
        self.disconnect();
        self.is_stuck = false;
        self.session = self.store.session(self.user, self.device, self.credit);
        self.set_mode();
    }

    /// The database is copied, for a bad day.
    pub(crate) fn back_up(&mut self) {
        self.backup = Some(self.store.clone());
    }

    /// The bad day: the database is that copy, where a connection was made since.
    pub(crate) fn roll_back(&mut self) -> bool {
        let is_older =
            |backup: &mut Store| backup.connection_counter < self.store.connection_counter;
        let was_open = self.session.is_open();
        let Some(backup) = self.backup.take_if(|backup| was_open && is_older(backup)) else {
            return false;
        };
        self.store = backup;
        self.usage = Use::RolledBack;
        self.crash();
        true
    }

    /// Sends a message, or loses it once its number is used up.
    pub(crate) fn send(
        &mut self,
        peer: UserId,
        model: &mut Model,
        random: &mut Rng,
    ) -> (MessageNumber, Sequence) {
        let last = self.store.last_sequence.entry(peer).or_default();
        let is_recall = random.u8(..8) == 0 && last.0 > 0;
        let recent = last.0.saturating_sub(4)..=last.0;
        let recalled = is_recall.then(|| Sequence(random.u64(recent).max(1)));
        let is_short = random.u8(..4) == 0;
        let new = NewMessage {
            sender: self.user,
            device: self.device,
            recipient: model.alias(peer),
            recalled,
            life_s: if is_short { random.u32(LIFE_MIN_S..60) } else { 0 },
            payload_bytes: random.usize(4..60),
            is_lost: random.u8(..40) == 0,
        };
        let (number, sequence) = model.add_message(new);
        *last = sequence;
        if !new.is_lost {
            let to_group = new.recipient != peer;
            let seen_ms = self.store.seen_ms.get(&peer).copied().unwrap_or_default();
            let outgoing = Outgoing { peer, to_group, seen_ms, ..outgoing(&new, number, sequence) };
            self.store.undecided.insert((peer, sequence), outgoing.clone());
            self.session.send(outgoing);
            self.is_stirred = true;
        }
        (number, sequence)
    }

    /// The user asks for something to be done with a group.
    pub(crate) fn ask_group(&mut self, request: GroupRequest) {
        self.session.ask_for(Ask::Group(request));
        self.is_stirred = true;
    }

    /// The user touches a key in the chat with another.
    pub(crate) fn type_to(&mut self, now_ms: u64, peer: UserId, model: &mut Model) {
        model.handle_typed(self.user, peer);
        self.session.typing(now_ms, peer, 1);
        self.is_stirred = true;
    }

    /// The user watches others, looks at one, or chooses who may see this, or write first; in
    /// words.
    pub(crate) fn watch(&mut self, users: u128, random: &mut Rng) -> &'static str {
        self.is_stirred = true;
        match random.u8(..6) {
            0 => {
                self.session.look(UserId(random.u128(1..=users + 1)));
                "looks at somebody"
            }
            1 => {
                let all = [Visibility::Everybody, Visibility::Contacts, Visibility::Nobody];
                self.session.ask_for(Ask::SetVisibility(all[random.usize(..all.len())]));
                "chooses who may see this"
            }
            2 => {
                let all =
                    [ContactsChange::Replaced, ContactsChange::Added, ContactsChange::Removed];
                let change = all[random.usize(..all.len())];
                let users = (1..=users + 1).map(UserId).filter(|user| *user != self.user);
                let users = users.filter(|_| random.bool()).collect();
                self.session.ask_for(Ask::SetContacts { change, users });
                "has other contacts"
            }
            3 => {
                let all = [Writers::Everybody, Writers::Contacts];
                self.session.ask_for(Ask::SetWriters(all[random.usize(..all.len())]));
                "chooses who may write first"
            }
            _ => {
                let watched = (1..=users + 1).filter(|_| random.bool()).map(UserId).collect();
                self.session.watch(watched);
                "watches others"
            }
        }
    }

    /// The user reads all that came from one device of a peer.
    pub(crate) fn read(&mut self, random: &mut Rng) -> Option<(UserId, DeviceId, Sequence)> {
        let received = &self.store.received;
        let at = random.usize(..received.len().max(1));
        let (&(peer, device), &up_to) = received.iter().nth(at)?;
        self.store.unnoted_reads.insert((peer, device), up_to);
        self.session.read(peer, device, up_to);
        self.is_stirred = true;
        Some((peer, device, up_to))
    }

    /// The user reads a group: what came of it, or as much as somebody claims.
    pub(crate) fn read_group(&mut self, random: &mut Rng) -> Option<(GroupId, Position)> {
        let at = random.usize(..self.store.in_groups.len().max(1));
        let (&peer, &last) = self.store.in_groups.iter().nth(at)?;
        let group = GroupId(peer.0);
        let up_to = match random.u8(..8) {
            0 => Position(last.0 + random.u64(..20)),
            1..3 => Position(random.u64(1..=last.0)),
            _ => last,
        };
        self.session.ask_for(Ask::ReadGroup { group, up_to });
        self.is_stirred = true;
        Some((group, up_to))
    }

    /// The user looks after a device, this one or another.
    pub(crate) fn look_after(&mut self, device: DeviceId, random: &mut Rng) -> Ask {
        let name = ["", "phone", "laptop", "old phone"][random.usize(..4)].to_owned();
        let ask = match random.u8(..16) {
            0 => Ask::RevokeDevice { device },
            1..8 => Ask::Devices,
            _ => Ask::NameDevice { device, name },
        };
        self.session.ask_for(ask.clone());
        self.is_stirred = true;
        ask
    }

    /// The user has the chat with a peer treated otherwise.
    pub(crate) fn treat(&mut self, peer: UserId, is_group: bool, random: &mut Rng) -> Ask {
        let (changes, flags) = match random.u8(..8) {
            0..4 if is_group => (HIDES_READS, HIDES_READS),
            0..4 => (BLOCKED, BLOCKED),
            4..6 => (BLOCKED | HIDES_READS, 0),
            6 => (HIDES_READS, HIDES_READS),
            _ => (MUTED, 0),
        };
        let until_ms = [0, 1, MUTED_UNTIL_MS_MAX];
        let muted_until_ms = if changes == MUTED { until_ms[random.usize(..3)] } else { 0 };
        let settings = ChatSettings { flags, muted_until_ms };
        let ask = Ask::SetChat(ChatChange { peer, changes, settings });
        self.session.ask_for(ask.clone());
        self.is_stirred = true;
        ask
    }

    /// Writes what waits to be written.
    pub(crate) fn transmit(&mut self, now_ms: u64) {
        if self.session.poll_timeout().is_some_and(|due_ms| due_ms <= now_ms) {
            self.session.handle_timeout(now_ms);
        }
        self.is_stirred = false;
        let mut nowhere = Vec::new();
        let out = match &mut self.connection {
            Some(connection) => connection.to_box.tail(),
            None => &mut nowhere,
        };
        while self.session.poll_transmit(out) {}
    }

    /// Takes what arrived, stores it, acknowledges what is stored.
    pub(crate) fn receive(
        &mut self,
        now_ms: u64,
        model: &mut Model,
        random: &mut Rng,
        trace: &Trace,
    ) -> Result<(), Breach> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let bytes = connection.to_client.read(random);
        self.is_stirred |= !bytes.is_empty();
        let received = self.session.handle_received(now_ms, bytes);
        let ends = connection.is_closing && connection.to_client.is_empty();
        let device = self.device;
        received.map_err(|error| {
            Breach(format!("the box broke the protocol: {error}, to device {device}"))
        })?;
        self.take_events(model, trace)?;
        if ends {
            self.disconnect();
        }
        Ok(())
    }

    /// Whether only a new start of the app helps: it is stuck, was asked for what it lost, or
    /// did not store the failure of a number that its session counts as decided.
    pub(crate) fn is_at_a_loss(&self) -> bool {
        let has_forgotten = self.session.undecided() == 0 && !self.store.undecided.is_empty();
        self.is_stuck || self.was_asked || has_forgotten
    }

    /// Whether nothing is on its way to it.
    pub(crate) fn hears_nothing_more(&self) -> bool {
        self.connection.as_ref().is_none_or(|connection| connection.to_client.is_empty())
    }

    /// What somebody may have copied of what it logs in with.
    pub(crate) fn copied(&self, random: &mut Rng) -> Option<Grant> {
        self.store.wallet.any(random)
    }

    pub(crate) fn session(&self) -> &ClientSession {
        &self.session
    }

    /// Whether nothing of it is undecided or unsaid.
    pub(crate) fn is_settled(&self) -> bool {
        let is_quiet = self.connection.as_ref().is_some_and(Connection::is_quiet);
        is_quiet
            && !self.is_stirred
            && self.session.is_open()
            && self.store.undecided.is_empty()
            && self.store.deletions.is_empty()
            && self.session.undecided() == 0
    }
}

/// A message as the app writes it, but for what it knows of the chat.
fn outgoing(new: &NewMessage, number: MessageNumber, sequence: Sequence) -> Outgoing {
    Outgoing {
        peer: new.recipient,
        sequence,
        content_type: 1,
        seen_ms: 0,
        life_s: new.life_s,
        payload: number.payload(new.payload_bytes),
        recalled: new.recalled,
        to_group: false,
    }
}
