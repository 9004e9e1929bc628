//! What a process costs, from `/proc`, and what this one may open.

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::exit::Failure;

/// Clock ticks of `/proc/PID/stat`: 100 a second on every Linux.
const TICK_US: u64 = 10_000;
/// Descriptors of a process beside its connections.
const OTHER_DESCRIPTORS: u64 = 32;

/// A process that is watched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    id: u32,
}

/// Memory of a process, bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// All that is resident.
    pub(crate) resident: u64,
    /// The part that no file backs: heap and stacks.
    pub(crate) anonymous: u64,
    /// The most that was ever resident.
    pub(crate) peak: u64,
}

impl Process {
    /// Watches a process.
    pub(crate) fn new(id: u32) -> Result<Self, Failure> {
        let process = Self { id };
        process.cpu_us().map(|_| process)
    }

    /// User and system time of all its threads since it began, µs.
    pub(crate) fn cpu_us(self) -> Result<u64, Failure> {
        let stat = self.read("stat")?;
        cpu_ticks(&stat).map(|ticks| ticks * TICK_US).ok_or_else(|| self.unreadable("stat"))
    }

    /// Its memory now.
    pub(crate) fn memory(self) -> Result<Memory, Failure> {
        let status = self.read("status")?;
        let field = |name| kilobytes(&status, name).ok_or_else(|| self.unreadable("status"));
        Ok(Memory {
            resident: field("VmRSS:")? * 1024,
            anonymous: field("RssAnon:")? * 1024,
            peak: field("VmHWM:")? * 1024,
        })
    }

    /// Descriptors that it has open.
    pub(crate) fn descriptors(self) -> Result<u64, Failure> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.id));
        entries.map(|entries| entries.count() as u64).map_err(|error| self.unwatched(&error))
    }

    fn read(self, name: &str) -> Result<String, Failure> {
        fs::read_to_string(format!("/proc/{}/{name}", self.id))
            .map_err(|error| self.unwatched(&error))
    }

    fn unwatched(self, error: &io::Error) -> Failure {
        Failure::new(format_args!("cannot watch the process {}: {error}", self.id))
    }

    fn unreadable(self, name: &str) -> Failure {
        Failure::new(format_args!("cannot understand /proc/{}/{name}", self.id))
    }
}

/// CPU time of this process, µs.
pub(crate) fn own_cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_nsec.unsigned_abs() / 1000
}

/// Makes sure that this process may open so many connections.
pub(crate) fn allow_connections(count: usize) -> Result<(), Failure> {
    let needed = count as u64 + OTHER_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), ..limit };
    setrlimit(Resource::Nofile, raised).map_err(|_| {
        let most = limit.maximum.unwrap_or(u64::MAX);
        Failure::new(format_args!(
            "{count} connections need {needed} descriptors and this process may have {most}; \
             ask for fewer connections or raise the hard limit (ulimit -Hn)"
        ))
    })
}

/// Fields 14 and 15; the second field, a name in brackets, may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let mut fields = behind_name.split(' ').skip(11);
    let (user, system) = (fields.next()?, fields.next()?);
    Some(user.parse::<u64>().ok()? + system.parse::<u64>().ok()?)
}

pub(crate) fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 3 4 20 0 1 0 5 6 7";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("7 (cut"), None);
    }

    #[test]
    fn memory_is_found_by_its_name() {
        let status = "VmPeak:\t  900 kB\nVmRSS:\t  123 kB\nRssAnon:\t   45 kB\n";
        assert_eq!(
            (kilobytes(status, "VmRSS:"), kilobytes(status, "RssAnon:")),
            (Some(123), Some(45))
        );
        assert_eq!(kilobytes(status, "VmSwap:"), None);
    }

    #[test]
    fn this_process_can_be_watched() {
        let process = Process::new(std::process::id()).unwrap();
        let memory = process.memory().unwrap();
        assert!(memory.resident >= memory.anonymous && memory.anonymous > 0);
        assert!(memory.peak >= memory.resident);
        assert!(process.descriptors().unwrap() >= 3);
    }
}
