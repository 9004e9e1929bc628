//! Shards of one core without sockets or disk, driven as the gateway drives them: what it
//! would write to sockets is encoded and dropped, what is committed is durable at once.

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::ports::{Applied, EachBatch, EachRow, StateReader, StorageFault};
use answerback_directory::shard::checkpoint::{Checkpoint, Table};
use answerback_directory::shard::reply::{append_answer, append_entry};
use answerback_directory::shard::{
    Effect, Entry, Grant, Opening, Origin, Residency, SessionRef, Shard, ShardSettings,
};
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::header::HEADER_BYTES;
use answerback_proto::id::{DeviceId, Generation, PartitionId, Position, UserId};
use answerback_proto::kind::{Ack, Envelope, Send};

const PARTITIONS: u16 = 4;
const DEVICE: DeviceId = DeviceId(7);
const PAYLOAD: &[u8] = &[b'x'; 128];
/// Between two ticks: some of them send parts once more and look for what is due.
const TICK_MS: u64 = 10;
const NOW_MS: u64 = 1_790_000_000_000;

/// The shards, and whoever is online: the session of user n has the slot n.
pub(crate) struct Core {
    table: PartitionTable,
    shards: Vec<Shard>,
    monotonic_ms: u64,
    /// By slot: what the session took and has not acknowledged.
    to_acknowledge: Vec<Option<Position>>,
    out: Vec<u8>,
    /// Entries that were pushed.
    pub(crate) pushed: u64,
    /// Requests that were answered.
    pub(crate) answered: u64,
}

impl Core {
    /// Empty shards.
    pub(crate) fn new() -> Self {
        let table = PartitionTable::new(&[7; 16], PARTITIONS, 1);
        let shards = (0..PARTITIONS).map(PartitionId).map(|partition| {
            let (generation, residency) = (Generation(1), Residency::default());
            let mut shard = Shard::new(ShardSettings { partition, table, generation, residency });
            shard.handle_started(None);
            shard
        });
        Self {
            table,
            shards: shards.collect(),
            monotonic_ms: 1,
            to_acknowledge: Vec::new(),
            out: Vec::with_capacity(1 << 16),
            pushed: 0,
            answered: 0,
        }
    }

    /// A user logs in.
    pub(crate) fn connect(&mut self, user: UserId) {
        let origin = origin(user);
        let slots = self.to_acknowledge.len().max(origin.session.slot as usize + 1);
        self.to_acknowledge.resize(slots, None);
        self.home(user).handle_opening(Opening {
            origin,
            grant: Grant::default(),
            connection_counter: 1,
            generation: Generation(0),
            cursor: Position(0),
            credit_frames: 1024,
            credit_bytes: 1 << 20,
            takes_presence: false,
            takes_typing: false,
        });
    }

    /// A user's socket closes.
    pub(crate) fn close(&mut self, user: UserId) {
        self.home(user).handle_closed(user, origin(user).session);
    }

    /// A message comes from a user.
    pub(crate) fn send(&mut self, from: UserId, to: UserId, sequence: u64) {
        let send = Send { sequence, seen_ms: NOW_MS, life_s: 0, content_type: 1 };
        let envelope = envelope(&send);
        self.home(to).handle_send(origin(from), to, &envelope, PAYLOAD);
    }

    /// All who took something acknowledge it.
    pub(crate) fn acknowledge(&mut self) {
        for slot in 0..self.to_acknowledge.len() {
            let taken = self.to_acknowledge.get_mut(slot).and_then(Option::take);
            let Some(Position(up_to)) = taken else { continue };
            let user = UserId(slot as u128);
            let envelope = envelope(&Ack { up_to });
            self.home(user).handle_ack(origin(user), &envelope);
        }
    }

    /// What a tick of the gateway does with shards.
    #[expect(clippy::unwrap_used, reason = "a benchmark fails by it")]
    pub(crate) fn tick(&mut self) {
        self.monotonic_ms += TICK_MS;
        let (monotonic_ms, now_ms) = (self.monotonic_ms, NOW_MS + self.monotonic_ms);
        for shard in &mut self.shards {
            if shard.poll_timeout().is_some_and(|due_ms| due_ms <= monotonic_ms) {
                shard.handle_timeout(monotonic_ms, now_ms);
            }
        }
        self.settle();
        for shard in &mut self.shards {
            if let Some(batch) = shard.take_batch(now_ms) {
                shard.handle_committed(batch.end()).unwrap();
            }
        }
        self.settle();
    }

    /// Ticks until nothing moves.
    pub(crate) fn rest(&mut self) {
        let is_settled = |core: &Self| core.shards.iter().all(Shard::is_settled);
        self.tick();
        while !is_settled(self) || self.to_acknowledge.iter().any(Option::is_some) {
            self.acknowledge();
            self.tick();
        }
    }

    /// The checkpoints of all shards.
    pub(crate) fn freeze(&mut self) -> Vec<Checkpoint> {
        self.shards.iter_mut().map(Shard::freeze).collect()
    }

    /// They are written.
    pub(crate) fn handle_checkpointed(&mut self) {
        self.shards.iter_mut().for_each(Shard::handle_checkpointed);
    }

    fn settle(&mut self) {
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for index in 0..self.shards.len() {
                while let Some(effect) = self.next_effect(index) {
                    moved = true;
                    self.perform(effect);
                }
            }
        }
    }

    fn next_effect(&mut self, index: usize) -> Option<Effect> {
        self.shards.get_mut(index)?.poll_effect(self.monotonic_ms)
    }

    #[expect(clippy::unwrap_used, reason = "a benchmark fails by it")]
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Answer { tag, peer, answer, .. } => {
                self.answered += 1;
                append_answer(&mut self.out, tag, peer, &answer);
            }
            Effect::Entry { to, entry } => self.push(to, &entry),
            Effect::Mail { to, mail } => self.shard(to).handle_mail(mail),
            Effect::Load(load) => {
                let loaded = load.read(&Nothing).unwrap();
                self.shard(load.partition).handle_loaded(loaded).unwrap();
            }
            _ => {}
        }
        if self.out.len() > 1 << 15 {
            self.out.clear();
        }
    }

    fn push(&mut self, to: SessionRef, entry: &Entry) {
        append_entry(&mut self.out, entry);
        self.pushed += 1;
        if entry.position > Position(0)
            && let Some(taken) = self.to_acknowledge.get_mut(to.slot as usize)
        {
            *taken = Some(entry.position);
        }
    }

    fn home(&mut self, user: UserId) -> &mut Shard {
        self.shard(self.table.partition_of(user))
    }

    #[expect(clippy::unwrap_used, reason = "a benchmark fails by it")]
    fn shard(&mut self, partition: PartitionId) -> &mut Shard {
        self.shards.get_mut(usize::from(partition.0)).unwrap()
    }
}

fn origin(user: UserId) -> Origin {
    let session = SessionRef { core: 0, slot: user.0 as u32, generation: 1 };
    Origin { session, tag: 7, user, device: DEVICE, copies: false }
}

fn envelope<E: Envelope>(value: &E) -> Vec<u8> {
    let mut frame = Vec::new();
    append_frame(&mut frame, Address::default(), value, &[], &[]);
    frame.split_off(HEADER_BYTES)
}

/// A disk on which there is nothing: all users are new, and stay in memory.
struct Nothing;

impl StateReader for Nothing {
    fn applied(&self, _: PartitionId) -> Result<Applied, StorageFault> {
        Ok(Applied::default())
    }

    fn row(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, StorageFault> {
        Ok(None)
    }

    fn range(&self, _: Table, _: &[u8], _: &[u8], _: &mut EachRow<'_>) -> Result<(), StorageFault> {
        Ok(())
    }

    fn batches(
        &self,
        _: PartitionId,
        _: Applied,
        _: &mut EachBatch<'_>,
    ) -> Result<(), StorageFault> {
        Ok(())
    }
}
