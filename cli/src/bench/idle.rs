//! `answerback bench idle`: users log in and stay; what does one of them cost in memory?

use std::fmt;
use std::time::Duration;

use answerback_proto::frame_buffer::Frame;
use answerback_proto::kind::{Kind, Welcome};
use clap::Args;
use serde::Serialize;

use super::arguments::{OutputArguments, TargetArguments, parse_duration};
use super::chat::nanoseconds;
use super::engine::Job;
use super::figures::{count, tenths};
use super::sockets::Sockets;
use crate::exit::Failure;
use crate::process::{Memory, Process, allow_connections};

const EXAMPLE: &str = "\
Logs in from several loopback addresses (4000 connections each, 64 at once), then compares the
server's memory with that before. A process has 20 000 descriptors on most machines.

  answerback bench idle --clients 15000 --keys run/keys --server-pid $(pidof answerback)";

/// How many.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Users that log in.
    #[arg(long, value_name = "N", default_value_t = 15_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    clients: u32,
    /// Time to stay before memory is read.
    #[arg(long, value_name = "TIME", default_value = "2", value_parser = parse_duration)]
    settle: Duration,
    #[command(flatten)]
    output: OutputArguments,
}

/// Measures once.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (target, clients) = (&arguments.target, arguments.clients as usize);
    allow_connections(clients)?;
    let server = target.server_pid.map(Process::new).transpose()?;
    let progress = arguments.output.progress()?;
    let logins = target.users.logins(target.users.bases()?, 0..clients)?;
    let mut engine = target.engine()?;
    let before = server.map(Process::memory).transpose()?;
    let start_ns = engine.now_ns();
    progress.begin("logging in", clients as u64);
    let interval = target.connect_interval();
    engine.log_in(logins, interval, &mut Idle, |count| progress.set(count as u64))?;
    let login_ns = engine.now_ns() - start_ns;
    let end_ns = engine.now_ns() + nanoseconds(arguments.settle);
    engine.run(&mut Idle, |_, now_ns| now_ns >= end_ns)?;
    let after = server.map(Process::memory).transpose()?;
    engine.reset_all();
    progress.clear();

    let growth = |of: fn(Memory) -> u64| {
        let (after, before) = (after.map(of)?, before.map(of)?);
        Some(tenths((after as f64 - before as f64) / clients as f64))
    };
    arguments.output.print(&IdleReport {
        bench: "idle",
        addr: target.addr.to_string(),
        clients,
        logins_per_second: (clients as f64 * 1e9 / login_ns.max(1) as f64).round(),
        rss_bytes_per_connection: growth(|memory| memory.resident),
        anonymous_bytes_per_connection: growth(|memory| memory.anonymous),
    })
}

/// What `bench idle` found out.
#[derive(Clone, Debug, Serialize)]
struct IdleReport {
    bench: &'static str,
    addr: String,
    clients: usize,
    logins_per_second: f64,
    /// Growth of the server's resident memory.
    rss_bytes_per_connection: Option<f64>,
    /// The part of it that no file backs.
    anonymous_bytes_per_connection: Option<f64>,
}

impl fmt::Display for IdleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let logins = count(self.logins_per_second as u64);
        write!(f, "idle at {}: {} clients, {logins} logins/s", self.addr, self.clients)?;
        match (self.rss_bytes_per_connection, self.anonymous_bytes_per_connection) {
            (Some(resident), Some(anonymous)) => {
                write!(f, "\n  memory     {resident} B a connection, {anonymous} B of it anonymous")
            }
            _ => Ok(()),
        }
    }
}

/// Nothing to do but to be there.
pub(super) struct Idle;

impl Job for Idle {
    fn handle_open(&mut self, _at: usize, _: u64, _welcome: &Welcome, _: &mut Sockets) {}

    fn handle_frame(
        &mut self,
        _at: usize,
        _now_ns: u64,
        frame: Frame<'_>,
        _sockets: &mut Sockets,
    ) -> Result<(), Failure> {
        match frame.header.kind() {
            Some(Kind::GoAway) => Err(Failure::new("the server is going away")),
            _ => Ok(()),
        }
    }

    fn handle_read_end(&mut self, _at: usize, _sockets: &mut Sockets) {}

    fn pump(&mut self, _now_ns: u64, _sockets: &mut Sockets) {}
}
