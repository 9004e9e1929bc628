//! What a half of the run costs: the server's processor, memory and disk, and the
//! generator's own share.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::bench::engine::Engine;
use crate::bench::report::{GeneratorLoad, hundredths};
use crate::exit::Failure;
use crate::process::{Process, own_cpu_us};

/// A block of `st_blocks`.
const BLOCK_BYTES: u64 = 512;
const SECOND_NS: f64 = 1e9;

/// What half a run came to.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Costs {
    pub(super) seconds: f64,
    pub(super) messages_per_second: f64,
    pub(super) server: ServerCosts,
    pub(super) generator: GeneratorLoad,
}

/// What it cost the server, as far as it may be watched.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct ServerCosts {
    /// CPU of all its threads a message, µs.
    pub(super) cpu_us_per_message: Option<f64>,
    /// The same as a share of one core.
    pub(super) cpu_share: Option<f64>,
    /// Resident memory before anybody logged in.
    pub(super) rss_bytes_before: Option<u64>,
    pub(super) rss_bytes_after: Option<u64>,
    /// What its data directory takes.
    pub(super) disk_bytes_before: Option<u64>,
    pub(super) disk_bytes_after: Option<u64>,
}

/// Server and generator, watched over half a run.
#[derive(Debug)]
pub(super) struct Watch {
    process: Option<Process>,
    data: Option<PathBuf>,
    rss_bytes: Option<u64>,
    disk_bytes: Option<u64>,
    begun: Reading,
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
    pub(super) fn new(process: Option<u32>, data: Option<&Path>) -> Result<Self, Failure> {
        let process = process.map(Process::new).transpose()?;
        Ok(Self {
            process,
            data: data.map(Path::to_path_buf),
            rss_bytes: rss_bytes(process)?,
            disk_bytes: disk_bytes(data)?,
            begun: Reading::default(),
        })
    }

    /// From now on time and processors count.
    pub(super) fn begin(&mut self, engine: &Engine) -> Result<(), Failure> {
        self.begun = self.read(engine)?;
        Ok(())
    }

    /// What it came to.
    pub(super) fn end(self, engine: &Engine, messages: u64) -> Result<Costs, Failure> {
        let (begun, ended) = (self.begun, self.read(engine)?);
        let elapsed_ns = (ended.at_ns - begun.at_ns).max(1) as f64;
        let cpu_us = ended.server_cpu_us.zip(begun.server_cpu_us);
        let cpu_us = cpu_us.map(|(ended, begun)| (ended - begun) as f64);
        let own_share = (ended.own_cpu_us - begun.own_cpu_us) as f64 * 1000.0 / elapsed_ns;
        let busy_share = (ended.busy_ns - begun.busy_ns) as f64 / elapsed_ns;
        Ok(Costs {
            seconds: hundredths(elapsed_ns / SECOND_NS),
            messages_per_second: (messages as f64 * SECOND_NS / elapsed_ns).round(),
            server: ServerCosts {
                cpu_us_per_message: cpu_us
                    .filter(|_| messages > 0)
                    .map(|cpu_us| hundredths(cpu_us / messages as f64)),
                cpu_share: cpu_us.map(|cpu_us| hundredths(cpu_us * 1000.0 / elapsed_ns)),
                rss_bytes_before: self.rss_bytes,
                rss_bytes_after: rss_bytes(self.process)?,
                disk_bytes_before: self.disk_bytes,
                disk_bytes_after: disk_bytes(self.data.as_deref())?,
            },
            generator: GeneratorLoad::new(own_share, busy_share, false),
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

fn rss_bytes(process: Option<Process>) -> Result<Option<u64>, Failure> {
    Ok(process.map(Process::memory).transpose()?.map(|memory| memory.resident))
}

fn disk_bytes(data: Option<&Path>) -> Result<Option<u64>, Failure> {
    let Some(data) = data else { return Ok(None) };
    bytes_below(data).map(Some).map_err(|error| {
        let data = data.display();
        Failure::new(format_args!("cannot count the bytes of {data}: {error}"))
    })
}

/// What a directory takes on its disk. Files that go away meanwhile do not count.
fn bytes_below(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        bytes += match metadata.is_dir() {
            true => bytes_below(&entry.path())?,
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
