//! At start: a shard is the state on disk, and the journal behind it applied again.

use std::ops::ControlFlow;

use answerback_proto::id::{Generation, PartitionId};

use crate::partition_table::PartitionTable;
use crate::ports::{StateReader, StorageFault};
use crate::shard::checkpoint::{Table, partition_end};
use crate::shard::{Shard, ShardSettings};

/// The shards of all partitions, as of the last record of the journal.
///
/// # Errors
/// Where the disk cannot be read, or holds what it should not.
pub fn load_shards(
    reader: &dyn StateReader,
    table: PartitionTable,
    generation: Generation,
) -> Result<Vec<Shard>, StorageFault> {
    let partitions = (0..table.partitions()).map(PartitionId);
    partitions.map(|partition| load_shard(reader, partition, table, generation)).collect()
}

fn load_shard(
    reader: &dyn StateReader,
    partition: PartitionId,
    table: PartitionTable,
    generation: Generation,
) -> Result<Shard, StorageFault> {
    let mut shard = Shard::new(ShardSettings { partition, table, generation });
    let applied = reader.applied(partition)?;
    let (from, to) = (partition.0.to_be_bytes(), partition_end(partition));
    for &table in Table::ALL {
        reader.range(table, &from, &to, &mut |key, value| {
            shard.load_row(table, key, value).map(ControlFlow::Continue)
        })?;
    }
    shard.handle_loaded(applied);
    reader.batches(partition, applied, &mut |batch| {
        shard.replay(&batch).map_err(|corrupt| {
            let offset = batch.first_offset();
            StorageFault::new(format_args!(
                "partition {partition}: the batch at offset {offset} cannot be applied: {corrupt}"
            ))
        })
    })?;
    Ok(shard)
}
