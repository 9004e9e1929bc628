//! Secrets are files that nobody but this process's user, or root, may read, and whatever is
//! made of them lies in such files.
//!
//! Never a value in a flag, the environment or the settings: those are seen in `ps`, in
//! `/proc`, in the log of whoever started the box.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// No secret, chain of certificates or key set is longer.
const BYTES_MAX: u64 = 256 * 1024;
/// What a group and all others may do.
const OF_OTHERS: u32 = 0o077;
/// The group may read: of a credential that systemd passes, whose list of access shows so.
const GROUP_READS: u32 = 0o040;
const ROOT: u32 = 0;

/// A file that is not used.
#[derive(Debug)]
pub(crate) struct Unusable {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Io(io::Error),
    NotRegular,
    TooLong,
    Foreign(u32),
    Open(u32),
}

/// Reads a secret.
///
/// # Errors
/// Where it is missing, or others could read it or have written it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    let unusable = |fault| Unusable { path: path.to_owned(), fault };
    let file = open(path).map_err(unusable)?;
    let owner = file.metadata().map_err(|error| unusable(Fault::Io(error)))?;
    let us = rustix::process::geteuid().as_raw();
    match fault_of(owner.uid(), owner.gid(), owner.mode(), us) {
        Some(fault) => Err(unusable(fault)),
        None => take(file).map_err(unusable),
    }
}

/// Reads what everybody may know: certificates, public keys.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn read_public(path: &Path) -> Result<Vec<u8>, Unusable> {
    let unusable = |fault| Unusable { path: path.to_owned(), fault };
    open(path).and_then(take).map_err(unusable)
}

/// A file with this in it, that only its owner may read: the old one or the new one, whenever
/// it ends.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => write_new(&beside, bytes)?,
    }
    fs::rename(&beside, path)
}

/// A file that only its owner may read, never over an existing one.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Opened, then looked at, since a path could become another's in between. A pipe does not
/// keep the box waiting for somebody who writes.
fn open(path: &Path) -> Result<File, Fault> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(Fault::Io)?;
    let is_regular = file.metadata().map_err(Fault::Io)?.is_file();
    if is_regular { Ok(file) } else { Err(Fault::NotRegular) }
}

fn take(file: File) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(Fault::Io)?;
    if bytes.len() as u64 > BYTES_MAX { Err(Fault::TooLong) } else { Ok(bytes) }
}

fn fault_of(owner: u32, group: u32, mode: u32, us: u32) -> Option<Fault> {
    if owner != us && owner != ROOT {
        return Some(Fault::Foreign(owner));
    }
    let of_root = owner == ROOT && group == ROOT;
    let allowed = if of_root { GROUP_READS } else { 0 };
    (mode & OF_OTHERS & !allowed != 0).then_some(Fault::Open(mode & 0o777))
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.fault {
            Fault::Io(error) => write!(f, "{path} cannot be read: {error}"),
            Fault::NotRegular => write!(f, "{path} is no regular file"),
            Fault::TooLong => write!(f, "{path} is longer than {BYTES_MAX} bytes"),
            Fault::Foreign(owner) => write!(
                f,
                "{path} is a secret and belongs to another user ({owner}): `chown` it to the \
                 user that runs this"
            ),
            Fault::Open(mode) => write!(
                f,
                "{path} is a secret and others may read it (mode {mode:o}): `chmod 600 {path}`"
            ),
        }
    }
}

impl std::error::Error for Unusable {}

impl Unusable {
    /// The same, of a setting.
    pub(crate) fn of(self, key: &str) -> Failure {
        Failure::new(format_args!("{key}: {self}"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn told(result: Result<Vec<u8>, Unusable>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        write_new(&path, b"secret").unwrap();
        let allow = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o600, 0o400, 0o700] {
            allow(mode);
            assert_eq!(read(&path).unwrap(), b"secret", "{mode:o}");
        }
        for mode in [0o604, 0o602, 0o620, 0o660, 0o644] {
            allow(mode);
            let line = told(read(&path));
            assert!(line.ends_with(&format!("`chmod 600 {}`", path.display())), "{line}");
            assert_eq!(read_public(&path).unwrap(), b"secret", "{mode:o}");
        }
    }

    #[test]
    fn who_may_own_it_and_how_it_may_be_shared() {
        const US: u32 = 1000;
        let is_good = |owner, group, mode| fault_of(owner, group, mode, US).is_none();
        assert!(is_good(US, 5, 0o100_600) && is_good(ROOT, 5, 0o100_400));
        assert!(!is_good(1001, US, 0o100_600), "another may write it");
        // As systemd has a credential: root's group, and a list of access with us in it.
        assert!(is_good(ROOT, ROOT, 0o100_440));
        assert!(!is_good(ROOT, 5, 0o100_440) && !is_good(US, ROOT, 0o100_440));
        assert!(!is_good(ROOT, ROOT, 0o100_460) && !is_good(ROOT, ROOT, 0o100_444));
    }

    #[test]
    fn what_is_no_file_or_too_long_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (at, pipe) = (|name: &str| directory.path().join(name), rustix::fs::FileType::Fifo);
        assert!(told(read(&at("missing"))).contains("cannot be read"));
        assert!(told(read(directory.path())).contains("no regular file"));
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), pipe, mode, 0).unwrap();
        assert!(told(read(&at("pipe"))).contains("no regular file"));
        write_new(&at("long"), &vec![0; BYTES_MAX as usize + 1]).unwrap();
        assert!(told(read(&at("long"))).contains("longer"));
        symlink(at("long"), at("link")).unwrap();
        assert!(told(read(&at("link"))).contains("longer"), "a link is followed");
    }

    #[test]
    fn a_replaced_file_is_only_its_owners() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        fs::write(directory.path().join("keys.new"), "of one that was killed").unwrap();
        for text in ["one", "two"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(read(&path).unwrap(), text.as_bytes());
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(write_new(&path, b"over it").is_err());
    }
}
