//! Partitions that are out of service, and the records that keep them there.

use std::path::Path;

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::ports::{Journal, StorageFault};
use answerback_directory::recovery::{Broken, Recovered, load_shard, load_shards, repair_batch};
use answerback_directory::shard::{Residency, ShardSettings};
use answerback_proto::id::PartitionId;
use answerback_store::{Meta, Store};

use super::export;
use crate::clock;
use crate::exit::Failure;

/// Says which partitions are out of service, and why.
pub(super) fn list_broken(store: &Store) -> Result<(), Failure> {
    let Meta { generation, .. } = store.meta();
    let Recovered { broken, .. } =
        load_shards(&store.reader(), table(store), generation, Residency::default())?;
    for Broken { partition, offset, cause } in &broken {
        println!("partition {partition}: record {offset} cannot be applied: {cause}");
    }
    match broken.len() {
        0 => {
            println!("all partitions are in service");
            Ok(())
        }
        count => Err(Failure::new(format_args!(
            "{count} partitions are out of service: keep a copy, then skip the record of each \
             with --partition"
        ))),
    }
}

/// Exports the record that keeps a partition out of service, and has it applied as a
/// rejection from now on.
pub(super) fn skip_record(
    data: &Path,
    store: &Store,
    partition: PartitionId,
) -> Result<(), Failure> {
    let partitions = store.meta().partitions;
    if partition.0 >= partitions {
        return Err(Failure::new(format_args!("the box has partitions 0 to {}", partitions - 1)));
    }
    let Some(broken) = fault_of(store, partition)? else {
        return Err(Failure::new(format_args!(
            "partition {partition} is in service: there is nothing to skip"
        )));
    };
    let exported = export::write(data, &store.reader(), &broken)?;
    println!("record {} of partition {partition} is in {}", broken.offset, exported.display());
    journal_repair(store, &broken)?;
    match fault_of(store, partition)? {
        None => {
            println!("it is skipped, and the partition can be served; start the box");
            Ok(())
        }
        Some(next) => Err(still_broken(&broken, &next)),
    }
}

fn journal_repair(store: &Store, broken: &Broken) -> Result<(), StorageFault> {
    let batch = repair_batch(&store.reader(), broken, clock::unix_ms())?;
    let mut writer = store.writer();
    writer.commit(&[batch])?;
    writer.mark()
}

fn still_broken(skipped: &Broken, next: &Broken) -> Failure {
    let Broken { partition, offset, cause } = next;
    if *offset == skipped.offset {
        Failure::new(format_args!(
            "partition {partition} is out of service all the same: its record {offset} cannot \
             even be skipped ({cause}); restore a backup"
        ))
    } else {
        Failure::new(format_args!(
            "record {} is skipped; now record {offset} of partition {partition} cannot be \
             applied ({cause}): run the same command again",
            skipped.offset
        ))
    }
}

fn fault_of(store: &Store, partition: PartitionId) -> Result<Option<Broken>, StorageFault> {
    let (table, generation) = (table(store), store.meta().generation);
    let settings = ShardSettings { partition, table, generation, residency: Residency::default() };
    Ok(load_shard(&store.reader(), settings)?.err())
}

fn table(store: &Store) -> PartitionTable {
    let Meta { secret, partitions, .. } = store.meta();
    PartitionTable::new(&secret, partitions, 1)
}
