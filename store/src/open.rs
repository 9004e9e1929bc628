//! Opening a data directory.

use std::path::Path;
use std::sync::Arc;

use answerback_directory::partition_table::PartitionSecret;
use answerback_proto::id::Generation;
use rocksdb::WriteOptions;

use crate::error::OpenError;
use crate::format;
use crate::journal::JournalWriter;
use crate::meta::{BOX_KEY, Meta};
use crate::reader::Reader;
use crate::schema::{self, Database};

/// An open data directory.
#[derive(Clone, Debug)]
pub struct Store {
    db: Arc<Database>,
    meta: Meta,
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
    /// Opens a data directory, and makes it where it is missing or empty.
    ///
    /// # Errors
    /// See [`OpenError`]: each says what to do.
    pub fn open(path: &Path, new_box: NewBox) -> Result<Self, OpenError> {
        let directory = format::take(path)?;
        let failed = |error: rocksdb::Error| OpenError::from_rocksdb(path, &error);
        let db = schema::open(&path.join("db"), directory).map_err(failed)?;
        let family = schema::family(&db, schema::META)?;
        let meta = match db.get_cf(family, BOX_KEY).map_err(failed)? {
            Some(bytes) => Meta::from_bytes(&bytes).ok_or_else(|| {
                OpenError::Corrupt(path.into(), "what it says of itself cannot be read".into())
            })?,
            None => {
                let NewBox { partitions, secret } = new_box;
                let meta = Meta { partitions, generation: Generation(1), secret };
                let mut durable = WriteOptions::default();
                durable.set_sync(true);
                db.put_cf_opt(family, BOX_KEY, meta.to_bytes(), &durable).map_err(failed)?;
                meta
            }
        };
        Ok(Self { db: Arc::new(db), meta })
    }

    /// What was fixed when the data directory was made.
    pub fn meta(&self) -> Meta {
        self.meta
    }

    /// What writes to it; one for a store.
    pub fn writer(&self) -> JournalWriter {
        JournalWriter::new(Arc::clone(&self.db))
    }

    /// What reads it at start.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.db))
    }
}
