//! What RocksDB says of itself, for an operator: nothing is decided by it.

use std::fs;
use std::io;
use std::path::Path;

use answerback_directory::ports::StorageFault;
use answerback_directory::shard::checkpoint::Table;
use rocksdb::DB;
use rocksdb::properties::{
    ACTUAL_DELAYED_WRITE_RATE, BACKGROUND_ERRORS, CUR_SIZE_ALL_MEM_TABLES, ESTIMATE_LIVE_DATA_SIZE,
    ESTIMATE_NUM_KEYS, ESTIMATE_PENDING_COMPACTION_BYTES, IS_WRITE_STOPPED,
    NUM_RUNNING_COMPACTIONS, NUM_RUNNING_FLUSHES, PropName, TOTAL_SST_FILES_SIZE,
};

use crate::error::{storage_fault, storage_fault_of_io};
use crate::open::Store;
use crate::schema::{DIRECTORY, family, names};

/// The ending of a file of the write-ahead log.
const WAL_ENDING: &str = "log";

/// A store's own figures, as of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Table files of all column families.
    pub table_bytes: u64,
    /// What is written and in no table file yet, of all column families.
    pub memtable_bytes: u64,
    /// The files of the write-ahead log.
    pub wal_bytes: u64,
    /// Rows of all inboxes, as RocksDB estimates them: deletions blur it.
    pub inbox_rows: u64,
    /// Their bytes, estimated too.
    pub inbox_bytes: u64,
    /// What compactions still have to rewrite, estimated.
    pub pending_compaction_bytes: u64,
    /// Compactions under way.
    pub compactions: u64,
    /// Flushes of memtables under way.
    pub flushes: u64,
    /// To how many bytes a second writes are held back; 0 where they are not.
    pub delayed_write_rate: u64,
    /// Whether writes stand still until compactions have caught up.
    pub is_write_stopped: bool,
    /// Flushes and compactions that failed.
    pub background_errors: u64,
}

impl Store {
    /// Its figures now. Reads counters and one directory; meant for every second or so, off
    /// the path of a message.
    ///
    /// # Errors
    /// Where the directory cannot be listed, or RocksDB does not know a figure.
    pub fn figures(&self) -> Result<Figures, StorageFault> {
        let db = self.database();
        let inbox = Table::Inbox.name();
        Ok(Figures {
            table_bytes: sum(db, TOTAL_SST_FILES_SIZE)?,
            memtable_bytes: sum(db, CUR_SIZE_ALL_MEM_TABLES)?,
            wal_bytes: wal_bytes(&db.path().join(DIRECTORY))
                .map_err(|error| storage_fault_of_io(&error))?,
            inbox_rows: one(db, inbox, ESTIMATE_NUM_KEYS)?,
            inbox_bytes: one(db, inbox, ESTIMATE_LIVE_DATA_SIZE)?
                + one(db, inbox, CUR_SIZE_ALL_MEM_TABLES)?,
            pending_compaction_bytes: sum(db, ESTIMATE_PENDING_COMPACTION_BYTES)?,
            compactions: of_all(db, NUM_RUNNING_COMPACTIONS)?,
            flushes: of_all(db, NUM_RUNNING_FLUSHES)?,
            delayed_write_rate: of_all(db, ACTUAL_DELAYED_WRITE_RATE)?,
            is_write_stopped: of_all(db, IS_WRITE_STOPPED)? > 0,
            background_errors: of_all(db, BACKGROUND_ERRORS)?,
        })
    }
}

fn one(db: &DB, name: &str, property: &PropName) -> Result<u64, StorageFault> {
    let value = db.property_int_value_cf(family(db, name)?, property);
    value.map(Option::unwrap_or_default).map_err(|error| storage_fault(&error))
}

fn sum(db: &DB, property: &PropName) -> Result<u64, StorageFault> {
    names().map(|name| one(db, name, property)).sum()
}

/// Of what all column families share.
fn of_all(db: &DB, property: &PropName) -> Result<u64, StorageFault> {
    let value = db.property_int_value(property);
    value.map(Option::unwrap_or_default).map_err(|error| storage_fault(&error))
}

/// A file that goes meanwhile counts as nothing.
fn wal_bytes(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for file in fs::read_dir(directory)? {
        let path = file?.path();
        if path.extension().is_some_and(|ending| ending == WAL_ENDING) {
            bytes += path.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    Ok(bytes)
}
