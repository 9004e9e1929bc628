//! What a box that has its data is looked at by.

use std::path::PathBuf;
use std::time::Duration;

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::shard::view;
use answerback_gateway::Control;
use answerback_proto::id::PartitionId;
use answerback_store::{FreeSpace, Store, Sweep, SweepBudget};
use tracing::{error, info};

use super::memory::{MemoryCeiling, MemorySeen};
use super::sample::{Disk, OutboxRound, Sample};
use crate::clock::Clock;
use crate::credentials::CredentialsView;
use crate::hooks::HooksView;
use crate::journal::SharedMarks;

/// Of the walk through all inboxes, what a look does: 24 ms of processor time at most in a
/// development build, where one user of ten has something waiting.
const BUDGET: SweepBudget = SweepBudget { users: 10_000, inboxes: 1000 };

/// Where to look.
#[derive(Debug)]
pub(crate) struct Sources {
    store: Store,
    control: Control,
    table: PartitionTable,
    data: PathBuf,
    marks: SharedMarks,
    memory: MemoryCeiling,
    is_memory_low: bool,
    credentials: CredentialsView,
    hooks: HooksView,
    sweep: Sweep,
    round_began_at: Option<Duration>,
    last_round: Option<OutboxRound>,
}

impl Sources {
    /// A box's data, when space and memory are low, and what it proves itself and checks others
    /// by.
    pub(crate) fn new(
        store: Store,
        control: Control,
        data: PathBuf,
        (marks, memory): (SharedMarks, MemoryCeiling),
        (credentials, hooks): (CredentialsView, HooksView),
    ) -> Self {
        let meta = store.meta();
        let table = PartitionTable::new(&meta.secret, meta.partitions, 1);
        let sweep = store.sweep();
        let (round_began_at, last_round) = (None, None);
        Self {
            store,
            control,
            table,
            data,
            marks,
            memory,
            is_memory_low: false,
            credentials,
            hooks,
            sweep,
            round_began_at,
            last_round,
        }
    }

    /// Adds all that can be seen. What cannot be read is left out: the storage thread meets
    /// the same fault, and is the one to stop the box.
    pub(super) fn look(&mut self, clock: &Clock, sample: &mut Sample) {
        sample.memory = Some(self.look_at_memory(sample.process.resident_bytes));
        let marks = self.marks.read();
        sample.disk = FreeSpace::of(&self.data).ok().map(|space| Disk { space, marks });
        sample.credentials = Some(self.credentials.read());
        sample.hooks = Some(self.hooks.read());
        sample.traffic = self.control.stats().ok();
        sample.store = self.store.figures().ok();
        sample.doubting_partitions = self.doubting_partitions();
        self.walk(clock);
        sample.outbox = self.last_round;
    }

    /// First of all, since the rest may hang on a disk. Cores read it where they take work.
    fn look_at_memory(&mut self, resident_bytes: u64) -> MemorySeen {
        let seen = self.memory.look(resident_bytes, self.is_memory_low);
        if seen.is_low != self.is_memory_low {
            self.is_memory_low = seen.is_low;
            self.control.set_memory_low(seen.is_low);
            tell(seen, resident_bytes);
        }
        seen
    }

    fn walk(&mut self, clock: &Clock) {
        let began_at = *self.round_began_at.get_or_insert_with(|| clock.elapsed());
        if let Ok(Some(outbox)) = self.sweep.step(BUDGET) {
            let lasted = clock.elapsed().saturating_sub(began_at);
            self.last_round = Some(OutboxRound { outbox, lasted });
            self.round_began_at = None;
        }
    }

    fn doubting_partitions(&self) -> u64 {
        let reader = self.store.reader();
        let partitions = (0..self.table.partitions()).map(PartitionId);
        let doubts = |partition: &PartitionId| {
            view::is_clock_doubted(&reader, self.table, *partition).unwrap_or(false)
        };
        partitions.filter(doubts).count() as u64
    }
}

fn tell(MemorySeen { max_bytes, is_low }: MemorySeen, resident_bytes: u64) {
    let (has_mib, max_mib) = (resident_bytes >> 20, max_bytes >> 20);
    if is_low {
        error!(
            alarm = "memory_low",
            has_mib,
            max_mib,
            "new messages and logins are refused: the box has {has_mib} of {max_mib} MiB in memory"
        );
    } else {
        info!(has_mib, max_mib, "new messages and logins are taken again");
    }
}
