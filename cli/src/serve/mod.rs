//! A box: what it opens, the threads beside its cores, its end.

mod signals;
mod startup;
mod system;
mod takeover;

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use answerback_gateway::{Control, Listening, serve};
use answerback_store::{Meta, Store};

use self::signals::stop_on_signals;
use self::startup::{cores, load, new_box, read_keys, sources};
use self::system::raise_descriptor_limit;
use self::takeover::take_over;
use crate::admin::{Admin, Phase};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::control::{ControlServer, ControlSocket, Desk, Seen, Status};
use crate::erasing::Eraser;
use crate::exit::Failure;

/// Serves until a signal, or until storage can no longer be trusted.
pub(crate) fn run(configuration: &Configuration, takes_over: bool) -> Result<(), Failure> {
    let first = if takes_over { None } else { Some(start_admin(configuration)?) };
    let verifier = read_keys(&configuration.jwks)?;
    raise_descriptor_limit();
    let taken = if takes_over { take_over(configuration)? } else { None };
    let (clock, admin) = match first {
        Some(first) => first,
        // Behind that, since whoever is followed has the port until its end.
        None => start_admin(configuration)?,
    };
    let readiness = admin.readiness();
    let (listening, store) = match taken {
        Some((listening, store)) => (Some(listening), store),
        None => (None, Store::open(&configuration.data, new_box(configuration)?)?),
    };
    let (meta, cores) = (store.meta(), cores(configuration, &store));
    let backend = load(configuration, &store)?;
    let restored_ms = clock.elapsed().as_millis() as u64;
    let socket = ControlSocket::bind(&configuration.data)?;
    let stop = stop_on_signals(readiness.clone())?;
    let erase_period = Duration::from_secs(configuration.erase_period_s);
    let _eraser = Eraser::start(store.clone(), erase_period)?;
    let (commands, mut control) = (Control::new(), None);
    let gateway = configuration.gateway.clone();
    let listening = match listening {
        Some(listening) => listening,
        None => Listening::bind(&gateway, cores, false)?,
    };
    admin.watch().attach(sources(configuration, &store, &commands)?);
    let served = serve(gateway, listening, backend, verifier, &stop, &commands, |address| {
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
    served.inspect_err(|error| readiness.enter(Phase::Failed(error.to_string())))?;
    Ok(())
}

/// The start is counted from here on, and probes are told of it.
fn start_admin(configuration: &Configuration) -> Result<(Clock, Admin), Failure> {
    let clock = Clock::new();
    Ok((clock, Admin::start(configuration.admin_listen, clock)?))
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
