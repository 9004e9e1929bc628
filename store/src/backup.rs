//! Backups of a box that runs, and new data directories from them.
//!
//! A backup is a data directory of its own: the format file and a RocksDB, in which unchanged
//! files are links to those of the box where both lie on one file system. It is made under
//! another name beside its place, synced and renamed, so that it is whole or not there.
//!
//! A restored box begins a new **generation**: places in an inbox that its clients stored may
//! lie behind the backup's end, and are void. It has no high-water mark: what was committed
//! after the backup is known to be gone.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use answerback_proto::id::Generation;
use rocksdb::checkpoint::Checkpoint;

use crate::database::Database;
use crate::error::BackupError;
use crate::format;
use crate::open::{Store, begin_generation};
use crate::schema;

impl Store {
    /// Makes a backup of all that is committed, while the box goes on. `to` must be missing or
    /// an empty directory, in a directory that exists.
    ///
    /// # Errors
    /// See [`BackupError`]; nothing of a backup that failed remains.
    pub fn backup(&self, to: &Path) -> Result<(), BackupError> {
        let db = self.database();
        db.check().map_err(BackupError::Fault)?;
        build_in_place(to, |partial| {
            let copied = partial.join(schema::DIRECTORY);
            let checkpoint = Checkpoint::new(db).and_then(|it| it.create_checkpoint(&copied));
            checkpoint.map_err(|error| BackupError::from_rocksdb(to, &error))?;
            sync_files(&copied).map_err(|error| BackupError::from_io(to, error))?;
            let marked = File::open(partial).and_then(|it| format::mark(partial, &it));
            marked.map_err(|error| BackupError::from_io(to, error))
        })
    }
}

/// Makes a new data directory from a backup, which stays as it is. `data` must be missing or
/// an empty directory, in a directory that exists. Returns the generation that begins.
///
/// # Errors
/// See [`BackupError`].
pub fn restore(backup: &Path, data: &Path) -> Result<Generation, BackupError> {
    let readable = format::version(backup).map_err(BackupError::Open)?;
    readable.ok_or_else(|| BackupError::NoBackup(backup.into()))?;
    let _lock = format::take_existing(backup).map_err(BackupError::Open)?;
    build_in_place(data, |partial| {
        copy(backup, partial).map_err(|error| BackupError::from_io(data, error))?;
        let directory = format::take_existing(partial).map_err(BackupError::Open)?;
        let db = Database::open(partial, directory).map_err(BackupError::Open)?;
        begin_generation(&db).map_err(BackupError::Open)
    })
}

/// Builds a directory under another name, and gives it its own when it is whole and durable.
fn build_in_place<T>(
    to: &Path,
    build: impl FnOnce(&Path) -> Result<T, BackupError>,
) -> Result<T, BackupError> {
    let failed = |error| BackupError::from_io(to, error);
    refuse_used(to)?;
    let (partial, parent) = (partial_path(to), parent(to));
    remove_if_there(&partial).map_err(failed)?;
    format::directory_builder().create(&partial).map_err(failed)?;
    let built = build(&partial).and_then(|built| {
        let sync = |path: &Path| File::open(path)?.sync_all();
        let placed = sync(&partial).and_then(|()| fs::rename(&partial, to));
        placed.and_then(|()| sync(parent)).map(|()| built).map_err(failed)
    });
    if built.is_err() {
        // The cause is what counts; what stays is removed by the next attempt.
        let _ = remove_if_there(&partial);
    }
    built
}

fn refuse_used(to: &Path) -> Result<(), BackupError> {
    match fs::read_dir(to).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(BackupError::Used(to.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(BackupError::Used(to.into()))
        }
        Err(error) => Err(BackupError::from_io(to, error)),
    }
}

fn partial_path(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies the format file and the RocksDB, and nothing else that may lie there.
fn copy(backup: &Path, to: &Path) -> io::Result<()> {
    let (from, database) = (backup.join(schema::DIRECTORY), to.join(schema::DIRECTORY));
    format::directory_builder().create(&database)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), database.join(entry.file_name()))?;
    }
    sync_files(&database)?;
    fs::copy(backup.join(format::FILE), to.join(format::FILE))?;
    File::open(to.join(format::FILE))?.sync_all()
}

/// Syncs the files of a directory, and itself.
fn sync_files(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        File::open(entry?.path())?.sync_all()?;
    }
    File::open(path)?.sync_all()
}
