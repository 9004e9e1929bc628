//! The box around its shards: what a gateway's core loop does, without its sockets.
//!
//! Cores speak to each other through queues. Requests and answers keep their order and
//! arrive; mail between partitions may be lost, come twice or overtake. Commits, reads and
//! checkpoints take as long as they please, each on its own.

mod frames;
mod say;
mod work;

use std::collections::VecDeque;

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::recovery::load_shards;
use answerback_directory::shard::checkpoint::Checkpoint;
use answerback_directory::shard::{
    Effect, Grant, Load, Loaded, Mail, Origin, Residency, SessionRef, Shard, Wake,
};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::id::{DeviceId, Generation, Offset, PartitionId, UserId};
use answerback_proto::kind::Kind;
use answerback_proto::record::Settings;

use crate::disk::Disk;
use crate::model::{Breach, Model, WAKE_POLICY};
use crate::planted::Plants;

/// What a box is started with.
#[derive(Clone, Debug)]
pub(crate) struct BoxSettings {
    pub(crate) table: PartitionTable,
    pub(crate) cores: u16,
    pub(crate) residency: Residency,
    pub(crate) settings: Settings,
    pub(crate) planted: Plants,
}

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
    /// Which of the client's connections it is.
    generation: u32,
    owner: Option<(UserId, DeviceId)>,
    /// What it came with.
    grant: Grant,
    core: u16,
    /// Whether what it sends is copied to the user's other devices.
    copies: bool,
    /// Whether its user's home notes to whom it writes.
    notes_writing: bool,
    /// Whether somebody may be looking, as its `Hello` said.
    is_active: bool,
    is_probed: bool,
    /// The last word was said to it.
    is_closing: bool,
    is_open: bool,
}

/// A core's commit under way.
#[derive(Debug, Default)]
struct Commit {
    ends: Vec<(PartitionId, Offset)>,
    is_durable: bool,
}

/// Something being read for a shard.
#[derive(Debug)]
enum Reading {
    Asked(Load),
    Done(Loaded),
}

/// A shard's checkpoint under way.
#[derive(Debug)]
enum Checkpointing {
    Frozen(Checkpoint),
    Written(PartitionId),
}

/// Bytes for a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
    /// Where its bytes end in `said_bytes`; they begin where the ones before it end.
    pub(crate) end: usize,
    /// Whether the connection ends behind them.
    pub(crate) closes: bool,
}

/// A running box.
#[derive(Debug)]
pub(crate) struct Front {
    table: PartitionTable,
    cores: u16,
    planted: Plants,
    shards: Vec<Shard>,
    slots: Vec<Slot>,
    commits: Vec<Option<Commit>>,
    readings: Vec<Reading>,
    checkpointings: Vec<Checkpointing>,
    /// From each core to each.
    letters: Vec<VecDeque<Letter>>,
    mail: Vec<(PartitionId, Mail)>,
    /// It stands still, and what is for it waits.
    halted: Option<PartitionId>,
    /// Sends are refused.
    pub(crate) is_disk_full: bool,
    /// Whose frames a person caused, since somebody looked.
    pub(crate) acted: Vec<UserId>,
    pub(crate) said: Vec<Said>,
    pub(crate) said_bytes: Vec<u8>,
    /// Who has to be woken.
    pub(crate) woken: Vec<Woken>,
}

/// A user is to be woken, as of the records before `next`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Woken {
    pub(crate) user: UserId,
    pub(crate) next: Offset,
}

impl Front {
    /// A box as it starts from what the disk holds.
    pub(crate) fn start(with: &BoxSettings, disk: &Disk) -> Result<Self, Breach> {
        let &BoxSettings { table, cores, residency, planted, .. } = with;
        let recovered = load_shards(disk, table, Generation(1), residency)
            .map_err(|fault| Breach(format!("the box does not start: {fault}")))?;
        if let Some(broken) = recovered.broken.first() {
            return Err(Breach(broken.to_string()));
        }
        let mut shards = recovered.shards;
        for shard in &mut shards {
            shard.handle_started(Some(&with.settings));
            shard.handle_wake_policy(Some(WAKE_POLICY));
        }
        Ok(Self {
            table,
            cores,
            planted,
            shards,
            slots: Vec::new(),
            commits: (0..cores).map(|_| None).collect(),
            readings: Vec::new(),
            checkpointings: Vec::new(),
            letters: (0..cores * cores).map(|_| VecDeque::new()).collect(),
            mail: Vec::new(),
            halted: None,
            is_disk_full: false,
            acted: Vec::new(),
            said: Vec::new(),
            said_bytes: Vec::new(),
            woken: Vec::new(),
        })
    }

    pub(crate) fn cores(&self) -> u16 {
        self.cores
    }

    /// A partition stands still from now on, or none: of a box whose others go on.
    pub(crate) fn halt(&mut self, halted: Option<PartitionId>) {
        self.halted = halted;
    }

    pub(crate) fn halted(&self) -> Option<PartitionId> {
        self.halted
    }

    pub(crate) fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// A client has opened a connection.
    pub(crate) fn open(&mut self, slot: u32, generation: u32) {
        let index = slot as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, Slot::default);
        }
        self.slots[index] = Slot { generation, is_open: true, ..Slot::default() };
    }

    /// A connection is gone, and the box hears of it.
    pub(crate) fn close(&mut self, slot: u32, generation: u32) {
        let Some(known) = self.slots.get_mut(slot as usize) else { return };
        if known.generation != generation || !std::mem::take(&mut known.is_open) {
            return;
        }
        let session = SessionRef { core: known.core, slot, generation };
        if let Some((user, _)) = known.owner {
            self.home(user).handle_closed(user, session);
        }
    }

    /// An operator adds a user.
    pub(crate) fn add_user(&mut self, user: UserId) {
        self.home(user).handle_add_user(user, 1);
    }

    /// An operator revokes a device.
    pub(crate) fn revoke(&mut self, user: UserId, device: DeviceId) {
        self.home(user).handle_revoke(user, device, 1);
    }

    /// An operator revokes all devices of a user.
    pub(crate) fn revoke_user(&mut self, user: UserId) {
        self.home(user).handle_revoke_user(user, 1);
    }

    /// An operator has a user purged.
    pub(crate) fn purge_user(&mut self, user: UserId) {
        self.home(user).handle_purge_user(user, 1);
    }

    /// An operator declares tokens void.
    pub(crate) fn revoke_tokens(&mut self, user: UserId, issued_before_s: u64) {
        self.home(user).handle_revoke_tokens(user, issued_before_s, 1);
    }

    /// An operator declares one token void.
    pub(crate) fn revoke_token(&mut self, user: UserId, of: &Grant) {
        self.home(user).handle_revoke_token(user, of.token, of.expires_s, 1);
    }

    /// An operator says that the clock is right.
    pub(crate) fn confirm_clock(&mut self) {
        self.shards.iter_mut().for_each(|shard| shard.handle_confirm_clock(1));
    }

    /// Does what the shards want done.
    pub(crate) fn dispatch(&mut self, monotonic_ms: u64, model: &Model) -> Result<(), Breach> {
        for index in 0..self.shards.len() {
            if self.halted == Some(PartitionId(index as u16)) {
                continue;
            }
            let core = self.table.core_of(PartitionId(index as u16));
            while let Some(effect) = self.shards[index].poll_effect(monotonic_ms) {
                if let Effect::Wake(Wake { user, .. }) = effect {
                    let next = self.shards[index].next_to_apply();
                    self.woken.push(Woken { user, next });
                    continue;
                }
                self.perform(core, effect, model)?;
            }
        }
        Ok(())
    }

    /// What was said has been handed on; the list is used again.
    pub(crate) fn keep_said(&mut self, mut said: Vec<Said>) {
        said.clear();
        self.said = said;
    }

    /// What still moves.
    pub(crate) fn unsettled(&self) -> Option<String> {
        let letters = self.letters.iter().map(VecDeque::len).sum::<usize>();
        let commits = self.commits.iter().flatten().count();
        let busy = self.shards.iter().filter(|shard| !shard.is_settled());
        let busy: Vec<_> = busy.map(|shard| shard.partition().0).collect();
        let (mail, reads, checkpoints) =
            (self.mail.len(), self.readings.len(), self.checkpointings.len());
        let is_quiet = letters + commits + mail + reads + checkpoints + busy.len() == 0;
        (!is_quiet).then(|| {
            format!(
                "{letters} letters, {commits} commits, {mail} words of mail, {reads} reads and \
                 {checkpoints} checkpoints are under way, and the partitions {busy:?} busy"
            )
        })
    }

    /// The devices that are let in, and what with; as of all that is durable, once nothing
    /// moves.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = (DeviceId, &Grant)> {
        let open = self.slots.iter().filter(|slot| slot.is_open && !slot.is_closing);
        open.filter_map(|slot| Some((slot.owner?.1, &slot.grant)))
    }

    fn home(&mut self, user: UserId) -> &mut Shard {
        let partition = self.table.partition_of(user);
        &mut self.shards[usize::from(partition.0)]
    }

    fn post(&mut self, from: u16, to: u16, letter: Letter) {
        self.letters[usize::from(from * self.cores + to)].push_back(letter);
    }

    fn is_current(&self, to: SessionRef) -> bool {
        let known = self.slots.get(to.slot as usize);
        known.is_some_and(|slot| {
            slot.is_open && !slot.is_closing && slot.generation == to.generation
        })
    }
}
