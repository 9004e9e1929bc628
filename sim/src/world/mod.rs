//! One random step after another, every choice from one seed.

mod fault;
mod groups;
mod operator;
mod settle;
mod step;
mod weather;

use std::panic::{AssertUnwindSafe, catch_unwind};

use answerback_directory::partition_table::PartitionTable;
use answerback_proto::id::UserId;
use fastrand::Rng;

use crate::client::{Client, Use};
use crate::disk::Disk;
use crate::front::{BoxSettings, Front};
use crate::model::{Breach, Model};
use crate::planted::{Planted, Plants};
use crate::trace::Trace;

/// What one world is made of.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Cores that the shards are spread over.
    pub cores: u16,
    /// Partitions, a power of two.
    pub partitions: u16,
    /// Users, at least three; the last two have no device at first.
    pub users: u16,
    /// Steps with faults, before everything is left to settle.
    pub steps: u32,
    /// Whether every step is told on standard output.
    pub is_traced: bool,
    /// A bug of the box's shell or disk.
    pub planted: Option<Planted>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { cores: 1, partitions: 4, users: 6, steps: 4_000, is_traced: false, planted: None }
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Messages sent.
    pub sent: u32,
    /// Times that the box died.
    pub crashes: u32,
    /// Times that a connection or an app died.
    pub cuts: u32,
    /// Times that one partition stood still.
    pub halts: u32,
    /// Checkpoints written.
    pub checkpoints: u32,
    /// Steps taken, those to settle included.
    pub steps: u32,
}

/// When worlds begin.
const START_MS: u64 = 1_790_000_000_000;
const MESSAGES_MAX: u32 = 400;
const DEVICES_MAX: usize = 24;

/// A box, its disk, its clients.
pub struct World {
    settings: Settings,
    with: BoxSettings,
    random: Rng,
    /// Never goes back.
    monotonic_ms: u64,
    /// What the box takes for the time.
    wall_ms: u64,
    disk: Disk,
    /// None while the box is down.
    front: Option<Front>,
    clients: Vec<Client>,
    model: Model,
    outcome: Outcome,
    trace: Trace,
    is_settling: bool,
}

impl World {
    /// A world that will always do the same.
    pub fn new(seed: u64, settings: Settings) -> Self {
        let mut random = Rng::with_seed(seed);
        let secret = random.u128(..).to_le_bytes();
        let table = PartitionTable::new(&secret, settings.partitions, settings.cores);
        let planted = Plants(settings.planted);
        let with = BoxSettings {
            table,
            cores: settings.cores,
            residency: weather::residency(&mut random),
            settings: weather::settings(&mut random),
            planted,
        };
        let mut world = Self {
            settings,
            with,
            random,
            monotonic_ms: 1,
            wall_ms: START_MS,
            disk: Disk::new(settings.partitions, planted),
            front: None,
            clients: Vec::new(),
            model: Model::new(&table, settings.users),
            outcome: Outcome::default(),
            trace: Trace { is_on: settings.is_traced, step: 0, now_ms: 0 },
            is_settling: false,
        };
        for number in 1..=u128::from(settings.users.saturating_sub(2)) {
            (0..1 + number % 3).for_each(|_| world.add_client(UserId(number)));
        }
        world
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// The first broken promise, or panic.
    pub fn run(mut self) -> Result<Outcome, Breach> {
        let played = catch_unwind(AssertUnwindSafe(|| self.play()));
        let played = played.unwrap_or_else(|_| Err(Breach("something panicked, see above".into())));
        played.map_err(|Breach(breach)| {
            Breach(format!("{breach} (step {} of {})", self.outcome.steps, self.settings.steps))
        })?;
        Ok(self.outcome)
    }

    fn play(&mut self) -> Result<(), Breach> {
        for _ in 0..self.settings.steps {
            self.step()?;
        }
        self.end()
    }

    fn add_client(&mut self, user: UserId) {
        let device = self.model.add_device(user);
        let slot = self.clients.len() as u32;
        self.clients.push(Client::new(user, device, slot, &mut self.random));
    }

    /// The clients that somebody uses.
    fn living(&self) -> impl Iterator<Item = &Client> {
        self.clients.iter().filter(|client| client.usage == Use::Living)
    }
}
