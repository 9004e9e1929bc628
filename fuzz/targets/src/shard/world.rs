//! A box around its shards, driven step by step; each of its parts takes as long as it pleases.

use std::collections::{BTreeMap, VecDeque};

use answerback_directory::limits::{PART_ROUND_MS, SETTINGS};
use answerback_directory::partition_table::PartitionTable;
use answerback_directory::recovery::load_shards;
use answerback_directory::shard::checkpoint::Checkpoint;
use answerback_directory::shard::{Effect, Load, Loaded, Mail, Residency, Shard, WakePolicy};
use answerback_proto::id::{Generation, Offset, PartitionId, Position, UserId};
use answerback_proto::record::{Batch, Settings};

use super::disk::Disk;
use super::operation::{Operation, PARTITIONS};
use super::watch::{Place, Watch};

const BEGIN_MS: u64 = 1_790_000_000_000;
/// Words between partitions that wait; more are lost.
const MAIL_MAX: usize = 256;
/// Rounds in which a box without faults must come to rest.
const ROUNDS_MAX: usize = 4_000;
const UNITS_MS: [u64; 4] = [1, 1_000, 60_000, 3_600_000];

/// Quotas that a few messages fill.
const TIGHT: Settings = Settings {
    inbox_messages_max: 8,
    inbox_bytes_max: 2_048,
    sender_messages_max: 6,
    device_lag_max: 12,
    devices_max: 2,
    lapse_s: 7_200,
    gap_s: 60,
    retry_limit: 2,
    retry_span_s: 60,
    clock_jump_s: 24 * 3600,
};

/// Something being read for a shard.
#[derive(Debug)]
enum Reading {
    Asked(Load),
    Done(Loaded),
}

/// A shard's checkpoint under way.
#[derive(Debug)]
pub(super) enum Checkpointing {
    Frozen(Checkpoint),
    Written,
}

/// A device as its app remembers it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Device {
    pub(super) counter: u64,
    pub(super) cursor: Position,
}

/// A box and all around it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) table: PartitionTable,
    settings: Settings,
    residency: Residency,
    pub(super) generation: Generation,
    pub(super) shards: Vec<Shard>,
    pub(super) disk: Disk,
    /// All that was ever committed.
    pub(super) history: Vec<Batch>,
    /// Taken, and not committed.
    taken: VecDeque<Batch>,
    durable: BTreeMap<PartitionId, Offset>,
    readings: Vec<Reading>,
    mail: VecDeque<(PartitionId, Mail)>,
    pub(super) checkpointings: BTreeMap<PartitionId, Checkpointing>,
    pub(super) watch: Watch,
    pub(super) devices: BTreeMap<Place, Device>,
    pub(super) wall_ms: u64,
    pub(super) monotonic_ms: u64,
    /// Sessions, tags and tickets are numbered alike.
    pub(super) last_number: u32,
}

impl World {
    /// A box on an empty disk. Bit 0 of `choice`: nobody at rest stays in memory; bit 1: tight
    /// quotas.
    pub(super) fn new(choice: u8) -> Self {
        let bytes_max = if choice & 1 == 0 { 0 } else { Residency::default().bytes_max };
        let mut world = Self {
            table: PartitionTable::new(&[7; 16], u16::from(PARTITIONS), 1),
            settings: if choice & 2 == 0 { SETTINGS } else { TIGHT },
            residency: Residency { bytes_max },
            generation: Generation(1),
            shards: Vec::new(),
            disk: Disk::default(),
            history: Vec::new(),
            taken: VecDeque::new(),
            durable: BTreeMap::new(),
            readings: Vec::new(),
            mail: VecDeque::new(),
            checkpointings: BTreeMap::new(),
            watch: Watch::default(),
            devices: BTreeMap::new(),
            wall_ms: BEGIN_MS,
            monotonic_ms: 1,
            last_number: 0,
        };
        world.start();
        world
    }

    /// Does one operation, and all that the shards want done at once.
    pub(super) fn take(&mut self, operation: Operation) {
        match operation {
            Operation::Pass { count, unit } => {
                let unit_ms = UNITS_MS.get(usize::from(unit)).copied().unwrap_or(1);
                self.pass(u64::from(count) * unit_ms);
            }
            Operation::Jump { hours } => {
                self.wall_ms = self.wall_ms.saturating_add_signed(i64::from(hours) * 3_600_000);
            }
            Operation::Take { partition } => self.take_batch(PartitionId(partition.into())),
            Operation::Commit { partition } => self.commit(PartitionId(partition.into())),
            Operation::Hear { partition } => self.hear_committed(PartitionId(partition.into())),
            Operation::ReadOn { which } => self.read_on(which),
            Operation::Mail { which, fate } => self.deliver(which, fate),
            Operation::Freeze { partition } => self.freeze(PartitionId(partition.into())),
            Operation::Write { partition } => self.write(PartitionId(partition.into())),
            Operation::TellWritten { partition } => {
                self.tell_written(PartitionId(partition.into()));
            }
            Operation::Crash { kept, restored } => self.crash(kept, restored),
            Operation::Settle => self.settle(),
            request => self.request(request),
        }
        self.poll();
    }

    /// Commits, applies, reads and passes on until nothing moves, all rounds of parts
    /// included; then everything that was asked is answered.
    pub(super) fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.poll();
            if !self.moves() {
                if self.shards.iter().all(Shard::is_settled) {
                    return self.watch.check_answered();
                }
                self.pass_monotonic(PART_ROUND_MS);
            }
        }
        panic!("the box never comes to rest");
    }

    /// Everything that is under way goes one step on; whether there was anything.
    fn moves(&mut self) -> bool {
        for partition in self.partitions() {
            self.take_batch(partition);
        }
        let moves = !(self.taken.is_empty() && self.readings.is_empty() && self.mail.is_empty());
        while !self.taken.is_empty() {
            self.partitions().for_each(|partition| self.commit(partition));
        }
        self.partitions().for_each(|partition| self.hear_committed(partition));
        while !self.readings.is_empty() {
            self.read_on(0);
        }
        while !self.mail.is_empty() {
            self.deliver(0, u8::MAX);
        }
        moves
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..self.table.partitions()).map(PartitionId)
    }

    pub(super) fn shard(&mut self, partition: PartitionId) -> Option<&mut Shard> {
        self.shards.get_mut(usize::from(partition.0))
    }

    pub(super) fn home(&mut self, user: UserId) -> Option<&mut Shard> {
        let partition = self.table.partition_of(user);
        self.shard(partition)
    }

    /// Empty shards, to replay everything.
    pub(super) fn new_shards(&self, reader: &Disk) -> Vec<Shard> {
        let recovered = load_shards(reader, self.table, self.generation, self.residency);
        match recovered {
            Ok(recovered) => {
                assert_eq!(recovered.broken, [], "a partition that does not start");
                recovered.shards
            }
            Err(fault) => panic!("the box does not start: {fault}"),
        }
    }

    fn start(&mut self) {
        self.shards = self.new_shards(&self.disk);
        for shard in &mut self.shards {
            shard.handle_started(Some(&self.settings));
            shard.handle_wake_policy(Some(WakePolicy::default()));
        }
    }

    fn crash(&mut self, kept: u8, restored: bool) {
        for _ in 0..kept {
            let Some(batch) = self.taken.pop_front() else { break };
            self.commit_batch(batch);
        }
        self.check_restart();
        self.taken.clear();
        self.readings.clear();
        self.mail.clear();
        self.checkpointings.clear();
        self.watch.forget_box(restored);
        self.generation.0 += u64::from(restored);
        self.start();
    }

    fn pass(&mut self, ms: u64) {
        self.wall_ms = self.wall_ms.saturating_add(ms);
        self.pass_monotonic(ms);
    }

    fn pass_monotonic(&mut self, ms: u64) {
        self.monotonic_ms += ms;
        let (monotonic_ms, wall_ms) = (self.monotonic_ms, self.wall_ms);
        for shard in &mut self.shards {
            if shard.poll_timeout().is_some_and(|due_ms| due_ms <= monotonic_ms) {
                shard.handle_timeout(monotonic_ms, wall_ms);
            }
        }
        self.watch.go_back_all();
    }

    fn take_batch(&mut self, partition: PartitionId) {
        let wall_ms = self.wall_ms;
        let batch = self.shard(partition).and_then(|shard| shard.take_batch(wall_ms));
        self.taken.extend(batch);
    }

    fn commit(&mut self, partition: PartitionId) {
        let at = self.taken.iter().position(|batch| batch.partition() == partition);
        if let Some(batch) = at.and_then(|at| self.taken.remove(at)) {
            self.commit_batch(batch);
        }
    }

    fn commit_batch(&mut self, batch: Batch) {
        self.durable.insert(batch.partition(), batch.end());
        self.history.push(batch.clone());
        self.disk.commit(batch);
    }

    pub(super) fn hear_committed(&mut self, partition: PartitionId) {
        let Some(end) = self.durable.get(&partition).copied() else { return };
        let heard = self.shard(partition).map(|shard| shard.handle_committed(end));
        assert_eq!(heard, Some(Ok(())), "partition {partition}");
        self.poll();
    }

    fn read_on(&mut self, which: u8) {
        if self.readings.is_empty() {
            return;
        }
        let at = usize::from(which) % self.readings.len();
        match self.readings.swap_remove(at) {
            Reading::Asked(load) => match load.read(&self.disk) {
                Ok(loaded) => self.readings.push(Reading::Done(loaded)),
                Err(fault) => panic!("{load:?} cannot be read: {fault}"),
            },
            Reading::Done(loaded) => {
                let partition = loaded.load.partition;
                let went_on = self.shard(partition).map(|shard| shard.handle_loaded(loaded));
                assert_eq!(went_on, Some(Ok(())), "partition {partition}");
            }
        }
        self.poll();
    }

    /// Whatever is durable is applied.
    pub(super) fn finish_applying(&mut self) {
        self.partitions().for_each(|partition| self.hear_committed(partition));
        while !self.readings.is_empty() {
            self.read_on(0);
        }
    }

    /// `fate` 0 to 63: it comes twice, to 95: it is lost.
    fn deliver(&mut self, which: u8, fate: u8) {
        if self.mail.is_empty() {
            return;
        }
        let at = usize::from(which) % self.mail.len();
        let Some((to, mail)) = self.mail.remove(at) else { return };
        if fate < 64 {
            self.mail.push_back((to, mail.clone()));
        }
        if !(64..96).contains(&fate)
            && let Some(shard) = self.shard(to)
        {
            shard.handle_mail(mail);
        }
        self.poll();
    }

    fn freeze(&mut self, partition: PartitionId) {
        let is_under_way = self.checkpointings.contains_key(&partition);
        let Some(shard) = self.shard(partition) else { return };
        if shard.can_freeze() {
            assert!(!is_under_way, "one checkpoint at a time");
            let frozen = Checkpointing::Frozen(shard.freeze());
            self.checkpointings.insert(partition, frozen);
        }
    }

    fn write(&mut self, partition: PartitionId) {
        if let Some(Checkpointing::Frozen(checkpoint)) = self.checkpointings.get(&partition) {
            self.disk.checkpoint(checkpoint);
            self.checkpointings.insert(partition, Checkpointing::Written);
        }
    }

    fn tell_written(&mut self, partition: PartitionId) {
        if let Some(Checkpointing::Written) = self.checkpointings.get(&partition) {
            self.checkpointings.remove(&partition);
            if let Some(shard) = self.shard(partition) {
                shard.handle_checkpointed();
            }
        }
    }

    /// Does what the shards want done.
    pub(super) fn poll(&mut self) {
        for partition in self.partitions() {
            let monotonic_ms = self.monotonic_ms;
            while let Some(effect) =
                self.shard(partition).and_then(|shard| shard.poll_effect(monotonic_ms))
            {
                self.perform(effect);
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Mail { to, mail } => {
                self.mail.push_back((to, mail));
                self.mail.truncate(MAIL_MAX);
            }
            Effect::Load(load) => self.readings.push(Reading::Asked(load)),
            said => {
                if let Some((session, known)) = self.watch.hear(&said)
                    && let Some(shard) = self.home(known.place.0)
                {
                    shard.handle_closed(known.place.0, session);
                }
            }
        }
    }
}
