//! Column families and options.

use std::path::Path;

use answerback_directory::ports::StorageFault;
use answerback_directory::shard::checkpoint::Table;
use answerback_proto::id::{Offset, PartitionId};
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBRecoveryMode, LogLevel, Options,
};

/// Where RocksDB lies in the data directory.
pub(crate) const DIRECTORY: &str = "db";

pub(crate) const META: &str = "meta";
pub(crate) const JOURNAL: &str = "journal";
pub(crate) const ERASE: &str = "erase";

/// Memtables of this size took some 30 % less of the processor than the default of 64 MiB.
const MEMTABLE_BYTES: usize = 16 * 1024 * 1024;
/// A flush writes nothing of what was trimmed before it: with room for more than a second's
/// batches most of the journal never becomes a file.
const JOURNAL_MEMTABLE_BYTES: usize = 64 * 1024 * 1024;
/// What an erasure rewrites at least, for one entry that is gone: of an inbox of 1 GB some
/// 65 MB, and with files of 64 MiB some 190.
const FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Bounds what a start replays, and how long erased bytes stay in a WAL under load.
const WAL_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Blocks of all tables that are kept in memory.
const CACHE_BYTES: usize = 64 * 1024 * 1024;
const FILTER_BITS_A_KEY: f64 = 10.0;
/// An inbox that fills up is rewritten half as often as with the default of 4.
const FILES_BEFORE_COMPACTION: i32 = 8;
const INFO_LOG_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The names of all column families.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    [META, JOURNAL, ERASE].into_iter().chain(Table::ALL.iter().map(|table| table.name()))
}

/// A column family that every open store has.
pub(crate) fn family<'a>(db: &'a DB, name: &str) -> Result<&'a ColumnFamily, StorageFault> {
    let missing = || StorageFault::new(format_args!("no column family {name}"));
    db.cf_handle(name).ok_or_else(missing)
}

/// Opens RocksDB, and makes it where it is missing.
pub(crate) fn open(path: &Path) -> Result<DB, rocksdb::Error> {
    let cache = Cache::new_lru_cache(CACHE_BYTES);
    let families =
        names().map(|name| ColumnFamilyDescriptor::new(name, family_options(name, &cache)));
    DB::open_cf_descriptors(&database_options(), path, families)
}

/// What the invariants ask for: no write that can be lost or reordered, no WAL that keeps
/// old bytes, nothing taken on trust.
fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_recycle_log_file_num(0);
    options.set_use_fsync(false);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_max_background_jobs(2);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(INFO_LOG_BYTES_MAX);
    options
}

/// Payloads are opaque, often encrypted: compressing them costs and gives nothing.
fn family_options(name: &str, cache: &Cache) -> Options {
    let mut options = Options::default();
    let is_journal = name == JOURNAL;
    options.set_write_buffer_size(if is_journal { JOURNAL_MEMTABLE_BYTES } else { MEMTABLE_BYTES });
    options.set_target_file_size_base(FILE_BYTES);
    options.set_level_zero_file_num_compaction_trigger(FILES_BEFORE_COMPACTION);
    options.set_compression_type(DBCompressionType::None);
    options.set_block_based_table_factory(&table_options(cache));
    options
}

/// Most single reads are of users or chats that are new: a filter answers them. What knows
/// where rows lie counts as part of the cache, or it would grow with the backlog.
fn table_options(cache: &Cache) -> BlockBasedOptions {
    let mut options = BlockBasedOptions::default();
    options.set_block_cache(cache);
    options.set_bloom_filter(FILTER_BITS_A_KEY, false);
    options.set_cache_index_and_filter_blocks(true);
    options.set_pin_l0_filter_and_index_blocks_in_cache(true);
    options
}

/// The key of a batch.
pub(crate) fn journal_key(partition: PartitionId, first_offset: Offset) -> [u8; 10] {
    let mut key = [0; 10];
    let (head, tail) = key.split_at_mut(2);
    head.copy_from_slice(&partition.0.to_be_bytes());
    tail.copy_from_slice(&first_offset.0.to_be_bytes());
    key
}
