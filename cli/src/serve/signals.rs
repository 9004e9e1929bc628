//! The thread "signals" of a box.

use std::thread;

use answerback_gateway::StopHandle;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tracing::info;

use super::reload::Reloader;
use crate::admin::{Phase, Readiness};
use crate::exit::Failure;

/// SIGHUP reads the settings again. SIGTERM and SIGINT stop in good order; a second one of
/// them kills as it would have.
pub(super) fn take_signals(
    stop: &StopHandle,
    readiness: Readiness,
    mut reloader: Reloader,
) -> Result<(), Failure> {
    let signals = Signals::new([SIGHUP, SIGTERM, SIGINT])?;
    let stop = stop.clone();
    let named = thread::Builder::new().name("signals".into());
    named.spawn(move || run(signals, &stop, &readiness, &mut reloader))?;
    Ok(())
}

fn run(mut signals: Signals, stop: &StopHandle, readiness: &Readiness, reloader: &mut Reloader) {
    let mut is_stopping = false;
    for signal in signals.forever() {
        match signal {
            SIGHUP => reloader.reload(),
            signal if is_stopping => {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            _ => {
                is_stopping = true;
                readiness.enter(Phase::Draining);
                info!("stopping: what was taken is committed, clients are told to go");
                stop.trigger();
            }
        }
    }
}
