//! An open RocksDB with the lock of its data directory and the first fault of its writes.

use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use answerback_directory::ports::StorageFault;
use rocksdb::{ColumnFamily, DB, WriteBatch, WriteOptions};

use crate::erasures::Erasures;
use crate::error::{OpenError, storage_fault};
use crate::schema;

/// An open RocksDB, and the lock of the directory that it lies in.
#[derive(Debug)]
pub(crate) struct Database {
    db: DB,
    path: PathBuf,
    directory: File,
    /// The first fault; nothing is written after it, by whomever.
    fault: OnceLock<StorageFault>,
    erasures: Mutex<Erasures>,
    erasing: Mutex<()>,
}

impl Database {
    /// Opens the RocksDB of the data directory at `path`, whose lock is `directory`.
    pub(crate) fn open(path: &Path, directory: File) -> Result<Self, OpenError> {
        let db = schema::open(&path.join(schema::DIRECTORY))
            .map_err(|error| OpenError::from_rocksdb(path, &error))?;
        let erasures =
            Erasures::load(&db).map_err(|fault| OpenError::Corrupt(path.into(), fault.message))?;
        let (path, fault) = (path.into(), OnceLock::new());
        let (erasures, erasing) = (Mutex::new(erasures), Mutex::new(()));
        Ok(Self { db, path, directory, fault, erasures, erasing })
    }

    /// The data directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The data directory's handle, to make renames in it durable.
    pub(crate) fn directory(&self) -> &File {
        &self.directory
    }

    /// What is to be erased. Whoever notes something holds this until it is written: what is
    /// taken is then in the database.
    pub(crate) fn erasures(&self) -> MutexGuard<'_, Erasures> {
        self.erasures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held by whoever erases.
    pub(crate) fn erasing(&self) -> &Mutex<()> {
        &self.erasing
    }

    /// A column family that every open store has.
    pub(crate) fn family(&self, name: &str) -> Result<&ColumnFamily, StorageFault> {
        schema::family(&self.db, name)
    }

    /// Does one write; after the first that fails, none.
    pub(crate) fn write(
        &self,
        batch: WriteBatch,
        options: &WriteOptions,
    ) -> Result<(), StorageFault> {
        self.guard(|db| db.write_opt(batch, options).map_err(|error| storage_fault(&error)))
    }

    /// The first fault, if there was one.
    pub(crate) fn check(&self) -> Result<(), StorageFault> {
        self.fault.get().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Does what changes files, unless something of that kind has failed before.
    pub(crate) fn guard<T>(
        &self,
        change: impl FnOnce(&DB) -> Result<T, StorageFault>,
    ) -> Result<T, StorageFault> {
        self.check()?;
        change(&self.db).map_err(|fault| self.fault.get_or_init(|| fault).clone())
    }
}

impl Deref for Database {
    type Target = DB;

    fn deref(&self) -> &DB {
        &self.db
    }
}

/// What a write is asked for that must be on the disk when it returns.
pub(crate) fn durable() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}
