//! `answerback bench idle`: users log in and stay; what does one of them cost in memory?

use std::net::SocketAddr;

use answerback_proto::frame_buffer::Frame;
use answerback_proto::kind::{Kind, Welcome};
use clap::Args;

use super::engine::{Engine, Job};
use super::progress::Progress;
use super::report::{IdleReport, tenths};
use super::sockets::Sockets;
use super::users;
use crate::exit::Failure;
use crate::process::{Memory, Process, allow_connections};

const EXAMPLE: &str = "\
Logs in from several loopback addresses (4000 connections each, 64 at once), then compares the
server's memory with that before. A process has 20 000 descriptors on most machines.

  answerback bench idle --connections 15000 --keys run/keys --server-pid $(pidof answerback)";

/// How many.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The box, or the relay.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7400")]
    addr: SocketAddr,
    #[command(flatten)]
    users: users::UserArguments,
    /// Users that log in.
    #[arg(long, value_name = "N", default_value_t = 15_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,
    /// Seconds to stay before memory is read.
    #[arg(long, value_name = "S", default_value_t = 2)]
    settle: u64,
    /// The server's process, whose memory is read from /proc.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Print one JSON line.
    #[arg(long)]
    json: bool,
}

/// Measures once.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let connections = arguments.connections as usize;
    allow_connections(connections)?;
    let server = arguments.server_pid.map(Process::new).transpose()?;
    let logins = arguments.users.logins(arguments.users.bases()?, 0..connections)?;
    let mut progress = Progress::new();
    let mut engine = Engine::new(arguments.addr)?;
    let before = server.map(Process::memory).transpose()?;
    let start_ns = engine.now_ns();
    engine.log_in(logins, &mut Idle, |count| progress.say(&format!("{count} logged in")))?;
    let login_ns = engine.now_ns() - start_ns;
    let end_ns = engine.now_ns() + arguments.settle * 1_000_000_000;
    engine.run(&mut Idle, false, |_, now_ns| now_ns >= end_ns)?;
    let after = server.map(Process::memory).transpose()?;
    let open_count = engine.open_count();
    engine.reset_all();
    progress.clear();

    let growth = |of: fn(Memory) -> u64| {
        let (after, before) = (after.map(of)?, before.map(of)?);
        Some(tenths((after as f64 - before as f64) / open_count.max(1) as f64))
    };
    let report = IdleReport {
        bench: "idle",
        addr: arguments.addr.to_string(),
        connections: open_count,
        logins_per_second: (open_count as f64 * 1e9 / login_ns.max(1) as f64).round(),
        rss_bytes_per_connection: growth(|memory| memory.resident),
        anonymous_bytes_per_connection: growth(|memory| memory.anonymous),
    };
    match arguments.json {
        true => println!("{}", serde_json::to_string(&report)?),
        false => println!("{report}"),
    }
    Ok(())
}

/// Nothing to do but to be there.
pub(super) struct Idle;

impl Job for Idle {
    fn handle_open(&mut self, _at: usize, _welcome: &Welcome) {}

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
