//! What a process costs, and where this one may run.

use std::fs;

use anyhow::{Context, Result};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// User and system time of all threads of a process since it began, µs. Its own clock is
/// finer than the ticks of `/proc/PID/stat`, and counts threads that have ended.
pub(crate) fn cpu_us(process: u32) -> Result<f64> {
    let clock =
        clock_getcpuclockid(Pid::from_raw(process.cast_signed())).context("the server is gone")?;
    let time = clock_gettime(clock).context("the server is gone")?;
    Ok(time.tv_sec() as f64 * 1e6 + time.tv_nsec() as f64 / 1e3)
}

/// Resident memory, bytes.
pub(crate) fn resident_bytes(process: u32) -> Result<f64> {
    let status =
        fs::read_to_string(format!("/proc/{process}/status")).context("the server is gone")?;
    resident_kibibytes(&status).map(|kibibytes| kibibytes * 1024.0).context("no resident memory")
}

fn resident_kibibytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Keeps this process, and what it starts, to one processor.
pub(crate) fn bind_to_processor(processor: usize) -> Result<()> {
    let mut processors = CpuSet::new();
    processors.set(processor);
    sched_setaffinity(None, &processors)
        .with_context(|| format!("this machine has no processor {processor}; try --unpinned"))
}

/// Lets this process, and what it starts, open as many files as it may.
pub(crate) fn raise_open_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_found_by_its_name() {
        let status = "VmPeak:\t  900 kB\nVmRSS:\t  123 kB\nRssAnon:\t   45 kB\n";
        assert_eq!(resident_kibibytes(status), Some(123.0));
        assert_eq!(resident_kibibytes("VmPeak:\t  900 kB\n"), None);
    }

    #[test]
    fn time_that_is_spent_shows() {
        let process = std::process::id();
        let before = cpu_us(process).unwrap();
        let mut sum = 0_u64;
        while cpu_us(process).unwrap() <= before {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(resident_bytes(process).unwrap() > 0.0);
    }
}
