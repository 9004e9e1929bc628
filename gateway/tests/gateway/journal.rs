//! A journal in memory: it keeps what it is given, checks that this is what a journal may
//! be given, and fails or waits where a test wants that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use answerback_directory::ports::{
    Applied, EachBatch, EachRow, Journal, StateReader, StorageFault,
};
use answerback_directory::shard::checkpoint::{Change, Checkpoint, Table};
use answerback_proto::id::{Offset, PartitionId};
use answerback_proto::record::{Batch, ChainHash};

/// The disk; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct MemoryJournal {
    disk: Arc<(Mutex<Disk>, Condvar)>,
}

#[derive(Default)]
struct Disk {
    partitions: BTreeMap<u16, Partition>,
    commits: usize,
    checkpoints: usize,
    /// The next commit fails.
    is_broken: bool,
    /// Something failed: nothing may come any more.
    has_failed: bool,
    calls_after_failure: usize,
    /// Commits wait.
    is_held: bool,
    /// Commits that began.
    begun: usize,
    /// There is no room for messages.
    is_low: bool,
    /// How often the box has looked since that changed.
    looks: usize,
}

#[derive(Default)]
struct Partition {
    applied: Applied,
    rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    batches: Vec<Batch>,
    /// Where the last batch ever ended.
    end: Option<(Offset, ChainHash)>,
}

impl MemoryJournal {
    /// A test that has failed still has to end its box.
    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<R>(&self, look: impl FnOnce(&mut Disk) -> R) -> R {
        look(&mut self.lock())
    }

    /// The next commit fails.
    pub(crate) fn break_it(&self) {
        self.with(|disk| disk.is_broken = true);
    }

    /// Commits wait until [`MemoryJournal::release`].
    pub(crate) fn hold(&self) {
        self.with(|disk| disk.is_held = true);
    }

    /// Commits go on.
    pub(crate) fn release(&self) {
        self.with(|disk| disk.is_held = false);
        self.disk.1.notify_all();
    }

    /// Commits that have begun so far.
    pub(crate) fn begun(&self) -> usize {
        self.with(|disk| disk.begun)
    }

    /// Waits until as many commits have begun.
    pub(crate) fn wait_for_begun(&self, count: usize) {
        let disk = self.lock();
        drop(self.disk.1.wait_while(disk, |disk| disk.begun < count).unwrap());
    }

    /// Waits until as many checkpoints are written.
    pub(crate) fn wait_for_checkpoints(&self, count: usize) {
        let disk = self.lock();
        drop(self.disk.1.wait_while(disk, |disk| disk.checkpoints < count).unwrap());
    }

    /// Has the disk nearly full, or not, and waits until the box has seen it.
    pub(crate) fn wait_until_looked_at(&self, is_low: bool) {
        let mut disk = self.lock();
        (disk.is_low, disk.looks) = (is_low, 0);
        // What a look says takes effect before the next one.
        drop(self.disk.1.wait_while(disk, |disk| disk.looks < 2).unwrap());
    }

    /// Commits so far.
    pub(crate) fn commits(&self) -> usize {
        self.with(|disk| disk.commits)
    }

    /// Calls that came after a failure.
    pub(crate) fn calls_after_failure(&self) -> usize {
        self.with(|disk| disk.calls_after_failure)
    }

    /// Batches with records that no checkpoint has.
    pub(crate) fn batches_in_journal(&self) -> usize {
        self.with(|disk| disk.partitions.values().flat_map(|partition| &partition.batches).count())
    }
}

impl Journal for MemoryJournal {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), StorageFault> {
        let mut disk = self.lock();
        disk.begun += 1;
        self.disk.1.notify_all();
        disk = self.disk.1.wait_while(disk, |disk| disk.is_held).unwrap();
        disk.require_sound()?;
        if disk.is_broken {
            disk.has_failed = true;
            return Err(StorageFault::new("the disk of this test is broken"));
        }
        let partitions: BTreeSet<_> = batches.iter().map(Batch::partition).collect();
        assert_eq!(partitions.len(), batches.len(), "one batch a partition");
        for batch in batches {
            disk.partition(batch.partition()).append(batch);
        }
        disk.commits += 1;
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), StorageFault> {
        let mut disk = self.lock();
        disk.require_sound()?;
        disk.partition(checkpoint.partition).apply(checkpoint);
        disk.checkpoints += 1;
        self.disk.1.notify_all();
        Ok(())
    }

    fn is_low_on_space(&mut self) -> bool {
        let mut disk = self.lock();
        disk.looks += 1;
        self.disk.1.notify_all();
        disk.is_low
    }
}

impl StateReader for MemoryJournal {
    fn applied(&self, partition: PartitionId) -> Result<Applied, StorageFault> {
        Ok(self.with(|disk| disk.partition(partition).applied))
    }

    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StorageFault> {
        self.with(|disk| Ok(disk.partition(of_key(key)).rows.get(&(table, key.to_vec())).cloned()))
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        each: &mut EachRow<'_>,
    ) -> Result<(), StorageFault> {
        self.with(|disk| {
            let rows = &disk.partition(of_key(from)).rows;
            for ((_, key), value) in rows.range((table, from.to_vec())..(table, to.to_vec())) {
                if each(key, value)?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn batches(
        &self,
        partition: PartitionId,
        _after: Applied,
        each: &mut EachBatch<'_>,
    ) -> Result<(), StorageFault> {
        self.with(|disk| disk.partition(partition).batches.iter().cloned().try_for_each(each))
    }
}

/// The partition that a row's key begins with.
fn of_key(key: &[u8]) -> PartitionId {
    PartitionId(u16::from_be_bytes(*key.first_chunk().unwrap()))
}

impl Disk {
    fn partition(&mut self, partition: PartitionId) -> &mut Partition {
        self.partitions.entry(partition.0).or_default()
    }

    fn require_sound(&mut self) -> Result<(), StorageFault> {
        if self.has_failed {
            self.calls_after_failure += 1;
            return Err(StorageFault::new("a call after a failure"));
        }
        Ok(())
    }
}

impl Partition {
    fn append(&mut self, batch: &Batch) {
        let stored = Batch::parse(batch.as_bytes().clone()).expect("a batch reads back");
        if let Some((end, last)) = self.end {
            assert_eq!(stored.first_offset(), end, "without gaps");
            assert_eq!(stored.chain_before(), last, "chained");
        }
        self.end = Some((stored.end(), stored.chain_after()));
        self.batches.push(stored);
    }

    fn apply(&mut self, checkpoint: &Checkpoint) {
        let applied = checkpoint.applied;
        assert!(applied.offset >= self.applied.offset, "never back");
        for row in checkpoint.rows.iter() {
            let key = (row.table, row.key.to_vec());
            match row.change {
                Change::Put(value) => drop(self.rows.insert(key, value.to_vec())),
                Change::Delete | Change::DeleteTo(_) => drop(self.rows.remove(&key)),
            }
        }
        self.applied = applied;
        self.batches.retain(|batch| batch.end() > applied.offset.plus(1));
    }
}
