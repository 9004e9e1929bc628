//! The simulated disk keeps the contract that every store keeps.

use std::sync::{Arc, Mutex, MutexGuard};

use answerback_directory::ports::contract::{self, Subject};
use answerback_directory::ports::{
    Applied, EachBatch, EachRow, Journal, StateReader, StorageFault,
};
use answerback_directory::shard::checkpoint::{Checkpoint, Table};
use answerback_proto::id::PartitionId;
use answerback_proto::record::Batch;

use super::Disk;
use crate::planted::Plants;

/// One disk for all that is opened of it.
#[derive(Clone)]
struct Shared(Arc<Mutex<Disk>>);

struct Simulated {
    disk: Shared,
    is_broken: Arc<Mutex<bool>>,
}

struct SimulatedJournal {
    disk: Shared,
    is_broken: Arc<Mutex<bool>>,
    has_failed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }
}

impl Simulated {
    fn new() -> Self {
        let disk = Shared(Arc::new(Mutex::new(Disk::new(2, Plants::default()))));
        Self { disk, is_broken: Arc::default() }
    }
}

impl SimulatedJournal {
    fn check(&mut self) -> Result<(), StorageFault> {
        self.has_failed |= *self.is_broken.lock().unwrap();
        if self.has_failed { Err(StorageFault::new("the disk is broken")) } else { Ok(()) }
    }
}

impl Journal for SimulatedJournal {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), StorageFault> {
        self.check()?;
        let mut disk = self.disk.lock();
        disk.write_commit(batches.to_vec());
        disk.sync(|_| Ok(())).map_err(StorageFault::new)
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), StorageFault> {
        self.check()?;
        self.disk.lock().write_checkpoint(checkpoint);
        Ok(())
    }
}

impl StateReader for Shared {
    fn applied(&self, partition: PartitionId) -> Result<Applied, StorageFault> {
        self.lock().applied(partition)
    }

    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StorageFault> {
        self.lock().row(table, key)
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        each: &mut EachRow<'_>,
    ) -> Result<(), StorageFault> {
        self.lock().range(table, from, to, each)
    }

    fn batches(
        &self,
        partition: PartitionId,
        after: Applied,
        each: &mut EachBatch<'_>,
    ) -> Result<(), StorageFault> {
        self.lock().batches(partition, after, each)
    }
}

impl Subject for Simulated {
    type Journal = SimulatedJournal;
    type Reader = Shared;

    fn open(&mut self) -> (SimulatedJournal, Shared) {
        let (disk, is_broken) = (self.disk.clone(), self.is_broken.clone());
        (SimulatedJournal { disk, is_broken, has_failed: false }, self.disk.clone())
    }

    fn break_disk(&mut self) {
        *self.is_broken.lock().unwrap() = true;
    }

    fn mend_disk(&mut self) {
        *self.is_broken.lock().unwrap() = false;
    }
}

#[test]
fn a_disk_that_works_does_what_every_store_must() {
    contract::check(&mut Simulated::new());
}

#[test]
fn a_disk_that_failed_does_what_every_store_must() {
    contract::check_fault(&mut Simulated::new());
}
