//! One random step after another, every choice from one seed.

use std::fmt;

use answerback_directory::partition_table::PartitionTable;
use answerback_proto::id::{DeviceId, UserId};
use fastrand::Rng;

use crate::client::Client;
use crate::disk::Disk;
use crate::front::Front;
use crate::model::{Breach, Model};
use crate::network::Connection;

/// What one world is made of.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Cores that the shards are spread over.
    pub cores: u16,
    /// Partitions, a power of two.
    pub partitions: u16,
    /// Users; every second one has two devices.
    pub users: u16,
    /// Steps with faults, before everything is left to settle.
    pub steps: u32,
    /// Whether every step is told on standard output.
    pub is_traced: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { cores: 1, partitions: 4, users: 4, steps: 3_000, is_traced: false }
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
    /// Checkpoints written.
    pub checkpoints: u32,
    /// Steps taken, those to settle included.
    pub steps: u32,
}

/// Everything that may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    Connect,
    Transmit,
    ToBox,
    ToClient,
    TakeBatches,
    Sync,
    HearCommitted,
    Letter,
    Mail,
    Clock,
    Checkpoint,
    Cut,
    CrashClient,
    CrashBox,
}

/// Steps and how often each is taken; the faults stand last.
const WEIGHTS: &[(Step, u32)] = &[
    (Step::Send, 40),
    (Step::Connect, 30),
    (Step::Transmit, 80),
    (Step::ToBox, 80),
    (Step::ToClient, 80),
    (Step::TakeBatches, 60),
    (Step::Sync, 60),
    (Step::HearCommitted, 60),
    (Step::Letter, 60),
    (Step::Mail, 40),
    (Step::Clock, 30),
    (Step::Checkpoint, 10),
    (Step::Cut, 6),
    (Step::CrashClient, 3),
    (Step::CrashBox, 3),
];

/// Steps within which a world without faults must settle.
const SETTLING_STEPS_MAX: u32 = 400_000;
const NEW_MESSAGES_MAX: u32 = 400;
const START_MS: u64 = 1_790_000_000_000;

/// A box, its disk, its clients.
pub struct World {
    settings: Settings,
    table: PartitionTable,
    random: Rng,
    now_ms: u64,
    disk: Disk,
    /// None while the box is down.
    front: Option<Front>,
    clients: Vec<Client>,
    next_slot: u32,
    model: Model,
    outcome: Outcome,
    is_settling: bool,
}

impl World {
    /// A world that will always do the same.
    pub fn new(seed: u64, settings: Settings) -> Self {
        let mut random = Rng::with_seed(seed);
        let table = PartitionTable::new(
            &random.u128(..).to_le_bytes(),
            settings.partitions,
            settings.cores,
        );
        let mut clients = Vec::new();
        for number in 1..=u128::from(settings.users) {
            let devices = 1 + number % 2;
            clients.extend((1..=devices).map(|device| {
                Client::new(UserId(number), DeviceId(number * 10 + device), &mut random)
            }));
        }
        Self {
            settings,
            table,
            random,
            now_ms: START_MS,
            disk: Disk::default(),
            front: None,
            clients,
            next_slot: 1,
            model: Model::default(),
            outcome: Outcome::default(),
            is_settling: false,
        }
    }

    /// Runs with faults, then without until nothing moves.
    ///
    /// # Errors
    /// The first promise broken.
    pub fn run(mut self) -> Result<Outcome, Breach> {
        // Every device logs in before anything is sent: nobody is unknown.
        self.settle()?;
        for _ in 0..self.settings.steps {
            self.step()?;
        }
        self.settle()?;
        self.disk.sync(|batch| self.model.handle_durable(batch));
        self.model.check_settled()?;
        self.check_restart()?;
        Ok(self.outcome)
    }

    fn settle(&mut self) -> Result<(), Breach> {
        self.is_settling = true;
        for _ in 0..SETTLING_STEPS_MAX {
            if self.is_settled() {
                self.is_settling = false;
                return Ok(());
            }
            self.step()?;
        }
        Err(Breach("the world does not settle".into()))
    }

    fn is_settled(&self) -> bool {
        let quiet = |connection: &Connection| {
            connection.to_box.is_empty()
                && connection.to_client.is_empty()
                && !connection.is_closing
        };
        self.front.as_ref().is_some_and(Front::is_settled)
            && self
                .clients
                .iter()
                .all(|client| client.is_settled() && client.connection.as_ref().is_some_and(quiet))
    }

    fn step(&mut self) -> Result<(), Breach> {
        let step = self.choose();
        self.outcome.steps += 1;
        self.now_ms += u64::from(self.random.bool());
        let at = self.random.usize(..self.clients.len());
        self.trace(&format_args!("{step:?} client {at}"));
        match step {
            Step::Send => self.send(at),
            Step::Connect => self.connect(at)?,
            Step::Transmit => self.transmit(at),
            Step::ToBox => self.arrive_at_box(at)?,
            Step::ToClient => self.arrive_at_client(at)?,
            Step::TakeBatches => self.take_batches(),
            Step::Sync => self.sync(),
            Step::HearCommitted => self.hear_committed()?,
            Step::Letter => self.letter(),
            Step::Mail => self.mail(),
            Step::Clock => self.now_ms += self.random.u64(..200),
            Step::Checkpoint => self.checkpoint(),
            Step::Cut => self.cut(at, false),
            Step::CrashClient => self.cut(at, true),
            Step::CrashBox => self.crash_box(),
        }
        self.front_says();
        Ok(())
    }

    /// What the disk holds makes the state that the box has: a restart changes nothing,
    /// with the journal and with a last checkpoint instead of it.
    fn check_restart(&mut self) -> Result<(), Breach> {
        let Some(mut front) = self.front.take() else { return Ok(()) };
        for by in ["its journal", "its checkpoints"] {
            let restarted = Front::start(self.table, self.settings.cores, &self.disk)?;
            for ((partition, lived), (_, restored)) in front.dumps().zip(restarted.dumps()) {
                if lived != restored {
                    return Err(Breach(format!("partition {partition} is another by {by}")));
                }
            }
            for index in 0..front.shard_count() {
                front.freeze(index).into_iter().for_each(|last| self.disk.write_checkpoint(last));
            }
            self.disk.sync(|_| {});
        }
        self.front = Some(front);
        Ok(())
    }

    /// Draws a step; without faults and new messages while the world settles.
    fn choose(&mut self) -> Step {
        let is_settling = self.is_settling;
        let may = |step: Step| {
            !is_settling
                || !matches!(step, Step::Send | Step::Cut | Step::CrashClient | Step::CrashBox)
        };
        let weights = WEIGHTS.iter().filter(|(step, _)| may(*step));
        let total: u32 = weights.clone().map(|(_, weight)| weight).sum();
        let mut drawn = self.random.u32(..total);
        for &(step, weight) in weights {
            match drawn.checked_sub(weight) {
                Some(rest) => drawn = rest,
                None => return step,
            }
        }
        Step::Clock
    }

    fn send(&mut self, at: usize) {
        if self.outcome.sent == NEW_MESSAGES_MAX {
            return;
        }
        let peer = UserId(self.random.u128(1..=u128::from(self.settings.users)));
        if let Some(client) = self.clients.get_mut(at).filter(|client| client.user != peer) {
            client.send(peer, &mut self.model);
            self.outcome.sent += 1;
        }
    }

    fn connect(&mut self, at: usize) -> Result<(), Breach> {
        if self.front.is_none() {
            self.front = Some(Front::start(self.table, self.settings.cores, &self.disk)?);
        }
        if let Some(client) = self.clients.get_mut(at).filter(|client| client.connection.is_none())
        {
            client.connect(self.next_slot);
            self.next_slot += 1;
        }
        Ok(())
    }

    fn transmit(&mut self, at: usize) {
        if let Some(client) = self.clients.get_mut(at) {
            client.transmit(self.now_ms);
        }
    }

    fn arrive_at_box(&mut self, at: usize) -> Result<(), Breach> {
        let Some(client) = self.clients.get_mut(at) else { return Ok(()) };
        let (Some(connection), Some(front)) = (&mut client.connection, &mut self.front) else {
            return Ok(());
        };
        let bytes = connection.to_box.read(&mut self.random);
        front.receive(client.slot, &bytes)
    }

    fn arrive_at_client(&mut self, at: usize) -> Result<(), Breach> {
        let Some(client) = self.clients.get_mut(at) else { return Ok(()) };
        let Some(connection) = &mut client.connection else { return Ok(()) };
        let bytes = connection.to_client.read(&mut self.random);
        let ends = connection.is_closing && connection.to_client.is_empty();
        client.receive(self.now_ms, &bytes, &mut self.model)?;
        if ends {
            client.disconnect();
        }
        Ok(())
    }

    fn take_batches(&mut self) {
        let Some(front) = &mut self.front else { return };
        let core = self.random.u16(..front.cores());
        if let Some(batches) = front.take_batches(core, self.now_ms) {
            self.disk.write_commit(batches);
        }
    }

    fn sync(&mut self) {
        if let Some(front) = &mut self.front {
            self.disk.sync(|batch| self.model.handle_durable(batch));
            front.handle_synced();
        }
    }

    fn hear_committed(&mut self) -> Result<(), Breach> {
        let Some(front) = &mut self.front else { return Ok(()) };
        front.hear_committed(self.random.u16(..front.cores()))
    }

    fn letter(&mut self) {
        if let Some(front) = &mut self.front {
            front.deliver_letter(&mut self.random);
        }
    }

    fn mail(&mut self) {
        if let Some(front) = &mut self.front {
            front.deliver_mail(&mut self.random, self.is_settling);
        }
    }

    fn checkpoint(&mut self) {
        let Some(front) = &mut self.front else { return };
        let index = self.random.usize(..front.shard_count());
        if let Some(checkpoint) = front.freeze(index) {
            self.disk.write_checkpoint(checkpoint);
            self.outcome.checkpoints += 1;
        }
    }

    /// A connection breaks; the box hears of it at once, or never while it runs.
    fn cut(&mut self, at: usize, app_dies: bool) {
        let hears = self.random.bool();
        let Some(client) = self.clients.get_mut(at) else { return };
        if let Some(front) = self.front.as_mut().filter(|_| hears) {
            front.close(client.slot);
        }
        if app_dies {
            client.crash();
        } else {
            client.disconnect();
        }
        self.outcome.cuts += 1;
    }

    /// The box dies, and with it all that was only in memory and every connection.
    fn crash_box(&mut self) {
        if self.front.take().is_none() {
            return;
        }
        self.disk.crash(&mut self.random, |batch| self.model.handle_durable(batch));
        self.clients.iter_mut().for_each(Client::disconnect);
        self.outcome.crashes += 1;
    }

    /// Does what the shards want done, and hands their words to the connections.
    fn front_says(&mut self) {
        let Some(front) = &mut self.front else { return };
        front.handle_timeouts(self.now_ms);
        front.dispatch();
        while let Some((slot, bytes, ends)) = front.said.pop_front() {
            let client = self.clients.iter_mut().find(|client| client.slot == slot);
            if let Some(connection) = client.and_then(|client| client.connection.as_mut()) {
                connection.to_client.write(&bytes);
                connection.is_closing |= ends;
            }
            if ends {
                front.close(slot);
            }
        }
    }

    fn trace(&self, what: &dyn fmt::Display) {
        if self.settings.is_traced {
            println!("{:>6} {:>8} ms  {what}", self.outcome.steps, self.now_ms - START_MS);
        }
    }
}
