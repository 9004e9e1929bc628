//! The reserve of free space: below it no new message is taken, while acknowledgements, which
//! make space, still are.
//!
//! ```text
//! 0 ──────────── low ─────────── high ────────────► free
//!      refuse         as before        take
//! ```

use std::io;
use std::path::{Path, PathBuf};

const LOW_BYTES_MAX: u64 = 1 << 30;
/// A twentieth, 5 %.
const LOW_SHARE: u64 = 20;

/// What a file system has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeSpace {
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// Bytes of the whole file system.
    pub total_bytes: u64,
}

impl FreeSpace {
    /// What the file system of a path has left.
    ///
    /// # Errors
    /// Where the path cannot be reached.
    pub fn of(path: &Path) -> io::Result<Self> {
        let system = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(system.f_frsize);
        Ok(Self { free_bytes: bytes(system.f_bavail), total_bytes: bytes(system.f_blocks) })
    }
}

/// Below `low_bytes` space is low, and stays so until there are `high_bytes` again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReserveMarks {
    /// Less is too little.
    pub low_bytes: u64,
    /// As much is enough again.
    pub high_bytes: u64,
}

impl ReserveMarks {
    /// The default for a file system: low at 1 GiB or 5 % of it, whichever is less; high at
    /// a quarter more.
    pub fn of_disk(total_bytes: u64) -> Self {
        let low_bytes = LOW_BYTES_MAX.min(total_bytes / LOW_SHARE);
        Self { low_bytes, high_bytes: low_bytes + low_bytes / 4 }
    }

    /// Whether space is low, given whether it was.
    pub fn is_low(self, was_low: bool, free_bytes: u64) -> bool {
        let enough = if was_low { self.high_bytes.max(self.low_bytes) } else { self.low_bytes };
        free_bytes < enough
    }
}

/// Watches the free space of a data directory.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    marks: ReserveMarks,
    was_low: bool,
}

impl Reserve {
    /// Watches the file system of `path`; with the default marks where none are given.
    ///
    /// # Errors
    /// Where the path cannot be reached.
    pub fn new(path: &Path, marks: Option<ReserveMarks>) -> io::Result<Self> {
        let space = FreeSpace::of(path)?;
        let marks = marks.unwrap_or_else(|| ReserveMarks::of_disk(space.total_bytes));
        Ok(Self { path: path.into(), marks, was_low: false })
    }

    /// Goes by other marks from now on.
    pub fn set_marks(&mut self, marks: ReserveMarks) {
        self.marks = marks;
    }

    /// Whether new messages must be refused, as of now. One system call; meant for every
    /// second or so, off the path of a message. What cannot be measured is low.
    pub fn is_low(&mut self) -> bool {
        self.was_low = match FreeSpace::of(&self.path) {
            Ok(space) => self.marks.is_low(self.was_low, space.free_bytes),
            Err(_) => true,
        };
        self.was_low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_default_is_a_gibibyte_or_a_twentieth_whichever_is_less() {
        assert_eq!(ReserveMarks::of_disk(2 << 40).low_bytes, 1 << 30);
        assert_eq!(ReserveMarks::of_disk(1000 * MIB).low_bytes, 50 * MIB);
        let small = ReserveMarks::of_disk(1000 * MIB);
        assert!(small.high_bytes > small.low_bytes);
    }

    #[test]
    fn space_that_was_low_is_low_until_there_is_clearly_more() {
        let marks = ReserveMarks { low_bytes: 100, high_bytes: 150 };
        let free = [101, 100, 99, 100, 149, 150, 149, 100, 99];
        let mut was_low = false;
        let decisions = free.map(|free_bytes| {
            was_low = marks.is_low(was_low, free_bytes);
            was_low
        });
        assert_eq!(decisions, [false, false, true, true, true, false, false, false, true]);
    }

    #[test]
    fn the_free_space_of_a_real_disk_is_measured() {
        let dir = tempfile::tempdir().unwrap();
        let space = FreeSpace::of(dir.path()).unwrap();
        assert!(space.free_bytes > 0 && space.free_bytes <= space.total_bytes);
        let reserve = |low_bytes| {
            let marks = ReserveMarks { low_bytes, high_bytes: low_bytes };
            Reserve::new(dir.path(), Some(marks)).unwrap()
        };
        assert!(!reserve(1).is_low());
        assert!(reserve(space.total_bytes + 1).is_low());
    }

    #[test]
    fn other_marks_count_at_the_next_look() {
        let dir = tempfile::tempdir().unwrap();
        let total_bytes = FreeSpace::of(dir.path()).unwrap().total_bytes;
        let mut reserve = Reserve::new(dir.path(), None).unwrap();
        for (low_bytes, is_low) in [(total_bytes + 1, true), (1, false)] {
            reserve.set_marks(ReserveMarks { low_bytes, high_bytes: low_bytes });
            assert_eq!(reserve.is_low(), is_low);
        }
    }

    #[test]
    fn what_cannot_be_measured_is_low() {
        let dir = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::new(dir.path(), None).unwrap();
        drop(dir);
        assert!(reserve.is_low());
    }
}
