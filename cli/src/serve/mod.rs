//! A box: what it opens, the threads beside its cores, its end.

mod reload;
mod renewing;
mod signals;
mod startup;
mod system;
mod takeover;

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use answerback_gateway::{Control, Credentials, Listening, ServeError, StopHandle, serve};
use answerback_store::{Meta, Store};
use tracing::{error, info};

use self::reload::Reloader;
use self::renewing::{FirstRead, read_sealing_keys, renew};
use self::signals::take_signals;
use self::startup::{cores, load, new_box, reserve_marks};
use self::system::raise_descriptor_limit;
use self::takeover::take_over;
use crate::admin::{Admin, Phase};
use crate::clock::Clock;
use crate::config::{Configuration, Layers};
use crate::control::{ControlServer, ControlSocket, Desk, Seen, Status};
use crate::erasing::Eraser;
use crate::exit::Failure;
use crate::hooks::HookThreads;
use crate::journal::SharedMarks;
use crate::logs::LogLevel;
use crate::watch::{MemoryCeiling, Sources};

/// What a box starts with.
#[derive(Debug)]
pub(crate) struct Start {
    /// Where its settings are read again.
    pub(crate) layers: Layers,
    /// Its settings.
    pub(crate) configuration: Configuration,
    /// What changes how much it logs.
    pub(crate) level: LogLevel,
    /// Whether it follows the box that serves the data now.
    pub(crate) takes_over: bool,
}

/// Serves until a signal, or until storage can no longer be trusted. Why it does not, or no
/// longer, is in the log.
pub(crate) fn run(start: Start) -> Result<(), Failure> {
    open_and_serve(start).map_err(|failure| match failure {
        Failure::Told => Failure::Told,
        failure => {
            error!(alarm = "start_failed", "{}", failure.line());
            Failure::Told
        }
    })
}

fn open_and_serve(start: Start) -> Result<(), Failure> {
    let Start { layers, configuration, level, takes_over } = start;
    let first = if takes_over { None } else { Some(start_admin(&configuration)?) };
    let read = FirstRead::read(&configuration)?;
    raise_descriptor_limit();
    let taken = if takes_over { take_over(&configuration)? } else { None };
    let (clock, admin) = match first {
        Some(first) => first,
        // Behind that, since whoever is followed has the port until its end.
        None => start_admin(&configuration)?,
    };
    let readiness = admin.readiness();
    let (listening, store) = match taken {
        Some((listening, store)) => (Some(listening), store),
        None => (None, Store::open(&configuration.data, new_box(&configuration)?)?),
    };
    let (meta, cores) = (store.meta(), cores(&configuration, &store));
    let marks = SharedMarks::new(reserve_marks(&configuration)?);
    let memory = MemoryCeiling::new(configuration.memory_max_mib);
    let backend = load(&configuration, &store, &marks)?;
    let restored_ms = clock.elapsed().as_millis() as u64;
    let socket = ControlSocket::bind(&configuration.data)?;
    let erase_period = Duration::from_secs(configuration.erase_period_s);
    let eraser = Eraser::start(store.clone(), erase_period)?;
    let hooks = HookThreads::start(&configuration, clock)?;
    let (commands, stop) = (Control::new().with_hooks(hooks.outlet()), StopHandle::new());
    let sealing_keys = read_sealing_keys(&configuration)?;
    let FirstRead { key_set, verifier, certificate, expires_at_s } = read;
    let places = (admin.access(), commands.clone(), admin.view());
    let credentials = renew(&configuration, clock, (key_set, expires_at_s), places, &hooks)?;
    let seen = (credentials.view(), hooks.view());
    let (gateway, data) = (configuration.gateway.clone(), configuration.data.clone());
    let (erase, shards, running) = (eraser.period(), commands.clone(), configuration);
    let (marks_there, memory_there) = (marks.clone(), memory.clone());
    let reloader = Reloader {
        layers,
        running,
        level,
        marks: marks_there,
        memory: memory_there,
        erase,
        credentials,
        shards,
    };
    take_signals(&stop, readiness.clone(), reloader)?;
    let listening = match listening {
        Some(listening) => listening,
        None => Listening::bind(&gateway, cores, false)?,
    };
    let sources = Sources::new(store.clone(), commands.clone(), data, (marks, memory), seen);
    admin.watch().attach(sources);
    let mut control = None;
    let credentials = Credentials { verifier, sealing_keys, certificate };
    let served = serve(gateway, listening, backend, credentials, &stop, &commands, |address| {
        let status = status(address, admin.address(), meta, cores, restored_ms);
        let desk = Desk {
            status: status.clone(),
            clock,
            readiness: readiness.clone(),
            watch: admin.view(),
            store: store.clone(),
            shards: commands.clone(),
            stop: stop.clone(),
        };
        control = serve_control(socket, desk);
        readiness.enter(Phase::Serving);
        say(&status);
    });
    hooks.finish();
    served
        .inspect_err(|error| readiness.enter(Phase::Failed(error.to_string())))
        .map_err(tell_end)?;
    info!("stopped: all that was taken is committed");
    Ok(())
}

/// The start is counted from here on, and probes are told of it.
fn start_admin(configuration: &Configuration) -> Result<(Clock, Admin), Failure> {
    let clock = Clock::new();
    Ok((clock, Admin::start(configuration, clock)?))
}

/// A box that served and no longer does is another alarm than one that never did.
fn tell_end(ended: ServeError) -> Failure {
    let alarm = match ended {
        ServeError::Storage(_) => "storage_failed",
        ServeError::System(_) | ServeError::Panicked(_) => "box_failed",
        ServeError::Config(_) | ServeError::Listen { .. } | ServeError::Tls(_) => {
            return Failure::new(ended);
        }
    };
    error!(alarm, "{ended}");
    Failure::Told
}

fn status(
    listen: SocketAddr,
    admin_listen: Option<SocketAddr>,
    meta: Meta,
    cores: u16,
    restored_ms: u64,
) -> Status {
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        listen,
        admin_listen,
        partitions: meta.partitions,
        cores,
        generation: meta.generation.0,
        restored_ms,
        uptime_s: 0,
        phase: String::new(),
        seen: Seen::default(),
        warnings: Vec::new(),
    }
}

/// Whoever started the box may be gone; the box serves all the same.
fn say(Status { listen, partitions, cores, restored_ms, .. }: &Status) {
    info!(%listen, partitions, cores, restored_ms, "listening");
    let _ = writeln!(
        std::io::stdout(),
        "listening on {listen}, {partitions} partitions on {cores} cores, restored in {restored_ms} ms"
    );
}

/// Messages need no control thread: a box without one serves them all the same.
fn serve_control(socket: ControlSocket, desk: Desk) -> Option<ControlServer> {
    let server = socket.serve(desk);
    let tell = |error: &std::io::Error| {
        error!(alarm = "control_unavailable", "the box cannot be asked: {error}");
    };
    server.inspect_err(tell).ok()
}
