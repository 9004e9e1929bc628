//! What a box opens before it listens: data, shards.

use std::path::Path;

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::recovery::{Recovered, load_shards};
use answerback_directory::shard::Residency;
use answerback_gateway::Backend;
use answerback_store::{FreeSpace, NewBox, Reader, Reserve, ReserveMarks, Store};
use tracing::error;

use super::system::processors;
use crate::config::Configuration;
use crate::exit::Failure;
use crate::journal::{ReservedJournal, SharedMarks};
use crate::random;

/// What a data directory is given where it is made.
pub(super) fn new_box(configuration: &Configuration) -> Result<NewBox, Failure> {
    Ok(NewBox { partitions: configuration.partitions, secret: random::bytes()? })
}

/// How many cores the box has: no more than partitions, since the rest would have nothing to do.
pub(super) fn cores(configuration: &Configuration, store: &Store) -> u16 {
    configuration.cores.unwrap_or_else(processors).min(store.meta().partitions)
}

/// Loads and replays the shards; alarms where one stays out of service.
pub(super) fn load(
    configuration: &Configuration,
    store: &Store,
    marks: &SharedMarks,
) -> Result<Backend<ReservedJournal, Reader>, Failure> {
    let meta = store.meta();
    let table = PartitionTable::new(&meta.secret, meta.partitions, cores(configuration, store));
    let residency = Residency { bytes_max: configuration.shard_memory_mib << 20 };
    let Recovered { shards, broken } =
        load_shards(&store.reader(), table, meta.generation, residency)
            .map_err(|fault| cannot_restore(&configuration.data, &fault))?;
    for broken in broken {
        let partition = broken.partition.0;
        error!(alarm = "partition_out_of_service", partition, "{broken}");
    }
    let reserve = Reserve::new(&configuration.data, Some(marks.read()));
    let reserve = reserve.map_err(|error| cannot_measure(&configuration.data, &error))?;
    let journal = ReservedJournal { writer: store.writer(), reserve, marks: marks.clone() };
    Ok(Backend { table, shards, journal, reader: store.reader() })
}

/// Below which free space new messages are refused.
pub(super) fn reserve_marks(configuration: &Configuration) -> Result<ReserveMarks, Failure> {
    let data = &configuration.data;
    match configuration.disk_reserve_mib {
        Some(mib) => {
            let low_bytes = mib << 20;
            Ok(ReserveMarks { low_bytes, high_bytes: low_bytes + low_bytes / 4 })
        }
        None => {
            let space = FreeSpace::of(data).map_err(|error| cannot_measure(data, &error))?;
            Ok(ReserveMarks::of_disk(space.total_bytes))
        }
    }
}

fn cannot_measure(data: &Path, error: &std::io::Error) -> Failure {
    let data = data.display();
    Failure::new(format_args!("the free space of {data} cannot be measured: {error}"))
}

fn cannot_restore(data: &Path, fault: &dyn std::fmt::Display) -> Failure {
    Failure::new(format_args!(
        "the data directory {} cannot be restored: {fault}; keep a copy, then restore a backup",
        data.display()
    ))
}
