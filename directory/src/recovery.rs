//! At start: a shard is the state on disk, and the journal behind it applied again.

use std::ops::ControlFlow;

use answerback_proto::id::{Generation, PartitionId};

use crate::partition_table::PartitionTable;
use crate::ports::{StateReader, StorageFault};
use crate::shard::checkpoint::partition_end;
use crate::shard::{RESIDENT_TABLES, Residency, Shard, ShardSettings};

/// The shards of all partitions, as of the last record of the journal.
///
/// # Errors
/// Where the disk cannot be read, or holds what it should not.
pub fn load_shards(
    reader: &dyn StateReader,
    table: PartitionTable,
    generation: Generation,
    residency: Residency,
) -> Result<Vec<Shard>, StorageFault> {
    let partitions = (0..table.partitions()).map(PartitionId);
    let settings =
        partitions.map(|partition| ShardSettings { partition, table, generation, residency });
    settings.map(|settings| load_shard(reader, settings)).collect()
}

/// The shard of one partition.
///
/// # Errors
/// As above.
pub fn load_shard(
    reader: &dyn StateReader,
    settings: ShardSettings,
) -> Result<Shard, StorageFault> {
    let partition = settings.partition;
    let mut shard = Shard::new(settings);
    let applied = reader.applied(partition)?;
    let (from, to) = (partition.0.to_be_bytes(), partition_end(partition));
    for table in RESIDENT_TABLES {
        reader.range(table, &from, &to, &mut |key, value| {
            shard.load_row(table, key, value).map(ControlFlow::Continue)
        })?;
    }
    shard.handle_rows_loaded(applied);
    reader.batches(partition, applied, &mut |batch| {
        shard.replay(&batch, reader).map_err(|fault| {
            let offset = batch.first_offset();
            StorageFault::new(format_args!(
                "partition {partition}: the batch at offset {offset} cannot be applied: {fault}"
            ))
        })
    })?;
    Ok(shard)
}
