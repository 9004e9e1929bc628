//! Pairs of users, each sender writing to its receiver.

use anyhow::{Result, ensure};

use super::mark::Mark;
use super::{Effort, Figures, note};
use crate::engine::{Counts, Engine, Pace};
use crate::peer::Peer;
use crate::protocol::{Population, Protocol, Role};
use crate::server::Server;

/// What is under way when sending stops has this long to arrive, s.
const SETTLE_S: f64 = 10.0;

/// When senders send.
#[derive(Clone, Copy, Debug)]
pub(super) enum Load {
    /// Each keeps so many under way.
    Window(u64),
    /// So many a second, of all together.
    Rate(u32),
}

pub(super) fn measure<P: Protocol>(
    mut protocol: P,
    server: &Server,
    peer: Peer,
    effort: &Effort,
    load: Load,
) -> Result<Figures> {
    let pairs = effort.pairs;
    protocol.prepare(server.address(), Population { pairs, idle: 0 })?;
    let roles: Vec<Role> =
        (0..pairs).map(Role::Sender).chain((0..pairs).map(Role::Receiver)).collect();
    let mut engine = Engine::new(protocol, server.address(), &roles)?;
    let senders = pairs as usize;
    engine.open(senders..2 * senders)?;
    engine.open(0..senders)?;

    let start_ns = engine.now_ns();
    engine.set_pace(match load {
        Load::Window(window) => Pace::Window(window),
        Load::Rate(per_second) => Pace::rate(per_second, start_ns),
    });
    engine.run(start_ns + ns(effort.warm_up_s), |_| false)?;
    let (begin, before) = (Mark::now(&engine, server)?, engine.counts);
    let end_ns = begin.at_ns + ns(effort.measured_s);
    engine.measure(begin.at_ns..end_ns);
    engine.run(end_ns, |_| false)?;
    let (end, after) = (Mark::now(&engine, server)?, engine.counts);
    settle(&mut engine, peer)?;

    let span = begin.until(end);
    let messages = (after.delivered - before.delivered) as f64;
    ensure!(messages > 0.0, "nothing arrived");
    let mut figures = Figures::new();
    note(&mut figures, "messages_per_s", messages / span.seconds);
    note(&mut figures, "server_us", span.server_us / messages);
    note(&mut figures, "server_share", span.server_us / 1e6 / span.seconds);
    note(&mut figures, "generator_share", span.generator_share);
    let latencies =
        [("accepted", &engine.latencies.accepted), ("delivered", &engine.latencies.delivered)];
    for (name, histogram) in latencies {
        for (part, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let us = histogram.value_at_quantile(quantile) as f64 / 1000.0;
            note(&mut figures, &format!("{name}_{part}_us"), us);
        }
    }
    note_faults(&mut figures, &engine.counts);
    if peer.worth().has_receipts {
        let missing = engine.counts.delivered.saturating_sub(engine.counts.receipts);
        note(&mut figures, "receipts_missing", missing as f64);
    }
    engine.reset_all();
    Ok(figures)
}

/// Stops sending, and waits for what is under way.
fn settle<P: Protocol>(engine: &mut Engine<P>, peer: Peer) -> Result<()> {
    engine.set_pace(Pace::Stopped);
    let has_receipts = peer.worth().has_receipts;
    engine.run(engine.now_ns() + ns(SETTLE_S), |counts| {
        let answered = counts.accepted.min(counts.delivered);
        answered >= counts.sent && (!has_receipts || counts.receipts >= counts.sent)
    })
}

/// Notes what came wrong, the warm-up included.
pub(super) fn note_faults(figures: &mut Figures, counts: &Counts) {
    let lost = counts.accepted.saturating_sub(counts.delivered);
    note(figures, "unconfirmed", counts.sent.saturating_sub(counts.accepted) as f64);
    note(figures, "lost", lost as f64);
    note(figures, "doubled", counts.doubled as f64);
    note(figures, "reordered", counts.reordered as f64);
}

/// Seconds in ns.
pub(super) fn ns(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
