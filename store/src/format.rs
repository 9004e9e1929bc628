//! The file that says which on-disk version a data directory has.
//!
//! It is written before anything else, and read before RocksDB touches anything: a newer
//! directory is refused without being changed. That of an older one is raised before its rows
//! are migrated, so that no older binary takes a half of each; `meta` says how far the rows
//! are.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use crate::error::OpenError;

/// The on-disk version that this code writes.
pub(crate) const VERSION: u32 = 4;

pub(crate) const FILE: &str = "answerback.format";
/// It is written under this name, then renamed: nobody ever reads half of it.
const NEW_FILE: &str = "answerback.format.new";
const NAME: &str = "answerback data ";

/// Makes the directory where it is missing, locks it, checks its version, marks a new or an
/// older one.
/// Whoever has what is returned has the directory: RocksDB's own lock comes only after it
/// has moved files of whoever holds that.
pub(crate) fn take(path: &Path) -> Result<File, OpenError> {
    fs::create_dir_all(path).map_err(|error| OpenError::from_io(path, error))?;
    let directory = lock(path)?;
    check_or_mark(path, &directory)?;
    Ok(directory)
}

/// As [`take`], of a directory that must hold a box's data.
pub(crate) fn take_existing(path: &Path) -> Result<File, OpenError> {
    let directory = lock(path)?;
    match version(path)? {
        Some(_) => Ok(directory),
        None => Err(OpenError::Foreign(path.into())),
    }
}

/// The version of a directory; none where it holds no box's data.
pub(crate) fn version(path: &Path) -> Result<Option<u32>, OpenError> {
    match fs::read_to_string(path.join(FILE)) {
        Ok(text) => known_version(path, &text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::from_io(path, error)),
    }
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let directory = File::open(path).map_err(|error| OpenError::from_io(path, error))?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.into())),
        Err(TryLockError::Error(error)) => Err(OpenError::from_io(path, error)),
    }
}

fn check_or_mark(path: &Path, directory: &File) -> Result<(), OpenError> {
    let failed = |error| OpenError::from_io(path, error);
    match version(path)? {
        Some(VERSION) => return Ok(()),
        None if is_foreign(path).map_err(failed)? => return Err(OpenError::Foreign(path.into())),
        Some(_) | None => {}
    }
    mark(path, directory).map_err(failed)
}

fn known_version(path: &Path, text: &str) -> Result<u32, OpenError> {
    match text.strip_prefix(NAME).and_then(|rest| rest.trim_end().parse().ok()) {
        None => Err(OpenError::Corrupt(path.into(), format!("{FILE} cannot be read"))),
        Some(found) if found > VERSION => {
            Err(OpenError::Newer { path: path.into(), found, known: VERSION })
        }
        Some(found) => Ok(found),
    }
}

/// Whether there is something that no interrupted start can have left.
fn is_foreign(path: &Path) -> io::Result<bool> {
    let mut entries = fs::read_dir(path)?;
    entries.try_fold(false, |found, entry| Ok(found || entry?.file_name() != NEW_FILE))
}

/// Says that a directory has the version that this code writes, durably.
pub(crate) fn mark(path: &Path, directory: &File) -> io::Result<()> {
    let new = path.join(NEW_FILE);
    let mut file = File::create(&new)?;
    writeln!(file, "{NAME}{VERSION}")?;
    file.sync_all()?;
    fs::rename(&new, path.join(FILE))?;
    directory.sync_all()
}
