//! Messages are stored for receivers who are away; then these come back and take them.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::chat::{note_faults, ns};
use super::mark::Mark;
use super::{Figures, note};
use crate::clock::pause;
use crate::engine::{Engine, Pace};
use crate::protocol::{Population, Protocol, Role};
use crate::server::Server;

/// Each sender's messages under way.
const WINDOW: u64 = 8;
/// Storing may take this long, and so may fetching, s.
const PATIENCE_S: f64 = 60.0;
/// After this the last acknowledgements of a fetch are through, s.
const ACKNOWLEDGED_S: f64 = 0.5;
/// In this time a server notices that its clients have gone.
const GONE: Duration = Duration::from_millis(500);

pub(super) fn measure<P: Protocol>(
    mut protocol: P,
    server: &Server,
    pairs: u32,
    messages: u64,
) -> Result<Figures> {
    protocol.prepare(server.address(), Population { pairs, idle: 0 })?;
    let roles: Vec<Role> =
        (0..pairs).map(Role::Sender).chain((0..pairs).map(Role::Receiver)).collect();
    let mut engine = Engine::new(protocol, server.address(), &roles)?;
    let (senders, receivers) = (0..pairs as usize, pairs as usize..2 * pairs as usize);
    engine.open(receivers.clone())?; // a server stores for those whom it has seen
    engine.close(receivers.clone())?;
    pause(GONE);
    engine.open(senders)?;
    let mut figures = Figures::new();

    let limit = (messages / u64::from(pairs)).max(1);
    let total = limit * u64::from(pairs);
    engine.set_pace(Pace::Store { window: WINDOW, limit });
    let begin = Mark::now(&engine, server)?;
    engine.run(begin.at_ns + ns(PATIENCE_S), |counts| counts.accepted >= total)?;
    let span = begin.until(Mark::now(&engine, server)?);
    let stored = engine.counts.accepted as f64;
    ensure!(stored > 0.0, "nothing was stored");
    engine.set_pace(Pace::Stopped);
    note(&mut figures, "stored", stored);
    note(&mut figures, "stored_per_s", stored / span.seconds);
    note(&mut figures, "store_us", span.server_us / stored);
    note(&mut figures, "store_generator_share", span.generator_share);

    let begin = Mark::now(&engine, server)?;
    engine.open(receivers)?;
    // What was under way when patience ended is stored too.
    engine.run(begin.at_ns + ns(PATIENCE_S), |counts| counts.delivered >= counts.sent)?;
    let mut span = begin.until(Mark::now(&engine, server)?);
    let drained = engine.counts.delivered as f64;
    // The last acknowledgements cost something too, and more where they lag behind.
    engine.run(engine.now_ns() + ns(ACKNOWLEDGED_S), |_| false)?;
    span.server_us = begin.until(Mark::now(&engine, server)?).server_us;
    note(&mut figures, "drained_per_s", drained / span.seconds);
    note(&mut figures, "drain_us", span.server_us / drained.max(1.0));
    note(&mut figures, "drain_generator_share", span.generator_share);
    note_faults(&mut figures, &engine.counts);
    engine.reset_all();
    Ok(figures)
}
