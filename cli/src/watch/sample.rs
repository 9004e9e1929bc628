//! What is seen at one look.

use std::fs;
use std::time::Duration;

use answerback_gateway::Stats;
use answerback_store::{Figures, FreeSpace, Outbox, ReserveMarks};
use rustix::process::{Resource, getrlimit};

use super::memory::MemorySeen;
use super::sources::Sources;
use crate::clock::Clock;
use crate::credentials::CredentialFigures;
use crate::hooks::HookFigures;
use crate::process::{Process, own_cpu_us};

/// All that was seen. What is missing could not be seen, or is not there yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// When, since the process began.
    pub(crate) taken_at: Duration,
    pub(crate) process: ProcessFigures,
    /// What the cores and the storage thread counted.
    pub(crate) traffic: Option<Stats>,
    pub(crate) memory: Option<MemorySeen>,
    pub(crate) disk: Option<Disk>,
    pub(crate) store: Option<Figures>,
    pub(crate) credentials: Option<CredentialFigures>,
    pub(crate) hooks: Option<HookFigures>,
    pub(crate) outbox: Option<OutboxRound>,
    /// Partitions that doubt their clock, as of the last checkpoints.
    pub(crate) doubting_partitions: u64,
}

/// What the process costs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessFigures {
    pub(crate) resident_bytes: u64,
    pub(crate) cpu_seconds: f64,
    pub(crate) open_descriptors: u64,
    /// None where there is no limit.
    pub(crate) descriptors_max: Option<u64>,
}

/// The file system of the data directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disk {
    pub(crate) space: FreeSpace,
    pub(crate) marks: ReserveMarks,
}

/// The last whole walk through all inboxes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OutboxRound {
    pub(crate) outbox: Outbox,
    /// How long it took.
    pub(crate) lasted: Duration,
}

impl Sample {
    /// What there is of a process that has nothing else yet.
    pub(super) fn of_process(clock: &Clock) -> Self {
        Self { taken_at: clock.elapsed(), process: ProcessFigures::read(), ..Self::default() }
    }

    /// Looks at everything. May block.
    pub(super) fn take(clock: &Clock, sources: Option<&mut Sources>) -> Self {
        let mut sample = Self::of_process(clock);
        if let Some(sources) = sources {
            sources.look(clock, &mut sample);
        }
        sample
    }
}

impl ProcessFigures {
    fn read() -> Self {
        let process = Process::new(std::process::id());
        let memory = process.and_then(Process::memory);
        Self {
            resident_bytes: memory.map_or(0, |memory| memory.resident),
            cpu_seconds: own_cpu_us() as f64 / 1e6,
            open_descriptors: open_descriptors(),
            descriptors_max: getrlimit(Resource::Nofile).current,
        }
    }
}

/// Since Linux 6.2 the directory's size is their number. Before that they are counted, which
/// with a million of them takes half a second: in this thread, and of no core.
fn open_descriptors() -> u64 {
    const DIRECTORY: &str = "/proc/self/fd";
    let size = fs::metadata(DIRECTORY).map_or(0, |metadata| metadata.len());
    if size > 0 {
        return size;
    }
    fs::read_dir(DIRECTORY).map_or(0, |entries| entries.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_descriptors_and_has_worked() {
        let figures = ProcessFigures::read();
        let held = fs::File::open("/proc/self/stat").unwrap();
        let with_one_more = ProcessFigures::read();
        drop(held);
        assert!(figures.resident_bytes > 0 && figures.cpu_seconds > 0.0, "{figures:?}");
        assert!(figures.open_descriptors > 0, "{figures:?}");
        assert!(with_one_more.cpu_seconds >= figures.cpu_seconds);
    }
}
