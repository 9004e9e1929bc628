//! The box around its shards: what a gateway's core loop does, without its sockets.
//!
//! Cores speak to each other through queues. Requests and answers keep their order and
//! arrive; mail between partitions may be lost, come twice or overtake.

use std::collections::{BTreeMap, VecDeque};

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::recovery::load_shards;
use answerback_directory::shard::checkpoint::{Change, Checkpoint, Row, Table};
use answerback_directory::shard::{
    Effect, Mail, Opened, Opening, Origin, SessionRef, Shard, reply,
};
use answerback_proto::access::kind_of;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::{Frame, FrameBuffer};
use answerback_proto::id::{DeviceId, Generation, Offset, PartitionId, Position, UserId};
use answerback_proto::kind::{End, Error, Hello, Kind, Welcome};
use answerback_proto::limits::{FRAME_BYTES_MAX, UNDECIDED_MAX};
use answerback_proto::record::Batch;
use fastrand::Rng;

use crate::disk::Disk;
use crate::model::Breach;

/// A request on its way to another core.
#[derive(Debug)]
struct Request {
    kind: Kind,
    origin: Origin,
    recipient: UserId,
    envelope: Vec<u8>,
    payload: Vec<u8>,
}

/// What one core says to another, in order.
#[derive(Debug)]
enum Letter {
    Request(Request),
    Answer(Effect),
}

/// One end of a connection in the box.
#[derive(Debug, Default)]
struct Slot {
    frames: FrameBuffer,
    owner: Option<(UserId, DeviceId)>,
    core: u16,
}

/// A core's commit under way.
#[derive(Debug, Default)]
struct Commit {
    ends: Vec<(PartitionId, Offset)>,
    is_durable: bool,
}

/// All rows of a partition's state.
type Dump = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// A running box.
#[derive(Debug)]
pub(crate) struct Front {
    table: PartitionTable,
    cores: u16,
    shards: Vec<Shard>,
    slots: BTreeMap<u32, Slot>,
    commits: Vec<Option<Commit>>,
    letters: BTreeMap<(u16, u16), VecDeque<Letter>>,
    mail: Vec<(PartitionId, Mail)>,
    /// Bytes for each slot, and whether its connection ends behind them.
    pub(crate) said: VecDeque<(u32, Vec<u8>, bool)>,
}

impl Front {
    /// A box as it starts from what the disk holds.
    pub(crate) fn start(table: PartitionTable, cores: u16, disk: &Disk) -> Result<Self, Breach> {
        let shards = load_shards(disk, table, Generation(1))
            .map_err(|fault| Breach(format!("the box does not start: {fault}")))?;
        Ok(Self {
            table,
            cores,
            shards,
            slots: BTreeMap::new(),
            commits: (0..cores).map(|_| None).collect(),
            letters: BTreeMap::new(),
            mail: Vec::new(),
            said: VecDeque::new(),
        })
    }

    pub(crate) fn cores(&self) -> u16 {
        self.cores
    }

    pub(crate) fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// A connection is gone.
    pub(crate) fn close(&mut self, slot: u32) {
        if let Some(Slot { owner: Some((user, _)), core, .. }) = self.slots.remove(&slot) {
            let session = SessionRef { core, slot, generation: 1 };
            if let Some(shard) = self.home(user) {
                shard.handle_closed(user, session);
            }
        }
    }

    /// Takes bytes of a connection.
    pub(crate) fn receive(&mut self, slot: u32, bytes: &[u8]) -> Result<(), Breach> {
        let mut known = self.slots.remove(&slot).unwrap_or_default();
        let mut rest = bytes;
        let mut frames = std::mem::take(&mut known.frames);
        while let Some(frame) = frames
            .next_frame(&mut rest, FRAME_BYTES_MAX)
            .map_err(|code| Breach(format!("a client broke the protocol: {code:?}")))?
        {
            self.frame(slot, &mut known, &frame)?;
        }
        known.frames = frames;
        self.slots.insert(slot, known);
        Ok(())
    }

    fn frame(&mut self, slot: u32, known: &mut Slot, frame: &Frame<'_>) -> Result<(), Breach> {
        let broken = |code| Breach(format!("a client broke the protocol: {code:?}"));
        let kind = kind_of(&frame.header, End::Client).map_err(broken)?;
        let (tag, target) = (frame.header.tag, UserId(frame.header.target));
        if kind == Some(Kind::Hello) {
            let (hello, _) = Hello::read(frame.envelope).map_err(broken)?;
            known.core = self.table.core_of(self.table.partition_of(target));
            known.owner = Some((target, DeviceId(hello.device)));
            let session = SessionRef { core: known.core, slot, generation: 1 };
            let origin = Origin { session, tag, user: target, device: DeviceId(hello.device) };
            let opening = Opening {
                origin,
                connection_counter: hello.connection_counter,
                generation: Generation(hello.generation),
                cursor: Position(hello.cursor),
                credit_frames: hello.credit_frames,
                credit_bytes: hello.credit_bytes,
            };
            if let Some(shard) = self.home(target) {
                shard.handle_opening(opening);
            }
            return Ok(());
        }
        let Some((user, device)) = known.owner else {
            return Err(Breach("a client spoke before its Hello".into()));
        };
        let session = SessionRef { core: known.core, slot, generation: 1 };
        let origin = Origin { session, tag, user, device };
        match kind {
            Some(kind @ (Kind::Send | Kind::Skip)) => {
                let (envelope, payload) = (frame.envelope.to_vec(), frame.payload.to_vec());
                let request = Request { kind, origin, recipient: target, envelope, payload };
                let core = self.table.core_of(self.table.partition_of(target));
                if core == known.core {
                    self.request(&request);
                } else {
                    self.post(known.core, core, Letter::Request(request));
                }
            }
            Some(Kind::Ack) => {
                if let Some(shard) = self.home(user) {
                    shard.handle_ack(origin, frame.envelope);
                }
            }
            Some(Kind::Resync) => {
                if let Some(shard) = self.home(user) {
                    shard.handle_resync(origin, frame.envelope);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn request(&mut self, request: &Request) {
        let Request { kind, origin, recipient, envelope, payload } = request;
        if let Some(shard) = self.home(*recipient) {
            match kind {
                Kind::Skip => shard.handle_skip(*origin, *recipient, envelope),
                _ => shard.handle_send(*origin, *recipient, envelope, payload),
            }
        }
    }

    /// Hands a core's open batches to the disk, where it has none under way.
    pub(crate) fn take_batches(&mut self, core: u16, now_ms: u64) -> Option<Vec<Batch>> {
        let under_way = self.commits.get_mut(usize::from(core))?;
        if under_way.is_some() {
            return None;
        }
        let mut batches = Vec::new();
        for partition in self.table.partitions_of(core) {
            let shard = self.shards.get_mut(usize::from(partition.0))?;
            batches.extend(shard.take_batch(now_ms));
        }
        if batches.is_empty() {
            return None;
        }
        let ends = batches.iter().map(|batch| (batch.partition(), batch.end())).collect();
        *under_way = Some(Commit { ends, is_durable: false });
        Some(batches)
    }

    /// All that was written is durable; the cores have yet to hear of it.
    pub(crate) fn handle_synced(&mut self) {
        self.commits.iter_mut().flatten().for_each(|commit| commit.is_durable = true);
    }

    /// A core hears that its commit is durable.
    pub(crate) fn hear_committed(&mut self, core: u16) -> Result<(), Breach> {
        let Some(under_way) = self.commits.get_mut(usize::from(core)) else { return Ok(()) };
        let Some(commit) = under_way.take_if(|commit| commit.is_durable) else { return Ok(()) };
        for (partition, end) in commit.ends {
            if let Some(shard) = self.shards.get_mut(usize::from(partition.0)) {
                shard
                    .handle_committed(end)
                    .map_err(|corrupt| Breach(format!("partition {partition}: {corrupt}")))?;
            }
        }
        Ok(())
    }

    /// The rows of one partition's checkpoint.
    pub(crate) fn freeze(&mut self, index: usize) -> Option<Checkpoint> {
        let shard = self.shards.get_mut(index)?;
        (shard.uncheckpointed_bytes() > 0).then(|| shard.freeze())
    }

    /// The rows of every shard's state, by partition, table and key.
    pub(crate) fn dumps(&self) -> impl Iterator<Item = (PartitionId, Dump)> {
        self.shards.iter().map(|shard| {
            let rows = shard.dump();
            let row = |row: Row<'_>| match row.change {
                Change::Put(value) => Some(((row.table, row.key.to_vec()), value.to_vec())),
                Change::Delete | Change::DeleteTo(_) => None,
            };
            (shard.partition(), rows.iter().filter_map(row).collect())
        })
    }

    /// Calls the shards whose time has come.
    pub(crate) fn handle_timeouts(&mut self, monotonic_ms: u64) {
        for shard in &mut self.shards {
            if shard.poll_timeout().is_some_and(|due_ms| due_ms <= monotonic_ms) {
                shard.handle_timeout(monotonic_ms);
            }
        }
    }

    /// Does what the shards want done.
    pub(crate) fn dispatch(&mut self) {
        for index in 0..self.shards.len() {
            let partition = PartitionId(index as u16);
            while let Some(effect) = self.shards.get_mut(index).and_then(Shard::poll_effect) {
                self.effect(self.table.core_of(partition), effect);
            }
        }
    }

    fn effect(&mut self, core: u16, effect: Effect) {
        match effect {
            Effect::Mail { to, mail } => self.mail.push((to, mail)),
            Effect::Answer { to, .. } | Effect::Close { to, .. } if to.core != core => {
                self.post(core, to.core, Letter::Answer(effect));
            }
            effect => self.say(effect),
        }
    }

    fn say(&mut self, effect: Effect) {
        let mut out = Vec::new();
        let (to, ends) = match effect {
            Effect::Answer { to, tag, peer, answer } => {
                reply::append_answer(&mut out, tag, peer, &answer);
                (to, false)
            }
            Effect::Opened { to, tag, user, opened } => {
                append_welcome(&mut out, tag, user, &opened);
                (to, false)
            }
            Effect::Entry { to, entry } => {
                reply::append_entry(&mut out, &entry);
                (to, false)
            }
            Effect::CaughtUp { to, user, position } => {
                reply::append_caught_up(&mut out, user, position);
                (to, false)
            }
            Effect::Close { to, code, .. } => {
                let error = Error { code: code.number(), kind: 0, retry_after_ms: 0 };
                append_frame(&mut out, Address::default(), &error, &[], &[]);
                (to, true)
            }
            Effect::Mail { .. } => return,
        };
        self.said.push_back((to.slot, out, ends));
    }

    /// One letter between two cores arrives, in order.
    pub(crate) fn deliver_letter(&mut self, random: &mut Rng) {
        let waiting: Vec<_> = self
            .letters
            .iter()
            .filter(|(_, queue)| !queue.is_empty())
            .map(|(key, _)| *key)
            .collect();
        let Some(key) = random.choice(waiting) else { return };
        let letter = self.letters.get_mut(&key).and_then(VecDeque::pop_front);
        match letter {
            Some(Letter::Request(request)) => self.request(&request),
            Some(Letter::Answer(effect)) => self.say(effect),
            None => {}
        }
    }

    /// One word between two partitions arrives; or, where it may, is lost or comes again.
    pub(crate) fn deliver_mail(&mut self, random: &mut Rng, is_reliable: bool) {
        if self.mail.is_empty() {
            return;
        }
        let index = random.usize(..self.mail.len());
        let fate = if is_reliable { 9 } else { random.u8(..10) };
        let (to, mail) = match fate {
            0 => self.mail.get(index).cloned().unwrap_or_else(|| self.mail.swap_remove(index)),
            _ => self.mail.swap_remove(index),
        };
        if fate == 1 {
            return;
        }
        if let Some(shard) = self.shards.get_mut(usize::from(to.0)) {
            shard.handle_mail(mail);
        }
    }

    /// Whether nothing moves any more.
    pub(crate) fn is_settled(&self) -> bool {
        self.mail.is_empty()
            && self.said.is_empty()
            && self.commits.iter().all(Option::is_none)
            && self.letters.values().all(VecDeque::is_empty)
            && self.shards.iter().all(|shard| {
                let pending = shard.pending();
                shard.poll_timeout().is_none() && pending.records + pending.acknowledgements == 0
            })
    }

    fn home(&mut self, user: UserId) -> Option<&mut Shard> {
        let partition = self.table.partition_of(user);
        self.shards.get_mut(usize::from(partition.0))
    }

    fn post(&mut self, from: u16, to: u16, letter: Letter) {
        self.letters.entry((from, to)).or_default().push_back(letter);
    }
}

fn append_welcome(out: &mut Vec<u8>, tag: u32, user: UserId, opened: &Opened) {
    let welcome = Welcome {
        version: 1,
        kinds_count: 0,
        ticket_length: 0,
        lapsed: u16::from(opened.lapsed),
        server_time_ms: 0,
        session: 0,
        generation: opened.generation.0,
        cursor: opened.cursor.0,
        pending_count: opened.pending_count,
        pending_bytes: opened.pending_bytes,
        frame_bytes_max: FRAME_BYTES_MAX,
        undecided_max: UNDECIDED_MAX as u16,
        heartbeat_min_s: 30_000,
        heartbeat_max_s: 60_000,
    };
    let kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Client)).collect();
    let appended = welcome.append(out, Address { flags: 0, tag, target: user.0 }, &kinds, &[]);
    debug_assert_eq!(appended, Ok(()));
}
