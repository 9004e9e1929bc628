//! Why a data directory cannot be opened, in one line that says what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

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
        if text.contains("No space left") {
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
