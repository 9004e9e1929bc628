//! What a load costs: the server's processor, memory, descriptors and disk, and the
//! generator's own share.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::arguments::TargetArguments;
use super::costs::{Costs, GeneratorCosts, ServerCosts};
use super::engine::Engine;
use super::figures::hundredths;
use crate::exit::Failure;
use crate::process::{Process, own_cpu_us};

/// A block of `st_blocks`.
const BLOCK_BYTES: u64 = 512;
const SECOND_NS: f64 = 1e9;

/// Server and generator, watched over a time.
#[derive(Debug)]
pub(super) struct Watch {
    process: Option<Process>,
    data: Option<PathBuf>,
    /// As it was before anybody logged in.
    before: Extent,
    begun: Reading,
}

/// What a server holds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Extent {
    pub(super) rss_bytes: Option<u64>,
    pub(super) descriptors: Option<u64>,
    pub(super) disk_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    at_ns: u64,
    server_cpu_us: Option<u64>,
    own_cpu_us: u64,
    busy_ns: u64,
}

impl Watch {
    /// Reads the server's memory and disk as they are before anybody logs in.
    pub(super) fn new(target: &TargetArguments) -> Result<Self, Failure> {
        let mut watch = Self {
            process: target.server_pid.map(Process::new).transpose()?,
            data: target.server_data.clone(),
            before: Extent::default(),
            begun: Reading::default(),
        };
        watch.before = watch.extent()?;
        Ok(watch)
    }

    /// From now on time and processors count.
    pub(super) fn begin(&mut self, engine: &Engine) -> Result<(), Failure> {
        self.begun = self.read(engine)?;
        Ok(())
    }

    /// What it came to since it began: `count` messages, or whatever else was done.
    pub(super) fn end(&self, engine: &Engine, count: u64) -> Result<Costs, Failure> {
        let (begun, ended) = (self.begun, self.read(engine)?);
        let elapsed_ns = (ended.at_ns - begun.at_ns).max(1) as f64;
        let server_cpu_us = ended.server_cpu_us.zip(begun.server_cpu_us);
        let server_cpu_us = server_cpu_us.map(|(ended, begun)| (ended - begun) as f64);
        let own_cpu_us = (ended.own_cpu_us - begun.own_cpu_us) as f64;
        let busy_us = (ended.busy_ns - begun.busy_ns) as f64 / 1000.0;
        let each = |cpu_us: f64| (count > 0).then(|| hundredths(cpu_us / count as f64));
        let share = |cpu_us: f64| hundredths(cpu_us * 1000.0 / elapsed_ns);
        let (before, after) = (self.before, self.extent()?);
        Ok(Costs {
            seconds: hundredths(elapsed_ns / SECOND_NS),
            per_second: (count as f64 * SECOND_NS / elapsed_ns).round(),
            server: ServerCosts {
                cpu_us_each: server_cpu_us.and_then(each),
                cpu_share: server_cpu_us.map(share),
                rss_bytes_before: before.rss_bytes,
                rss_bytes_after: after.rss_bytes,
                rss_bytes_peak: self.process.map(Process::memory).transpose()?.map(|m| m.peak),
                descriptors: after.descriptors,
                disk_bytes_before: before.disk_bytes,
                disk_bytes_after: after.disk_bytes,
            },
            generator: GeneratorCosts::new(
                each(own_cpu_us),
                share(own_cpu_us),
                share(busy_us),
                server_cpu_us.map(share),
            ),
        })
    }

    /// What the server holds now.
    pub(super) fn extent(&self) -> Result<Extent, Failure> {
        Ok(Extent {
            rss_bytes: self.process.map(Process::memory).transpose()?.map(|m| m.resident),
            descriptors: self.process.map(Process::descriptors).transpose()?,
            disk_bytes: self.data.as_deref().map(disk_bytes).transpose()?,
        })
    }

    fn read(&self, engine: &Engine) -> Result<Reading, Failure> {
        Ok(Reading {
            at_ns: engine.now_ns(),
            server_cpu_us: self.process.map(Process::cpu_us).transpose()?,
            own_cpu_us: own_cpu_us(),
            busy_ns: engine.busy_ns(),
        })
    }
}

fn disk_bytes(data: &Path) -> Result<u64, Failure> {
    bytes_below(data).map_err(|error| {
        let data = data.display();
        Failure::new(format_args!("cannot count the bytes of {data}: {error}"))
    })
}

/// What a directory takes on its disk. What goes away meanwhile does not count.
fn bytes_below(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        bytes += match metadata.is_dir() {
            true => match bytes_below(&entry.path()) {
                Err(error) if error.kind() == ErrorKind::NotFound => 0,
                below => below?,
            },
            false => metadata.blocks() * BLOCK_BYTES,
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_takes_what_its_files_take() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("below");
        fs::create_dir(&below).unwrap();
        assert_eq!(bytes_below(directory.path()).unwrap(), 0);
        fs::write(below.join("file"), vec![1; 10_000]).unwrap();
        assert!((10_000..100_000).contains(&bytes_below(directory.path()).unwrap()));
    }
}
