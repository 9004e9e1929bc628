//! Clocks and costs at one moment of a job.

use anyhow::Result;

use crate::engine::Engine;
use crate::process::cpu_us;
use crate::protocol::Protocol;
use crate::server::Server;

/// A moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) at_ns: u64,
    server_us: f64,
    generator_ns: u64,
}

/// What lies between two of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) seconds: f64,
    /// CPU of all the server's threads.
    pub(super) server_us: f64,
    /// Share of the time in which the generator had work in hand.
    pub(super) generator_share: f64,
}

impl Mark {
    pub(super) fn now<P: Protocol>(engine: &Engine<P>, server: &Server) -> Result<Self> {
        Ok(Self {
            at_ns: engine.now_ns(),
            server_us: cpu_us(server.process())?,
            generator_ns: engine.busy_ns(),
        })
    }

    pub(super) fn until(self, later: Self) -> Span {
        let ns = (later.at_ns - self.at_ns).max(1) as f64;
        Span {
            seconds: ns / 1e9,
            server_us: later.server_us - self.server_us,
            generator_share: (later.generator_ns - self.generator_ns) as f64 / ns,
        }
    }
}
