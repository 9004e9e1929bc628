//! `answerback serve`: a box.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use answerback_directory::commit_policy::CommitPolicy;
use answerback_directory::partition_table::PartitionTable;
use answerback_directory::recovery::{Recovered, load_shards};
use answerback_directory::shard::Residency;
use answerback_gateway::{Backend, Control, GatewayConfig, StopHandle, Verifier, serve};
use answerback_proto::limits::{PARTITIONS_DEFAULT, PARTITIONS_MAX};
use answerback_store::{Meta, NewBox, Reserve, ReserveMarks, Store};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::clock::Clock;
use crate::control::{ControlServer, ControlSocket, Desk, Status};
use crate::erasing::Eraser;
use crate::exit::Failure;
use crate::journal::ReservedJournal;
use crate::random;

const EXAMPLE: &str = "\
  answerback serve --data run/data --jwks run/keys/jwks.json --listen 127.0.0.1:7400

Ctrl-C or SIGTERM stops it in good order: what was taken is committed, clients are told
to go. A kill -9 loses nothing that was accepted; the next start takes a little longer.

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
}

/// Serves until a signal, or until storage can no longer be trusted.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let clock = Clock::new();
    let verifier = read_keys(&arguments.jwks)?;
    raise_descriptor_limit();
    let new_box = NewBox { partitions: arguments.partitions, secret: random::bytes()? };
    let store = Store::open(&arguments.data, new_box)?;
    let meta = store.meta();
    let cores = arguments.cores.unwrap_or_else(processors).min(meta.partitions);
    let table = PartitionTable::new(&meta.secret, meta.partitions, cores);
    let residency = Residency { bytes_max: arguments.shard_memory_mib << 20 };
    let Recovered { shards, broken } =
        load_shards(&store.reader(), table, meta.generation, residency)
            .map_err(|fault| cannot_restore(&arguments.data, &fault))?;
    broken.iter().for_each(|broken| eprintln!("alarm: {broken}"));
    let journal = ReservedJournal { writer: store.writer(), reserve: reserve(arguments)? };
    let backend = Backend { table, shards, journal, reader: store.reader() };
    let restored_ms = clock.elapsed().as_millis() as u64;
    let socket = ControlSocket::bind(&arguments.data)?;
    let stop = stop_on_signals()?;
    let _eraser = Eraser::start(store.clone(), Duration::from_secs(arguments.erase_seconds))?;
    let (commands, mut control) = (Control::new(), None);
    serve(config(arguments), backend, verifier, &stop, &commands, |address| {
        let status = status(address, meta, cores, restored_ms);
        let (status_here, store, shards) = (status.clone(), store.clone(), commands.clone());
        control = serve_control(socket, Desk { status: status_here, clock, store, shards });
        say(&status);
    })?;
    Ok(())
}

fn status(listen: SocketAddr, meta: Meta, cores: u16, restored_ms: u64) -> Status {
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        listen,
        partitions: meta.partitions,
        cores,
        generation: meta.generation.0,
        restored_ms,
        uptime_s: 0,
    }
}

/// Whoever started the box may be gone; the box serves all the same.
fn say(Status { listen, partitions, cores, restored_ms, .. }: &Status) {
    let _ = writeln!(
        std::io::stdout(),
        "listening on {listen}, {partitions} partitions on {cores} cores, restored in {restored_ms} ms"
    );
}

/// Messages need no control thread: a box without one serves them all the same.
fn serve_control(socket: ControlSocket, desk: Desk) -> Option<ControlServer> {
    let server = socket.serve(desk);
    server.inspect_err(|error| eprintln!("alarm: the box cannot be asked: {error}")).ok()
}

fn reserve(arguments: &Arguments) -> Result<Reserve, Failure> {
    let marks = arguments.disk_reserve_mib.map(|mib| {
        let low_bytes = mib << 20;
        ReserveMarks { low_bytes, high_bytes: low_bytes + low_bytes / 4 }
    });
    Reserve::new(&arguments.data, marks).map_err(|error| {
        let data = arguments.data.display();
        Failure::new(format_args!("the free space of {data} cannot be measured: {error}"))
    })
}

fn config(arguments: &Arguments) -> GatewayConfig {
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
        ..GatewayConfig::default()
    }
}

fn read_keys(path: &Path) -> Result<Verifier, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format_args!(
            "cannot read the key set {}: {error}; `answerback dev-keys` makes one for development",
            path.display()
        ))
    })?;
    Verifier::from_jwks(&text).map_err(|error| {
        Failure::new(format_args!("the key set {} is of no use: {error}", path.display()))
    })
}

/// An orderly stop on SIGTERM and SIGINT; a second one of them kills as it would have.
fn stop_on_signals() -> Result<StopHandle, Failure> {
    let stop = StopHandle::new();
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let triggered = stop.clone();
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut pending = signals.forever();
        if pending.next().is_some() {
            eprintln!("stopping: what was taken is committed, clients are told to go");
            triggered.trigger();
        }
        if let Some(signal) = pending.next() {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    })?;
    Ok(stop)
}

/// Each connection is a descriptor: takes as many as the system lets this process have.
fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        eprintln!("the limit of open files stays as it is: {error}");
    }
}

fn processors() -> u16 {
    thread::available_parallelism()
        .map_or(1, |count| u16::try_from(count.get()).unwrap_or(u16::MAX))
}

fn partitions(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(count) if count.is_power_of_two() && count <= PARTITIONS_MAX => Ok(count),
        _ => Err(format!("a power of two up to {PARTITIONS_MAX}")),
    }
}

fn cannot_restore(data: &Path, fault: &dyn std::fmt::Display) -> Failure {
    Failure::new(format_args!(
        "the data directory {} cannot be restored: {fault}; keep a copy, then restore a backup",
        data.display()
    ))
}
