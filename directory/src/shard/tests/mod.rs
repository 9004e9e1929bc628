//! A box of several shards without sockets or disk: what was committed, applied and
//! checkpointed is kept in lists, so that any crash can be had.

mod answers;
mod blocks;
mod cold;
mod delete;
mod devices;
mod group_receipts;
mod group_told;
mod groups;
mod messages;
mod own;
mod presence;
mod purge;
mod quotas;
mod reported;
mod reports;
mod restart;
mod rosters;
mod sessions;
mod signals;
mod time;
mod tokens;
mod views;
mod wakes;
mod writers;

use std::collections::BTreeMap;

use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::header::HEADER_BYTES;
use answerback_proto::id::{DeviceId, PartNumber, Position, Sequence};
use answerback_proto::kind::{
    Ack, DeviceMarks, Envelope, Read, Recall, Resync, Send, Skip, role_of,
};
use answerback_proto::record::{DeliveredPart, Settings};

use super::checkpoint::{Change, Table};
use super::user::User;
use super::*;
use crate::limits::{PART_ROUND_MS, QUOTA_RETRY_AFTER_MS, SETTINGS};
use crate::ports::{EachBatch, EachRow, StateReader, StorageFault};
use crate::recovery::load_shard;

const A: UserId = UserId(1);
const B: UserId = UserId(2);
const PHONE: DeviceId = DeviceId(10);
const LAPTOP: DeviceId = DeviceId(11);
const NOW_MS: u64 = 1_790_000_000_000;

/// What a crash leaves.
#[derive(Default)]
struct Disk {
    journal: Vec<Batch>,
    rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    applied: BTreeMap<PartitionId, Applied>,
}

/// One box: its shards, its disk, what was said to each session, what was read.
struct Box {
    table: PartitionTable,
    settings: Settings,
    residency: Residency,
    shards: Vec<Shard>,
    disk: Disk,
    said: Vec<Effect>,
    loads: Vec<Wanted>,
    now_ms: u64,
    monotonic_ms: u64,
    sessions: u32,
}

impl Box {
    fn new() -> Self {
        Self::with(SETTINGS)
    }

    fn with(settings: Settings) -> Self {
        let mut new = Self {
            table: PartitionTable::new(&[7; 16], 4, 1),
            settings,
            residency: Residency::default(),
            shards: Vec::new(),
            disk: Disk::default(),
            said: Vec::new(),
            loads: Vec::new(),
            now_ms: NOW_MS,
            monotonic_ms: 1,
            sessions: 0,
        };
        new.restart();
        new
    }

    /// What a crash leaves is what is on disk.
    fn restart(&mut self) {
        let partitions = (0..self.table.partitions()).map(PartitionId);
        self.shards = partitions.map(|partition| self.load(partition)).collect();
        self.said.clear();
        self.settle();
    }

    fn load(&self, partition: PartitionId) -> Shard {
        let (generation, residency) = (Generation(1), self.residency);
        let settings = ShardSettings { partition, table: self.table, generation, residency };
        let mut shard = load_shard(&self.disk, settings).unwrap().unwrap();
        shard.handle_started(Some(&self.settings));
        shard
    }

    fn home(&mut self, user: UserId) -> &mut Shard {
        let partition = self.table.partition_of(user);
        &mut self.shards[usize::from(partition.0)]
    }

    /// Journals what waits, without applying it.
    fn journal(&mut self) -> bool {
        let now_ms = self.now_ms;
        let batches: Vec<_> =
            self.shards.iter_mut().filter_map(|shard| shard.take_batch(now_ms)).collect();
        let any = !batches.is_empty();
        self.disk.journal.extend(batches);
        any
    }

    /// Commits, applies and passes on until nothing moves, all rounds of parts included.
    fn settle(&mut self) {
        while self.step() || !self.shards.iter().all(Shard::is_settled) {
            self.monotonic_ms += PART_ROUND_MS;
            self.time_passes();
        }
    }

    /// Calls the shards whose time has come.
    fn time_passes(&mut self) {
        for shard in &mut self.shards {
            if shard.poll_timeout().is_some_and(|due_ms| due_ms <= self.monotonic_ms) {
                shard.handle_timeout(self.monotonic_ms, self.now_ms);
            }
        }
    }

    /// As much time passes, on both clocks, and whatever it brings.
    fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
        self.monotonic_ms += ms;
        self.time_passes();
        self.settle();
    }

    /// Commits, applies, reads and passes on once.
    fn step(&mut self) -> bool {
        let mut moved = self.journal();
        for at in 0..self.shards.len() {
            let partition = PartitionId(at as u16);
            let of_this = self.disk.journal.iter().rfind(|batch| batch.partition() == partition);
            if let Some(end) = of_this.map(Batch::end) {
                self.shards[at].handle_committed(end).unwrap();
            }
            while let Some(effect) = self.shards[at].poll_effect(self.monotonic_ms) {
                moved = true;
                match effect {
                    Effect::Mail { to, mail } => self.shards[usize::from(to.0)].handle_mail(mail),
                    Effect::Load(load) => {
                        self.loads.push(load.what);
                        let loaded = load.read(&self.disk).unwrap();
                        self.shards[at].handle_loaded(loaded).unwrap();
                    }
                    other => self.said.push(other),
                }
            }
        }
        moved
    }

    fn checkpoint(&mut self) {
        for shard in &mut self.shards {
            self.disk.write(&shard.freeze());
            shard.handle_checkpointed();
        }
    }

    /// Everything of the user's that is in memory.
    fn user(&mut self, user: UserId) -> &User {
        self.home(user).state.users.get(user).unwrap()
    }

    fn connect(&mut self, user: UserId, device: DeviceId, cursor: u64) -> Origin {
        self.connect_with(user, device, cursor, 1024)
    }

    /// A checkpoint, and what it holds leaves the memory.
    fn forget_all(&mut self) {
        self.checkpoint();
        for shard in &mut self.shards {
            shard.residency.bytes_max = 0;
            shard.handle_checkpointed();
        }
    }

    /// A session that nobody looks at.
    fn connect_unseen(&mut self, user: UserId, device: DeviceId) -> Origin {
        self.open(user, device, 0, 1024, false)
    }

    fn connect_with(
        &mut self,
        user: UserId,
        device: DeviceId,
        cursor: u64,
        credit_frames: u32,
    ) -> Origin {
        self.open(user, device, cursor, credit_frames, true)
    }

    fn open(
        &mut self,
        user: UserId,
        device: DeviceId,
        cursor: u64,
        credit_frames: u32,
        is_looked_at: bool,
    ) -> Origin {
        self.sessions += 1;
        let session = SessionRef { core: 0, slot: self.sessions, generation: 1 };
        let origin = Origin { session, tag: 1, user, device, copies: false };
        self.home(user).handle_opening(Opening {
            origin,
            grant: Grant::default(),
            connection_counter: 1000 + u64::from(session.slot),
            generation: Generation(u64::from(cursor > 0)),
            cursor: Position(cursor),
            credit_frames,
            credit_bytes: 1 << 20,
            takes_presence: is_looked_at,
            takes_typing: is_looked_at,
        });
        self.settle();
        origin
    }

    fn send(&mut self, from: Origin, to: UserId, sequence: u64) {
        let send = Send { sequence, seen_ms: 0, life_s: 0, content_type: 1 };
        let payload = format!("{}:{sequence}", from.user);
        self.home(to).handle_send(from, to, &envelope(&send), payload.as_bytes());
    }

    /// Sends a message with a life.
    fn send_for(&mut self, from: Origin, to: UserId, sequence: u64, life_s: u32) {
        let send = Send { sequence, seen_ms: 0, life_s, content_type: 1 };
        let payload = format!("{}:{sequence}", from.user);
        self.home(to).handle_send(from, to, &envelope(&send), payload.as_bytes());
    }

    fn recall(&mut self, from: Origin, to: UserId, sequence: u64, recalled: u64) {
        let recall = Recall { sequence, recalled, seen_ms: 0, life_s: 0, content_type: 1 };
        self.home(to).handle_recall(from, to, &envelope(&recall), b"recalled");
    }

    fn read(&mut self, of: Origin, peer: UserId, up_to: u64) {
        let read = Read { peer: peer.0, device: PHONE.0, up_to };
        self.home(of.user).handle_read(of, &envelope(&read));
    }

    fn close(&mut self, of: Origin) {
        self.home(of.user).handle_closed(of.user, of.session);
        self.settle();
    }

    /// What the entries for a session say, since the last call.
    fn said_to(&mut self, of: Origin) -> Vec<String> {
        self.entries(of).into_iter().map(|(_, _, what)| what).collect()
    }

    fn ack(&mut self, of: Origin, up_to: u64) {
        self.home(of.user).handle_ack(of, &envelope(&Ack { up_to }));
    }

    /// The answers to a session since the last call.
    fn answers(&mut self, of: Origin) -> Vec<Answer> {
        let (answers, rest) = std::mem::take(&mut self.said)
            .into_iter()
            .partition(|effect| matches!(effect, Effect::Answer { to, .. } if *to == of.session));
        self.said = rest;
        let answer = |effect| match effect {
            Effect::Answer { answer, .. } => Some(answer),
            _ => None,
        };
        Vec::into_iter(answers).filter_map(answer).collect()
    }

    /// The entries pushed to a session since the last call: (position, after, what).
    fn entries(&mut self, of: Origin) -> Vec<(u64, u64, String)> {
        let (entries, rest) = std::mem::take(&mut self.said)
            .into_iter()
            .partition(|effect| matches!(effect, Effect::Entry { to, .. } if *to == of.session));
        self.said = rest;
        let told = |effect| match effect {
            Effect::Entry { entry, .. } => {
                Some((entry.position.0, entry.after.0, tell(&entry.body)))
            }
            _ => None,
        };
        Vec::into_iter(entries).filter_map(told).collect()
    }

    fn closed(&self, of: Origin) -> Option<Code> {
        self.said.iter().find_map(|effect| match effect {
            Effect::Close { to, code, .. } if *to == of.session => Some(*code),
            _ => None,
        })
    }

    fn opened(&self, of: Origin) -> Opened {
        let opened = self.said.iter().find_map(|effect| match effect {
            Effect::Opened { to, opened, .. } if *to == of.session => Some(*opened),
            _ => None,
        });
        opened.unwrap()
    }
}

fn envelope<E: Envelope>(value: &E) -> Vec<u8> {
    let mut frame = Vec::new();
    append_frame(&mut frame, Address::default(), value, &[], &[]);
    frame.split_off(HEADER_BYTES)
}

fn tell(body: &EntryBody) -> String {
    match body {
        EntryBody::Message { payload, .. } => String::from_utf8(payload.to_vec()).unwrap(),
        EntryBody::Delivered { device, up_to, .. } => format!("delivered {device}:{up_to}"),
        EntryBody::ChatSet { settings } => format!("set {settings:?}"),
        EntryBody::Failed { sequence, code, .. } => format!("failed {sequence}: {code}"),
        EntryBody::Copied { payload, .. } => {
            format!("copy of {}", String::from_utf8(payload.to_vec()).unwrap())
        }
        EntryBody::ReadBy { device, up_to, .. } => format!("read {device}:{up_to}"),
        EntryBody::ReadElsewhere { device, up_to, .. } => format!("elsewhere {device}:{up_to}"),
        EntryBody::ChatDeleted { up_to, marks, .. } => {
            let marks = DeviceMarks::of(marks).iter();
            let marks: Vec<_> =
                marks.map(|mark| format!("{}:{}", mark.device, mark.up_to)).collect();
            format!("deleted up to {up_to}, [{}]", marks.join(", "))
        }
        EntryBody::GroupMessage(word) => tell_word(word),
        EntryBody::GroupCopied(word) => format!("copy of {}", tell_word(word)),
        EntryBody::GroupChanged(word) => tell_word(word),
        EntryBody::GroupReceipt { sequence, version, bits, .. } => {
            format!("{sequence} of {version}: {:?} {:?}", bits.delivered(), bits.read())
        }
        EntryBody::GroupReadElsewhere { up_to, .. } => format!("group read up to {up_to}"),
        EntryBody::GroupFailed { sequence, members, .. } => {
            let members = members.iter().map(|(user, code)| format!("{user}={code}"));
            format!("group failed {sequence}: {}", members.collect::<Vec<_>>().join(" "))
        }
    }
}

fn tell_word(word: &GroupWord) -> String {
    let GroupWord { sender, version, payload, .. } = word;
    let Said::Change { members_count, .. } = word.said else {
        return format!("{} of {version}", String::from_utf8(payload.to_vec()).unwrap());
    };
    let (pairs, name) = payload.split_at(usize::from(members_count) * 18);
    let members = group::numbered_users(pairs);
    let members = members.iter().map(|(user, number)| format!("{user}={} ", role_of(*number)));
    let name = String::from_utf8(name.to_vec()).unwrap();
    format!("{sender} changed to {version}: {}{name}", members.collect::<String>())
}

fn accepted(sequence: u64) -> Answer {
    Answer::Accepted { sequence: Sequence(sequence), accepted_at_ms: NOW_MS }
}

fn message(position: u64, after: u64, sequence: u64) -> (u64, u64, String) {
    (position, after, format!("1:{sequence}"))
}

/// Two users who are online.
fn pair() -> (Box, Origin, Origin) {
    let mut at = Box::new();
    let a = at.connect(A, PHONE, 0);
    let b = at.connect(B, PHONE, 0);
    (at, a, b)
}

impl Disk {
    fn write(&mut self, checkpoint: &checkpoint::Checkpoint) {
        for row in checkpoint.rows.iter() {
            let key = (row.table, row.key.to_vec());
            match row.change {
                Change::Put(value) => self.rows.insert(key, value.to_vec()),
                Change::Delete | Change::DeleteTo(_) => self.rows.remove(&key),
            };
        }
        let applied = checkpoint.applied;
        self.applied.insert(checkpoint.partition, applied);
        self.journal.retain(|batch| {
            batch.partition() != checkpoint.partition || batch.first_offset() > applied.offset
        });
    }
}

impl StateReader for Disk {
    fn applied(&self, partition: PartitionId) -> Result<Applied, StorageFault> {
        Ok(self.applied.get(&partition).copied().unwrap_or_default())
    }

    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StorageFault> {
        Ok(self.rows.get(&(table, key.to_vec())).cloned())
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        each: &mut EachRow<'_>,
    ) -> Result<(), StorageFault> {
        for ((_, key), value) in self.rows.range((table, from.to_vec())..(table, to.to_vec())) {
            if each(key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn batches(
        &self,
        partition: PartitionId,
        after: Applied,
        each: &mut EachBatch<'_>,
    ) -> Result<(), StorageFault> {
        let of_this = self.journal.iter().filter(|batch| batch.partition() == partition);
        for batch in of_this.filter(|batch| batch.first_offset() > after.offset) {
            each(batch.clone())?;
        }
        Ok(())
    }
}
