//! The file that says which on-disk version a data directory has.
//!
//! It is written before anything else, and read before RocksDB touches anything: a newer
//! directory is refused without being changed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::error::OpenError;

/// The on-disk version that this code writes.
pub(crate) const VERSION: u32 = 1;

const FILE: &str = "answerback.format";
const NAME: &str = "answerback data ";

/// Makes the directory where it is missing; checks its version; marks a new one.
pub(crate) fn check_or_mark(path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::from_io(path, error);
    fs::create_dir_all(path).map_err(failed)?;
    match fs::read_to_string(path.join(FILE)) {
        Ok(text) => check(path, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if fs::read_dir(path).map_err(failed)?.next().is_some() {
                return Err(OpenError::Foreign(path.into()));
            }
            mark(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

fn check(path: &Path, text: &str) -> Result<(), OpenError> {
    let version = text.strip_prefix(NAME).and_then(|rest| rest.trim_end().parse().ok());
    match version {
        None => Err(OpenError::Corrupt(path.into(), format!("{FILE} cannot be read"))),
        Some(found) if found > VERSION => {
            Err(OpenError::Newer { path: path.into(), found, known: VERSION })
        }
        Some(_) => Ok(()),
    }
}

fn mark(path: &Path) -> io::Result<()> {
    let mut file = File::create_new(path.join(FILE))?;
    writeln!(file, "{NAME}{VERSION}")?;
    file.sync_all()?;
    File::open(path)?.sync_all()
}
