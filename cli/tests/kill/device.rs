//! A device of the SDK that sends at random, and checks what it hears.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_sdk::{
    Client, ClientEvent, ConnectionState, Draft, GroupId, MessageId, MessageState, Options,
    Outcome, Statistics, TokenSource,
};
use fastrand::Rng;

use crate::DEVICES;
use crate::common::Place;

const UNDECIDED_MAX: u64 = 48;
const BATCH_MAX: usize = 12;
const TEXT: u16 = 1;
/// A turn waits so long for anything to happen.
const TURN_MS: u64 = 5;
/// One turn of so many is the last of its process.
const TURNS_A_DEATH: u32 = 60;

/// After so many turns on an open session without anything new, some 20 s, nothing new will
/// come.
const IDLE_TURNS_MAX: u32 = 4000;

pub(crate) struct Device {
    options: Options,
    token: String,
    random: Rng,
    /// None only between two processes.
    client: Option<Client>,
    /// A group of all users.
    group: GroupId,
    /// By recipient, a user or the group: the last number sent.
    sent: BTreeMap<UserId, Sequence>,
    /// What was decided and what came, when that was last looked at.
    decided: u64,
    received: u64,
    /// Turns since anything new came.
    idle_turns: u32,
}

/// The same token for each connection.
struct Token(String);

impl TokenSource for Token {
    fn token(&self) -> Result<String, String> {
        Ok(self.0.clone())
    }
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
        let (user, id) = (UserId(user.into()), DeviceId(device.into()));
        let options = Options::new(address.to_owned(), user, id, path(place, device));
        let token = place.token(user.0 as u32, device);
        let client = Some(open(&options, &token));
        let new = Self {
            options,
            token,
            random,
            client,
            group: GroupId(0),
            sent: BTreeMap::new(),
            decided: 0,
            received: 0,
            idle_turns: 0,
        };
        while !new.is_online() {
            new.wait();
        }
        new
    }

    /// Makes a group of all, who have all logged in.
    pub(crate) fn make_group(&self) -> GroupId {
        let users: BTreeSet<_> = DEVICES.iter().map(|(user, _)| UserId((*user).into())).collect();
        let others = users.into_iter().filter(|user| *user != self.options.user);
        let asked = self.client().create_group("all", others.collect()).unwrap();
        loop {
            if let Some(ClientEvent::Answered { ask, outcome }) = self.wait()
                && ask == asked
            {
                let Outcome::GroupCreated { group } = outcome else {
                    panic!("no group: {outcome:?}")
                };
                return group;
            }
        }
    }

    /// Writes to that from now on, too.
    pub(crate) fn join(&mut self, group: GroupId) {
        self.group = group;
    }

    /// Stores and sends some messages to somebody, unless much is undecided.
    pub(crate) fn send_some(&mut self) {
        if self.client().pending_count().unwrap() > UNDECIDED_MAX {
            return;
        }
        let (user, id) = (self.options.user, self.options.device);
        let (to, _) = self.random.choice(DEVICES).unwrap();
        let to = UserId(to.into());
        // Whoever would write to himself writes to all.
        let (to, is_group) = if to == user { (self.group.as_peer(), true) } else { (to, false) };
        let last = self.sent.get(&to).copied().unwrap_or_default();
        let count = self.random.usize(1..=BATCH_MAX) as u64;
        let drafts = (last.0 + 1..=last.0 + count).map(|sequence| {
            let text = text(user, id, to, sequence);
            match is_group {
                true => Draft::to_group(self.group, TEXT, text),
                false => Draft::new(to, TEXT, text),
            }
        });
        let sent = self.client().send_all(drafts.collect()).unwrap();
        let last = Sequence(last.0 + count);
        assert_eq!(sent.last().unwrap().sequence, last);
        self.sent.insert(to, last);
    }

    /// Waits for something to happen; how many decisions it brought. Now and then the process
    /// dies, and another one opens the file as it is.
    pub(crate) fn turn(&mut self) -> u64 {
        if self.random.u32(..TURNS_A_DEATH) == 0 {
            self.die();
        }
        self.wait();
        let Statistics { received_count, .. } = self.client().statistics().unwrap();
        let sent: u64 = self.sent.values().map(|last| last.0).sum();
        let decided = sent - self.client().pending_count().unwrap();
        let news = decided.saturating_sub(self.decided);
        self.idle_turns = match news > 0 || received_count != self.received || !self.is_online() {
            true => 0,
            false => self.idle_turns + 1,
        };
        (self.decided, self.received) = (self.decided.max(decided), received_count);
        if self.idle_turns > IDLE_TURNS_MAX {
            self.give_up();
        }
        news
    }

    /// Whether all that was sent is decided.
    pub(crate) fn is_all_decided(&self) -> bool {
        self.client().pending_count().unwrap() == 0
    }

    pub(crate) fn user(&self) -> UserId {
        self.options.user
    }

    /// How many messages went to whom: of a group to each of its other members.
    pub(crate) fn sent_to(&self) -> impl Iterator<Item = (UserId, u64)> {
        let users: BTreeSet<_> = DEVICES.iter().map(|(user, _)| UserId((*user).into())).collect();
        let others = users.into_iter().filter(|user| *user != self.options.user);
        let of_group = self.sent.get(&self.group.as_peer()).copied().unwrap_or_default();
        let to_users = self.sent.iter().filter(|(to, _)| **to != self.group.as_peer());
        let to_users: Vec<_> = to_users.map(|(to, last)| (*to, last.0)).collect();
        to_users.into_iter().chain(others.map(move |user| (user, of_group.0)))
    }

    /// Whether as many came, and all that was sent is known as delivered, or accepted where
    /// nobody is told more: numbers have no gaps, so the last one of each chat says it.
    pub(crate) fn has_everything(&self, count: u64) -> bool {
        let is_told = |(to, _, state): &(UserId, Sequence, _)| {
            let is_group = *to == self.group.as_peer();
            let told = if is_group { MessageState::Accepted } else { MessageState::Delivered };
            *state == Some(told)
        };
        self.last_states().iter().all(is_told) && self.received() >= count
    }

    /// What is only in memory is gone.
    fn die(&mut self) {
        self.check();
        self.client = None;
        self.client = Some(open(&self.options, &self.token));
    }

    fn client(&self) -> &Client {
        self.client.as_ref().unwrap()
    }

    fn wait(&self) -> Option<ClientEvent> {
        let event = self.client().next_event(TURN_MS);
        self.check();
        event
    }

    /// What was accepted is never asked for again, nothing has two places, and no session ends
    /// for good.
    fn check(&self) {
        let Options { user, device, .. } = self.options;
        let Statistics { lost_count, doubled_count, .. } = self.client().statistics().unwrap();
        assert_eq!(lost_count, 0, "{user}.{device}: accepted messages were lost");
        assert_eq!(doubled_count, 0, "{user}.{device}: messages have two places");
        if let ConnectionState::Stopped { error } = self.client().connection().unwrap() {
            panic!("{user}.{device}: {error}");
        }
    }

    fn is_online(&self) -> bool {
        self.client().connection().unwrap() == ConnectionState::Online
    }

    /// Says how far everything came.
    fn give_up(&self) -> ! {
        let Options { user, device, .. } = self.options;
        let (undecided, received) = (self.client().pending_count().unwrap(), self.received());
        let sent = self.last_states();
        panic!(
            "{user}.{device} waits in vain: {received} came, {undecided} undecided, \
             the last one to each: {sent:?}"
        )
    }

    /// What became of the last message to each.
    fn last_states(&self) -> Vec<(UserId, Sequence, Option<MessageState>)> {
        let Options { user: sender, device, .. } = self.options;
        let state = |(&peer, &sequence): (&UserId, &Sequence)| {
            let id = MessageId { peer, sender, device, sequence };
            (peer, sequence, self.client().message(id).unwrap().map(|message| message.state))
        };
        self.sent.iter().map(state).collect()
    }

    fn received(&self) -> u64 {
        self.client().to_hand_over(u32::MAX).unwrap().len() as u64
    }
}

fn open(options: &Options, token: &str) -> Client {
    Client::open(options.clone(), Box::new(Token(token.to_owned()))).unwrap()
}
