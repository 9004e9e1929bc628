//! `answerback bench log`: the least that durable can cost: one file, one `fdatasync` at a time.
//!
//! Arrivals come by the clock, as in `bench chat --rate`. What has arrived while the disk was
//! busy is written together next time:
//!
//! ```text
//! arrivals   | |  | |   | |  |  | |
//! disk       [fdatasync ][fdatasync  ][…      the file is as long as it ever gets from the start,
//!                                             so that a sync writes data and nothing else
//! ```
//! A box's `Accepted` has a network, a directory and acknowledgements around it; how much more
//! it takes than this is what they cost.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hdrhistogram::Histogram;
use mio::{Events, Poll, Token};
use serde::Serialize;

use super::arguments::{OutputArguments, parse_duration, parse_rate, parse_some_duration};
use super::chat::nanoseconds;
use super::figures::{count, hundredths, tenths, time};
use super::latency::{Latency, histogram, table};
use super::progress::Progress;
use super::timer::Timer;
use crate::clock::Clock;
use crate::exit::Failure;

/// The file begins anew here: long enough that no sync overwrites what is on its way.
const FILE_BYTES: u64 = 64 << 20;
const FILE_NAME: &str = "answerback-bench.log";
const SECOND_NS: u64 = 1_000_000_000;

const EXAMPLE: &str = "\
One thread appends what is due and syncs it, then what fell due meanwhile; with --linger-us it
waits so long for company, as a box does. Latency counts from the time at which a message was
due until it is on the disk. The file goes away again.

  answerback bench log --dir target --rate 10000 --size 256
  answerback bench log --dir target --rate 10000 --size 256 --linger-us 1000 --json";

/// The log.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// Where the file lies: on the disk that is to be measured.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Messages a second.
    #[arg(long, value_name = "N", value_parser = parse_rate)]
    rate: f64,
    /// Bytes that a message takes in the file.
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    size: u32,
    /// How long the first message of a batch waits for others.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0)]
    linger_us: u64,
    /// Time before measuring.
    #[arg(long, value_name = "TIME", default_value = "1", value_parser = parse_duration)]
    warmup: Duration,
    /// Time of measuring: seconds, or with a unit.
    #[arg(long, visible_alias = "seconds", value_name = "TIME", default_value = "10", value_parser = parse_some_duration)]
    duration: Duration,
    #[command(flatten)]
    output: OutputArguments,
}

/// Measures once.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let progress = arguments.output.progress()?;
    let path = arguments.dir.join(FILE_NAME);
    let file = preallocated(&path)
        .map_err(|error| Failure::new(format_args!("cannot make {}: {error}", path.display())))?;
    let (warmup_ns, duration_ns) = (nanoseconds(arguments.warmup), nanoseconds(arguments.duration));
    let mut log = Log {
        file,
        at: 0,
        size: u64::from(arguments.size),
        bytes: Vec::new(),
        linger_ns: arguments.linger_us * 1000,
        arrivals: Arrivals { interval_ns: 1e9 / arguments.rate, waiting: 0..0 },
        measured_ns: warmup_ns..warmup_ns + duration_ns,
        durable: histogram()?,
        sync: histogram()?,
    };
    progress.begin("measuring", arguments.duration.as_secs() + arguments.warmup.as_secs());
    let outcome = log.run(&progress);
    progress.clear();
    fs::remove_file(&path)?;
    outcome?;
    arguments.output.print(&log.report(arguments))
}

/// A file whose length and blocks no later write changes.
fn preallocated(path: &PathBuf) -> std::io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    let zeros = vec![0; 1 << 20];
    for at in (0..FILE_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, at)?;
    }
    file.sync_all()?;
    Ok(file)
}

/// What falls due by the clock, by number.
#[derive(Debug)]
struct Arrivals {
    interval_ns: f64,
    /// Due, and not on the disk.
    waiting: Range<u64>,
}

impl Arrivals {
    fn due_ns(&self, number: u64) -> u64 {
        (number as f64 * self.interval_ns) as u64
    }

    /// Counts what is due by now.
    fn advance(&mut self, now_ns: u64) {
        while self.due_ns(self.waiting.end) <= now_ns {
            self.waiting.end += 1;
        }
    }

    /// When the first that is not on the disk has waited long enough.
    fn batch_ns(&self, linger_ns: u64) -> u64 {
        self.due_ns(self.waiting.start) + linger_ns
    }

    /// Takes what waits, once the first of it has waited long enough.
    fn take(&mut self, now_ns: u64, linger_ns: u64) -> Option<Range<u64>> {
        let is_due = !self.waiting.is_empty() && self.batch_ns(linger_ns) <= now_ns;
        is_due.then(|| {
            let end = self.waiting.end;
            std::mem::replace(&mut self.waiting, end..end)
        })
    }
}

#[derive(Debug)]
struct Log {
    file: File,
    at: u64,
    size: u64,
    bytes: Vec<u8>,
    linger_ns: u64,
    arrivals: Arrivals,
    measured_ns: Range<u64>,
    durable: Histogram<u64>,
    sync: Histogram<u64>,
}

impl Log {
    /// It sleeps while it waits, as the generator of a box's messages does.
    fn run(&mut self, progress: &Progress) -> Result<(), Failure> {
        let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
        let mut timer = Timer::register(poll.registry(), Token(0))?;
        let (clock, mut told_ns) = (Clock::new(), 0);
        loop {
            let now_ns = clock.now_ns();
            self.arrivals.advance(now_ns);
            if let Some(batch) = self.arrivals.take(now_ns, self.linger_ns) {
                self.append(batch.end - batch.start)?;
                let done_ns = clock.now_ns();
                self.record(batch, now_ns, done_ns);
            } else if self.arrivals.due_ns(self.arrivals.waiting.start) >= self.measured_ns.end {
                return Ok(());
            } else {
                let batch_ns = self.arrivals.batch_ns(self.linger_ns);
                let wait = timer.wait(Some(batch_ns), now_ns, Duration::from_secs(1))?;
                match poll.poll(&mut events, Some(wait)) {
                    Err(error) if error.kind() != ErrorKind::Interrupted => {
                        return Err(error.into());
                    }
                    _ => {}
                }
            }
            if now_ns - told_ns >= SECOND_NS {
                told_ns = now_ns;
                progress.set(now_ns / SECOND_NS);
            }
        }
    }

    fn append(&mut self, count: u64) -> Result<(), Failure> {
        let length = (count * self.size).min(FILE_BYTES);
        self.bytes.resize(length as usize, 0x2e);
        if self.at + length > FILE_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(&self.bytes, self.at)?;
        self.file.sync_data()?;
        self.at += length;
        Ok(())
    }

    fn record(&mut self, batch: Range<u64>, begun_ns: u64, done_ns: u64) {
        let mut is_measured = false;
        for due_ns in batch.map(|number| self.arrivals.due_ns(number)) {
            if self.measured_ns.contains(&due_ns) {
                self.durable.saturating_record((done_ns - due_ns).max(1));
                is_measured = true;
            }
        }
        if is_measured {
            self.sync.saturating_record((done_ns - begun_ns).max(1));
        }
    }

    fn report(&self, arguments: &Arguments) -> LogReport {
        LogReport {
            bench: "log",
            dir: arguments.dir.display().to_string(),
            rate: arguments.rate,
            size: arguments.size,
            linger_us: arguments.linger_us,
            seconds: hundredths(arguments.duration.as_secs_f64()),
            messages: self.durable.len(),
            syncs: self.sync.len(),
            messages_per_sync: tenths(self.durable.len() as f64 / self.sync.len().max(1) as f64),
            durable: Latency::of(&self.durable),
            sync: Latency::of(&self.sync),
        }
    }
}

/// What `bench log` found out.
#[derive(Clone, Debug, Serialize)]
struct LogReport {
    bench: &'static str,
    dir: String,
    rate: f64,
    size: u32,
    linger_us: u64,
    seconds: f64,
    messages: u64,
    syncs: u64,
    messages_per_sync: f64,
    /// From due to on the disk.
    durable: Option<Latency>,
    /// The write and the sync alone.
    sync: Option<Latency>,
}

impl fmt::Display for LogReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dir, rate, size, linger_us, seconds, .. } = self;
        let linger = time(*linger_us as f64);
        writeln!(
            f,
            "log in {dir}: {rate} messages a second, {size} bytes, linger {linger}, {seconds} s"
        )?;
        let (messages, syncs) = (count(self.messages), count(self.syncs));
        writeln!(f, "  {messages} messages in {syncs} syncs, {} each", self.messages_per_sync)?;
        f.write_str(table(&[("durable", self.durable), ("sync", self.sync)])?.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_waits_for_company_and_goes_together() {
        let mut arrivals = Arrivals { interval_ns: 10.0, waiting: 0..0 };
        arrivals.advance(25);
        assert_eq!(arrivals.waiting, 0..3, "due at 0, 10 and 20");
        assert_eq!(arrivals.take(25, 30), None);
        arrivals.advance(30);
        assert_eq!(arrivals.take(30, 30), Some(0..4));
        assert_eq!(arrivals.take(30, 0), None);
        arrivals.advance(40);
        assert_eq!(arrivals.take(40, 0), Some(4..5));
    }
}
