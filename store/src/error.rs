//! Why a data directory cannot be opened, backed up or restored, in one line that says what to
//! do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use answerback_directory::ports::StorageFault;

/// Why a data directory cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it open.
    InUse(PathBuf),
    /// It cannot be made, read or written.
    Inaccessible(PathBuf, io::Error),
    /// The disk is full.
    Full(PathBuf),
    /// It holds something, but not a box's data.
    Foreign(PathBuf),
    /// A newer version has written it.
    Newer {
        /// The data directory.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that this binary knows.
        known: u32,
    },
    /// It could not be brought to a newer version; it has a whole older one still.
    Migration {
        /// The data directory.
        path: PathBuf,
        /// The version that was to be reached.
        to: u32,
        /// Why it was not.
        cause: String,
    },
    /// Its journal lacks records that were acknowledged; what of which partition.
    LostRecords(PathBuf, String),
    /// It holds what no version can have written.
    Corrupt(PathBuf, String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(
                f,
                "the data directory {} is in use by another process: stop that one, or give --data another directory",
                path.display()
            ),
            Self::Inaccessible(path, cause) => write!(
                f,
                "the data directory {} cannot be used ({cause}): check the path and that this user may write there",
                path.display()
            ),
            Self::Full(path) => write!(
                f,
                "the disk of the data directory {} is full: free some space, then start again",
                path.display()
            ),
            Self::Foreign(path) => write!(
                f,
                "the directory {} is not empty and holds no Answerback data: give --data an empty or a new directory",
                path.display()
            ),
            Self::Newer { path, found, known } => write!(
                f,
                "the data directory {} has on-disk version {found}, this binary knows up to {known}: start a newer binary",
                path.display()
            ),
            Self::Migration { path, to, cause } => write!(
                f,
                "the data directory {} could not be brought to version {to} ({cause}): see to the cause and start again, nothing is lost",
                path.display()
            ),
            Self::LostRecords(path, what) => write!(
                f,
                "the data directory {} lost records that were acknowledged ({what}): restore a backup, or run `answerback repair --accept-loss`",
                path.display()
            ),
            Self::Corrupt(path, what) => write!(
                f,
                "the data directory {} is damaged ({what}): restore a backup, or keep a copy and ask for help",
                path.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {}

impl OpenError {
    /// What an error of the file system means for a data directory.
    pub(crate) fn from_io(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull => Self::Full(path.into()),
            _ => Self::Inaccessible(path.into(), error),
        }
    }

    /// What an error of RocksDB means for a data directory. RocksDB tells the causes of
    /// an I/O error apart in its text alone.
    pub(crate) fn from_rocksdb(path: &Path, error: &rocksdb::Error) -> Self {
        let text = error.to_string();
        if is_full(&text) {
            Self::Full(path.into())
        } else if text.contains("LOCK") || text.contains("lock hold by current process") {
            Self::InUse(path.into())
        } else if error.kind() == rocksdb::ErrorKind::IOError {
            Self::Inaccessible(path.into(), io::Error::other(text))
        } else {
            Self::Corrupt(path.into(), text)
        }
    }
}

/// Why a backup or a restore failed.
#[derive(Debug)]
pub enum BackupError {
    /// The place that it should go to holds something.
    Used(PathBuf),
    /// The place that it should go to cannot be written, or a file of the backup not read.
    Inaccessible(PathBuf, io::Error),
    /// The disk that it should go to is full.
    Full(PathBuf),
    /// What should be restored is no backup.
    NoBackup(PathBuf),
    /// The backup, or what was made of it, cannot be opened.
    Open(OpenError),
    /// The storage of the box that should be backed up has failed.
    Fault(StorageFault),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Used(path) => write!(
                f,
                "{} exists and is not an empty directory: give a new or an empty one",
                path.display()
            ),
            Self::Inaccessible(path, cause) => write!(
                f,
                "{} cannot be written ({cause}): check that the directory around it exists and that this user may write there",
                path.display()
            ),
            Self::Full(path) => write!(
                f,
                "the disk of {} is full: free some space there, or choose another disk",
                path.display()
            ),
            Self::NoBackup(path) => write!(
                f,
                "{} holds no backup: give the directory that `answerback backup` made",
                path.display()
            ),
            Self::Open(cause) => write!(f, "the backup is of no use: {cause}"),
            Self::Fault(cause) => {
                write!(f, "the box's own storage has failed, nothing was backed up: {cause}")
            }
        }
    }
}

impl std::error::Error for BackupError {}

impl BackupError {
    /// What an error of the file system means for the place that something should go to.
    pub(crate) fn from_io(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull => Self::Full(path.into()),
            _ => Self::Inaccessible(path.into(), error),
        }
    }

    /// What an error of RocksDB means for a backup.
    pub(crate) fn from_rocksdb(path: &Path, error: &rocksdb::Error) -> Self {
        if is_full(error.as_ref()) {
            Self::Full(path.into())
        } else if error.kind() == rocksdb::ErrorKind::IOError {
            Self::Inaccessible(path.into(), io::Error::other(error.clone()))
        } else {
            Self::Fault(storage_fault(error))
        }
    }
}

/// What a failed read or write of RocksDB means to a box that runs.
pub(crate) fn storage_fault(error: &rocksdb::Error) -> StorageFault {
    fault_of_text(error.as_ref())
}

/// What a failed system call means to a box that runs.
pub(crate) fn storage_fault_of_io(error: &io::Error) -> StorageFault {
    fault_of_text(&error.to_string())
}

fn fault_of_text(text: &str) -> StorageFault {
    if is_full(text) {
        StorageFault::new(format_args!(
            "the disk is full: free some space and start again ({text})"
        ))
    } else {
        StorageFault::new(text)
    }
}

/// RocksDB hands on the text of the system alone.
fn is_full(text: &str) -> bool {
    text.contains("No space left") || text.contains("quota exceeded")
}
