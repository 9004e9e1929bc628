//! The thread "signals" of a box.

use std::thread;

use answerback_gateway::StopHandle;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::admin::{Phase, Readiness};
use crate::exit::Failure;

/// An orderly stop on SIGTERM and SIGINT; a second one of them kills as it would have.
pub(super) fn stop_on_signals(readiness: Readiness) -> Result<StopHandle, Failure> {
    let stop = StopHandle::new();
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let triggered = stop.clone();
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut pending = signals.forever();
        if pending.next().is_some() {
            readiness.enter(Phase::Draining);
            eprintln!("stopping: what was taken is committed, clients are told to go");
            triggered.trigger();
        }
        if let Some(signal) = pending.next() {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    })?;
    Ok(stop)
}
