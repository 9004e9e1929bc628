//! What a box opens before it listens: keys, data, shards.

use std::path::Path;

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::recovery::{Recovered, load_shards};
use answerback_directory::shard::Residency;
use answerback_gateway::{Backend, Control, Verifier};
use answerback_store::{NewBox, Reader, Reserve, ReserveMarks, Store};

use super::system::processors;
use crate::config::Configuration;
use crate::exit::Failure;
use crate::journal::ReservedJournal;
use crate::random;
use crate::watch::Sources;

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
) -> Result<Backend<ReservedJournal, Reader>, Failure> {
    let meta = store.meta();
    let table = PartitionTable::new(&meta.secret, meta.partitions, cores(configuration, store));
    let residency = Residency { bytes_max: configuration.shard_memory_mib << 20 };
    let Recovered { shards, broken } =
        load_shards(&store.reader(), table, meta.generation, residency)
            .map_err(|fault| cannot_restore(&configuration.data, &fault))?;
    broken.iter().for_each(|broken| eprintln!("alarm: {broken}"));
    let journal = ReservedJournal { writer: store.writer(), reserve: reserve(configuration)? };
    Ok(Backend { table, shards, journal, reader: store.reader() })
}

/// What the thread "watch" looks at.
pub(super) fn sources(
    configuration: &Configuration,
    store: &Store,
    control: &Control,
) -> Result<Sources, Failure> {
    let marks = reserve(configuration)?.marks();
    Ok(Sources::new(store.clone(), control.clone(), configuration.data.clone(), marks))
}

/// Reads the keys of the tokens that are let in.
pub(super) fn read_keys(path: &Path) -> Result<Verifier, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format_args!(
            "cannot read the key set {}: {error}; `answerback dev-keys` makes one for development",
            path.display()
        ))
    })?;
    Verifier::from_jwks(&text).map_err(|error| {
        Failure::new(format_args!("the key set {} is of no use: {error}", path.display()))
    })
}

fn reserve(configuration: &Configuration) -> Result<Reserve, Failure> {
    let marks = configuration.disk_reserve_mib.map(|mib| {
        let low_bytes = mib << 20;
        ReserveMarks { low_bytes, high_bytes: low_bytes + low_bytes / 4 }
    });
    Reserve::new(&configuration.data, marks).map_err(|error| {
        let data = configuration.data.display();
        Failure::new(format_args!("the free space of {data} cannot be measured: {error}"))
    })
}

fn cannot_restore(data: &Path, fault: &dyn std::fmt::Display) -> Failure {
    Failure::new(format_args!(
        "the data directory {} cannot be restored: {fault}; keep a copy, then restore a backup",
        data.display()
    ))
}
