//! Why a device's file cannot be used.

use std::fmt;
use std::path::PathBuf;

use answerback_proto::id::{Sequence, UserId};
use rusqlite::ErrorCode;

/// A device's file cannot be used.
#[derive(Debug)]
pub enum StorageError {
    /// It cannot be made or written.
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Another process has it open.
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A newer program wrote it.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The greatest version that this program reads.
        known: i64,
    },
    /// It is another device's, or no device's.
    OtherDevice {
        /// The file.
        path: PathBuf,
    },
    /// A message of this number was never sent, and cannot be taken back.
    NotSent {
        /// The other end of the chat.
        peer: UserId,
        /// The number.
        sequence: Sequence,
    },
    /// No message of this number failed, or it was sent again already.
    NotFailed {
        /// The other end of the chat.
        peer: UserId,
        /// The number.
        sequence: Sequence,
    },
    /// SQLite failed, for example on a full or broken disk.
    Database(rusqlite::Error),
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unwritable { path, cause } => {
                write!(f, "cannot write the device's file {}: {cause}", path.display())
            }
            Self::InUse { path } => write!(
                f,
                "the device's file {} is in use by another process; end that, or use another device",
                path.display()
            ),
            Self::Newer { path, found, known } => write!(
                f,
                "the device's file {} has version {found}, this program reads up to {known}; \
                 use a newer program",
                path.display()
            ),
            Self::OtherDevice { path } => {
                write!(f, "the file {} is not this device's; use another file", path.display())
            }
            Self::NotSent { peer, sequence } => write!(
                f,
                "this device has sent no message {sequence} to {peer}, so it cannot take it back"
            ),
            Self::NotFailed { peer, sequence } => write!(
                f,
                "message {sequence} to {peer} did not fail on this device, or was sent again \
                 already; only what failed can be sent again"
            ),
            Self::Database(error) => write!(f, "the device's database failed: {error}"),
        }
    }
}

impl std::error::Error for StorageError {}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl StorageError {
    /// Sorts an error of the opening of `path`.
    pub(super) fn at_open(path: &std::path::Path, error: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse { path },
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::Unwritable { path, cause: error.to_string() }
            }
            Some(ErrorCode::NotADatabase) => Self::OtherDevice { path },
            _ => Self::Database(error),
        }
    }
}
