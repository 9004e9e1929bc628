//! All that belongs to one user: inbox, devices, chats.

use std::collections::BTreeMap;

use answerback_proto::id::{DeviceId, Position, Sequence, UserId};

use super::by_user::OfUser;
use super::effect::EntryBody;
use super::inbox::Inbox;
use super::sequence::{Decision, Decisions};

/// How far an answer may be sorted ahead of this home's clock, so that it never sorts
/// above a question that another home's clock has stamped.
const SEEN_AHEAD_MAX_MS: u64 = 10_000;

/// One install of the app.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    /// All entries up to here are stored there, as far as the journal knows.
    pub(crate) cursor: Position,
    /// The counter of its last login.
    pub(crate) connection_counter: u64,
    /// Since the last checkpoint.
    pub(crate) changed: bool,
}

/// What a user's home keeps of one other user's messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chat {
    /// The shown time of the last message accepted here.
    pub(crate) last_accepted_ms: u64,
    /// The peer's devices that sent here.
    pub(crate) senders: Vec<Sender>,
    /// `last_accepted_ms`, since the last checkpoint.
    pub(crate) changed: bool,
}

/// One sending device of the peer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) device: DeviceId,
    pub(crate) decisions: Decisions,
    /// The greatest sequence that a device of the user has stored; only rises.
    pub(crate) delivered_up_to: Sequence,
    /// Since the last checkpoint.
    pub(crate) changed: bool,
}

/// A message that has just been delivered for the first time, or the last of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewlyDelivered {
    pub(crate) peer: UserId,
    pub(crate) device: DeviceId,
    pub(crate) up_to: Sequence,
}

/// All that belongs to one user.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) inbox: Inbox,
    /// The highest cursor that any device ever had, kept when devices go: a new device
    /// starts behind it.
    pub(crate) acknowledged_by_any: Position,
    pub(crate) devices: Box<[Device]>,
    pub(crate) chats: BTreeMap<UserId, Chat>,
    /// Whether the user is listed for the next checkpoint.
    pub(crate) listed: bool,
}

impl OfUser for User {
    fn user(&self) -> UserId {
        self.id
    }
}

impl User {
    /// A user without anything.
    pub(crate) fn new(id: UserId) -> Self {
        Self {
            id,
            inbox: Inbox::default(),
            acknowledged_by_any: Position(0),
            devices: Box::default(),
            chats: BTreeMap::new(),
            listed: false,
        }
    }

    /// Adds a device. Most users have one, so no room is kept for more.
    pub(crate) fn add_device(&mut self, device: Device) {
        let devices = std::mem::take(&mut self.devices).into_iter().chain([device]);
        self.devices = devices.collect();
    }

    /// The device, where the user has it.
    pub(crate) fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.iter().find(|device| device.id == id)
    }

    /// A login: false where the counter is not above the stored one, and nothing changes.
    pub(crate) fn connect(&mut self, id: DeviceId, connection_counter: u64) -> bool {
        let known = self.devices.iter_mut().find(|device| device.id == id);
        match known {
            Some(device) if connection_counter <= device.connection_counter => return false,
            Some(device) => {
                device.connection_counter = connection_counter;
                device.changed = true;
            }
            None => {
                let cursor = self.acknowledged_by_any;
                self.add_device(Device { id, cursor, connection_counter, changed: true });
            }
        }
        true
    }

    /// The decisions about a sending device's messages, where any was made.
    pub(crate) fn decisions(&self, peer: UserId, device: DeviceId) -> Option<&Decisions> {
        let senders = &self.chats.get(&peer)?.senders;
        senders.iter().find(|sender| sender.device == device).map(|sender| &sender.decisions)
    }

    /// Accepts the next message of a peer's device; returns its place in the shown order:
    /// not behind the clock, the chat's last one, or what its sender had seen.
    pub(crate) fn accept(
        &mut self,
        peer: UserId,
        device: DeviceId,
        now_ms: u64,
        seen_ms: u64,
    ) -> u64 {
        let chat = self.chats.entry(peer).or_default();
        let answer_ms = seen_ms.saturating_add(1).min(now_ms + SEEN_AHEAD_MAX_MS);
        let at_ms = now_ms.max(chat.last_accepted_ms).max(answer_ms);
        chat.last_accepted_ms = at_ms;
        chat.changed = true;
        chat.decide(device, Decision::Accepted { at_ms });
        at_ms
    }

    /// Gives the next message of a peer's device up.
    pub(crate) fn skip(&mut self, peer: UserId, device: DeviceId) {
        self.chats.entry(peer).or_default().decide(device, Decision::Skipped);
    }

    /// A device has stored the inbox up to a position: what every device has, leaves.
    /// Returns what was thereby delivered for the first time.
    pub(crate) fn acknowledge(&mut self, id: DeviceId, up_to: Position) -> Vec<NewlyDelivered> {
        let up_to = up_to.min(self.inbox.last_position());
        let device = self.devices.iter_mut().find(|device| device.id == id);
        let Some(device) = device.filter(|device| device.cursor < up_to) else {
            return Vec::new();
        };
        device.cursor = up_to;
        device.changed = true;
        let newly = delivered_between(&self.inbox, self.acknowledged_by_any, up_to);
        self.acknowledged_by_any = self.acknowledged_by_any.max(up_to);
        for NewlyDelivered { peer, device, up_to } in newly.iter().copied() {
            let sender = self.chats.entry(peer).or_default().sender(device);
            sender.delivered_up_to = sender.delivered_up_to.max(up_to);
            sender.changed = true;
        }
        self.let_leave();
        newly
    }

    /// A checkpoint has all of it.
    pub(crate) fn forget_changes(&mut self) {
        self.listed = false;
        self.devices.iter_mut().for_each(|device| device.changed = false);
        for chat in self.chats.values_mut() {
            chat.changed = false;
            chat.senders.iter_mut().for_each(|sender| sender.changed = false);
        }
        self.inbox.forget_changes();
    }

    /// Entries leave once every device has acknowledged them.
    fn let_leave(&mut self) {
        let Some(up_to) = self.devices.iter().map(|device| device.cursor).min() else { return };
        self.inbox.remove_up_to(up_to);
    }
}

impl Chat {
    /// The peer's device, made where missing.
    pub(crate) fn sender(&mut self, device: DeviceId) -> &mut Sender {
        let found = self.senders.iter().position(|sender| sender.device == device);
        let index = found.unwrap_or(self.senders.len());
        if found.is_none() {
            self.senders.push(Sender { device, ..Sender::default() });
        }
        #[expect(clippy::indexing_slicing, reason = "found, or pushed just above")]
        &mut self.senders[index]
    }

    fn decide(&mut self, device: DeviceId, decision: Decision) {
        let sender = self.sender(device);
        sender.changed = true;
        sender.decisions.decide(decision);
    }
}

/// The greatest sequence of each (peer, device) among the messages in `(after, up_to]`.
fn delivered_between(inbox: &Inbox, after: Position, up_to: Position) -> Vec<NewlyDelivered> {
    let mut found: Vec<NewlyDelivered> = Vec::new();
    for (_, entry) in inbox.between(after, up_to) {
        let &EntryBody::Message { device, sequence, .. } = &entry.body else { continue };
        let peer = entry.peer;
        match found.iter_mut().rev().find(|known| known.peer == peer && known.device == device) {
            Some(known) => known.up_to = known.up_to.max(sequence),
            None => found.push(NewlyDelivered { peer, device, up_to: sequence }),
        }
    }
    found
}
