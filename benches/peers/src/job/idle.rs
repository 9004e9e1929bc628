//! Users log in and stay, doing nothing.

use anyhow::Result;

use super::chat::ns;
use super::mark::Mark;
use super::{Figures, note};
use crate::engine::Engine;
use crate::process::resident_bytes;
use crate::protocol::{Population, Protocol, Role};
use crate::server::Server;

/// Seconds before memory is read, with and without the connections.
const SETTLE_S: f64 = 2.0;

pub(super) fn measure<P: Protocol>(
    mut protocol: P,
    server: &Server,
    connections: u32,
) -> Result<Figures> {
    protocol.prepare(server.address(), Population { pairs: 0, idle: connections })?;
    let roles: Vec<Role> = (0..connections).map(Role::Idle).collect();
    let mut engine = Engine::new(protocol, server.address(), &roles)?;
    engine.run(engine.now_ns() + ns(SETTLE_S), |_| false)?;
    let before = resident_bytes(server.process())?;

    let begin = Mark::now(&engine, server)?;
    engine.open(0..roles.len())?;
    let span = begin.until(Mark::now(&engine, server)?);
    engine.run(engine.now_ns() + ns(SETTLE_S), |_| false)?;
    let grown = resident_bytes(server.process())? - before;
    engine.reset_all();

    let count = f64::from(connections);
    let mut figures = Figures::new();
    note(&mut figures, "connections", count);
    note(&mut figures, "bytes_per_connection", grown / count);
    note(&mut figures, "logins_per_s", count / span.seconds);
    note(&mut figures, "login_us", span.server_us / count);
    note(&mut figures, "logins_per_core_s", count * 1e6 / span.server_us.max(1.0));
    note(&mut figures, "generator_share", span.generator_share);
    Ok(figures)
}
