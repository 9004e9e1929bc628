//! Opening a data directory.

use std::path::Path;
use std::sync::Arc;

use answerback_directory::partition_table::PartitionSecret;
use answerback_proto::id::Generation;
use rocksdb::WriteBatch;

use crate::database::{Database, durable};
use crate::error::OpenError;
use crate::format;
use crate::high_water::{self, HighWater};
use crate::journal::JournalWriter;
use crate::meta::{BOX_KEY, Meta, VERSION_KEY};
use crate::migrate;
use crate::reader::Reader;
use crate::schema::META;

/// An open data directory.
#[derive(Clone, Debug)]
pub struct Store {
    db: Arc<Database>,
    meta: Meta,
    high_water: HighWater,
}

/// What a new data directory is made with; an existing one keeps its own.
#[derive(Clone, Copy, Debug)]
pub struct NewBox {
    /// A power of two ≤ 1024.
    pub partitions: u16,
    /// Random: who knows it can choose ids that fall into one partition.
    pub secret: PartitionSecret,
}

impl Store {
    /// Opens a data directory, and makes it where it is missing or empty. One of an older
    /// version is migrated first, and no older binary opens it any more.
    ///
    /// # Errors
    /// See [`OpenError`]: each says what to do.
    pub fn open(path: &Path, new_box: NewBox) -> Result<Self, OpenError> {
        let directory = format::take(path)?;
        let high_water = HighWater::read(path)?;
        let db = Arc::new(Database::open(path, directory)?);
        let reader = Reader::new(Arc::clone(&db));
        let meta = match read_meta(&db)? {
            Some(meta) => meta,
            None => make_meta(&db, new_box)?,
        };
        high_water.check(&db, &reader)?;
        migrate::migrate(&db, &reader, meta)?;
        Ok(Self { db, meta, high_water })
    }

    /// Lets a data directory that lost acknowledged records start again: removes its
    /// high-water mark, and begins a new generation, so that nobody trusts a place in what
    /// is lost.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn accept_loss(path: &Path) -> Result<Generation, OpenError> {
        let db = Database::open(path, format::take_existing(path)?)?;
        let generation = begin_generation(&db)?;
        high_water::remove(path, db.directory())
            .map_err(|error| OpenError::from_io(path, error))?;
        Ok(generation)
    }

    pub(crate) fn database(&self) -> &Database {
        &self.db
    }

    pub(crate) fn database_shared(&self) -> Arc<Database> {
        Arc::clone(&self.db)
    }

    /// What was fixed when the data directory was made.
    pub fn meta(&self) -> Meta {
        self.meta
    }

    /// What writes to it; one for a store.
    pub fn writer(&self) -> JournalWriter {
        JournalWriter::new(Arc::clone(&self.db), self.high_water.clone())
    }

    /// What reads it at start.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.db))
    }
}

/// Raises the generation of a data directory, durably.
pub(crate) fn begin_generation(db: &Database) -> Result<Generation, OpenError> {
    let Some(meta) = read_meta(db)? else {
        return Err(OpenError::Corrupt(db.path().into(), "it says nothing of itself".into()));
    };
    let generation = Generation(meta.generation.0.saturating_add(1));
    write_meta(db, Meta { generation, ..meta }, None)?;
    Ok(generation)
}

fn make_meta(db: &Database, new_box: NewBox) -> Result<Meta, OpenError> {
    let NewBox { partitions, secret } = new_box;
    let meta = Meta { partitions, generation: Generation(1), secret };
    write_meta(db, meta, Some(format::VERSION))?;
    Ok(meta)
}

fn read_meta(db: &Database) -> Result<Option<Meta>, OpenError> {
    let corrupt = |what: String| OpenError::Corrupt(db.path().into(), what);
    let family = db.family(META).map_err(|fault| corrupt(fault.message))?;
    let found = db.get_cf(family, BOX_KEY);
    let Some(bytes) = found.map_err(|error| OpenError::from_rocksdb(db.path(), &error))? else {
        return Ok(None);
    };
    let unreadable = || corrupt("what it says of itself cannot be read".into());
    Meta::from_bytes(&bytes).map(Some).ok_or_else(unreadable)
}

/// Writes what a data directory says of itself, and the version of its rows where it is new.
fn write_meta(db: &Database, meta: Meta, version: Option<u32>) -> Result<(), OpenError> {
    let family =
        db.family(META).map_err(|fault| OpenError::Corrupt(db.path().into(), fault.message))?;
    let mut write = WriteBatch::default();
    write.put_cf(family, BOX_KEY, meta.to_bytes());
    if let Some(version) = version {
        write.put_cf(family, VERSION_KEY, version.to_le_bytes());
    }
    db.write_opt(write, &durable()).map_err(|error| OpenError::from_rocksdb(db.path(), &error))
}
