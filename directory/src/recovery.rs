//! At start: a shard is the state on disk, and the journal behind it applied again.
//!
//! A record that cannot be applied takes its partition out of service, and no other. Where the
//! operator had it skipped, a `Repair` record stands behind it in the journal: then the
//! partition is replayed anew, and that record is applied as a rejection.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use answerback_proto::id::{Generation, Offset, PartitionId};
use answerback_proto::record::{Batch, BatchBuilder, Record, Repair, Tick};

use crate::partition_table::PartitionTable;
use crate::ports::{Applied, StateReader, StorageFault};
use crate::shard::checkpoint::partition_end;
use crate::shard::{RESIDENT_TABLES, Residency, Shard, ShardSettings};

/// A partition whose journal cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub partition: PartitionId,
    /// The record that is at fault.
    pub offset: Offset,
    /// What is wrong with it.
    pub cause: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, offset, cause } = self;
        write!(
            f,
            "partition {partition} is out of service: its record {offset} cannot be applied \
             ({cause}); stop the box and run `answerback repair`"
        )
    }
}

/// What a start finds.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The shards, as of the last record of the journal.
    pub shards: Vec<Shard>,
    /// The partitions that have none.
    pub broken: Vec<Broken>,
}

/// The shards of all partitions.
///
/// # Errors
/// Where the disk cannot be read, or holds what it should not.
pub fn load_shards(
    reader: &dyn StateReader,
    table: PartitionTable,
    generation: Generation,
    residency: Residency,
) -> Result<Recovered, StorageFault> {
    let mut recovered = Recovered::default();
    for partition in (0..table.partitions()).map(PartitionId) {
        let settings = ShardSettings { partition, table, generation, residency };
        match load_shard(reader, settings)? {
            Ok(shard) => recovered.shards.push(shard),
            Err(broken) => recovered.broken.push(broken),
        }
    }
    Ok(recovered)
}

/// The shard of one partition, or why there is none.
///
/// # Errors
/// As above.
pub fn load_shard(
    reader: &dyn StateReader,
    settings: ShardSettings,
) -> Result<Result<Shard, Broken>, StorageFault> {
    let broken = match replay(reader, settings, BTreeSet::new())? {
        Ok(shard) => return Ok(Ok(shard)),
        Err(broken) => broken,
    };
    let repaired = repaired(reader, settings.partition)?;
    if repaired.contains(&broken.offset) {
        replay(reader, settings, repaired)
    } else {
        Ok(Err(broken))
    }
}

/// The batch that has a record skipped, for the end of its partition's journal.
///
/// # Errors
/// As above.
pub fn repair_batch(
    reader: &dyn StateReader,
    broken: &Broken,
    now_ms: u64,
) -> Result<Batch, StorageFault> {
    let mut end = reader.applied(broken.partition)?;
    reader.batches(broken.partition, end, &mut |batch| {
        end = Applied { offset: Offset(batch.end().0 - 1), chain: batch.chain_after() };
        Ok(())
    })?;
    let mut builder = BatchBuilder::default();
    builder.push(&Tick { now_ms }, &[]);
    builder.push(&Repair { offset: broken.offset.0 }, &[]);
    Ok(builder.finish(broken.partition, end.offset.plus(1), end.chain))
}

fn replay(
    reader: &dyn StateReader,
    settings: ShardSettings,
    repaired: BTreeSet<Offset>,
) -> Result<Result<Shard, Broken>, StorageFault> {
    let partition = settings.partition;
    let mut shard = Shard::new(settings);
    let applied = reader.applied(partition)?;
    let (from, to) = (partition.0.to_be_bytes(), partition_end(partition));
    for table in RESIDENT_TABLES {
        reader.range(table, &from, &to, &mut |key, value| {
            shard.load_row(table, key, value).map(ControlFlow::Continue)
        })?;
    }
    shard.handle_rows_loaded(applied, repaired);
    let mut broken = None;
    reader.batches(partition, applied, &mut |batch| {
        if broken.is_none() {
            let replayed = catch_unwind(AssertUnwindSafe(|| shard.replay(&batch, reader)));
            let cause = match replayed {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Unapplied::Storage(fault))) => return Err(fault),
                Ok(Err(Unapplied::Corrupt(corrupt))) => corrupt.to_string(),
                Err(panic) => panic_message(panic.as_ref()),
            };
            broken = Some(Broken { partition, offset: shard.next_to_apply(), cause });
        }
        Ok(())
    })?;
    Ok(broken.map_or(Ok(shard), Err))
}

/// Why a batch was not replayed.
#[derive(Debug)]
pub enum Unapplied {
    /// The disk.
    Storage(StorageFault),
    /// The batch.
    Corrupt(answerback_proto::record::Corrupt),
}

impl From<StorageFault> for Unapplied {
    fn from(fault: StorageFault) -> Self {
        Self::Storage(fault)
    }
}

impl From<answerback_proto::record::Corrupt> for Unapplied {
    fn from(corrupt: answerback_proto::record::Corrupt) -> Self {
        Self::Corrupt(corrupt)
    }
}

/// The records that the operator had skipped.
fn repaired(
    reader: &dyn StateReader,
    partition: PartitionId,
) -> Result<BTreeSet<Offset>, StorageFault> {
    let mut repaired = BTreeSet::new();
    reader.batches(partition, reader.applied(partition)?, &mut |batch| {
        for placed in batch.records().flatten() {
            if let Record::Repair(repair) = placed.record {
                repaired.insert(Offset(repair.offset));
            }
        }
        Ok(())
    })?;
    Ok(repaired)
}

/// What a panic says.
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}
