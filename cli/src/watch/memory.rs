//! How much memory the box may take, and whether it has nearly as much.
//!
//! Above nine tenths of it no new message is taken and nobody let in, until it is a little less:
//! what was taken goes on, and makes room. The kernel would otherwise end the process at its
//! limit, in the middle of everything.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::process::kilobytes;

/// New work is refused from so much of the ceiling on,
const LOW_PERCENT: u64 = 90;
/// until it is less than this.
const HIGH_PERCENT: u64 = 85;

/// The ceiling of a box; clones are of the same one.
#[derive(Clone, Debug)]
pub(crate) struct MemoryCeiling {
    max_bytes: Arc<AtomicU64>,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemorySeen {
    /// What the box may take.
    pub(crate) max_bytes: u64,
    /// It has nearly as much.
    pub(crate) is_low: bool,
}

impl MemoryCeiling {
    /// As many MiB, or what the system has for this process.
    pub(crate) fn new(mib: Option<u64>) -> Self {
        let ceiling = Self { max_bytes: Arc::default() };
        ceiling.set(mib);
        ceiling
    }

    /// Another one from now on.
    pub(crate) fn set(&self, mib: Option<u64>) {
        let max_bytes = mib.map_or_else(system_bytes, |mib| mib << 20);
        // The number stands for itself: nothing else is made visible by it.
        self.max_bytes.store(max_bytes, Ordering::Relaxed);
    }

    /// Looks; `was_low` is what the last look found.
    pub(super) fn look(&self, resident_bytes: u64, was_low: bool) -> MemorySeen {
        let max_bytes = self.max_bytes.load(Ordering::Relaxed);
        let percent = if was_low { HIGH_PERCENT } else { LOW_PERCENT };
        let is_low = resident_bytes >= max_bytes / 100 * percent;
        MemorySeen { max_bytes, is_low }
    }
}

/// What the machine has, or the container: whichever is less. Where neither can be read, there
/// is no limit that is known.
fn system_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| kilobytes(&text, "MemTotal:"));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let container = group_bytes(&groups, Path::new("/sys/fs/cgroup"));
    machine.map(|kilobytes| kilobytes << 10).into_iter().chain(container).min().unwrap_or(u64::MAX)
}

/// The least limit of the control group and of those that it is in; `groups` is what
/// `/proc/self/cgroup` says, and `root` where all of them stand.
fn group_bytes(groups: &str, root: &Path) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next()?, fields.next()?);
        let (root, file) = match controllers {
            "" => (root.to_path_buf(), "memory.max"),
            "memory" => (root.join("memory"), "memory.limit_in_bytes"),
            _ => return None,
        };
        // In a container its own group is the root, and where it stands outside is not there.
        let relative = PathBuf::from(group.trim_start_matches('/'));
        let limits = relative.ancestors().filter_map(|group| {
            let limit = fs::read_to_string(root.join(group).join(file)).ok()?;
            limit.trim().parse::<u64>().ok()
        });
        limits.min()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_low_from_nine_tenths_on_until_it_is_clearly_less() {
        let ceiling = MemoryCeiling::new(Some(100));
        let mut is_low = false;
        let looks = [89, 90, 95, 86, 85, 84, 89, 90].map(|mib| {
            is_low = ceiling.look(mib << 20, is_low).is_low;
            is_low
        });
        assert_eq!(looks, [false, true, true, true, true, false, false, true]);
        ceiling.set(Some(200));
        let seen = ceiling.look(90 << 20, true);
        assert_eq!(seen, MemorySeen { max_bytes: 200 << 20, is_low: false });
    }

    #[test]
    fn the_system_has_some_and_this_process_less() {
        let ceiling = MemoryCeiling::new(None);
        let seen = ceiling.look(1 << 20, false);
        assert!(seen.max_bytes >= 64 << 20 && !seen.is_low, "{seen:?}");
    }

    #[test]
    fn the_least_limit_of_all_groups_around_counts() {
        let place = tempfile::tempdir().unwrap();
        let put = |file: &str, limit: &str| {
            let path = place.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, limit).unwrap();
        };
        let bytes = |groups| group_bytes(groups, place.path());
        assert_eq!(bytes("0::/a/b\n"), None);
        put("a/b/memory.max", "max\n");
        assert_eq!(bytes("0::/a/b\n"), None);
        put("a/memory.max", "5000\n");
        assert_eq!(bytes("0::/a/b\n"), Some(5000));
        put("a/b/memory.max", "3000\n");
        assert_eq!(bytes("0::/a/b\n"), Some(3000));
        put("memory.max", "4000\n");
        assert_eq!(bytes("0::/elsewhere/than/here\n"), Some(4000));
        put("memory/c/memory.limit_in_bytes", "2000\n");
        assert_eq!(bytes("9:cpu:/c\n4:memory:/c\n0::/\n"), Some(2000), "the older kind");
    }
}
