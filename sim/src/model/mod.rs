//! What a box has promised, worked out again from what is durable: slowly, whole, in memory.
//!
//! The model hears of every batch once it is durable, and applies its records to plain
//! lists: inboxes that forget nothing, decisions by message, parts by number. It knows no
//! sessions, no residency, no checkpoints. Every message that was accepted ends in exactly
//! one [`Exit`]; what a device is told or stores is held against that at once, and at the
//! end of a world against all of it.

mod account;
mod apply;
mod contacts;
mod decide;
mod delete;
mod devices;
mod group;
mod group_parts;
mod group_receipts;
mod leave;
mod message;
mod parts;
mod presence;
mod purge;
mod settled;
mod signals;
mod time;
mod tokens;
mod told;
mod wakes;
mod withheld;

use std::collections::BTreeSet;
use std::fmt;

use answerback_directory::limits::SETTINGS;
use answerback_directory::partition_table::PartitionTable;
use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::kind::DeviceMark;
use answerback_proto::record::Settings;

use account::{Account, Device};
use group::{Failures, Group, Word};
use group_receipts::Seen;
use message::Message;
pub(crate) use message::{MessageNumber, NewMessage};
use parts::Part;
pub(crate) use told::Welcomed;
pub(crate) use wakes::WAKE_POLICY;
use withheld::Exceptions;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach(pub String);

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One partition, as its durable records make it.
#[derive(Debug)]
struct Home {
    /// The last durable record.
    offset: u64,
    clock_ms: u64,
    is_clock_doubted: bool,
    settings: Settings,
    /// The parts made for each partition; the first has the number 1.
    made: Vec<Vec<Part>>,
    /// The last number taken from each partition.
    taken: Vec<u64>,
    /// The last number that each partition has confirmed.
    confirmed: Vec<u64>,
}

/// The reference against which every step is held.
#[derive(Debug)]
pub struct Model {
    homes: Vec<Home>,
    accounts: Vec<Account>,
    devices: Vec<Device>,
    messages: Vec<Message>,
    /// The time that passes for boxes.
    pub(crate) now_ms: u64,
    /// Of all deletions, none twice.
    marks: Vec<Vec<DeviceMark>>,
    /// Who ever wrote to whom, whatever became of it.
    typed: BTreeSet<(UserId, UserId)>,
    exceptions: Exceptions,
    /// How many accounts are users'; groups follow.
    users: usize,
    groups: Vec<Group>,
    /// What parts of groups brought, one for each part.
    words: Vec<Word>,
    failures: Vec<Failures>,
    /// Members who do not exist, of each part that says so.
    gone: Vec<Vec<UserId>>,
    /// Of each part and each entry that says who has a message.
    seen: Vec<Seen>,
    /// When users acted: frames that a person caused, and nothing else.
    acts: BTreeSet<(UserId, u64)>,
    /// Who does not see whom, and has nothing of it on its way.
    hidden: BTreeSet<(UserId, UserId)>,
}

/// Groups of a world: each of these users may make one, under this number.
pub(crate) const GROUP_CREATORS: [UserId; 2] = [UserId(1), UserId(2)];
/// As above.
pub(crate) const GROUP_NONCE: u128 = 7;

impl Model {
    pub(crate) fn new(table: &PartitionTable, users: u16) -> Self {
        let partitions = usize::from(table.partitions());
        let home = || Home {
            offset: 0,
            clock_ms: 0,
            is_clock_doubted: false,
            settings: SETTINGS,
            made: (0..partitions).map(|_| Vec::new()).collect(),
            taken: vec![0; partitions],
            confirmed: vec![0; partitions],
        };
        let accounts = (1..=u128::from(users)).map(|id| {
            let partition = usize::from(table.partition_of(UserId(id)).0);
            Account::new(UserId(id), partition, usize::from(users) + GROUP_CREATORS.len())
        });
        let groups = GROUP_CREATORS
            .map(|creator| Group::new(table.group_of(creator, GROUP_NONCE).as_peer(), creator));
        let behind = u128::from(users) + 1..;
        let of_groups = behind.zip(&groups).map(|(id, group)| {
            let partition = usize::from(table.home_of_group(group.id).0);
            Account::new(UserId(id), partition, usize::from(users))
        });
        Self {
            homes: (0..partitions).map(|_| home()).collect(),
            accounts: accounts.chain(of_groups).collect(),
            devices: Vec::new(),
            messages: Vec::new(),
            now_ms: 0,
            marks: Vec::new(),
            typed: BTreeSet::new(),
            exceptions: Exceptions::default(),
            users: usize::from(users),
            groups: groups.into(),
            words: Vec::new(),
            failures: Vec::new(),
            gone: Vec::new(),
            seen: Vec::new(),
            acts: BTreeSet::new(),
            hidden: BTreeSet::new(),
        }
    }

    /// A new install of the app; the box has not heard of it.
    pub(crate) fn add_device(&mut self, user: UserId) -> DeviceId {
        let id = DeviceId(self.devices.len() as u128 + 1);
        self.devices.push(Device::new(id, user, self.accounts.len()));
        id
    }

    fn account(&self, user: UserId) -> &Account {
        &self.accounts[user.0 as usize - 1]
    }

    fn account_mut(&mut self, user: UserId) -> &mut Account {
        &mut self.accounts[user.0 as usize - 1]
    }

    fn device(&self, device: DeviceId) -> &Device {
        &self.devices[device.0 as usize - 1]
    }

    fn device_mut(&mut self, device: DeviceId) -> &mut Device {
        &mut self.devices[device.0 as usize - 1]
    }

    fn home(&self, user: UserId) -> &Home {
        &self.homes[self.account(user).partition]
    }

    fn message(&self, number: MessageNumber) -> &Message {
        &self.messages[number.0 as usize]
    }

    fn message_mut(&mut self, number: MessageNumber) -> &mut Message {
        &mut self.messages[number.0 as usize]
    }
}

fn require(holds: bool, breach: impl FnOnce() -> String) -> Result<(), Breach> {
    if holds { Ok(()) } else { Err(Breach(breach())) }
}
