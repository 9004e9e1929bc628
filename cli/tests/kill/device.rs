//! A device of the SDK that sends at random, and checks what it hears.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Position, Sequence, UserId};
use answerback_sdk::driver::{Client, ClientError};
use answerback_sdk::session::{Entry, EntryBody, Event};
use answerback_sdk::storage::{SentState, Storage};
use fastrand::Rng;

use crate::DEVICES;
use crate::common::Place;

const UNDECIDED_MAX: usize = 48;
const BATCH_MAX: usize = 12;
const TEXT: u16 = 1;
/// The driver waits so long for a read to bring anything.
const TURN: Duration = Duration::from_millis(5);
/// One turn of so many is the last of its process.
const TURNS_A_DEATH: u32 = 60;

/// After so many turns without anything new, some 20 s, nothing new will come.
const IDLE_TURNS_MAX: u32 = 1000;

/// The connection is gone.
pub(crate) struct Ended;

/// Who sent a message, and that device's number of it.
type Identity = (UserId, DeviceId, Sequence);

pub(crate) struct Device {
    user: UserId,
    id: DeviceId,
    path: PathBuf,
    address: String,
    token: String,
    random: Rng,
    client: Option<Client>,
    /// What came, and where: the same message never has two places.
    places: BTreeMap<Identity, Position>,
    /// By recipient: the last number sent.
    sent: BTreeMap<UserId, Sequence>,
    /// What was accepted, and on which connection that was first heard.
    accepted: BTreeMap<(UserId, Sequence), u32>,
    connections: u32,
    /// Turns since anything new came.
    idle_turns: u32,
}

/// Where a device's file lies.
pub(crate) fn path(place: &Place, device: u32) -> PathBuf {
    place.path(&format!("device-{device}.sqlite"))
}

/// What a message says, so that none is taken for another.
pub(crate) fn text(sender: UserId, device: DeviceId, recipient: UserId, sequence: u64) -> Vec<u8> {
    format!("{sender}.{device} to {recipient}: {sequence}").into_bytes()
}

impl Device {
    /// A device that is logged in.
    pub(crate) fn new(place: &Place, address: &str, user: u32, device: u32, random: Rng) -> Self {
        let mut new = Self {
            user: UserId(user.into()),
            id: DeviceId(device.into()),
            path: path(place, device),
            address: address.to_owned(),
            token: place.token(user, device),
            random,
            client: None,
            places: BTreeMap::new(),
            sent: BTreeMap::new(),
            accepted: BTreeMap::new(),
            connections: 0,
            idle_turns: 0,
        };
        assert!(new.reconnect(), "the box was just started");
        new
    }

    /// Opens a session on the file as it is; whether the box was there.
    pub(crate) fn reconnect(&mut self) -> bool {
        self.client = None;
        self.connections += 1;
        let storage = Storage::open(&self.path, self.user, self.id).unwrap();
        self.client = connected(Client::connect(&self.address, &self.token, storage)).ok();
        self.client.is_some()
    }

    /// Stores and sends some messages to somebody, unless much is undecided.
    pub(crate) fn send_some(&mut self) {
        let Some(client) = &mut self.client else { return };
        if client.undecided() > UNDECIDED_MAX {
            return;
        }
        let (to, _) = self.random.choice(DEVICES).unwrap();
        let to = UserId(to.into());
        if to == self.user {
            return;
        }
        let last = self.sent.entry(to).or_insert(Sequence(0));
        let count = self.random.usize(1..=BATCH_MAX) as u64;
        let messages = (last.0 + 1..=last.0 + count)
            .map(|sequence| (to, TEXT, text(self.user, self.id, to, sequence)));
        *last = Sequence(last.0 + count);
        // They are stored, whatever becomes of the connection.
        if connected(client.send(messages)).is_err() {
            self.client = None;
        }
    }

    /// One read; how many decisions it brought.
    pub(crate) fn turn(&mut self) -> Result<u64, Ended> {
        if self.random.u32(..TURNS_A_DEATH) == 0 {
            self.client = None;
        }
        self.idle_turns += 1;
        if self.idle_turns > IDLE_TURNS_MAX {
            self.give_up();
        }
        let client = self.client.as_mut().ok_or(Ended)?;
        let Ok(events) = connected(client.receive(TURN)) else {
            self.client = None;
            return Err(Ended);
        };
        let mut accepted = 0;
        for event in events {
            match event {
                Event::Accepted { peer, sequence, .. } => {
                    self.note_accepted(peer, sequence);
                    accepted += 1;
                }
                Event::Entry(entry) => self.note(entry),
                Event::Refused { .. } | Event::Failed { .. } | Event::Closed { .. } => {
                    panic!("{}.{}: {event:?}", self.user, self.id)
                }
                _ => {}
            }
        }
        Ok(accepted)
    }

    /// What was accepted is not sent again, unless the box has lost it and asks.
    fn note_accepted(&mut self, peer: UserId, sequence: Sequence) {
        let first = *self.accepted.entry((peer, sequence)).or_insert(self.connections);
        let (user, id) = (self.user, self.id);
        assert_eq!(first, self.connections, "{sequence} of {user}.{id} to {peer} was lost");
        self.idle_turns = 0;
    }

    fn note(&mut self, Entry { position, peer, body }: Entry) {
        let EntryBody::Message { device, sequence, .. } = body else { return };
        self.idle_turns = 0;
        let place = *self.places.entry((peer, device, sequence)).or_insert(position);
        assert_eq!(place, position, "message {sequence} of {peer}.{device} has two places");
    }

    /// Whether all that was sent is decided.
    pub(crate) fn is_all_decided(&mut self) -> bool {
        self.client.as_mut().is_some_and(|client| client.undecided() == 0)
    }

    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    /// How many messages went to whom.
    pub(crate) fn sent_to(&self) -> impl Iterator<Item = (UserId, u64)> {
        self.sent.iter().map(|(to, last)| (*to, last.0))
    }

    /// Whether as many came, and all that was sent is known as delivered: numbers have no
    /// gaps, so the last one of each chat says it.
    pub(crate) fn has_everything(&mut self, count: u64) -> bool {
        let Some(client) = &mut self.client else { return false };
        let is_delivered = |(_, _, state): &_| *state == Some(SentState::Delivered);
        last_states(&self.sent, client).iter().all(is_delivered) && received(client) >= count
    }

    /// Says how far everything came.
    fn give_up(&mut self) -> ! {
        let Self { user, id, sent, client, .. } = self;
        let Some(client) = client else { panic!("{user}.{id} has no session") };
        let (undecided, received) = (client.undecided(), received(client));
        let sent = last_states(sent, client);
        panic!(
            "{user}.{id} waits in vain: {received} came, {undecided} undecided, \
             the last one to each: {sent:?}"
        )
    }
}

/// What became of the last message to each.
fn last_states(
    sent: &BTreeMap<UserId, Sequence>,
    client: &mut Client,
) -> Vec<(UserId, Sequence, Option<SentState>)> {
    let state = |(peer, last): (&UserId, &Sequence)| {
        let message = client.storage().sent(*peer, *last).unwrap();
        (*peer, *last, message.map(|message| message.state))
    };
    sent.iter().map(state).collect()
}

fn received(client: &mut Client) -> u64 {
    client.storage().to_hand_over(u32::MAX).unwrap().len() as u64
}

/// Only the connection may fail, or the box drain.
fn connected<T>(result: Result<T, ClientError>) -> Result<T, Ended> {
    match result {
        Ok(value) => Ok(value),
        Err(ClientError::Connect { .. } | ClientError::Disconnected(_)) => Err(Ended),
        Err(ClientError::Closed(code)) if code == Code::Draining.number() => Err(Ended),
        Err(error) => panic!("{error}"),
    }
}
