//! What all loads are told: where the server is, who logs in, how it is watched, and how the
//! report looks.
//!
//! Names are those of `nats bench` (`--clients`, `--msgs`, `--size`) and of `emqtt_bench`
//! (`--interval`, `--inflight`), where those have the same thing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;

use super::cover::TlsArguments;
use super::engine::{Door, Engine};
use super::load::Pace;
use super::progress::Progress;
use super::users::UserArguments;
use crate::exit::Failure;

/// The server, and how it is reached and watched.
#[derive(Args)]
pub(super) struct TargetArguments {
    /// The box, or the relay.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7400")]
    pub(super) addr: SocketAddr,
    #[command(flatten)]
    pub(super) tls: TlsArguments,
    #[command(flatten)]
    pub(super) users: UserArguments,
    /// Time between two connections, else as fast as it goes, 64 at once.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(super) interval: u64,
    /// The server's process, whose CPU, memory and descriptors are read from /proc.
    #[arg(long, value_name = "PID")]
    pub(super) server_pid: Option<u32>,
    /// The server's data directory, whose bytes on disk are counted.
    #[arg(long, value_name = "DIR")]
    pub(super) server_data: Option<PathBuf>,
}

impl TargetArguments {
    /// The event loop for a load on this server.
    pub(super) fn engine(&self) -> Result<Engine, Failure> {
        let (covers, resumes) = (self.tls.covers()?, self.tls.resume);
        Engine::new(Door { address: self.addr, covers, resumes })
    }

    /// Time between two connections.
    pub(super) fn connect_interval(&self) -> Duration {
        Duration::from_millis(self.interval)
    }
}

/// How fast senders send.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct PaceArguments {
    /// Closed loop: messages that each sender keeps under way.
    #[arg(long, visible_alias = "window", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(super) inflight: Option<u64>,
    /// Open loop: messages a second, of all senders together.
    #[arg(long, value_name = "N", value_parser = parse_rate)]
    pub(super) rate: Option<f64>,
}

impl PaceArguments {
    /// The pace, from then on.
    pub(super) fn pace(&self, from_ns: u64) -> Pace {
        match (self.inflight, self.rate) {
            (Some(window), _) => Pace::Window(window),
            (_, Some(per_second)) => Pace::Rate { per_second, from_ns },
            (None, None) => Pace::Stopped,
        }
    }
}

/// What is printed.
#[derive(Args)]
pub(super) struct OutputArguments {
    /// Print JSON lines.
    #[arg(long)]
    pub(super) json: bool,
    /// No progress bar, also on a terminal.
    #[arg(long)]
    no_progress: bool,
}

impl OutputArguments {
    /// The bar.
    pub(super) fn progress(&self) -> Result<Progress, Failure> {
        Progress::new(!self.no_progress)
    }

    /// Prints a report.
    pub(super) fn print<R>(&self, report: &R) -> Result<(), Failure>
    where
        R: serde::Serialize + std::fmt::Display,
    {
        match self.json {
            true => println!("{}", serde_json::to_string(report)?),
            false => println!("{report}"),
        }
        Ok(())
    }
}

/// A number above 0 a second.
pub(super) fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1e7 => Ok(rate),
        _ => Err("a rate is a number above 0, at most ten million".to_owned()),
    }
}

/// Seconds, or with units: `90`, `90s`, `1h 30m`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => text.parse().ok().and_then(|parsed: SignedDuration| parsed.try_into().ok()),
    };
    duration.ok_or_else(|| "a duration is 90, 90s, 5m, 1h, or 1h 30m".to_owned())
}

/// The same, and not 0.
pub(super) fn parse_some_duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("that is no time at all".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_seconds_or_says_its_units() {
        for (text, seconds) in [("0", 0), ("90", 90), ("90s", 90), ("1h", 3600), ("1h 30m", 5400)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "-1", "-1s", "long", "1.5.2"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_some_duration("0s").is_err());
    }
}
