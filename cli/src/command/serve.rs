//! `answerback serve`: a box.

use std::net::SocketAddr;
use std::path::PathBuf;

use answerback_directory::commit_policy::CommitPolicy;
use answerback_gateway::GatewayConfig;
use answerback_proto::limits::{PARTITIONS_DEFAULT, PARTITIONS_MAX};
use clap::Args;

use crate::admin::{AdminListen, LISTEN_DEFAULT};
use crate::config::Configuration;
use crate::exit::Failure;

const EXAMPLE: &str = "\
  answerback serve --data run/data --jwks run/keys/jwks.json --listen 127.0.0.1:7400

Ctrl-C or SIGTERM stops it in good order: clients are told to go, what was taken is
committed. To replace it without closing the port, start the new one with --take-over. A kill -9 loses nothing that was accepted; the next start takes a little longer.

While it runs, `answerback status`, `inspect`, `backup` and others ask it through DIR/control.sock,
which only the user that runs it may open.";

/// How a box is run.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The data directory; made where it is missing.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The public keys of the tokens that are let in, a JSON Web Key Set.
    #[arg(long, value_name = "FILE")]
    jwks: PathBuf,
    /// Where clients connect; port 0 takes any free one.
    #[arg(long, value_name = "ADDR", env = "ANSWERBACK_LISTEN", default_value = "127.0.0.1:7400")]
    listen: SocketAddr,
    /// Threads that serve connections [default: one a processor].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    cores: Option<u16>,
    /// Processors that those threads are bound to, in turn.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    cpu_list: Vec<usize>,
    /// Partitions of a new data directory, a power of two; an existing one keeps its own.
    #[arg(long, value_name = "N", default_value_t = PARTITIONS_DEFAULT, value_parser = partitions)]
    partitions: u16,
    /// How long a message waits for others to share its commit.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = CommitPolicy::default().linger_us)]
    linger_us: u64,
    /// How long an acknowledgement waits for others to share its commit.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = CommitPolicy::default().acknowledgement_linger_us)]
    acknowledgement_linger_us: u64,
    /// As many messages wait for nobody.
    #[arg(long, value_name = "N", default_value_t = CommitPolicy::default().records_max)]
    batch_records: u32,
    /// How old changes may be that no checkpoint has.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = GatewayConfig::default().checkpoint_period_ms)]
    checkpoint_ms: u64,
    /// Memory of a partition for users at rest, read from the disk when they are needed.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    shard_memory_mib: usize,
    /// With less free space than this no new message is taken [default: 1024, or 5 % of a
    /// small disk].
    #[arg(long, value_name = "MIB")]
    disk_reserve_mib: Option<u64>,
    /// How often what was deleted is erased from the files: with the default it is gone from
    /// all of them within 10 minutes.
    #[arg(long, value_name = "SECONDS", default_value_t = 240, value_parser = clap::value_parser!(u64).range(1..))]
    erase_seconds: u64,
    /// Where Prometheus and probes are answered over HTTP, or `none`; port 0 takes any free
    /// one.
    #[arg(long, value_name = "ADDR", default_value = LISTEN_DEFAULT)]
    admin_listen: AdminListen,
    /// How long clients have to leave when the box stops.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = GatewayConfig::default().drain_ms)]
    drain_ms: u64,
    /// Take the place of the box that serves the data now: it drains, and its port stays open.
    #[arg(long)]
    take_over: bool,
}

/// Serves.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    crate::serve::run(&configuration(arguments), arguments.take_over)
}

fn configuration(arguments: &Arguments) -> Configuration {
    Configuration {
        data: arguments.data.clone(),
        jwks: arguments.jwks.clone(),
        partitions: arguments.partitions,
        cores: arguments.cores,
        shard_memory_mib: arguments.shard_memory_mib,
        disk_reserve_mib: arguments.disk_reserve_mib,
        erase_period_s: arguments.erase_seconds,
        admin_listen: arguments.admin_listen,
        gateway: gateway(arguments),
    }
}

fn gateway(arguments: &Arguments) -> GatewayConfig {
    GatewayConfig {
        listen: arguments.listen,
        cpus: arguments.cpu_list.clone(),
        commit: CommitPolicy {
            linger_us: arguments.linger_us,
            acknowledgement_linger_us: arguments.acknowledgement_linger_us,
            records_max: arguments.batch_records,
            ..CommitPolicy::default()
        },
        checkpoint_period_ms: arguments.checkpoint_ms,
        drain_ms: arguments.drain_ms,
        ..GatewayConfig::default()
    }
}

fn partitions(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(count) if count.is_power_of_two() && count <= PARTITIONS_MAX => Ok(count),
        _ => Err(format!("a power of two up to {PARTITIONS_MAX}")),
    }
}
